"""The record file: one JSON line per call, rotated by size, written in the background.

The engine's loop only hands a score over. A full disk, a folder that is gone or a slow one costs
records, which are counted, and never a call. Several processes may write to one file: each write
and each rotation holds the file's lock, and looks whether the file is still the one of that name.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ai_engine_quality.core import reading
from ai_engine_quality.core.policy import DEFAULT_POLICY, Policy
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.history.records import MAX_RECORD_BYTES, rotated, to_line
from ai_engine_quality.live.background import FLUSH_SECONDS, BackgroundWriter
from ai_engine_quality.live.stopping import watch_writer

QUEUE_RECORDS = 10_000
MAX_ATTEMPTS = 1_000
"""So often others may rotate the file away between its opening and its locking."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""What a file system says that has no locks: one process at a time can write there."""


def _file_bytes(name: str, value: object) -> int:
    must_be = f"{MAX_RECORD_BYTES} or more, one record's size"
    return reading.whole(name, value, must_be, MAX_RECORD_BYTES)


SIZES: dict[str, reading.Reader] = {"max_bytes": _file_bytes, "files": reading.positive}
"""What a file's size may be; the settings' rule too."""

LOOK_SECONDS = 0.5
"""How long a look at the path may take, at set-up: a mount whose server is gone never answers."""

Lost = Callable[[int, BaseException | None], None]
"""Told how many records were lost, and to what; no exception: the queue was full."""


class RecordFile:
    """Appends records; call it with each score. ``close()`` writes what still waits.

    Several processes may append to one file, where its file system has locks.
    """

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
            path: The file; older ones get ``.1``, ``.2`` ... appended. A relative one is under the
                folder that is the current one now.
            max_bytes: Bytes at which the file is rotated.
            files: How many files are kept in all.
            policy: By which a call too long for one record is scored again.
            on_lost: Told how many records were lost, and to what.
            certainty: Whether each record says how certain its score is. It is computed in the
                thread that writes, a millisecond per call.

        Raises:
            TypeError: ``path`` is none.
            ValueError: ``path`` is a folder's, or ``max_bytes`` or ``files`` is out of range.
        """
        SIZES["max_bytes"]("max_bytes", max_bytes)
        SIZES["files"]("files", files)
        _refuse_folder(os.fspath(path))
        self.path = Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links
        self._max_bytes = max_bytes
        self._files = files
        self._policy = policy
        self._certainty = certainty
        self.on_lost = on_lost or _nobody_told
        self._most = QUEUE_RECORDS
        self._writer = BackgroundWriter()
        self._adopted = False
        self._handle: int | None = None
        self._waiting: deque[CallScore] = deque()
        self._writing = threading.RLock()
        watch_writer(self)

    def adopt(self, policy: Policy, on_lost: Lost, writer: BackgroundWriter) -> None:
        """Take a monitor's policy and its writer, and tell it of lost records too."""
        told = self.on_lost

        def tell_both(lost: int, error: BaseException | None) -> None:
            on_lost(lost, error)
            told(lost, error)

        self._policy = policy
        self.on_lost = tell_both
        self._writer, self._adopted = writer, True

    def __call__(self, score: CallScore) -> None:
        """Hand a score over to be written; never waits."""
        if len(self._waiting) >= self._most:
            self.on_lost(1, None)
            return
        self._waiting.append(score)
        if not self._writer.put(self._write_next):
            self._waiting.pop()
            self.on_lost(1, None)

    def flush(self, timeout: float = FLUSH_SECONDS) -> bool:
        """Wait until what was handed over is written, and close the file until more comes.

        Returns:
            Whether ``timeout`` seconds sufficed.
        """
        if self._handle is not None or self._waiting:
            self._writer.put(self._let_go)
        return self._writer.flush(timeout)

    def close(self) -> None:
        """Write what waits, and count as lost what a stuck disk doesn't take in time.

        The file opens again should another score come.
        """
        if not self.flush():
            lost = len(self._waiting)
            self._waiting.clear()
            if lost:
                self.on_lost(lost, None)
        if not self._adopted:
            self._writer.close()

    def stop(self) -> None:
        """Write what waits, in bounded time: the process stops.

        Where the writer is held up by something else, such as a log that nobody reads, the records
        are written here.
        """
        self._writer.stop()
        if self._waiting and self._writing.acquire(blocking=False):
            try:
                while self._waiting:
                    self._write_next()
            finally:
                self._writing.release()

    def begin_anew(self) -> None:
        """Leave what waits, and the open file, to the parent: this is a forked child."""
        self._waiting = deque()
        self._writing = threading.RLock()
        self._let_go()

    def _write_next(self) -> None:
        with self._writing:
            try:
                score = self._waiting.popleft()
            except IndexError:  # written, or given up, meanwhile
                return
            try:
                self._write(to_line(score, self._policy, certainty=self._certainty))
            except Exception as error:  # a full disk, a folder that is gone, a record that can't be
                self._let_go()
                with suppress(Exception):
                    self.on_lost(1, error)

    def _write(self, line: bytes) -> None:
        for _ in range(MAX_ATTEMPTS):
            handle = self._open_handle()
            _lock(handle)
            try:
                if self._is_still_there(handle) and self._append(handle, line):
                    return
            finally:
                _unlock(handle)
        raise OSError(errno.EBUSY, f"{self.path} is never the same file for long")

    def _append(self, handle: int, line: bytes) -> bool:
        """Write a line to the locked file; where it is full, rotate it and return False."""
        _end_torn_line(handle)
        size = os.fstat(handle).st_size
        if size and size + len(line) > self._max_bytes:
            self._rotate()
            return False
        written = os.write(handle, line)
        if written < len(line):
            # The disk is full: take the torn line back, so that the file stays readable.
            os.ftruncate(handle, size)
            raise OSError(f"wrote {written} of {len(line)} bytes")
        return True

    def _open_handle(self) -> int:
        """Return the open file; a new one where somebody moved or deleted the old one."""
        if self._handle is not None and not self._is_still_there(self._handle):
            self._let_go()
        if self._handle is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._handle = os.open(self.path, flags, 0o640)
        return self._handle

    def _is_still_there(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), self.path.stat())
        except OSError:
            return False

    def _let_go(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(OSError):  # a disk that fails even here; the handle is gone all the same
                os.close(handle)

    def _rotate(self) -> None:
        """Move each file to the next name, with the one in use, which is locked, last."""
        for number in range(self._files - 1, 0, -1):
            source = rotated(self.path, number - 1)
            if source.exists():
                source.replace(rotated(self.path, number))
        if self._files == 1:
            self.path.unlink(missing_ok=True)


def file_path(name: str, value: object) -> str:
    """Return a path that can be a file's: a reader of settings, which looks at no disk."""
    path = reading.line(name, value)
    if _says_folder(path):
        raise _no_file(name, path)
    return path


def _refuse_folder(path: str | bytes) -> None:
    """Refuse a folder's path now: every record would be lost, the first at the first call's end."""
    given = os.fsdecode(path)
    if _says_folder(given) or _is_folder(given):
        raise _no_file("the record file", given)


def _says_folder(path: str) -> bool:
    return os.path.basename(path) in ("", ".", "..")  # noqa: PTH119  # Path() drops a last slash


def _is_folder(path: str) -> bool:
    """Return whether a path is known to be a folder's: a disk that doesn't answer says nothing."""
    found: list[bool] = []
    look = threading.Thread(target=lambda: found.append(os.path.isdir(path)), daemon=True)  # noqa: PTH112  # raises nothing
    with suppress(RuntimeError):  # no more threads: the first record will tell
        look.start()
        look.join(LOOK_SECONDS)
    return found == [True]


def _no_file(name: str, path: str) -> reading.WrongValue:
    inside = os.path.join(path, "calls.jsonl")  # noqa: PTH118  # as it was written
    return reading.WrongValue(f"{name} must be a file, and {path!r} is a folder; write {inside!r}")


def _lock(handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _unlock(handle: int) -> None:
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_UN)  # not by closing: a forked child may have it open too


def _nobody_told(lost: int, error: BaseException | None) -> None:
    """Lose records silently: what a file does that no monitor owns."""


def _end_torn_line(handle: int) -> None:
    """End a line that a crash, also of another process, left torn: the next one is its own."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        os.write(handle, b"\n")
