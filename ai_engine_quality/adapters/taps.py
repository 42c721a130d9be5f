"""Listens to what is observed on a histogram, without knowing whose histogram it is.

A histogram belongs to a module, not to an engine, so that several attachments may listen to one.
The first one wraps its ``observe``, and the last one to leave takes the wrap back. A histogram that
outlives an engine keeps nobody alive: who is gone, has left.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

from ai_engine_quality.adapters.wraps import RemainingWrap, Wraps

Listener = Callable[[float], object]
Failed = Callable[[Exception], None]


class _Tap:
    """One method of one object that attachments share."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.users: list[weakref.ref[Taps]] = []
        self.wraps = Wraps(_ignore)

    def notify(self, *values: Any) -> None:
        """Hand values to everybody who listens."""
        for user in tuple(self.users):
            if (taps := user()) is not None:
                taps.heard(self, values)

    def notify_of_child(
        self, _note: object, child: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        """Hand on a labelled child and its label values, whichever way they were given."""
        self.notify(child, args or tuple(kwargs.values()))

    def left(self, user: weakref.ref[Taps]) -> tuple[RemainingWrap, ...]:
        """Forget somebody who has left; with the last one the wrap goes too."""
        self.users.remove(user)
        if self.users:
            return ()
        _taps.pop(id(self.owner), None)
        return self.wraps.restore()


def _ignore(error: Exception) -> None:
    """Do nothing: each listener's error has been handed to that listener already."""


_taps: dict[int, _Tap] = {}


class Taps:
    """The histograms that one attachment listens to."""

    def __init__(self, on_error: Failed) -> None:
        """Listen to none yet; ``on_error`` gets what a listener raised."""
        self._on_error = on_error
        self._mine: dict[_Tap, list[Callable[..., object]]] = {}

    def observe(self, histogram: Any, listener: Listener) -> None:
        """Call ``listener(value)`` before each ``histogram.observe(value)``.

        Raises:
            CannotWrap: it has no such method.
        """
        tap = _taps.get(id(histogram))
        if tap is None:
            tap = _Tap(histogram)
            tap.wraps.set(histogram, "observe", ("amount",), coroutine=False, before=tap.notify)
            _taps[id(histogram)] = tap
        self._join(tap, listener)

    def children(self, histogram: Any, listener: Callable[[Any, tuple[Any, ...]], object]) -> None:
        """Call ``listener(child, label values)`` whenever a labelled child is asked for.

        Raises:
            CannotWrap: it has no such method.
        """
        tap = _taps.get(id(histogram))
        if tap is None:
            tap = _Tap(histogram)
            tap.wraps.set(histogram, "labels", None, coroutine=False, after=tap.notify_of_child)
            _taps[id(histogram)] = tap
        self._join(tap, listener)

    def _join(self, tap: _Tap, listener: Callable[..., object]) -> None:
        if tap not in self._mine:
            self._mine[tap] = []
            tap.users.append(weakref.ref(self, tap.left))
        self._mine[tap].append(listener)

    def heard(self, tap: _Tap, values: tuple[Any, ...]) -> None:
        """Hand values to every listener; what one raises is its own, and the others listen on."""
        for listener in tuple(self._mine.get(tap, ())):
            try:
                listener(*values)
            except Exception as error:
                self._on_error(error)

    def listens_to(self, histogram: Any) -> bool:
        """Return whether this attachment listens to a histogram."""
        return _taps.get(id(histogram)) in self._mine

    def leave(self, histogram: Any) -> tuple[RemainingWrap, ...]:
        """Stop listening to one histogram; return what could not be taken back."""
        tap = _taps.get(id(histogram))
        return () if tap is None or tap not in self._mine else self._quit(tap)

    def leave_all(self) -> tuple[RemainingWrap, ...]:
        """Stop listening; return what could not be taken back."""
        return tuple(left for tap in reversed(tuple(self._mine)) for left in self._quit(tap))

    def _quit(self, tap: _Tap) -> tuple[RemainingWrap, ...]:
        del self._mine[tap]
        mine = next(user for user in tap.users if user() is self)
        return tap.left(mine)
