"""A real Prometheus beside ``demo --serve``: every metric has samples within a minute."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request

import pytest
from ai_engine_lab.engine import plan_calls
from ai_engine_lab.engine.inventory import inventory
from services import eventually, running_prometheus, serving_demo

from ai_engine_quality.doctor.prometheus_api import Prometheus

pytestmark = pytest.mark.system("prometheus")

SPEED = 2.0
TRAFFIC_OF_A_MINUTE = 11 + 10
"""Calls: the opening's eleven, and more than 240 an hour bring in any minute."""


@pytest.fixture
def engine(tmp_path):
    """Run the engine with its traffic; return the address that it serves on."""
    with serving_demo(tmp_path, "--speed", str(SPEED)) as serving:
        yield urllib.parse.urlsplit(serving.split()[1]).netloc


@pytest.fixture
def prometheus(engine, tmp_path):
    """Run a Prometheus that scrapes the engine every second; return where its API is."""
    with running_prometheus(tmp_path, engine) as url:
        yield url


def names(prometheus):
    """Return the names of all metrics that have a sample now."""
    series = Prometheus(prometheus).query('count by (__name__) ({__name__=~"ai_agent_.+"})')
    return {one["metric"]["__name__"] for one in series}


def test_every_metric_has_samples_within_a_minute_of_traffic(prometheus):
    """All 59 metrics of the newest generation are there before a minute's calls have begun."""
    wanted = {
        f"{metric.exposed_name}_bucket" if metric.kind == "histogram" else metric.exposed_name
        for metric in inventory("2026-08")
    }
    assert len(wanted) == 59
    eventually(lambda: wanted <= names(prometheus), what=lambda: wanted - names(prometheus))
    begun = Prometheus(prometheus).value("sum(ai_agent_calls_started_total)")
    assert begun <= len(plan_calls()) + TRAFFIC_OF_A_MINUTE
