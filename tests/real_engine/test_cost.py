"""What the library costs the engine, measured on its real methods with and without it."""

from __future__ import annotations

import asyncio
import logging
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog

import ai_engine_quality as aeq

ROUNDS, CALLS_A_ROUND = 60, 100


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS_A_ROUND):
        await work()
    return time.perf_counter() - began


async def _ratio(
    without: Callable[[], Awaitable[object]], within: Callable[[], Awaitable[object]]
) -> float:
    """Return how much longer the second takes: the median of pairs, measured alternately."""
    ratios = []
    for number in range(ROUNDS):
        if number % 2:
            first, second = await _seconds(without), await _seconds(within)
        else:
            second, first = await _seconds(within), await _seconds(without)
        ratios.append(second / first)
    return statistics.median(ratios)


async def _streaming(real: ModuleType, monitor: aeq.QualityMonitor | None, call_id: str) -> Any:
    """Return a line whose call has a stream that plays nothing by itself any more."""
    line = real.Line(monitor)
    await line.call(call_id)
    await line.audio(call_id, real.ulaw(1.0))
    await line.played(call_id)
    real.stream(line, call_id)["pacer_task"].cancel()
    line.engine._provider_stream_queues[call_id] = asyncio.Queue()  # which nobody reads
    return line


def _emit(real: ModuleType, line: Any, call_id: str) -> Callable[[], Awaitable[object]]:
    """Return one turn of the frame path: a frame is emitted, measured and sent."""
    manager, frame = line.engine.streaming_playback_manager, real.speech(0.02)
    stream_id = real.stream(line, call_id)["stream_id"]
    return lambda: manager._emit_frame(call_id, stream_id, frame, "slin", 8000, filler=False)


def _provider_audio(real: ModuleType, line: Any, call_id: str) -> Callable[[], Awaitable[object]]:
    """Return one turn of the provider's path: 20 ms of audio arrive."""
    audio = real.ulaw(0.02)
    return lambda: line.event(call_id, "AgentAudio", data=audio, encoding="mulaw", sample_rate=8000)


def _show(capsys: pytest.CaptureFixture[str], what: str) -> None:
    """Print a measurement, whatever else pytest hides."""
    with capsys.disabled():
        sys.stdout.write(f"\n{what}\n")


@pytest.fixture(autouse=True)
def _logged_as_shipped() -> Iterator[None]:
    """Log at the engine's own default level, to nowhere: it logs every chunk of audio."""
    before = structlog.get_config()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.PrintLoggerFactory(nowhere),
        )
        yield
        structlog.configure(**before)


@pytest.mark.parametrize("path", [_emit, _provider_audio])
def test_the_audios_own_paths_cost_what_they_cost_without_the_library(
    real: ModuleType,
    monitor: aeq.QualityMonitor,
    call_id: str,
    path: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No frame passes through a wrap; the provider's events pass through one, which is cheap."""

    async def main() -> float:
        bare = await _streaming(real, None, call_id)
        attached = await _streaming(real, monitor, call_id)
        return await _ratio(path(real, bare, call_id), path(real, attached, call_id))

    ratio = asyncio.run(main())
    _show(capsys, f"{path.__name__.strip('_')}: {ratio:.3f} times its cost without the library")
    assert ratio < 1.1


def test_one_poll_of_all_calls_is_short(
    real: ModuleType,
    monitor: aeq.QualityMonitor,
    call_id: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Polling one live call, five times a second, costs less than sending it one frame does."""

    async def main() -> tuple[float, float]:
        line = await _streaming(real, monitor, call_id)
        observer = line.attachment._observer
        call = observer.context.call(call_id)
        emit = _emit(real, line, call_id)
        diagnostics = call.session.audio_diagnostics
        polls, frames = [], []
        for _ in range(ROUNDS):
            frames.append(await _seconds(emit))
            began = time.perf_counter()
            for _ in range(CALLS_A_ROUND):
                for stage, level in diagnostics.items():
                    if isinstance(level, dict):
                        diagnostics[stage] = dict(level)  # as after a frame
                observer.poll(call, 0.187)
            polls.append(time.perf_counter() - began)
        return statistics.median(polls), statistics.median(frames)

    poll, frame = asyncio.run(main())
    microseconds = poll / CALLS_A_ROUND * 1e6
    _show(capsys, f"polling a call: {poll / frame:.2f} of a frame's cost ({microseconds:.0f} us)")
    assert poll < frame
