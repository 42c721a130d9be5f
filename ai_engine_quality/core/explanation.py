"""Why a call has its score, in words: one line for a log, and in full for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ai_engine_quality.core.policy import held, raw_score
from ai_engine_quality.core.wording import plural, seconds

if TYPE_CHECKING:
    from ai_engine_quality.core.result import CallScore, FactorScore
    from ai_engine_quality.core.summary import CallSummary, LateClock


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
    if gate := call.held_by:
        parts.append(f"held to {gate.ceiling} by {gate.reason}")
    line = f"{call.score}, {call.band}: {', '.join(parts) or 'nothing lost'}."
    for change in _changes(call)[:1]:
        line += f" Without {change}."
    if late := call.summary.late_clock():
        line += f" The clock starts late: {_late(late)}."
    return line


def _late(clock: LateClock) -> str:
    heard, reported = seconds(clock.heard), seconds(clock.reported)
    return f"heard {heard}, reported {reported} (median of {plural(clock.turns, 'turn')})"


def _changes(call: CallScore) -> list[str]:
    """Return what would have changed the score: the slowest turn first, then whole factors."""
    turn = call.without_slowest_turn
    found = [f"{turn.without}: {turn.score}, {turn.band}"] if turn else []
    observed = [factor.name for factor in call.factors if factor.observed]
    factors = [(_without(call, name), name) for name in observed]
    better = [change for change in factors if change[0] > (call.score or 0)]
    return found + [f"{name}: {points}" for points, name in sorted(better, reverse=True)]


def _without(call: CallScore, name: str) -> int:
    """Return the score as if a factor had cost nothing and held nothing."""
    tops = [gate.ceiling for gate in call.gates if gate.factor != name]
    raw = raw_score(factor.penalty for factor in call.factors if factor.name != name)
    return held(raw, tops)


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
    if call.standing:
        yield f"  {call.standing}"
    yield "  factors, by cost:"
    for factor in _by_cost(call):
        cost = f"-{_points(factor.penalty)} of {factor.weight:g}" if factor.observed else "unknown"
        yield f"    {factor.name:<10} {cost:<12} {factor.evidence}"
    slowest = summary.slowest_turns()
    if slowest:
        turns = ", ".join(f"turn {number}: {value:.2f} s" for number, value in slowest)
        yield f"  slowest turns: {turns}"
    if late := summary.late_clock():
        yield f"  the clock starts late: {_late(late)}"
    elif heard := summary.silence_heard:
        over = plural(heard.turns, "turn")
        yield f"  silence heard before answers: {seconds(heard.median)} (median of {over})"
    for gate in call.gates:
        yield f"  at most {gate.ceiling}: {gate.reason}"
    if call.score is not None:
        ceiling = f", held to {call.held_by.ceiling}" if call.held_by else ""
        yield f"  100 - {_points(100 - call.raw)} = {_points(call.raw)}{ceiling}"
    for change in _changes(call) if call.score is not None else []:
        yield f"  without {change}"


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
