"""Two sets of calls against each other: did the score change, by how much, and what changed it?

The effect is a difference of means; its interval is a bootstrap over calls. The interval says
whether two sets differ, not why: calls of another hour, of other callers or of another load differ
as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ai_engine_quality.core.policy import FACTORS
from ai_engine_quality.core.result import CallScore

Values = npt.NDArray[np.float64]

MIN_CALLS = 20
"""Calls on either side below which nothing is concluded."""

RESAMPLES = 4_000
SEED = 1
"""The same calls give the same intervals."""

CONFIDENCE = 0.95
"""Of the score's interval. The factors share the other 5 % (Bonferroni): so where two sets are
equal, a difference in any factor is seen in at most one comparison of twenty."""


class Conclusion(StrEnum):
    """What can be said of B against A."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no difference seen"
    TOO_FEW = "too few calls"


@dataclass(frozen=True, slots=True)
class Side:
    """One set's part in an effect."""

    calls: int
    """Calls that have the value."""
    mean: float | None
    """Points: the score, or what the factor adds to it, which is 0 or less."""
    median: float | None
    """The score, or what the factor was scored on in its own unit: seconds, ratio, count."""


@dataclass(frozen=True, slots=True)
class Effect:
    """How far B's mean lies above A's: more is better, for the score as for a factor."""

    name: str
    """``score``, or a factor."""
    a: Side
    b: Side
    points: float | None
    """B's mean less A's; None where either side has no call."""
    low: float | None
    """The interval; None where there are too few calls."""
    high: float | None
    verdict: Conclusion

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        sides = {
            name: {"calls": side.calls, "mean": side.mean, "median": side.median}
            for name, side in (("a", self.a), ("b", self.b))
        }
        interval = {"points": self.points, "low": self.low, "high": self.high}
        return {"name": self.name, **sides, **interval, "verdict": self.verdict.value}


def compare(a: Sequence[CallScore], b: Sequence[CallScore]) -> list[Effect]:
    """Return the effect on the score, and then on each factor, of B against A.

    Calls that were not scored are left out; of a factor, those in which it was not observed.
    """
    share = (1 - CONFIDENCE) / len(FACTORS)
    effects = [_effect("score", _scores(a), _scores(b), 1 - CONFIDENCE)]
    effects += [_effect(name, _points(a, name), _points(b, name), share) for name in FACTORS]
    return effects


_Sample = tuple[Values, Values]
"""Each call's points, and the value that they were given for."""


def _scores(calls: Sequence[CallScore]) -> _Sample:
    scores = np.array([call.score for call in calls if call.score is not None], dtype=np.float64)
    return scores, scores


def _points(calls: Sequence[CallScore], name: str) -> _Sample:
    scored = [call.factor(name) for call in calls if call.score is not None]
    found = [(-factor.penalty, factor.value) for factor in scored if factor.observed]
    table = np.array(found, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _effect(name: str, a: _Sample, b: _Sample, outside: float) -> Effect:
    """Return the effect; of all bootstrapped ones a share ``outside`` lies beyond its interval."""
    sides = _side(a), _side(b)
    if not a[0].size or not b[0].size:
        return Effect(name, *sides, None, None, None, Conclusion.TOO_FEW)
    points = float(b[0].mean() - a[0].mean())
    if min(a[0].size, b[0].size) < MIN_CALLS:
        return Effect(name, *sides, points, None, None, Conclusion.TOO_FEW)
    generator = np.random.default_rng(SEED)
    drawn = _resampled_means(b[0], generator) - _resampled_means(a[0], generator)
    low, high = np.percentile(drawn, (50 * outside, 100 - 50 * outside)).tolist()
    return Effect(name, *sides, points, low, high, _verdict(low, high))


def _side(values: _Sample) -> Side:
    points, given_for = values
    if not points.size:
        return Side(0, None, None)
    return Side(points.size, float(points.mean()), float(np.median(given_for)))


def _resampled_means(points: Values, generator: np.random.Generator) -> Values:
    """Return the means of resamples, drawn by how often each tenth of a point occurs.

    There are at most 1,001 of those, so that a million calls cost no more than a thousand.
    """
    kinds, counts = np.unique(np.round(points, 1), return_counts=True)
    drawn = generator.multinomial(points.size, counts / points.size, RESAMPLES)
    return np.asarray(drawn @ kinds / points.size, dtype=np.float64)


def _verdict(low: float, high: float) -> Conclusion:
    if low > 0:
        return Conclusion.BETTER
    return Conclusion.WORSE if high < 0 else Conclusion.NO_DIFFERENCE
