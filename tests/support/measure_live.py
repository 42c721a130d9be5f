"""The table of docs/Alerts.md, live: real Prometheus, Alertmanager, webhook and durations.

`python tests/support/measure_live.py` takes about an hour. A fleet of reference engines gets all
faults at once, each engine its own, three calls in progress on each; then all recover. Seconds
count from the fault's begin (its end) to the webhook's being told.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from alert_faults import FAULTS
from live_stack import Fleet, Fleets, Stack, Webhook

HEALTHY_SECONDS, FAULTY_SECONDS, MENDED_SECONDS = 180.0, 1_500.0, 3_000.0


def main() -> None:
    """Print the table."""
    names = list(FAULTS)
    webhook, fleet = Webhook(), Fleets(Fleet(1, *names[::2]), Fleet(1, *names[1::2]))
    victim = Fleet(1, "victim")
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), 1, webhook)
        stack.watch(*map(fleet.instance, names), victim.instance("victim"))
        try:
            stack.start()
            time.sleep(HEALTHY_SECONDS)
            faulty = time.monotonic()
            for name in names:
                fault = FAULTS[name][0]
                fleet.fault(name, fault, FAULTY_SECONDS if fault == "crash_loop" else None)
            victim.fault("victim", "engine_stop", FAULTY_SECONDS)
            time.sleep(FAULTY_SECONDS)
            recovered = time.monotonic()
            for name in names:
                fleet.recovered(name)
            time.sleep(MENDED_SECONDS)
        finally:
            stack.stop()
            fleet.kill()
            victim.kill()
    instances = {fleet.instance(name): FAULTS[name][0] for name in names}
    instances[victim.instance("victim")] = "engine_stop"
    _print(webhook, instances, faulty, recovered)


def _print(webhook: Webhook, instances: dict[str, str], faulty: float, recovered: float) -> None:
    fired: dict[tuple[str, str], float] = {}
    cleared: dict[tuple[str, str], float] = {}
    for at, body in webhook.notifications:
        for alert in body["alerts"]:
            instance = alert["labels"].get("instance", "")
            key = (instances.get(instance, "all together"), alert["labels"]["alertname"])
            if alert["status"] == "firing":
                fired.setdefault(key, at - faulty)
            else:
                cleared[key] = at - recovered
    sys.stdout.write("| fault | alert | fires after, s | resolves after, s |\n|---|---|---|---|\n")
    for key in sorted(fired):
        left = f"{cleared[key]:.0f}" if key in cleared else "not yet"
        sys.stdout.write(f"| {key[0]} | {key[1]} | {fired[key]:.0f} | {left} |\n")


if __name__ == "__main__":
    main()
