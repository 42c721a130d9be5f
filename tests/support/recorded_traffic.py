"""Traffic of the reference engine as series: its exposition, read at a fixed step of virtual time.

An hour of calls takes seconds, because the engine's loop never sleeps. What comes out is what a
scraper would have stored, staleness included, and can be written as the input of a rule test.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ai_engine_lab.engine import (
    HEALTHY,
    VIRTUAL,
    EngineLoop,
    ReferenceEngine,
    endless_calls,
    traffic,
)
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

Series = tuple[str, tuple[tuple[str, str], ...]]
TARGET = (("instance", "127.0.0.1:15000"), ("job", "ai-engine"))


@dataclass(frozen=True)
class PlannedTraffic:
    """What an engine lives through; durations in seconds of its own time."""

    seconds: float
    calls_per_hour: float = 100.0
    step: float = 15.0
    faults: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Name -> (begins after, lasts)."""
    profile: object = HEALTHY
    generation: str = "2026-08"
    names: frozenset[str] | None = None
    """Which metrics are wanted; None: all of them."""
    provider: str | None = None
    """Whose calls; None: all providers' in turn."""
    hints: bool = False
    """Whether the library is told what audio the providers hand over."""


@dataclass(frozen=True)
class Recorded:
    """Series as they were read; None where a series was absent."""

    step: float
    steps: int
    series: dict[Series, list[float | None]]

    def repeated(self, times: int) -> Recorded:
        """Return the same traffic so many times over: counters go on, gauges come again."""
        return Recorded(
            self.step,
            self.steps * times,
            {key: _repeat(key[0], values, times) for key, values in self.series.items()},
        )


def _repeat(name: str, values: list[float | None], times: int) -> list[float | None]:
    counts = name.endswith(("_total", "_bucket", "_count", "_sum"))
    last = values[-1] if counts and values[-1] is not None else 0.0
    out: list[float | None] = []
    for turn in range(times):
        carried = last * turn
        # A counter that was born during the first turn is there from then on.
        out += [
            (carried if counts and turn else None)
            if value is None
            else value + carried
            if counts
            else value
            for value in values
        ]
    return out


def record(plan: PlannedTraffic) -> Recorded:
    """Let an engine live through ``plan``, and return what was read of it."""
    loop = EngineLoop(VIRTUAL, epoch=0.0)
    registry = CollectorRegistry()
    quality = aeq.QualityMonitor(
        registry=registry, clock=loop.time, wall_clock=loop.wall_time, log=False
    )
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        recorded = runner.run(_live_through(plan, quality, registry))
    quality.close()
    return recorded


async def _live_through(
    plan: PlannedTraffic, quality: aeq.QualityMonitor, registry: CollectorRegistry
) -> Recorded:
    engine = ReferenceEngine(
        quality=quality,
        registry=registry,
        port=0,
        profile=plan.profile,
        generation=plan.generation,
        hints=plan.hints,
    )
    await engine.start()
    loop = asyncio.get_running_loop()
    start, steps = loop.time(), int(plan.seconds // plan.step)
    plans = (p for p in endless_calls() if plan.provider in (None, p.provider.name))
    calls = asyncio.create_task(
        traffic(engine, plans, calls_per_hour=plan.calls_per_hour)
        if plan.calls_per_hour
        else asyncio.sleep(plan.seconds + 1)
    )
    for name, (begins, lasts) in plan.faults.items():
        loop.call_later(begins, engine.faults.inject, name, lasts)
    series: dict[Series, list[float | None]] = {}
    for index in range(steps):
        await asyncio.sleep(start + index * plan.step - loop.time())
        for key, value in _read(registry, plan.names):
            series.setdefault(key, [None] * steps)[index] = value
    calls.cancel()
    await asyncio.wait({calls})
    await engine.stop()
    return Recorded(plan.step, steps, series)


def _read(
    registry: CollectorRegistry, names: frozenset[str] | None
) -> Iterator[tuple[Series, float]]:
    for family in registry.collect():  # as the text has them, without the cost of parsing it
        for sample in family.samples:
            if sample.name.endswith("_created") or (names and sample.name not in names):
                continue
            labels = tuple(sorted((*sample.labels.items(), *TARGET)))
            yield (sample.name, labels), sample.value


def as_input_series(recorded: Recorded) -> list[dict[str, str]]:
    """Return the series in the notation of rule tests, runs of equal values shortened."""
    return [
        {"series": _selector(key), "values": _values(values)}
        for key, values in recorded.series.items()
    ]


def _selector(key: Series) -> str:
    name, labels = key
    inside = ",".join(f'{label}="{value}"' for label, value in labels)
    return f"{name}{{{inside}}}"


def _values(values: Iterable[float | None]) -> str:
    """``stale`` once where a series goes, ``_`` while it is away, ``axn`` for repetition."""
    parts, known = [], False
    for value, run in itertools.groupby(values):
        count = len(list(run))
        if value is None:
            if known:
                parts.append("stale")
                count -= 1
            if count:
                parts.append("_" if count == 1 else f"_x{count}")
        else:
            parts.append(f"{value:.10g}" if count == 1 else f"{value:.10g}x{count - 1}")
        known = value is not None
    return " ".join(parts)
