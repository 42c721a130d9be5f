"""A finished call in numbers: ``CallSummary``, the only thing a score is made from.

Content-free by construction: names that the operator chose, and numbers. A summary goes through
JSON and back unchanged, so that a stored call can be scored again years later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import accumulate
from typing import Any, NamedTuple, Self

from ai_engine_quality.core import reading
from ai_engine_quality.core.agent_sound import AgentSound
from ai_engine_quality.core.course import KINDS, STEPS_A_SECOND
from ai_engine_quality.core.distribution import MAX_BIN, Bins, Distribution, coarser
from ai_engine_quality.core.ear import Heard
from ai_engine_quality.core.observations import (
    FRAME_SECONDS,
    OTHER,
    PROVIDER_OUT,
    TRANSPORT_OUT,
    is_agent_stage,
)
from ai_engine_quality.core.reading import SummaryError


@dataclass(frozen=True, slots=True)
class StageLevels:
    """The audio measured at one stage of a call. What was not measured is None."""

    frames: int = 0
    """Frames whose level was measured (a sample of those seen)."""
    active: int = 0
    """Those of them that held speech: RMS of 200 and more (-44 dBov)."""
    rms: float | None = None
    """Energy-mean 16-bit RMS of the active frames."""
    spread_db: float | None = None
    """Inter-quartile range, in dB, of the levels of successive groups of 50 active frames."""
    clipped: float | None = None
    """Share (0 to 1) of samples at full scale, in the frames taken for the noise check."""
    dc: float | None = None
    """Mean sample value of those frames, signed 16-bit."""
    flatness: float | None = None
    """Median spectral flatness (0 to 1) of those frames; None with fewer than 20 of them."""
    active_seconds: float | None = None
    """Seconds of speech that the sample stands for; None: 20 ms for each active frame."""
    noise_rms: float | None = None
    """Energy-mean RMS of the frames of the noise check; None: use ``rms``."""
    sound: AgentSound | None = None
    """What is wrong with the samples, at a stage of the agent's; None where none were seen."""

    @property
    def speech_seconds(self) -> float:
        """Seconds of speech heard at this stage."""
        return self.active * FRAME_SECONDS if self.active_seconds is None else self.active_seconds

    @property
    def loudness(self) -> float:
        """Energy-mean RMS that the noise check goes by; 0 where nothing was active."""
        return (self.rms if self.noise_rms is None else self.noise_rms) or 0.0

    @property
    def active_share(self) -> float:
        """Share (0 to 1) of the measured frames that held speech."""
        return self.active / self.frames if self.frames else 0.0


MIN_COMPARED_TURNS = 3
"""Turns of either kind below which a median of waits says nothing about the clock."""

LATE_SECONDS = 1.0
"""A clock that starts so late is flagged: to notice that a turn has ended takes an engine 0.3 to
0.8 s of silence, which is no fault of its clock."""

LATE_RATIO = 1.5
"""And only where the caller waits so many times longer than reported."""


@dataclass(frozen=True, slots=True)
class HeardSilence:
    """How long the caller waited for answers, by the silence in the raw frames of both sides."""

    median: float
    """Seconds from the caller's last word to the agent's first: the median over the turns."""
    turns: int
    """Answers that began in silence, after words of the caller."""
    resolution: float
    """Seconds to which a wait is known, since only some of the frames are measured."""


class Stretch(NamedTuple):
    """Something that lasted: from when until when, in seconds from the start of the call."""

    start: float
    end: float
    kind: str
    """``agent``, ``caller``, ``wait``, ``unanswered``, ``barge_in``, ``talk_over``, ``hole`` or
    ``stall``."""

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardCall:
    """What only the ear knows of a call. Seconds, unless said otherwise; unknown is None."""

    factors: tuple[str, ...] = ()
    """Factors whose values in the summary are as heard; those of the others are as told."""
    cannot_hear: str | None = None
    """Why the caller's voice can't be told, in words; None where it can."""
    resolution: float | None = None
    """How far apart what was seen of a track lies: 0.02 for frames, more for looks."""
    first_word: float | None = None
    """From the start of the call until the agent was first heard."""
    caller_voice: float | None = None
    """How long the caller spoke."""
    caller_dead: bool | None = None
    """Whether the caller's track held nothing over digital silence."""
    agent_voice: float | None = None
    """How long the agent was heard, pauses of under 0.7 s included."""
    agent_heard: bool | None = None
    """Whether the agent was ever heard."""
    answers: int | None = None
    answers_cut: int | None = None
    """Those of them that ended before all of it had been said."""
    ended_in_answer: bool | None = None
    """Whether the agent still spoke at the end: not all of its text was heard then, by no fault."""
    holes: int | None = None
    """Silences in answers that the provider did not give."""
    hole_seconds: float | None = None
    longest_hole: float | None = None
    talk_overs: int | None = None
    """How often both spoke for 2 s or more, and nothing stopped."""
    talk_over_seconds: float | None = None
    given: float | None = None
    """Agent audio that the provider handed over."""
    lost: float | None = None
    """Sounding seconds of it that were never played, but for what a barge-in threw away."""
    thrown_away: float | None = None
    stalls: int | None = None
    """How often nothing came from the caller for over half a second."""
    longest_stall: float | None = None
    echo: float | None = None
    """The agent's echo in the caller's track, as a share of the agent's level, where it is over
    0.17 (-15 dB): an engine may take it for the caller, and interrupt itself."""
    told_latency: float | None = None
    """Median of the latencies that the engine told."""
    told_turns: int | None = None
    course: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """When what happened: by kind (agent, caller, wait, unanswered, barge_in, talk_over, hole,
    stall) its stretches, as starts and ends in turn, in seconds from the start of the call, to
    0.05 s. The first 120 of speech and waiting are kept, and 40 others, of holes those of 0.1 s or
    more. Empty in records of earlier versions, and of calls that fit into no record with it."""

    def stretches(self) -> tuple[Stretch, ...]:
        """Return what happened when, in the order in which it began."""
        return tuple(
            sorted(
                Stretch(start, end, kind)
                for kind, times in self.course.items()
                for start, end in _in_twos(times)
            )
        )

    @classmethod
    def of(cls, heard: Heard, factors: tuple[str, ...], told: Mapping[str, Any]) -> Self:
        """Return what an ear knows, beside what the engine told of its turns."""
        turns = Distribution.of(
            told["turn_latencies"] or (), told["binned"].get("turn_latencies", ())
        )
        return cls(
            **{name: _short(getattr(heard, name)) for name in _AS_HEARD},
            factors=factors,
            told_latency=round(turns.percentile(50), 3) if turns.n else None,
            told_turns=turns.n or None,
        )


_AS_HEARD = tuple({f.name for f in fields(HeardCall)}.intersection(f.name for f in fields(Heard)))
"""What a call's summary has of an ear's account as it is."""


class LateClock(NamedTuple):
    """A clock of the engine's that starts late: medians of what was heard and what was reported."""

    heard: float
    reported: float
    turns: int
    """Answers that were heard."""


class TurnStage(NamedTuple):
    """Where some of a slow turn's time went, as the engine told it."""

    turn: int
    """Which turn; they count from 1."""
    stage: str
    """``stt``, ``end_of_turn``, ``llm``, ``tool`` or ``tts``."""
    seconds: float
    provider: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSummary:
    """Everything that was observed of one call. Unreported is None, never 0.

    Durations are in seconds, levels in 16-bit RMS.
    """

    call_id: str
    provider: str | None = None
    pipeline: str | None = None
    outcome: str | None = None
    failed: bool = False
    """Whether the engine reports that the call failed."""
    started_at: float | None = None
    """Unix time, only to display."""
    duration: float | None = None
    turn_latencies: tuple[float, ...] | None = None
    """Seconds from the end of the caller's turn to the first agent audio, turn by turn; of a call
    with more than 512 turns the 512 slowest, ascending, the others being in ``binned``."""
    turn_count: int | None = None
    """How many turns were measured."""
    frames_sent: int | None = None
    """20 ms frames of agent speech played, fillers not included."""
    underflows: int | None = None
    """20 ms filler frames played because the buffer was empty."""
    underflow_episodes: int | None = None
    """In how many episodes, each of fillers in a row; None: unknown."""
    fallbacks: int | None = None
    """How often streaming fell back to playing a file."""
    barge_ins: int | None = None
    barge_in_reactions: tuple[float, ...] | None = None
    """Seconds from the caller's first word to the agent's silence, where it was timed."""
    unanswered: tuple[float, ...] | None = None
    """Seconds waited in each turn of the caller that never got a reply."""
    codec_checks: int | None = None
    codec_misaligned: int | None = None
    audio: Mapping[str, StageLevels] = field(default_factory=dict)
    """Stage to its levels; a stage that was never measured isn't there."""
    binned: Mapping[str, Bins] = field(default_factory=dict)
    """Field name to (bin, count) pairs: the values that did not stay exact in very long calls."""
    worst_turns: tuple[tuple[int, float], ...] | None = None
    """(turn, seconds) of the slowest turns; None: read them from ``turn_latencies``."""
    fallback_reasons: Mapping[str, int] = field(default_factory=dict)
    codec_details: Mapping[str, int] = field(default_factory=dict)
    silence_heard: HeardSilence | None = None
    """What the caller waited by ear; in records of earlier versions only."""
    heard: HeardCall | None = None
    """What was heard, where audio of the call was seen."""
    agent_characters: int | None = None
    """How much text the agent's audio holds, where the engine tells it: a number, never words."""
    usual_pace: float | None = None
    """Characters a second that were usual for this provider and pipeline when the call ended: the
    median of their latest calls in that process. None: fewer than 20, or no one pace is usual."""
    usual_speed: float | None = None
    """How quick those calls' speech seemed, as ``AgentSound.speed``: their median, in octaves."""
    provider_lost: bool = False
    """Whether the provider was lost in mid-call, and never came back."""
    files_played: int | None = None
    """Files that were played to the caller beside the agent's stream."""
    clock_starts_late: bool = False
    """Whether the engine is known to start its clock of latencies late."""
    turn_stages: tuple[TurnStage, ...] | None = None
    """Of the slowest turns, where the engine tells it."""
    packets_sent: int | None = None
    """Packets of audio that were sent to the caller's phone, where its own reports are known."""
    packets_lost: int | None = None
    """Those of them that never reached it, as it reported by RTCP."""

    def __post_init__(self) -> None:
        for name in _SEQUENCES:
            value = getattr(self, name)
            if value is not None and (type(value) is not tuple or not value):
                object.__setattr__(self, name, tuple(value) or None)
        if not all(isinstance(levels, StageLevels) for levels in self.audio.values()):
            with reading.reported_as(SummaryError):
                object.__setattr__(self, "audio", reading.each(_levels)("audio", self.audio))
        if self.turn_count is None and self.turn_latencies:
            n = self.distribution("turn_latencies").n
            object.__setattr__(self, "turn_count", n)

    def distribution(self, name: str) -> Distribution:
        """Return the values of ``turn_latencies``, ``barge_in_reactions`` or ``unanswered``."""
        return Distribution.of(getattr(self, name) or (), self.binned.get(name, ()))

    @property
    def packet_loss(self) -> float | None:
        """Share (0 to 1) of the packets that never reached the caller's phone; None: unknown."""
        if not self.packets_sent or self.packets_lost is None:
            return None
        return min(1.0, self.packets_lost / self.packets_sent)

    @property
    def agent_clipped(self) -> float | None:
        """Share (0 to 1) of samples at full scale, at the agent's stage that has most of them."""
        shares = (levels.clipped for name, levels in self.audio.items() if is_agent_stage(name))
        return max((share for share in shares if share is not None), default=None)

    def waits(self) -> Distribution:
        """Return the seconds that each turn of the caller waited, unanswered ones included."""
        measured = self.distribution("turn_latencies")
        return measured.plus(self.distribution("unanswered")) if self.unanswered else measured

    def slowest_turn(self) -> tuple[int, float] | None:
        """Return (turn, seconds) of the slowest measured turn; turns count from 1."""
        if self.worst_turns:
            return self.worst_turns[0]
        if not self.turn_latencies:
            return None
        slowest = max(self.turn_latencies)
        return self.turn_latencies.index(slowest) + 1, slowest

    def slowest_turns(self, most: int = 3) -> tuple[tuple[int, float], ...]:
        """Return (turn, seconds) of the slowest measured turns; turns count from 1."""
        if self.worst_turns is not None:
            return self.worst_turns[:most]
        turns = enumerate(self.turn_latencies or (), start=1)
        return tuple(sorted(turns, key=lambda turn: (-turn[1], turn[0]))[:most])

    def cause_of(self, turn: int) -> TurnStage | None:
        """Return the stage in which most of a slow turn's time went, where the engine tells it."""
        stages = [stage for stage in self.turn_stages or () if stage.turn == turn]
        return max(stages, key=lambda stage: stage.seconds, default=None)

    def late_clock(self) -> LateClock | None:
        """Return by how much the reported latencies start late, where they do; a fact, no points.

        Medians are compared, since a heard answer can't be told apart from an unreported one. So
        both must be of about as many turns.
        """
        heard, turns, reported, reports = self._clocks()
        if heard is None or reported is None or min(turns, reports) < MIN_COMPARED_TURNS:
            return None
        if max(turns, reports) > 2 * min(turns, reports):
            return None
        if heard < max(reported + LATE_SECONDS, LATE_RATIO * reported):
            return None
        return LateClock(heard, reported, turns)

    def _clocks(self) -> tuple[float | None, int, float | None, int]:
        """Return the median wait heard and of how many turns; and the same as reported."""
        turns = self.distribution("turn_latencies")
        median = turns.percentile(50) if turns.n else None
        ear, old = self.heard, self.silence_heard
        if ear is not None and self.is_heard("latency"):
            return median, turns.n, ear.told_latency, ear.told_turns or 0
        if old is None:
            return None, 0, None, 0
        return old.median, old.turns, median, turns.n

    def is_heard(self, factor: str) -> bool:
        """Return whether a factor's values are as heard; else they are as the engine told."""
        return self.heard is not None and factor in self.heard.factors

    def without_slowest_turn(self) -> CallSummary:
        """Return the call as it would have been without its slowest measured turn."""
        latencies = list(self.turn_latencies or ())
        if not latencies:
            return self
        latencies.remove(max(latencies))
        return replace(
            self,
            turn_latencies=tuple(latencies) or None,
            turn_count=self.turn_count - 1 if self.turn_count else None,
            worst_turns=None if self.worst_turns is None else self.worst_turns[1:],
            turn_stages=None,
        )

    def without_course(self) -> CallSummary:
        """Return the call without the times within it, which no score needs."""
        if self.heard is None or not self.heard.course:
            return self
        return replace(self, heard=replace(self.heard, course={}))

    def compacted(self, keep: int, merge: int, percentile: float) -> CallSummary:
        """Return the same call in less room, with what decides its score at most 1 % off.

        Only the ``keep`` largest values of each kind stay exact; ``merge`` bins of the others
        become one, except around the percentile (0 to 100) that is scored. Where hundreds become
        one, each agent stage but the most checked one leaves out what it sounds like, and rare
        reasons are counted as ``other``.
        """
        latencies = self.waits()
        reactions = self.distribution("barge_in_reactions")
        changes: dict[str, Any] = {}
        binned = dict(self.binned)
        for name in VALUES:
            exact, bins = getattr(self, name) or (), self.binned.get(name, ())
            if bins or len(exact) > keep:
                scored = reactions if name == "barge_in_reactions" else latencies
                around = scored.percentile(percentile)
                changes[name], binned[name] = coarser(
                    exact, bins, keep=keep, merge=merge, around=around
                )
        if merge >= _SOUND_GOES_AT:
            changes["audio"] = _with_one_sound(self.audio)
            changes["fallback_reasons"] = _most_frequent(self.fallback_reasons)
            changes["codec_details"] = _most_frequent(self.codec_details)
        return replace(self, **changes, binned=binned, worst_turns=self.slowest_turns())

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; ``from_dict`` gives an equal summary back."""
        out: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in _SEQUENCES:
            if out[name] is not None:
                out[name] = [list(v) if isinstance(v, tuple) else v for v in out[name]]
        out["audio"] = {stage: _levels_to_dict(levels) for stage, levels in self.audio.items()}
        out["binned"] = {name: [list(pair) for pair in bins] for name, bins in self.binned.items()}
        heard = self.silence_heard
        out["silence_heard"] = heard and {f.name: getattr(heard, f.name) for f in fields(heard)}
        ear = self.heard
        out["heard"] = ear and {f.name: getattr(ear, f.name) for f in fields(ear)}
        if ear:
            out["heard"]["factors"] = list(ear.factors)
            out["heard"]["course"] = {kind: _steps(times) for kind, times in ear.course.items()}
        out["fallback_reasons"] = dict(self.fallback_reasons)
        out["codec_details"] = dict(self.codec_details)
        return out

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a summary from plain JSON types; a field that is missing was not reported.

        Raises:
            SummaryError: a field is unknown or holds something else than it should.
        """
        if isinstance(data, Mapping) and "call_id" not in data:
            raise SummaryError("call_id is missing; every summary names its call")
        with reading.reported_as(SummaryError):
            return cls(**reading.fields("", data, _READERS, optional=True))


def _short(value: Any) -> Any:
    """Return seconds to the millisecond; anything else as it is."""
    return round(value, 3) if isinstance(value, float) else value


def most_checked(audio: Mapping[str, StageLevels], place: str) -> str | None:
    """Return the agent's stage at a place in the engine whose sound was looked into most.

    Args:
        audio: A call's stages.
        place: ``transport_out`` or ``provider_out``.

    Returns:
        Its name, the first one's of equals; None where no sound was looked into there.
    """
    looked_into = {
        stage: levels.sound.checked
        for stage, levels in audio.items()
        if is_agent_stage(stage) and stage.startswith(place) and levels.sound is not None
    }
    return max(looked_into, key=looked_into.__getitem__, default=None)


def _most_frequent(counts: Mapping[str, int], keep: int = 4) -> dict[str, int]:
    """Return the counts of the most frequent reasons, the others in one."""
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    kept, rest = dict(ordered[:keep]), sum(count for _, count in ordered[keep:])
    return {**kept, OTHER: kept.get(OTHER, 0) + rest} if rest else kept


def _with_one_sound(audio: Mapping[str, StageLevels]) -> dict[str, StageLevels]:
    """Return the stages with the sound of those alone that may be judged, one at each place."""
    judged = {most_checked(audio, TRANSPORT_OUT), most_checked(audio, PROVIDER_OUT)}
    return {
        stage: levels if stage in judged else replace(levels, sound=None)
        for stage, levels in audio.items()
    }


def _levels_to_dict(levels: StageLevels) -> dict[str, Any]:
    out = {f.name: getattr(levels, f.name) for f in fields(levels)}
    sound = out.pop("sound")
    if sound is not None:  # what is as it should be is left out: most of it, of most calls
        usual = AgentSound()
        out["sound"] = {
            f.name: value
            for f in fields(sound)
            if (value := getattr(sound, f.name)) != getattr(usual, f.name)
        }
    return out


def _bins(name: str, value: object) -> Bins:
    bins = reading.pairs(name, value, reading.count)
    if any(index > MAX_BIN for index, _ in bins):
        raise SummaryError(f"{name} has a bin beyond {MAX_BIN}, which no observation can reach")
    return bins


def _worst_turns(name: str, value: object) -> tuple[tuple[int, float], ...]:
    return reading.pairs(name, value, reading.not_negative)


def _turn_stage(name: str, value: object) -> TurnStage:
    items = reading.items(name, value)
    if len(items) != 4:
        raise SummaryError(f"{name} must be [turn, stage, seconds, provider], not {value!r}")
    turn, stage, seconds, provider = items
    return TurnStage(
        reading.count(name, turn),
        reading.text(name, stage),
        reading.not_negative(name, seconds),
        reading.optional(reading.text)(name, provider),
    )


def _levels(name: str, value: object) -> StageLevels:
    if isinstance(value, StageLevels):
        return value
    return StageLevels(**reading.fields(name, value, _LEVEL_READERS, optional=True))


def _sound(name: str, value: object) -> AgentSound:
    if isinstance(value, AgentSound):
        return value
    return AgentSound(**reading.fields(name, value, _SOUND_READERS, optional=True))


def _silence(name: str, value: object) -> HeardSilence:
    return HeardSilence(**reading.fields(name, value, _SILENCE_READERS, optional=False))


NONE_AT_ALL: Mapping[str, tuple[str, ...]] = {
    "holes": ("hole_seconds", "longest_hole"),
    "talk_overs": ("talk_over_seconds",),
    "stalls": ("longest_stall",),
}
"""Numbers of what was heard, and the seconds that are 0 where the number is: stored without."""


def _heard(name: str, value: object) -> HeardCall:
    read = reading.fields(name, value, _HEARD_READERS, optional=True)
    for number, lengths in NONE_AT_ALL.items():
        if read.get(number) == 0:
            read = dict.fromkeys(lengths, 0.0) | read
    return HeardCall(**read)


def _steps(times: tuple[float, ...]) -> list[int]:
    """Return times as they are stored: in steps of 0.05 s, each from the one before it."""
    places = [round(at * STEPS_A_SECOND) for at in times]
    return [at - before for at, before in zip(places, (0, *places), strict=False)]


def _stretches(name: str, value: object) -> tuple[float, ...]:
    steps = [reading.real(name, step) for step in reading.items(name, value)]
    times = tuple(at / STEPS_A_SECOND for at in accumulate(steps))
    if len(times) % 2 or any(not 0 <= start <= end for start, end in _in_twos(times)):
        raise SummaryError(
            f"{name} must be steps to starts and ends in turn, of 1/{STEPS_A_SECOND} s each; none "
            "may lie before its start, or before the call"
        )
    return times


def _in_twos(times: tuple[float, ...]) -> Iterator[tuple[float, float]]:
    values = iter(times)
    return zip(values, values, strict=False)


def _course(name: str, value: object) -> dict[str, tuple[float, ...]]:
    readers: dict[str, reading.Reader] = dict.fromkeys(KINDS, _stretches)
    return {} if value is None else reading.fields(name, value, readers, optional=True)


def _binned(name: str, value: object) -> dict[str, Bins]:
    readers = dict.fromkeys(VALUES, _bins)
    return {} if value is None else reading.fields(name, value, readers, optional=True)


_SOUND_READERS: dict[str, reading.Reader] = {
    **dict.fromkeys(("checked", "repeated", "silent", "holes"), reading.count),
    **dict.fromkeys(
        ("noise", "band_noise", "held", "clicks", "edges", "above", "upper", "low", "flat"),
        reading.optional(reading.share),
    ),
    "noisy_seconds": reading.not_negative,
    "noisy_from": reading.optional(reading.not_negative),
    **dict.fromkeys(("speed", "below", "fall"), reading.optional(reading.real)),
    **dict.fromkeys(
        ("wavers", "lively", "fresh", "pitch", "band"), reading.optional(reading.not_negative)
    ),
}

_LEVEL_READERS: dict[str, reading.Reader] = {
    "frames": reading.or_default(reading.count, 0),
    "active": reading.or_default(reading.count, 0),
    "rms": reading.optional(reading.not_negative),
    "spread_db": reading.optional(reading.not_negative),
    "clipped": reading.optional(reading.share),
    "dc": reading.optional(reading.real),
    "flatness": reading.optional(reading.share),
    "active_seconds": reading.optional(reading.not_negative),
    "noise_rms": reading.optional(reading.not_negative),
    "sound": reading.optional(_sound),
}

LEVELS = tuple(name for name in _LEVEL_READERS if name not in {"dc", "sound"})
"""Fields of a stage's levels that hold a number of 0 or more, or None."""

_SILENCE_READERS: dict[str, reading.Reader] = {
    "median": reading.not_negative,
    "turns": reading.count,
    "resolution": reading.not_negative,
}

_HEARD_READERS: dict[str, reading.Reader] = {
    "factors": reading.or_default(reading.many(reading.text), ()),
    "cannot_hear": reading.optional(reading.text),
    "course": _course,
    "caller_dead": reading.optional(reading.flag),
    "agent_heard": reading.optional(reading.flag),
    "ended_in_answer": reading.optional(reading.flag),
    "echo": reading.optional(reading.share),
    **dict.fromkeys(
        ("answers", "answers_cut", "holes", "talk_overs", "stalls", "told_turns"),
        reading.optional(reading.count),
    ),
    **dict.fromkeys(
        (
            "resolution",
            "first_word",
            "caller_voice",
            "agent_voice",
            "hole_seconds",
            "longest_hole",
            "talk_over_seconds",
            "given",
            "lost",
            "thrown_away",
            "longest_stall",
            "told_latency",
        ),
        reading.optional(reading.not_negative),
    ),
}

VALUES = ("turn_latencies", "barge_in_reactions", "unanswered")
"""Fields that hold values, exact or binned."""

_SOUND_GOES_AT = 256
"""Bins made one: a record that is too long by then can't hold the sound of every stage."""

_SEQUENCES = (*VALUES, "worst_turns", "turn_stages")

COUNTS = (
    "turn_count",
    "frames_sent",
    "underflows",
    "underflow_episodes",
    "fallbacks",
    "barge_ins",
    "codec_checks",
    "codec_misaligned",
    "files_played",
    "packets_sent",
    "packets_lost",
)
"""Fields that hold how many there were, or None."""

_READERS: dict[str, reading.Reader] = {
    **dict.fromkeys(COUNTS, reading.optional(reading.count)),
    "call_id": reading.text,
    "provider": reading.optional(reading.text),
    "pipeline": reading.optional(reading.text),
    "outcome": reading.optional(reading.text),
    "failed": reading.or_default(reading.flag, False),
    "started_at": reading.optional(reading.real),
    "duration": reading.optional(reading.not_negative),
    "turn_latencies": reading.optional(reading.values),
    "barge_in_reactions": reading.optional(reading.values),
    "unanswered": reading.optional(reading.values),
    "audio": reading.each(_levels),
    "binned": _binned,
    "worst_turns": reading.optional(_worst_turns),
    "fallback_reasons": reading.each(reading.count),
    "codec_details": reading.each(reading.count),
    "silence_heard": reading.optional(_silence),
    "heard": reading.optional(_heard),
    "agent_characters": reading.optional(reading.count),
    "usual_pace": reading.optional(reading.not_negative),
    "usual_speed": reading.optional(reading.real),
    "provider_lost": reading.or_default(reading.flag, False),
    "clock_starts_late": reading.or_default(reading.flag, False),
    "turn_stages": reading.optional(reading.many(_turn_stage)),
}
