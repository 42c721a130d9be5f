"""What a user would pick instead: OpenTelemetry's SDK, or labelled metrics for each call.

Each does what it can of a call of 20 turns: the turns, and a value at the end that goes again. None
of them scores. OpenTelemetry's SDK can't withdraw a call's series at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Histogram as OtelHistogram
from opentelemetry.sdk.metrics import MeterProvider
from paired import Ratio, Work, measure
from prometheus_client import CollectorRegistry, Gauge, Histogram

import ai_engine_quality as aeq

CALLS, TURNS = 200, 20
ROUNDS = 9
FEW = 50
"""Turns in a round of one call: it keeps 512 in its fast path."""

_ids = (f"1761532874.{number}" for number in count())


def ratios() -> Iterator[Ratio]:
    """Yield a whole call with us against each alternative, and a turn against OpenTelemetry's."""
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False)
    provider = MeterProvider(metric_readers=[PrometheusMetricReader()])
    recorder = provider.get_meter("quality").create_histogram("turn_seconds")
    for name, work in (
        ("a Histogram and a Gauge per call", _labelled(CollectorRegistry())),
        ("OpenTelemetry's SDK, the turns alone", _otel(recorder, CALLS * TURNS)),
    ):
        yield measure(
            "a whole call, scored",
            _ours(quality),
            name,
            work,
            pieces=CALLS,
            yardstick_pieces=CALLS,
            rounds=ROUNDS,
        )
    yield measure(
        "a turn, by handle",
        _turns(quality),
        "OpenTelemetry's record",
        _otel(recorder, FEW),
        pieces=FEW,
        yardstick_pieces=FEW,
        rounds=7,
    )
    quality.close()
    provider.shutdown()


def _ours(quality: aeq.QualityMonitor) -> Work:
    def work() -> None:
        for _ in range(CALLS):
            call_id = next(_ids)
            quality.call_started(call_id, provider="deepgram", pipeline="default")
            call = quality.call(call_id)
            call.underflow(0)
            for _ in range(TURNS):
                call.turn_response(0.8)
            call.call_ended(duration=60.0)

    return work


def _turns(quality: aeq.QualityMonitor) -> Work:
    quality.call_started("a turn")
    call = quality.call("a turn")
    return lambda: [call.turn_response(0.8) for _ in range(FEW)]


def _otel(recorder: OtelHistogram, turns: int) -> Work:
    return lambda: [recorder.record(0.8, {"provider": "deepgram"}) for _ in range(turns)]


def _labelled(registry: CollectorRegistry) -> Work:
    turns = Histogram("turn_seconds", "Turns.", ("call_id",), registry=registry)
    scores = Gauge("call_score", "Scores.", ("call_id",), registry=registry)

    def work() -> None:
        for _ in range(CALLS):
            call_id = next(_ids)
            for _ in range(TURNS):
                turns.labels(call_id).observe(0.8)
            scores.labels(call_id).set(81)
            turns.remove(call_id)
            scores.remove(call_id)

    return work
