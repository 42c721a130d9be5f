"""Times two pieces of work in turn, in one process, and gives their ratio.

Machines are shared and their speed drifts, so an absolute time means little: each round times the
work and its yardstick right after each other, and the median of the rounds' ratios is reported.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """What some work costs in units of a yardstick."""

    work: str
    yardstick: str
    ratio: float
    lowest: float
    highest: float
    nanoseconds: float
    """Median per piece of work, for orientation only."""
    goal: float | None = None


def measure(
    name: str,
    work: Work,
    yardstick_name: str,
    yardstick: Work,
    *,
    pieces: int,
    yardstick_pieces: int,
    rounds: int = 15,
    goal: float | None = None,
) -> Ratio:
    """Return the ratio of a piece of work to a piece of the yardstick.

    One call of ``work`` does ``pieces`` pieces, and one of ``yardstick`` does ``yardstick_pieces``.
    The pair is timed ``rounds`` times, after two rounds that aren't counted.
    """
    ratios, times = [], []
    for number in range(rounds + 2):
        mine = _timed(work) / pieces
        other = _timed(yardstick) / yardstick_pieces
        if number >= 2:
            ratios.append(mine / other)
            times.append(mine)
    return Ratio(
        name,
        yardstick_name,
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        statistics.median(times) * 1e9,
        goal,
    )


def figure(name: str, yardstick: str, value: float, *, goal: float | None = None) -> Ratio:
    """Return a figure that was measured once: bytes, say, which don't vary from round to round."""
    return Ratio(name, yardstick, value, value, value, math.nan, goal)


def _timed(work: Work) -> float:
    gc.collect()
    gc.disable()
    began = time.thread_time()  # other programs' shares of the core don't count
    work()
    elapsed = time.thread_time() - began
    gc.enable()
    return elapsed
