"""Real calls through the score: does what maintainers called good outrank what they called bad?

The records (:mod:`~ai_engine_lab.engine.measured`) hold what was noted, which is little. What
they lack stays unobserved; the one thing that is assumed is how the turns of a call share a
recorded mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple

from ai_engine_lab.engine.measured import MeasuredCall, measured_calls
from ai_engine_quality import CallScore, CallSummary, Policy, score

ORDER: Final = ("bad", "mixed", "good")
"""Verdicts, worst first."""


@dataclass(frozen=True)
class RealCall:
    """A real call with the maintainers' verdict, if there is one, and its score."""

    verdict: str | None
    score: CallScore

    @property
    def points(self) -> int:
        """The score; -1 where the call is not scored."""
        return -1 if self.score.score is None else self.score.score


class Ranking(NamedTuple):
    """How many pairs of calls with different verdicts the score puts in the verdicts' order."""

    agreeing: int
    tied: int
    pairs: int


def scored_calls(policy: Policy) -> list[RealCall]:
    """Return every recorded call, best score first."""
    calls = (RealCall(call.verdict, score(summary_of(call), policy)) for call in measured_calls())
    return sorted(calls, key=lambda call: -call.points)


def summary_of(call: MeasuredCall) -> CallSummary:
    """Return what the library would have known of a call: what was recorded, and no more."""
    fillers = call.underflows
    frames = None if call.frames_sent is None else call.frames_sent - (fillers or 0)
    return CallSummary(
        call_id=call.call_id,
        provider=call.provider,
        duration=call.duration,
        turn_latencies=_latencies(call) or None,
        frames_sent=frames,
        underflows=fillers,
    )


def _latencies(call: MeasuredCall) -> tuple[float, ...]:
    """Return its turns' latencies: the recorded ones, or the worst one and equal others."""
    if call.latencies or call.latency_mean is None:
        return call.latencies
    turns, mean = call.turns or 1, call.latency_mean
    if call.latency_worst is None or turns == 1:
        return (mean,) * turns
    other = (mean * turns - call.latency_worst) / (turns - 1)
    return (call.latency_worst, *(other,) * (turns - 1))


def ranking(calls: Iterable[RealCall], better: str, worse: str) -> Ranking:
    """Return how the calls with one verdict stand to those with a worse one."""
    pairs = list(_pairs(list(calls), better, worse))
    agreeing = sum(first.points > second.points for first, second in pairs)
    tied = sum(first.points == second.points for first, second in pairs)
    return Ranking(agreeing, tied, len(pairs))


def disagreements(calls: Iterable[RealCall]) -> list[tuple[RealCall, RealCall]]:
    """Return the pairs in which the better call by verdict has no better score."""
    known = list(calls)
    orders = [(b, a) for i, a in enumerate(ORDER) for b in ORDER[i + 1 :]]
    return [
        (first, second)
        for better, worse in orders
        for first, second in _pairs(known, better, worse)
        if first.points <= second.points
    ]


def _pairs(calls: list[RealCall], better: str, worse: str) -> Iterator[tuple[RealCall, RealCall]]:
    return product(
        (call for call in calls if call.verdict == better),
        (call for call in calls if call.verdict == worse),
    )
