"""What was dropped, in words: the method, what it got, and what it takes."""

from __future__ import annotations

from typing import NamedTuple

from ai_engine_quality.core.observations import (
    MAX_CALL_ID_LENGTH,
    MAX_COUNT,
    MAX_RMS,
    MAX_SECONDS,
    DropReason,
)
from ai_engine_quality.core.wording import printable


class Unit(NamedTuple):
    """What a method takes."""

    method: str
    takes: str = ""
    otherwise: str = ""
    """What a number beyond ``most`` probably is."""
    suspect: float = float("inf")
    """A number from here on is taken, and asked about."""
    most: float = float("inf")
    """The largest number that is taken."""
    shown: int = 1
    """How many of its values a sentence has."""


_MILLISECONDS = "are these milliseconds?"
_SECONDS = f"seconds, at most {MAX_SECONDS:g}"
_FRAMES = f"20 ms frames, a whole number of at most {MAX_COUNT:,}"
_FILLERS = f"{_FRAMES}, in at most as many episodes"
_GIVEN = f"{_SECONDS}, of which at most as many are silent"
_LEVEL = f"a 16-bit RMS, at most {MAX_RMS:,.0f}"
_PACKETS = "packets so far, lost ones and all that were sent"
_BYTES = "are these bytes?"

UNITS = {
    "turn": Unit("turn_response", _SECONDS, _MILLISECONDS, suspect=30.0, most=MAX_SECONDS),
    "unanswered turn": Unit("unanswered", _SECONDS, _MILLISECONDS, 120.0, MAX_SECONDS),
    "barge-in": Unit("barge_in", _SECONDS, _MILLISECONDS, suspect=30.0, most=MAX_SECONDS),
    "turn stage": Unit("turn_stage", _SECONDS, _MILLISECONDS, most=MAX_SECONDS, shown=2),
    "audio length": Unit("audio_given", _GIVEN, _MILLISECONDS, 60.0, MAX_SECONDS, shown=2),
    "frame count": Unit("frames_sent", _FRAMES, _BYTES, most=MAX_COUNT),
    "filler count": Unit("underflow", _FILLERS, _BYTES, most=MAX_COUNT, shown=2),
    "level": Unit("audio_level", _LEVEL, "is this in decibels?", most=MAX_RMS, shown=2),
    "packet count": Unit("packets_lost", _PACKETS, shown=2),
    "character count": Unit("words_spoken", f"characters, at most {MAX_COUNT:,}"),
    "fallback": Unit("fallback", "a reason, as text"),
    "format check": Unit("codec_alignment", "True or False, and a detail as text", shown=2),
    "raw frame": Unit("audio", shown=4),
    "given sound": Unit("sound_given", shown=3),
    "name": Unit("call_updated", shown=2),
    "answer": Unit("answer_complete", shown=0),
}
"""By what is observed, in the words of ``CallScore.dropped``."""

SUSPECTS = frozenset(what for what, unit in UNITS.items() if unit.suspect < float("inf"))
"""Of which a number that was taken may be asked about."""

_OF_A_VALUE = frozenset(
    (DropReason.WRONG_TYPE, DropReason.NOT_FINITE, DropReason.NEGATIVE, DropReason.OUT_OF_RANGE)
)
"""Reasons to drop something for which it helps to know what the method takes."""

_LONGEST_NAME = 40
"""Characters of a type's name."""


def dropped_words(what: str, call_id: str, values: tuple[object, ...], reason: DropReason) -> str:
    """Return a sentence about what was dropped; empty where it had no values.

    Text is never repeated, as it may be a caller's: its type stands for it.
    """
    unit = UNITS.get(what)
    if unit is None:
        return ""
    given = values[: unit.shown]
    shown = ", ".join(value_words(value) for value in given)
    takes = f": {unit.takes}" if unit.takes and reason in _OF_A_VALUE else ""
    question = f"; {unit.otherwise}" if takes and _is_another_unit(unit, given) else ""
    return f"{unit.method}({shown}){of_call(call_id)} dropped{takes}{question}"


def gone_words(what: str, call_id: str) -> str:
    """Return a sentence about an observation of a call that isn't live."""
    unit = UNITS.get(what)
    return f"{unit.method if unit else what}(){of_call(call_id)} dropped"


def suspect_words(what: str, call_id: str, value: object) -> str:
    """Return a question about a number that was taken; empty where it is nothing unusual."""
    unit = UNITS.get(what)
    if unit is None or type(value) not in (int, float) or not value >= unit.suspect:  # type: ignore[operator]  # a number
        return ""
    return f"{unit.method}({_number(value)}){of_call(call_id)}: {unit.takes}; {unit.otherwise}"


def clock_words(call_id: str, at: float, away: float) -> str:
    """Return a question about a frame's time that is so many seconds from now."""
    side = "after" if away > 0 else "before"
    return (
        f"audio(at={_number(at)}){of_call(call_id)}: {abs(away):,.0f} s {side} now; is this "
        "time.monotonic(), in seconds?"
    )


def value_words(value: object) -> str:
    """Return a number as it is; of anything else what kind it is, and how long, never what."""
    try:
        if value is None or isinstance(value, bool):
            return str(value)
        if type(value) in (int, float):
            return _number(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return f"{len(value)} bytes"
        return printable(type(value).__name__)[:_LONGEST_NAME]
    except Exception:  # a foreign type can raise anything
        return "a value"


def of_call(call_id: str) -> str:
    """Return `` of call ID``; nothing where no id is known, or it can't be one."""
    is_one = 0 < len(call_id) <= MAX_CALL_ID_LENGTH and call_id.isprintable()
    return f" of call {call_id}" if is_one else ""


def _is_another_unit(unit: Unit, given: tuple[object, ...]) -> bool:
    """Return whether a number is beyond what is taken. A level under 0 is one in decibels."""
    for value in given:
        if type(value) not in (int, float):
            continue
        number: float = value  # type: ignore[assignment]  # it is one
        if number > unit.most or (number < 0 and unit.most == MAX_RMS):
            return True
    return False


def _number(value: object) -> str:
    try:
        return f"{value:.6g}"
    except (OverflowError, ValueError):  # an int beyond a float
        return "a number beyond all floats"
