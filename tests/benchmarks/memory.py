"""What a live call takes in memory, and whether the audio buffers grow with the number of calls."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

from paired import Ratio, figure
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

CALLS = 2_000
FRAME = bytes(320)


def ratios() -> Iterator[Ratio]:
    """Yield a live call's bytes in kB, and the audio buffers' at 1,000 calls against 100."""
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False)
    _start(quality, "the first, which also makes what all calls share")
    ids = [f"1761532874.{number}" for number in range(CALLS)]
    grown = _allocated(lambda: [_start(quality, call_id) for call_id in ids])
    yield figure("memory of a live call, 20 turns", "1 kB", grown / CALLS / 1_000, goal=1.0)
    quality.close()
    few, many = _buffers(100), _buffers(1_000)
    yield figure("audio buffers, 1,000 calls", "100 calls", many / few, goal=1.05)


def _start(quality: aeq.QualityMonitor, call_id: str) -> None:
    quality.call_started(call_id, provider="deepgram", pipeline="default")
    call = quality.call(call_id)
    odd = hash(call_id) % 1_000 / 1e6  # so that no two calls share their floats
    for turn in range(20):
        call.turn_response(0.5 + turn / 20 + odd)
    call.frames_sent(1_000)
    call.underflow(3, episodes=1)
    call.barge_in(0.3 + odd)
    call.codec_alignment(aligned=True)


def _buffers(calls: int) -> int:
    """Return the most bytes of frames that wait to be measured, a second of every call long."""
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False)
    handles = []
    for number in range(calls):
        quality.call_started(str(number))
        handles.append(quality.call(str(number)))
    most = 0
    for _ in range(50):
        for call in handles:
            call.audio("provider_out", FRAME, encoding="slin16", sample_rate=8_000)
        most = max(most, quality.frames.waiting_bytes)
    quality.close()
    return most


def _allocated(work: Callable[[], object]) -> int:
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = work()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return after - before
