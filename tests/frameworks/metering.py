"""What observing costs: the processor time that a framework's process spends in the adapter."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

TRIALS = 5_000


def _nothing() -> None:
    """Do nothing."""


class Meter:
    """Adds up the thread's processor time in functions; of nested ones the outermost counts."""

    def __init__(self) -> None:
        self._seconds = self._own = 0.0
        self._outermost = 0
        self.calls: Counter[str] = Counter()
        """How often each was called, by its name."""
        self._inside = False
        nothing = self.around(_nothing)
        for _ in range(TRIALS):
            nothing()
        self._own, self._seconds, self._outermost = self._seconds / TRIALS, 0.0, 0

    @property
    def seconds(self) -> float:
        """The functions' time, less what it costs to take it."""
        return max(0.0, self._seconds - self._outermost * self._own)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function with its time taken."""

        @functools.wraps(function)
        def metered(*args: Any, **kwargs: Any) -> Any:
            self.calls[function.__name__] += 1
            if self._inside:
                return function(*args, **kwargs)
            self._inside, before = True, time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                self._seconds += time.thread_time() - before
                self._outermost += 1
                self._inside = False

        return metered


@contextmanager
def metered(*classes: type) -> Iterator[Meter]:
    """Take the time of every public method of some classes, while the block runs."""
    meter = Meter()
    methods = [
        (of, name, function)
        for of in classes
        for name, function in vars(of).items()
        if callable(function) and not name.startswith("_")
    ]
    for of, name, function in methods:
        setattr(of, name, meter.around(function))
    try:
        yield meter
    finally:
        for of, name, function in methods:
            setattr(of, name, function)
