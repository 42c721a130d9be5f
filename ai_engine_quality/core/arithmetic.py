"""The arithmetic of a score: points along a ramp, ceilings in steps, and one integer from both."""

from __future__ import annotations

import math
from collections.abc import Iterable

Knees = tuple[tuple[float, float], ...]
"""(value, points) pairs, ascending: the corners of a ramp."""

Steps = tuple[tuple[float, int], ...]
"""(value at or over which it applies, ceiling) pairs, ascending values."""


def ramp(knees: Knees, value: float) -> float:
    """Return the points at a value: linear between knees, flat outside."""
    x0, y0 = knees[0]
    if value <= x0:
        return y0
    for x1, y1 in knees[1:]:
        if value < x1:
            return y0 + (y1 - y0) * (value - x0) / (x1 - x0)
        x0, y0 = x1, y1
    return y0


def step(steps: Steps, value: float) -> tuple[float, int] | None:
    """Return the last (threshold, ceiling) that a value reaches, or None."""
    reached = None
    for threshold, ceiling in steps:
        if value >= threshold:
            reached = (threshold, ceiling)
    return reached


def raw_score(penalties: Iterable[float]) -> float:
    """Return 100 less the penalties, to nine decimals, so that half a point stays exactly half."""
    return round(100 - math.fsum(penalties), 9)


def points_under(ceilings: Iterable[int], raw: float) -> int:
    """Return the integer score: the lowest of raw and the ceilings, half up, 0 to 100."""
    return max(0, min(100, math.floor(min([raw, *ceilings]) + 0.5)))
