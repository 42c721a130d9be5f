"""The record of a call, as it is stored: one JSON line, and how a file of them is read.

Reading forgives what a crash leaves behind: a torn last line is skipped and told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ai_engine_quality.core.policy import DEFAULT_POLICY, Policy
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.scoring import score as score_summary
from ai_engine_quality.core.summary import NONE_AT_ALL
from ai_engine_quality.history.certainty import Certainty, how_certain

MAX_RECORD_BYTES = 8_000
"""No record is longer: beyond, a call's values are compacted."""

MAX_LINE_BYTES = 1_000_000
"""A longer line was not written by this library, and is not read into memory."""

GAP = 3
"""Names without a file, one after the other, that end the search: a rotation leaves one open."""


def to_record(score: CallScore, certainty: Certainty | None = None) -> dict[str, Any]:
    """Return what is stored of a call, in plain JSON types; what was not observed is left out.

    The summary tells each factor's clock, and a number of 0 tells that its seconds are 0.
    """
    stored = score.to_dict()
    for factor in stored["factors"]:
        del factor["clock"]
    summary = _pruned(stored.pop("summary"))
    heard = summary.get("heard", {})
    for number, lengths in NONE_AT_ALL.items():
        for length in lengths if heard.get(number) == 0 else ():
            heard.pop(length, None)
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
    if len(line) > MAX_RECORD_BYTES:  # a timeline first: no score needs it
        score = replace(score, summary=score.summary.without_course())
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

    What can't be read is yielded as ``Unreadable``, so that nothing is lost unseen.

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
    none is missed. Where one is met again, what was opened after it is either newer than where this
    reading began, and left out, or older and moved on too, perhaps given up meanwhile: it is kept.
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
            order = list(found)
            after = order[order.index(key) + 1 :]
            for newer in set(after).intersection(_before(base, number - 1)):
                del found[newer]
        else:
            found[key] = path, stream
    return list(found.values())[::-1]


def _before(base: Path, number: int) -> Iterator[tuple[int, int]]:
    """Yield which files have a lower number now, and so are newer."""
    for lower in range(number):
        with suppress(OSError):
            status = rotated(base, lower).stat()
            yield status.st_dev, status.st_ino


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
