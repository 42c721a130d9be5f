"""Many calls: the test matrix to its end, or traffic that goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ai_engine_quality.reference_engine.chance import chance
from ai_engine_quality.reference_engine.engine import CallResult, ReferenceEngine
from ai_engine_quality.reference_engine.matrix import PlannedCall


@dataclass(frozen=True)
class Progress:
    """How far a run of calls is."""

    done: int
    total: int
    result: CallResult


async def run_matrix(
    engine: ReferenceEngine,
    calls: Iterable[PlannedCall],
    on_progress: Callable[[Progress], None] | None = None,
    *,
    concurrent: int = 5,
) -> list[CallResult]:
    """Place calls, at most `concurrent` at a time; return their results in the calls' order.

    `on_progress` is told after each call, in the order in which they end.
    """
    planned = list(calls)
    free = asyncio.Semaphore(concurrent)
    done = 0

    async def place(plan: PlannedCall) -> CallResult:
        nonlocal done
        async with free:
            result = await engine.place(plan)
        done += 1
        if on_progress is not None:
            on_progress(Progress(done, len(planned), result))
        return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(place(plan)) for plan in planned]
    return [task.result() for task in tasks]


async def traffic(
    engine: ReferenceEngine,
    calls: Iterable[PlannedCall],
    on_result: Callable[[CallResult], None] | None = None,
    *,
    calls_per_hour: float = 240.0,
    concurrent: int = 20,
) -> None:
    """Place calls at random times, as independent callers would, until cancelled.

    `calls` may be endless (`endless_calls()`); once they are used up, this returns. While
    `concurrent` calls are in progress the next one waits.
    """
    rng = chance("traffic", engine.seed)
    free = asyncio.Semaphore(concurrent)

    async def place(plan: PlannedCall) -> None:
        try:
            result = await engine.place(plan)
        finally:
            free.release()
        if on_result is not None:
            on_result(result)

    async with asyncio.TaskGroup() as group:
        for plan in calls:
            await free.acquire()
            group.create_task(place(plan))
            await asyncio.sleep(rng.expovariate(calls_per_hour / 3_600))
