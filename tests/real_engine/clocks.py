"""Runs the engine with the library, and clocks around all of the library's: for own_time.py."""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import random
import runpy
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

from ai_engine_quality.adapters import notes, timer, wraps

NOTE, LOOKING = "a noted frame", "looking into notes"


class OwnTime:
    """Seconds of the main thread, by what they were spent on, and how often."""

    def __init__(self):
        self.parts = defaultdict(lambda: [0.0, 0])
        self._collected = self._collecting = 0.0
        self._inside = False
        gc.callbacks.append(self._on_collection)

    def _on_collection(self, phase, _info):
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            self._collected += time.thread_time() - self._collecting

    def clock(self):
        """Return the thread's seconds, without those of the collector."""
        return time.thread_time() - self._collected

    def add(self, name, seconds, times=1):
        """Count what was measured."""
        part = self.parts[name]
        part[0] += seconds
        part[1] += times

    def empty(self, name):
        """Take an empty pair of readings, where one of the named ones would be taken."""
        start = self.clock()
        self.add(f"empty: {name}", self.clock() - start)

    def around(self, name, function):
        """Return a function with its time counted, but for what is called within another one."""

        @functools.wraps(function)
        def timed(*args, **kwargs):
            if self._inside or threading.current_thread() is not threading.main_thread():
                return function(*args, **kwargs)
            called = name(*args) if callable(name) else name
            if random.random() < 0.5:  # noqa: S311  # no secret
                self.empty(called)
            self._inside = True
            start = self.clock()
            try:
                return function(*args, **kwargs)
            finally:
                self.add(called, self.clock() - start)
                self._inside = False

        return timed

    def around_notes(self, original, make):
        """Return an engine's method with what notes its calls measured apart from it."""
        note = make(_nothing)  # the same wrapper, of a method that does nothing

        def measure(args, kwargs):
            if random.random() < 0.5:  # noqa: S311  # no secret
                self.empty(NOTE)
                note(*args, **kwargs)
                return
            before, start = self.parts[LOOKING][0], self.clock()
            note(*args, **kwargs)
            looked = self.parts[LOOKING][0] - before  # where there are many, they are looked into
            self.add(NOTE, self.clock() - start - looked)

        @functools.wraps(original)
        async def asynchronous(*args, **kwargs):
            measure(args, kwargs)
            return await original(*args, **kwargs)

        @functools.wraps(original)
        def synchronous(*args, **kwargs):
            measure(args, kwargs)
            return original(*args, **kwargs)

        return asynchronous if asyncio.iscoroutinefunction(original) else synchronous

    def keep(self, path):
        """Write what was counted, once a second from the first note on, in a thread of its own."""
        main = time.pthread_getcpuclockid(threading.main_thread().ident)
        while NOTE not in self.parts:
            time.sleep(1.0)
        begun = time.clock_gettime(main)
        while True:
            time.sleep(1.0)
            self.write(path, time.clock_gettime(main) - begun)

    def write(self, path, thread):
        """Write what was counted, and the seconds that the main thread has used meanwhile."""
        new = path.with_suffix(".new")
        new.write_text(json.dumps({"thread": thread, "parts": dict(self.parts)}))
        new.rename(path)


def _nothing(*_args, **_kwargs):
    """Stand for the engine's method."""


def measure_inside(path):
    """Set the clocks, in the engine's process."""
    own = OwnTime()
    wrap = wraps._Wrap
    wrap.before = own.around(lambda self, *_: f"before {self.name}", wrap.before)
    wrap.after = own.around(lambda self, *_: f"after {self.name}", wrap.after)
    timer.Timer._poll_all = own.around("the timer", timer.Timer._poll_all)
    noting, flush = wrap._noting, notes.Notes.flush

    def timed_noting(self, original, *how, **_):
        make = functools.partial(noting, self)
        return own.around_notes(original, lambda stub: make(stub, *how, coroutine=False))

    def timed_flush(self):
        start, waited = own.clock(), len(self.waiting)
        flush(self)
        if waited and not own._inside:  # else it is part of what flushes
            own.add(LOOKING, own.clock() - start)

    wrap._noting, notes.Notes.flush = timed_noting, timed_flush
    threading.Thread(target=own.keep, args=(path,), daemon=True).start()


if __name__ == "__main__":  # FILE PROGRAM, which is run as if by itself
    measure_inside(Path(sys.argv[1]))
    sys.argv = sys.argv[2:]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")
