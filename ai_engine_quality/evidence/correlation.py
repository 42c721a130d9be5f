"""Rank correlation of the score with an opinion, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Values = Sequence[float] | npt.NDArray[np.float64]

RESAMPLES: Final = 2_000
CONFIDENCE: Final = 0.95
_SEED: Final = 20_251_026


class Correlation(NamedTuple):
    """Spearman's rank correlation with its confidence interval, over ``n`` samples."""

    value: float
    low: float
    high: float
    n: int


def spearman(first: Values, second: Values) -> float:
    """Return the rank correlation, ties sharing their mean rank; NaN where one side is constant."""
    return _weighted(_places(first), _places(second), np.ones(len(first)))


def _places(values: Values) -> Any:
    """Return the place of each value among the different ones, ascending."""
    return np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)[1]


def _weighted(first: Any, second: Any, weights: Any) -> float:
    """Return the rank correlation of values of which each is there ``weights`` times.

    A resample only changes how often a value is there, so that nothing needs sorting again.
    """
    a, b = (_mean_ranks(places, weights) for places in (first, second))
    size = float(np.sqrt((weights @ (a * a)) * (weights @ (b * b))))
    return float(weights @ (a * b)) / size if size else float("nan")


def _mean_ranks(places: Any, weights: Any) -> Any:
    """Return each value's rank, the mean one where several are equal, less the mean of all."""
    here = np.bincount(places, weights=weights)
    return (np.cumsum(here) - here / 2)[places] - weights.sum() / 2


def correlation(
    first: Sequence[float], second: Sequence[float], groups: Sequence[str]
) -> Correlation:
    """Return the rank correlation of two equally long rows of values.

    The interval is a percentile bootstrap over whole ``groups`` (passages): samples of one passage
    are alike, and drawing them one by one would make the interval too narrow.

    Raises:
        ValueError: there is nothing to correlate, or the lengths differ.
    """
    if not len(first) == len(second) == len(groups) or not len(first):
        raise ValueError(
            f"{len(first)}, {len(second)} and {len(groups)} values must be equally many, not none"
        )
    a, b = _places(first), _places(second)
    names, member_of = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(_SEED)
    values = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        values.append(_weighted(a, b, drawn[member_of].astype(np.float64)))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return Correlation(spearman(first, second), float(low), float(high), len(first))
