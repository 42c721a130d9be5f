"""Some hours of two engines' metrics, as a scraper would have stored them, in seconds.

The reference engine lives through them in virtual time, one generation of its metrics in each
process, with the faults of the diagnosis cards one after the other.
"""

from __future__ import annotations

import asyncio
import math
import random
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from ai_engine_lab.engine import (
    FAULTS,
    HEALTHY,
    VIRTUAL,
    AudioFormat,
    Behaviour,
    Delivery,
    EngineLoop,
    Generation,
    PlannedCall,
    ReferenceEngine,
    endless_calls,
    traffic,
)
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_pictures.cards import Incident

Labels = tuple[tuple[str, str], ...]
"""Sorted; the metric's name is the label `__name__`."""

Series = dict[Labels, list[tuple[float, float]]]
"""Samples (unix seconds, value) by labels, in the order of time."""

STALE: Final = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
"""The NaN by which Prometheus marks the end of a series."""

STEP_SECONDS: Final = 10.0
"""Between two scrapes. A real Prometheus here scrapes every second; the pictures can't show it."""

COSTS: Final = {
    "deepgram": aeq.CallCost(per_minute=0.0077, currency="USD"),
    "openai_realtime": aeq.CallCost(per_minute=0.06, currency="USD"),
    "google_live": aeq.CallCost(per_minute=0.023, currency="USD"),
    "grok": aeq.CallCost(per_minute=0.05, currency="USD"),
    "elevenlabs_agent": aeq.CallCost(per_minute=0.08, currency="USD"),
}
"""Invented, for the panels that show costs."""

ODD_TURN_SECONDS: Final = 3.0
ODD_TURNS: Final = 1 / 50
"""Healthy engines have an odd slow turn."""


@dataclass(frozen=True)
class EngineHistory:
    """What one engine lives through."""

    instance: str
    generation: Generation
    calls_per_hour: float
    seed: int
    until: float
    """Unix seconds of the last sample."""
    seconds: float
    incidents: tuple[Incident, ...] = ()
    """Those of this engine."""
    job: str = "ai-engine"


@dataclass
class _Recorder:
    """Samples of one engine; a series that is gone at a scrape ends with a marker."""

    history: EngineHistory
    series: Series = field(default_factory=dict)
    _known: set[Labels] = field(default_factory=set)
    _keys: dict[tuple[str, tuple[tuple[str, str], ...]], Labels] = field(default_factory=dict)

    def scrape(self, registry: CollectorRegistry | None, at: float) -> None:
        """Store what a scrape finds, and what Prometheus adds; None: the engine didn't answer."""
        began = time.perf_counter()
        now: dict[Labels, float] = {}
        if registry is not None:
            for family in registry.collect():  # as the text has them, without parsing it
                for sample in family.samples:
                    if not sample.name.endswith("_created"):
                        now[self._key(sample.name, sample.labels)] = sample.value
        found = len(now)
        now[self._key("up", {})] = float(registry is not None)
        now[self._key("scrape_samples_scraped", {})] = float(found)
        now[self._key("scrape_duration_seconds", {})] = time.perf_counter() - began
        for key, value in now.items():
            self.series.setdefault(key, []).append((at, value))
        for key in self._known - now.keys():
            self.series[key].append((at, STALE))
        self._known = set(now)

    def _key(self, name: str, labels: dict[str, str]) -> Labels:
        short = (name, tuple(labels.items()))
        if short not in self._keys:
            all_labels = {
                **labels,
                "__name__": name,
                "job": self.history.job,
                "instance": self.history.instance,
            }
            self._keys[short] = tuple(sorted(all_labels.items()))
        return self._keys[short]


@dataclass(frozen=True)
class _Behaviour:
    """A healthy provider in one call, with an odd slow turn, and slower while an incident lasts."""

    healthy: Behaviour
    rng: random.Random
    extra_seconds: Callable[[], float]

    @property
    def audio_format(self) -> AudioFormat | None:
        return self.healthy.audio_format

    def response_latency(self) -> float | None:
        seconds = self.healthy.response_latency()
        if seconds is None:
            return None
        odd = self.rng.random() < ODD_TURNS
        return (ODD_TURN_SECONDS if odd else seconds) + self.extra_seconds()

    def delivery(self) -> Delivery:
        return self.healthy.delivery()


@dataclass(frozen=True)
class _Profile:
    """Healthy, but for the incidents of single providers: the engine's own faults hit them all."""

    incidents: tuple[Incident, ...]
    now: Callable[[], float]
    name: str = "healthy"

    def behaviour(self, plan: PlannedCall, rng: random.Random) -> Behaviour:
        slow = [found for found in self.incidents if found.provider == plan.provider.name]

        def extra_seconds() -> float:
            return sum(
                float(FAULTS[found.fault].changes["thinking_seconds"])
                for found in slow
                if found.begins <= self.now() < found.ends
            )

        return _Behaviour(HEALTHY.behaviour(plan, rng), rng, extra_seconds)


def record(histories: list[EngineHistory]) -> Series:
    """Let engines live through their histories, each in a process of its own."""
    with ProcessPoolExecutor(max_workers=len(histories)) as pool:
        found: Series = {}
        for series in pool.map(_record, histories):
            found.update(series)
        return found


def _record(history: EngineHistory) -> Series:
    loop = EngineLoop(VIRTUAL, epoch=history.until - history.seconds)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(_live_through(history, loop))


async def _live_through(history: EngineHistory, loop: EngineLoop) -> Series:
    registry = CollectorRegistry()
    start = loop.time()
    quality = aeq.QualityMonitor(
        registry=registry, clock=loop.time, wall_clock=loop.wall_time, costs=COSTS, log=False
    )
    engine = ReferenceEngine(
        quality=quality,
        registry=registry,
        port=0,
        profile=_Profile(history.incidents, lambda: loop.time() - start),
        generation=history.generation,
        seed=history.seed,
    )
    await engine.start()
    for incident in history.incidents:
        if incident.provider is None:
            loop.call_later(incident.begins, engine.faults.inject, incident.fault, incident.seconds)
    calls = asyncio.create_task(
        traffic(engine, endless_calls(seed=history.seed), calls_per_hour=history.calls_per_hour)
    )
    recorder = _Recorder(history)
    for at in _moments(history.seconds):
        await asyncio.sleep(start + at - loop.time())
        answers = engine.faults.conditions.answering
        recorder.scrape(registry if answers else None, history.until - history.seconds + at)
    calls.cancel()
    await asyncio.wait({calls})
    await engine.stop()
    quality.close()
    return recorder.series


def _moments(seconds: float) -> Iterator[float]:
    return (index * STEP_SECONDS for index in range(math.floor(seconds / STEP_SECONDS) + 1))
