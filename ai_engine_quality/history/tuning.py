"""Thresholds from a deployment's own calls: of the policy, and of the alerts.

A policy made so grades calls against what is usual here, not against what callers like: half of the
calls can be excellent by it however slow all of them are. It serves to tell a bad day from a good
one where v1 calls everything poor, or everything excellent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ai_engine_quality.core.arithmetic import Knees, Steps
from ai_engine_quality.core.policy import Band, Policy
from ai_engine_quality.core.result import CallScore

MIN_CALLS = 100
"""Calls with a factor's value below which its percentiles are too vague to be thresholds."""

MIN_WINDOWS = 100
"""Windows with traffic below which an alert's percentile isn't known."""

ALERT_PERCENTILE = 99.0
"""An alert's proposed threshold: one window in a hundred exceeds it."""

SHARES = {Band.GOOD: 50.0, Band.FAIR: 80.0, Band.POOR: 95.0}
"""Per cent of the calls that stay out of a band and those below it: half can be excellent, four in
five good or better, all but one in twenty fair or better."""

FULL_PENALTY = 95.0
"""Per cent of the calls that keep out of a factor's last knee, where no ceilings mark its bands."""


# The policy.


@dataclass(frozen=True, slots=True)
class PolicyProposal:
    """What could be changed in a policy, and why the rest was left."""

    changes: Mapping[str, Any]
    """For ``Policy.with_changes``: ``knees`` and ``ceilings``; empty where nothing moves."""
    anchors: Mapping[str, tuple[tuple[float, float, float], ...]]
    """Factor to (value now, value proposed, per cent of the calls under it)."""
    left: Mapping[str, str]
    """Factor to why it stays as it is."""

    def applied_to(self, base: Policy) -> Policy:
        """Return the changed policy; the base itself where nothing moves."""
        return base.with_changes(self.changes) if self.changes else base


def propose_policy(calls: Sequence[CallScore], base: Policy) -> PolicyProposal:
    """Return a policy whose thresholds for what is timed and counted are percentiles of calls.

    Each ceiling's value moves to a percentile, and the knees move along: the points between two
    thresholds stay where they were, relative to them. Weights and points don't change. Calls are
    taken by their values under ``base``, so they must be scored by it.
    """
    knees: dict[str, list[list[float]]] = {}
    ceilings: dict[str, list[list[float]]] = {}
    anchors: dict[str, tuple[tuple[float, float, float], ...]] = {}
    left: dict[str, str] = {}
    for name in ("latency", "underflow", "barge_in"):
        try:
            anchors[name] = _anchors(name, _values(calls, name), base)
            moved = _Stretch(anchors[name])
            knees[name] = moved.pairs(getattr(base.knees, name))
            ceilings[name] = moved.pairs(getattr(base.ceilings, name))
        except _Unmovable as reason:
            for part in (anchors, knees, ceilings):
                part.pop(name, None)
            left[name] = str(reason)
    changes = {"knees": knees, "ceilings": ceilings} if knees else {}
    return PolicyProposal(changes, anchors, left)


class _Unmovable(Exception):  # noqa: N818  # not an error: the reason why a factor stays as it is
    """Why a factor's thresholds can't come from these calls."""


def _values(calls: Iterable[CallScore], name: str) -> list[float]:
    factors = [call.factor(name) for call in calls if call.score is not None]
    return [factor.value for factor in factors if factor.value is not None]


def _anchors(
    name: str, values: Sequence[float], base: Policy
) -> tuple[tuple[float, float, float], ...]:
    """Return (value now, value proposed, percentile) of each threshold that marks a band."""
    if len(values) < MIN_CALLS:
        raise _Unmovable(f"{len(values)} calls have it, and it takes {MIN_CALLS}")
    marks = list(_marks(getattr(base.ceilings, name), base))
    if len(marks) < len(SHARES):
        marks = [(getattr(base.knees, name)[-1][0], FULL_PENALTY)]
    found = [(at, _rounded(float(np.percentile(values, share))), share) for at, share in marks]
    proposed = [0.0, *(value for _, value, _ in found)]
    if any(after <= before for before, after in pairwise(proposed)):
        listed = ", ".join(f"{value:g}" for value in proposed[1:])
        raise _Unmovable(f"its percentiles don't rise ({listed}): too many calls are alike")
    return tuple(found)


def _marks(steps: Steps, base: Policy) -> Iterator[tuple[float, float]]:
    """Yield the value at which each band below excellent begins, and the percentile it gets."""
    seen = set()
    for at, ceiling in steps:
        band = base.band(ceiling)
        if band in SHARES and band not in seen:
            seen.add(band)
            yield at, SHARES[band]


class _Stretch:
    """Moves values so that each anchor comes to its new place, and what is between with it."""

    def __init__(self, anchors: Sequence[tuple[float, float, float]]) -> None:
        self._old = [0.0, *(at for at, _, _ in anchors)]
        self._new = [0.0, *(to for _, to, _ in anchors)]

    def pairs(self, pairs: Knees | Steps) -> list[list[float]]:
        """Return the pairs with their values moved."""
        moved = [[_rounded(self._at(value)), second] for value, second in pairs]
        values = [pair[0] for pair in moved]
        if any(after <= before for before, after in pairwise(values)):
            raise _Unmovable(f"its thresholds would fall together: {values}")
        return moved

    def _at(self, value: float) -> float:
        if value > self._old[-1]:
            return value * self._new[-1] / self._old[-1]
        return float(np.interp(value, self._old, self._new))


def _rounded(value: float) -> float:
    """Return a value to three digits: more would feign to be exact."""
    return float(f"{value:.3g}")


# The alerts.


@dataclass(frozen=True, slots=True)
class AlertRule:
    """What an alert looks at, and where it fires now."""

    name: str
    present: float
    """As in ``monitoring/alerts/ai-engine.yml``; a test compares them."""
    unit: str
    window: float
    """Seconds."""
    per_provider: bool
    min_count: int
    """Turns, reactions or frames in a window below which the alert doesn't look."""
    values: Callable[[CallScore], Sequence[float]]
    """What a call brings to its window."""
    measure: Callable[[Sequence[float]], float]
    """What the window is judged by."""


def _p95(values: Sequence[float]) -> float:
    return float(np.percentile(values, 95))


def _turns(call: CallScore) -> Sequence[float]:
    return _all_values(call, "turn_latencies")


def _reactions(call: CallScore) -> Sequence[float]:
    return _all_values(call, "barge_in_reactions")


def _all_values(call: CallScore, name: str) -> list[float]:
    found = call.summary.distribution(name)
    return [*found.exact, *(value for value, count in found.others for _ in range(count))]


ALERTS = (
    AlertRule("HighTurnResponseLatency", 2.0, "s", 900, True, 10, _turns, _p95),
    AlertRule("CriticalTurnResponseLatency", 5.0, "s", 300, True, 4, _turns, _p95),
    AlertRule("SlowBargeInReaction", 0.8, "s", 1_800, False, 5, _reactions, _p95),
)
"""The alerts on what a record holds call by call, and that a percentile can be a threshold of."""

MIN_FRAMES = 500
UNDERFLOW_ALERT = ("HighUnderflowRate", 0.05, 300.0)
"""Its name, its share of fillers now, and its window in seconds."""


@dataclass(frozen=True, slots=True)
class AlertProposal:
    """An alert's threshold now, and the one that these calls suggest."""

    name: str
    unit: str
    present: float
    proposed: float | None
    """None where the calls fill too few windows."""
    windows: int
    """Windows with enough traffic."""
    over_present: int
    """How many of them exceed the present threshold."""


def propose_alerts(calls: Iterable[CallScore]) -> list[AlertProposal]:
    """Return for each alert the value that one window in a hundred exceeds.

    A call counts in the window in which it ended, for which its start must be known.
    """
    known = [call for call in calls if call.summary.started_at is not None]
    found = [
        _proposal(rule.name, rule.unit, rule.present, _measured(known, rule)) for rule in ALERTS
    ]
    name, present, window = UNDERFLOW_ALERT
    return [*found, _proposal(name, "", present, _filler_shares(known, window))]


def _proposal(name: str, unit: str, present: float, measured: list[float]) -> AlertProposal:
    enough = len(measured) >= MIN_WINDOWS
    proposed = _rounded(float(np.percentile(measured, ALERT_PERCENTILE))) if enough else None
    over = sum(value > present for value in measured)
    return AlertProposal(name, unit, present, proposed, len(measured), over)


def _measured(calls: Sequence[CallScore], rule: AlertRule) -> list[float]:
    """Return what the alert would have seen in each window with enough traffic."""
    windows: dict[object, list[float]] = defaultdict(list)
    for call in calls:
        provider = call.summary.provider if rule.per_provider else None
        windows[provider, _ended(call) // rule.window].extend(rule.values(call))
    return [rule.measure(values) for values in windows.values() if len(values) >= rule.min_count]


def _filler_shares(calls: Sequence[CallScore], window: float) -> list[float]:
    """Return the fillers' share of all frames in each window with enough of them."""
    frames: dict[float, list[int]] = defaultdict(lambda: [0, 0])
    for call in calls:
        fillers = call.summary.underflows or 0
        counted = frames[_ended(call) // window]
        counted[0] += fillers
        counted[1] += fillers + (call.summary.frames_sent or 0)
    return [fillers / total for fillers, total in frames.values() if total >= MIN_FRAMES]


def _ended(call: CallScore) -> float:
    return (call.summary.started_at or 0.0) + (call.summary.duration or 0.0)
