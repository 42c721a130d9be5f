"""``doctor`` on a real Prometheus and Alertmanager: a stack that is well, and broken ones."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner
from live_stack import Fleet, Stack, Webhook
from prometheus_client import CollectorRegistry, Gauge
from services import eventually, served

import ai_engine_quality as aeq
from ai_engine_quality.cli.doctor import doctor

pytestmark = [pytest.mark.system("prometheus", "prometheus-alertmanager"), pytest.mark.slow]

SPEED = 20


@pytest.fixture(scope="module")
def fleet():
    """Return two engines that take calls, of which doctor asks the one."""
    engines = Fleet(SPEED, "any", "other")
    yield engines
    engines.kill()


@pytest.fixture
def start(tmp_path, fleet):
    """Return a function that starts a stack whose configuration a test has changed."""
    webhook = Webhook()
    started = []

    def begin(change=lambda _: None, *, engine="any", failing=False):
        webhook.failing = failing
        stack = Stack(tmp_path, SPEED, webhook)
        path = tmp_path / "prometheus.yml"
        config = yaml.safe_load(path.read_text())
        change(config)
        path.write_text(yaml.safe_dump(config))
        stack.watch(fleet.instance(engine) if engine in fleet.urls else engine)
        started.append(stack)
        # An alert that was found before its Alertmanager is sent again a minute later, else.
        stack.start("--rules.alert.resend-delay=1s")
        return stack

    yield begin
    for stack in started:
        stack.stop()
    webhook.close()


def examined(stack, engine, password=None):
    """Return the exit code and the findings, check -> (verdict, found, fix, details)."""
    folder = stack.folder / "dashboards"
    folder.mkdir(exist_ok=True)
    panel = {"title": "Active", "targets": [{"expr": "ai_agent_calls_active"}]}
    (folder / "calls.json").write_text(json.dumps({"panels": [panel]}))
    arguments = ["--engine", engine, "--prometheus", stack.url, "--dashboards", str(folder)]
    login = ["--alertmanager-password-file", str(password or stack.login / "password")]
    done = CliRunner().invoke(doctor, ["--json", *arguments, *login])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    checks = json.loads(done.stdout)["checks"]
    return done.exit_code, {
        check["check"]: (check["verdict"], check["found"], check["fix"], check["details"])
        for check in checks
    }


def scraped(stack, expression='up{job="ai-engine"} == 1'):
    """Wait until Prometheus has an answer to a query."""
    eventually(lambda: stack.query(expression), what=stack.log)


def test_a_stack_that_is_well(start, fleet):
    """With a real engine, Prometheus and Alertmanager no check fails, and the code is 0."""
    stack = start()
    scraped(stack, "ai_agent_calls_scored_total > 0")
    scraped(stack, "alertmanager_notification_requests_total > 0")
    scraped(stack, "job_instance:ai_engine:target")
    eventually(lambda: examined(stack, fleet.urls["any"])[1]["evaluation"][0] == "ok")
    code, found = examined(stack, fleet.urls["any"])
    # A busy machine scrapes late, or loses a turn: what doctor warns of then is no fault.
    may_warn = {"target", "alerts", "evaluation"}
    assert {check for check, finding in found.items() if finding[0] != "ok"} <= may_warn, found
    assert {
        *("engine", "metrics", "engine metrics", "prometheus", "target", "interval"),
        *("same engine", "stored", "attach", "rules", "evaluation", "alerts", "retention"),
        *("alertmanager", "alert path", "delivery", "web pages", "dashboard calls"),
    } == set(found)
    assert code == 0
    assert "(job ai-engine)" in found["target"][1]


def test_recording_rules_that_are_not_loaded(start, fleet):
    """With the alerts alone, every recording rule is named as missing, and its file."""
    stack = start(lambda config: config.update(rule_files=["alerts/*.yml"]))
    scraped(stack)
    code, found = examined(stack, fleet.urls["any"])
    verdict, said, fix, details = found["rules"]
    assert (code, verdict) == (1, "failed")
    assert "recording" in said
    assert "alerts" not in said
    assert "rules/ai-engine.yml, rules/call-report.yml in rule_files" in fix
    assert "record: job_instance:ai_agent_calls:active" in details


def test_an_interval_at_which_a_dead_engine_never_pages(start, fleet):
    """A scrape every 2 minutes fails, though the target may be up: the alert can't fire."""

    def slow(config):
        config["scrape_configs"][0].update(scrape_interval="2m", scrape_timeout="10s")

    stack = start(slow)
    eventually(lambda: examined(stack, fleet.urls["any"])[1].get("interval"), what=stack.log)
    code, found = examined(stack, fleet.urls["any"])
    verdict, said, fix, _ = found["interval"]
    assert (code, verdict) == (1, "failed")
    assert "every 120 s: no alert of a dead engine fires" in said
    assert "scrape_interval: 1s" in fix


def test_an_engine_under_another_job(start, fleet):
    """An engine that is scraped as another job is found, with the job's name in the fix."""
    stack = start(lambda config: config["scrape_configs"][0].update(job_name="voice"))
    scraped(stack, 'ai_agent_calls_active{job="voice"}')
    code, found = examined(stack, fleet.urls["any"])
    verdict, said, fix, _ = found["target"]
    assert (code, verdict) == (1, "failed")
    assert "scraped as job voice" in said
    assert "ai-engine" in fix
    assert found["engines in rules"][0] == "failed"


def test_another_engine_is_scraped(start, fleet):
    """Where Prometheus scrapes an engine that isn't the one that was asked, doctor says so."""
    stack = start(engine="other")
    scraped(stack)
    code, found = examined(stack, fleet.urls["any"])
    verdict, said, fix, _ = found["same engine"]
    assert (code, verdict) == (1, "failed")
    assert "scrapes another engine" in said
    assert fleet.instance("any") in fix


def test_series_that_are_dropped_on_the_way(start, fleet):
    """What relabelling drops, series or label, is named: the engine shows it, Prometheus hasn't."""

    def dropping(config):
        config["scrape_configs"][0]["metric_relabel_configs"] = [
            {
                "source_labels": ["__name__"],
                "regex": "ai_agent_calls_unscored_total",
                "action": "drop",
            },
            {"regex": "band", "action": "labeldrop"},
        ]

    stack = start(dropping)
    scraped(stack)
    code, found = examined(stack, fleet.urls["any"])
    verdict, said, fix, details = found["stored"]
    assert (code, verdict) == (1, "failed")
    assert "ai_agent_calls_unscored_total is dropped" in details
    assert "ai_agent_live_calls has no label band" in details
    assert "dropped" in said
    assert "metric_relabel_configs of the job ai-engine" in fix


def test_notifications_that_do_not_arrive(start, fleet):
    """A receiver that refuses everything fails the delivery, by Alertmanager's own counters."""
    stack = start(failing=True)
    scraped(stack, "increase(alertmanager_notification_requests_failed_total[15m]) > 0")
    code, found = examined(stack, fleet.urls["any"])
    verdict, said, fix, details = found["delivery"]
    assert (code, verdict) == (1, "failed")
    assert "webhook" in said
    assert "Alertmanager's log" in fix
    assert any(detail.startswith("webhook: ") for detail in details)
    assert found["alert path"][0] == "ok"


def test_alertmanager_that_nobody_scrapes(start, fleet):
    """Its own counters are read then; that AlertsNotDelivered can't fire is a warning."""
    stack = start(lambda config: config["scrape_configs"].pop(2))
    scraped(stack)
    _, found = examined(stack, fleet.urls["any"])
    assert found["delivery"][0] == "warning"
    assert "AlertsNotDelivered can't fire" in found["delivery"][1]


def test_a_password_that_is_missing(start, fleet):
    """Without it the alert path is skipped, with the fix; the delivery is told as far as known."""
    stack = start(lambda config: config["scrape_configs"].pop(2))
    scraped(stack)
    _, found = examined(stack, fleet.urls["any"], stack.folder / "none")
    assert found["alertmanager"][0] == found["web pages"][0] == "ok"
    verdict, _, fix, _ = found["alert path"]
    assert verdict == "skipped"
    assert "--alertmanager-password-file" in fix
    verdict, said, _, details = found["delivery"]
    assert (verdict, "AlertsNotDelivered can't fire" in said) == ("warning", True)
    assert any("--alertmanager-password-file" in detail for detail in details)


def test_a_prometheus_that_does_not_know_the_password(start, fleet):
    """Alertmanager refuses its alerts: no Watchdog arrives, and the fix speaks of the password."""
    stack = start(lambda config: config["alerting"]["alertmanagers"][0].pop("basic_auth"))
    scraped(stack)
    scraped(stack, "prometheus_notifications_errors_total > 0")
    code, found = examined(stack, fleet.urls["any"])
    verdict, _, fix, _ = found["alert path"]
    assert (code, verdict) == (1, "failed")
    assert "password" in fix


def test_a_library_that_is_lost(start):
    """An engine that is up without the library, and had it before, has lost it: so it says."""
    registry = CollectorRegistry()
    Gauge("ai_agent_streaming_active", "As every engine has it.", registry=registry)
    with served(aeq.QualityMonitor(registry=registry, log=False), registry) as monitor:
        instance = f"127.0.0.1:{monitor.port}"
        stack = start(engine=instance)
        scraped(stack, "ai_agent_quality_info")
        assert examined(stack, f"http://{instance}")[1]["attach"][0] == "ok"
        monitor.close()
        eventually(lambda: not stack.query("ai_agent_quality_info"), what=stack.log)
        code, found = examined(stack, f"http://{instance}")
    verdict, said, fix, _ = found["attach"]
    assert (code, verdict) == (1, "failed")
    assert f"{instance} has lost the library" in said
    assert "override" in fix
    assert found["metrics"][0] == "failed"
