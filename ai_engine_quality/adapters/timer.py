"""One asyncio task that polls all calls a few times a second, for as long as there are any."""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

SECONDS_BETWEEN_POLLS = 0.187
"""No multiple of the 20 ms in which audio is cut: else every poll could fall at the same place."""

WHERE_FRAMES_ARE_SEEN = 1.987
"""Seconds between polls, where each frame of both sides comes by another way: no poll is needed for
a level at the engine's edge then."""

POLLS_PER_SECOND = 500
"""Beyond this, each call is polled less often, so that our share of a core is bounded."""

CALLS_AT_ONCE = 50
"""Calls polled before the loop has its turn: it paces the audio every 20 ms."""


def seconds_between_polls(calls: int, usual: float = SECONDS_BETWEEN_POLLS) -> float:
    """Return the seconds until all calls are polled again: a multiple of the usual ones."""
    return usual * max(1, math.ceil(calls / (POLLS_PER_SECOND * usual)))


class Timer:
    """Runs in the engine's loop, from the first call's start until no call is left.

    An idle engine has no task of ours, so that there is nothing for its shutdown to wait for.
    """

    def __init__(
        self,
        poll: Callable[[Any, float], object],
        calls: Callable[[], Iterable[Any]],
        on_error: Callable[[Exception], None],
        seconds_between_polls: float = SECONDS_BETWEEN_POLLS,
    ) -> None:
        """Begin without a task.

        Args:
            poll: Called with each call, and the seconds since the poll before, at most twice the
                usual ones: a loop that stood still has heard nothing meanwhile.
            calls: Returns the live calls.
            on_error: Called with what a poll raised.
            seconds_between_polls: Seconds.
        """
        self._poll = poll
        self._calls = calls
        self._on_error = on_error
        self.between = seconds_between_polls
        """Seconds between polls of a call; from the next poll on."""
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether its task is alive."""
        return self._task is not None and not self._task.done()

    def ensure_running(self) -> None:
        """Start the task in the running loop, unless it is there. Called when a call starts."""
        loop = asyncio.get_running_loop()
        if self._task is not None and self._task.get_loop() is loop and not self._task.done():
            return
        # A context of its own: else its log lines would carry the first call's fields.
        self._task = loop.create_task(
            self._run(), name="ai-engine-quality-timer", context=contextvars.Context()
        )

    def cancel(self) -> None:
        """Stop the task, from whichever thread."""
        task, self._task = self._task, None
        if task is None or task.done():
            return
        loop = task.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        before = clock()
        while calls := list(self._calls()):
            between = seconds_between_polls(len(calls), self.between)
            await asyncio.sleep(between)
            now = clock()
            seconds, before = min(now - before, 2 * between), now
            for first in range(0, len(calls), CALLS_AT_ONCE):
                if first:
                    await asyncio.sleep(0)
                self._poll_all(calls[first : first + CALLS_AT_ONCE], seconds)

    def _poll_all(self, calls: Sequence[Any], seconds: float) -> None:
        for call in calls:
            try:
                self._poll(call, seconds)
            except Exception as error:
                self._on_error(error)
