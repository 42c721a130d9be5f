"""Calls in virtual time on an engine of their own, without its HTTP side: what validation needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from prometheus_client import CollectorRegistry

from ai_engine_lab.engine.engine import CallResult, ReferenceEngine
from ai_engine_lab.engine.faults import Fault, PlannedFault
from ai_engine_lab.engine.matrix import (
    DEFAULT_SEED,
    TEST_MATRIX,
    MatrixRow,
    PlannedCall,
    plan_calls,
)
from ai_engine_lab.engine.profiles import HEALTHY, Profile
from ai_engine_lab.engine.runs import Progress, run_matrix
from ai_engine_lab.engine.speech import SpeechLibrary
from ai_engine_lab.engine.time_loop import VIRTUAL, EngineLoop
from ai_engine_lab.validation.calls import JudgedCall, ToldBy
from ai_engine_quality import QualityMonitor

EPOCH: Final = 1_761_532_800.0
"""Unix time at which a run begins, so that every run is the same to the last digit."""

FAULT_SECONDS: Final = 600.0
"""Longer than any call of the matrix."""


def place_in_virtual_time(
    plans: Sequence[PlannedCall],
    *,
    profile: Profile = HEALTHY,
    seed: int = DEFAULT_SEED,
    faults: Sequence[PlannedFault] = (),
    speech: SpeechLibrary | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[CallResult]:
    """Place all the calls at once and return their results, in the calls' order.

    They begin together, so that a fault planned for the tenth second meets each call in its tenth.
    """
    loop, registry = EngineLoop(VIRTUAL, epoch=EPOCH), CollectorRegistry()
    quality = QualityMonitor(
        registry=registry, clock=loop.time, wall_clock=loop.wall_time, log=False
    )

    async def main() -> list[CallResult]:
        engine = ReferenceEngine(
            quality=quality, registry=registry, profile=profile, seed=seed, speech=speech, port=0
        )
        engine.faults.schedule(faults)
        try:
            return await run_matrix(engine, plans, on_progress, concurrent=len(plans) or 1)
        finally:
            engine.faults.clear_all()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            return runner.run(main())
        finally:
            quality.close()


def place_matrix(
    rows: Sequence[MatrixRow] = TEST_MATRIX,
    *,
    profile: Profile = HEALTHY,
    seed: int = DEFAULT_SEED,
    faults: Sequence[PlannedFault] = (),
    on_progress: Callable[[Progress], None] | None = None,
) -> list[JudgedCall]:
    """Place the matrix's calls in virtual time; return them ready to be judged."""
    results = place_in_virtual_time(
        plan_calls(rows, seed), profile=profile, seed=seed, faults=faults, on_progress=on_progress
    )
    return [
        JudgedCall.of(result.score, result.plan.scenario.name, ToldBy.PLACED)
        for result in results
        if result.score is not None
    ]


def fault_calls(fault: Fault | None, seed: int = DEFAULT_SEED) -> list[JudgedCall]:
    """Place one call of each row on a healthy engine, with a fault that lasts, or without one."""
    rows = [replace(row, calls=1) for row in TEST_MATRIX]
    planned = [PlannedFault(fault.name, FAULT_SECONDS, fault.at_seconds)] if fault else []
    return place_matrix(rows, seed=seed, faults=planned)
