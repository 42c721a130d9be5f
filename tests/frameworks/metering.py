"""What observing costs: the processor time that a framework's process spends in the adapter."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Meter:
    """Adds up the thread's processor time in functions; of nested ones the outermost counts."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls: Counter[str] = Counter()
        """How often each was called, by its name."""
        self._inside = False

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
                self.seconds += time.thread_time() - before
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
