"""Durations as people write them: ``90s``, ``3m``, ``1h``, ``7d``."""

from __future__ import annotations

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def parse_duration(text: str) -> float:
    """Return the seconds of ``90``, ``90s``, ``3m``, ``1h`` or ``7d``.

    Raises:
        ValueError: it is none, or not over 0.
    """
    number, unit = (text[:-1], _UNITS[text[-1]]) if text[-1:] in _UNITS else (text, 1.0)
    try:
        seconds = float(number) * unit
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{text!r} is no duration; write 90s, 3m or 1h")
    return seconds
