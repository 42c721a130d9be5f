"""Wrong units in words: what a number should have been, and what it probably was."""

from __future__ import annotations

from typing import NamedTuple

from ai_engine_quality.core.observations import MAX_COUNT, MAX_RMS, MAX_SECONDS


class Unit(NamedTuple):
    """What a method takes."""

    method: str
    takes: str
    otherwise: str = ""
    """What a number that is too large, or negative, probably is."""
    suspect: float = float("inf")
    """A number from here on is taken, and asked about."""


_MILLISECONDS = "are these milliseconds?"
_SECONDS = f"seconds, at most {MAX_SECONDS:g}"
_FRAMES = f"20 ms frames, a whole number of at most {MAX_COUNT:,}"

UNITS = {
    "turn": Unit("turn_response", _SECONDS, _MILLISECONDS, suspect=30.0),
    "unanswered turn": Unit("unanswered", _SECONDS, _MILLISECONDS, suspect=120.0),
    "barge-in": Unit("barge_in", _SECONDS, _MILLISECONDS, suspect=30.0),
    "turn stage": Unit("turn_stage", _SECONDS, _MILLISECONDS),
    "audio length": Unit("audio_given", _SECONDS, _MILLISECONDS, suspect=60.0),
    "frame count": Unit("frames_sent", _FRAMES, "are these bytes?"),
    "filler count": Unit("underflow", _FRAMES, "are these bytes?"),
    "level": Unit("audio_level", f"a 16-bit RMS, at most {MAX_RMS:,.0f}", "is this in decibels?"),
    "packet count": Unit("packets_lost", "packets so far, lost ones and all that were sent"),
    "character count": Unit("words_spoken", f"characters, at most {MAX_COUNT:,}"),
}
"""By what is observed, in the words of ``CallScore.dropped``."""

SUSPECTS = frozenset(what for what, unit in UNITS.items() if unit.suspect < float("inf"))
"""Of which a number that was taken may be asked about."""


def dropped_words(what: str, call_id: str, values: tuple[object, ...]) -> str:
    """Return a sentence about a number that was dropped; empty where it is no number.

    Text is never repeated: it may be a caller's.
    """
    unit = UNITS.get(what)
    if unit is None:
        return ""
    numbers = [value for value in values if type(value) in (int, float)]
    shown = _number(numbers[0]) if numbers else ""
    question = f"; {unit.otherwise}" if numbers and unit.otherwise else ""
    return f"{unit.method}({shown}) of call {call_id} dropped: {unit.takes}{question}"


def suspect_words(what: str, call_id: str, value: object) -> str:
    """Return a question about a number that was taken; empty where it is nothing unusual."""
    unit = UNITS.get(what)
    if unit is None or type(value) not in (int, float) or not value >= unit.suspect:  # type: ignore[operator]  # a number
        return ""
    return f"{unit.method}({_number(value)}) of call {call_id}: {unit.takes}; {unit.otherwise}"


def _number(value: object) -> str:
    try:
        return f"{value:.6g}"
    except (OverflowError, ValueError):  # an int beyond a float
        return "a number beyond all floats"
