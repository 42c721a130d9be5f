"""Where the evidence puts knees and ceilings: fitted to the tuning prompts, and to nothing else.

One fault at a time, how good the samples sound is the mean of what PESQ and ViSQOL say, made
monotone by isotonic regression, on the R scale by ITU-T G.107's relation of MOS to R. From that:

* a **ceiling** stands where the samples are heard as no better than its score;
* a **knee** stands where they have lost its points, counted from the unimpaired line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
from scipy.optimize import brentq, isotonic_regression

from ai_engine_lab.evidence.impairments import CLEAN, CLIPPING, FALLBACK, LEVEL, UNDERFLOW
from ai_engine_lab.evidence.observing import STAGE
from ai_engine_lab.evidence.passages import TUNING
from ai_engine_lab.evidence.samples import Sample
from ai_engine_quality import Policy

TYPICAL_SPEECH_SECONDS: Final = 15.0
"""The agent's speech in the median real call: a third of 44 s. Fallbacks are counted per call, so
what a seam costs in a passage must be spread over that much speech."""

SCORES: Final = (89, 84, 79, 74, 69, 64, 59, 54, 49, 44, 39, 34, 29, 24)
"""Ceilings to place, the bands' own edges among them: finer ones would claim too much."""

MOST_FALLBACKS: Final = 6
"""The samples are not denser than this."""


def mos(r: float) -> float:
    """Return the mean opinion score of a rating R, 0 to 100 (ITU-T G.107, Annex B)."""
    return 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6


def rating(opinion: float) -> float:
    """Return the R of a mean opinion score; 6.5 where it is lower than the relation can say."""
    lowest, highest = 6.5, 100.0  # below 6.5 the relation of G.107 falls
    if opinion <= mos(lowest):
        return lowest
    if opinion >= mos(highest):
        return highest
    return float(brentq(lambda r: mos(r) - opinion, lowest, highest))


def heard(sample: Sample) -> float:
    """Return how good a sample sounds: the mean of both measures' opinions."""
    return (sample.pesq + sample.visqol) / 2


def proposed(samples: Iterable[Sample], policy: Policy) -> dict[str, Any]:
    """Return what the tuning prompts would change, for :meth:`Policy.with_changes`.

    The samples are seen through ``policy``'s own effective ratio and levels, which stay.
    """
    chosen = [sample for sample in samples if sample.side == TUNING]

    def heard_as(kinds: Iterable[str], value: Callable[[Sample], float]) -> _Heard:
        return _Heard([(value(s), heard(s)) for s in chosen if s.kind in (CLEAN, *kinds)])

    def ratio(sample: Sample) -> float:
        return sample.scored(policy).factors[1].value or 0.0

    def level_error(sample: Sample) -> float:
        return sample.scored(policy).factors[-1].value or 0.0

    fillers, seams = heard_as([UNDERFLOW], ratio), heard_as([FALLBACK], _fallbacks_per_call)
    clipped = heard_as([CLIPPING], _clipped)
    quiet = heard_as([LEVEL], lambda s: level_error(s) if s.detail.startswith("-") else 0.0)
    return {
        "knees": {
            "underflow": fillers.knees([points for _, points in policy.knees.underflow]),
            "fallback": _counted_knees(seams, policy.weights["fallback"]),
            "rms_level": quiet.knees([points for _, points in policy.knees.rms_level]),
        },
        "ceilings": {
            "underflow": fillers.ceilings(),
            "fallback": _counted_ceilings(seams),
            "clipping": clipped.ceilings(),
            "rms_full_penalty": round(quiet.rating_at(quiet.place_of_loss(policy.weights["rms"]))),
        },
    }


def ceilings_of(pairs: Sequence[tuple[float, float]]) -> list[list[float]]:
    """Return the ceilings that (value, opinion) pairs propose, by value."""
    return _Heard(pairs).ceilings()


class _Heard:
    """How good samples sound, by the value of one fault: ratings that never rise."""

    def __init__(self, pairs: Sequence[tuple[float, float]]) -> None:
        values, opinions = (np.asarray(side, dtype=np.float64) for side in zip(*pairs, strict=True))
        self._values, where = np.unique(values, return_inverse=True)
        weights = np.bincount(where)
        means = np.bincount(where, weights=opinions) / weights
        fitted = isotonic_regression(means, weights=weights, increasing=False).x
        self._ratings = np.array([rating(float(opinion)) for opinion in fitted])

    def rating_at(self, value: float) -> float:
        """Return the rating at a value, linear between the samples."""
        return float(np.interp(value, self._values, self._ratings))

    def place_of(self, rating: float) -> float | None:
        """Return the least value with a rating no higher than this; None where none is so bad."""
        reached = np.flatnonzero(self._ratings <= rating)
        if not reached.size:
            return None
        place = int(reached[0])
        middle = (self._values[max(0, place - 1)] + self._values[place]) / 2
        return float(f"{middle:.2g}")

    def place_of_loss(self, points: float) -> float:
        """Return where so many points are lost; the greatest value where nothing loses as many."""
        place = self.place_of(float(self._ratings[0]) - points)
        return float(f"{self._values[-1]:.2g}") if place is None else place

    def knees(self, points: Iterable[float]) -> list[list[float]]:
        """Return the values at which these points are lost, 0 of them where nothing is wrong."""
        lost = [[self.place_of_loss(p) if p else 0.0, p] for p in points]
        return _last_of_equal(lost)

    def ceilings(self) -> list[list[float]]:
        """Return for each score the least value at which samples are heard as no better."""
        places = [(self.place_of(score + 0.5), score) for score in SCORES]
        return _last_of_equal([[place, score] for place, score in places if place is not None])


def _last_of_equal(pairs: list[list[float]]) -> list[list[float]]:
    """Return the pairs without those whose value comes again: what follows is the stricter one."""
    return [
        pair
        for pair, after in zip(pairs, [*pairs[1:], None], strict=True)
        if after is None or after[0] != pair[0]
    ]


def _counted_knees(seams: _Heard, most: float) -> list[list[float]]:
    """Return the points that each number of fallbacks in a call costs, up to the most there are."""
    clean = seams.rating_at(0)
    lost = [min(most, round(clean - seams.rating_at(n))) for n in range(MOST_FALLBACKS + 1)]
    full = lost.index(most) if most in lost else MOST_FALLBACKS
    return [*([float(n), lost[n]] for n in range(full)), [float(full), most]]


def _counted_ceilings(seams: _Heard) -> list[list[float]]:
    """Return the ceiling of each number of fallbacks in a call."""
    tops = [[float(n), round(seams.rating_at(n))] for n in range(1, MOST_FALLBACKS + 1)]
    return [
        top
        for top, before in zip(tops, [None, *tops], strict=False)
        if before is None or top[1] < before[1]
    ]


def _fallbacks_per_call(sample: Sample) -> float:
    """Return how many fallbacks a call of typical length would have at a sample's rate."""
    seconds = sample.summary.duration or TYPICAL_SPEECH_SECONDS
    return (sample.summary.fallbacks or 0) * TYPICAL_SPEECH_SECONDS / seconds


def _clipped(sample: Sample) -> float:
    return sample.summary.audio[STAGE].clipped or 0.0
