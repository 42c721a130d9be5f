"""Reads stored calls from plain JSON types, strictly: a wrong value is named, never guessed.

Each reader takes a field's name and its value, and returns the value or raises SummaryError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

MAX_NUMBER = 1e15
"""No stored number is larger: what exceeds it would overflow in a score."""


class SummaryError(ValueError):
    """A stored call can't be read; the message names the field and what it should hold."""


Reader = Callable[[str, Any], Any]


def text(name: str, value: object) -> str:
    """Return text that is not empty."""
    if not isinstance(value, str) or not value:
        raise SummaryError(f"{name} must be text that is not empty, not {value!r}")
    return value


def flag(name: str, value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise SummaryError(f"{name} must be true or false, not {value!r}")
    return value


def count(name: str, value: object) -> int:
    """Return a whole number, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_NUMBER:
        raise SummaryError(f"{name} must be a whole number, 0 or more, not {value!r}")
    return value


def real(name: str, value: object) -> float:
    """Return a finite number."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not -MAX_NUMBER <= value <= MAX_NUMBER:  # type: ignore[operator]  # a number
        raise SummaryError(f"{name} must be a finite number, not {value!r}")
    return value  # type: ignore[return-value]  # a number, as just checked


def not_negative(name: str, value: object) -> float:
    """Return a finite number, 0 or more."""
    number = real(name, value)
    if number < 0:
        raise SummaryError(f"{name} must be 0 or more, not {value!r}")
    return number


def share(name: str, value: object) -> float:
    """Return a number from 0 to 1."""
    number = not_negative(name, value)
    if number > 1:
        raise SummaryError(f"{name} must be a share from 0 to 1, not {value!r}")
    return number


def items(name: str, value: object) -> Sequence[Any]:
    """Return a list."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise SummaryError(f"{name} must be a list, not {value!r}")
    return value


def entries(name: str, value: object) -> Mapping[str, Any]:
    """Return an object."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise SummaryError(f"{name} must be an object with named entries, not {value!r}")
    return value


def values(name: str, value: object) -> tuple[float, ...]:
    """Return a list of numbers, each 0 or more."""
    return tuple(not_negative(name, item) for item in items(name, value))


def pairs(name: str, value: object, second: Reader) -> tuple[tuple[int, Any], ...]:
    """Return a list of pairs: a whole number, and what ``second`` reads."""
    found = []
    for item in items(name, value):
        pair = items(name, item)
        if len(pair) != 2:
            raise SummaryError(f"{name} must hold pairs, not {item!r}")
        found.append((count(name, pair[0]), second(name, pair[1])))
    return tuple(found)


def fields(
    name: str, value: object, readers: Mapping[str, Reader], *, optional: bool
) -> dict[str, Any]:
    """Return the fields of an object: none unknown, and all of them unless ``optional``."""
    prefix = f"{name}." if name else ""
    stored = entries(name or "a stored call", value)
    if unknown := sorted(stored.keys() - readers.keys()):
        raise SummaryError(f"{prefix}{unknown[0]} is unknown; it has {', '.join(readers)}")
    if not optional and (missing := [key for key in readers if key not in stored]):
        raise SummaryError(f"{prefix}{missing[0]} is missing")
    return {key: readers[key](f"{prefix}{key}", item) for key, item in stored.items()}


# Readers made of readers.


def optional(reader: Reader) -> Reader:
    """Return a reader that takes null too."""
    return lambda name, value: None if value is None else reader(name, value)


def or_default(reader: Reader, default: object) -> Reader:
    """Return a reader that takes null for a default."""
    return lambda name, value: default if value is None else reader(name, value)


def each(reader: Reader) -> Reader:
    """Return a reader of an object's entries, all of one kind; null is none of them."""

    def read(name: str, value: object) -> dict[str, Any]:
        stored = {} if value is None else entries(name, value)
        return {key: reader(f"{name}.{key}", item) for key, item in stored.items()}

    return read


def many(reader: Reader) -> Reader:
    """Return a reader of a list whose items are all of one kind, as a tuple."""

    def read(name: str, value: object) -> tuple[Any, ...]:
        found = items(name, value)
        return tuple(reader(f"{name}[{place}]", item) for place, item in enumerate(found))

    return read
