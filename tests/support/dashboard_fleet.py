"""Reference engines of both generations in one process, as the dashboards' tests need them.

`python dashboard_fleet.py SPEED SPEC...`, where a spec is `NAME,GENERATION,CALLS,PROVIDER,FAULT`:
so many calls are always in progress (-1: one call, and then no more), of one provider (`mix`: of
all), with a fault from the start (`none`: healthy). Prints one line of JSON, name -> URL, and
serves until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, replace
from itertools import islice

from ai_engine_lab.engine import FAULTS, SCENARIOS, EngineLoop, ReferenceEngine, endless_calls
from engine_fleet import LONGEST_STEP, calls_in_turn, end_with_parent
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

COSTS = {name: aeq.CallCost(0.01, "USD") for name in ("deepgram", "openai_realtime", "local")}
SHORT, LONG = 32.0, 46.0
"""Seconds of a call: enough for a score, and enough of the agent's speech for the noise check."""


CHARACTERS = 18
"""Told for each second of the agent's frames: a usual pace."""


class _Telling(aeq.QualityMonitor):
    """Also told how much text the agent says, as by an engine that knows its words."""

    def call(self, call_id):
        return _TellingHandle(super().call(call_id))


class _TellingHandle:
    def __init__(self, call):
        self._call = call

    def __getattr__(self, name):
        return getattr(self._call, name)

    def frames_sent(self, count):
        self._call.frames_sent(count)
        self._call.words_spoken(round(count * 0.02 * CHARACTERS))


@dataclass(frozen=True)
class Spec:
    """What one engine does."""

    name: str
    generation: str
    calls: int
    provider: str
    fault: str

    @classmethod
    def parse(cls, text):
        name, generation, calls, provider, fault = text.split(",")
        return cls(name, generation, int(calls), provider, fault)

    def plans(self):
        """The calls, without end: of the kind that shows the fault, or interrupted ones."""
        fault = FAULTS.get(self.fault)
        if self.name == "healthy":
            scenario, seconds = SCENARIOS["simple_qa"], LONG
        elif fault is not None:
            scenario, seconds = SCENARIOS[fault.scenario], LONG
        else:
            scenario, seconds = SCENARIOS["barge_in"], SHORT
        for plan in endless_calls():
            if self.provider in ("mix", plan.provider.name):
                yield replace(plan, scenario=scenario, duration=seconds)


def _engine(spec, loop):
    registry = CollectorRegistry()
    # The reference engine plays recordings, and doesn't have their text.
    has_text = spec.name == "busy" or spec.name.startswith("alone-")
    quality = (_Telling if has_text else aeq.QualityMonitor)(
        registry=registry, clock=loop.time, wall_clock=loop.wall_time, log=False, costs=COSTS
    )
    if spec.name == "busy":
        # As `attach` would: what this engine delivers, and how its audio travels.
        quality.engine_info(version=spec.generation, audio_transport="audiosocket")
        for factor in aeq.DEFAULT_POLICY.weights:
            quality.hook_live(factor, live=True)
    return ReferenceEngine(quality=quality, registry=registry, port=0, generation=spec.generation)


async def _serve(specs, loop):
    engines = {spec: _engine(spec, loop) for spec in specs}
    for spec, engine in engines.items():
        await engine.start()
        if spec.fault not in ("none", "engine_stop"):
            engine.faults.inject(spec.fault)
    sys.stdout.write(json.dumps({spec.name: engine.url for spec, engine in engines.items()}) + "\n")
    sys.stdout.flush()
    async with asyncio.TaskGroup() as group:
        for spec, engine in engines.items():
            plans = spec.plans() if spec.calls > 0 else islice(spec.plans(), 1)
            for _ in range(abs(spec.calls)):
                group.create_task(calls_in_turn(engine, plans))
            await asyncio.sleep(0.4)


def main():
    end_with_parent()
    speed, *specs = sys.argv[1:]
    loop = EngineLoop(float(speed), longest_step=LONGEST_STEP)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_serve([Spec.parse(text) for text in specs], loop))


if __name__ == "__main__":
    main()
