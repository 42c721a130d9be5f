"""``doctor``: on a real stack that is well, and on stacks that are ill in each way it knows."""

from __future__ import annotations

import base64
import http.server
import json
import os
import threading
import urllib.request
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from dripping import Dripping
from services import free_port

from ai_engine_quality.cli.doctor import doctor
from ai_engine_quality.doctor import alertmanager_api, prometheus_api
from ai_engine_quality.doctor.alertmanager_api import Access
from ai_engine_quality.doctor.dashboards import askable, queries
from ai_engine_quality.doctor.engine import check_shown, read_engine, read_metrics
from ai_engine_quality.stack.files import rule_files, rule_names

PASSWORD, OTHER_PASSWORD = "correct horse battery staple", "of its own"


def run(*arguments):
    """Return the exit code and the findings, check -> (verdict, found, fix)."""
    done = CliRunner().invoke(doctor, ["--json", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    checks = json.loads(done.stdout)["checks"]
    return done.exit_code, {
        check["check"]: (check["verdict"], check["found"], check["fix"]) for check in checks
    }


def basic(password):
    """Return the header by which the stack's user logs in."""
    return f"Basic {base64.b64encode(f'monitoring:{password}'.encode()).decode()}"


class FakePrometheus:
    """Answers as Prometheus does, with what a test has changed."""

    def __init__(self):
        now = datetime.now(UTC)
        fake = self
        self.redirected = {}
        self.password = None
        """Without it what is Alertmanager's isn't answered, as by one with a web.config.file."""
        self.asked = []
        """Each path that was asked for."""
        self.told = []
        """Each Authorization header that came, with the path that it came with."""
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
                fake.asked.append(path)
                login = self.headers["Authorization"]
                if login is not None:
                    fake.told.append((path, login))
                if fake.refuses(path, login):
                    self.send_response(401)
                    self.end_headers()
                    return
                if path in fake.redirected:
                    self.send_response(302)
                    self.send_header("Location", fake.redirected[path])
                    self.end_headers()
                    return
                found = fake.answers.get(path)
                if not path.startswith("/api/v2/"):
                    found = None if found is None else {"status": "success", "data": found}
                body = json.dumps(found).encode()
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

    def refuses(self, path, login):
        """Whether a request is one to Alertmanager, and without its password."""
        if self.password is None or not path.startswith(("/-/ready", "/api/v2/")):
            return False
        return login != basic(self.password)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

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
    prometheus.close()


@pytest.fixture
def stranger():
    """Return a server that asks everybody for a password, and remembers what it is told."""
    server = FakePrometheus()
    server.password = OTHER_PASSWORD
    yield server
    server.close()


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


@pytest.mark.parametrize("address", ["http://[::1", "http://host:99999", "nonsense", ""])
def test_an_address_that_can_not_be_read(fake, address):
    """Whichever part has it fails by a line of its own; the rest is checked, or skipped."""
    _, found = run("--engine", address, "--prometheus", fake.url)
    assert found["engine"][0] == "failed"
    assert found["rules"][0] == "ok"
    _, found = run("--engine", fake.url, "--prometheus", address)
    assert found["prometheus"][0] == "failed"
    _, found = run("--engine", fake.url, "--prometheus", fake.url, "--alertmanager", address)
    assert found["alertmanager"][0] == "failed"


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


WATCHDOG = [{"labels": {"alertname": "Watchdog"}, "status": {"state": "active"}}]


class TestAlertmanagersPassword:
    @pytest.fixture(autouse=True)
    def elsewhere(self, tmp_path, monkeypatch):
        """Begin in a folder without passwords, on a machine without any."""
        here = alertmanager_api.PASSWORD_FILES[0]
        monkeypatch.setattr(alertmanager_api, "PASSWORD_FILES", (here, tmp_path / "none"))
        monkeypatch.chdir(tmp_path)

    @pytest.fixture
    def locked(self, fake):
        """Return a stack whose Alertmanager asks for the password."""
        fake.answers["/api/v2/alerts"] = WATCHDOG
        fake.password = PASSWORD
        return fake

    def stored(self, folder, text=f"{PASSWORD}\n"):
        """Write the password to where the stack's tools put it, within a folder."""
        file = folder / ".secrets" / "login" / "password"
        file.parent.mkdir(parents=True)
        file.write_text(text)
        return file

    def diagnose(self, fake, *options):
        return run("--prometheus", fake.url, "--engine", fake.url, *options)[1]

    @pytest.mark.parametrize("named", [True, False])
    def test_it_is_found_or_named(self, locked, tmp_path, named):
        """By the file that is named, or where the stack's tools put it: then the API answers."""
        if named:
            file = self.stored(tmp_path / "other")
            found = self.diagnose(locked, "--alertmanager-password-file", file)
        else:
            self.stored(tmp_path)
            found = self.diagnose(locked)
        assert found["alert path"][0] == "ok"
        assert found["alertmanager"][1].endswith("is ready")
        assert found["web pages"][0] == "ok", "doctor's own login makes it no open one"

    def test_a_watchdog_that_does_not_fire_yet_is_no_broken_path(self, locked, tmp_path):
        """Just after its start Prometheus has evaluated no rule: doctor says to wait."""
        self.stored(tmp_path)
        locked.answers["/api/v2/alerts"] = []
        found = self.diagnose(locked)
        assert found["alert path"][0] == "failed", "it fires, and doesn't arrive"
        locked.answers["/api/v1/query"] = {"result": []}
        verdict, said, fix = self.diagnose(locked)["alert path"]
        assert verdict == "warning"
        assert "yet" in said
        assert "a minute" in fix

    def test_without_it_one_line_says_how(self, locked):
        """What needs it is skipped, with the option and the file; Alertmanager itself is well."""
        found = self.diagnose(locked)
        verdict, said, fix = found["alert path"]
        assert (verdict, "password" in said) == ("skipped", True)
        assert "--alertmanager-password-file" in fix
        assert ".secrets/login/password" in fix
        assert found["alertmanager"][0] == "ok"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("another", "refuses the password of"),
            ("\n", "holds no password"),
            (None, "there is no"),
        ],
    )
    def test_a_file_that_does_not_help(self, locked, tmp_path, text, said):
        """A wrong password, none, and no file: each is said of the file, and nothing fails."""
        file = tmp_path / "absent" if text is None else self.stored(tmp_path / "other", text)
        verdict, found, fix = self.diagnose(locked, "--alertmanager-password-file", file)[
            "alert path"
        ]
        assert verdict == "skipped"
        assert said in found
        assert str(file) in found
        assert fix

    def test_a_pipe_is_not_waited_for(self, locked, tmp_path):
        """What is no plain file isn't opened."""
        os.mkfifo(tmp_path / "pipe")
        found = self.diagnose(locked, "--alertmanager-password-file", tmp_path / "pipe")
        assert "no plain file" in found["alert path"][1]

    def test_it_is_sent_only_where_it_is_asked_for(self, fake, tmp_path):
        """An Alertmanager that answers everybody isn't told the password."""
        fake.answers["/api/v2/alerts"] = WATCHDOG
        self.stored(tmp_path)
        assert self.diagnose(fake)["alert path"][0] == "ok"
        assert fake.told == []

    def test_only_the_alertmanager_is_told(self, locked, tmp_path):
        """Neither engine nor Prometheus gets it, though they may have the same address."""
        self.stored(tmp_path)
        self.diagnose(locked)
        assert {path for path, _ in locked.told} == {"/-/ready", "/api/v2/alerts"}

    def test_it_does_not_follow_where_an_answer_leads(self, locked, stranger, tmp_path):
        """A redirection is followed without it."""
        self.stored(tmp_path)
        locked.redirected["/api/v2/alerts"] = f"{stranger.url}/api/v2/alerts"
        assert self.diagnose(locked)["alert path"][0] == "skipped"
        assert ("/api/v2/alerts", basic(PASSWORD)) in locked.told
        assert stranger.told == []

    def test_no_proxy_gets_it(self, locked, stranger, tmp_path, monkeypatch):
        """The environment's proxy is passed by, by the request that has the password."""
        self.stored(tmp_path)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", stranger.url)
        monkeypatch.setattr(urllib.request, "_opener", None)  # it reads the environment once
        stranger.answers = locked.answers
        assert self.diagnose(locked)["alert path"][0] == "ok"
        assert locked.asked == [path for path, _ in locked.told], "the rest went by the proxy"
        assert locked.told
        assert {"/api/v1/alertmanagers", "/api/v2/alerts"} <= set(stranger.asked)
        assert stranger.told == []

    def test_an_alertmanager_elsewhere_is_not_told(self, locked, stranger, tmp_path, monkeypatch):
        """Whoever Prometheus names and isn't on this machine must be named by the user too."""
        monkeypatch.setattr(alertmanager_api, "on_loopback", lambda url: url == locked.url)
        file = self.stored(tmp_path)
        entry = {"url": f"{stranger.url}/api/v2/alerts"}
        locked.answers["/api/v1/alertmanagers"] = {"activeAlertmanagers": [entry]}
        given = ("--alertmanager-password-file", file)
        for options in ((), given, ("--alertmanager", stranger.url)):
            verdict, _, fix = self.diagnose(locked, *options)["alert path"]
            assert (verdict, stranger.told) == ("skipped", [])
            assert f"--alertmanager {stranger.url} --alertmanager-password-file" in fix
        self.diagnose(locked, *given, "--alertmanager", stranger.url)
        assert stranger.told, "the user has named both"

    def test_the_alertmanager_that_the_user_names_is_asked(self, locked, tmp_path):
        """It is asked in place of the one that Prometheus names, which may be out of reach."""
        self.stored(tmp_path)
        entry = {"url": "http://alertmanager.invalid:9093/api/v2/alerts"}
        locked.answers["/api/v1/alertmanagers"] = {"activeAlertmanagers": [entry]}
        found = self.diagnose(locked, "--alertmanager", f"{locked.url}/")
        assert found["alert path"][0] == "ok"

    @pytest.mark.parametrize(
        ("url", "prometheus", "may"),
        [
            ("http://127.0.0.1:9093", "http://localhost:9090", True),
            ("http://[::1]:9093/am", "http://127.0.0.1:9090", True),
            ("http://127.8.8.8:9093", "http://127.0.0.1:9090", True),
            ("http://127.0.0.1:9093", "http://prometheus.example.org:9090", False),
            ("http://10.0.0.1:9093", "http://127.0.0.1:9090", False),
            ("http://0.0.0.0:9093", "http://127.0.0.1:9090", False),
            ("http://127.0.0.1.example.org:9093", "http://127.0.0.1:9090", False),
            ("http://localhost.example.org:9093", "http://127.0.0.1:9090", False),
            ("http://127.0.0.1:9093@example.org", "http://127.0.0.1:9090", False),
            ("http://example.org@127.0.0.1:9093", "http://127.0.0.1:9090", False),
            ("http://example.org\\@127.0.0.1:9093", "http://127.0.0.1:9090", False),
            ("http://[::1", "http://127.0.0.1:9090", False),
            ("", "http://127.0.0.1:9090", False),
        ],
    )
    def test_who_may_have_it(self, url, prometheus, may):
        """Whom a Prometheus of this machine names on this machine; nothing that looks like it."""
        for access in (Access(), Access(password_file=Path("named"))):
            assert access.may_have_password(url, prometheus) is may

    def test_it_is_never_printed(self, locked, tmp_path):
        """Neither the lines nor the JSON have it, whether it is right or wrong."""
        self.stored(tmp_path)
        for right in (True, False):
            locked.password = PASSWORD if right else OTHER_PASSWORD
            for option in ("--verbose", "--json"):
                arguments = ["--prometheus", locked.url, "--engine", locked.url, option]
                said = CliRunner().invoke(doctor, arguments).output
                assert "alert path" in said
                assert PASSWORD not in said
                assert basic(PASSWORD).partition(" ")[2] not in said


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

    @pytest.mark.parametrize("version", ["pipecat 1.14.0", "livekit-agents 1.8.9"])
    def test_a_framework_has_no_metrics_of_the_ava_engine_s(self, version):
        """What is missing there is said, and not failed: no such engine has it."""
        text = f'# TYPE ai_agent_engine_info gauge\nai_agent_engine_info{{version="{version}"}} 1\n'
        findings = {finding.check: finding for finding in check_shown(read_metrics(text))}
        assert findings["engine metrics"].verdict == "skipped"
        assert version in findings["engine metrics"].found

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
