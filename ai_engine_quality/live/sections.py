"""Sections that an interruption must not enter: what arrives within one is done after it.

A call's end may come from a ``weakref.finalize`` that the garbage collector runs, or from a signal
handler: at any point of any thread, also in the middle of another call's end. There, locks are
held and counts are half made. So it waits until its own thread has left what it interrupted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class _Here(threading.local):
    """Of one thread: how many sections it is within, and what came meanwhile."""

    depth = 0

    def __init__(self) -> None:
        self.waiting: deque[Callable[[], object]] = deque()


class Sections:
    """``with SECTIONS:`` around what must not be entered a second time by the same thread."""

    def __init__(self) -> None:
        self._here = _Here()

    def __enter__(self) -> None:
        self._here.depth += 1

    def __exit__(self, *_: object) -> None:
        here = self._here
        here.depth -= 1
        while here.waiting and not here.depth:
            here.waiting.popleft()()

    @property
    def inside(self) -> bool:
        """Whether this thread is within a section, so that what comes now has interrupted it."""
        return self._here.depth > 0

    def afterwards(self, work: Callable[[], object]) -> None:
        """Do something as soon as this thread has left its sections."""
        self._here.waiting.append(work)


SECTIONS = Sections()
"""All of the library's: a thread is in one, or in none."""
