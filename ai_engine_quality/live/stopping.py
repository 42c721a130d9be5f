"""What happens when the process stops: calls that are live end, and what waits is written.

It covers the interpreter's exit, SIGTERM and SIGHUP where nobody else handles them, and children
of ``multiprocessing``, which skip ``atexit``. A forked child begins anew: its parent's calls are
its parent's.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from contextlib import suppress
from functools import cache, partial
from types import FrameType
from typing import Any, Protocol
from weakref import WeakSet

from ai_engine_quality.live.sections import SECTIONS

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
"""They end a process at once, unless somebody handles them."""


class Stopped(Protocol):
    """What is told of the process' stop and of a fork."""

    def stop(self) -> None:
        """Do what is left to do, in bounded time; it may be asked again."""

    def begin_anew(self) -> None:
        """Forget what is the parent's: this is a forked child."""


_monitors: WeakSet[Stopped] = WeakSet()
_writers: WeakSet[Stopped] = WeakSet()


def watch_writer(writer: Stopped) -> None:
    """Tell a writer of the process' stop, after all monitors."""
    _writers.add(writer)
    _watch()


def watch_monitor(monitor: Stopped) -> None:
    """Tell a monitor of the process' stop; also of a signal that nobody handles."""
    _monitors.add(monitor)
    _watch()
    if threading.current_thread() is threading.main_thread():
        _handle(signal.SIG_DFL, _on_signal)


def forget_monitor(monitor: Stopped) -> None:
    """Tell a closed monitor nothing more; after the last one, signals are as they were."""
    _monitors.discard(monitor)
    if not _monitors and threading.current_thread() is threading.main_thread():
        _handle(_on_signal, signal.SIG_DFL)


def _handle(former: object, then: Any) -> None:
    """Set what handles the signals that are handled by ``former`` so far."""
    for number in SIGNALS:
        if signal.getsignal(number) is former:
            with suppress(ValueError):  # a subinterpreter handles none
                signal.signal(number, then)


def stop_all() -> None:
    """Let monitors end their live calls, then writers write what waits."""
    for stopped in (*_monitors, *_writers):
        stopped.stop()


@cache
def _watch() -> None:
    atexit.register(stop_all)
    os.register_at_fork(after_in_child=_in_child)
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        _stop_at_exit_of_a_worker()


def _in_child() -> None:
    for stopped in (*_monitors, *_writers):
        stopped.begin_anew()
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None:  # it forgets what was to be done at exit, and then calls this
        util.register_after_fork(_watch, lambda _: _stop_at_exit_of_a_worker())


def _stop_at_exit_of_a_worker() -> None:
    """Have ``multiprocessing`` do at a worker's exit what ``atexit`` won't do there."""
    sys.modules["multiprocessing.util"].Finalize(None, stop_all, exitpriority=100)


def _on_signal(number: int, _: FrameType | None) -> None:
    if SECTIONS.inside:
        SECTIONS.afterwards(partial(_die, number))
    else:
        _die(number)


def _die(number: int) -> None:
    """Stop, then end by the signal itself, so that whoever sent it sees what it expects."""
    try:
        stop_all()
    finally:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
