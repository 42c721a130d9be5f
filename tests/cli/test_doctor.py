"""``doctor``: on a real stack that is well, and on stacks that are ill in each way it knows."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from live_stack import Fleet, Stack, Webhook
from services import eventually, free_port

from ai_engine_quality.cli.doctor import doctor
from ai_engine_quality.doctor import prometheus_api
from ai_engine_quality.doctor.checks import check_metrics
from ai_engine_quality.doctor.dashboards import askable, queries


def run(*arguments):
    """Return the exit code and the findings, check -> (verdict, found, fix)."""
    done = CliRunner().invoke(doctor, ["--json", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    checks = json.loads(done.stdout)["checks"]
    return done.exit_code, {
        check["check"]: (check["verdict"], check["found"], check["fix"]) for check in checks
    }


class FakePrometheus:
    """Answers as Prometheus does, with what a test has changed."""

    def __init__(self):
        now = datetime.now(UTC)
        fake = self
        self.redirected = {}
        self.answers = {
            "/api/v1/query": {"result": [{"metric": {}, "value": [0, "1"]}]},
            "/api/v1/targets": {"activeTargets": [self.target(now)]},
            "/api/v1/rules": {
                "groups": [
                    {
                        "name": "ai-engine-x",
                        "rules": [
                            {"name": name, "type": "alerting", "health": "ok", "state": "inactive"}
                            for name in ("HealthEndpointDown", "Watchdog")
                        ],
                    }
                ]
            },
            "/api/v1/status/flags": {"storage.tsdb.retention.time": "30d"},
            "/api/v1/alertmanagers": {"activeAlertmanagers": []},
        }

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path = urlsplit(self.path).path
                if path in fake.redirected:
                    self.send_response(302)
                    self.send_header("Location", fake.redirected[path])
                    self.end_headers()
                    return
                found = fake.answers.get(path)
                body = json.dumps({"status": "success", "data": found}).encode()
                self.send_response(200 if found is not None or path == "/-/ready" else 404)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.answers["/api/v1/alertmanagers"]["activeAlertmanagers"] = [
            {"url": f"{self.url}/api/v2/alerts"}
        ]
        # Half a second, the default, would be waited for at every end.
        serve = partial(self.server.serve_forever, poll_interval=0.01)
        threading.Thread(target=serve, daemon=True).start()

    @staticmethod
    def target(now, **changes):
        return {
            "labels": {"job": "ai-engine", "instance": "a"},
            "scrapeUrl": "http://a/metrics",
            "health": "up",
            "lastError": "",
            "lastScrape": now.isoformat(),
            "lastScrapeDuration": 0.01,
            "scrapeInterval": "1s",
            **changes,
        }


@pytest.fixture
def fake():
    """Return a Prometheus in which all is well, to be made ill."""
    prometheus = FakePrometheus()
    yield prometheus
    prometheus.server.shutdown()
    prometheus.server.server_close()


@pytest.mark.system("prometheus", "prometheus-alertmanager")
def test_a_stack_that_is_well(tmp_path):
    """With a real engine, Prometheus and Alertmanager every check is well, and the code is 0."""
    dashboards = tmp_path / "dashboards"
    dashboards.mkdir()
    (dashboards / "calls.json").write_text(
        json.dumps(
            {"panels": [{"title": "Active", "targets": [{"expr": "ai_agent_calls_active"}]}]}
        )
    )
    webhook, fleet = Webhook(), Fleet(20, "any")
    (tmp_path / "stack").mkdir()
    stack = Stack(tmp_path / "stack", 20, webhook)
    stack.watch(fleet.instance("any"))
    try:
        stack.start()
        eventually(lambda: stack.query("ai_agent_calls_scored_total > 0"), what=stack.log)
        code, found = run(
            "--engine", fleet.urls["any"], "--prometheus", stack.url, "--dashboards", dashboards
        )
        verdicts = {check: verdict for check, (verdict, _, _) in found.items()}
        # A busy machine scrapes late: what doctor warns of then is no fault of the stack.
        assert verdicts.pop("target") in {"ok", "warning"}
        assert verdicts == dict.fromkeys(
            (
                "engine",
                "metrics",
                "engine metrics",
                "prometheus",
                "rules",
                "retention",
                "alertmanager",
                "web pages",
                "dashboard calls",
            ),
            "ok",
        )
        assert code == 0
        table = CliRunner().invoke(
            doctor, ["--engine", fleet.urls["any"], "--prometheus", stack.url]
        )
        assert "all healthy" in table.stdout
    finally:
        stack.stop()
        fleet.kill()
        webhook.close()


def test_nobody_answers(tmp_path):
    """Without engine and Prometheus both fail with their fixes; the rest is skipped."""
    nobody = f"http://127.0.0.1:{free_port()}"
    code, found = run("--engine", nobody, "--prometheus", nobody, "--dashboards", tmp_path)
    assert code == 1
    assert found["engine"][0] == found["prometheus"][0] == "failed"
    assert "make up" in found["prometheus"][2]
    assert {found[check][0] for check in ("metrics", "target", "rules", "retention")} == {"skipped"}


def test_an_address_that_is_none():
    """A file's address is refused, not read."""
    _, found = run("--engine", "file:///etc/passwd", "--prometheus", "nonsense")
    assert "no http:// address" in found["engine"][1]
    assert found["prometheus"][0] == "failed"


class TestAnIllPrometheus:
    def diagnose(self, fake, check):
        return run("--prometheus", fake.url, "--engine", fake.url)[1][check]

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"health": "down", "lastError": "connection refused"}, "connection refused"),
            (
                {"lastScrape": (datetime.now(UTC) - timedelta(minutes=5)).isoformat()},
                "last scraped",
            ),
        ],
    )
    def test_a_target_that_is_not_scraped(self, fake, changes, said):
        """A target that is down, or was scraped long ago, fails."""
        target = fake.target(datetime.now(UTC), **changes)
        fake.answers["/api/v1/targets"] = {"activeTargets": [target]}
        verdict, found, fix = self.diagnose(fake, "target")
        assert (verdict, bool(fix)) == ("failed", True)
        assert said in found

    def test_no_target(self, fake):
        """An empty list of engines fails, and the fix names the file."""
        fake.answers["/api/v1/targets"] = {"activeTargets": []}
        verdict, _, fix = self.diagnose(fake, "target")
        assert verdict == "failed"
        assert "targets/engines.yml" in fix

    def test_a_slow_scrape(self, fake):
        """A scrape that takes most of its interval is a warning: it holds up the audio."""
        target = fake.target(datetime.now(UTC), lastScrapeDuration=0.7)
        fake.answers["/api/v1/targets"] = {"activeTargets": [target]}
        assert self.diagnose(fake, "target")[0] == "warning"

    def test_rules_that_are_not_loaded(self, fake):
        """Without the project's alerts the check fails."""
        fake.answers["/api/v1/rules"] = {"groups": []}
        assert self.diagnose(fake, "rules")[0] == "failed"

    def test_a_rule_that_can_not_be_evaluated(self, fake):
        """A rule in error is named with its error."""
        rule = fake.answers["/api/v1/rules"]["groups"][0]["rules"][0]
        rule.update(health="err", lastError="many-to-many matching")
        verdict, found, _ = self.diagnose(fake, "rules")
        assert (verdict, "many-to-many" in found) == ("failed", True)

    def test_an_alert_that_fires(self, fake):
        """A firing alert is a warning, and is named."""
        fake.answers["/api/v1/rules"]["groups"][0]["rules"][0]["state"] = "firing"
        verdict, found, fix = self.diagnose(fake, "rules")
        assert (verdict, "HealthEndpointDown" in found) == ("warning", True)
        assert "Runbook" in fix

    @pytest.mark.parametrize("kept", ["0s", "15d", "1w2d"])
    def test_less_than_thirty_days(self, fake, kept):
        """Less than 30 days fail; told nothing, Prometheus keeps 15."""
        fake.answers["/api/v1/status/flags"] = {"storage.tsdb.retention.time": kept}
        verdict, _, fix = self.diagnose(fake, "retention")
        assert verdict == "failed"
        assert "30d" in fix

    def test_no_alertmanager(self, fake):
        """Alerts that nobody is told of are a failure."""
        fake.answers["/api/v1/alertmanagers"] = {"activeAlertmanagers": []}
        assert self.diagnose(fake, "alertmanager")[0] == "failed"

    @pytest.mark.parametrize(
        ("flags", "guarded", "warned"),
        [
            ({"web.cors.origin": ".*"}, True, ["--web.cors.origin=none"]),
            ({"web.cors.origin": "none"}, False, ["--web.config.file"]),
            ({"web.cors.origin": "none"}, True, []),
            ({}, True, []),
        ],
    )
    def test_what_web_pages_can_do(self, fake, flags, guarded, warned):
        """A Prometheus that names every origin, and an Alertmanager without a password."""
        fake.answers["/api/v1/status/flags"] |= flags
        if not guarded:
            fake.answers["/api/v2/status"] = {}
        _, found = run("--prometheus", fake.url, "--engine", fake.url)
        verdict, _, fix = found["web pages"]
        assert verdict == ("warning" if warned else "ok")
        assert all(option in fix for option in warned)

    @pytest.mark.parametrize(
        ("path", "check"),
        [
            ("targets", "target"),
            ("rules", "rules"),
            ("status/flags", "retention"),
            ("alertmanagers", "alertmanager"),
        ],
    )
    @pytest.mark.parametrize("answer", [{}, [], "text", {"activeTargets": [{}], "groups": [{}]}])
    def test_an_answer_of_another_form(self, fake, path, check, answer):
        """Who doesn't answer as Prometheus does is told of, not raised."""
        fake.answers[f"/api/v1/{path}"] = answer
        assert self.diagnose(fake, check)[0] == "failed"


class Dripping:
    """A server that never comes to an end: whatever is asked, it sends a byte now and then."""

    def __init__(self, first=b"HTTP/1.1 200 OK\r\n\r\n"):
        self._first = first
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._ended = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(
                    target=self._drip, args=(self._socket.accept()[0],), daemon=True
                ).start()

    def _drip(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.sendall(self._first)
            while not self._ended.wait(0.05):
                connection.sendall(b"x")

    def close(self):
        self._ended.set()
        self._socket.close()


class TestServersThatDrip:
    @pytest.fixture(params=[b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: ", b""])
    def dripping(self, request, monkeypatch):
        monkeypatch.setattr(prometheus_api, "TOTAL_SECONDS", 0.5)
        server = Dripping(request.param)
        yield server
        server.close()

    def test_everything_drips(self, dripping):
        """Engine and Prometheus are given up, in the body, the headers and the first line."""
        code, found = run("--engine", dripping.url, "--prometheus", dripping.url)
        assert code == 1
        for check in ("engine", "prometheus"):
            assert "hasn't answered completely" in found[check][1]

    def test_a_prometheus_that_drips_later_is_asked_once(self, dripping, fake):
        """Once an answer has taken too long, the other checks are skipped."""
        fake.redirected["/api/v1/targets"] = dripping.url
        _, found = run("--engine", fake.url, "--prometheus", fake.url)
        assert "hasn't answered completely" in found["target"][1]
        assert found["rules"][0] == found["dashboards"][0] == "skipped"

    def test_what_is_no_http_is_told_of(self):
        """A line that is none of HTTP's is no traceback."""
        stranger = Dripping(b"220 mail.example ESMTP\r\n")
        try:
            _, found = run("--engine", stranger.url, "--prometheus", stranger.url)
        finally:
            stranger.close()
        assert found["engine"][0] == found["prometheus"][0] == "failed"


class TestDashboards:
    def diagnose(self, fake, tmp_path, text, *options):
        (tmp_path / "some.json").write_text(text)
        arguments = ("--prometheus", fake.url, "--engine", fake.url, "--dashboards", tmp_path)
        return run(*arguments, *options)[1]["dashboard some"]

    def test_an_empty_panel_says_why_it_may_be(self, fake, tmp_path):
        """A query without data is a warning that names the missing metric."""
        fake.answers["/api/v1/query"] = {"result": []}
        text = json.dumps({"panels": [{"title": "T", "targets": [{"expr": "ai_agent_nothing"}]}]})
        verdict, found, fix = self.diagnose(fake, tmp_path, text)
        assert (verdict, bool(fix)) == ("warning", True)
        assert "no samples of ai_agent_nothing" in found

    def test_an_unreadable_file_fails(self, fake, tmp_path):
        """A dashboard that is no JSON fails."""
        assert self.diagnose(fake, tmp_path, "{")[0] == "failed"

    def test_collapsed_rows_are_asked_too(self):
        """Queries of panels within rows are found."""
        inner = {"title": "in", "targets": [{"expr": "b"}]}
        board = {"panels": [{"title": "T", "targets": [{"expr": "a"}]}, {"panels": [inner]}]}
        assert list(queries(board)) == [("T", "a"), ("in", "b")]

    @pytest.mark.parametrize(
        ("expression", "asked"),
        [
            ('x{job=~"$job"}', 'x{job=~".*"}'),
            ("rate(x[$__rate_interval])", "rate(x[5m])"),
            ('x{a=~"${provider:regex}"}', 'x{a=~".*"}'),
            ("sum(x) or vector(0)", "sum(x)"),
            ("sum(x) or on() vector(0)", "sum(x)"),
        ],
    )
    def test_variables_are_filled_in_and_zeros_taken_out(self, expression, asked):
        """A panel's expression can be asked, and can't hide that a metric is missing."""
        assert askable(expression) == asked


class TestMetrics:
    def test_an_engine_without_the_library(self):
        """It fails, and the fix says how to attach it."""
        findings = {finding.check: finding for finding in check_metrics("# TYPE a gauge\na 1\n")}
        assert findings["metrics"].verdict == "failed"
        assert "attach" in findings["metrics"].fix
        assert "is missing" in findings["engine metrics"].found

    @pytest.mark.parametrize("version", ["pipecat 1.14.0", "livekit-agents 1.8.9"])
    def test_a_framework_has_no_metrics_of_the_ava_engine_s(self, version):
        """What is missing there is said, and not failed: no such engine has it."""
        text = f'# TYPE ai_agent_engine_info gauge\nai_agent_engine_info{{version="{version}"}} 1\n'
        findings = {finding.check: finding for finding in check_metrics(text)}
        assert findings["engine metrics"].verdict == "skipped"
        assert version in findings["engine metrics"].found

    def test_what_is_no_exposition_fails(self):
        """A page of another server's is called what it is."""
        (finding,) = check_metrics("<html>\n<body>hello</body>\n")
        assert (finding.verdict, "no exposition" in finding.found) == ("failed", True)

    def test_a_wrong_label_is_named(self):
        """A metric with a label too many fails, with the labels that it has."""
        text = (
            "# TYPE ai_agent_quality_info gauge\n"
            'ai_agent_quality_info{version="1",policy="v1",caller="x"} 1\n'
        )
        found = "; ".join(finding.found for finding in check_metrics(text))
        assert "ai_agent_quality_info has {caller, policy, version}" in found

    def test_what_an_engine_does_not_deliver_is_a_warning(self):
        """Factors whose hook isn't live are named."""
        text = (
            "# TYPE ai_agent_quality_hook_live gauge\n"
            'ai_agent_quality_hook_live{factor="latency",clock="told"} 0\n'
            'ai_agent_quality_hook_live{factor="underflow",clock="told"} 0\n'
            'ai_agent_quality_hook_live{factor="underflow",clock="heard"} 1\n'
            'ai_agent_quality_hook_live{factor="calls",clock="told"} 1\n'
        )
        (hooks,) = [finding for finding in check_metrics(text) if finding.check == "hooks"]
        assert (hooks.verdict, "latency" in hooks.found) == ("warning", True)
        assert "underflow" not in hooks.found, "it is heard, though nobody tells it"
