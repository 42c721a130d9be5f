"""A call to be judged, from whichever source; what the source does not tell is None."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ai_engine_quality import CallScore


class ToldBy(StrEnum):
    """How a call's scenario is known."""

    PLACED = "placed"
    """The reference engine placed it for this row."""
    SHEET = "sheet"
    """Whoever placed the call wrote it down."""
    RECOGNISED = "recognised"
    """By what was measured, which can be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCall:
    """A call, its score, and which row of the matrix it belongs to."""

    call_id: str
    provider: str | None
    points: int | None
    """The score, 0 to 100; None where the call was not scored."""
    scenario: str | None = None
    told_by: ToldBy | None = None
    score: CallScore | None = None
    """Everything about the call; None where the source holds the number alone."""

    @classmethod
    def of(
        cls, score: CallScore, scenario: str | None = None, told_by: ToldBy | None = None
    ) -> JudgedCall:
        """Return the call of a score."""
        return cls(
            call_id=score.call_id,
            provider=score.summary.provider,
            points=score.score,
            scenario=scenario,
            told_by=told_by,
            score=score,
        )
