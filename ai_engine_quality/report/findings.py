"""What a call's record tells of its course, in words and in seconds. Pure.

A record of a call that was heard keeps when what happened. Others keep no times within the call:
turns stand in their order, and the rest are sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from ai_engine_quality.core.course import MAX_SPOKEN, SPOKEN
from ai_engine_quality.core.observations import FRAME_SECONDS
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.summary import CallSummary, HeardCall, Stretch
from ai_engine_quality.core.wording import clock, echo, plural, seconds

MOST_TURNS: Final = 120
"""More are not drawn one by one."""


class Wait(NamedTuple):
    """How long the caller waited in one turn."""

    turn: str
    """Its number, from 1; empty where a turn's place in the call isn't known."""
    seconds: float
    answered: bool


def waits(call: CallScore) -> tuple[Wait, ...]:
    """Return what the caller waited, turn by turn; unanswered turns, whose place isn't kept, last.

    Of a call with more turns than are drawn, or whose record was made shorter, the slowest ones.
    """
    summary = call.summary
    latencies = summary.turn_latencies or ()
    if summary.binned.get("turn_latencies") or len(latencies) > MOST_TURNS:
        found = [Wait(str(turn), s, answered=True) for turn, s in summary.slowest_turns(20)]
    else:
        found = [Wait(str(turn), s, answered=True) for turn, s in enumerate(latencies, 1)]
    missed = sorted(summary.unanswered or (), reverse=True)[:MOST_TURNS]
    return (*found, *(Wait("", s, answered=False) for s in missed))


class Timeline(NamedTuple):
    """A call in its own time."""

    seconds: float
    """How long it was."""
    stretches: tuple[Stretch, ...]
    speech_until: float | None
    """Where a very long call's speech is no longer kept; None where all of it is."""


def timeline(call: CallScore) -> Timeline | None:
    """Return when what happened in a call; None where its record doesn't say."""
    heard = call.summary.heard
    stretches = heard.stretches() if heard is not None else ()
    if not stretches:
        return None
    length = max(call.summary.duration or 0.0, *(stretch.end for stretch in stretches))
    if not length:
        return None
    spoken = [stretch for stretch in stretches if stretch.kind in _SPOKEN]
    until = max(s.end for s in spoken) if len(spoken) >= MAX_SPOKEN else None
    return Timeline(length, stretches, until)


def moments(call: CallScore) -> tuple[str, ...]:
    """Return when what went wrong in a call, in words; short waits are none of it."""
    found = timeline(call)
    return tuple(
        f"{clock(stretch.start)} {_MOMENTS[stretch.kind]} {seconds(round(stretch.seconds, 1))}"
        for stretch in (found.stretches if found is not None else ())
        if stretch.kind in _MOMENTS and stretch.seconds >= _LEAST.get(stretch.kind, 0.0)
    )


_LEAST: Final = {"wait": 2.0, "hole": 0.3}
"""Seconds from which on a wait and a hole are told: a good call has none of the first."""

_SPOKEN: Final = frozenset(kind.name.lower() for kind in SPOKEN)

_MOMENTS: Final = {
    "wait": "the caller waited",
    "unanswered": "no answer for",
    "barge_in": "the agent gave way after",
    "talk_over": "both spoke for",
    "hole": "a hole in the agent's speech of",
    "stall": "nothing from the caller for",
}


class Share(NamedTuple):
    """A part of a call's time."""

    name: str
    """``agent``, ``caller``, ``waiting``, ``holes`` or ``other``."""
    seconds: float


def time_spent(call: CallScore) -> tuple[Share, ...]:
    """Return who spoke for how long, and what else the call's time went to; empty if unknown."""
    summary = call.summary
    if not summary.duration:
        return ()
    heard = summary.heard or HeardCall()
    played = (summary.frames_sent or 0) * FRAME_SECONDS
    agent = played if heard.agent_voice is None else heard.agent_voice
    waiting = sum(summary.waits().all())
    holes = heard.hole_seconds
    if holes is None:
        holes = (summary.underflows or 0) * FRAME_SECONDS
    parts = [
        Share("agent", agent),
        Share("caller", heard.caller_voice or 0.0),
        Share("waiting", waiting),
        Share("holes", holes),
    ]
    parts.append(Share("other", max(0.0, summary.duration - sum(part.seconds for part in parts))))
    return tuple(part for part in parts if part.seconds > 0)


def faults(call: CallScore) -> tuple[str, ...]:
    """Return what went wrong in a call, a few words each."""
    return tuple(_of_call(call.summary)) + tuple(_heard(call.summary.heard or HeardCall()))


def _of_call(summary: CallSummary) -> Iterator[str]:
    if summary.failed:
        yield "the engine says that it failed"
    if summary.provider_lost:
        yield "the provider was lost"
    if summary.unanswered:
        yield f"{plural(len(summary.unanswered), 'turn')} without an answer"
    if summary.underflows:
        episodes = summary.underflow_episodes
        runs = "" if episodes is None else f" in {plural(episodes, 'episode')}"
        yield f"{plural(summary.underflows, 'filler')}{runs}"
    if summary.fallbacks:
        why = ", ".join(sorted(summary.fallback_reasons))
        yield plural(summary.fallbacks, "fallback") + (f" ({why})" if why else "")
    if summary.codec_misaligned:
        checks = summary.codec_checks or summary.codec_misaligned
        yield f"{summary.codec_misaligned} of {plural(checks, 'format check')} failed"
    if summary.barge_ins:
        reactions = summary.distribution("barge_in_reactions")
        slowest = f", slowest reaction {seconds(reactions.percentile(100))}" if reactions.n else ""
        yield plural(summary.barge_ins, "barge-in") + slowest


def _heard(heard: HeardCall) -> Iterator[str]:
    if heard.first_word is not None and heard.first_word >= 3:
        yield f"first word after {seconds(heard.first_word)}"
    if heard.caller_dead:
        yield "nothing was heard of the caller"
    if heard.holes:
        longest = "" if heard.longest_hole is None else f", longest {seconds(heard.longest_hole)}"
        yield f"{plural(heard.holes, 'hole')} in answers{longest}"
    if heard.answers_cut:
        yield f"{plural(heard.answers_cut, 'answer')} cut off"
    if heard.lost:
        yield f"{seconds(heard.lost)} of the agent's audio never played"
    if heard.talk_overs:
        yield f"{plural(heard.talk_overs, 'time')} both spoke at once"
    if heard.stalls:
        longest = "" if heard.longest_stall is None else f", longest {seconds(heard.longest_stall)}"
        yield f"{plural(heard.stalls, 'stall')} of the line{longest}"
    if heard.echo:
        yield f"{echo(heard.echo)}, in the caller's track"
