"""The faults that a live test would need hours for: the engine's own series, in virtual time.

Nothing depends on the machine's speed here: what the reference engine shows is read every 5 s of
its own time, and evaluated by Prometheus' own code with the durations that operators get.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from alert_faults import ESCALATED, FAULTS, LIVE
from measure_alerts import BEGINS, LASTS, fault_of, measure
from services import program

pytestmark = pytest.mark.system("prometheus")

ENDS = BEGINS + LASTS + 1_500.0
"""Seconds: the longest window of these alerts is 15 minutes, and 5 more it fires on."""

GROUP_WAIT = 30.0
"""Seconds for which Alertmanager gathers what belongs together, so that the cause inhibits it."""

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "Alerts.md"

CLOSE = 60.0
"""Seconds by which docs may be off: other processors round the engine's sound in other ways."""


def documented():
    """Return {(fault, alert): (seconds to fire, seconds to resolve)} of the document's table."""
    table = DOCUMENT.read_text().split("<!-- measured: begin -->")[1].split("<!-- measured: end")[0]
    rows = (line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:])
    return {(fault, alert): (fires, resolves) for fault, alert, fires, resolves in rows}


@pytest.mark.parametrize("engine", [name for name in FAULTS if name not in LIVE])
def test_its_alert_fires_first_and_resolves(engine, tmp_path):
    """The fault's own alert, before what follows from it, and no other; as long as docs say."""
    _, alert, more = FAULTS[engine]
    found = {one.alert: one for one in measure(engine, program("promtool"), tmp_path, ENDS)}
    budget = found.pop("QualityBudgetBurn", None)  # looks back for six hours
    assert alert in found
    assert set(found) <= {alert, *more}
    for name, one in found.items():
        assert one.fires_after > 0
        assert one.resolves_after is not None, name
        said = documented()[fault_of(engine), name]
        assert [one.fires_after, one.resolves_after] == pytest.approx(
            [float(value) for value in said], abs=CLOSE
        )
        if name != ESCALATED.get(alert):
            assert found[alert].fires_after <= one.fires_after + GROUP_WAIT
    assert budget is None or budget.fires_after > found[alert].fires_after
