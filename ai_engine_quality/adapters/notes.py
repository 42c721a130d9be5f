"""What passes on an engine's frame path, noted there and looked into a moment later.

An engine spends some tenths of a millisecond on each frame, and what it does meanwhile takes the
processor's caches from whatever else is run: a line of ours costs several times what it does in a
loop. So the frame path only notes what passes, and when; some hundreds of notes are taken at once.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any, NamedTuple

MOST_WAITING = 256
"""Notes that are taken at once: a call makes some 150 a second."""

Take = Callable[..., object]
"""Called with when it passed, in monotonic seconds, and the noted arguments."""


class Taker:
    """Who takes notes of one kind; it can be told to take no more, also of those that wait."""

    __slots__ = ("take",)

    def __init__(self, take: Take) -> None:
        self.take: Take | None = take


_Note = tuple[Taker, float, tuple[Any, ...]]


class Notes:
    """Notes in the order in which they were made. Who appends one asks ``flush`` when it is full.

    Whoever needs what was seen until now, as a scrape in its own thread, flushes before it looks.
    """

    def __init__(self, now: Callable[[], float], on_error: Callable[[Exception], None]) -> None:
        """Begin without a note.

        Args:
            now: Monotonic seconds.
            on_error: Called with what a ``Take`` raised.
        """
        self.now = now
        self.waiting: list[_Note] = []
        """Always the same list."""
        self._on_error = on_error
        self.begin_anew()

    def begin_anew(self) -> None:
        """Hold nothing: in a forked child it is the parent's, and so may be who holds the lock."""
        self.waiting.clear()
        self._flushing = RLock()

    def add(self, taker: Taker, arguments: tuple[Any, ...]) -> None:
        """Note something that passes now."""
        self.waiting.append((taker, self.now(), arguments))
        if len(self.waiting) >= MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Take what was noted. What a note brings about may flush again: it finds nothing."""
        if not self.waiting:
            return
        with self._flushing:  # two threads would take frames in another order
            batch = self.waiting.copy()
            del self.waiting[: len(batch)]
            for taker, at, arguments in batch:
                take = taker.take
                if take is None:
                    continue
                try:
                    take(at, *arguments)
                except Exception as error:
                    self._on_error(error)


class Noted(NamedTuple):
    """How the calls of a method on the frame path are noted."""

    notes: Notes
    take: Take
    """Called with when it passed, and the named leading arguments."""
    argument: str = ""
    """The name of one of those arguments."""
    but_for: frozenset[str] = frozenset()
    """Values of that argument: nobody wants a call that has one of them, by its place."""
