"""The table of docs/Reference-Engine.md: what each fault moves, from a run.

Each fault gets one call in virtual time, once without it and once with it, with synthesised speech,
so that the table is the same on every machine.
"""

from __future__ import annotations

import asyncio
import functools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ai_engine_lab.engine.faults import FAULTS, FAULTS_OF_A_CALL, Fault, PlannedFault
from ai_engine_lab.engine.plans import SCENARIOS, PlannedCall
from ai_engine_lab.engine.provider import DEEPGRAM, LOCAL
from ai_engine_lab.engine.reference import CallResult, ReferenceEngine
from ai_engine_lab.engine.speech import synthesise_speech
from ai_engine_lab.engine.time_loop import VIRTUAL, EngineLoop
from ai_engine_lab.engine.virtual_run import EPOCH, FAULT_SECONDS
from prometheus_client import CollectorRegistry

from ai_engine_quality import QualityMonitor
from handbook.marks import table

if TYPE_CHECKING:
    import ai_engine_quality as aeq

CALL_SECONDS: Final = 60.0


Samples = dict[str, float]
"""Each sample's name with its labels, and its mean over a second's looks while the call lasted."""


@dataclass(frozen=True)
class Shown:
    """One call without a fault and with it, and the mean of every sample while it lasted."""

    fault: Fault
    before: CallResult
    after: CallResult
    before_metrics: Samples
    after_metrics: Samples

    def penalties(self) -> Iterator[tuple[str, float, float]]:
        """Each factor and its points, before and after."""
        before, after = _score(self.before), _score(self.after)
        for was, now in zip(before.factors, after.factors, strict=True):
            yield was.name, was.penalty, now.penalty


def parts() -> dict[str, str]:
    """Return the page's generated parts, by their marks."""
    header = (
        "fault",
        "what it does",
        "metrics that it moves",
        "factor",
        "score before",
        "score after",
    )
    return {"faults": table(header, [*map(_row, FAULTS.values())])}


@functools.cache
def show(name: str) -> Shown:
    """Run the call that shows a fault, without it and with it; once in a process."""
    fault = FAULTS[name]
    (before, before_metrics), (after, after_metrics) = _run(fault, on=False), _run(fault, on=True)
    return Shown(fault, before, after, before_metrics, after_metrics)


def _row(fault: Fault) -> tuple[str, ...]:
    metrics = ", ".join(f"`{metric}`" for metric in fault.metrics)
    if fault.name not in FAULTS_OF_A_CALL:
        return f"`{fault.name}`", fault.title, metrics or "none", "none", "", ""
    shown = show(fault.name)
    moved = {name: (was, now) for name, was, now in shown.penalties() if name in fault.factors}
    factors = ", ".join(f"{name} ({-was:.0f} to {-now:.0f})" for name, (was, now) in moved.items())
    return (
        f"`{fault.name}`",
        fault.title,
        metrics,
        (factors or "none").replace("-0", "0"),
        _result(shown.before),
        _result(shown.after),
    )


def _result(result: CallResult) -> str:
    score = _score(result)
    band = score.band.value if score.band is not None else str(score.unscored_reason)
    return f"{score.score}, {band}" if score.score is not None else band


def _score(result: CallResult) -> aeq.CallScore:
    if result.score is None:
        raise RuntimeError("the call was not scored: hand the engine a real QualityMonitor")
    return result.score


def _run(fault: Fault, *, on: bool) -> tuple[CallResult, Samples]:
    """A full agent's call, whose result counts, and a pipeline's beside it for the metrics."""
    loop, registry = EngineLoop(VIRTUAL, epoch=EPOCH), CollectorRegistry()
    quality = QualityMonitor(
        registry=registry, clock=loop.time, wall_clock=loop.wall_time, log=False
    )
    scenario = SCENARIOS[fault.scenario]
    plans = (
        PlannedCall("1761532874.2245", DEEPGRAM, scenario, CALL_SECONDS),
        PlannedCall("1761532875.2246", LOCAL, scenario, CALL_SECONDS, pipeline="local_hybrid"),
    )

    async def main() -> tuple[CallResult, Samples]:
        engine = ReferenceEngine(
            quality=quality, registry=registry, speech=synthesise_speech(), port=0
        )
        if on:
            engine.faults.schedule([PlannedFault(fault.name, FAULT_SECONDS, fault.at_seconds)])
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(engine.place(plan)) for plan in plans]
            looks = group.create_task(_look(registry))
        engine.faults.clear_all()
        return calls[0].result(), looks.result()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main())


async def _look(registry: CollectorRegistry) -> Samples:
    """Look at all samples once a second, as a scraper would."""
    total: defaultdict[str, float] = defaultdict(float)
    looks = round(CALL_SECONDS) - 1
    for _ in range(looks):
        await asyncio.sleep(1.0)
        for family in registry.collect():
            for sample in family.samples:
                total[f"{sample.name}{sorted(sample.labels.items())}"] += sample.value
    return {name: value / looks for name, value in total.items()}
