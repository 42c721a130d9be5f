"""What the reference engine's tests share: a recording monitor, and calls in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from ai_engine_lab.engine import (
    DEFAULT_SEED,
    HEALTHY,
    PROVIDERS,
    SCENARIOS,
    VIRTUAL,
    Delivery,
    EngineLoop,
    PlannedCall,
    ReferenceEngine,
)
from prometheus_client import CollectorRegistry


class RecordedCall:
    """A call's handle that remembers every report, and when it came."""

    def __init__(self, reports, times):
        self._reports = reports
        self._times = times

    def __getattr__(self, name):
        def report(*args, **values):
            self._reports.append((name, args, values))
            self._times.append(asyncio.get_running_loop().time())

        return report


class RecordingMonitor:
    """Stands where a QualityMonitor stands, and remembers what it was told, call by call."""

    def __init__(self):
        self.reports = {}
        self.times = {}

    def call_started(self, call_id, *, provider, pipeline):
        self.reports[call_id] = [("call_started", (), {"provider": provider, "pipeline": pipeline})]

    def call(self, call_id):
        self.times[call_id] = [asyncio.get_running_loop().time()]
        return RecordedCall(self.reports[call_id], self.times[call_id])

    def call_ended(self, call_id, **values):
        self.reports[call_id].append(("call_ended", (), values))

    def of(self, call_id, name):
        """The positional and named values of every report of a name."""
        return [(args, values) for told, args, values in self.reports[call_id] if told == name]

    def when(self, call_id, name):
        """The loop's time and the positional values of every report of a name."""
        timed = zip(self.times[call_id], self.reports[call_id], strict=False)
        return [(at, args) for at, (told, args, _) in timed if told == name]


@dataclass
class FixedBehaviour:
    """A provider that does exactly as told."""

    latency: float | None = 0.5
    arrives: Delivery = field(default_factory=lambda: Delivery(pace=3.0))
    audio_format: Any = None

    def response_latency(self):
        return self.latency

    def delivery(self):
        return self.arrives


@dataclass
class FixedProfile:
    """Every call gets the same behaviour."""

    given: FixedBehaviour
    name: str = "fixed"

    def behaviour(self, plan, rng):
        del plan, rng
        return self.given


class Bench:
    """An engine in virtual time with a recording monitor, and ways to place calls on it."""

    def __init__(self):
        self.monitor = RecordingMonitor()

    def plan(self, scenario="simple_qa", provider="deepgram", duration=30.0, **changes):
        plan = PlannedCall("1761532874.2245", PROVIDERS[provider], SCENARIOS[scenario], duration)
        return replace(plan, **changes)

    def fixed(self, **values):
        return FixedProfile(FixedBehaviour(**values))

    def run(self, main, speed=VIRTUAL):
        """Run a coroutine function with a loop of its own; return what it returns."""
        loop = EngineLoop(speed, epoch=1_761_532_800.0)
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(main())

    def engine(self, **options):
        return ReferenceEngine(
            quality=options.pop("quality", self.monitor),
            registry=options.pop("registry", CollectorRegistry()),
            profile=options.pop("profile", HEALTHY),
            seed=options.pop("seed", DEFAULT_SEED),
            port=0,
            **options,
        )

    def call(self, plan=None, *, transport=None, **options):
        """Place one call in virtual time and return its result."""

        async def main():
            engine = self.engine(**options)
            more = {} if transport is None else {"transport": transport}
            return await engine.place(plan or self.plan(), **more)

        return self.run(main)


@pytest.fixture
def bench():
    return Bench()
