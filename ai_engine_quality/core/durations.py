"""Durations as people write them (``90s``, ``3m``), and as Prometheus does (``1m30s``)."""

from __future__ import annotations

import re

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_PROMETHEUS_UNITS = _UNITS | {"ms": 0.001, "w": 604_800.0, "y": 31_536_000.0}
_PART = re.compile(r"(\d+)(ms|[smhdwy])")


def parse_duration(text: str) -> float:
    """Return the seconds of ``90``, ``90s``, ``3m``, ``1h`` or ``7d``.

    Raises:
        ValueError: the text is no duration, or not over 0.
    """
    number, unit = (text[:-1], _UNITS[text[-1]]) if text[-1:] in _UNITS else (text, 1.0)
    try:
        seconds = float(number) * unit
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{text!r} is no duration; write 90s, 3m or 1h")
    return seconds


def prometheus_seconds(text: str) -> float:
    """Return the seconds of ``30d``, ``1m30s`` or ``500ms``; 0 where it is no duration."""
    return sum(int(number) * _PROMETHEUS_UNITS[unit] for number, unit in _PART.findall(text))
