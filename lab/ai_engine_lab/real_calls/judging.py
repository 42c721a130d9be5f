"""Lays the truth beside what the library said, and asks the same policy about the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_lab.real_calls.providers import CHARACTERS_A_SECOND
from ai_engine_lab.real_calls.recording import CallRecording
from ai_engine_lab.real_calls.scenario import Scenario
from ai_engine_lab.real_calls.sound import FRAME_SECONDS, RATE, to_pcm
from ai_engine_lab.real_calls.truth import Level, Truth

CLOSE_ENOUGH: Final = 10
"""Points by which a score may differ from that of what was heard."""

UNANSWERED_SECONDS: Final = 3.0
TALK_OVER_SECONDS: Final = 2.0
"""As docs/Scoring.md has them: a shorter wait, or overlap, is none."""

AGENT_STAGE: Final = "transport_out:heard"
CALLER_STAGE: Final = "transport_in"


@dataclass(frozen=True, slots=True)
class Said:
    """What the library said of a call; None is what it said nothing of. Seconds throughout."""

    score: int | None
    reason: str | None
    """Why there is no score."""
    latencies: tuple[float, ...]
    unanswered: tuple[float, ...]
    barge_ins: int
    reactions: tuple[float, ...]
    hole_seconds: float | None
    lost: float | None
    first_word: float | None
    evidence: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One call: what was heard, and what was said."""

    scenario: Scenario
    recording: CallRecording
    truth: Truth
    said: Said | None
    """None: the library has no record of the call."""
    due: aeq.CallScore
    """The same policy's score of what was heard."""

    @property
    def difference(self) -> int | None:
        """Points by which the score is too high; None where either has none."""
        if self.said is None or self.said.score is None or self.due.score is None:
            return None
        return self.said.score - self.due.score

    @property
    def right(self) -> bool:
        """Whether it is within ten points, and not good where what was heard is poor."""
        if self.said is None:
            return False
        if self.said.score is None or self.due.score is None:
            return self.said.score is None and self.due.score is None
        policy = aeq.Policy.load(self.due.policy_version)
        flattered = self.due.band is aeq.Band.POOR and policy.band(self.said.score) in (
            aeq.Band.GOOD,
            aeq.Band.EXCELLENT,
        )
        return abs(self.said.score - self.due.score) <= CLOSE_ENOUGH and not flattered

    @property
    def latency_errors(self) -> tuple[float, ...]:
        """Told minus heard, turn by turn; nothing where the counts differ."""
        if self.said is None or len(self.said.latencies) != len(self.truth.latencies):
            return ()
        pairs = zip(self.said.latencies, self.truth.latencies, strict=True)
        return tuple(told - heard for told, heard in pairs)

    @property
    def hole_error(self) -> float | None:
        """Seconds of holes told minus heard."""
        if self.said is None or self.said.hole_seconds is None:
            return None
        return self.said.hole_seconds - self.truth.hole_seconds

    @property
    def lost_error(self) -> float | None:
        """Seconds of lost audio told minus heard."""
        if self.said is None or self.said.lost is None:
            return None
        return self.said.lost - self.truth.lost

    @property
    def reaction_errors(self) -> tuple[float, ...]:
        """Told minus heard; nothing where the counts differ."""
        if self.said is None or len(self.said.reactions) != len(self.truth.reactions):
            return ()
        pairs = zip(self.said.reactions, self.truth.reactions, strict=True)
        return tuple(told - heard for told, heard in pairs)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        said = self.said
        return {
            "scenario": self.scenario.name,
            "title": self.scenario.title,
            "provider": self.scenario.provider,
            "transport": self.scenario.transport,
            "fault": self.scenario.fault,
            "call_id": self.recording.call_id,
            "ended_by": self.recording.ended_by,
            "worst_send_lag": self.recording.worst_send_lag,
            "disturbed": self.recording.disturbed,
            "truth": self.truth.to_dict(),
            "said": said and {name: getattr(said, name) for name in Said.__slots__},
            "due": {"score": self.due.score, "reason": self.due.unscored_reason},
            "difference": self.difference,
            "right": self.right,
            "latency_errors": list(self.latency_errors),
            "hole_error": self.hole_error,
            "lost_error": self.lost_error,
            "reaction_errors": list(self.reaction_errors),
        }


def said_of(path: Path) -> dict[str, Said]:
    """Return what a record file says, by call id; empty where there is none."""
    try:
        records = list(aeq.read_records(path))
    except FileNotFoundError:
        return {}
    return {one.call_id: _said(one) for one in records if isinstance(one, aeq.CallScore)}


def _said(score: aeq.CallScore) -> Said:
    summary = score.summary.to_dict()
    heard = summary.get("heard") or {}  # what the ear adds, where the library has one

    def first(*names: str) -> Any:
        for name in names:
            for source in (heard, summary):
                if source.get(name) is not None:
                    return source[name]
        return None

    holes = first("hole_seconds")
    fillers = summary.get("underflows")
    if holes is None and fillers is not None:
        holes = fillers * FRAME_SECONDS
    lost = sum(factor.penalty for factor in score.factors)
    worst = max(score.factors, key=lambda factor: factor.penalty)
    return Said(
        score=score.score,
        reason=score.unscored_reason,
        latencies=_values(first("latencies", "turn_latencies")),
        unanswered=_values(first("unanswered")),
        barge_ins=int(first("barge_ins") or 0),
        reactions=_values(first("reactions", "barge_in_reactions")),
        hole_seconds=holes,
        lost=first("lost", "agent_audio_lost"),
        first_word=first("first_word"),
        evidence=worst.evidence if lost else "",
    )


def _values(found: object) -> tuple[float, ...]:
    """Return a tuple of values, whether they come as a list or as a distribution's exact ones."""
    if isinstance(found, Mapping):
        found = found.get("exact")
    return tuple(found) if isinstance(found, Iterable) else ()


def summary_of(truth: Truth, recording: CallRecording) -> aeq.CallSummary:
    """Return what was heard in the terms of the library's summary.

    A hole is told as fillers of 20 ms; audio that was garbled, as a codec that failed its check; an
    agent that never stopped for the caller, as talk-over; a wrong speed, as the text that fits it;
    a packet whose number the phone missed, as one that was lost.
    What no ear tells is the provider's own log: that its connection was closed.
    """
    audio = {}
    if truth.agent.active:
        audio[AGENT_STAGE] = replace(_stage(truth.agent), sound=sound_of(recording))
    if truth.caller.frames:
        audio[CALLER_STAGE] = _stage(truth.caller)
    checked = bool(truth.answers)
    return aeq.CallSummary(
        call_id=recording.call_id,
        provider=recording.provider,
        outcome="caller_hangup" if recording.ended_by == "caller" else "agent_hangup",
        duration=truth.duration,
        turn_latencies=truth.latencies,
        frames_sent=round(_played(truth) / FRAME_SECONDS),
        underflows=round(truth.hole_seconds / FRAME_SECONDS),
        underflow_episodes=min(truth.gaps, round(truth.hole_seconds / FRAME_SECONDS)),
        fallbacks=0,
        barge_ins=len(truth.barge_ins),
        barge_in_reactions=truth.reactions,
        unanswered=tuple(wait for wait in truth.unanswered if wait >= UNANSWERED_SECONDS),
        codec_checks=1 if checked else None,
        codec_misaligned=int(truth.garbled or truth.speed != 1.0) if checked else None,
        audio=audio,
        agent_characters=round(CHARACTERS_A_SECOND * truth.speed * _played(truth)),
        heard=_heard(truth),
        provider_lost=_lost_its_provider(recording),
        packets_sent=len(recording.heard) + len(recording.missed),
        packets_lost=len(recording.missed),
    )


def _heard(truth: Truth) -> aeq.HeardCall:
    """Return what only the caller's end tells."""
    answers = [one for one in truth.answers if one.began is not None]
    return aeq.HeardCall(
        factors=("latency", "barge_in", "underflow"),
        first_word=truth.first_word,
        caller_voice=truth.caller.active * FRAME_SECONDS,
        caller_dead=not truth.caller.active,
        agent_voice=_played(truth),
        answers=len(answers),
        answers_cut=sum(one.cut_off or one.withdrawn for one in answers),
        talk_overs=sum(each.talked_over >= TALK_OVER_SECONDS for each in truth.barge_ins),
        given=truth.given,
        lost=truth.lost,
    )


def _played(truth: Truth) -> float:
    return sum(one.played for one in truth.answers)


def sound_of(recording: CallRecording) -> aeq.AgentSound | None:
    """Return what the samples that arrived sound like, each frame looked into.

    The checks are the library's own: of what an engine does to the samples on the way, as levelling
    them frame by frame, the script knows nothing.
    """
    now = 0.0
    quality = aeq.QualityMonitor(
        registry=CollectorRegistry(),
        log=False,
        per_call_series=False,
        sampling=aeq.Sampling(noise_every=1),
        clock=lambda: now,
    )
    quality.call_started(recording.call_id)
    call = quality.call(recording.call_id)
    for piece in recording.heard:
        now = piece.at
        call.audio(AGENT_STAGE, to_pcm(piece.sound), encoding="slin16", sample_rate=RATE)
    ended = call.call_ended()
    quality.close()
    stage = ended.summary.audio.get(AGENT_STAGE) if ended else None
    return stage.sound if stage else None


def _lost_its_provider(recording: CallRecording) -> bool:
    """Return whether the provider's connection closed in an answer, and it never spoke again."""
    return bool(recording.answers) and recording.answers[-1].lost_at is not None


def _stage(level: Level) -> aeq.StageLevels:
    return aeq.StageLevels(
        frames=level.frames,
        active=level.active,
        rms=level.rms,
        clipped=level.clipped,
        flatness=level.flatness,
        active_seconds=level.active * FRAME_SECONDS,
    )


def compare(
    scenario: Scenario,
    recording: CallRecording,
    truth: Truth,
    said: Said | None,
    policy: aeq.Policy = aeq.DEFAULT_POLICY,
) -> Comparison:
    """Return one call's comparison."""
    due = aeq.score(summary_of(truth, recording), policy)
    return Comparison(scenario, recording, truth, said, due)


@dataclass(frozen=True, slots=True)
class Figure:
    """How far off one kind of number is, over all calls."""

    name: str
    n: int
    mean: float | None
    """Mean of the errors' sizes, in seconds."""
    worst: float | None


def figures(comparisons: Iterable[Comparison]) -> list[Figure]:
    """Return the errors of everything that is told in seconds."""
    every = list(comparisons)
    latencies = [error for one in every for error in one.latency_errors]
    holes = [one.hole_error for one in every if one.hole_error is not None]
    lost = [one.lost_error for one in every if one.lost_error is not None]
    reactions = [error for one in every for error in one.reaction_errors]
    return [
        _figure("latency of a turn", latencies),
        _figure("holes of a call", holes),
        _figure("audio lost in a call", lost),
        _figure("reaction to a barge-in", reactions),
    ]


def _figure(name: str, errors: list[float]) -> Figure:
    sizes = [abs(error) for error in errors]
    if not sizes:
        return Figure(name, 0, None, None)
    return Figure(name, len(sizes), sum(sizes) / len(sizes), max(sizes))
