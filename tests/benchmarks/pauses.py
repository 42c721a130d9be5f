"""The longest pause that we add to the loop when much comes at once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from paired import Ratio, figure
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

OVERDUE, USUAL, LIVE = 2_000, 1_000, 20_000
ROUNDS = 9


def ratios() -> Iterator[Ratio]:
    """Yield a scrape with 2,000 overdue calls, and one of 20,000 live ones, beyond a usual one."""
    usual = _collecting(USUAL, advance=60.0)
    for name, live, advance in (
        ("a scrape when 2,000 calls expire at once, beyond a usual one", OVERDUE, 5 * 3_600.0),
        ("a scrape with 20,000 live calls, beyond a usual one", LIVE, 60.0),
    ):
        value = (_collecting(live, advance) - usual) / 0.005
        yield figure(name, "5 ms", value, goal=1.0)


def _collecting(live: int, advance: float) -> float:
    """Return the seconds that collecting takes after so many calls had turns, in the median."""
    seconds = []
    for _ in range(ROUNDS):
        now = [1_000.0]
        registry = CollectorRegistry()
        quality = aeq.QualityMonitor(registry=registry, log=False, clock=lambda now=now: now[0])
        for number in range(live):
            quality.call_started(str(number), provider="deepgram", pipeline="default")
            quality.turn_response(str(number), 0.8)
            quality.underflow(str(number), 0)
        now[0] += advance
        seconds.append(
            _timed(lambda quality=quality: list(quality._prometheus.collected.collect()))
        )
        quality._live.clear()
        quality.close()
    return statistics.median(seconds)


def _timed(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began
