"""What each scrape brings up to date: calls that never end expire, and live bands are made anew.

All of it is bounded by time: what a scrape doesn't get to, the next one does.
"""

from __future__ import annotations

import time
from bisect import bisect
from collections.abc import Callable
from typing import Protocol

from ai_engine_quality.core.observations import DropReason
from ai_engine_quality.core.policy import Policy
from ai_engine_quality.core.scoring import provisional_band
from ai_engine_quality.live.facts import NOT_SCORED, LiveCount
from ai_engine_quality.live.handle import CallHandle
from ai_engine_quality.live.live_calls import LiveCalls

EXPIRE_SECONDS = 0.002
"""How long calls may expire in a scrape: after a jump of the clock all may be due, and audio has to
go on."""

EXPIRE_SECONDS_AT_START = 0.001
"""And where a call starts."""

HEAR_SECONDS = 0.001
"""How long turns that were heard are counted. Together with bands made anew: 5 ms."""


class Owner(Protocol):
    """What is asked of the monitor whose calls these are."""

    policy: Policy

    def expire(self, handle: CallHandle) -> None:
        """End a call that never ended."""

    def drop(self, reason: DropReason, error: BaseException | None = None, words: str = "") -> None:
        """Count what went wrong."""


class Upkeep:
    """Keeps a monitor's live calls up to date."""

    def __init__(self, owner: Owner, live: LiveCalls, clock: Callable[[], float]) -> None:
        self._owner = owner
        self._live = live
        self._clock = clock
        self._milestones = owner.policy.milestones()
        self._to_hear: list[CallHandle] = []
        """Live calls whose heard turns are still to be counted in this round."""

    def before_collect(self) -> None:
        """Bring everything that is collected up to date; never raises into a scrape."""
        try:
            self.expire_calls(EXPIRE_SECONDS)
            self._count_heard_turns()
            self.rescore_some()
        except Exception as error:
            self._owner.drop(DropReason.INTERNAL_ERROR, error)

    def expire_calls(self, seconds: float = EXPIRE_SECONDS_AT_START) -> int:
        """End some of the calls that never ended; return how many: at least one of those due.

        Runs at each start and scrape, for a short time: the loop that paces audio waits.
        """
        now, until = self._clock(), time.perf_counter() + seconds
        expired = 0
        while (oldest := self._live.oldest_overdue(now)) is not None:
            self._owner.expire(oldest)
            expired += 1
            if time.perf_counter() >= until:
                break
        self._live.forget_ended(now, until)
        return expired

    def _count_heard_turns(self) -> None:
        until = time.perf_counter() + HEAR_SECONDS
        if not self._to_hear:
            self._to_hear = self._live.all()
        while self._to_hear:
            self._to_hear.pop().count_heard_turns()
            if time.perf_counter() >= until:
                return

    def rescore_some(self) -> LiveCount:
        """Make some calls' provisional bands anew; return how many calls each band has."""
        self._live.rescore_some(self._band)
        return self._live.count()

    def _band(self, handle: CallHandle) -> str | None:
        """Return the band that a call would have if it ended now; None: nothing has changed."""
        call = handle.accumulator
        if call is None:
            return None
        now = self._clock()
        duration = now - call.started
        observed = call.progress()
        if handle.progress is None or observed != handle.progress[:-1]:
            handle.observed_at = now
        self._live.set_silence(handle, now - handle.observed_at)
        progress = (*observed, bisect(self._milestones, duration))
        if progress == handle.progress:
            return None
        handle.progress = progress
        found = provisional_band(call.freeze(duration=duration), self._owner.policy)
        return found.value if found else NOT_SCORED
