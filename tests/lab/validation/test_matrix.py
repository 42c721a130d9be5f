"""The matrix is the plan's, and says the same as what stands elsewhere."""

import re
from pathlib import Path

import pytest
from ai_engine_lab.engine import SCENARIOS
from ai_engine_lab.validation.measures import Measures

from ai_engine_quality.sinks.prometheus import TURN_BUCKETS

MONITORING = Path(__file__).parents[3] / "monitoring"

IN_THE_RULES = {
    "HighTurnResponseLatency": r":p95_15m > (\d[\d.]*)",
    "CriticalTurnResponseLatency": r":p95_5m > (\d[\d.]*)",
    "SlowBargeInReaction": r":p95_30m > (\d[\d.]*)",
    "HighUnderflowRate": r"underflow_events:ratio5m > (\d[\d.]*)",
}


def test_the_rows_are_the_plans(matrix):
    """Providers, lengths, scenarios, expected scores and numbers of calls are the plan's."""
    rows = [(r.provider, r.seconds, r.scenario, r.score_above, r.calls) for r in matrix.rows]
    assert rows == [
        ("deepgram", 30, "simple_qa", 90, 4),
        ("deepgram", 60, "complex", 85, 4),
        ("openai_realtime", 30, "simple_qa", 90, 4),
        ("openai_realtime", 60, "complex", 85, 3),
        ("deepgram", 30, "noisy_background", 75, 2),
        ("openai_realtime", 30, "barge_in", 80, 3),
    ]
    assert sum(row.calls for row in matrix.rows) == 20
    assert len({row.key for row in matrix.rows}) == 6


def test_the_baselines_are_the_plans(matrix):
    """Turn p95 under 1.5 s, under 2 underflows a call, barge-in p95 under 0.5 s, mean over 85."""
    targets = matrix.baselines
    assert (targets.turn_p95_below, targets.underflows_below) == (1.5, 2)
    assert (targets.barge_in_p95_below, targets.mean_score_above) == (0.5, 85)


def test_its_scenarios_are_those_that_can_be_placed(matrix):
    """The reference engine can place every scenario, by the same name and title."""
    assert {name: found.title for name, found in SCENARIOS.items()} == matrix.scenarios


def test_every_alert_has_the_threshold_that_ships(matrix):
    """The thresholds called shipped are those in the alert rules."""
    rules = (MONITORING / "alerts" / "ai-engine.yml").read_text()
    objective = re.search(
        r"quality_objective:ratio\n\s+expr: (?:vector\()?([\d.]+)",
        (MONITORING / "rules" / "ai-engine.yml").read_text(),
    )
    shipped = {}
    for name, pattern in IN_THE_RULES.items():
        rule = rules.partition(f"alert: {name}\n")[2].partition("- alert:")[0]
        shipped[name] = float(re.search(pattern, rule)[1])
    shipped["QualityBudgetBurn"] = pytest.approx(1 - float(objective[1]))
    assert {alert.name: alert.threshold for alert in matrix.alerts} == shipped


def test_recommended_thresholds_can_be_counted(matrix):
    """Each alert starts at its shipped threshold, rises, and has a measure that exists."""
    for alert in matrix.alerts:
        assert alert.edges[0] == alert.threshold
        assert list(alert.edges) == sorted(alert.edges)
        assert hasattr(Measures(), alert.measure)
        if alert.measure == "turn_p95":
            assert set(alert.edges) <= set(TURN_BUCKETS)


def test_the_document_has_the_same_matrix(matrix):
    """The guide's table names every row with its scenario, score and number of calls."""
    text = (MONITORING.parent / "docs" / "Validation.md").read_text()
    rows = re.findall(
        r"^\| .* \| (\d+) s \| (.*) \| `(\w+)` \| (\d+) \| (\d+) \|$", text, re.MULTILINE
    )
    assert [(int(s), title, name, int(above), int(n)) for s, title, name, above, n in rows] == [
        (row.seconds, row.title, row.scenario, row.score_above, row.calls) for row in matrix.rows
    ]
