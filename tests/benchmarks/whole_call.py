"""A whole call in the loop's own thread time, against what a user would pick instead.

The log, the records and their words are the background writer's: its own time is a row of its own.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import structlog
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Histogram as OtelHistogram
from opentelemetry.sdk.metrics import MeterProvider
from paired import Ratio, Work, figure, measure
from prometheus_client import CollectorRegistry, Gauge, Histogram

import ai_engine_quality as aeq

CALLS, TURNS, LEVELS = 200, 20, 60
ROUNDS = 9

_ids = (f"1761532874.{number}" for number in count())


def ratios() -> Iterator[Ratio]:
    """Yield a whole call, bare and as by default, against each alternative; and its end."""
    bare = aeq.QualityMonitor(registry=CollectorRegistry(), log=False)
    provider = MeterProvider(metric_readers=[PrometheusMetricReader()])
    recorder = provider.get_meter("quality").create_histogram("turn_seconds")
    labelled = _labelled(CollectorRegistry())
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        logger = structlog.wrap_logger(structlog.PrintLogger(nowhere))
        full = aeq.QualityMonitor(
            registry=CollectorRegistry(), logger=logger, records=Path(folder) / "calls.jsonl"
        )
        against = "a Histogram and a Gauge per call"
        yield _whole("a whole call: turns and score", _plain(bare), against, labelled, 1.0)
        yield _whole(
            "a whole call: 60 levels, log, records, all", _full(full), against, labelled, 2.0
        )
        otel = "OpenTelemetry's SDK, the turns alone"
        yield _whole("a whole call: turns and score", _plain(bare), otel, _otel(recorder), 0.6)
        yield from _ends(bare, full)
        yield figure("of a whole call, in the background", "the loop's part", _background(full))
        full.close()
    bare.close()
    provider.shutdown()


def _whole(name: str, work: Work, against: str, yardstick: Work, goal: float) -> Ratio:
    sizes = {"pieces": CALLS, "yardstick_pieces": CALLS, "rounds": ROUNDS}
    return measure(name, work, against, yardstick, goal=goal, **sizes)


def _ends(bare: aeq.QualityMonitor, full: aeq.QualityMonitor) -> Iterator[Ratio]:
    """Yield a call's end alone against one ``Histogram.observe``."""
    histogram = Histogram("turn_seconds", "Yardstick.", registry=CollectorRegistry())

    def observe() -> None:
        for _ in range(TURNS * CALLS):
            histogram.observe(0.8)

    for name, quality, goal in (
        ("a call's end, 20 turns", bare, 60),
        ("a call's end, with log and records", full, 80),
    ):
        waiting = [_have(quality, _mixed) for _ in range(CALLS * (ROUNDS + 2))]

        def end(waiting: list[aeq.CallHandle] = waiting) -> None:
            for _ in range(CALLS):
                waiting.pop().call_ended(duration=60.0)

        def settled(quality: aeq.QualityMonitor = quality, end: Work = end) -> None:
            end()
            quality.flush(60)

        yield measure(
            name,
            settled,
            "Histogram.observe",
            observe,
            pieces=CALLS,
            yardstick_pieces=TURNS * CALLS,
            rounds=ROUNDS,
            goal=goal,
        )


def _background(quality: aeq.QualityMonitor) -> float:
    """Return the background writer's share of the time, in units of the loop's."""
    work = _full(quality)
    work()
    process, thread = time.process_time(), time.thread_time()
    work()
    own = time.thread_time() - thread
    return (time.process_time() - process - own) / own


def _have(quality: aeq.QualityMonitor, report) -> aeq.CallHandle:  # type: ignore[no-untyped-def]
    call_id = next(_ids)
    quality.call_started(call_id, provider="deepgram", pipeline="default")
    call = quality.call(call_id)
    report(call)
    return call


def _turns(call: aeq.CallHandle) -> None:
    call.underflow(0)
    for _ in range(TURNS):
        call.turn_response(0.8)


def _mixed(call: aeq.CallHandle) -> None:
    for turn in range(TURNS):
        call.turn_response(0.5 + turn / 20)
    call.frames_sent(1_000)
    call.underflow(3, episodes=1)
    call.barge_in(0.3)
    call.codec_alignment(aligned=True)


def _everything(call: aeq.CallHandle) -> None:
    _mixed(call)
    for _ in range(LEVELS):
        call.audio_level("provider_out", 1_830.0)


def _plain(quality: aeq.QualityMonitor) -> Work:
    return lambda: [_have(quality, _turns).call_ended(duration=60.0) for _ in range(CALLS)]


def _full(quality: aeq.QualityMonitor) -> Work:
    def work() -> None:
        for _ in range(CALLS):
            _have(quality, _everything).call_ended(duration=60.0)
        quality.flush(60)

    return work


def _otel(recorder: OtelHistogram) -> Work:
    turns = CALLS * TURNS
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
