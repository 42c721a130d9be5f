"""An observation against the metric call that an engine would make instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from paired import Ratio, measure
from prometheus_client import CollectorRegistry, Counter, Histogram

import ai_engine_quality as aeq

CALLS = 1_000
TURNS = 20
PIECES = CALLS * TURNS
IDS = [f"1761532874.{number}" for number in range(CALLS)]


ROUNDS = 7
"""A call takes 512 turns at full speed; 9 rounds of 20, two of them uncounted, stay below."""


def ratios() -> Iterator[Ratio]:
    """Yield the cost of a turn and of an underflow, by handle and by call id."""
    registry = CollectorRegistry()
    histogram = Histogram("turn_seconds", "Yardstick.", registry=registry)
    counter = Counter("underflows", "Yardstick.", registry=registry)
    yield _ratio("a turn, by handle", _turns_by_handle, histogram, goal=0.12)
    yield _ratio("a turn, by call id", _turns_by_id, histogram, goal=0.18)
    yield _ratio("an underflow, by handle", _underflows_by_handle, counter, goal=0.25)


def _ratio(
    name: str,
    observe: Callable[[aeq.QualityMonitor], None],
    metric: Histogram | Counter,
    goal: float,
) -> Ratio:
    """Measure one kind of observation over 1,000 fresh calls."""
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False)
    for call_id in IDS:
        quality.call_started(call_id, provider="deepgram")
    native = metric.observe if isinstance(metric, Histogram) else metric.inc

    def yardstick() -> None:
        for _ in range(PIECES):
            native(0.8)

    against = f"{type(metric).__name__}.{native.__name__}"
    result = measure(
        name,
        lambda: observe(quality),
        against,
        yardstick,
        pieces=PIECES,
        yardstick_pieces=PIECES,
        rounds=ROUNDS,
        goal=goal,
    )
    quality.close()
    return result


def _turns_by_handle(quality: aeq.QualityMonitor) -> None:
    for call_id in IDS:
        call = quality.call(call_id)
        for _ in range(TURNS):
            call.turn_response(0.8)


def _turns_by_id(quality: aeq.QualityMonitor) -> None:
    for call_id in IDS:
        for _ in range(TURNS):
            quality.turn_response(call_id, 0.8)


def _underflows_by_handle(quality: aeq.QualityMonitor) -> None:
    for call_id in IDS:
        call = quality.call(call_id)
        for _ in range(TURNS):
            call.underflow(1)
