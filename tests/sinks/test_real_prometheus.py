"""A real Prometheus scrapes the registry: the format, staleness and exemplars as it sees them."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from urllib.parse import urlencode

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from services import eventually, program, running_prometheus, served

import ai_engine_quality as aeq

pytestmark = pytest.mark.system("prometheus")

BEFORE_FORGOTTEN_SECONDS = 120.0
"""Far less than the 5 minutes for which Prometheus would show a sample that isn't marked stale."""

STRANGE_IDS = ['"', 'a"b', '\\"', "back\\slash", "a\\nb", "{call}", "a,b=c", "a # b", "通話", "📞"]


class Prometheus:
    """A running Prometheus, asked through its HTTP API."""

    def __init__(self, port):
        self.port = port

    def get(self, path, **parameters):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", f"{path}?{urlencode(parameters)}")
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def api(self, path, **parameters):
        status, body = self.get(f"/api/v1/{path}", **parameters)
        assert status == 200, body
        return json.loads(body)["data"]

    def query(self, expression):
        """Return {labels without the target's: value} of an instant query."""
        return {
            frozenset(
                (key, text)
                for key, text in series["metric"].items()
                if key not in ("__name__", "instance", "job")
            ): float(series["value"][1])
            for series in self.api("query", query=expression)["result"]
        }

    def scores(self, expression="ai_agent_call_quality_score"):
        """Return {call id: score} as Prometheus has them."""
        return {dict(labels)["call_id"]: found for labels, found in self.query(expression).items()}

    def exemplars(self, selector):
        """Return the call ids of all stored exemplars."""
        found = self.api(
            "query_exemplars", query=selector, start=time.time() - 600, end=time.time() + 60
        )
        return {
            exemplar["labels"]["call_id"] for series in found for exemplar in series["exemplars"]
        }

    def value(self, expression):
        """Return the value of an expression of one series, or None where there is none."""
        return next(iter(self.query(expression).values()), None)


@pytest.fixture(scope="module")
def now():
    """Return the monitor's time, in a list of one."""
    return [1_000.0]


@pytest.fixture(scope="module")
def engine(now):
    """Return a monitor whose registry is served, in the format that the scraper prefers."""
    registry = CollectorRegistry()
    monitor = aeq.QualityMonitor(registry=registry, clock=lambda: now[0], log=False)
    with served(monitor, registry):
        yield monitor


@pytest.fixture(scope="module")
def prometheus(engine, tmp_path_factory):
    """Run a Prometheus that scrapes the engine every second."""
    address = f"127.0.0.1:{engine.port}"
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), address) as url:
        yield Prometheus(int(url.rpartition(":")[2]))


def start(quality, call_id, provider="deepgram"):
    quality.call_started(call_id, provider=provider, pipeline="default")
    quality.turn_response(call_id, 0.4)
    quality.frames_sent(call_id, 500)
    quality.underflow(call_id, 0)


def have_call(quality, call_id, *, turn=0.4):
    start(quality, call_id)
    quality.turn_response(call_id, turn)
    return quality.call_ended(call_id, outcome="completed", duration=60.0)


def test_the_target_is_up(engine, prometheus):
    """Prometheus reads the whole exposition: its target is up, without an error."""
    have_call(engine, "up")
    eventually(lambda: "up" in prometheus.scores())
    targets = prometheus.api("targets")["activeTargets"]
    assert [(target["health"], target["lastError"]) for target in targets] == [("up", "")]
    assert prometheus.value("up") == 1


def test_a_finished_call_can_be_queried_by_its_id(engine, prometheus):
    """The call's sample is there under its id, with its score, and no other label of the call."""
    score = have_call(engine, "1761532874.2245", turn=1.5)
    expression = 'ai_agent_call_quality_score{call_id="1761532874.2245"}'
    found = eventually(lambda: prometheus.query(expression))
    assert found == {frozenset({("call_id", "1761532874.2245")}): score.score}


def test_strange_ids_arrive_unchanged(engine, prometheus):
    """Quotes, backslashes and any script arrive as they are."""
    for call_id in STRANGE_IDS:
        have_call(engine, call_id)
    eventually(lambda: set(STRANGE_IDS) <= prometheus.scores().keys())


@pytest.mark.parametrize(
    "call_id", ["1761532874.7", 'one " quote', "ends in \\", 'both \\"', "x" * 100, "📞" * 100]
)
def test_a_call_is_the_exemplar_of_its_score(engine, prometheus, call_id):
    """Prometheus stores the call's id as the exemplar of the bucket that it fell into."""
    have_call(engine, call_id)
    # Prometheus 2 keeps an exemplar's label as it is written in the exposition, escaped.
    escaped = call_id.replace("\\", "\\\\").replace('"', '\\"')
    eventually(lambda: {call_id, escaped} & prometheus.exemplars("ai_agent_call_scores_bucket"))
    assert call_id in prometheus.scores()


def test_an_id_too_long_for_an_exemplar_does_no_harm(engine, prometheus):
    """An id of 256 characters arrives as a label; the scrape is not refused."""
    have_call(engine, "y" * 256)
    eventually(lambda: "y" * 256 in prometheus.scores())
    assert "y" * 256 not in prometheus.exemplars("ai_agent_call_scores_bucket")


def test_a_sample_goes_stale_and_stays_in_history(engine, prometheus, now):
    """Withdrawn, a sample is gone from instant queries at once, and history still has it."""
    score = have_call(engine, "forgotten", turn=2.5).score
    series = 'ai_agent_call_quality_score{call_id="forgotten"}'
    eventually(lambda: (prometheus.value(f"count_over_time({series}[5m])") or 0) >= 3)
    assert prometheus.value(series) == score
    now[0] += 900.0
    eventually(lambda: prometheus.value(series) is None, BEFORE_FORGOTTEN_SECONDS)
    for function in ("last_over_time", "max_over_time", "min_over_time"):
        assert prometheus.value(f"{function}({series}[5m])") == score
    assert prometheus.value("up") == 1


def test_a_providers_first_call_counts_in_an_increase(engine, prometheus):
    """Since its series start at zero, the first call of a provider is an increase of one call."""
    start(engine, "first-of-all", provider="debutant")
    ended = 'ai_agent_calls_ended_total{provider="debutant",outcome="completed"}'
    scored = 'sum(ai_agent_calls_scored_total{provider="debutant"})'
    eventually(lambda: prometheus.value(ended) == 0 and prometheus.value(scored) == 0)
    engine.call_ended("first-of-all", outcome="completed", duration=60.0)
    eventually(lambda: prometheus.value(ended) == 1)
    for counter in (ended, 'ai_agent_calls_scored_total{provider="debutant",band="excellent"}'):
        assert prometheus.value(f"increase({counter}[5m])") > 0
    turns = 'ai_agent_call_turn_response_seconds_bucket{provider="debutant"}'
    p95 = f"histogram_quantile(0.95, sum by (le) (rate({turns}[5m])))"
    assert len(prometheus.query(p95)) == 1


def test_the_exposition_passes_promtool(registry, quality):
    """Linted by promtool, the exposition gets no error, and no advice on names either."""
    have_call(quality, "done", turn=2.5)
    quality.call_started("live", provider="deepgram")
    quality.engine_info(version="4.0", audio_transport="audiosocket")
    quality.hook_live("latency", live=True)
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=generate_latest(registry),
        capture_output=True,
        check=False,
        timeout=30,
    )
    # All of its lint is accepted here: names end in their unit, counters in _total, and each
    # family has a help text. What it can't see (an unused label, say) the other tests do.
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
