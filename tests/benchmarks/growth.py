"""Whether an observation costs more when there are more calls."""

from __future__ import annotations

from collections.abc import Iterator

from paired import Ratio, measure
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

FEW, MANY = 100, 4_000
PIECES = 4_000
"""Observations in a round, whatever the number of calls."""

ROUNDS = 9
"""A call takes 512 turns at full speed; 11 rounds of 40, two of them uncounted, stay below."""


def ratios() -> Iterator[Ratio]:
    """Yield the cost of an observation at 4,000 live calls against that at 100."""
    few, many = _monitor(FEW), _monitor(MANY)
    yield measure(
        "a turn by call id, 4,000 live calls",
        _turns(many, MANY),
        "100 live calls",
        _turns(few, FEW),
        pieces=PIECES,
        yardstick_pieces=PIECES,
        rounds=ROUNDS,
        goal=1.15,
    )
    yield measure(
        "an underflow by call id, 4,000 live calls",
        _underflows(many, MANY),
        "100 live calls",
        _underflows(few, FEW),
        pieces=PIECES,
        yardstick_pieces=PIECES,
        rounds=ROUNDS,
        goal=1.15,
    )
    few.close()
    many.close()


def _ids(calls: int) -> list[str]:
    return [f"1761532874.{number}" for number in range(calls)]


def _monitor(calls: int) -> aeq.QualityMonitor:
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False)
    for call_id in _ids(calls):
        quality.call_started(call_id)
        quality.underflow(call_id, 0)
    return quality


def _turns(quality: aeq.QualityMonitor, calls: int):  # a closure, timed below
    ids = _ids(calls) * (PIECES // calls)
    return lambda: [quality.turn_response(call_id, 0.8) for call_id in ids]


def _underflows(quality: aeq.QualityMonitor, calls: int):  # as above
    ids = _ids(calls) * (PIECES // calls)
    return lambda: [quality.underflow(call_id, 1) for call_id in ids]
