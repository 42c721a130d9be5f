"""Colours that tell apart for the colour-blind too, and thresholds as the scoring policy has them.

The colours themselves are the library's :mod:`ai_engine_quality.palette`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from ai_engine_quality import DEFAULT_POLICY, Band
from ai_engine_quality.palette import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, YELLOW
from ai_engine_quality.toolkit import FACTORS, Knees, Steps

GREY: Final = "#8E8E8E"
"""Darker than the palette's, to be seen on both of Grafana's themes."""

BANDS: Final[Mapping[str, str]] = {
    Band.EXCELLENT: BLUE,
    Band.GOOD: SKY,
    Band.FAIR: ORANGE,
    Band.POOR: VERMILLION,
}
"""From blue to vermillion: the two ends differ in lightness too."""

FINE, BROKEN = BLUE, VERMILLION

QUANTILES: Final = {"p50": SKY, "p95": BLUE, "p99": ORANGE}
PROVIDERS: Final = {
    "deepgram": BLUE,
    "openai_realtime": ORANGE,
    "google_live": GREEN,
    "grok": PURPLE,
    "elevenlabs_agent": SKY,
    "local": YELLOW,
}
FACTOR_COLOURS: Final = dict(
    zip(FACTORS, (BLUE, SKY, GREEN, ORANGE, PURPLE, VERMILLION), strict=True)
)
STAGES: Final = {
    "transport_in": SKY,
    "provider_in": BLUE,
    "provider_out": ORANGE,
    "transport_out": VERMILLION,
}
STATES: Final = {"greeting": PURPLE, "listening": SKY, "processing": ORANGE}


def _by_band(steps: Steps) -> Steps:
    """Return the steps at which the band changes: within one band a policy may have several."""
    bands = {DEFAULT_POLICY.band(top): (value, top) for value, top in reversed(steps)}
    return tuple(sorted(bands.values()))


SECONDS_UNTIL: Final = _by_band(DEFAULT_POLICY.ceilings.latency)
"""Turn response, in seconds: where a call can't be excellent, good, fair any more."""

UNDERFLOW_RATIO: Final = _by_band(DEFAULT_POLICY.ceilings.underflow)
FALLBACKS: Final = _by_band(DEFAULT_POLICY.ceilings.fallback)


def no_thresholds(colour: str = GREY) -> build.ThresholdsConfig:
    """One colour for every value: the number says all there is."""
    return thresholds({}, colour)


def thresholds(steps: Mapping[float, str], below: str = FINE) -> build.ThresholdsConfig:
    """Thresholds: `below` the first value, then each value's colour from there on."""
    rising = [model.Threshold(value=value, color=colour) for value, colour in sorted(steps.items())]
    return (
        build.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=None, color=below), *rising])
    )


def by_ceilings(steps: Steps) -> build.ThresholdsConfig:
    """Thresholds of something that is worse the larger it is, from a policy's ceilings."""
    return thresholds(
        {value: BANDS[DEFAULT_POLICY.band(top)] for value, top in steps}, BANDS[Band.EXCELLENT]
    )


def by_knees(knees: Knees) -> build.ThresholdsConfig:
    """The same from a factor's knees: good, fair and poor begin at the last three."""
    worse = (Band.GOOD, Band.FAIR, Band.POOR)
    return thresholds(
        {value: BANDS[band] for (value, _), band in zip(knees[-3:], worse, strict=True)},
        BANDS[Band.EXCELLENT],
    )


def by_score() -> build.ThresholdsConfig:
    """Thresholds of a score: the policy's bands."""
    lowest = DEFAULT_POLICY.bands
    return thresholds(
        {float(lowest[band]): BANDS[band] for band in Band if band is not Band.POOR},
        BANDS[Band.POOR],
    )


def speech_level() -> build.ThresholdsConfig:
    """Thresholds of a 16-bit RMS of speech: too quiet, right, too loud."""
    level = DEFAULT_POLICY.speech_level
    return thresholds({level.low: FINE, level.high: VERMILLION}, ORANGE)


def all_or_broken(*, broken_from: float) -> build.ThresholdsConfig:
    """Fine below a value, broken from it on."""
    return thresholds({broken_from: BROKEN})
