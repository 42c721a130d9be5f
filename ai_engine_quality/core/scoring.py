"""The score: ``score(summary, policy)``, a pure function from a finished call to 0..100.

Rule: everything that decides a number is in the policy. To add a factor, add its function to
``factors``, its name to ``policy.FACTORS`` and its knees to the policies; to add a ceiling, a line
in ``ceilings``.

Numbers first, words after: the band of a call in progress, which is made often, needs no words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, NamedTuple

from ai_engine_quality.core.arithmetic import points_under, raw_score
from ai_engine_quality.core.ceilings import all_ceilings, measured_turns
from ai_engine_quality.core.factors import (
    FACTOR_COSTS,
    NOT_MEASURED,
    UNOBSERVED,
    AgentAudio,
    Cost,
    agent_audio,
)
from ai_engine_quality.core.later import Later
from ai_engine_quality.core.policy import DEFAULT_POLICY, Band, Policy
from ai_engine_quality.core.reading import SummaryError, shown
from ai_engine_quality.core.result import (
    CallScore,
    Ceiling,
    Counterfactual,
    FactorScore,
    Standing,
    clock_of,
)
from ai_engine_quality.core.summary import COUNTS, LEVELS, VALUES, CallSummary


def score(summary: CallSummary, policy: Policy = DEFAULT_POLICY) -> CallScore:
    """Return the call's quality score by a policy.

    Pure: the same summary and policy give the same score, on any machine, at any time.

    Raises:
        TypeError: one of them is something else.
        SummaryError: one of the summary's numbers is none: not a number, infinite, or under 0.
    """
    _check_summary(summary)
    check_policy(policy)
    return score_among(summary, policy, _alone, {})


def _check_summary(summary: object) -> None:
    if not isinstance(summary, CallSummary):
        fix = "such as CallSummary.from_dict(stored)"
        raise TypeError(f"summary must be a CallSummary, {fix}, not {shown(summary)}")
    for name in VALUES:
        for value in getattr(summary, name) or ():
            _check_number(name, value, "seconds of 0 or more")
    for name in COUNTS:
        _check_number(name, getattr(summary, name), "a number of 0 or more")
    _check_number("duration", summary.duration, "seconds of 0 or more")
    for stage, levels in summary.audio.items():
        for name in LEVELS:
            _check_number(f"audio.{stage}.{name}", getattr(levels, name), "a number of 0 or more")


def _check_number(name: str, value: Any, must_be: str) -> None:
    """Refuse a value that would pass for a good one: NaN, for one, reaches no ceiling."""
    try:
        right = value is None or 0 <= value < math.inf
    except Exception:  # not a number: text, a list, an array
        right = False
    if not right:
        raise SummaryError(f"{name} must be {must_be}, not {shown(value)}")


def check_policy(policy: object) -> None:
    """Refuse what is no policy, such as a version's name.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(policy, Policy):
        raise TypeError(f"policy must be a Policy, such as Policy.load('v3'), not {shown(policy)}")


def score_among(
    summary: CallSummary,
    policy: Policy,
    place: Callable[[str | None, int], Standing | None],
    dropped: Mapping[str, int],
) -> CallScore:
    """Return the call's score with where it stands among others, and what of it was dropped.

    Args:
        summary: The call.
        policy: By which it is scored.
        place: Takes the call's provider and its points, and returns where it stands.
        dropped: What was reported and dropped.
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
        _without_slowest_turn=Later(partial(_without_slowest_turn, summary, policy, decision)),
        standing=None if points is None else place(summary.provider, points),
        dropped=dict(dropped),
    )


def _alone(_provider: str | None, _points: int) -> None:
    """Compare with no other call."""


def provisional_band(summary: CallSummary, policy: Policy = DEFAULT_POLICY) -> Band | None:
    """Return the band of ``score``, None where there is none, without the words."""
    points = _decide(summary, policy).points
    return None if points is None else policy.band(points)


class _Decision(NamedTuple):
    """Everything that decides a score."""

    costs: Mapping[str, Cost]
    """By factor, where it was observed."""
    agent: AgentAudio
    ceilings: tuple[Ceiling, ...]
    weight: float
    """Of the observed factors, in all."""
    raw: float
    unscored_reason: str | None
    points: int | None


def _decide(summary: CallSummary, policy: Policy) -> _Decision:
    agent = agent_audio(summary, policy) if summary.audio else NOT_MEASURED
    costs = {}
    for name in policy.factors:
        cost = _cost(name, summary, policy, agent)
        if cost is not None:
            costs[name] = cost
    return _decided(summary, policy, agent, costs)


def _cost(name: str, summary: CallSummary, policy: Policy, agent: AgentAudio) -> Cost | None:
    """Return what an observed factor costs: its weight at most."""
    cost = FACTOR_COSTS[name](summary, policy, agent)
    most = policy.weights[name]
    return cost if cost is None or cost.points <= most else cost._replace(points=most)


def _decided(
    summary: CallSummary, policy: Policy, agent: AgentAudio, costs: Mapping[str, Cost]
) -> _Decision:
    """Return what the factors' costs come to, with the ceilings over them."""
    ceilings = tuple(sorted(all_ceilings(summary, policy, agent, costs), key=_height))
    weight = sum(policy.weights[name] for name in costs)
    reason = _unscored_reason(summary, policy, weight, ceilings)
    raw = raw_score([cost.points for cost in costs.values()])
    points = None if reason else points_under(map(_height, ceilings), raw)
    return _Decision(costs, agent, ceilings, weight, raw, reason, points)


_height = attrgetter("ceiling")


def _factor(name: str, summary: CallSummary, policy: Policy, cost: Cost | None) -> FactorScore:
    weight = policy.weights[name]
    if cost is None:
        if name in UNOBSERVED and (words := UNOBSERVED[name](summary)):
            return FactorScore(name, weight, 0.0, None, 0, False, Later.of(words))
        return _unobserved(name, weight)
    clock = clock_of(summary, name)
    points, evidence = float(cost.points), Later(cost.words)
    return FactorScore(name, weight, points, cost.value, cost.n, True, evidence, clock)


@lru_cache(64)  # the same for all calls
def _unobserved(name: str, weight: float) -> FactorScore:
    return FactorScore(name, weight, 0.0, None, 0, False, Later.of("not observed"))


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
    fewer = summary.without_slowest_turn()
    costs = dict(decision.costs)  # no other factor knows of turns
    faster = _cost("latency", fewer, policy, decision.agent)
    if faster is None:
        return None
    costs["latency"] = faster
    better = _decided(fewer, policy, decision.agent, costs).points
    if better is None or better <= decision.points:
        return None
    return Counterfactual(f"turn {worst[0]}", better, policy.band(better))


def _unscored_reason(
    summary: CallSummary, policy: Policy, weight: float, ceilings: tuple[Ceiling, ...]
) -> str | None:
    """Return why the call has no score; no data must read neither as 100 nor as 0."""
    rule = policy.not_scored
    if not summary.failed:
        if summary.outcome in rule.expired:
            return "expired"
        if summary.outcome in rule.voicemail:
            return "voicemail"
    rules = {ceiling.rule for ceiling in ceilings}
    if (ceilings and ceilings[0].ceiling == 0) or rules & _outages(policy):
        return None
    length = math.inf if summary.duration is None else summary.duration
    if not weight and length < rule.abandoned_seconds:
        return "abandoned"
    turns = measured_turns(summary) or summary.unanswered
    if not turns and length < rule.no_conversation_seconds:
        return "no_conversation"
    return "too_little_evidence" if weight < rule.min_weight else None


def _outages(policy: Policy) -> frozenset[str]:
    """Return the ceilings of calls that are scored however little of them was observed."""
    return _SEEN_OUTAGES if policy.caller_ignored.at_any_length else frozenset()


_SEEN_OUTAGES = frozenset({"caller_ignored", "caller_unheard", "lost_audio"})
"""An outage that was seen is not left unscored for want of anything else."""
