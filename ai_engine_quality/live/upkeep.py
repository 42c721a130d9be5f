"""What each scrape brings up to date: calls that never end expire, and live bands are made anew."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable
from typing import Protocol

from ai_engine_quality.core.observations import DropReason
from ai_engine_quality.core.policy import Policy
from ai_engine_quality.core.scoring import provisional_band
from ai_engine_quality.live.facts import NOT_SCORED, LiveCount
from ai_engine_quality.live.handle import CallHandle
from ai_engine_quality.live.live_calls import LiveCalls

MAX_EXPIRED = 200
"""Calls that expire at once: after a jump of the clock all may be due, and audio has to go on."""


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

    def before_collect(self) -> None:
        """Bring everything that is collected up to date; never raises into a scrape."""
        try:
            self.expire_calls()
            for handle in self._live.all():
                handle.count_heard_turns()
            self.rescore_some()
        except Exception as error:
            self._owner.drop(DropReason.INTERNAL_ERROR, error)

    def expire_calls(self) -> int:
        """End some of the calls that never ended; return how many.

        Runs at each start and scrape, and each time takes a few: the loop that paces audio waits.
        """
        now = self._clock()
        self._live.forget_ended(now)
        for expired in range(MAX_EXPIRED):
            oldest = self._live.oldest_overdue(now)
            if oldest is None:
                return expired
            self._owner.expire(oldest)
        return MAX_EXPIRED

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
