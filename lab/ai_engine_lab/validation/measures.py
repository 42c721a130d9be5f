"""What was measured over some calls, pooled: the values that baselines and alerts are about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ai_engine_lab.validation.calls import JudgedCall
from ai_engine_quality import DEFAULT_POLICY, Band, CallSummary
from ai_engine_quality.toolkit import FACTORS, Distribution

PERCENTILE = 95


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Values over some calls. What none of them told is None, never 0."""

    calls: int = 0
    mean_score: float | None = None
    scored: int = 0
    poor_share: float | None = None
    """Poor calls as a share (0 to 1) of the scored ones."""
    turn_p95: float | None = None
    """Seconds, over all turns of all calls; an unanswered one counts as long as it waited."""
    turns: int = 0
    underflows: float | None = None
    """A call, on average: episodes, and fillers of the calls whose episodes are unknown."""
    underflow_calls: int = 0
    """The calls that told."""
    filler_calls: int = 0
    """Those of them whose episodes are unknown."""
    filler_share: float | None = None
    """Fillers as a share (0 to 1) of all frames, in the calls that told both."""
    barge_in_p95: float | None = None
    """Seconds."""
    barge_ins: int = 0
    """Those that were timed."""

    @property
    def underflow_unit(self) -> str:
        """What underflows are counted in: ``episodes``, ``fillers``, or both in words."""
        if self.filler_calls == 0:
            return "episodes"
        if self.filler_calls == self.underflow_calls:
            return "fillers"
        return f"episodes; fillers in {self.filler_calls} of {self.underflow_calls} calls"

    def with_scores_of(self, calls: Sequence[JudgedCall]) -> Measures:
        """Return the same, but for the scores, which are those of some of the calls."""
        return replace(self, calls=len(calls), **_scores(calls))


def measure(calls: Sequence[JudgedCall]) -> Measures:
    """Return what was measured over some calls."""
    summaries = [call.score.summary for call in calls if call.score is not None]
    turns, reactions = Distribution(), Distribution()
    for summary in summaries:
        turns = turns.plus(summary.waits())
        reactions = reactions.plus(summary.distribution("barge_in_reactions"))
    told = [summary for summary in summaries if summary.underflows is not None]
    return Measures(
        calls=len(calls),
        turn_p95=p95(turns),
        turns=turns.n,
        underflows=sum(map(_underflows, told)) / len(told) if told else None,
        underflow_calls=len(told),
        filler_calls=sum(_episodes(summary) is None for summary in told),
        filler_share=_filler_share(told),
        barge_in_p95=p95(reactions),
        barge_ins=reactions.n,
        **_scores(calls),
    )


def _scores(calls: Sequence[JudgedCall]) -> dict[str, Any]:
    """Return the fields that the scores alone decide."""
    scored = [call.points for call in calls if call.points is not None]
    poor = sum(DEFAULT_POLICY.band(points) is Band.POOR for points in scored)
    return {
        "mean_score": sum(scored) / len(scored) if scored else None,
        "scored": len(scored),
        "poor_share": poor / len(scored) if scored else None,
    }


def p95(values: Distribution) -> float | None:
    """Return the 95th percentile, or None of nothing."""
    return values.percentile(PERCENTILE) if values.n else None


def mean_points(calls: Iterable[JudgedCall]) -> dict[str, float]:
    """Return what each factor costs a call on average, of the calls whose factors are known."""
    scores = [call.score for call in calls if call.score is not None]
    if not scores:
        return {}
    return {
        name: sum(score.factor(name).penalty for score in scores) / len(scores) for name in FACTORS
    }


def _episodes(summary: CallSummary) -> int | None:
    """Return how many episodes of fillers a call had; none where it had no filler."""
    return summary.underflow_episodes if summary.underflows else 0


def _underflows(summary: CallSummary) -> int:
    episodes = _episodes(summary)
    return (summary.underflows or 0) if episodes is None else episodes


def _filler_share(summaries: Sequence[CallSummary]) -> float | None:
    known = [s for s in summaries if s.frames_sent is not None]
    fillers = sum(s.underflows or 0 for s in known)
    frames = fillers + sum(s.frames_sent or 0 for s in known)
    return fillers / frames if frames else None
