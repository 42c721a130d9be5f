"""An event loop whose clock can be real, faster than real, or virtual.

In virtual time nothing sleeps: as soon as no socket is ready, the clock jumps to the next timer.
Sockets are still polled on every turn of the loop, so an HTTP server in the same loop answers while
hours of calls pass in seconds. The speed can be changed while the loop runs, e.g. virtual for a
batch of calls and real afterwards.

In between there is time that waits for the machine: with a `longest_step` the clock never goes on
by more than that in one turn of the loop, however long the turn took. A machine that is busy with
other programs makes such calls last longer, and not worse.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from typing import Final, Self

VIRTUAL: Final = math.inf
"""The speed at which time costs nothing: the clock jumps from timer to timer."""

REAL: Final = 1.0
"""The speed at which a second of a call takes a second."""

_START_SECONDS: Final = 1_000.0


class _Pace:
    """The relation of loop time to real time, in seconds."""

    def __init__(self, speed: float, longest_step: float) -> None:
        self._at = _START_SECONDS
        self._since = time.monotonic()
        self._longest_step = longest_step
        self.speed = _checked(speed)

    def now(self) -> float:
        if self.speed == VIRTUAL:
            return self._at
        return self._at + min(self._passed(), self._longest_step)

    def change(self, speed: float) -> None:
        checked = _checked(speed)
        self._settle()
        self.speed = checked

    def turn(self) -> None:
        """A turn of the loop is over: what it took counts, up to the longest step."""
        if self._longest_step < math.inf:
            self._settle()

    def waited(self, seconds: float) -> None:
        """The loop has waited for a timer so far away: what it overslept doesn't count."""
        if self._longest_step < math.inf:
            self._at += min(self._passed(), seconds)
            self._since = time.monotonic()

    def _settle(self) -> None:
        self._at, self._since = self.now(), time.monotonic()

    def _passed(self) -> float:
        return (time.monotonic() - self._since) * self.speed

    def jump(self, seconds: float) -> None:
        self._at += seconds


def _checked(speed: float) -> float:
    if not speed > 0:
        raise ValueError(
            f"speed must be over 0 (1 is real time, VIRTUAL never sleeps), not {speed!r}"
        )
    return speed


class _PacedSelector(selectors.DefaultSelector):
    """Waits for sockets, but never longer than the pace makes of the loop's timeout."""

    def __init__(self, pace: _Pace) -> None:
        super().__init__()
        self._pace = pace

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._pace.speed != VIRTUAL:
            return self._paced(timeout)
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self._pace.jump(timeout)
        return ready

    def _paced(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        self._pace.turn()
        speed = self._pace.speed
        ready = super().select(timeout / speed if timeout and timeout > 0 else timeout)
        self._pace.waited(math.inf if timeout is None else max(timeout, 0.0))
        return ready


class EngineLoop(asyncio.SelectorEventLoop):
    """An asyncio loop that runs at a chosen speed: `REAL`, a factor such as 10.0, or `VIRTUAL`.

    `time()` is the monotonic clock (seconds) and `wall_time()` the matching unix clock (seconds):
    hand both to whatever must live in the same time as the loop. `epoch` is the unix time at which
    the loop is born; by default, now. `longest_step`, in seconds of the loop, is what the clock
    goes on by at most in one turn of the loop.
    """

    def __new__(
        cls, speed: float = REAL, *, epoch: float | None = None, longest_step: float = math.inf
    ) -> Self:
        """Refuse a wrong speed before there is half a loop that asyncio would have to clean up."""
        del epoch
        if not longest_step > 0:
            raise ValueError(f"longest_step must be over 0 seconds, not {longest_step!r}")
        _checked(speed)
        return super().__new__(cls)

    def __init__(
        self, speed: float = REAL, *, epoch: float | None = None, longest_step: float = math.inf
    ) -> None:
        self._pace = _Pace(speed, longest_step)
        self._epoch = (time.time() if epoch is None else epoch) - _START_SECONDS
        super().__init__(_PacedSelector(self._pace))

    def time(self) -> float:
        """Seconds on the loop's own monotonic clock."""
        return self._pace.now()

    def wall_time(self) -> float:
        """Unix seconds that advance with the loop's clock, for display."""
        return self._epoch + self.time()

    @property
    def speed(self) -> float:
        """Seconds of loop time per second of real time; `VIRTUAL` when it never sleeps."""
        return self._pace.speed

    def set_speed(self, speed: float) -> None:
        """Change the speed from now on; the clock goes on where it is. Call it inside the loop."""
        self._pace.change(speed)

    async def shutdown_default_executor(self, *limit: float | None) -> None:
        """Wait for the executor's threads in real time: virtually, any limit would be over at once.

        Python 3.12 and newer give a `limit`, in seconds.
        """
        self.set_speed(REAL)
        await super().shutdown_default_executor(*limit)

    def set_wall_time(self, unix_seconds: float) -> None:
        """Say what the unix time is now: the true one, when virtual time has run ahead of it."""
        self._epoch = unix_seconds - self.time()
