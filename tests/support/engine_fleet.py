"""A fleet of reference engines in one process, each with calls that never end.

`python engine_fleet.py SPEED NAME...` prints one line of JSON, name -> URL, and serves until it is
ended. Faults come over HTTP (`/faults`). The engine `barging_in` has callers that interrupt.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from dataclasses import replace

from ai_engine_lab.engine import HEALTHY, SCENARIOS, EngineLoop, ReferenceEngine, endless_calls
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

CONCURRENT = 2
"""Calls in progress on each engine, always."""

CALLS = {"restarting": 0, "dropping": 1}
"""Where it is another number: a crash loop needs no call, and a dropped one is soon the next."""

EXPIRES_SECONDS = {"leaking": 90.0}
"""When a call that never ended expires, where it isn't the usual time: no call is as long."""

LONGEST_STEP = 0.06
"""Three frames: a busy machine makes the calls last longer, and no buffer run dry."""


def _engine(name, loop):
    registry = CollectorRegistry()
    quality = aeq.QualityMonitor(
        registry=registry,
        clock=loop.time,
        wall_clock=loop.wall_time,
        log=False,
        expire_after=EXPIRES_SECONDS.get(name, 4 * 3_600.0),
    )
    return ReferenceEngine(quality=quality, registry=registry, port=0, profile=HEALTHY)


async def calls_in_turn(engine, plans):
    """One call after the other, each beginning when there is an engine to take it."""
    for plan in plans:
        await engine.answering()
        await engine.place(plan)


async def _serve(names, loop):
    engines = {name: _engine(name, loop) for name in names}
    for engine in engines.values():
        await engine.start()
    sys.stdout.write(json.dumps({name: engine.url for name, engine in engines.items()}) + "\n")
    sys.stdout.flush()
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.Event().wait())  # an engine without calls serves, too
        for name, engine in engines.items():
            # One provider: its alerts are per provider, and each would see a sixth of the turns.
            plans = (plan for plan in endless_calls() if plan.provider.name == "deepgram")
            if name == "barging_in":
                plans = (
                    replace(plan, scenario=SCENARIOS["barge_in"], duration=45.0) for plan in plans
                )
            for _ in range(CALLS.get(name, CONCURRENT)):
                group.create_task(calls_in_turn(engine, plans))
                await asyncio.sleep(3)


def end_with_parent():
    """End this process when the one that started it is gone, however it went."""

    def wait():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def main():
    end_with_parent()
    speed, *names = sys.argv[1:]
    loop = EngineLoop(float(speed), longest_step=LONGEST_STEP)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_serve(names, loop))


if __name__ == "__main__":
    main()
