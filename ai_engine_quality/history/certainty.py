"""How certain a score is: a bootstrap over the call's turns, computed on demand.

A call has few turns: the p95 of five is nearly the slowest of them. The question is which score a
longer call under the same conditions would have. So the turns, and the reactions to barge-ins, are
drawn again a thousand times, each with a little noise (a smoothed bootstrap; Silverman and Young,
Biometrika 74, 1987). Without the noise no draw could be slower than the slowest turn seen, and the
interval would be far too short. What is counted over the whole call (fillers, fallbacks, checks,
levels) isn't a sample of turns, and stays as it is.

The interval is meant to hold the score of an endless call in 90 of 100 cases. On simulated calls
with log-normal latencies (medians of 0.6 to 1.5 s, log-deviations of 0.3 and 0.5) it holds it in 83
to 97 with 9 turns, in 72 to 92 with 5 and in 58 to 81 with 3: a few turns can't tell how much turns
differ. ``tests/history/test_certainty.py`` measures these numbers.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ai_engine_quality.core.arithmetic import Knees, Steps
from ai_engine_quality.core.distribution import Distribution
from ai_engine_quality.core.policy import DEFAULT_POLICY, Band, Policy
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.wording import floor_percent, plural

Values = npt.NDArray[np.float64]

RESAMPLES = 1_000

INTERVAL = (5.0, 95.0)
"""Percentiles of the resampled scores that bound the interval."""

MIN_TURNS = 3
"""Fewer turns say nothing about how much turns differ."""

MAX_DRAWN = 2_000
"""Values drawn at a time: the interval of a longer call is a little too wide."""

_SMALLEST_SECONDS = 1e-3


@dataclass(frozen=True, slots=True)
class Certainty:
    """Which scores and bands the same conditions could have given."""

    band: Band
    """The call's own."""
    bands: Mapping[Band, float]
    """Share (0 to 1) of the resamples in each band, best band first."""
    low: int
    high: int
    """The scores that 90 of 100 resamples lie between."""
    turns: int
    """Turns that were drawn from."""

    @property
    def sure(self) -> float:
        """Share (0 to 1) of the resamples in the call's own band."""
        return self.bands[self.band]

    def __str__(self) -> str:
        """Return it in words: ``fair, 80 % sure; 61 to 74 by its 9 turns``."""
        interval = f"{self.low} to {self.high} by its {plural(self.turns, 'turn')}"
        return f"{self.band}, {floor_percent(self.sure)} sure; {interval}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "band": self.band.value,
            "sure": self.sure,
            "bands": {band.value: share for band, share in self.bands.items()},
            "low": self.low,
            "high": self.high,
            "turns": self.turns,
        }


def how_certain(call: CallScore, policy: Policy = DEFAULT_POLICY) -> Certainty | None:
    """Return how certain a call's score is; None where it has none, or fewer than 3 turns.

    Deterministic: the random numbers are seeded by the call's own values. It takes about a
    millisecond, and more for calls of hundreds of turns: too long for the engine's loop.

    Args:
        call: A scored call, live or from a record.
        policy: The one that it was scored by.

    Raises:
        ValueError: it was scored by another policy.
    """
    if call.policy_version != policy.version:
        raise ValueError(
            f"the call was scored by policy {call.policy_version}, not {policy.version}; "
            "pass that policy, or score(call.summary, policy) first"
        )
    if call.score is None or call.band is None or call.turns < MIN_TURNS:
        return None
    scores = _scores(call, policy, _resampled_values(call, policy))
    low, high = np.percentile(scores, INTERVAL, method="nearest")
    counts = _bands(scores, policy)
    return Certainty(call.band, counts, int(low), int(high), call.turns)


def _resampled_values(call: CallScore, policy: Policy) -> dict[str, Values]:
    """Return what each factor that is scored on a sample could have been."""
    summary = call.summary
    samples = {"latency": summary.waits(), "barge_in": summary.distribution("barge_in_reactions")}
    return {
        name: _percentiles(_flat(sample), policy.percentile)
        for name, sample in samples.items()
        if sample.n >= MIN_TURNS
    }


def _flat(sample: Distribution) -> Values:
    """Return the values in ascending order, so that the order of turns never matters."""
    values = [value for value, _ in sample.others]
    counts = [count for _, count in sample.others]
    return np.sort(np.concatenate([np.asarray(sample.exact), np.repeat(values, counts)]))


def _percentiles(values: Values, percentile: float) -> Values:
    """Return the percentile of each resample."""
    generator = np.random.default_rng(zlib.crc32(values.tobytes()))
    logs = np.log(np.maximum(values, _SMALLEST_SECONDS))
    shape = RESAMPLES, min(values.size, MAX_DRAWN)
    # Silverman's rule of thumb for the width of a normal kernel.
    width = 1.06 * logs.std(ddof=1) * values.size**-0.2
    drawn = logs[generator.integers(0, values.size, shape)]
    drawn += generator.normal(0, width, shape)
    return np.asarray(np.percentile(np.exp(drawn), percentile, axis=1), dtype=np.float64)


def _scores(call: CallScore, policy: Policy, drawn: Mapping[str, Values]) -> Values:
    """Return the scores, as ``scoring`` makes them, with what was drawn in place of the call's."""
    fixed = sum(factor.penalty for factor in call.factors if factor.name not in drawn)
    tops = [ceiling.ceiling for ceiling in call.ceilings if ceiling.rule not in drawn]
    raw = np.full(RESAMPLES, 100 - fixed)
    highest = np.full(RESAMPLES, float(min(tops, default=100)))
    for name, values in drawn.items():
        raw -= _ramp(getattr(policy.knees, name), values)
        highest = np.minimum(highest, _ceilings(getattr(policy.ceilings, name), values))
    points = np.minimum(np.round(raw, 9), highest)
    return np.asarray(np.clip(np.floor(points + 0.5), 0, 100), dtype=np.float64)


def _ramp(knees: Knees, values: Values) -> Values:
    x, points = np.array(knees).T
    return np.asarray(np.interp(values, x, points), dtype=np.float64)


def _ceilings(steps: Steps, values: Values) -> Values:
    thresholds, tops = np.array(steps).T
    reached = np.searchsorted(thresholds, values, side="right")
    return np.asarray(np.concatenate([[100], tops])[reached], dtype=np.float64)


def _bands(scores: Values, policy: Policy) -> dict[Band, float]:
    found, counts = np.unique(scores, return_counts=True)
    shares = dict.fromkeys(Band, 0)
    for score, count in zip(found.tolist(), counts.tolist(), strict=True):
        shares[policy.band(int(score))] += count
    return {band: count / RESAMPLES for band, count in shares.items()}
