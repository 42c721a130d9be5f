"""The rules by promtool: syntax, the tests of every alert, and what holds for all of them."""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from rule_files import FILES, MONITORING, alerts, expressions, rules, sped_up
from services import program

from ai_engine_quality.core.policy import DEFAULT_POLICY
from ai_engine_quality.sinks.prometheus import SCORE_BUCKETS, TURN_BUCKETS

pytestmark = pytest.mark.system("prometheus")

HERE = Path(__file__).parent
FORMER_STACK = HERE / "former_stack_test.yml"
RULE_TESTS = sorted((MONITORING / "tests").glob("*.yml"))
THE_USERS_TEN = {
    "HighTurnResponseLatency",
    "CriticalTurnResponseLatency",
    "HighUnderflowRate",
    "StreamingFallbacksFrequent",
    "AudioSocketConnectionLoss",
    "ProviderCodecMismatch",
    "SlowBargeInReaction",
    "VADConfidenceLow",
    "JitterBufferUnderrun",
    "HealthEndpointDown",
}


def promtool(*arguments):
    return subprocess.run(
        [program("promtool"), *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def rule_tests():
    """Return promtool's verdict on each file, on its way: minutes of work, for every core."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {
            path: pool.submit(promtool, "test", "rules", path)
            for path in [FORMER_STACK, *RULE_TESTS]
        }


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_each_alert_fires_on_its_fault_and_on_nothing_else(rule_tests, path):
    """Idle, healthy, faulty with its text, recovered, rare, never seen, by both generations."""
    done = rule_tests[path].result()
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_former_stacks_alerts_were_wrong_where_ours_are_right(rule_tests):
    """Rewritten alerts of the former stack ring for nothing, or not at all; ours do neither."""
    done = rule_tests[FORMER_STACK].result()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", FILES)
def test_promtool_finds_no_fault_in_a_rule_file(name):
    """Syntax, and no rule twice."""
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", MONITORING / name)
    assert done.returncode == 0, done.stdout + done.stderr


class TestEveryAlert:
    def test_the_users_ten_are_there(self):
        """The plan's ten alerts have its names."""
        assert {alert["alert"] for alert in alerts()} >= THE_USERS_TEN

    def test_each_has_a_rule_test_of_its_own(self):
        """For each alert there is a file of tests by its name, in which it fires."""
        for alert in alerts():
            text = (MONITORING / "tests" / f"{alert['alert']}.yml").read_text()
            assert "exp_annotations" in text, alert["alert"]

    @pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
    def test_it_says_what_an_operator_needs(self, alert):
        """A severity, two texts, a runbook's anchor, a dashboard; patience in both directions."""
        name, notes = alert["alert"], alert["annotations"]
        assert alert["labels"]["severity"] in {"critical", "warning", "info"}
        assert notes["runbook_url"] == f"docs/Runbook.md#{name.lower()}"
        assert re.match(
            r"http://127\.0\.0\.1:3000/d/ai-engine-[a-z-]+(\?|$)", notes["dashboard_url"]
        )
        assert notes["summary"]
        assert notes["description"].endswith((".", "!"))
        if name != "Watchdog":
            assert {"for", "keep_firing_for"} <= alert.keys()

    def test_it_is_explained_in_the_documents(self):
        """docs/Alerts.md has a heading for each alert."""
        text = (MONITORING.parent / "docs" / "Alerts.md").read_text()
        missing = {a["alert"] for a in alerts() if f"### {a['alert']}\n" not in text}
        assert missing == set()


class TestThresholds:
    """Numbers in rules stand in the policy too, or are bucket edges, so that counts are exact."""

    def test_latency_is_high_where_no_call_can_be_good(self):
        """2 s is the policy's ceiling of 74; both latency thresholds are bucket edges."""
        assert 2 in [threshold for threshold, _ in DEFAULT_POLICY.ceilings.latency]
        assert {2.0, 5.0} <= set(TURN_BUCKETS)
        assert DEFAULT_POLICY.knees.latency[-1][0] == 5

    def test_a_lost_call_is_one_under_the_hardest_ceilings(self):
        """The lowest bucket takes what failed, was never heard, or was noise, and nothing else."""
        ceilings = DEFAULT_POLICY.ceilings
        assert {ceilings.noise, ceilings.call_failed, ceilings.never_heard} == {20, 0}
        assert SCORE_BUCKETS[0] == ceilings.noise

    def test_barge_in_is_slow_where_the_ramp_gets_steep(self):
        """0.8 s is a knee of the policy's."""
        assert 0.8 in [value for value, _ in DEFAULT_POLICY.knees.barge_in]

    def test_penalties_are_compared_with_the_policys_weights(self):
        """Codec and level can cost 10 points, latency 30: thresholds lie within."""
        weights = DEFAULT_POLICY.weights
        assert (weights["codec"], weights["rms"], weights["latency"]) == (10, 10, 30)

    def test_the_highest_burn_rate_can_be_reached(self):
        """With the objective's budget, every window's threshold is a share under 1."""
        objective = next(
            r for r in rules() if r.get("record") == "ai_agent:quality_objective:ratio"
        )
        budget = 1 - float(re.search(r"[\d.]+", objective["expr"])[0])
        burns = [a["expr"] for a in alerts() if a["alert"] == "QualityBudgetBurn"]
        rates = [float(re.search(r"> ([\d.]+) \*", text)[1]) for text in burns]
        assert rates == [8, 6, 3]
        assert all(rate * budget < 1 for rate in rates)
        # A fifth of the accepted real calls is poor.
        assert min(rates) * budget > 0.2

    def test_the_series_limit_rings_before_it_is_reached(self):
        """The alert stands at 80 % of the scrape's sample_limit."""
        config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
        limit = config["scrape_configs"][0]["sample_limit"]
        alert = next(a for a in alerts() if a["alert"] == "SeriesLimitNear")
        assert int(re.search(r"> (\d+)", alert["expr"])[1]) == limit * 0.8
        assert str(limit) in alert["annotations"]["description"]


class TestExpressions:
    @pytest.mark.parametrize("expression", expressions())
    def test_a_quantile_is_taken_by_le(self, expression):
        """Every histogram_quantile has a sum that keeps le."""
        for found in re.finditer(r"histogram_quantile\(", expression):
            assert re.search(r"sum by \([^)]*\ble\b[^)]*\)", expression[found.end() :])

    def test_no_rate_of_a_gauge(self):
        """rate() and increase() are taken of counters and histograms only."""
        of = re.compile(r"\b(?:rate|increase)\((\w+)")
        found = {name for text in expressions() for name in of.findall(text)}
        assert [n for n in found if not n.endswith(("_total", "_bucket", "_count", "_sum"))] == []

    def test_nothing_is_painted_over(self):
        """No rule turns missing data into a zero."""
        assert [text for text in expressions() if "or vector(0)" in text] == []

    def test_recorded_names_tell_level_metric_and_operation(self):
        """Each recording rule has a name of three parts, and is recorded once."""
        names = [rule["record"] for rule in rules() if "record" in rule]
        assert [name for name in names if not re.fullmatch(r"[a-z0-9_]+:\w+:\w+", name)] == []
        assert len(names) == len(set(names))

    def test_every_ratio_divides_by_what_is_there(self):
        """A division's right side is guarded by > 0, so that no NaN or infinity comes out."""
        for text in expressions():
            for found in re.finditer(r"\n\s*/ ?(on \([^)]*\) group_left \(\))?", text):
                rest = text[found.end() :]
                assert re.search(r"> [\d.]+\)", rest) or "calls_unscored_total" in text, text


class TestSpedUpRules:
    def test_every_duration_is_divided_and_nothing_else(self):
        """Windows, steps, offsets, intervals, for and keep_firing_for; numbers of events stay."""
        text = """
groups:
  - name: a
    interval: 15s
    rules:
      - alert: A
        expr: sum_over_time(x[5m:10s]) > 300 and y offset 1h30m > 5
        for: 2m
        keep_firing_for: 5m
"""
        group = yaml.safe_load(sped_up(text, 10))["groups"][0]
        rule = group["rules"][0]
        assert group["interval"] == "1500ms"
        assert rule["for"] == "12000ms"
        assert rule["keep_firing_for"] == "30000ms"
        assert "x[30000ms:1000ms]) > 300" in rule["expr"]

    @pytest.mark.parametrize("name", FILES)
    def test_the_result_is_valid(self, name, tmp_path):
        """Prometheus accepts what comes out."""
        path = tmp_path / "rules.yml"
        path.write_text(sped_up((MONITORING / name).read_text(), 20))
        done = promtool("check", "rules", path)
        assert done.returncode == 0, done.stdout + done.stderr
