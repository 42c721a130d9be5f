"""Scores leave a job's process: a framework may serve each call in a process of its own.

Only the parent is scraped, so the parent counts, shows and records what its jobs tell it: when a
call starts, and its summary when it ends. A job that is killed has told of its calls' starts only;
its connection closes, and the parent ends them as interrupted.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ai_engine_quality.core.observations import DropReason
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.summary import CallSummary
from ai_engine_quality.monitor import INTERRUPTED, QualityMonitor
from ai_engine_quality.sinks.prometheus import registry_of_its_own

VARIABLE = "_AI_ENGINE_QUALITY_JOBS"
"""Tells the processes that a parent starts where it listens: its process and a socket's path."""

MAX_MESSAGE = 65_536
"""Bytes; a call's summary has two thousand, eight at most."""

SECONDS_BETWEEN_LOOKS = 20.0
"""A job that is there counts as observed: its parent does not see its call's progress."""


def parent_socket(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return where this process' parent listens; None where it doesn't, or is this process."""
    process, _, path = environ.get(VARIABLE, "").partition(":")
    return path if path and process != str(os.getpid()) else None


class JobMonitor(QualityMonitor):
    """The monitor of a job's process: it scores calls, and its parent tells the world.

    Args:
        path: Where the parent listens.
        arguments: As of ``QualityMonitor``. Log and records are the parent's.
    """

    def __init__(self, path: str, **arguments: Any) -> None:
        self._parent = _Parent(path)
        mine = {"log": False, "records": None, "registry": registry_of_its_own()}
        super().__init__(**{**arguments, **mine})

    def _outputs(self) -> Any:
        outputs = super()._outputs()
        outputs.add(self._hand_over)
        return outputs

    def call_started(
        self, call_id: str, provider: str | None = None, pipeline: str | None = None
    ) -> None:
        """Begin to listen to a call, and tell the parent."""
        super().call_started(call_id, provider, pipeline)
        try:
            if self.call(call_id).live:
                self._parent.tell({"started": [call_id, provider, pipeline]})
        except Exception as error:
            self.drop(DropReason.RECORD_NOT_WRITTEN, error)

    def count_turn_stage(self, provider: str | None, stage: str, seconds: float) -> None:
        """Let the parent's histogram have what a stage of a turn took."""
        self._parent.tell({"stage": [provider, stage, seconds]})

    def _hand_over(self, score: CallScore) -> None:
        self._parent.tell({"ended": score.summary.to_dict()})

    def close(self) -> None:
        """Close the connection to the parent too: calls that are live are interrupted."""
        super().close()
        self._parent.close()


class _Parent:
    """The way to the parent's process. It never waits: the job's loop runs on."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def tell(self, message: object) -> None:
        """Send a message.

        Raises:
            OSError: the parent isn't there, or is too busy to take it.
        """
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._socket.setblocking(False)  # its only argument
            self._socket.connect(self._path)
        self._socket.send(json.dumps(message).encode())

    def close(self) -> None:
        """Go."""
        found, self._socket = self._socket, None
        if found is not None:
            found.close()


class JobCollector:
    """Takes what the jobs of this process tell, for its monitor. Made by ``collect_jobs``.

    Args:
        monitor: Whose metrics, log and records they go to.
        on_close: Called once it is closed.
    """

    def __init__(
        self, monitor: QualityMonitor, on_close: Callable[[], object] = lambda: None
    ) -> None:
        self.monitor = monitor
        self._on_close = on_close
        self._folder = Path(tempfile.mkdtemp(prefix="ai-engine-quality-"))  # only its owner's
        self.path = str(self._folder / "jobs")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(self.path)
        self._listener.listen(256)
        self._jobs: dict[socket.socket, set[str]] = {}
        """The calls of each job, by its connection."""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._closing, self._wake = os.pipe()
        self._selector.register(self._closing, selectors.EVENT_READ)
        os.environ[VARIABLE] = f"{os.getpid()}:{self.path}"
        self._thread = threading.Thread(
            target=self._run, name="ai-engine-quality-jobs", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Listen no more; the calls of jobs that are there end as interrupted."""
        if not self._thread.is_alive():
            return
        if os.environ.get(VARIABLE) == f"{os.getpid()}:{self.path}":
            del os.environ[VARIABLE]
        os.write(self._wake, b"x")
        self._thread.join()
        self._on_close()

    def _run(self) -> None:
        going = True
        while going:
            ready = self._selector.select(SECONDS_BETWEEN_LOOKS)
            for key, _ in ready:
                if key.fileobj is self._listener:
                    self._welcome()
                elif key.fd == self._closing:
                    going = False
                else:
                    self._hear(key.fileobj)  # type: ignore[arg-type]  # a job's socket
            if not ready:
                self._look()
        for job in list(self._jobs):
            self._gone(job)
        for each in (self._selector, self._listener):
            each.close()
        os.close(self._closing)
        os.close(self._wake)
        with suppress(OSError):
            Path(self.path).unlink()
            self._folder.rmdir()

    def _welcome(self) -> None:
        with suppress(OSError):
            job, _ = self._listener.accept()
            self._jobs[job] = set()
            self._selector.register(job, selectors.EVENT_READ)

    def _hear(self, job: socket.socket) -> None:
        try:
            message = job.recv(MAX_MESSAGE)
        except OSError:
            message = b""
        if not message:
            self._gone(job)
            return
        try:
            self._take(job, json.loads(message))
        except Exception as error:  # whatever a job of another version says
            self.monitor.drop(DropReason.INTERNAL_ERROR, error)

    def _take(self, job: socket.socket, message: Mapping[str, Any]) -> None:
        if "started" in message:
            call_id, provider, pipeline = message["started"]
            self.monitor.call_started(call_id, provider, pipeline)
            self._jobs[job].add(call_id)
        elif "stage" in message:
            self.monitor.count_turn_stage(*message["stage"])
        else:
            summary = CallSummary.from_dict(message["ended"])
            self._jobs[job].discard(summary.call_id)
            self.monitor.call_observed(summary)

    def _gone(self, job: socket.socket) -> None:
        """End what a job has not ended: it was killed."""
        self._selector.unregister(job)
        for call_id in self._jobs.pop(job):
            self.monitor.call_ended(call_id, outcome=INTERRUPTED)
        job.close()

    def _look(self) -> None:
        for calls in self._jobs.values():
            for call_id in calls:
                self.monitor.call(call_id).still_there()
