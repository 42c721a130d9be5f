"""Readers of values from outside: one rule for each kind of value, wherever it is written.

A settings file, a variable of the environment, a policy, a stored call and an argument of the API
are read by the same readers. Each takes the value's name and the value; it returns the value, or
raises ``WrongValue``, which names it and says what it must be. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

MAX_NUMBER = 1e15
"""No number is larger: what exceeds it is a slip of the pen, or would overflow in a score."""

MAX_SHOWN = 200
"""Characters of a wrong value that its error repeats."""


class WrongValue(ValueError):  # noqa: N818  # a sentence reads "raises WrongValue"
    """A value that can't be used; the message names it, and says what it must be."""


class SummaryError(ValueError):
    """A stored call can't be read; the message names the field and what it should hold."""


Reader = Callable[[str, Any], Any]


@contextmanager
def reported_as(kind: type[ValueError], place: str = "") -> Iterator[None]:
    """Turn a wrong value into an error of the caller's own kind.

    Args:
        kind: That error's type.
        place: The file in which the value stands, to name it too.
    """
    try:
        yield
    except WrongValue as error:
        raise kind(f"{place}: {error}" if place else str(error)) from error


def wrong(name: str, must_be: str, value: object) -> WrongValue:
    """Return the error about a value: its name, what it must be, and what it was."""
    return WrongValue(f"{name} must be {must_be}, not {shown(value)}")


def shown(value: object) -> str:
    """Return a value as an error repeats it: not too long, and whatever it is."""
    try:
        text = repr(value)
    except Exception:  # a whole number of 5,000 digits, or a foreign __repr__
        return f"that {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


# Text and truth.


def text(name: str, value: object) -> str:
    """Return text that is not empty."""
    if not isinstance(value, str) or not value:
        raise wrong(name, "text that is not empty", value)
    return value


def line(name: str, value: object) -> str:
    """Return text that is printable and not blank, such as a path or a version."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise wrong(name, "printable text that is not empty", value)
    return value


def flag(name: str, value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise wrong(name, "true or false", value)
    return value


# Numbers.


def whole(name: str, value: object, must_be: str, low: int, high: float = MAX_NUMBER) -> int:
    """Return a whole number within two bounds; ``must_be`` says them in words."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(name, "a whole number", value)
    if value > high == MAX_NUMBER:
        raise wrong(name, f"a whole number, at most {MAX_NUMBER:g}", value)
    if not low <= value <= high:
        raise wrong(name, must_be, value)
    return value


def number(name: str, value: object, must_be: str, low: float, high: float = MAX_NUMBER) -> float:
    """Return a finite number within two bounds; ``must_be`` says them in words."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong(name, "a number", value)
    if value > high == MAX_NUMBER:
        raise wrong(name, f"a finite number, at most {MAX_NUMBER:g}", value)
    if not low <= value <= high:
        raise wrong(name, must_be, value)
    return value


def count(name: str, value: object) -> int:
    """Return a whole number, 0 or more."""
    return whole(name, value, "a whole number, 0 or more", 0)


def positive(name: str, value: object) -> int:
    """Return a whole number over 0."""
    return whole(name, value, "a whole number over 0", 1)


def points(name: str, value: object) -> int:
    """Return a score: a whole number from 0 to 100."""
    return whole(name, value, "a score, a whole number from 0 to 100", 0, 100)


def real(name: str, value: object) -> float:
    """Return a finite number."""
    return number(name, value, "a finite number", -MAX_NUMBER)


def not_negative(name: str, value: object) -> float:
    """Return a finite number, 0 or more."""
    return number(name, value, "0 or more", 0)


def over_zero(name: str, value: object) -> float:
    """Return a finite number over 0, such as the seconds that something lasts."""
    found = number(name, value, "a number over 0", 0)
    if not found:
        raise wrong(name, "a number over 0", value)
    return found


def share(name: str, value: object) -> float:
    """Return a number from 0 to 1."""
    return number(name, value, "a share from 0 to 1", 0, 1)


def percentage(name: str, value: object) -> float:
    """Return a number from 0 to 100."""
    return number(name, value, "a number from 0 to 100", 0, 100)


# Lists and tables.


def items(name: str, value: object) -> Sequence[Any]:
    """Return a list."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise wrong(name, "a list", value)
    return value


def values(name: str, value: object) -> tuple[float, ...]:
    """Return a list of numbers, each 0 or more."""
    return tuple(not_negative(name, item) for item in items(name, value))


def pairs(
    name: str,
    value: object,
    second: Reader,
    *,
    first: Reader = count,
    like: str = "[number, value]",
) -> tuple[tuple[Any, Any], ...]:
    """Return a list of pairs.

    Args:
        name: What the list is called.
        value: The list.
        second: Reads the second of each pair.
        first: Reads the first of each.
        like: What a pair looks like, in errors.
    """
    if not _is_list(value):
        raise wrong(name, f"a list of {like} pairs", value)
    found = []
    for item in value:  # type: ignore[attr-defined]  # a list, as just checked
        if not _is_list(item) or len(item) != 2:
            raise WrongValue(f"{name} must be a list of {like} pairs; {shown(item)} is none")
        found.append((first(name, item[0]), second(name, item[1])))
    return tuple(found)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def table(name: str, value: object) -> Mapping[Any, Any]:
    """Return a table: what JSON calls an object."""
    if not isinstance(value, Mapping):
        raise wrong(name, "a table", value)
    return value


def entries(name: str, value: object) -> Mapping[str, Any]:
    """Return a table whose keys are names."""
    if not all(isinstance(key, str) for key in table(name, value)):
        raise wrong(name, "a table whose keys are text", value)
    return value  # type: ignore[return-value]  # a table, as just checked


def fields(
    name: str,
    value: object,
    readers: Mapping[str, Reader],
    *,
    optional: bool | Collection[str],
    what: str = "a stored call",
) -> dict[str, Any]:
    """Return the fields of a table: none that is unknown, and each read by its reader.

    Args:
        name: What the table is called; empty for the outermost one.
        value: The table.
        readers: The fields that it may have, and how each is read.
        optional: Those that may be missing; True: all of them, False: none.
        what: What the outermost table is called in errors.
    """
    prefix = f"{name}." if name else ""
    stored = table(name or what, value)
    if unknown := [str(key) for key in stored if key not in readers]:
        raise WrongValue(f"{prefix}{unknown[0]} is unknown; choose one of {', '.join(readers)}")
    if optional is not True:
        needed = [key for key in readers if not (optional and key in optional)]
        if missing := [key for key in needed if key not in stored]:
            raise WrongValue(
                f"{prefix}{missing[0]} is missing; {name or what} needs {', '.join(needed)}"
            )
    return {
        key: read(f"{prefix}{key}", stored[key]) for key, read in readers.items() if key in stored
    }


def check(holder: object, readers: Mapping[str, Reader], prefix: str = "") -> None:
    """Check an object's own fields by the readers that a file's values pass."""
    for key, read in readers.items():
        read(f"{prefix}{key}", getattr(holder, key))


# Readers made of readers.


def optional(reader: Reader) -> Reader:
    """Return a reader that takes null too."""
    return lambda name, value: None if value is None else reader(name, value)


def or_default(reader: Reader, default: object) -> Reader:
    """Return a reader that takes null for a default."""
    return lambda name, value: default if value is None else reader(name, value)


def each(reader: Reader) -> Reader:
    """Return a reader of a table whose entries are all of one kind; null is none of them."""

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
