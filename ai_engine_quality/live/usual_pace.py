"""What pace is usual for a provider's voice: the median of its latest calls in this process.

Kept in memory only, as the scores in ``baseline`` are. A call at a wrong speed doesn't enter, so
that faults don't become usual. But where calls at another speed are as many as the others, the
voice was changed: what is usual is then learned anew.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from threading import RLock

from ai_engine_quality.core.policy import Policy
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.summary import CallSummary
from ai_engine_quality.core.wrong_speed import comparable_pace, is_unusual, seeming_speed
from ai_engine_quality.live.baseline import MAX_PROVIDERS, MIN_CALLS
from ai_engine_quality.live.recent import Recent
from ai_engine_quality.live.sections import SECTIONS

CALLS = 100
"""Calls of a voice that a new one is compared with."""

WATCHED_CALLS = 40
CHANGED_CALLS = 20
"""So many of the latest at another speed: the voice was changed."""

NEAR = 1.2
"""Paces of one voice lie within this ratio of their median: of 356 healthy samples 355 do
(docs/Evidence.md, "Wrong speed")."""

NEAR_SHARE = 0.9
"""Of its calls; where fewer do, several voices serve the pair, and none is usual."""


class UsualPaces:
    """The latest paces, by provider and pipeline: each such pair is taken to have one voice."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._voices: dict[tuple[str, str | None], _Voice] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a forked child: the lock may be held by a thread that isn't there."""
        self._comparing = RLock()  # a scrape may end an overdue call in a thread of its own

    def beside(self, summary: CallSummary) -> CallSummary:
        """Return a call with what is usual for its voice, where that is known."""
        if summary.provider is None or summary.agent_characters is None:
            return summary
        with SECTIONS, self._comparing:
            voice = self._voices.get((summary.provider, summary.pipeline))
            usual = None if voice is None else voice.usual()
        if usual is None:
            return summary
        return replace(summary, usual_pace=usual[0], usual_speed=usual[1])

    def remember(self, score: CallScore) -> None:
        """Take a finished call's pace, unless it is one at a wrong speed."""
        summary = score.summary
        spoken = comparable_pace(summary, self._policy)
        if summary.provider is None or spoken is None:
            return
        wrong = any(ceiling.rule == "wrong_speed" for ceiling in score.ceilings)
        with SECTIONS, self._comparing:
            voice = self._voice(summary.provider, summary.pipeline)
            if voice is None:
                return
            if not wrong:
                voice.add(spoken, seeming_speed(summary, self._policy))
            elif is_unusual(summary, self._policy):
                voice.add_unusual()

    def _voice(self, provider: str, pipeline: str | None) -> _Voice | None:
        found = self._voices.get((provider, pipeline))
        if found is None and len(self._voices) < MAX_PROVIDERS:
            found = self._voices[provider, pipeline] = _Voice()
        return found


class _Voice:
    """What was heard of one voice lately."""

    __slots__ = ("_paces", "_speeds", "_unusual")

    def __init__(self) -> None:
        self._unusual: deque[bool] = deque(maxlen=WATCHED_CALLS)
        self._learn_anew()

    def _learn_anew(self) -> None:
        self._paces = Recent(CALLS)
        self._speeds = Recent(CALLS)
        self._unusual.clear()

    def usual(self) -> tuple[float, float | None] | None:
        """Return the medians of pace and of seeming speed; None with too few, or several voices."""
        pace = _median(self._paces)
        if pace is None:
            return None
        near = self._paces.up_to(pace * NEAR) - self._paces.under(pace / NEAR)
        return (pace, _median(self._speeds)) if near / len(self._paces) >= NEAR_SHARE else None

    def add(self, pace: float, speed: float | None) -> None:
        self._unusual.append(False)
        self._paces.add(round(pace, 3))
        if speed is not None:
            self._speeds.add(round(speed, 3))

    def add_unusual(self) -> None:
        """Take a call at another speed than the usual one: many of them are another voice."""
        self._unusual.append(True)
        if sum(self._unusual) >= CHANGED_CALLS:
            self._learn_anew()


def _median(latest: Recent) -> float | None:
    """Return the median; None with fewer than 20."""
    return latest.middle() if len(latest) >= MIN_CALLS else None
