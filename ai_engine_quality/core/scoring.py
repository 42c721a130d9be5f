"""The score: ``score(summary, policy)``, a pure function from a finished call to 0..100.

Rule: everything that decides a number is in the policy; this file only says which number meets
which observation. Each factor has one function, which returns what it found; each ceiling has one
line in ``_ceilings``. To add a factor, add a function, its name in ``_FACTORS``, and its
knees in the policy.

Numbers first, words after: the band of a call in progress, which is made often, needs no words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import NamedTuple

from ai_engine_quality.core.arithmetic import points_under, raw_score
from ai_engine_quality.core.observations import (
    FRAME_SECONDS,
    PROVIDER_OUT,
    TRANSPORT_OUT,
    is_agent_stage,
)
from ai_engine_quality.core.policy import DEFAULT_POLICY, Band, Policy
from ai_engine_quality.core.result import (
    CallScore,
    Ceiling,
    Counterfactual,
    FactorScore,
    clock_of,
)
from ai_engine_quality.core.summary import CallSummary, StageLevels
from ai_engine_quality.core.wording import percent, plural, seconds


def score(summary: CallSummary, policy: Policy = DEFAULT_POLICY) -> CallScore:
    """Return the call's quality score by a policy.

    Pure: the same summary and policy give the same score, on any machine, at any time.
    """
    decision = _decide(summary, policy)
    points = decision.points
    factors = tuple(
        _factor(name, summary, policy, decision.costs.get(name)) for name in policy.factors
    )
    return CallScore(
        call_id=summary.call_id,
        score=points,
        raw=decision.raw,
        band=None if points is None else policy.band(points),
        factors=factors,
        ceilings=decision.ceilings,
        coverage=decision.weight / 100,
        turns=factors[0].n,
        unscored_reason=decision.unscored_reason,
        policy_version=policy.version,
        summary=summary,
        without_slowest_turn=_without_slowest_turn(summary, policy, decision),
    )


def provisional_band(summary: CallSummary, policy: Policy = DEFAULT_POLICY) -> Band | None:
    """Return the band of ``score``, None where there is none, without the words."""
    points = _decide(summary, policy).points
    return None if points is None else policy.band(points)


class _Cost(NamedTuple):
    """What a factor costs: its value and points, and how to say it."""

    value: float
    points: float
    n: int
    words: Callable[[], str]


class _AgentAudio(NamedTuple):
    """What a score is made from of the agent's audio, nearest to the caller."""

    seen: bool = False
    """Whether frames with speech were measured at all."""
    track: StageLevels | None = None
    """Its levels, where enough frames were measured."""
    noise: str | None = None
    """The evidence that it is noise instead of speech."""
    clipped: float | None = None
    """Share (0 to 1) of its samples at full scale."""


_NOT_MEASURED = _AgentAudio()


class _Decision(NamedTuple):
    """Everything that decides a score."""

    costs: Mapping[str, _Cost]
    """By factor, where it was observed."""
    ceilings: tuple[Ceiling, ...]
    weight: float
    """Of the observed factors, in all."""
    raw: float
    unscored_reason: str | None
    points: int | None


def _decide(summary: CallSummary, policy: Policy) -> _Decision:
    agent = _agent_audio(summary, policy) if summary.audio else _NOT_MEASURED
    costs = {}
    for name in policy.factors:
        cost = _FACTORS[name](summary, policy, agent)
        if cost is not None:
            most = policy.weights[name]
            costs[name] = cost if cost.points <= most else cost._replace(points=most)
    ceilings = tuple(sorted(_ceilings(summary, policy, agent, costs), key=_height))
    weight = sum(policy.weights[name] for name in costs)
    reason = _unscored_reason(summary, policy, weight, ceilings)
    raw = raw_score([cost.points for cost in costs.values()])
    points = None if reason else points_under(map(_height, ceilings), raw)
    return _Decision(costs, ceilings, weight, raw, reason, points)


_height = attrgetter("ceiling")


def _factor(name: str, summary: CallSummary, policy: Policy, cost: _Cost | None) -> FactorScore:
    weight = policy.weights[name]
    if cost is None:
        return FactorScore(name, weight, 0.0, None, 0, False, "not observed")
    value, points, n, words = cost
    clock = clock_of(summary, name)
    return FactorScore(name, weight, float(points), value, n, True, words(), clock)


def _without_slowest_turn(
    summary: CallSummary, policy: Policy, decision: _Decision
) -> Counterfactual | None:
    """Return the score without the slowest measured turn, where that is higher."""
    worst = summary.slowest_turn()
    latency = decision.costs.get("latency")
    if decision.points is None or worst is None or latency is None:
        return None
    if latency.n < 2 or not latency.points:
        return None
    better = _decide(summary.without_slowest_turn(), policy).points
    if better is None or better <= decision.points:
        return None
    return Counterfactual(f"turn {worst[0]}", better, policy.band(better))


def _latency(summary: CallSummary, policy: Policy, _: _AgentAudio) -> _Cost | None:
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

    return _Cost(value, policy.points("latency", value), n, words)


def _heard(summary: CallSummary, factor: str) -> str:
    """Return the name of a factor's clock, where it is the ear's."""
    return ", heard," if summary.is_heard(factor) else ""


def _worst_turn(summary: CallSummary) -> str:
    """Return the slowest turn in words: which one, and how slow."""
    slowest = summary.slowest_turn()
    longest_wait = max(summary.unanswered or (), default=0.0)
    if slowest and slowest[1] >= longest_wait:
        return f"turn {slowest[0]}, {seconds(slowest[1])}"
    return f"an unanswered turn, {seconds(longest_wait)}"


def _underflow(summary: CallSummary, policy: Policy, _: _AgentAudio) -> _Cost | None:
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

    return _Cost(value, policy.points("underflow", value), fillers, words)


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


def _fallback(summary: CallSummary, policy: Policy, agent: _AgentAudio) -> _Cost | None:
    count = summary.fallbacks or 0
    if not count and not summary.frames_sent and not agent.seen:
        return None

    def words() -> str:
        why = ", ".join(sorted(summary.fallback_reasons))
        return f"{plural(count, 'fallback')}{f': {why}' if why else ''}"

    return _Cost(count, policy.points("fallback", count), count, words)


def _barge_in(summary: CallSummary, policy: Policy, _: _AgentAudio) -> _Cost | None:
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

    return _Cost(value, policy.points("barge_in", value), n, words)


def _codec(summary: CallSummary, policy: Policy, agent: _AgentAudio) -> _Cost | None:
    checks = summary.codec_checks or 0
    if noise := agent.noise:
        return _Cost(1.0, policy.points("codec", 1.0), max(1, checks), lambda: noise)
    if not checks:
        return None
    failed = summary.codec_misaligned or 0
    value = min(1.0, failed / checks)

    def words() -> str:
        details = ", ".join(sorted(summary.codec_details))
        return f"{failed} of {plural(checks, 'check')} failed{f': {details}' if details else ''}"

    return _Cost(value, policy.points("codec", value), checks, words)


def _agent_audio(summary: CallSummary, policy: Policy) -> _AgentAudio:
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
    return _AgentAudio(
        seen=any(levels.active >= least for _, levels in of_agent),
        track=_together(heard[0]) if heard else None,
        noise=_noise(nearest, policy) if nearest else None,
        clipped=max(nearest, key=lambda levels: levels.active).clipped if nearest else None,
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


def _rms(_: CallSummary, policy: Policy, agent: _AgentAudio) -> _Cost | None:
    track = agent.track
    if track is None:
        return None
    level, spread = track.rms, track.spread_db
    if level is None or track.active_share < policy.speech_level.nearly_never:
        silent = f"the agent is nearly never heard: {percent(track.active_share)} of its frames"
        return _Cost(0.0, policy.weights["rms"], track.frames, lambda: silent)
    value = _level_error_db(level, policy)
    points = policy.points("rms_level", value) + policy.points("rms_spread", spread or 0.0)

    def words() -> str:
        evidence = f"RMS {level:.0f}"
        if value:
            which = "loud" if level > policy.speech_level.high else "quiet"
            evidence += f", {value:.1f} dB too {which}"
        return evidence if spread is None else f"{evidence}, spread {spread:.1f} dB"

    return _Cost(value, points, track.frames, words)


def _level_error_db(level: float, policy: Policy) -> float:
    """Return by how many dB a level lies outside of what speech should have."""
    low, high = policy.speech_level.low, policy.speech_level.high
    if low <= level <= high:
        return 0.0
    nearest = low if level < low else high
    return abs(20 * math.log10(max(level, 1.0) / nearest))


_FACTORS: Mapping[str, Callable[[CallSummary, Policy, _AgentAudio], _Cost | None]] = {
    "latency": _latency,
    "underflow": _underflow,
    "fallback": _fallback,
    "barge_in": _barge_in,
    "codec": _codec,
    "rms": _rms,
}


def _ceilings(
    summary: CallSummary, policy: Policy, agent: _AgentAudio, costs: Mapping[str, _Cost]
) -> Iterator[Ceiling]:
    """Yield every ceiling that applies: of what was measured, then of the whole call."""
    rules = policy.ceilings
    for name in ("latency", "underflow", "fallback", "barge_in"):
        if name in costs:
            yield from _stepped(name, policy, costs[name].value, name)
    for name, at_most in (
        ("latency", rules.latency_unobserved),
        ("underflow", rules.underflow_unobserved),
    ):
        if name not in costs:
            yield Ceiling(f"{name}_unobserved", at_most, f"{name} not being observed", name)
    if "rms" in costs and costs["rms"].points >= policy.weights["rms"]:
        reason = "rms at its full penalty"
        yield Ceiling("rms_full_penalty", rules.rms_full_penalty, reason, "rms")
    yield from _call_ceilings(summary, policy, agent)


def _call_ceilings(summary: CallSummary, policy: Policy, agent: _AgentAudio) -> Iterator[Ceiling]:
    """Yield the ceilings that are read from the call as a whole."""
    rules = policy.ceilings
    waited = max(summary.unanswered or (), default=None)
    yield from _stepped("unanswered", policy, waited, "latency")
    if _caller_ignored(summary, policy):
        reason = "a caller who spoke without one measured turn"
        yield Ceiling("caller_ignored", rules.caller_ignored, reason, "latency")
    if agent.noise:
        yield Ceiling("noise", rules.noise, agent.noise, "codec")
    yield from _stepped("clipping", policy, agent.clipped, "rms")
    if summary.failed:
        reason = "the engine's report that the call failed"
        yield Ceiling("call_failed", rules.call_failed, reason, None)
    if _never_heard(summary, policy, agent.track):
        yield Ceiling("never_heard", rules.never_heard, "an agent that was never heard", None)


def _stepped(rule: str, policy: Policy, value: float | None, factor: str) -> Iterator[Ceiling]:
    """Yield the ceiling that a value reaches by a rule with steps, if it reaches any."""
    reached = None if value is None else policy.ceiling(rule, value)
    if reached:
        threshold, ceiling = reached
        yield Ceiling(rule, ceiling, _REACHED[rule](threshold, policy), factor)


_REACHED: Mapping[str, Callable[[float, Policy], str]] = {
    "latency": lambda at, policy: f"p{policy.percentile:g} >= {seconds(at)}",
    "underflow": lambda at, _: f"underflow >= {percent(at)}",
    "fallback": lambda at, _: f"{at:g} fallbacks or more",
    "barge_in": lambda at, policy: f"barge-in p{policy.percentile:g} >= {seconds(at)}",
    "unanswered": lambda at, _: f"a turn unanswered for {seconds(at)} or more",
    "clipping": lambda at, _: f"{percent(at)} of the samples clipped",
}
"""Why a ceiling with steps applies, by its rule and the step that was reached."""


def _measured_turns(summary: CallSummary) -> int:
    return summary.turn_count or len(summary.turn_latencies or ())


def _caller_ignored(summary: CallSummary, policy: Policy) -> bool:
    rule = policy.caller_ignored
    if _measured_turns(summary) or (summary.duration or 0.0) < rule.call_seconds:
        return False
    spoken = (
        levels.speech_seconds
        for stage, levels in summary.audio.items()
        if not is_agent_stage(stage)
    )
    return max(spoken, default=0.0) >= rule.speech_seconds


def _never_heard(summary: CallSummary, policy: Policy, track: StageLevels | None) -> bool:
    if (summary.duration or 0.0) < policy.never_heard.call_seconds:
        return False
    if _measured_turns(summary) or summary.fallbacks:
        return False
    silent = track is not None and track.active_share < policy.speech_level.nearly_never
    return summary.frames_sent == 0 or silent


def _unscored_reason(
    summary: CallSummary, policy: Policy, weight: float, ceilings: tuple[Ceiling, ...]
) -> str | None:
    """Return why the call has no score; no data must read neither as 100 nor as 0."""
    if ceilings and ceilings[0].ceiling == 0:
        return None
    rule = policy.not_scored
    length = math.inf if summary.duration is None else summary.duration
    if not weight and length < rule.abandoned_seconds:
        return "abandoned"
    turns = _measured_turns(summary) or summary.unanswered
    if not turns and length < rule.no_conversation_seconds:
        return "no_conversation"
    return "too_little_evidence" if weight < rule.min_weight else None
