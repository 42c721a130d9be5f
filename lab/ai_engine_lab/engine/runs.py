"""Many calls: the test matrix to its end, or traffic that goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ai_engine_lab.basics.chance import chance
from ai_engine_lab.engine.load import OPENING_GAP_SECONDS, Load
from ai_engine_lab.engine.plans import PlannedCall
from ai_engine_lab.engine.reference import CallResult, ReferenceEngine
from ai_engine_lab.engine.time_loop import EngineLoop


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
    """Place calls at random times; `offer` with the load that two numbers say."""
    await offer(engine, calls, Load(calls_per_hour, concurrent), on_result)


async def offer(
    engine: ReferenceEngine,
    calls: Iterable[PlannedCall],
    load: Load,
    on_result: Callable[[CallResult], None] | None = None,
) -> None:
    """Place calls at random times, as independent callers would, until cancelled.

    `calls` may be endless (`endless_calls()`); once they are used up, this returns. While the
    engine doesn't answer, or has all the calls of the load in progress, the next one waits.
    """
    rng = chance("traffic", engine.seed)
    free = asyncio.Semaphore(load.concurrent)

    async def place(plan: PlannedCall) -> None:
        try:
            result = await engine.place(plan)
        finally:
            free.release()
        if on_result is not None:
            on_result(result)

    async with asyncio.TaskGroup() as group:
        for number, plan in enumerate(calls, 1):
            await engine.answering()
            await free.acquire()
            group.create_task(place(plan))
            if number <= load.opening:
                await asyncio.sleep(OPENING_GAP_SECONDS)
            else:
                await asyncio.sleep(rng.expovariate(load.calls_per_second(_unix_now())))


def _unix_now() -> float:
    """The loop's own wall clock, where it has one."""
    loop = asyncio.get_running_loop()
    return loop.wall_time() if isinstance(loop, EngineLoop) else time.time()
