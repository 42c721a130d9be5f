"""The end of a call of 20 turns: summary, score and every metric."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from paired import Ratio, measure
from prometheus_client import CollectorRegistry, Histogram

import ai_engine_quality as aeq

CALLS = 400


def ratios() -> Iterator[Ratio]:
    """Yield the cost of a call's end against one ``Histogram.observe``."""
    histogram = Histogram("turn_seconds", "Yardstick.", registry=CollectorRegistry())
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False)
    ids = (f"1761532874.{number}" for number in count())
    waiting: list[str] = []

    def start_calls(many: int) -> None:
        for _ in range(many):
            call_id = next(ids)
            quality.call_started(call_id, provider="deepgram", pipeline="default")
            call = quality.call(call_id)
            for turn in range(20):
                call.turn_response(0.5 + turn / 20)
            call.frames_sent(1_000)
            call.underflow(3, episodes=1)
            call.barge_in(0.3)
            call.codec_alignment(aligned=True)
            waiting.append(call_id)

    def end_calls() -> None:
        for _ in range(CALLS):
            quality.call_ended(waiting.pop(), duration=60.0)

    def observe() -> None:
        for _ in range(20 * CALLS):
            histogram.observe(0.8)

    rounds = 15
    start_calls(CALLS * (rounds + 2))
    yield measure(
        "a call's end, 20 turns",
        end_calls,
        "Histogram.observe",
        observe,
        pieces=CALLS,
        yardstick_pieces=20 * CALLS,
        rounds=rounds,
        goal=25,
    )
    quality.close()
