"""Reads a text exposition as far as the doctor must: families, and the labels of their samples."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TYPE = re.compile(r"# TYPE (\S+) \w+$")
_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Sample = tuple[dict[str, str], float]


def families(text: str) -> dict[str, list[Sample]]:
    """Return each family's samples, as (labels, value); one without samples is there, empty.

    A counter's ``_total`` is no part of its family's name here, in whichever format it came.

    Raises:
        ValueError: a line is no part of an exposition.
    """
    found: dict[str, list[Sample]] = {}
    current = ""
    for line in filter(None, text.splitlines()):
        if started := _TYPE.match(line):
            current = started[1].removesuffix("_total")
            # The text format declares a counter's and a histogram's _created by themselves.
            if not current.endswith("_created"):
                found[current] = []
        elif not line.startswith("#"):
            name, labels, value = _sample(line)
            if name.startswith(current) and current in found and not name.endswith("_created"):
                found[current].append((labels, value))
    return found


def _sample(line: str) -> tuple[str, dict[str, str], float]:
    parts = _SAMPLE.match(line)
    if parts is None:
        raise ValueError(f"not a sample: {line[:80]!r}")
    return parts[1], dict(_labels(parts[2] or "")), float(parts[3])


def _labels(text: str) -> Iterator[tuple[str, str]]:
    for found in _LABEL.finditer(text):
        yield found[1], found[2]
