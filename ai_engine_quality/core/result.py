"""What a scored call is: ``CallScore``, its factors, its ceilings, and the words for them.

First the data, then how a score explains itself, then how a stored one is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ai_engine_quality.core import reading
from ai_engine_quality.core.arithmetic import points_under, raw_score
from ai_engine_quality.core.later import Later
from ai_engine_quality.core.observations import is_agent_stage
from ai_engine_quality.core.policy import FACTORS, Band
from ai_engine_quality.core.reading import SummaryError
from ai_engine_quality.core.summary import CallSummary, LateClock
from ai_engine_quality.core.wording import echo, floor_percent, percent, plural, seconds

HEARD, TOLD = "heard", "told"
"""A factor's clock: what crossed the engine's edge, or what the engine says."""

MEASURED = frozenset({"rms"})
"""Factors that are measured on the audio itself, whoever tells the rest."""


@dataclass(frozen=True, slots=True)
class FactorScore:
    """What one factor cost, and what it was read from."""

    name: str
    weight: float
    """Most points it can cost."""
    penalty: float
    """Points it cost; 0 where it was not observed."""
    value: float | None
    """What was scored, in the factor's own unit: seconds (latency, barge_in), effective ratio
    (underflow), count (fallback), share (codec), dB outside the speech level (rms)."""
    n: int
    """How many observations it was read from."""
    observed: bool
    _evidence: Later[str]
    clock: str | None = None
    """``heard`` at the engine's edge, or ``told`` by the engine; None where it was not observed."""

    @property
    def evidence(self) -> str:
        """The value with its context, in words."""
        return self._evidence.get()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "name": self.name,
            "weight": self.weight,
            "penalty": self.penalty,
            "value": self.value,
            "n": self.n,
            "observed": self.observed,
            "evidence": self.evidence,
            "clock": self.clock,
        }


class Counterfactual(NamedTuple):
    """What the score would have been without one cause."""

    without: str
    """The cause: ``turn 7``."""
    score: int
    band: Band


_NO_CHANGE: Later[Counterfactual | None] = Later.of(None)


class Ceiling(NamedTuple):
    """A ceiling that applies to the call."""

    rule: str
    """The policy's name for it."""
    ceiling: int
    """The highest score that the call can have."""
    reason: str
    """Why it applies, in words."""
    factor: str | None
    """The factor it belongs to; None where the whole call is meant."""


class Standing(NamedTuple):
    """Where a call's score stands among the calls of its provider that ended before it."""

    provider: str
    calls: int
    """How many calls those are: the last 500 at most."""
    worse_than: float
    """Share (0 to 1) of them that scored higher."""
    better_than: float
    """Share (0 to 1) of them that scored lower."""

    def __str__(self) -> str:
        """Return it in words: ``worse than 93 % of the last 500 deepgram calls``."""
        worse = self.worse_than >= self.better_than
        share = self.worse_than if worse else self.better_than
        others = f"the last {self.calls} {self.provider} calls"
        if share < 0.01:
            return f"no better and no worse than {others}"
        return f"{'worse' if worse else 'better'} than {floor_percent(share)} of {others}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallScore:
    """One call's quality, 0 to 100, with everything that explains it.

    ``score`` and ``band`` are None where the call was not scored; ``unscored_reason`` says why.
    """

    call_id: str
    score: int | None
    raw: float
    """100 less the penalties, before ceilings and rounding. Means nothing where score is None."""
    band: Band | None
    factors: tuple[FactorScore, ...]
    ceilings: tuple[Ceiling, ...]
    """Every ceiling that applies, lowest first."""
    coverage: float
    """Share (0 to 1) of the 100 points of weight whose factor was observed."""
    turns: int
    """Turns of the caller that latency was scored on, unanswered ones included."""
    unscored_reason: str | None
    policy_version: str
    summary: CallSummary
    _without_slowest_turn: Later[Counterfactual | None] = _NO_CHANGE
    standing: Standing | None = None
    """Where it stands among its provider's calls in this process; of a monitor's scores only."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """What was reported of the call and dropped for being wrong: ``turn:out_of_range`` to how
    often; of a monitor's scores only."""

    @property
    def without_slowest_turn(self) -> Counterfactual | None:
        """The score without the call's slowest turn, where that would be higher."""
        return self._without_slowest_turn.get()

    def factor(self, name: str) -> FactorScore:
        """Return a factor by its name; KeyError where there is none of that name.

        One that the call's policy doesn't know yet wasn't observed, and weighs nothing.
        """
        for factor in self.factors:
            if factor.name == name:
                return factor
        if name not in FACTORS:
            raise KeyError(name)
        words = f"not in policy {self.policy_version}"
        return FactorScore(name, 0.0, 0.0, None, 0, False, Later.of(words))

    @property
    def deciding_ceiling(self) -> Ceiling | None:
        """The lowest ceiling, where it is lower than the points that are left.

        Of several as low, one of what was found: what was not observed explains a call less.
        """
        lowest = min(self.ceilings, key=_how_it_holds, default=None)
        return lowest if lowest and lowest.ceiling < self.raw else None

    def without(self, *causes: str) -> int:
        """Return the score as if some causes were gone.

        Args:
            causes: Factors, each gone with its points and with the ceilings that are its own; and
                rules of ceilings over the whole call, such as ``call_failed``.
        """
        left = [factor.penalty for factor in self.factors if factor.name not in causes]
        tops = [top.ceiling for top in self.ceilings if (top.factor or top.rule) not in causes]
        return points_under(tops, raw_score(left))

    def explain(self, *, full: bool = False) -> str:
        """Return why the call has this score: in one line, or in full."""
        return "\n".join(_lines(self)) if full else _line(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; ``from_dict`` gives an equal score back."""
        monitors: dict[str, Any] = {}
        change = self.without_slowest_turn
        if self.standing:
            monitors["standing"] = self.standing._asdict()
        if self.dropped:
            monitors["dropped"] = dict(self.dropped)
        return {
            "call_id": self.call_id,
            "score": self.score,
            "raw": self.raw,
            "band": self.band.value if self.band else None,
            "factors": [factor.to_dict() for factor in self.factors],
            "ceilings": [ceiling._asdict() for ceiling in self.ceilings],
            "coverage": self.coverage,
            "turns": self.turns,
            "unscored_reason": self.unscored_reason,
            "policy_version": self.policy_version,
            "without_slowest_turn": change and change._asdict(),
            **monitors,
            "summary": self.summary.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CallScore:
        """Read a stored score, of this version or an earlier one.

        Raises:
            SummaryError: a field is missing, unknown or of a wrong type.
        """
        with reading.reported_as(SummaryError):
            fields = _as_stored_today(data)
            found = reading.fields("", fields, _READERS, optional=("standing", "dropped"))
            change = Later.of(found.pop("without_slowest_turn"))
            stored = cls(**found, _without_slowest_turn=change)
        if (stored.score is None) != (stored.band is None):
            raise SummaryError(f"band must be there where score is, not {stored.band!r}")
        names = [factor.name for factor in stored.factors]
        if any(factor.observed and factor.clock is None for factor in stored.factors):
            stored = replace(stored, factors=_with_clocks(stored))
        if not names or names != [name for name in FACTORS if name in names]:
            raise SummaryError(f"factors must be of {', '.join(FACTORS)}, each once, in this order")
        return stored


def _how_it_holds(ceiling: Ceiling) -> tuple[int, bool]:
    return ceiling.ceiling, ceiling.rule in ("latency_unobserved", "underflow_unobserved")


# How a score explains itself: one line for a log, and in full for a person.


def _line(call: CallScore) -> str:
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
    if call.summary.barge_ins and not call.factor("barge_in").observed:
        parts.append(call.factor("barge_in").evidence)
    if decides := call.deciding_ceiling:
        parts.append(f"held to {decides.ceiling} by {decides.reason}")
    line = f"{call.score}, {call.band}: {', '.join(parts) or 'nothing lost'}."
    if dropped := _dropped(call):
        line += f" {dropped[0].upper()}{dropped[1:]}."
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
    factors = [(call.without(name), name) for name in observed]
    better = [change for change in factors if change[0] > (call.score or 0)]
    return found + [f"{name}: {points}" for points, name in sorted(better, reverse=True)]


def _lines(call: CallScore) -> Iterator[str]:
    """Yield everything that the score was made from, a line each."""
    yield from _heading(call)
    yield "  factors, by cost:"
    for factor in _by_cost(call):
        cost = f"-{_points(factor.penalty)} of {factor.weight:g}" if factor.observed else "unknown"
        yield f"    {factor.name:<10} {cost:<12} {factor.evidence}"
    yield from _waits(call.summary)
    if (heard := call.summary.heard) and heard.echo:
        yield f"  comes back in the caller's track: {echo(heard.echo)}"
    if (loss := call.summary.packet_loss) is not None:
        lost, sent = call.summary.packets_lost, call.summary.packets_sent
        yield f"  lost on the way to the phone: {percent(loss)}, {lost} of {sent} packets"
    for ceiling in call.ceilings:
        yield f"  at most {ceiling.ceiling}: {ceiling.reason}"
    if call.score is not None:
        yield from _sum(call)
    if dropped := _dropped(call):
        yield f"  {dropped}"
    yield f"  not measured: {', '.join(_not_measured(call.summary))}"


def _dropped(call: CallScore) -> str:
    """Return what was reported and dropped for being wrong, in words."""
    kinds = []
    for key, n in sorted(call.dropped.items()):
        what, _, why = key.partition(":")
        kinds.append(f"{plural(n, what)} {'was' if n == 1 else 'were'} reported and dropped: {why}")
    return "; ".join(kinds)


def _not_measured(summary: CallSummary) -> Iterator[str]:
    """Yield what was not listened for in this call, and what nothing listens for."""
    heard = summary.heard
    stages = summary.audio
    if not summary.is_heard("latency"):
        why = heard.cannot_hear if heard and heard.cannot_hear else "no audio of both sides"
        yield f"what the caller waited ({why})"
    if not summary.is_heard("underflow"):
        timed = bool(summary.barge_in_reactions)
        more = "" if timed else " and how soon the agent gives way"
        yield f"holes that the engine does not report{more} (nobody said what the provider gave)"
    if summary.packets_sent is None:
        yield "packets lost on the way to the phone (nobody told what it reports)"
    if not any(is_agent_stage(name) and s.flatness is not None for name, s in stages.items()):
        yield "noise (no raw frames of the agent's)"
    sounds = [s.sound for name, s in stages.items() if is_agent_stage(name) and s.sound]
    if summary.agent_characters is None:
        voice = any(sound.pitch is not None for sound in sounds)
        yield _PACE_BY_VOICE if voice else "speed (no text, and too little of the agent's voice)"
    if all(is_agent_stage(name) for name in stages):
        yield "caller's side (no audio of it)"
    if not any(sound.noise is not None for sound in sounds):
        yield "clicks, held samples, repeated frames (too few of the agent's raw frames)"
    yield "lost beginnings and ends of sentences, low-rate codecs, mild aliasing"


_PACE_BY_VOICE = "the pace of the agent's words (no text; its voice alone was listened to)"
"""A voice alone shows a speed that is far off, and no other."""


def _heading(call: CallScore) -> Iterator[str]:
    """Yield which call it is, what it scored, and how much of it was observed."""
    verdict = "not scored" if call.score is None else f"{call.score}, {call.band}"
    yield f"Call {call.call_id}: {verdict}"
    yield f"  {_who(call.summary)}"
    if call.score is None:
        yield f"  why: {_unscored(call)}"
    observed = f"{call.coverage * 100:.0f} % of the weight observed"
    yield f"  {observed}, {plural(call.turns, 'turn')}, policy {call.policy_version}"
    if call.standing:
        yield f"  {call.standing}"


def _waits(summary: CallSummary) -> Iterator[str]:
    """Yield how long the caller waited: turn by turn, and by ear."""
    slowest = summary.slowest_turns()
    if slowest:
        turns = ", ".join(f"turn {number}: {value:.2f} s" for number, value in slowest)
        yield f"  slowest turns: {turns}"
    if late := summary.late_clock():
        yield f"  the clock starts late: {_late(late)}"
    elif heard := summary.silence_heard:
        over = plural(heard.turns, "turn")
        yield f"  silence heard before answers: {seconds(heard.median)} (median of {over})"


def _sum(call: CallScore) -> Iterator[str]:
    """Yield how the points add up, and what would have changed the score."""
    decides = call.deciding_ceiling
    ceiling = f", held to {decides.ceiling}" if decides else ""
    yield f"  100 - {_points(100 - call.raw)} = {_points(call.raw)}{ceiling}"
    for change in _changes(call):
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
    "voicemail": "a mailbox answered instead of a person",
    "expired": "its end never came",
}


def _unscored(call: CallScore) -> str:
    observed = [factor.name for factor in call.factors if factor.observed]
    reason = call.unscored_reason or ""
    words = f"{reason}, {_UNSCORED.get(reason, reason)}"
    words += f" (observed: {', '.join(observed) or 'nothing'})"
    dropped = _dropped(call)
    return f"{words}; {dropped}" if dropped else words


def _by_cost(call: CallScore) -> list[FactorScore]:
    return sorted(call.factors, key=lambda factor: (-factor.penalty, not factor.observed))


def _points(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


# How a stored score is read.


def _as_stored_today(data: object) -> Mapping[str, Any]:
    """Return a stored score's fields as they are today.

    It may have no standing, and the ceilings of an earlier version's record are its ``gates``.
    """
    stored = {"standing": None, **reading.entries("a stored call", data)}
    if "gates" in stored and "ceilings" not in stored:
        stored["ceilings"] = stored.pop("gates")
    return stored


def clock_of(summary: CallSummary, factor: str) -> str:
    """Return whether an observed factor's value was heard, or told by the engine."""
    return HEARD if factor in MEASURED or summary.is_heard(factor) else TOLD


def _with_clocks(call: CallScore) -> tuple[FactorScore, ...]:
    """Return a stored call's factors with their clocks, which a record leaves to its summary."""
    return tuple(
        replace(factor, clock=clock_of(call.summary, factor.name)) if factor.observed else factor
        for factor in call.factors
    )


def _band(name: str, value: object) -> Band:
    if value not in list(Band):
        raise SummaryError(f"{name} must be one of {', '.join(Band)}, not {value!r}")
    return Band(str(value))


def _summary(name: str, value: object) -> CallSummary:
    return CallSummary.from_dict(reading.entries(name, value))


def _factor(name: str, value: object) -> FactorScore:
    found = reading.fields(name, value, _FACTOR_READERS, optional=("clock",))
    evidence = Later.of(found.pop("evidence"))
    return FactorScore(**found, _evidence=evidence)


def _ceiling(name: str, value: object) -> Ceiling:
    return Ceiling(**reading.fields(name, value, _CEILING_READERS, optional=False))


def _standing(name: str, value: object) -> Standing:
    return Standing(**reading.fields(name, value, _STANDING_READERS, optional=False))


def _counterfactual(name: str, value: object) -> Counterfactual:
    return Counterfactual(**reading.fields(name, value, _CHANGE_READERS, optional=False))


_FACTOR_READERS: dict[str, reading.Reader] = {
    "name": reading.text,
    "weight": reading.not_negative,
    "penalty": reading.not_negative,
    "value": reading.optional(reading.not_negative),
    "n": reading.count,
    "observed": reading.flag,
    "evidence": reading.text,
    "clock": reading.optional(reading.text),
}

_CEILING_READERS: dict[str, reading.Reader] = {
    "rule": reading.text,
    "ceiling": reading.points,
    "reason": reading.text,
    "factor": reading.optional(reading.text),
}

_CHANGE_READERS: dict[str, reading.Reader] = {
    "without": reading.text,
    "score": reading.points,
    "band": _band,
}

_STANDING_READERS: dict[str, reading.Reader] = {
    "provider": reading.text,
    "calls": reading.count,
    "worse_than": reading.share,
    "better_than": reading.share,
}

_READERS: dict[str, reading.Reader] = {
    "call_id": reading.text,
    "score": reading.optional(reading.points),
    "raw": reading.real,
    "band": reading.optional(_band),
    "factors": reading.many(_factor),
    "ceilings": reading.many(_ceiling),
    "coverage": reading.share,
    "turns": reading.count,
    "unscored_reason": reading.optional(reading.text),
    "policy_version": reading.text,
    "without_slowest_turn": reading.optional(_counterfactual),
    "standing": reading.optional(_standing),
    "dropped": reading.each(reading.count),
    "summary": _summary,
}
