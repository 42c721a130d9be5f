"""Why a call has its score, in words: one line for a log, and in full for a person.

The counterfactual ("without turn 7: 81, good") is not guessed: the call is scored again without
its slowest turn, or as if one factor had been faultless.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ai_engine_quality.policy import Band
from ai_engine_quality.result import CallScore, FactorScore
from ai_engine_quality.scoring import plural, rounded, score, worst_turn
from ai_engine_quality.summary import CallSummary


class Counterfactual(NamedTuple):
    """What the score would have been without one cause."""

    without: str
    score: int
    band: Band


def counterfactuals(call: CallScore) -> list[Counterfactual]:
    """Return what would have changed the score: the slowest turn first, then whole factors.

    Only changes of a point or more are named, best first among the factors. Empty where the call
    was not scored, or was scored by a policy that isn't known here.
    """
    if call.score is None or call.policy is None:
        return []
    found = list(_without_slowest_turn(call))
    factors = [_without_factor(call, factor) for factor in call.factors]
    better = [change for change in factors if change and change.score > call.score]
    return found + sorted(better, key=lambda change: -change.score)


def _without_slowest_turn(call: CallScore) -> Iterator[Counterfactual]:
    """Yield the call without its slowest turn, where that changes the score for the better."""
    shorter = _shortened(call.summary)
    if shorter is None or call.policy is None or call.score is None:
        return
    again = score(shorter, call.policy)
    if again.score is not None and again.band and again.score > call.score:
        turn = worst_turn(call.summary).split(",")[0]
        yield Counterfactual(turn, again.score, again.band)


def _shortened(summary: CallSummary) -> CallSummary | None:
    """Return the call without its slowest turn, or None where nothing would be left of it."""
    if worst_turn(summary).startswith("turn") and (summary.turn_count or 0) > 1:
        return summary.without_slowest_turn()
    return None


def _without_factor(call: CallScore, factor: FactorScore) -> Counterfactual | None:
    """Return the call as if one factor had cost nothing and held nothing."""
    if call.policy is None:
        return None
    gates = tuple(gate for gate in call.gates if gate.factor != factor.name)
    points = rounded(call.raw + factor.penalty, gates)
    return Counterfactual(factor.name, points, call.policy.band(points))


def in_one_line(call: CallScore) -> str:
    """Return the score, its band and its reasons in one line."""
    if call.score is None:
        return f"not scored: {_unscored(call)}"
    parts = [
        f"-{_points(factor.penalty)} {factor.name} ({factor.evidence})"
        for factor in _by_cost(call)
        if factor.penalty > 0
    ]
    latency = call.factor("latency")
    if latency.observed and not latency.penalty:
        parts.append(f"no points lost to latency ({latency.evidence})")
    if held := call.held_by:
        parts.append(f"held to {held.ceiling} by {held.reason}")
    line = f"{call.score}, {call.band}: {', '.join(parts) or 'nothing lost'}."
    for change in counterfactuals(call)[:1]:
        line += f" Without {change.without}: {change.score}, {change.band}."
    return line


def in_full(call: CallScore) -> str:
    """Return everything that the score was made from, a line each."""
    return "\n".join(_lines(call))


def _lines(call: CallScore) -> Iterator[str]:
    summary = call.summary
    verdict = "not scored" if call.score is None else f"{call.score}, {call.band}"
    yield f"Call {call.call_id}: {verdict}"
    yield f"  {_who(summary)}"
    if call.score is None:
        yield f"  why: {_unscored(call)}"
    observed = f"{call.coverage * 100:.0f} % of the weight observed"
    yield f"  {observed}, {plural(call.turns, 'turn')}, policy {call.policy_version}"
    yield "  factors, by cost:"
    for factor in _by_cost(call):
        cost = f"-{_points(factor.penalty)} of {factor.weight:g}" if factor.observed else "unknown"
        yield f"    {factor.name:<10} {cost:<12} {factor.evidence}"
    slowest = summary.slowest_turns()
    if slowest:
        turns = ", ".join(f"turn {number}: {value:.2f} s" for number, value in slowest)
        yield f"  slowest turns: {turns}"
    for gate in call.gates:
        yield f"  at most {gate.ceiling}: {gate.reason}"
    if call.score is not None:
        held = f", held to {call.held_by.ceiling}" if call.held_by else ""
        yield f"  100 - {_points(100 - call.raw)} = {_points(call.raw)}{held}"
    for change in counterfactuals(call):
        yield f"  without {change.without}: {change.score}, {change.band}"


def _who(summary: CallSummary) -> str:
    parts = [
        f"provider {summary.provider or 'unknown'}",
        f"pipeline {summary.pipeline or 'unknown'}",
    ]
    if summary.duration is not None:
        parts.append(f"{summary.duration:.1f} s")
    if summary.outcome:
        parts.append(f"outcome {summary.outcome}")
    return ", ".join(parts)


_UNSCORED = {
    "abandoned": "the caller was gone before anything could be observed",
    "no_conversation": "it ended before the caller and the agent exchanged a turn",
    "too_little_evidence": "too few of the factors were observed",
}


def _unscored(call: CallScore) -> str:
    observed = [factor.name for factor in call.factors if factor.observed]
    reason = call.unscored_reason or ""
    return (
        f"{reason}, {_UNSCORED.get(reason, reason)} (observed: {', '.join(observed) or 'nothing'})"
    )


def _by_cost(call: CallScore) -> list[FactorScore]:
    return sorted(call.factors, key=lambda factor: (-factor.penalty, not factor.observed))


def _points(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
