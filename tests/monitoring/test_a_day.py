"""24 simulated hours without a fault: of an idle engine, and of 1, 10 and 100 calls an hour.

The traffic is the reference engine's, in virtual time: some hours of it, over and over. It is as
healthy engines are, not as demos are: one turn in fifty takes 3 s, and formats are converted on
purpose, which the engine calls a mismatch.
"""

from __future__ import annotations

import pytest
from ai_engine_lab.engine import HEALTHY
from recorded_traffic import PlannedTraffic, record
from rule_inputs import FIRED, NAMES, always_up, ask, questions
from services import program

pytestmark = pytest.mark.system("prometheus")

HOUR = 3_600.0
SLOW_TURN_SECONDS = 3.0
ONE_IN = 50


class _SometimesSlow:
    """The healthy profile, with an odd slow turn."""

    name = "healthy"

    def behaviour(self, plan, rng):
        behaviour = HEALTHY.behaviour(plan, rng)
        draw = behaviour.response_latency
        behaviour.response_latency = lambda: (
            SLOW_TURN_SECONDS if rng.randrange(ONE_IN) == 0 else draw()
        )
        return behaviour


# Calls an hour, hours that are recorded and repeated, the form of the engine's metrics, and whether
# formats are bridged. October 2025 leaves a finished call's series behind: few calls there are many
# series.
DAYS = [
    (0, 1, "2026-08", False),
    (1, 8, "2026-08", True),
    (10, 3, "2026-08", True),
    (100, 0.5, "2026-08", True),
    (0, 1, "2025-10", False),
    (10, 1, "2025-10", False),
]


@pytest.mark.parametrize(("calls_per_hour", "hours", "generation", "bridged"), DAYS)
def test_nothing_rings_in_a_day_without_a_fault(
    calls_per_hour, hours, generation, bridged, tmp_path
):
    """No alert but the Watchdog fires in 24 hours, at any rate of calls, by either generation."""
    plan = PlannedTraffic(
        hours * HOUR,
        calls_per_hour=calls_per_hour,
        profile=_SometimesSlow(),
        generation=generation,
        names=NAMES,
        faults={"bridged_formats": (0.0, hours * HOUR)} if bridged else {},
    )
    day = record(plan).repeated(int(24 / hours))
    assert day.steps * day.step == 24 * HOUR
    test = questions(day, [FIRED], more=[always_up(day)], every="2m")
    said = ask(program("promtool"), test, tmp_path)
    assert "SUCCESS" in said, said[-2_000:]


def test_the_same_day_with_a_fault_rings(tmp_path):
    """So that the silence above means something: half an hour with a slow provider."""
    faults = {"slow_provider": (0.1 * HOUR, HOUR)}
    plan = PlannedTraffic(0.5 * HOUR, faults=faults, names=NAMES, provider="deepgram")
    hours = record(plan)
    said = ask(
        program("promtool"),
        questions(hours, [FIRED], more=[always_up(hours)], every="1m"),
        tmp_path,
    )
    assert "HighTurnResponseLatency" in said
