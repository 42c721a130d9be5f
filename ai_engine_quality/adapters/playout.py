"""A far end that plays in real time what it was given at once: what is heard, and when."""

from __future__ import annotations

from collections import deque

from ai_engine_quality.adapters.pcm import Track, cut, seconds_of


class Playout:
    """Audio that was handed over, until its time comes. What is thrown away before is never heard.

    Args:
        track: Who takes what is heard.
    """

    __slots__ = ("_end", "_held_at", "_track", "_waiting")

    def __init__(self, track: Track) -> None:
        self._track = track
        self._waiting: deque[tuple[float, bytes, int]] = deque()
        """(seconds until which it waits, frame, rate)."""
        self._end = float("-inf")
        self._held_at: float | None = None

    @property
    def waiting(self) -> bool:
        """Whether there is audio that is still to be heard."""
        return bool(self._waiting)

    def take(self, data: bytes, rate: int, now: float) -> None:
        """Take a chunk; it is played after those before it."""
        self.release(now)
        start = max(now if self._held_at is None else self._held_at, self._end)
        for after, frame in cut(data, rate):
            self._waiting.append((start + after, frame, rate))
        self._end = start + seconds_of(data, rate)

    def release(self, now: float) -> None:
        """Let the track have what is heard by now."""
        until = now if self._held_at is None else min(now, self._held_at)
        while self._waiting and self._waiting[0][0] <= until:
            at, frame, rate = self._waiting.popleft()
            self._track.sent(frame, rate, at)

    def hold(self, now: float) -> None:
        """Stand still. Again while it does so, nothing changes."""
        self.release(now)
        if self._held_at is None:
            self._held_at = now

    def resume(self, now: float) -> None:
        """Go on where it stood still."""
        if self._held_at is None:
            return
        later, self._held_at = now - self._held_at, None
        self._waiting = deque((at + later, frame, rate) for at, frame, rate in self._waiting)
        self._end = max(now, self._end + later)

    def clear(self, now: float) -> bool:
        """Throw away what was not heard yet; return whether there was any."""
        self.release(now)
        waited = bool(self._waiting)
        self._waiting.clear()
        self._end = min(self._end, now)
        return waited
