"""Our part of a scrape: 500 retained scores and 1,000 live calls."""

from __future__ import annotations

from collections.abc import Iterator

from paired import Ratio, measure
from prometheus_client import CollectorRegistry, Gauge, generate_latest

import ai_engine_quality as aeq

RETAINED = 500
LIVE = 1_000


def ratios() -> Iterator[Ratio]:
    """Yield the cost of rendering all of our metrics against 500 children of one gauge.

    And of collecting alone: per-call samples, turn latencies, live calls and their bands.
    """
    plain = CollectorRegistry()
    gauge = Gauge("call_quality", "Yardstick.", ("call_id",), registry=plain)
    for number in range(RETAINED):
        gauge.labels(f"1761532874.{number}").set(81)
    ours = CollectorRegistry()
    quality = aeq.QualityMonitor(registry=ours, log=False)
    for number in range(RETAINED + LIVE):
        call_id = f"1761532874.{number}"
        quality.call_started(call_id, provider="deepgram", pipeline="default")
        call = quality.call(call_id)
        for turn in range(20):
            call.turn_response(0.5 + turn / 20)
        call.frames_sent(1_000)
        if number < RETAINED:
            call.call_ended(duration=60.0)
    yield measure(
        "a scrape, 500 retained, 1,000 live",
        lambda: generate_latest(ours),
        "500 gauge children",
        lambda: generate_latest(plain),
        pieces=1,
        yardstick_pieces=1,
        rounds=25,
        goal=1.0,
    )
    yield measure(
        "of that, collecting without rendering",
        lambda: list(quality._prometheus.collected.collect()),
        "500 gauge children",
        lambda: generate_latest(plain),
        pieces=1,
        yardstick_pieces=1,
        rounds=25,
    )
    quality.close()
