"""Each fault of the reference engine moves the panels that should show it, in both generations.

An engine with the fault is held against a healthy one beside it, at the same time, on the same
Prometheus, through the panel's own query.
"""

from __future__ import annotations

import math

import pytest
from ai_engine_lab.engine import FAULTS_OF_A_CALL
from boards import targets
from live_stack import eventually
from panel_moves import MOVES

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.system("prometheus", "prometheus-alertmanager"),
]

SECONDS = 30.0
"""How far back panels over time look."""

HEALTHY = {"late_barge_in": "alone-deepgram"}
"""The engine without the fault that has the same kind of calls, where that isn't `healthy`."""


def test_every_fault_is_shown_by_a_panel():
    """No fault of the reference engine is missing here."""
    assert {fault for fault, *_ in MOVES} == set(FAULTS_OF_A_CALL)


@pytest.mark.parametrize("move", MOVES, ids=lambda move: "-".join(move[:3]))
def test_the_fault_moves_the_panel(live, generation, move):
    """What the panel shows of the faulty engine differs visibly from that of a healthy one."""
    fault, where, series, moved = move
    asked = [t for t in targets() if str(t).startswith(f"{where}/") or str(t) == where]
    assert asked, where
    # An engine that has just gone still has a past: of that one, only the present counts.
    seconds = 0 if fault == "engine_stop" else SECONDS
    seen = {}

    def shown(name):
        values = []
        for target in asked:
            found = live.ask(target, live.instance(generation, name), seconds=seconds)
            for legend, these in found.items():
                if series in ("", legend):
                    values += [value for value in these if math.isfinite(value)]
        return values

    def moves():
        seen.update(faulty=shown(fault), healthy=shown(HEALTHY.get(fault, "healthy")))
        return moved(seen["faulty"], seen["healthy"])

    eventually(moves, live.patience, lambda: seen)
