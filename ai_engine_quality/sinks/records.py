"""The record file: one JSON line per call, rotated by size, written by a thread of its own.

The engine's loop only puts a score into a bounded queue. A full disk, a folder that is gone or a
slow one costs records, which are counted, and never a call.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ai_engine_quality.core import reading
from ai_engine_quality.core.policy import DEFAULT_POLICY, Policy
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.history.records import MAX_RECORD_BYTES, rotated, to_line

QUEUE_RECORDS = 10_000
FLUSH_SECONDS = 5.0


def _file_bytes(name: str, value: object) -> int:
    must_be = f"{MAX_RECORD_BYTES} or more, one record's size"
    return reading.whole(name, value, must_be, MAX_RECORD_BYTES)


SIZES: dict[str, reading.Reader] = {"max_bytes": _file_bytes, "files": reading.positive}
"""What a file's size may be; the settings' rule too."""

Lost = Callable[[int, BaseException | None], None]
"""Told how many records were lost, and to what; no exception: the queue was full."""


class RecordFile:
    """Appends records; call it with each score. ``close()`` writes what still waits."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 64_000_000,
        files: int = 5,
        policy: Policy = DEFAULT_POLICY,
        on_lost: Lost | None = None,
        certainty: bool = False,
    ) -> None:
        """Open nothing yet: the folder is made, and the file opened, with the first record.

        Args:
            path: The file; older ones get ``.1``, ``.2`` ... appended.
            max_bytes: Bytes at which the file is rotated.
            files: How many files are kept in all.
            policy: By which a call too long for one record is scored again.
            on_lost: Told how many records were lost, and to what.
            certainty: Whether each record says how certain its score is. It is computed in the
                thread that writes, a millisecond per call.

        Raises:
            ValueError: ``max_bytes`` or ``files`` is out of range.
        """
        SIZES["max_bytes"]("max_bytes", max_bytes)
        SIZES["files"]("files", files)
        self.path = Path(path)
        self._max_bytes = max_bytes
        self._files = files
        self._policy = policy
        self._certainty = certainty
        self.on_lost = on_lost or _nobody_told
        self._queue: queue.Queue[CallScore | threading.Event] = queue.Queue(QUEUE_RECORDS)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._handle: int | None = None
        atexit.register(self.flush)
        self._pid = os.getpid()

    def adopt(self, policy: Policy, on_lost: Lost) -> None:
        """Take a monitor's policy, and tell it of lost records too; a monitor does so."""
        told = self.on_lost

        def tell_both(lost: int, error: BaseException | None) -> None:
            on_lost(lost, error)
            told(lost, error)

        self._policy = policy
        self.on_lost = tell_both

    def __call__(self, score: CallScore) -> None:
        """Queue a score to be written; never waits."""
        self._notice_fork()
        try:
            self._queue.put_nowait(score)
        except queue.Full:
            self.on_lost(1, None)
            return
        self._ensure_thread()

    def flush(self, timeout: float = FLUSH_SECONDS) -> bool:
        """Wait until what was queued is written; return whether ``timeout`` seconds sufficed."""
        self._notice_fork()
        if self._thread is None and self._queue.empty():
            return True
        self._ensure_thread()
        done = threading.Event()
        end = time.monotonic() + timeout
        try:
            self._queue.put(done, timeout=timeout)
        except queue.Full:
            return False
        return done.wait(max(0.0, end - time.monotonic()))

    def close(self) -> None:
        """Write what waits, and count as lost what a stuck disk doesn't take in time.

        The file opens again should another score come.
        """
        if not self.flush() and (lost := self._drain()):
            self.on_lost(lost, None)
        atexit.unregister(self.flush)

    def _drain(self) -> int:
        """Take out what waits; return how many records that were."""
        lost = 0
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return lost
            lost += isinstance(item, CallScore)

    def _ensure_thread(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._write_forever, name="ai-engine-quality-records", daemon=True
                )
                self._thread.start()

    def _notice_fork(self) -> None:
        """In a forked child the parent's thread isn't there, and its queue is the parent's."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._thread = None
            self._starting = threading.Lock()
            self._queue = queue.Queue(QUEUE_RECORDS)

    def _write_forever(self) -> None:
        while True:
            item = self._queue.get()
            if isinstance(item, threading.Event):
                self._close_handle()
                item.set()
                continue
            try:
                self._write(to_line(item, self._policy, certainty=self._certainty))
            except Exception as error:  # a full disk, a folder that is gone, a record that can't be
                self._close_handle()
                self.on_lost(1, error)

    def _write(self, line: bytes) -> None:
        handle = self._open_handle()
        if os.fstat(handle).st_size + len(line) > self._max_bytes:
            self._rotate()
            handle = self._open_handle()
        size = os.fstat(handle).st_size
        written = os.write(handle, line)
        if written < len(line):
            # The disk is full: take the torn line back, so that the file stays readable.
            os.ftruncate(handle, size)
            raise OSError(f"wrote {written} of {len(line)} bytes")

    def _open_handle(self) -> int:
        """Return the open file; a new one where somebody moved or deleted the old one."""
        if self._handle is not None and not self._is_still_there(self._handle):
            self._close_handle()
        if self._handle is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
            self._handle = os.open(self.path, flags, 0o640)
            _end_torn_line(self._handle)
        return self._handle

    def _is_still_there(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), self.path.stat())
        except OSError:
            return False

    def _close_handle(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def _rotate(self) -> None:
        self._close_handle()
        for number in range(self._files - 1, 0, -1):
            source = rotated(self.path, number - 1)
            if source.exists():
                source.replace(rotated(self.path, number))
        if self._files == 1:
            self.path.unlink(missing_ok=True)


def _nobody_told(lost: int, error: BaseException | None) -> None:
    """Lose records silently: what a file does that no monitor owns."""


def _end_torn_line(handle: int) -> None:
    """End a line that a crash left torn, so that the next record begins on a line of its own."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        os.write(handle, b"\n")
