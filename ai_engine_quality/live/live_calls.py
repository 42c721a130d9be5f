"""The calls in progress, and those that ended lately: bounded, and safe between threads."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import RLock

from ai_engine_quality.core.call import CallAccumulator
from ai_engine_quality.core.observations import DropReason, Rejected
from ai_engine_quality.core.policy import Band
from ai_engine_quality.live.facts import LIMITS, NOT_SCORED, SILENT_SECONDS, LiveCount
from ai_engine_quality.live.handle import CallHandle
from ai_engine_quality.live.sections import SECTIONS

TOMBSTONE_SECONDS = 900.0
"""An ended call is remembered as long as the engine itself remembers one."""

MAX_TOMBSTONES = 100_000

MAX_RESCORED = 20
"""Live calls whose provisional band is made anew at once: a millisecond's worth, in a scrape."""

RESCORE_SECONDS = 0.002
"""And so long: the loop that paces audio waits meanwhile."""

FORGOTTEN_AT_ONCE = 10_000
"""Ended calls that are forgotten between two looks at the time: 3 ms."""

_LEAST_SILENT = min(SILENT_SECONDS.values())

MAX_LOOKED_AT = 200
"""Live calls that are looked at for changes at once."""


class LiveCalls:
    """Handles of live calls by call id, tombstones of ended ones, and a count by band."""

    def __init__(self, *, max_live_calls: int, expire_after: float) -> None:
        """Hold none yet.

        Args:
            max_live_calls: Calls at once.
            expire_after: Seconds after which a call is overdue.

        Raises:
            ValueError: one of them is out of range.
        """
        LIMITS["max_live_calls"]("max_live_calls", max_live_calls)
        LIMITS["expire_after"]("expire_after", expire_after)
        self._max_calls = max_live_calls
        self._expire_after = expire_after
        self.begin_anew()
        self.handles: dict[str, CallHandle] = {}
        """By call id, oldest first; read without a lock by every observation."""
        self._to_rescore: list[CallHandle] = []
        """Those whose turn it still is in this round of rescoring, the next one last."""
        self._bands = dict.fromkeys([*(band.value for band in Band), NOT_SCORED], 0)
        self._silent = dict.fromkeys(SILENT_SECONDS, 0)
        self._ended: OrderedDict[str, float] = OrderedDict()  # call id to when; oldest first

    def begin_anew(self) -> None:
        """In a forked child: the lock may be held by a thread that isn't there."""
        self._lock = RLock()

    def __len__(self) -> int:
        return len(self.handles)

    def add(self, handle: CallHandle) -> None:
        """Take a call that has started.

        Raises:
            Rejected: it is live, has ended lately, or there are too many.
        """
        with SECTIONS, self._lock:
            if handle.call_id in self.handles:
                raise Rejected(DropReason.ALREADY_STARTED)
            if self._ended_before(handle):
                raise Rejected(DropReason.CALL_ENDED)
            if len(self.handles) >= self._max_calls:
                raise Rejected(DropReason.TOO_MANY_CALLS)
            self.handles[handle.call_id] = handle
            self._set_band(handle, NOT_SCORED)

    def _ended_before(self, handle: CallHandle) -> bool:
        """Return whether a call of this id ended lately: its tombstone may wait to be taken."""
        ended, call = self._ended.get(handle.call_id), handle.accumulator
        return ended is not None and call is not None and call.started - ended < TOMBSTONE_SECONDS

    def ended_lately(self, call_id: str) -> bool:
        """Return whether a call has ended within the last 15 minutes."""
        return call_id in self._ended

    def take(self, handle: CallHandle, now: float) -> CallAccumulator | None:
        """Return what an ending call observed, and forget it; None where another was faster."""
        with SECTIONS, self._lock:
            call = handle.close(DropReason.CALL_ENDED)
            if call is not None:
                self.handles.pop(handle.call_id, None)
                self._set_band(handle, None)
                self.set_silence(handle, 0.0)
                self._ended.pop(handle.call_id, None)
                self._ended[handle.call_id] = now
            return call

    def all(self) -> list[CallHandle]:
        """Return the live calls' handles, oldest first."""
        with SECTIONS, self._lock:
            return list(self.handles.values())

    def clear(self) -> None:
        """Forget every live call; their handles drop from now on."""
        with SECTIONS, self._lock:
            for handle in self.handles.values():
                handle.close(DropReason.UNKNOWN_CALL)
                self._set_band(handle, None)
                self.set_silence(handle, 0.0)
            self.handles.clear()
            self._to_rescore.clear()

    def oldest_overdue(self, now: float) -> CallHandle | None:
        """Return the oldest call, where it has been live for longer than a call may be."""
        with SECTIONS, self._lock:
            handle = next(iter(self.handles.values()), None)
            call = handle.accumulator if handle else None
            overdue = call is not None and now - call.started >= self._expire_after
            return handle if overdue else None

    def forget_ended(self, now: float, until: float) -> None:
        """Drop old tombstones: by them, late events and second ends are known for what they are.

        Args:
            now: The monitor's clock.
            until: When to leave the rest for later, by ``time.perf_counter``.
        """
        with SECTIONS, self._lock:
            dropped = 0
            while self._ended:
                call_id, ended = next(iter(self._ended.items()))
                if now - ended < TOMBSTONE_SECONDS and len(self._ended) <= MAX_TOMBSTONES:
                    return
                del self._ended[call_id]
                dropped += 1
                if dropped % FORGOTTEN_AT_ONCE == 0 and time.perf_counter() >= until:
                    return

    def rescore_some(self, band_of: Callable[[CallHandle], str | None]) -> None:
        """Make some calls' provisional bands anew: round after round, each call once in a round.

        ``band_of`` gives None for a call in which nothing has changed.
        """
        rescored, began = 0, time.perf_counter()
        with SECTIONS, self._lock:
            for _ in range(min(MAX_LOOKED_AT, len(self.handles))):
                if not self._to_rescore:
                    self._to_rescore = list(reversed(self.handles.values()))
                handle = self._to_rescore.pop()
                band = band_of(handle) if handle.live else None
                if band is not None:
                    self._set_band(handle, band)
                    rescored += 1
                if rescored == MAX_RESCORED or time.perf_counter() - began > RESCORE_SECONDS:
                    return

    def count(self) -> LiveCount:
        """Return how many calls are live, by provisional band and by silence."""
        with SECTIONS, self._lock:
            return LiveCount(len(self.handles), dict(self._bands), dict(self._silent))

    def set_silence(self, handle: CallHandle, seconds: float) -> None:
        """Count a call by how long nothing of it was observed; 0 takes it out."""
        if not handle.silences and seconds < _LEAST_SILENT:
            return  # it counted nowhere, and still doesn't
        with SECTIONS, self._lock:
            for passed, (name, least) in enumerate(SILENT_SECONDS.items()):
                self._silent[name] += (seconds >= least) - (handle.silences > passed)
            handle.silences = sum(seconds >= least for least in SILENT_SECONDS.values())

    def _set_band(self, handle: CallHandle, band: str | None) -> None:
        if handle.band is not None:
            self._bands[handle.band] -= 1
        if band is not None:
            self._bands[band] += 1
        handle.band = band
