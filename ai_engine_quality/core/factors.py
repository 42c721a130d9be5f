"""What each factor costs: one function for each, from a summary and a policy. Pure.

Every number that decides is in the policy; a function only says which number meets which
observation. None is a factor that was not observed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ai_engine_quality.core.observations import (
    FRAME_SECONDS,
    PROVIDER_OUT,
    TRANSPORT_OUT,
    is_agent_stage,
)
from ai_engine_quality.core.policy import Policy
from ai_engine_quality.core.summary import CallSummary, StageLevels
from ai_engine_quality.core.wording import percent, plural, seconds


class Cost(NamedTuple):
    """What a factor costs: its value and points, and how to say it."""

    value: float
    points: float
    n: int
    words: Callable[[], str]


class AgentAudio(NamedTuple):
    """What a score is made from of the agent's audio, nearest to the caller."""

    seen: bool = False
    """Whether frames with speech were measured at all."""
    track: StageLevels | None = None
    """Its levels, where enough frames were measured."""
    noise: str | None = None
    """The evidence that it is noise instead of speech."""
    clipped: float | None = None
    """Share (0 to 1) of its samples at full scale."""
    clean: bool = False
    """Whether it was checked for noise, and is speech."""


NOT_MEASURED = AgentAudio()


def _latency(summary: CallSummary, policy: Policy, _: AgentAudio) -> Cost | None:
    turns = summary.waits()
    n = turns.n
    if not n:
        return None
    value = turns.percentile(policy.percentile)

    def words() -> str:
        evidence = f"p{policy.percentile:g} {seconds(value)}{_heard(summary, 'latency')}"
        evidence += f" over {plural(n, 'turn')}"
        evidence += f"; worst: {_worst_turn(summary)}"
        if summary.unanswered:
            evidence += f"; {summary.distribution('unanswered').n} unanswered"
        return evidence

    return Cost(value, policy.points("latency", value), n, words)


def _heard(summary: CallSummary, factor: str) -> str:
    """Return a factor's clock: the ear's, or one that is known to start late."""
    if summary.is_heard(factor):
        return ", heard,"
    late = factor == "latency" and summary.clock_starts_late
    return ", told by a clock that starts late," if late else ""


_STAGES = {"stt": "STT", "end_of_turn": "end of turn", "llm": "LLM", "tool": "tool", "tts": "TTS"}


def _cause(summary: CallSummary, turn: int) -> str:
    """Return where most of a turn's time went, in words, where it is known."""
    cause = summary.cause_of(turn)
    return f": {_STAGES.get(cause.stage, cause.stage)} {seconds(cause.seconds)}" if cause else ""


def _worst_turn(summary: CallSummary) -> str:
    """Return the slowest turn in words: which one, and how slow."""
    slowest = summary.slowest_turn()
    longest_wait = max(summary.unanswered or (), default=0.0)
    if slowest and slowest[1] >= longest_wait:
        return f"turn {slowest[0]}, {seconds(slowest[1])}{_cause(summary, slowest[0])}"
    return f"an unanswered turn, {seconds(longest_wait)}"


def _underflow(summary: CallSummary, policy: Policy, _: AgentAudio) -> Cost | None:
    if summary.frames_sent is None and summary.underflows is None:
        return None
    rule = policy.underflow
    fillers = summary.underflows or 0
    frames = _agent_frames(summary, policy)
    known = summary.underflow_episodes
    episodes = fillers if known is None else known
    everything = max(rule.min_frames, fillers + frames)
    value = (fillers + rule.episode_weight * episodes) / ((1 + rule.episode_weight) * everything)

    def words() -> str:
        if summary.is_heard("underflow"):
            return _holes(summary, value)
        evidence = f"{percent(value)} effective: {plural(fillers, 'filler')}"
        evidence += "" if known is None else f" in {plural(episodes, 'episode')}"
        evidence += f" to {plural(round(frames), 'agent frame')}"
        if summary.frames_sent is None:
            evidence += f", estimated as {seconds(frames * FRAME_SECONDS)} of agent speech"
        return evidence

    return Cost(value, policy.points("underflow", value), fillers, words)


def _holes(summary: CallSummary, value: float) -> str:
    """Return the holes that were heard in the agent's speech, in words."""
    holes, frames = summary.underflow_episodes or 0, summary.frames_sent or 0
    missing = (summary.underflows or 0) * FRAME_SECONDS
    evidence = f"{percent(value)} effective, heard: {plural(holes, 'hole')}"
    evidence += f" of {seconds(missing)} in all" if holes else ""
    return f"{evidence} in {seconds(frames * FRAME_SECONDS)} of agent speech"


def _agent_frames(summary: CallSummary, policy: Policy) -> float:
    """Return the agent's own frames, estimated where they were not reported."""
    if summary.frames_sent is not None:
        return summary.frames_sent
    rule = policy.underflow
    spoken = rule.assumed_share * (summary.duration or 0.0)
    spoken = min(rule.assumed_max, max(rule.assumed_min, spoken))
    return spoken / FRAME_SECONDS


def _fallback(summary: CallSummary, policy: Policy, agent: AgentAudio) -> Cost | None:
    count = summary.fallbacks or 0
    if not count and not summary.frames_sent and not agent.seen:
        return None

    def words() -> str:
        why = ", ".join(sorted(summary.fallback_reasons))
        return f"{plural(count, 'fallback')}{f': {why}' if why else ''}"

    return Cost(count, policy.points("fallback", count), count, words)


def _barge_in(summary: CallSummary, policy: Policy, _: AgentAudio) -> Cost | None:
    reactions = summary.distribution("barge_in_reactions")
    n = reactions.n
    if not n:
        return None
    value = reactions.percentile(policy.percentile)

    def words() -> str:
        of = f" of {summary.barge_ins}" if summary.barge_ins and summary.barge_ins > n else ""
        barge_ins = "barge-in" if n == 1 and not of else "barge-ins"
        clock = _heard(summary, "barge_in")
        return f"p{policy.percentile:g} {seconds(value)}{clock} over {n}{of} {barge_ins}"

    return Cost(value, policy.points("barge_in", value), n, words)


def _untimed(summary: CallSummary) -> str | None:
    """Return what is known of barge-ins of which none was timed, in words; None where of none."""
    return f"{plural(summary.barge_ins, 'barge-in')}, none timed" if summary.barge_ins else None


UNOBSERVED: Mapping[str, Callable[[CallSummary], str | None]] = {"barge_in": _untimed}
"""What is said of a factor that was not observed, where anything is."""


def _codec(summary: CallSummary, policy: Policy, agent: AgentAudio) -> Cost | None:
    checks = summary.codec_checks or 0
    if noise := agent.noise:
        return Cost(1.0, policy.points("codec", 1.0), max(1, checks), lambda: noise)
    if not checks:
        return None
    failed = summary.codec_misaligned or 0
    bridged = bool(failed) and agent.clean and policy.noise.overrules_checks
    value = 0.0 if bridged else min(1.0, failed / checks)

    def words() -> str:
        details = ", ".join(sorted(summary.codec_details))
        words = f"{failed} of {plural(checks, 'check')} failed{f': {details}' if details else ''}"
        return f"bridged: {words}, and the agent's speech is clean" if bridged else words

    return Cost(value, policy.points("codec", value), checks, words)


def agent_audio(summary: CallSummary, policy: Policy) -> AgentAudio:
    """Return what was measured of the agent, at its stage nearest to the caller."""
    of_agent = [(stage, levels) for stage, levels in summary.audio.items() if is_agent_stage(stage)]
    # Several kinds of playback are tracks of one stage.
    stages = [
        [levels for stage, levels in of_agent if stage.startswith(prefix)]
        for prefix in (TRANSPORT_OUT, PROVIDER_OUT)
    ]
    least = policy.speech_level.min_frames
    heard = [tracks for tracks in stages if sum(levels.frames for levels in tracks) >= least]
    checked = [[levels for levels in tracks if levels.flatness is not None] for tracks in stages]
    nearest = checked[0] or checked[1]
    noise = _noise(nearest, policy) if nearest else None
    return AgentAudio(
        seen=any(levels.active >= least for _, levels in of_agent),
        track=_together(heard[0]) if heard else None,
        noise=noise,
        clipped=max(nearest, key=lambda levels: levels.active).clipped if nearest else None,
        clean=bool(nearest) and noise is None,
    )


def _noise(checked: list[StageLevels], policy: Policy) -> str | None:
    """Return the evidence that the agent's audio is noise instead of speech, or None."""
    track = max(checked, key=lambda levels: (levels.active, levels.flatness, levels.loudness))
    level = track.loudness
    flat = track.flatness is not None and track.flatness >= policy.noise.flatness
    if flat and level >= policy.noise.rms:
        return f"noise instead of speech: flatness {track.flatness:.2f}, RMS {level:.0f}"
    return None


def _together(stages: list[StageLevels]) -> StageLevels:
    """Return several kinds of playback as one track; the spread is that of the longest one."""
    if len(stages) == 1:
        return stages[0]
    spoken = [(kind.rms, kind.active) for kind in stages if kind.rms is not None and kind.active]
    active = sum(frames for _, frames in spoken)
    energy = math.fsum(rms**2 * frames for rms, frames in spoken)
    longest = max(stages, key=lambda levels: (levels.active, levels.spread_db or 0.0))
    return StageLevels(
        frames=sum(levels.frames for levels in stages),
        active=active,
        rms=math.sqrt(energy / active) if active else None,
        spread_db=longest.spread_db,
    )


def _rms(_: CallSummary, policy: Policy, agent: AgentAudio) -> Cost | None:
    track = agent.track
    if track is None:
        return None
    level, spread = track.rms, track.spread_db
    if level is None or track.active_share < policy.speech_level.nearly_never:
        silent = f"the agent is nearly never heard: {percent(track.active_share)} of its frames"
        return Cost(0.0, policy.weights["rms"], track.frames, lambda: silent)
    value = _level_error_db(level, policy)
    points = policy.points("rms_level", value) + policy.points("rms_spread", spread or 0.0)

    def words() -> str:
        evidence = f"RMS {level:.0f}"
        if value:
            which = "loud" if level > policy.speech_level.high else "quiet"
            evidence += f", {value:.1f} dB too {which}"
        return evidence if spread is None else f"{evidence}, spread {spread:.1f} dB"

    return Cost(value, points, track.frames, words)


def _level_error_db(level: float, policy: Policy) -> float:
    """Return by how many dB a level lies outside of what speech should have."""
    low, high = policy.speech_level.low, policy.speech_level.high
    if low <= level <= high:
        return 0.0
    nearest = low if level < low else high
    return abs(20 * math.log10(max(level, 1.0) / nearest))


FACTOR_COSTS: Mapping[str, Callable[[CallSummary, Policy, AgentAudio], Cost | None]] = {
    "latency": _latency,
    "underflow": _underflow,
    "fallback": _fallback,
    "barge_in": _barge_in,
    "codec": _codec,
    "rms": _rms,
}
