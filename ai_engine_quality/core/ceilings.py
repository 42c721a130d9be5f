"""The highest score that a call can have, by each rule that applies to it. Pure.

First the ceilings of what was measured, then those of the call as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from ai_engine_quality.core.factors import AgentAudio, Cost
from ai_engine_quality.core.observations import is_agent_stage
from ai_engine_quality.core.policy import Policy
from ai_engine_quality.core.result import Ceiling
from ai_engine_quality.core.sound_ceilings import sound_ceilings
from ai_engine_quality.core.summary import CallSummary, HeardCall, StageLevels
from ai_engine_quality.core.wording import percent, seconds

NOISY_LINE_SHARE = 0.8
"""Share of a call in which a line without words is loud, because it is noisy."""

ANSWERED_IN_NOISE = 3
"""Answers of the agent's: a greeting and two more."""


def all_ceilings(
    summary: CallSummary, policy: Policy, agent: AgentAudio, costs: Mapping[str, Cost]
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


def _call_ceilings(summary: CallSummary, policy: Policy, agent: AgentAudio) -> Iterator[Ceiling]:
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
    yield from sound_ceilings(summary, policy)
    yield from _stepped("packet_loss", policy, _packet_loss(summary, policy), "underflow")
    if summary.failed:
        reason = "the engine's report that the call failed"
        yield Ceiling("call_failed", rules.call_failed, reason, None)
    if _never_heard(summary, policy, agent.track):
        yield Ceiling("never_heard", rules.never_heard, "an agent that was never heard", None)
    for rule, applies, why, factor in _FAILED_CALLERS:
        at_most = getattr(rules, rule)
        if at_most is not None and applies(summary, policy, agent):
            yield Ceiling(rule, at_most, why(summary), factor)
    if summary.heard is not None:
        yield from _stepped("lost_audio", policy, _lost_share(summary.heard), "underflow")
        first = None if summary.files_played else summary.heard.first_word
        yield from _stepped("late_greeting", policy, first, "latency")


# Calls that failed their caller, though the engine says nothing of it: from policy v3 on.


def _provider_lost(summary: CallSummary, _: Policy, __: AgentAudio) -> bool:
    return summary.provider_lost


def _caller_unheard(summary: CallSummary, policy: Policy, agent: AgentAudio) -> bool:
    """Return whether the agent spoke to a caller of whom nothing ever arrived."""
    rule = policy.conversation
    if summary.heard is None or not summary.heard.caller_dead:
        return False
    of_caller = (n.frames for stage, n in summary.audio.items() if not is_agent_stage(stage))
    measured = max(of_caller, default=0) >= rule.unheard_frames
    long_enough = (summary.duration or 0.0) >= rule.unheard_seconds
    return measured and long_enough and bool(summary.frames_sent or agent.seen)


def _cut_answers(summary: CallSummary, policy: Policy, _: AgentAudio) -> bool:
    rule, heard = policy.conversation, summary.heard
    if heard is None or not heard.answers or not heard.answers_cut:
        return False
    answers = max(heard.answers, heard.answers_cut)
    many = heard.answers_cut >= rule.cut_answers and answers >= rule.cut_of_answers
    return many and heard.answers_cut >= rule.cut_share * answers


def _untimed_barge_ins(summary: CallSummary, policy: Policy, _: AgentAudio) -> bool:
    """Return whether interruptions can't all be the caller's, and nobody heard what they did."""
    rule, barge_ins = policy.conversation, summary.barge_ins or 0
    if summary.barge_in_reactions or barge_ins < rule.untimed_barge_ins:
        return False
    return barge_ins > rule.untimed_per_turn * max(1, measured_turns(summary))


def _talk_over(summary: CallSummary, policy: Policy, _: AgentAudio) -> bool:
    heard = summary.heard
    return heard is not None and (heard.talk_overs or 0) >= policy.conversation.talk_overs


def _lost_share(heard: HeardCall) -> float | None:
    """Return the share (0 to 1) of the agent's audio that was given and never played."""
    if not heard.given or heard.lost is None:
        return None
    return min(1.0, heard.lost / heard.given)


def _packet_loss(summary: CallSummary, policy: Policy) -> float | None:
    """Return the share (0 to 1) of packets that the caller's phone lost, of enough of them."""
    enough = (summary.packets_sent or 0) >= policy.underflow.least_packets
    return summary.packet_loss if enough else None


def _number(summary: CallSummary, name: str) -> int:
    """Return a number of what was heard."""
    return getattr(summary.heard, name, None) or 0


class _FailedCaller(NamedTuple):
    """A way to fail a caller."""

    rule: str
    """The policy's name for its ceiling."""
    applies: Callable[[CallSummary, Policy, AgentAudio], bool]
    why: Callable[[CallSummary], str]
    factor: str | None
    """The factor that the ceiling belongs to; None where the whole call is meant."""


_FAILED_CALLERS = (
    _FailedCaller(
        "provider_lost",
        _provider_lost,
        lambda _: "a provider that was lost in mid-call and never came back",
        None,
    ),
    _FailedCaller(
        "caller_unheard",
        _caller_unheard,
        lambda _: "a caller of whom nothing but digital silence arrived",
        None,
    ),
    _FailedCaller(
        "cut_answers",
        _cut_answers,
        lambda call: f"{_number(call, 'answers_cut')} answers that were cut off",
        "barge_in",
    ),
    _FailedCaller(
        "untimed_barge_ins",
        _untimed_barge_ins,
        lambda call: f"{call.barge_ins} barge-ins, of which none was timed",
        "barge_in",
    ),
    _FailedCaller(
        "talk_over",
        _talk_over,
        lambda call: f"caller and agent speaking at once {_number(call, 'talk_overs')} times",
        "barge_in",
    ),
)
"""Those that either apply or don't; others have steps."""


def _stepped(rule: str, policy: Policy, value: float | None, factor: str) -> Iterator[Ceiling]:
    """Yield the ceiling that a value reaches by a rule with steps, if it reaches any."""
    reached = None if value is None else policy.ceiling(rule, value)
    if reached:
        yield _reached(rule, *reached, policy.percentile, factor)


@lru_cache(256)  # a policy has few steps, and its calls can share them
def _reached(rule: str, step: float, ceiling: int, percentile: float, factor: str) -> Ceiling:
    return Ceiling(rule, ceiling, _REACHED[rule](step, percentile), factor)


_REACHED: Mapping[str, Callable[[float, float], str]] = {
    "latency": lambda at, percentile: f"p{percentile:g} >= {seconds(at)}",
    "underflow": lambda at, _: f"underflow >= {percent(at)}",
    "fallback": lambda at, _: f"{at:g} fallback{'' if at == 1 else 's'} or more",
    "barge_in": lambda at, percentile: f"barge-in p{percentile:g} >= {seconds(at)}",
    "unanswered": lambda at, _: f"a turn unanswered for {seconds(at)} or more",
    "clipping": lambda at, _: f"{percent(at)} of the samples clipped",
    "lost_audio": lambda at, _: f"{percent(at)} or more of the agent's audio lost",
    "packet_loss": lambda at, _: f"{percent(at)} or more of the packets to the phone lost",
    "late_greeting": lambda at, _: f"an agent first heard after {seconds(at)} or more",
}
"""Why a ceiling with steps applies, by its rule, the step that was reached and the percentile."""


def _caller_ignored(summary: CallSummary, policy: Policy) -> bool:
    rule = policy.caller_ignored
    if measured_turns(summary) or (rule.at_any_length and _answered_in_noise(summary)):
        return False
    of_caller = (s.speech_seconds for name, s in summary.audio.items() if not is_agent_stage(name))
    loud = max(of_caller, default=0.0)
    if (summary.duration or 0.0) < rule.call_seconds and (
        not rule.at_any_length or _hardly_waited(summary, loud)
    ):
        return False
    return loud >= rule.speech_seconds


def _answered_in_noise(summary: CallSummary) -> bool:
    """Return whether the agent went on to answer a caller who can't be told from the noise.

    Then a loud line is no word that waits: in noise that hides the caller, good calls have no
    measured turn either.
    """
    heard = summary.heard
    if heard is None or heard.cannot_hear is None:
        return False
    return (heard.answers or 0) >= ANSWERED_IN_NOISE


def _hardly_waited(summary: CallSummary, loud: float) -> bool:
    """Return whether no words of the caller's are known to have waited for an answer.

    Either both sides were heard, or no words were, on a line that is loud nearly all the time.
    """
    heard = summary.heard
    if heard is None or summary.unanswered:
        return False
    noisy = not heard.caller_voice and loud >= NOISY_LINE_SHARE * (summary.duration or 0.0)
    return noisy or summary.is_heard("latency")


def _never_heard(summary: CallSummary, policy: Policy, track: StageLevels | None) -> bool:
    if (summary.duration or 0.0) < policy.never_heard.call_seconds:
        return False
    if measured_turns(summary) or summary.fallbacks or summary.files_played:
        return False
    silent = track is not None and track.active_share < policy.speech_level.nearly_never
    return summary.frames_sent == 0 or silent


def measured_turns(summary: CallSummary) -> int:
    """Return how many turns had an answer."""
    return summary.turn_count or len(summary.turn_latencies or ())
