"""People's ratings beside the scores: does the score rank calls as they do?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ai_engine_lab.basics.ranks import ranks, spearman
from ai_engine_lab.validation.calls import JudgedCall

FEW_RATINGS = 10
"""With fewer calls a rank correlation says next to nothing, and the report says so."""


@dataclass(frozen=True, slots=True)
class RatedCall:
    """A call with its score and what people gave it; ranks from 1, the best, ties shared."""

    call_id: str
    points: int
    rating: float
    score_rank: float
    rating_rank: float

    @property
    def disagreement(self) -> float:
        """By how many ranks score and people differ."""
        return abs(self.score_rank - self.rating_rank)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How score and ratings agree."""

    rho: float | None
    """Spearman's rank correlation; None where all scores or all ratings are the same, or of one."""
    calls: tuple[RatedCall, ...]
    """The calls that have both, the largest disagreement first."""
    without_score: int
    """Ratings of calls that are not among the scored ones."""


def agreement(calls: Sequence[JudgedCall], ratings: Mapping[str, float]) -> Agreement:
    """Join scores and ratings by call id."""
    points = {call.call_id: call.points for call in calls if call.points is not None}
    both = [call_id for call_id in points if call_id in ratings]
    scores = np.array([points[call_id] for call_id in both], dtype=float)
    given = np.array([ratings[call_id] for call_id in both], dtype=float)
    score_ranks, rating_ranks = ranks(-scores), ranks(-given)
    rated = [
        RatedCall(call_id, points[call_id], ratings[call_id], float(one), float(other))
        for call_id, one, other in zip(both, score_ranks, rating_ranks, strict=True)
    ]
    rated.sort(key=lambda call: -call.disagreement)
    rho = spearman(scores, given)
    return Agreement(None if math.isnan(rho) else rho, tuple(rated), len(ratings) - len(both))
