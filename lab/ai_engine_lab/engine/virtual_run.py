"""Calls in virtual time on an engine of their own, without its HTTP side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry

from ai_engine_lab.engine.faults import PlannedFault
from ai_engine_lab.engine.plans import DEFAULT_SEED, PlannedCall
from ai_engine_lab.engine.profiles import HEALTHY, Profile
from ai_engine_lab.engine.reference import CallResult, ReferenceEngine
from ai_engine_lab.engine.runs import Progress, run_matrix
from ai_engine_lab.engine.speech import SpeechLibrary
from ai_engine_lab.engine.time_loop import VIRTUAL, EngineLoop
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
