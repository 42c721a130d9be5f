"""Tuning: thresholds that come from the stored calls themselves."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

import ai_engine_quality as aeq
from ai_engine_quality.history.tuning import (
    ALERTS,
    MIN_CALLS,
    MIN_WINDOWS,
    UNDERFLOW_ALERT,
    propose_alerts,
    propose_policy,
)

RULES = Path(__file__).parent.parent.parent / "monitoring" / "alerts" / "ai-engine.yml"


def values(calls, name):
    return [call.factor(name).value for call in calls]


class TestPolicy:
    def test_the_ceilings_are_the_calls_own_percentiles(self, make_calls):
        """Half of the calls lie under the first proposed ceiling, 80 % and 95 % under the next."""
        calls = make_calls(400, 1.5)
        proposal = propose_policy(calls, aeq.DEFAULT_POLICY)
        expected = np.percentile(values(calls, "latency"), (50, 80, 95))
        proposed = [at for at, _ in proposal.changes["ceilings"]["latency"]]
        assert proposed == pytest.approx(expected, rel=0.005)
        assert [top for _, top in proposal.changes["ceilings"]["latency"]] == [89, 74, 59]

    def test_the_knees_move_along_and_their_points_stay(self, make_calls):
        """Each knee lies between the same thresholds as before, and costs the same points."""
        proposal = propose_policy(make_calls(400, 1.5), aeq.DEFAULT_POLICY)
        old, new = aeq.DEFAULT_POLICY.knees.latency, proposal.changes["knees"]["latency"]
        assert [points for _, points in new] == [points for _, points in old]
        ceilings = [at for at, _ in proposal.changes["ceilings"]["latency"]]
        assert [at for at, _ in new][1:4] == ceilings  # v1 has knees where its ceilings are
        assert new[0][0] == pytest.approx(ceilings[0] / 2, rel=0.01)
        assert new[4][0] == pytest.approx(ceilings[2] * 5 / 3, rel=0.01)

    def test_slow_calls_get_a_spread_of_bands(self, make_calls):
        """Where v1 calls nearly all calls poor, by their own measure half are not even good."""
        calls = make_calls(400, 3.0)
        new = propose_policy(calls, aeq.DEFAULT_POLICY).applied_to(aeq.DEFAULT_POLICY)
        again = [aeq.score(call.summary, new) for call in calls]
        assert sum(call.band == "poor" for call in calls) > 300
        assert sum(call.band == "poor" for call in again) < 60
        assert new.version.startswith("custom-")
        assert new.weights == aeq.DEFAULT_POLICY.weights

    def test_too_few_or_like_calls_move_nothing(self, make_calls):
        """With under 100 calls, or values that are all alike, the policy stays, and says why."""
        few = propose_policy(make_calls(MIN_CALLS - 1), aeq.DEFAULT_POLICY)
        assert few.changes == {}
        assert few.left["latency"] == "99 calls have it, and it takes 100"
        assert few.applied_to(aeq.DEFAULT_POLICY) is aeq.DEFAULT_POLICY
        alike = propose_policy(make_calls(200, underflows=0), aeq.DEFAULT_POLICY)
        assert "too many calls are alike" in alike.left["underflow"]
        assert "latency" in alike.changes["knees"]

    def test_reactions_are_tuned_by_their_full_penalty(self, make_calls):
        """Barge-in has no ceiling for each band; its last knee goes to the 95th percentile."""
        calls = [
            call
            for number in range(120)
            for call in make_calls(1, barge_in_reactions=(0.2 + number / 200,))
        ]
        proposal = propose_policy(calls, aeq.DEFAULT_POLICY)
        highest = np.percentile(values(calls, "barge_in"), 95)
        assert proposal.changes["knees"]["barge_in"][-1] == [pytest.approx(highest, rel=0.005), 15]
        assert proposal.changes["ceilings"]["barge_in"][0][0] == pytest.approx(highest, rel=0.005)


class TestAlerts:
    def test_one_window_in_a_hundred_exceeds_the_proposal(self, make_calls):
        """The latency alert's proposed value is exceeded by about 1 % of the windows with turns."""
        calls = make_calls(1_500, duration=300.0, frames_sent=5_000)
        found = {alert.name: alert for alert in propose_alerts(calls)}
        high = found["HighTurnResponseLatency"]
        assert MIN_WINDOWS < high.windows <= 1_000
        windows = {}
        for call in calls:
            at = (call.summary.started_at + call.summary.duration) // 900
            windows.setdefault(at, []).extend(call.summary.turn_latencies)
        measured = [np.percentile(turns, 95) for turns in windows.values() if len(turns) >= 10]
        over = sum(value > high.proposed for value in measured)
        assert len(measured) == high.windows
        assert over / high.windows == pytest.approx(0.01, abs=0.005)
        assert found["HighUnderflowRate"].proposed < 0.001
        assert found["SlowBargeInReaction"].proposed is None

    def test_too_few_windows_propose_nothing(self, make_calls):
        """With under 100 windows there is no proposal; calls without a start fill none."""
        for calls in (make_calls(50, duration=300.0), make_calls(2_000, started_at=None)):
            assert {alert.proposed for alert in propose_alerts(calls)} == {None}

    def test_the_present_thresholds_are_those_of_the_rules(self):
        """What `tune` calls the present threshold stands in the alert's expression."""
        text = RULES.read_text()
        rules = [(rule.name, rule.present, rule.window) for rule in ALERTS] + [UNDERFLOW_ALERT]
        for name, present, window in rules:
            expression = text.split(f"alert: {name}\n")[1].split("for:")[0]
            found = re.search(r"(?:p95_|ratio)(\d+)m > ([\d.]+)", expression)
            assert (60 * float(found[1]), float(found[2])) == (window, present), name


class TestCommand:
    def test_it_shows_thresholds_bands_and_alerts(self, run, write, make_calls):
        """The proposals, the bands by both policies, the changes and the alerts are shown."""
        result = run("tune", write(make_calls(200, 1.5)))
        assert result.exit_code == 0, result.output
        assert "latency" in result.output
        assert "of 200 calls would change their band" in result.output
        assert "barge_in stays as it is: 0 calls have it" in result.output
        assert "HighTurnResponseLatency" in result.output

    def test_the_written_policy_is_the_proposed_one(self, run, write, make_calls, tmp_path):
        """The file that --write makes loads as settings, and rescores as the table has said."""
        path, new = write(make_calls(200, 1.5)), tmp_path / "new.toml"
        data = json.loads(run("tune", path, "--write", new, "--json").output)
        policy = aeq.load_settings(new, {}).policy
        assert policy.version == data["policy"]["version"]
        assert tomllib.loads(new.read_text())["policy"]["base"] == "v3"
        again = json.loads(run("rescore", path, "--policy", new, "--json").output)
        assert again["after"]["bands"] == data["bands"]["proposed"]
        moved = sum(one["band_before"] != one["band_after"] for one in again["changed"])
        assert moved == data["change_band"] > 0

    def test_it_overwrites_nothing(self, run, write, make_calls, tmp_path):
        """A file that is there stays as it is, and the command ends with 1."""
        there = tmp_path / "new.toml"
        there.write_text("mine")
        result = run("tune", write(make_calls(200, 1.5)), "--write", there)
        assert result.exit_code == 1
        assert "name another file" in result.output
        assert there.read_text() == "mine"

    def test_nothing_to_write_is_exit_code_1(self, run, write, make_calls, tmp_path):
        """Where no threshold moves, --write makes no file and ends with 1."""
        result = run("tune", write(make_calls(30)), "--write", tmp_path / "new.toml")
        assert result.exit_code == 1
        assert "no threshold moves" in result.output
        assert not (tmp_path / "new.toml").exists()

    @pytest.mark.parametrize("named", ["RECORDS_PATH", "CONFIG"])
    def test_it_finds_the_record_file_by_the_settings(
        self, run, write, make_calls, monkeypatch, named
    ):
        """Without an argument it reads the file that the engine writes, as other commands do."""
        path = write(make_calls(150, 1.5) + make_calls(120, 4.0, provider="grok"))
        settings = path.with_name("quality.toml")
        settings.write_text(f'[records]\npath = "{path}"\n')
        value = path if named == "RECORDS_PATH" else settings
        monkeypatch.setenv(f"AI_ENGINE_QUALITY_{named}", str(value))
        assert json.loads(run("tune", "--json").output)["calls"] == 270
        assert json.loads(run("tune", "?provider=grok", "--json").output)["calls"] == 120

    def test_settings_that_cannot_be_used_are_told(self, run, monkeypatch):
        """It doesn't fall back to another file in silence: the error names the setting."""
        monkeypatch.setenv("AI_ENGINE_QUALITY_RECORDS_FILES", "none")
        result = run("tune")
        assert result.exit_code == 1
        assert "AI_ENGINE_QUALITY_RECORDS_FILES" in result.output

    def test_a_selection_will_do(self, run, write, make_calls):
        """Thresholds of one provider come from a selection of its calls."""
        path = write(make_calls(150, 1.5) + make_calls(150, 4.0, provider="grok"))
        data = json.loads(run("tune", f"{path}?provider=grok", "--json").output)
        assert data["calls"] == 150
        assert data["policy"]["anchors"]["latency"][0]["proposed"] > 4
