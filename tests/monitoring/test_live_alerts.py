"""A real Prometheus, a real Alertmanager, a fleet of reference engines, and a webhook on loopback.

The rule files are the project's own with every duration divided by 20, or by 10 where the machine
is busy with other programs; the engines' calls run two or three times faster than real ones, so the
rules see a sixth or a fifth of the events that they would see otherwise.
All faults are on at once, each on an engine of its own: one run proves that each is told, by its
own alert, and that all of them resolve. How often an alert fires is a matter of the machine's
speed here: each time it is told once. The other faults, and that a cause's alert fires before what
follows from it, are proved in virtual time (`test_every_fault.py`).
"""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise

import pytest
from alert_faults import FAULTS, LIVE
from live_stack import Fleet, Fleets, Stack, Webhook
from services import eventually, waited_for_a_core

# A busy machine scrapes late: more real time there for each second of the rules.
FACTOR, SCRAPE, SPEED = (10, "1s", 2) if waited_for_a_core() > 0.5 else (20, "500ms", 3)

PATIENCE = 12_000 / FACTOR
"""Seconds: longer than any rule's window and its pending time."""

AFTERMATH = 1_200 / FACTOR
"""Seconds for which nothing more may be told: as long as QualityBudgetBurn takes to fire."""

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.system("prometheus", "prometheus-alertmanager"),
    pytest.mark.timeout(1_800),
]

GAP = 2.0
"""Seconds without a sample from which an alert has ceased to fire: four evaluations."""

FOREVER = 3_600.0
"""Seconds of the engine's time, of a fault that can only be taken back by itself."""

HERE = {engine: FAULTS[engine] for engine in LIVE}


USED = "sum by (instance) (ai_agent_calls_scored_total) >= 4"
"""Engines that have had some healthy calls, as any has before a fault begins."""

AT_THE_RULES_SPEED = "restarting"
"""The engine whose time runs as fast as the rules: how long it is away is what they look at."""


@pytest.fixture(scope="module")
def webhook():
    """Return what Alertmanager calls."""
    hook = Webhook()
    yield hook
    hook.close()


@pytest.fixture(scope="module")
def fleet():
    """Return the engines that get faults: in two processes, for machines of two cores."""
    names = [name for name in HERE if name != AT_THE_RULES_SPEED]
    engines = Fleets(
        Fleet(SPEED, *names[::2]), Fleet(SPEED, *names[1::2]), Fleet(FACTOR, AT_THE_RULES_SPEED)
    )
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
    running.watch(*map(fleet.instance, HERE), victim.instance("victim"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


def missed(stack):
    """Return the alerts that are true of a machine too busy to answer scrapes, and of no fault."""
    gone = {series["metric"]["instance"] for series in stack.query("min_over_time(up[20m]) == 0")}
    late = 'ALERTS{alertstate="firing", alertname=~"HealthEndpointDown|EngineRestarting"}'
    fired = [series["metric"] for series in stack.query(f"max_over_time({late}[20m])")]
    return {(one["alertname"], one["instance"]) for one in fired if one["instance"] in gone}


def episodes(stack, alert, instance):
    """Return how many times an alert has begun to fire, as Prometheus saw it."""
    fired = f'ALERTS{{alertstate="firing", alertname="{alert}", instance="{instance}"}}'
    times = sorted(float(value) for _, value in stack.samples(fired, "30m"))
    return sum(later - earlier > GAP for earlier, later in pairwise([-2 * GAP, *times]))


class TestAlertsOnARealStack:
    """In this order: healthy, faulty, recovered, killed, untold."""

    def test_healthy_engines_raise_no_alert(self, stack, webhook):
        """With calls on every engine, and before any fault, nothing fires but the Watchdog."""
        eventually(
            lambda: (
                len(stack.query("job_instance:ai_agent_calls:active > 0")) >= len(HERE)
                and len(stack.query(USED)) >= len(HERE) - 1  # a crash loop needs no call
            ),
            what=stack.log,
        )
        assert stack.firing() <= missed(stack)
        told = webhook.told("firing") - missed(stack)
        assert {name for name, _ in told} <= {"Watchdog"}

    def test_every_fault_is_told_at_the_webhook_once(self, stack, fleet, webhook):
        """Each fault is told by its own alert, once each time that it fires; health isn't told.

        What follows from a fault may fire too, such as a budget that burns.
        """
        for engine, (fault, _, _) in HERE.items():
            fleet.fault(engine, fault, FOREVER if engine == AT_THE_RULES_SPEED else None)
        names = {fleet.instance(engine): engine for engine in HERE}

        def untold():
            told = {engine: webhook.counted(instance) for instance, engine in names.items()}
            return {
                engine: (alert, told[engine])
                for engine, (_, alert, _) in HERE.items()
                if alert not in (None, *told[engine])
            }

        eventually(lambda: not untold(), PATIENCE, untold)
        fleet.recovered("leaking")  # its alert looks back for longest, and fires on
        # What follows takes its time: a budget that burns has the longest of the windows.
        time.sleep(AFTERMATH)
        late = missed(stack)
        for instance, engine in names.items():
            _, alert, more = HERE[engine]
            told = Counter(webhook.counted(instance))
            others = {(name, instance) for name in told if name != alert}
            assert {name for name, _ in others - late} <= more, engine
            for name, times in told.items():
                assert times <= episodes(stack, name, instance), (engine, name)
        fired = {(name, names[at]) for name, at in stack.firing() - late if at in names}
        allowed = {(name, e) for e, (_, a, more) in HERE.items() for name in (a, *more)}
        assert fired <= allowed
        assert webhook.counted("") == ["Watchdog"]

    def test_every_alert_resolves_when_its_fault_is_fixed(self, stack, fleet, webhook):
        """Once recovered, every alert that was told as firing is told as resolved."""
        for engine in HERE:
            eventually(lambda engine=engine: fleet.recovered(engine), PATIENCE)

        restarting = fleet.instance(AT_THE_RULES_SPEED)

        def left():
            told = webhook.told("firing") - webhook.told("resolved")
            return [alert for alert in told if alert[0] != "Watchdog"]

        def still():
            late = {alert for alert in missed(stack) if alert[1] != restarting}
            return {alert for alert in stack.firing() - late if alert[0] != "QualityBudgetBurn"}

        eventually(lambda: not still() and not left(), PATIENCE, lambda: (still(), left()))

    def test_a_killed_engine_pages_once(self, stack, victim, webhook):
        """Killed amid calls with a fault, an engine is told of once, and only as down."""
        instance = victim.instance("victim")
        victim.fault("victim", "audiosocket_loss")
        eventually(
            lambda: ("AudioSocketConnectionLoss", instance) in webhook.told("firing"),
            what=stack.firing,
        )
        since = time.monotonic()
        victim.kill()
        eventually(
            lambda: ("HealthEndpointDown", instance) in webhook.told("firing"), what=stack.firing
        )
        # What else has been said of it since, over all the windows that its last calls are in.
        eventually(
            lambda: (
                {name for name, at in stack.firing() if at == instance} == {"HealthEndpointDown"}
            ),
            what=stack.firing,
        )
        assert webhook.counted(instance, since) == ["HealthEndpointDown"]

    def test_a_receiver_that_refuses_is_noticed(self, stack, webhook):
        """While the webhook answers 500, AlertsNotDelivered fires; then it is told and resolves."""
        webhook.failing = True
        stack.raise_alert(alertname="Anything", severity="warning", job="test")

        def fires():
            return "AlertsNotDelivered" in {name for name, _ in stack.firing()}

        eventually(fires, what=stack.log)
        webhook.failing = False
        eventually(lambda: not fires(), what=stack.firing)
        assert "AlertsNotDelivered" in {name for name, _ in webhook.told("firing")}
