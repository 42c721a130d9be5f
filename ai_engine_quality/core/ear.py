"""The ear: what the caller heard, from the two tracks of a call. Pure, incremental, bounded.

    frames, looks and hints -> in order -> tracks (when heard, talkspurts) -> turn-taking, answers
        -> Heard (frozen)

No audio is kept, only levels and, of those, only what is still undecided. Times are monotonic
seconds on the engine's clock; levels are 16-bit RMS; what can't be known is None, never 0.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from struct import Struct
from typing import TypeVar

from ai_engine_quality.core.answer_audio import AnswerAudio
from ai_engine_quality.core.course import OF_THE_CALLER, Course, Kind
from ai_engine_quality.core.distribution import Distribution
from ai_engine_quality.core.tracks import DEAD_LINE_RMS, AgentTrack, CallerTrack
from ai_engine_quality.core.turn_taking import Edge, TurnTaking
from ai_engine_quality.core.twins import twin

T = TypeVar("T", bool, int, float)

ORDER_SECONDS = 0.5
"""Frames may come so much later than others; older ones can't be put in their place any more."""

BATCH = 96
"""Observations that are collected before they are worked through."""

MOST_PENDING = 1024
"""More aren't kept back to be put in order."""

JUMP_SECONDS = 30.0
"""A clock that moves further between two observations has jumped: nobody waits so long unheard."""

JUMPED_FRAMES = 10
"""So many observations in a row on another clock are no strays."""

MAX_FRAME_SECONDS = 2.0
"""No frame or look stands for more."""

MAX_LEVEL = 32768.0

(
    CALLER, AGENT, _GIVEN, _COMPLETE, _BEGAN, _TOLD, _FLUSHED, _HELD, _RESUMED, _JUMP, _WRONG,
) = map(float, range(11))  # fmt: skip

pack = Struct("4d").pack
"""Makes an observation's four numbers bytes of an array, in a quarter of what ``extend`` takes:
when, which kind, its level, how long it lasts."""

_FAR = 1e15
"""Seconds: no clock shows more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What was heard of a call. Seconds, unless said otherwise; None where it can't be known."""

    cannot_hear: str | None
    """Why the caller's voice can't be told, in words; None where it can."""
    resolution: float | None
    """How far apart what was seen of a track lies: 0.02 for frames, more for looks."""
    latencies: Distribution | None
    """From the end of the caller's words to the agent's first sound, turn by turn."""
    unanswered: Distribution | None
    """How long words waited that got no answer, from the end of the first of them."""
    reactions: Distribution | None
    """From the caller's first word over the agent until the agent is silent."""
    talk_overs: int | None
    """How often both spoke for 2 s or more, and nothing stopped."""
    talk_over_seconds: float | None
    holes: int | None
    """Silences in answers that the provider did not give."""
    hole_seconds: float | None
    longest_hole: float | None
    holes_known: bool
    """Whether holes are all known, because the provider's seconds were; else only missing frames
    are, and those that were filled with silence are not."""
    answers: int | None
    answers_cut: int | None
    """Those that ended before they had been said, for a barge-in or without."""
    ended_in_answer: bool | None
    """Whether the agent still spoke when the line went dead."""
    first_word: float | None
    """From the start of the call until the agent was first heard."""
    caller_voice: float | None
    agent_voice: float | None
    """Pauses of under 0.7 s included."""
    given: float | None
    """Agent audio that the provider handed over."""
    lost: float | None
    """Sounding seconds of it that were never played, but for what a barge-in threw away."""
    thrown_away: float | None
    stalls: int | None
    """How often nothing came from the caller for over half a second."""
    longest_stall: float | None
    echo: float | None
    """The agent's echo in the caller's track, as a share of the agent's level; None where there is
    none over 0.17 (-15 dB)."""
    caller_dead: bool | None
    """Whether the caller's track held nothing over digital silence."""
    agent_heard: bool | None
    """Whether the agent was ever heard."""
    answered_at: tuple[float, ...]
    """When the answers to the first turns began, in monotonic seconds."""
    course: Mapping[str, tuple[float, ...]]
    """When what happened: as ``HeardCall.course`` has it."""
    dropped: int
    """Observations that were wrong, or too late to be put in their place."""
    clock_jumps: int


class Ear:
    """Listens to one call.

    Args:
        started_at: When the call began, in monotonic seconds.
    """

    __slots__ = (
        "_agent", "_answers", "_caller", "_course", "_dropped", "_jumps", "_latest", "_looked_at",
        "_ordered", "_shift", "_started_at", "_strays", "_turns", "_until", "limit", "pending",
    )  # fmt: skip

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self._course = Course()
        self._answers = AnswerAudio(self._course)
        self._turns = TurnTaking(self._answers, self._course)
        self._agent = AgentTrack(self._turns, self._answers)
        self._caller = CallerTrack(self._turns, self._agent, self._answers, self._course)
        self.pending = array("d")
        """What was observed and is still to be heard, in fours (``pack``) and in the order in which
        it came. Who has many frames adds them here, each with a time and a level that are valid,
        and has them worked through once there are ``limit`` numbers."""
        self.limit = 4 * BATCH
        self._looked_at = 0
        """How much of it has been looked at, and is on this ear's clock."""
        self._ordered = True
        self._latest = started_at
        self._until = started_at
        self._shift = 0.0
        self._strays = 0
        self._dropped = self._jumps = 0

    # What is observed. ``at`` is when it crossed the engine's edge.

    def caller(self, at: float, level: float, seconds: float) -> None:
        """Take a frame of the caller's, or a look at it that stands for so many seconds."""
        if _is_frame(at, level, seconds):
            pending = self.pending
            pending.frombytes(pack(at, CALLER, level, seconds))
            if len(pending) >= self.limit:
                self.work()
        else:
            self._take(at, _WRONG)

    def agent(self, at: float, level: float, seconds: float) -> None:
        """Take a frame that was sent to the caller, or a look at one."""
        if _is_frame(at, level, seconds):
            pending = self.pending
            pending.frombytes(pack(at, AGENT, level, seconds))
            if len(pending) >= self.limit:
                self.work()
        else:
            self._take(at, _WRONG)

    def audio_given(self, at: float, seconds: float, silent: float = 0.0) -> None:
        """Take note of agent audio that the provider gave, ``silent`` seconds under RMS 30."""
        self._take(at, _GIVEN, silent, seconds)

    def answer_began(self, at: float) -> None:
        """Take note that what the provider gives from now on is another answer."""
        self._take(at, _BEGAN)

    def answer_complete(self, at: float) -> None:
        """Take note that the provider has given all of its answer."""
        self._take(at, _COMPLETE)

    def barge_in(self, at: float) -> None:
        """Take note that the engine noticed a barge-in."""
        self._take(at, _TOLD)

    def agent_flushed(self, at: float) -> None:
        """Take note that the far end threw away what it had not played yet."""
        self._take(at, _FLUSHED)

    def agent_held(self, at: float) -> None:
        """Take note that playing is held back, to see whether the caller speaks."""
        self._take(at, _HELD)

    def agent_resumed(self, at: float) -> None:
        """Take note that playing goes on."""
        self._take(at, _RESUMED)

    def _take(self, at: float, kind: float, level: float = 0.0, seconds: float = 0.0) -> None:
        if not -_FAR < at < _FAR:
            self._dropped += 1
            return
        pending = self.pending
        pending.frombytes(pack(at, kind, level, seconds))
        if len(pending) >= self.limit:
            self.work()

    def work(self) -> None:
        """Work through what is pending, if there is enough of it."""
        self._look()
        if len(self.pending) >= self.limit:
            self._work()

    def _look(self) -> None:
        """Look at the times of what came since: is it in order, and of this clock?"""
        came = self.pending[self._looked_at :]
        if not came:
            return
        times = came[::4].tolist()
        usual = self._latest <= times[0] and times[-1] - self._latest <= JUMP_SECONDS
        if usual and not self._strays and not self._shift and times == sorted(times):
            self._latest = times[-1]
        else:
            del self.pending[self._looked_at :]
            for at, kind, level, seconds in _in_fours(came):
                self._place(at + self._shift, kind, level, seconds)
        self._looked_at = len(self.pending)

    def _place(self, at: float, kind: float, level: float, seconds: float) -> None:
        """Put one observation among those that are still to be heard."""
        latest = self._latest
        if at >= latest:
            if at - latest > JUMP_SECONDS:
                self._stray(at)
                return
            self._latest = at
        elif latest - at <= ORDER_SECONDS:
            self._ordered = False
        else:
            self._stray(at)
            return
        self._strays = 0
        self.pending.frombytes(pack(at, kind, level, seconds))

    def _stray(self, at: float) -> None:
        """Drop an observation from another time, unless all come from there: the clock jumped."""
        self._dropped += 1
        self._strays += 1
        if self._strays >= JUMPED_FRAMES:
            self._strays = 0
            self._jumps += 1
            self._shift += self._latest - at
            self.pending.frombytes(pack(self._latest, _JUMP, 0.0, 0.0))

    # Working through it.

    def _work(self) -> None:
        """Work through what is old enough that nothing can come before it."""
        pending = self.pending
        if not self._ordered:
            in_order = sorted(_in_fours(pending), key=_at)
            pending = array("d", chain.from_iterable(in_order))
            self._ordered = True
        until = self._latest
        if len(pending) <= 4 * MOST_PENDING:
            until -= ORDER_SECONDS
        done = 4 * bisect_right(pending[::4], until)
        self.pending = pending[done:]
        self._looked_at = len(self.pending)
        self.limit = len(self.pending) + 4 * BATCH
        self._hear(pending[:done])
        self._settle(max(until, self._until))

    def _hear(self, observed: array[float]) -> None:
        caller, agent = self._caller.hear, self._agent.hear
        for at, kind, level, seconds in _in_fours(observed):
            if kind > AGENT:
                self._hint(at, kind, level, seconds)
            elif kind:
                agent(at, level, seconds)
            else:
                caller(at, level, seconds)

    def _hint(self, at: float, kind: float, silent: float, seconds: float) -> None:
        if kind == _GIVEN:
            if 0.0 <= silent < 300.0 and 0.0 < seconds < 300.0:
                self._answers.give(at, seconds, silent)
            else:
                self._dropped += 1
        elif kind == _COMPLETE:
            self._answers.complete()
        elif kind == _BEGAN:
            self._answers.begin(at)
        elif kind == _TOLD:
            self._turns.told(at)
            self._answers.barge_in(at)
        elif kind == _FLUSHED:
            self._agent.flush(at)
        elif kind == _HELD:
            self._answers.hold(at)
        elif kind == _RESUMED:
            self._answers.resume(at)
        elif kind == _JUMP:
            self._turns.put(at, Edge.JUMP)
        else:
            self._dropped += 1

    def _settle(self, now: float) -> None:
        self._until = now
        self._caller.idle(now)
        self._agent.idle(now)
        self._turns.settle(min(self._caller.settled(now), self._agent.settled(now)))

    # What came of it.

    def take_latencies(self) -> list[float]:
        """Return the latencies heard since this was last asked, in seconds, each one once."""
        if not self._turns.fresh:
            return []
        found = self._turns.fresh.tolist()
        del self._turns.fresh[:]
        return found if self._caller.cannot_hear() is None else []

    def freeze(self, now: float) -> Heard:
        """Return what was heard until ``now``, as if the call ended then; nothing changes."""
        return self._twin().finish(now)

    def _twin(self) -> Ear:
        new = twin(self)
        new.part()
        return new

    def part(self) -> None:
        """Keep parts of its own: a twin begins with those of what it was made from."""
        self._course = twin(self._course)
        self._answers = self._answers.copy(self._course)
        self._turns, self._agent = twin(self._turns), twin(self._agent)
        self._caller = twin(self._caller)
        self._turns.link(self._answers, self._course)
        self._agent.link(self._turns, self._answers)
        self._caller.link(self._turns, self._agent, self._answers, self._course)

    def finish(self, now: float) -> Heard:
        """Return what was heard until ``now``, which is the call's end: nothing can follow."""
        self._look()
        self._latest = max(self._latest, now + self._shift)
        until = self._latest
        self._latest += ORDER_SECONDS
        self._work()
        self._settle(until)
        self._caller.end_of_track(until)
        self._agent.end_of_track()
        self._turns.finish(until)
        return self._heard(until)

    def _heard(self, until: float) -> Heard:
        caller, agent, turns = self._caller, self._agent, self._turns
        # An engine that cleans up, or is busy, tells the end later than the line went dead.
        dead = min(until, caller.last_at) if caller.seen else until
        totals = self._answers.totals(dead)
        hinted = self._answers.hinted
        heard_agent = agent.seen
        reason = caller.cannot_hear()
        both = heard_agent and reason is None
        steps = [track.resolution for track in (caller, agent) if track.seen]
        first = turns.first_word_at
        return Heard(
            cannot_hear=reason,
            resolution=max(steps, default=None),
            latencies=turns.latencies.freeze() if both else None,
            unanswered=turns.unanswered.freeze() if both else None,
            reactions=turns.reactions.freeze() if both else None,
            talk_overs=turns.talk_overs if both else None,
            talk_over_seconds=turns.talk_over_seconds if both else None,
            holes=_known(heard_agent, totals.holes if hinted else turns.blind_holes),
            hole_seconds=_known(
                heard_agent, totals.hole_seconds if hinted else turns.blind_hole_seconds
            ),
            longest_hole=_known(
                heard_agent, totals.longest_hole if hinted else turns.longest_blind_hole
            ),
            holes_known=heard_agent and hinted,
            answers=_known(heard_agent, turns.answers),
            answers_cut=_known(heard_agent and hinted, totals.cut),
            ended_in_answer=_known(heard_agent and caller.seen, agent.spoke_at(dead)),
            first_word=None if first is None else max(0.0, first - self._started_at),
            caller_voice=turns.caller_voice if reason is None else None,
            agent_voice=_known(heard_agent, turns.agent_voice),
            given=totals.given if hinted else None,
            lost=totals.lost if hinted else None,
            thrown_away=totals.thrown_away if hinted else None,
            stalls=caller.stalls if caller.seen else None,
            longest_stall=caller.longest_stall if caller.seen else None,
            echo=caller.echo(),
            caller_dead=caller.loudest <= DEAD_LINE_RMS if caller.seen else None,
            agent_heard=agent.ever_voiced if heard_agent or hinted else None,
            answered_at=tuple(at - self._shift for at in turns.answered_at) if both else (),
            course=self._course.freeze(self._started_at, _unknown(both, hinted=hinted)),
            dropped=self._dropped,
            clock_jumps=self._jumps,
        )


def _is_frame(at: float, level: float, seconds: float) -> bool:
    return 0.0 <= level <= MAX_LEVEL and 0.0 < seconds <= MAX_FRAME_SECONDS and -_FAR < at < _FAR


def _in_fours(observed: array[float]) -> Iterator[tuple[float, float, float, float]]:
    """Yield each observation: when, which kind, its level, how long it lasts."""
    values = iter(observed)
    return zip(values, values, values, values, strict=True)


def _at(observed: tuple[float, float, float, float]) -> float:
    return observed[0]


def _unknown(both: bool, *, hinted: bool) -> Collection[Kind]:
    """Return which stretches can't be known: of the caller's, and holes told in the other way."""
    other = {Kind.BLIND_HOLE if hinted else Kind.HOLE}
    return other if both else other | OF_THE_CALLER


def _known(known: bool, value: T) -> T | None:
    return value if known else None
