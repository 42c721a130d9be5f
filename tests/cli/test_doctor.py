"""``doctor``: on a real stack that is well, and on stacks that are ill in each way it knows."""

from __future__ import annotations

import http.server
import json
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from dripping import Dripping
from services import free_port

from ai_engine_quality.cli.doctor import doctor
from ai_engine_quality.doctor import prometheus_api
from ai_engine_quality.doctor.dashboards import askable, queries
from ai_engine_quality.doctor.engine import check_shown, read_engine, read_metrics
from ai_engine_quality.stack.files import rule_files, rule_names


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
                    {"name": "ai-engine-x", "interval": 15, "rules": list(self.rules())},
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
    def rules():
        kinds = {"record": "recording", "alert": "alerting"}
        for text in rule_files().values():
            for kind, name in rule_names(text):
                yield {"name": name, "type": kinds[kind], "health": "ok", "state": "inactive"}

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

    @pytest.mark.parametrize(
        ("interval", "verdict"),
        [("1s", "ok"), ("15s", "ok"), ("30s", "warning"), ("75s", "warning"), ("2m", "failed")],
    )
    def test_the_scrape_interval(self, fake, interval, verdict):
        """Over 15 s alerts are late, and over 75 s none of a dead engine can fire."""
        target = fake.target(datetime.now(UTC), scrapeInterval=interval)
        fake.answers["/api/v1/targets"] = {"activeTargets": [target]}
        found = self.diagnose(fake, "interval")
        assert found[0] == verdict
        assert ("scrape_interval" in found[2]) == (verdict != "ok")

    def test_the_job_that_the_rules_look_for_is_read_from_them(self, fake):
        """Rules that were exported for another job find that job's engines, and no other's."""
        rules = fake.answers["/api/v1/rules"]["groups"][0]["rules"]
        (first,) = [rule for rule in rules if rule["name"] == "job_instance:ai_engine:target"]
        first["query"] = 'max by (job, instance) (up{job=~"voice\\\\.prod"} >= bool 0)'
        assert "voice\\.prod" in self.diagnose(fake, "target")[1]
        labels = {"job": "voice.prod", "instance": "a"}
        target = fake.target(datetime.now(UTC), labels=labels)
        fake.answers["/api/v1/targets"] = {"activeTargets": [target]}
        verdict, found, _ = self.diagnose(fake, "target")
        assert (verdict, "job voice.prod" in found) == ("ok", True)

    def test_each_rule_that_is_not_loaded_is_named(self, fake):
        """One rule of a name that occurs four times is missed, and its file is named."""
        rules = fake.answers["/api/v1/rules"]["groups"][0]["rules"]
        every = len(rules)
        rules.remove(next(rule for rule in rules if rule["name"] == "ScorerBlind"))
        verdict, found, fix = self.diagnose(fake, "rules")
        assert (verdict, f"1 of {every} rules" in found) == ("failed", True)
        assert "alerts/ai-engine.yml" in fix
        assert "rules/ai-engine.yml" not in fix

    def test_a_rule_that_can_not_be_evaluated(self, fake):
        """A rule in error is named with its error."""
        rule = fake.answers["/api/v1/rules"]["groups"][0]["rules"][0]
        rule.update(health="err", lastError="many-to-many matching")
        verdict, found, _ = self.diagnose(fake, "evaluation")
        assert (verdict, "many-to-many" in found) == ("failed", True)

    @pytest.mark.parametrize(
        ("last", "verdict"),
        [
            (datetime(1, 1, 1, tzinfo=UTC), "warning"),
            (datetime.now(UTC) - timedelta(hours=1), "failed"),
        ],
    )
    def test_a_rule_that_is_not_evaluated(self, fake, last, verdict):
        """A rule that waits for its first evaluation is a warning; one that is late fails."""
        rule = fake.answers["/api/v1/rules"]["groups"][0]["rules"][0]
        rule["lastEvaluation"] = last.isoformat()
        assert self.diagnose(fake, "evaluation")[0] == verdict

    def test_an_alert_that_fires(self, fake):
        """A firing alert is a warning, and is named."""
        rules = fake.answers["/api/v1/rules"]["groups"][0]["rules"]
        next(rule for rule in rules if rule["name"] == "CallsFailing")["state"] = "firing"
        verdict, found, fix = self.diagnose(fake, "alerts")
        assert (verdict, "CallsFailing" in found) == ("warning", True)
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
        findings = {
            finding.check: finding for finding in check_shown(read_metrics("# TYPE a gauge\na 1\n"))
        }
        assert findings["metrics"].verdict == "failed"
        assert "attach" in findings["metrics"].fix
        assert "is missing" in findings["engine metrics"].found

    def test_what_is_no_exposition_fails(self, fake):
        """A page of another server's is called what it is."""
        fake.answers |= {"/health": {}, "/metrics": {}}
        shown, findings = read_engine(fake.url)
        assert shown is None
        assert (findings[-1].verdict, "no exposition" in findings[-1].found) == ("failed", True)

    def test_a_wrong_label_is_named(self):
        """A metric with a label too many fails, with the labels that it has."""
        text = (
            "# TYPE ai_agent_quality_info gauge\n"
            'ai_agent_quality_info{version="1",policy="v1",caller="x"} 1\n'
        )
        details = [detail for found in check_shown(read_metrics(text)) for detail in found.details]
        assert "ai_agent_quality_info has {caller, policy, version}" in details

    def test_what_an_engine_does_not_deliver_is_a_warning(self):
        """Factors whose hook isn't live are named."""
        text = (
            "# TYPE ai_agent_quality_hook_live gauge\n"
            'ai_agent_quality_hook_live{factor="latency",clock="told"} 0\n'
            'ai_agent_quality_hook_live{factor="underflow",clock="told"} 0\n'
            'ai_agent_quality_hook_live{factor="underflow",clock="heard"} 1\n'
            'ai_agent_quality_hook_live{factor="calls",clock="told"} 1\n'
        )
        findings = check_shown(read_metrics(text))
        (hooks,) = [finding for finding in findings if finding.check == "hooks"]
        assert (hooks.verdict, "latency" in hooks.found) == ("warning", True)
        assert "underflow" not in hooks.found, "it is heard, though nobody tells it"

    def test_an_engine_whose_calls_are_not_seen_fails(self):
        """Without the hook of the calls themselves nothing is scored: that is no warning."""
        text = (
            "# TYPE ai_agent_quality_hook_live gauge\n"
            'ai_agent_quality_hook_live{factor="calls",clock="told"} 0\n'
        )
        findings = check_shown(read_metrics(text))
        (hooks,) = [finding for finding in findings if finding.check == "hooks"]
        assert hooks.verdict == "failed"


class TestWhatIsPrinted:
    def printed(self, fake, *options):
        done = CliRunner().invoke(
            doctor, ["--prometheus", fake.url, "--engine", fake.url, *options]
        )
        return done.stdout.splitlines()

    def test_a_line_a_check_then_the_fixes_then_a_verdict(self, fake):
        """Each check has one line, in 80 columns; the last words are the verdict."""
        _, findings = run("--prometheus", fake.url, "--engine", fake.url)
        lines = self.printed(fake)
        for line, check in zip(lines, findings, strict=False):
            assert line[7:].strip().startswith(check)
        assert max(map(len, lines)) <= 80
        assert any(line.startswith("The stack is broken: ") for line in lines[-2:])
        fixes = [line for line in lines if line.startswith("    fix: ")]
        assert len(fixes) == sum(bool(fix) for _, _, fix in findings.values())

    def test_verbose_names_everything(self, fake):
        """What a line has no room for stands below it, a name a line."""
        fake.answers["/api/v1/rules"] = {"groups": []}
        assert not [line for line in self.printed(fake) if line.strip() == "alert: CallsFailing"]
        assert [line for line in self.printed(fake, "-v") if line.strip() == "alert: CallsFailing"]
