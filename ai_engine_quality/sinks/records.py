"""The record file: one JSON line per call, rotated by size, written by a thread of its own.

The engine's loop only puts a score into a bounded queue. A full disk, a folder that is gone or a
slow one costs records, which are counted, and never a call. Reading forgives what a crash leaves
behind: a torn last line is skipped and told.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ai_engine_quality.core.policy import DEFAULT_POLICY, Policy
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.scoring import score as score_summary
from ai_engine_quality.history.certainty import Certainty, how_certain

MAX_RECORD_BYTES = 8_000
"""No record is longer: beyond, a call's values are compacted."""

MAX_LINE_BYTES = 1_000_000
"""A longer line was not written by this library, and is not read into memory."""

GAP = 3
"""Names without a file, one after the other, that end the search: a rotation leaves one open."""

QUEUE_RECORDS = 10_000
FLUSH_SECONDS = 5.0


def to_record(score: CallScore, certainty: Certainty | None = None) -> dict[str, Any]:
    """Return what is stored of a call, in plain JSON types; what was not observed is left out."""
    stored = score.to_dict()
    summary = _pruned(stored.pop("summary"))
    sure = {} if certainty is None else {"certainty": certainty.to_dict()}
    return {"record": 1, "score": stored, **sure, "summary": summary}


def _pruned(fields: dict[str, Any]) -> dict[str, Any]:
    """Return an object without its entries that are null or hold nothing, 0 and false excepted."""
    inner = {name: _pruned(v) if isinstance(v, dict) else v for name, v in fields.items()}
    return {name: value for name, value in inner.items() if value or value == 0}


def to_line(score: CallScore, policy: Policy = DEFAULT_POLICY, *, certainty: bool = False) -> bytes:
    """Return a record as one line of at most 8 kB.

    A call with hundreds of values keeps its largest ones exactly and the others in bins; its score
    is then made again from what is stored, so that the record always agrees with itself.
    """
    certainty = certainty and score.policy_version == policy.version
    sure = how_certain(score, policy) if certainty else None
    line = _encoded(to_record(score, sure))
    for keep, merge in _COMPACTIONS:
        if len(line) <= MAX_RECORD_BYTES:
            break
        compact = score.summary.compacted(keep, merge, policy.percentile)
        again = replace(score_summary(compact, policy), standing=score.standing)
        sure = how_certain(again, policy) if certainty else None
        line = _encoded(to_record(again, sure))
    return line


_COMPACTIONS = ((64, 1), (64, 8), (32, 32), (4, 256))
"""Exact values per kind, and bins made one, until a record fits; 64 hold the p95 of 1,000 turns."""


def _encoded(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.encode() + b"\n"


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
        """
        if max_bytes < MAX_RECORD_BYTES:
            raise ValueError(f"max_bytes must be {MAX_RECORD_BYTES} or more, not {max_bytes}")
        if files < 1:
            raise ValueError(f"files must be 1 or more, not {files}")
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


def rotated(path: Path, number: int) -> Path:
    """Return the name of a rotated file: 0 is the one being written."""
    return path if number == 0 else path.with_name(f"{path.name}.{number}")


class Unreadable(NamedTuple):
    """A line that is no record, and why."""

    path: Path
    line: int
    reason: str


def read_records(path: str | os.PathLike[str]) -> Iterator[CallScore | Unreadable]:
    """Yield every stored score, oldest first, rotated files included.

    What can't be read is yielded as :class:`Unreadable`, so that nothing is lost unseen.

    Raises:
        FileNotFoundError: there is no such file, rotated or not.
    """
    with ExitStack() as stack:
        files = _opened(Path(path), stack)
        if not files:
            raise FileNotFoundError(f"there is no record file {path}")
        for file, stream in files:
            yield from _read_file(file, stream)


def _opened(base: Path, stack: ExitStack) -> list[tuple[Path, BinaryIO]]:
    """Return the files that there are, oldest first, all of them open before the first is read.

    They are opened from the newest one on, since a rotation meanwhile moves each to the next name:
    none is missed, and one that is met again has only newer ones before it.
    """
    found: dict[tuple[int, int], tuple[Path, BinaryIO]] = {}
    number = missing = 0
    while missing < GAP:
        path = rotated(base, number)
        number += 1
        try:
            stream = stack.enter_context(path.open("rb"))
        except FileNotFoundError:
            missing += 1
            continue
        missing = 0
        status = os.fstat(stream.fileno())
        key = (status.st_dev, status.st_ino)
        if key in found:
            while next(reversed(found)) != key:
                found.popitem()  # newer than where this reading began
        else:
            found[key] = path, stream
    return list(found.values())[::-1]


def _read_file(path: Path, stream: BinaryIO) -> Iterator[CallScore | Unreadable]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES):
        number += 1
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            _skip_line(stream)
            yield Unreadable(path, number, f"longer than {MAX_LINE_BYTES} bytes")
        elif line.strip():
            yield _read_line(path, number, line)


def _skip_line(stream: BinaryIO) -> None:
    while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
        pass


def _read_line(path: Path, number: int, line: bytes) -> CallScore | Unreadable:
    try:
        return from_record(json.loads(line))
    except (ValueError, RecursionError) as error:
        torn = "" if line.endswith(b"\n") else "torn by a crash: "
        return Unreadable(path, number, f"{torn}{error}"[:200])


def from_record(record: Any) -> CallScore:
    """Return the score in a record.

    Raises:
        ValueError: it is no record.
    """
    if not isinstance(record, dict) or record.get("record") != 1:
        raise ValueError("not a record of a call (no field record = 1)")
    if not isinstance(record.get("score"), dict):
        raise ValueError("a record without its score")
    return CallScore.from_dict({**record["score"], "summary": record.get("summary")})
