"""How many calls come, and when: rates, a day's pattern, and the speed of time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from ai_engine_lab.engine.time_loop import REAL, VIRTUAL

SECONDS_PER_DAY: Final = 86_400.0

_HOURLY: Final = (
    0.10, 0.06, 0.05, 0.05, 0.08, 0.20, 0.50, 1.00, 1.80, 2.30, 2.40, 2.10,
    1.60, 1.70, 2.10, 2.20, 1.90, 1.50, 0.90, 0.55, 0.40, 0.25, 0.16, 0.10,
)  # fmt: skip
"""Calls in each hour of a day, in any unit: quiet nights, a peak before noon, another after."""


def busyness(unix_seconds: float) -> float:
    """How busy a time of the day (UTC) is: 1 is the day's mean."""
    hour = unix_seconds % SECONDS_PER_DAY / 3_600
    before = int(hour)
    share = hour - before
    here, next_hour = _HOURLY[before % 24], _HOURLY[(before + 1) % 24]
    return (here + (next_hour - here) * share) * len(_HOURLY) / sum(_HOURLY)


@dataclass(frozen=True)
class Load:
    """The calls of an engine that goes on: as independent callers make them."""

    calls_per_hour: float = 240.0
    concurrent: int = 20
    """While so many are in progress the next one waits."""
    daily: bool = False
    """Whether the rate follows the time of the day; `calls_per_hour` is its mean then."""
    opening: int = 0
    """So many calls come at the start, one every 1.5 s, so that all is soon at work."""

    def __post_init__(self) -> None:
        """Refuse what would place no call at all."""
        if not 0 < self.calls_per_hour < math.inf:
            raise ValueError(f"calls_per_hour must be over 0, not {self.calls_per_hour!r}")
        if self.concurrent < 1:
            raise ValueError(f"concurrent must be at least 1, not {self.concurrent!r}")

    def calls_per_second(self, unix_seconds: float) -> float:
        """The rate at a time."""
        return self.calls_per_hour / 3_600 * (busyness(unix_seconds) if self.daily else 1.0)


OPENING_GAP_SECONDS: Final = 1.5


def parse_speed(text: str) -> float:
    """The speed of `1`, `10` or `virtual`."""
    if text == "virtual":
        return VIRTUAL
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < math.inf:
        raise ValueError(f"no speed: {text!r}; write {REAL:g} for real time, 10, or virtual")
    return speed
