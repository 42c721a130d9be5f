"""Rank correlation of the score with an opinion, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from ai_engine_lab.basics.ranks import places_of, spearman, weighted_spearman

RESAMPLES: Final = 2_000
CONFIDENCE: Final = 0.95
_SEED: Final = 20_251_026


class Correlation(NamedTuple):
    """Spearman's rank correlation with its confidence interval, over ``n`` samples."""

    value: float
    low: float
    high: float
    n: int


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
    a, b = places_of(first), places_of(second)
    names, member_of = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(_SEED)
    values = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        values.append(weighted_spearman(a, b, drawn[member_of].astype(np.float64)))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return Correlation(spearman(first, second), float(low), float(high), len(first))
