"""Listens to what is observed on a histogram, without knowing whose histogram it is.

A histogram belongs to a module, not to an engine, so that several attachments may listen to one.
The first one wraps its ``observe``, and the last one to leave takes the wrap back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ai_engine_quality.adapters.wraps import RemainingWrap, Wraps

Listener = Callable[[float], object]
Failed = Callable[[Exception], None]


class _Tap:
    """One method of one object that listeners share."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.listeners: list[tuple[Callable[..., object], Failed]] = []
        self.wraps = Wraps(_ignore)

    def notify(self, *values: Any) -> None:
        """Hand values to every listener; what one raises is its own, and the others listen on."""
        for listener, failed in tuple(self.listeners):
            try:
                listener(*values)
            except Exception as error:
                failed(error)

    def notify_of_child(
        self, _note: object, child: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        """Hand on a labelled child and its label values, whichever way they were given."""
        self.notify(child, args or tuple(kwargs.values()))


def _ignore(error: Exception) -> None:
    """Do nothing: a tap hands each listener's error to that listener already."""


_taps: dict[int, _Tap] = {}


class Taps:
    """The histograms that one attachment listens to."""

    def __init__(self, on_error: Failed) -> None:
        """Listen to none yet; ``on_error`` gets what a listener raised."""
        self._on_error = on_error
        self._mine: list[tuple[_Tap, Callable[..., object]]] = []

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
        tap.listeners.append((listener, self._on_error))
        self._mine.append((tap, listener))

    def listens_to(self, histogram: Any) -> bool:
        """Return whether this attachment listens to a histogram."""
        return any(tap.owner is histogram for tap, _ in self._mine)

    def leave(self, histogram: Any) -> tuple[RemainingWrap, ...]:
        """Stop listening to one histogram; return what could not be taken back."""
        gone = [entry for entry in self._mine if entry[0].owner is histogram]
        self._mine = [entry for entry in self._mine if entry[0].owner is not histogram]
        return tuple(left for tap, listener in gone for left in self._quit(tap, listener))

    def leave_all(self) -> tuple[RemainingWrap, ...]:
        """Stop listening; return what could not be taken back."""
        gone, self._mine = self._mine, []
        return tuple(left for tap, listener in reversed(gone) for left in self._quit(tap, listener))

    def _quit(self, tap: _Tap, listener: Callable[..., object]) -> tuple[RemainingWrap, ...]:
        tap.listeners = [entry for entry in tap.listeners if entry[0] != listener]
        if tap.listeners:
            return ()
        _taps.pop(id(tap.owner), None)
        return tap.wraps.restore()
