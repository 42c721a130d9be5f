"""The matrix's calls, placed on the reference engine and ready to be judged.

The one module here that runs an engine, and so needs what the engine needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ai_engine_lab.engine.faults import Fault, PlannedFault
from ai_engine_lab.engine.plans import DEFAULT_SEED, TEST_MATRIX, MatrixRow, plan_calls
from ai_engine_lab.engine.profiles import HEALTHY, Profile
from ai_engine_lab.engine.runs import Progress
from ai_engine_lab.engine.virtual_run import FAULT_SECONDS, place_in_virtual_time
from ai_engine_lab.validation.calls import JudgedCall, ToldBy


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
