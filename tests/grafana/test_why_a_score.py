"""From *Worst calls* to what cost the points: two clicks, by the panels' own queries."""

from __future__ import annotations

import pytest
from boards import DASHBOARDS
from prometheus_client import CollectorRegistry
from services import eventually, running_prometheus, served

import ai_engine_quality as aeq
from ai_engine_quality.doctor.dashboards import askable, queries
from ai_engine_quality.doctor.prometheus_api import Prometheus

pytestmark = [pytest.mark.slow, pytest.mark.system("prometheus")]


def asked(prometheus, dashboard, panel, *, provider=".*", call_id=""):
    """Return the series of a panel's first query, as Grafana asks for one provider or call."""
    expression = next(expr for title, expr in queries(DASHBOARDS[dashboard]) if title == panel)
    return prometheus.query(askable(expression.replace("$provider", provider), call_id))


def test_the_worst_call_of_a_provider_and_what_cost_its_points(tmp_path):
    """*Worst calls* filters by provider and sorts by score; the call's page says why."""
    registry = CollectorRegistry()
    with (
        served(aeq.QualityMonitor(registry=registry, log=False), registry) as monitor,
        running_prometheus(tmp_path, f"127.0.0.1:{monitor.port}") as url,
    ):
        for number, (provider, turn) in enumerate(
            [("deepgram", 0.4), ("deepgram", 3.2), ("google_live", 9.0)]
        ):
            monitor.call_started(f"1.{number}", provider=provider)
            monitor.turn_response(f"1.{number}", turn)
            monitor.turn_response(f"1.{number}", turn)
            monitor.frames_sent(f"1.{number}", 500)
            monitor.underflow(f"1.{number}", 0)
            monitor.call_ended(f"1.{number}", duration=60.0)
        prometheus = Prometheus(url)
        eventually(lambda: len(prometheus.query("ai_agent_call_quality_score")) == 3)

        every = asked(prometheus, "call-quality", "Worst calls")
        found = {series["metric"]["call_id"]: float(series["value"][1]) for series in every}
        assert found.keys() == {"1.0", "1.1", "1.2"}
        mine = asked(prometheus, "call-quality", "Worst calls", provider="deepgram")
        assert {series["metric"]["call_id"] for series in mine} == {"1.0", "1.1"}
        assert {series["metric"]["provider"] for series in mine} == {"deepgram"}

        why = asked(prometheus, "call-drill-down", "What cost the points", call_id="1.1")
        lost = {series["metric"]["factor"]: float(series["value"][1]) for series in why}
        assert set(lost) == {"latency", "ceiling_latency"}
        assert sum(lost.values()) == pytest.approx(100 - found["1.1"], abs=0.5)
        (turns,) = asked(prometheus, "call-drill-down", "Turns", call_id="1.1")
        assert float(turns["value"][1]) == 2
        assert not asked(prometheus, "call-drill-down", "What cost the points", call_id="1.0")
