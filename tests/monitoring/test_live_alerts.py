"""A real Prometheus, a real Alertmanager, a fleet of reference engines, and a webhook on loopback.

The rule files are the project's own with every duration divided by 20, or by 10 where the machine
is busy with other programs; the engines' calls run three times faster than real ones, so the rules
see a sixth or a third of the events that they would see otherwise.
All faults are on at once, each on an engine of its own: one run proves that each raises its alerts
and no other, and that all of them clear.
"""

from __future__ import annotations

import os

import pytest
from alert_faults import FAULTS
from live_stack import Fleet, Fleets, Stack, Webhook
from services import eventually

pytestmark = pytest.mark.system("prometheus", "prometheus-alertmanager")

# A busy machine scrapes late: more real time there for each second of the rules.
BUSY = os.getloadavg()[0] / (os.cpu_count() or 1) > 0.75
FACTOR, SCRAPE = (10, "1s") if BUSY else (20, "500ms")
SPEED = 3

PATIENCE = 12_000 / FACTOR
"""Seconds: longer than any rule's window and its pending time."""

pytestmark = pytest.mark.timeout(1_800)

FLEETWIDE = {"QualityBudgetBurn"}
"""May come of so many poor calls; it is about all engines together."""


@pytest.fixture(scope="module")
def webhook():
    """Return what Alertmanager calls."""
    hook = Webhook()
    yield hook
    hook.close()


@pytest.fixture(scope="module")
def fleet():
    """Return the engines that get faults: in two processes, for machines of two cores."""
    engines = Fleets(Fleet(SPEED, *list(FAULTS)[::2]), Fleet(SPEED, *list(FAULTS)[1::2]))
    yield engines
    engines.kill()


@pytest.fixture(scope="module")
def victim():
    """Return the engine that will be killed."""
    engine = Fleet(SPEED, "victim")
    yield engine
    engine.kill()


@pytest.fixture(scope="module")
def stack(tmp_path_factory, webhook, fleet, victim):
    """Return the stack, watching all engines."""
    running = Stack(tmp_path_factory.mktemp("stack"), FACTOR, webhook, scrape=SCRAPE)
    running.watch(*map(fleet.instance, FAULTS), victim.instance("victim"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


def missed(stack):
    """Return the alerts that are true of a machine too busy to answer scrapes, and of no fault."""
    gone = stack.query("min_over_time(up[20m]) == 0")
    return {("HealthEndpointDown", series["metric"]["instance"]) for series in gone}


class TestAlertsOnARealStack:
    """In this order: healthy, faulty, recovered, killed."""

    def test_healthy_engines_raise_no_alert(self, stack, webhook):
        """With calls on every engine, and before any fault, nothing fires but the Watchdog."""
        eventually(
            lambda: (
                len(stack.query("ai_agent_calls_active > 2")) == len(FAULTS) + 1
                and len(stack.query("job_instance:ai_agent_calls:active > 2")) == len(FAULTS) + 1
                and stack.query("sum(ai_agent_calls_scored_total) > 30")
            ),
            what=stack.log,
        )
        assert stack.firing() <= missed(stack)
        told = webhook.told("firing") - missed(stack)
        assert {name for name, _ in told} <= {"Watchdog"}

    def test_every_fault_raises_its_alerts_at_the_webhook(self, stack, fleet, webhook):
        """Each engine's fault is told at the webhook by its own alerts, and by no others."""
        assert stack.firing() <= missed(stack)
        for engine, (fault, _, _) in FAULTS.items():
            fleet.fault(engine, fault)
        wanted = {
            (alert, fleet.instance(engine))
            for engine, (_, alerts, _) in FAULTS.items()
            for alert in alerts
        }
        allowed = wanted | {
            (alert, fleet.instance(engine))
            for engine, (_, _, alerts) in FAULTS.items()
            for alert in alerts
        }
        names = {fleet.instance(engine): engine for engine in FAULTS}

        def missing():
            return [(a, names[i]) for a, i in wanted - webhook.told("firing")]

        eventually(lambda: not missing(), PATIENCE, missing)
        others = {
            (name, names.get(instance, instance))
            for name, instance in webhook.told("firing") - allowed - missed(stack)
            if name not in FLEETWIDE | {"Watchdog"}
        }
        assert others == set()

    def test_every_alert_resolves_when_its_fault_is_fixed(self, stack, fleet, webhook):
        """Once recovered, every alert that was told as firing is told as resolved."""
        for engine in FAULTS:
            fleet.recover(engine)

        def left():
            return [
                a
                for a in webhook.told("firing") - webhook.told("resolved")
                if a[0] not in FLEETWIDE | {"Watchdog"}
            ]

        def still():
            return {name for name, _ in stack.firing()} - FLEETWIDE

        eventually(lambda: not still() and not left(), PATIENCE, lambda: (still(), left()))

    def test_a_killed_engine_pages_once(self, stack, victim, webhook):
        """Killed amid calls with a fault, an engine is told of once, and only as down."""
        instance = victim.instance("victim")
        victim.fault("victim", "audiosocket_loss")
        eventually(
            lambda: ("AudioSocketConnectionLoss", instance) in webhook.told("firing"),
            what=stack.firing,
        )
        before = len(webhook.notifications)
        victim.kill()
        eventually(
            lambda: ("HealthEndpointDown", instance) in webhook.told("firing"), what=stack.firing
        )
        # What else has been said of it since, over all the windows that its last calls are in.
        eventually(
            lambda: (
                not stack.query(f'increase(up{{instance="{instance}"}}[10s]) > 0')
                and {name for name, at in stack.firing() if at == instance}
                == {"HealthEndpointDown"}
            ),
            what=stack.firing,
        )
        pages = {
            alert["labels"]["alertname"]
            for _, body in webhook.notifications[before:]
            for alert in body["alerts"]
            if alert["labels"].get("instance") == instance and body["status"] == "firing"
        }
        assert pages == {"HealthEndpointDown"}
        assert len(webhook.groups("HealthEndpointDown", instance)) == 1
