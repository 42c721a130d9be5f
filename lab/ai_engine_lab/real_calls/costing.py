"""What the library costs the engine: its own CPU seconds for the same calls with and without it."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ai_engine_lab.real_calls.engine import EngineProcess
from ai_engine_lab.real_calls.running import Progress, Rig, run_scenarios
from ai_engine_lab.real_calls.scenario import Scenario

ROUNDS: Final = 3
COST_CALLS: Final = ("dg-complex-1", "dg-complex-3")
"""Long and healthy, on one engine at a time."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of the engine's process (user and system) per 100 s of call."""

    calls: int
    call_seconds: float
    rounds: int
    without: float
    """The median over the rounds."""
    with_library: float
    spread: float
    """Largest over smallest round without the library, minus 1."""

    @property
    def share(self) -> float:
        """What the library adds, as a share of the engine's own."""
        return self.with_library / self.without - 1


MakeProcess = Callable[[bool], EngineProcess]


async def measure_cost(
    scenarios: list[Scenario], process: MakeProcess, progress: Progress, rounds: int = ROUNDS
) -> Cost:
    """Place the same calls with and without the library, by turns, and compare."""
    used: dict[bool, list[float]] = {False: [], True: []}
    seconds = 0.0
    for number in range(rounds):
        # Whichever is first in a round meets another machine than the second: they take turns.
        order = (False, True) if number % 2 == 0 else (True, False)
        for attached in order:
            first = scenarios[0]
            rig = Rig(first.provider, first.transport, first.setting, process=process(attached))
            run = await run_scenarios(rig, scenarios, progress, attempts=1)
            seconds = sum(recording.duration for recording in run.recordings)
            used[attached].append(100 * run.cpu_seconds / seconds)
    without = used[False]
    return Cost(
        calls=len(scenarios),
        call_seconds=seconds,
        rounds=rounds,
        without=statistics.median(without),
        with_library=statistics.median(used[True]),
        spread=max(without) / min(without) - 1,
    )
