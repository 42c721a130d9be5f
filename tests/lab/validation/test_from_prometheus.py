"""The calls that a real Prometheus has scraped."""

from __future__ import annotations

import http.server
import threading
import time

import pytest
from ai_engine_lab.validation.from_prometheus import read_prometheus
from ai_engine_lab.validation.judging import Expectation, judge
from ai_engine_lab.validation.measures import Measures
from prometheus_client import CollectorRegistry, Counter, Histogram
from services import eventually, free_port, running_prometheus, served

import ai_engine_quality as aeq
from ai_engine_quality.doctor.prometheus_api import Prometheus, Unreachable

pytestmark = pytest.mark.system("prometheus")


@pytest.fixture(scope="module")
def engine():
    """Serve a monitor's metrics and three of the engine's own, and return the monitor."""
    registry = CollectorRegistry()
    monitor = aeq.QualityMonitor(registry=registry, log=False)
    monitor.fillers = Counter(
        "ai_agent_stream_underflow_events_total", "Fillers.", registry=registry
    )
    monitor.frames = Counter("ai_agent_stream_frames_sent_total", "Frames.", registry=registry)
    monitor.barge_ins = Histogram(
        "ai_agent_barge_in_reaction_seconds",
        "Reactions.",
        registry=registry,
        buckets=(0.1, 0.2, 0.4, 0.6, 0.8, 1.2),
    )
    with served(monitor, registry):
        yield monitor


@pytest.fixture(scope="module")
def prometheus(engine, tmp_path_factory):
    """Run a Prometheus that scrapes the engine every second; return its address."""
    address = f"127.0.0.1:{engine.port}"
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), address) as url:
        yield url


def answers(server, expression):
    try:
        return server.query(expression, time.time())
    except Unreachable:
        return []


@pytest.fixture(scope="module")
def told(engine, prometheus):
    """Have two calls end while Prometheus looks on, and return what it then tells."""
    server = Prometheus(prometheus)
    for call_id, provider in (("1.1", "deepgram"), ("1.2", "openai_realtime")):
        engine.call_started(call_id, provider=provider, pipeline="default")
    eventually(lambda: answers(server, "sum(ai_agent_calls_started_total) == 2"))
    for call_id, latency in (("1.1", 0.4), ("1.2", 2.4)):
        for _ in range(5):
            engine.turn_response(call_id, latency)
        engine.frames_sent(call_id, 500)
        engine.underflow(call_id, 0)
        engine.call_ended(call_id, outcome="completed", duration=30.0)
    engine.fillers.inc(50)
    engine.frames.inc(1_000)
    engine.barge_ins.observe(0.3)
    ended = "sum(increase(ai_agent_calls_ended_total[1m])) > 1.5"
    eventually(
        lambda: (
            answers(server, ended)
            and server.exemplars("ai_agent_call_scores_bucket", time.time() - 600, time.time() + 60)
        )
    )
    eventually(lambda: answers(server, "count(ai_agent_call_quality_score) == 2"))
    return read_prometheus(server, 600.0, time.time())


def test_every_scraped_score_is_a_call(told):
    """Call ids and scores are as they were scraped, and providers as the exemplars have them."""
    assert [(call.call_id, call.provider, call.points) for call in told.calls] == [
        ("1.1", "deepgram", 100),
        ("1.2", "openai_realtime", 74),
    ]
    assert "the provider is known of 2 of 2 calls" in " ".join(told.notes)


def test_the_baselines_are_read_from_its_histograms(told):
    """Percentiles are in the right buckets; underflows are fillers a call; the mean is exact."""
    measures = told.measures
    assert measures.mean_score == 87
    assert 2 < measures.turn_p95 <= 3
    assert 0.2 < measures.barge_in_p95 <= 0.4
    assert measures.underflows == pytest.approx(25, rel=0.05)
    assert measures.underflow_unit == "fillers"
    assert measures.filler_share == pytest.approx(0.05, rel=0.05)


def test_baselines_are_judged_and_rows_are_not_guessed(told, matrix):
    """Scores without scenarios belong to no row: rows are undecided, the baselines are not."""
    judgement = judge(told.calls, matrix, told.measures)
    assert len(judgement.unmatched) == 2
    assert {row.verdict for row in judgement.rows} == {Expectation.UNDECIDED}
    assert [(found.name, found.verdict.value) for found in judgement.baselines] == [
        ("latency", "missed"),
        ("underflow", "missed"),
        ("barge_in", "met"),
        ("mean_score", "met"),
    ]


def test_before_there_were_calls_there_are_none(prometheus, told):
    """A window without a call has no calls, and its values are unknown, not 0."""
    del told
    found = read_prometheus(Prometheus(prometheus), 60.0, time.time() - 3_600)
    assert found.calls == ()
    assert found.measures == Measures()


def test_a_closed_port_is_told():
    """Where nobody listens, the error names the address and says why."""
    server = Prometheus(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unreachable, match=r"http://127.*can't be reached: .*refused"):
        read_prometheus(server, 60.0, time.time())


@pytest.mark.parametrize("url", ["127.0.0.1:9090", "file:///etc/passwd", "", "ftp://x"])
def test_what_is_no_address_is_refused(url):
    """Only http and https addresses are asked."""
    with pytest.raises(Unreachable, match="is no http:// address"):
        read_prometheus(Prometheus(url), 60.0, time.time())


class Stranger(http.server.BaseHTTPRequestHandler):
    """A server that is no Prometheus: it answers with what the test set."""

    def do_GET(self):
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *args):
        del args


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>", "answers something that is no JSON"),
        (200, b"[]", "doesn't answer as Prometheus does"),
        (200, b'{"status": "success", "data": 5}', "doesn't answer as Prometheus does"),
        (404, b"no such page", "answers 404: no such page"),
        (422, b'{"error": "too many samples"}', "answers 422: .*too many samples"),
    ],
)
def test_another_server_is_told_from_a_prometheus(status, body, said):
    """What answers otherwise is no Prometheus; what it refuses is passed on."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Stranger)
    server.status, server.body = status, body
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        asked = Prometheus(f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(Unreachable, match=said):
            read_prometheus(asked, 60.0, time.time())
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
