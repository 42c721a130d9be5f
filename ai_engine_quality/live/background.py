"""The background writer: one thread that renders and writes what the engine's loop hands over.

Handing over never waits. What a pipe that nobody reads, or a stuck disk, keeps from being
written is bounded, and whoever handed it over hears that it didn't fit.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from ai_engine_quality.live.stopping import watch_writer

MAX_WAITING = 20_000
"""Jobs that wait at once: a log line and a record of 10,000 calls."""

FLUSH_SECONDS = 5.0
STOP_SECONDS = 4.0
"""How long a stopping process waits for what is still to be written."""

Job = Callable[[], object]


class BackgroundWriter:
    """Does jobs in a daemon thread, one after the other."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        """Start nothing yet."""
        self._max_waiting = max_waiting
        self._stop_by: float | None = None
        self.begin_anew()
        watch_writer(self)

    def begin_anew(self) -> None:
        """Forget thread and jobs: in a forked child they are the parent's."""
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()  # its put may interrupt itself
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._pid = os.getpid()

    def put(self, job: Job) -> bool:
        """Hand over a job, which must not raise; return whether there was room. Never waits.

        Once the process stops it waits: nobody would write later.
        """
        if self._jobs.qsize() >= self._max_waiting:
            return False
        self._jobs.put(job)
        self.start()
        if self._stop_by is not None:
            self.flush(self._stop_by - time.monotonic())
        return True

    def start(self) -> None:
        """See to it that the thread is there, so that it need not be started at a bad moment."""
        with self._starting:
            if sys.is_finalizing():  # daemon threads stand still
                self._do_jobs_here()
            elif self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="ai-engine-quality-writer", daemon=True
                )
                try:
                    self._thread.start()
                except RuntimeError:  # too late for threads: the interpreter exits
                    self._thread = None
                    self._do_jobs_here()

    def flush(self, timeout: float = FLUSH_SECONDS) -> bool:
        """Wait until what was handed over is done; return whether ``timeout`` seconds sufficed."""
        if self._thread is None and self._jobs.empty():
            return True
        if threading.current_thread() is self._thread:
            return False
        done = threading.Event()
        self._jobs.put(done.set)
        self.start()
        return done.wait(max(0.0, timeout))

    def stop(self) -> None:
        """Write what waits, in bounded time, and from now on wait for whatever still comes."""
        if self._stop_by is None:
            self._stop_by = time.monotonic() + STOP_SECONDS
        self.flush(self._stop_by - time.monotonic())

    def close(self) -> None:
        """End the thread once it has done what waits; it starts again should more come."""
        with self._starting:
            if self._thread is not None:
                self._jobs.put(None)

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job is not None:
                job()
                del job  # what it holds on to
                continue
            with self._starting:
                if self._jobs.empty():
                    self._thread = None
                    return

    def _do_jobs_here(self) -> None:
        while not self._jobs.empty():
            job = self._jobs.get()
            if job is not None:
                job()
