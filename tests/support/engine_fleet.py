"""A fleet of reference engines in one process, each with calls that never end.

`python engine_fleet.py SPEED NAME...` prints one line of JSON, name -> URL, and serves until it is
ended. Faults come over HTTP (`/faults`). The engine `crawling` waits 3 s longer than others while
`slow_provider` is on; `barging_in` has callers that interrupt.
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

CALLS = {"restarting": 0, "dropping": 1, "hissing": 3, "crawling": 4}
"""Where it is another number: a crash loop needs no call, a dropped one is soon the next, hiss
leaves little of words, and slow answers are few in the 5 minutes that their alert looks back."""

EXPIRES_SECONDS = {"leaking": 90.0}
"""When a call that never ended expires, where it isn't the usual time: no call is as long."""

LONGEST_STEP = 0.06
"""Three frames: a busy machine makes the calls last longer, and no buffer run dry."""


class _Crawling:
    """A provider that takes 4.8 to 5.1 s, and half a second to notice that the caller is done.

    That is over the alert's 5, and within callers' patience of 6.
    """

    def __init__(self):
        self.engine = None
        self.name = "crawling"

    def behaviour(self, plan, rng):
        behaviour = HEALTHY.behaviour(plan, rng)
        if any(injected.fault.name == "slow_provider" for injected in self.engine.faults.active):
            behaviour.latency = (2.6, 2.9)  # to which the fault adds 2.2
        return behaviour


def _engine(name, loop):
    registry = CollectorRegistry()
    quality = aeq.QualityMonitor(
        registry=registry,
        clock=loop.time,
        wall_clock=loop.wall_time,
        log=False,
        expire_after=EXPIRES_SECONDS.get(name, 4 * 3_600.0),
    )
    profile = _Crawling() if name == "crawling" else HEALTHY
    engine = ReferenceEngine(
        quality=quality,
        registry=registry,
        port=0,
        profile=profile,
        hints=name == "babbling",  # who doesn't tell what was given can't tell what was cut
    )
    if name == "crawling":
        profile.engine = engine
    return engine


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
            if name == "hissing":  # of lines that are noisy already nothing would be understood
                plans = (replace(plan, scenario=SCENARIOS["simple_qa"]) for plan in plans)
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
