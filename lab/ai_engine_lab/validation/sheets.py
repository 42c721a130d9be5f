"""What people write down about test calls, as CSV: their scenarios, and their ratings."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from ai_engine_lab.basics.matrix import Matrix
from ai_engine_quality.toolkit import normalised_name


class SheetError(ValueError):
    """A CSV file can't be used; the message names the file, the line and the fix."""


@dataclass(frozen=True, slots=True)
class SheetLine:
    """What the sheet of test calls says of one."""

    scenario: str
    provider: str | None


def read_sheet(path: Path, matrix: Matrix) -> dict[str, SheetLine]:
    """Read ``call_id,scenario`` lines; a column ``provider`` may follow.

    Raises:
        SheetError: the file isn't there, lacks a column, names an unknown scenario or a call twice.
    """
    found: dict[str, SheetLine] = {}
    for at, call_id, line in _lines(path, ("call_id", "scenario"), "1761532874.2245,simple_qa"):
        if call_id in found:
            raise SheetError(f"{at}: call {call_id} was there already; leave one line of it")
        scenario = line["scenario"].strip()
        if scenario not in matrix.scenarios:
            known = ", ".join(matrix.scenarios)
            raise SheetError(f"{at}: there is no scenario {scenario!r}; write one of {known}")
        found[call_id] = SheetLine(scenario, normalised_name(line.get("provider")))
    if not found:
        raise SheetError(f"{path} names no call; write a line for each test call under its header")
    return found


def read_ratings(path: Path) -> dict[str, float]:
    """Read ``call_id,rating`` lines: higher is better; of several ratings of a call the mean.

    Raises:
        SheetError: the file isn't there, lacks a column, or a rating is no number.
    """
    given: defaultdict[str, list[float]] = defaultdict(list)
    for at, call_id, line in _lines(path, ("call_id", "rating"), "1761532874.2245,4"):
        given[call_id].append(_number(at, line["rating"]))
    if not given:
        raise SheetError(f"{path} holds no rating; write a line for each call under its header")
    return {call_id: mean(values) for call_id, values in given.items()}


def _number(at: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SheetError(f"{at}: rating must be a number, such as 4 or 3.5, not {text.strip()!r}")
    return number


def _lines(
    path: Path, columns: Sequence[str], example: str
) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Yield (where, call id, columns) of each line; a byte order mark, as Excel writes, is fine."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _checked(path, csv.DictReader(file), columns, example)
    except OSError as error:
        raise SheetError(f"{path} can't be read: {error.strerror}; name a CSV file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SheetError(f"{path} is no CSV file in UTF-8 ({error}); save it as one") from error


def _checked(
    path: Path, reader: csv.DictReader[str], columns: Sequence[str], example: str
) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    header = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = header
    if missing := [name for name in columns if name not in header]:
        raise SheetError(
            f"{path}: column {missing[0]} is missing; its first line must be {','.join(columns)}, "
            f"and the next ones like {example}"
        )
    for line in reader:
        at = f"{path}, line {reader.line_num}"
        if None in line or None in line.values():
            raise SheetError(f"{at} has not as many columns as the header; write {example}")
        call_id = line["call_id"].strip()
        if not call_id:
            raise SheetError(f"{at} names no call; write {example}")
        yield at, call_id, line
