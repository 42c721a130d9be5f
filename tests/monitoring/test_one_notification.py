"""A real Alertmanager with the project's routes: of all that fires for a fault, one is told."""

from __future__ import annotations

import time

import pytest
from alert_faults import FAULTS
from live_stack import Stack, Webhook
from rule_files import alerts
from services import eventually

pytestmark = pytest.mark.system("prometheus", "prometheus-alertmanager")

QUIET = 5.0
"""Seconds for which nothing more may be told: five times the groups' interval here."""

PER_PROVIDER = {
    "CriticalTurnResponseLatency",
    "HighTurnResponseLatency",
    "ProviderNotAnswering",
    "ProviderCodecMismatch",
    "AgentSpeechLevelOff",
    "AgentSpeechDistorted",
    "FalseInterruptions",
}


def labels(name, instance):
    """Return what a rule's alert has, of one engine and its only provider."""
    rule = next(rule for rule in alerts() if rule["alert"] == name)
    found = {**rule["labels"], "alertname": name, "job": "ai-engine"}
    if name != "QualityBudgetBurn":
        found["instance"] = instance
    if name in PER_PROVIDER:
        found["provider"] = "deepgram"
    return found


@pytest.fixture
def told(tmp_path):
    """Return a stack that watches nothing, and what its Alertmanager tells."""
    webhook = Webhook()
    stack = Stack(tmp_path, 20, webhook)
    try:
        stack.start()
        yield stack, webhook
    finally:
        stack.stop()
        webhook.close()


def test_whatever_follows_from_a_fault_the_cause_alone_is_told(told):
    """For each kind of fault all its alerts fire, and the budget burns: one notification."""
    stack, webhook = told
    wanted = {engine: [alert] for engine, (_, alert, _) in FAULTS.items() if alert}
    for engine, (_, alert, more) in FAULTS.items():
        for name in sorted({alert, *more} - {None}):
            stack.raise_alert(**labels(name, engine))
    stack.raise_alert(**labels("QualityBudgetBurn", ""))
    stack.raise_alert(**labels("HealthEndpointDown", "gone"))
    for name in ("EngineRestarting", "AudioSocketConnectionLoss", "CallsFailing", "ScorerBlind"):
        stack.raise_alert(**labels(name, "gone"))

    def counted():
        return {engine: webhook.counted(engine) for engine in [*wanted, "gone"]}

    eventually(lambda: all(counted().values()), what=counted)
    time.sleep(QUIET)
    assert counted() == {**wanted, "gone": ["HealthEndpointDown"]}
    assert "QualityBudgetBurn" not in {name for name, _ in webhook.told("firing")}


def test_what_has_no_known_cause_is_told(told):
    """A budget that burns by itself is told; of two engines with one fault each is."""
    stack, webhook = told
    stack.raise_alert(**labels("QualityBudgetBurn", ""))
    for engine in ("a", "b"):
        stack.raise_alert(**labels("AgentSpeechLevelOff", engine))
    stack.raise_alert(**labels("ScorerBlind", "a"))
    wanted = {
        ("QualityBudgetBurn", ""),
        ("AgentSpeechLevelOff", "a"),
        ("AgentSpeechLevelOff", "b"),
        ("ScorerBlind", "a"),
    }
    eventually(lambda: wanted <= webhook.told("firing"), what=lambda: webhook.told("firing"))
