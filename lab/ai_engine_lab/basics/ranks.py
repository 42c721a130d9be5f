"""Ranks of values, ties sharing theirs, and the correlation of ranks (Spearman's)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Values = Sequence[float] | npt.NDArray[np.float64]


def ranks(values: Values) -> npt.NDArray[np.float64]:
    """Return each value's rank from 1, the smallest; equal values share the mean of theirs."""
    places = places_of(values)
    result: npt.NDArray[np.float64] = _mean_ranks(places, np.ones(len(places)))
    return result


def spearman(first: Values, second: Values) -> float:
    """Return the rank correlation, ties sharing their mean rank; NaN where one side is constant."""
    return weighted_spearman(places_of(first), places_of(second), np.ones(len(first)))


def places_of(values: Values) -> Any:
    """Return the place of each value among the different ones, ascending from 0."""
    return np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)[1]


def weighted_spearman(first: Any, second: Any, weights: Any) -> float:
    """Return the rank correlation of values by their places, each there ``weights`` times.

    A resample only changes how often a value is there, so that nothing needs sorting again.
    """
    middle = (weights.sum() + 1) / 2
    a, b = (_mean_ranks(places, weights) - middle for places in (first, second))
    size = float(np.sqrt((weights @ (a * a)) * (weights @ (b * b))))
    return float(weights @ (a * b)) / size if size else float("nan")


def _mean_ranks(places: Any, weights: Any) -> Any:
    here = np.bincount(places, weights=weights)
    return (np.cumsum(here) - (here - 1) / 2)[places]
