"""Colours that tell apart for the colour-blind too, and thresholds as the scoring policy has them.

The colours themselves are the library's :mod:`ai_engine_quality.palette`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from ai_engine_quality import DEFAULT_POLICY, Band, palette
from ai_engine_quality.palette import ORANGE, VERMILLION
from ai_engine_quality.toolkit import Knees, Steps

GREY: Final = "#8E8E8E"
"""Darker than the palette's, to be seen on both of Grafana's themes."""

BANDS: Final = palette.BANDS
FINE: Final = palette.FINE
BROKEN: Final = palette.BROKEN

ALERT_MARK: Final = "#882EF4"
RESTART_MARK: Final = GREY
"""Of annotations: an alert is no band, and no provider."""

SERIES: Final = ("#8876F4", "#9AD09A", "#D0D076", "#F4BED0", "#9A5252", "#AC8852")
"""For what is neither good nor bad in itself: providers, quantiles, stages, states.

None is a band's or a mark's colour. Any two of all these differ by 15 and more (CIE 1976), also as
seen by those who lack one kind of cone; a test works it out."""

PROVIDERS: Final = dict(
    zip(
        ("deepgram", "openai_realtime", "google_live", "grok", "elevenlabs_agent", "local"),
        SERIES,
        strict=True,
    )
)
QUANTILES: Final = dict(zip(("p50", "p95", "p99"), SERIES, strict=False))
FACTOR_COLOURS: Final = dict(palette.FACTORS)
STAGES: Final = dict(
    zip(("transport_in", "provider_in", "provider_out", "transport_out"), SERIES, strict=False)
)
STATES: Final = {"greeting": GREY, "listening": SERIES[0], "processing": SERIES[1]}
END_REASONS: Final = {
    "end-of-stream": FINE,
    "idle-cutoff": SERIES[0],
    "streaming-ended": GREY,
    "barge-in": SERIES[1],
    "deferred-transfer-local-handoff": SERIES[2],
    "transport-failure": BROKEN,
    "keepalive-timeout": ORANGE,
    "rtp-remote-endpoint-timeout": SERIES[3],
}
"""The engine's names; what is no fault has no fault's colour."""


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


POOR_AT_MOST: Final = 0.1
"""Share of poor calls that the quality objective of monitoring/rules allows."""


def poor_calls() -> build.ThresholdsConfig:
    """Thresholds of a share of poor calls: half of what the objective allows, and all of it."""
    return thresholds({POOR_AT_MOST / 2: ORANGE, POOR_AT_MOST: BROKEN})


def speech_level() -> build.ThresholdsConfig:
    """Thresholds of a 16-bit RMS of speech: too quiet, right, too loud."""
    level = DEFAULT_POLICY.speech_level
    return thresholds({level.low: FINE, level.high: VERMILLION}, ORANGE)


def all_or_broken(*, broken_from: float) -> build.ThresholdsConfig:
    """Fine below a value, broken from it on."""
    return thresholds({broken_from: BROKEN})
