"""How long each alert takes to fire and to clear, with the durations that operators get.

`python tests/support/measure_alerts.py` prints the table of docs/Alerts.md. The calls are the
reference engine's in virtual time, 100 an hour (400 for barge-ins, as callers of one in nine
interrupt), read every 5 s: 20 minutes without a fault, 30 with it, 70 without. The rules are the
project's own, evaluated by promtool, that is by Prometheus' own code, every 15 s.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ai_engine_lab.engine import FAULTS as FAULTS_OF_ENGINES
from ai_engine_lab.engine import HEALTHY
from recorded_traffic import PlannedTraffic, Recorded, record
from rule_inputs import NAMES, always_up, ask, questions
from services import program

BEGINS, LASTS, ENDS = 1_200.0, 1_800.0, 7_200.0
STEP = 5.0
FIRST = "min_over_time(timestamp(ALERTS{%s})[3h:15s])"
LAST = "max_over_time(timestamp(ALERTS{%s})[3h:15s])"
FIRING = 'alertstate="firing",alertname!="Watchdog"'
FAULTS = (
    "slow_provider",
    "crawling provider",
    "jitter",
    "transport_fallbacks",
    "wrong_codec",
    "byte_swapped",
    "quiet_agent",
    "dead_provider",
    "late_barge_in",
    "low_vad_confidence",
    "audiosocket_loss",
    "engine_stop",
    "lost_provider",
    "babble",
    "unheard_callers",
    "dropped_calls",
    "leaked_calls",
    "bridged_formats",
    "crash_loop",
)

NO_CALLS = ("engine_stop", "crash_loop")
"""Faults that are seen by the scrapes alone."""

ONE_PROVIDER = ("slow_provider", "dead_provider", "lost_provider", "babble")
"""Faults whose alert is about one provider: all the traffic is its own."""


class _Crawling:
    """A provider whose answers take 5 s, as the caller hears 5.5, for as long as a fault lasts."""

    name = "crawling"

    def __init__(self) -> None:
        self.start: float | None = None

    def behaviour(self, plan, rng):
        behaviour = HEALTHY.behaviour(plan, rng)
        draw = behaviour.response_latency
        behaviour.response_latency = lambda: 5.0 if self._on() else draw()
        return behaviour

    def _on(self) -> bool:
        now = asyncio.get_running_loop().time()
        self.start = now if self.start is None else self.start
        return BEGINS <= now - self.start < BEGINS + LASTS


def _traffic(fault: str) -> Recorded:
    if fault in NO_CALLS:
        return Recorded(STEP, int(ENDS / STEP), {})
    crawling = fault.startswith("crawling")
    return record(
        PlannedTraffic(
            ENDS,
            step=STEP,
            names=NAMES,
            calls_per_hour=400.0 if fault == "late_barge_in" else 100.0,
            profile=_Crawling() if crawling else HEALTHY,
            provider="deepgram" if fault in ONE_PROVIDER or crawling else None,
            faults={} if crawling else {fault: (BEGINS, LASTS)},
            hints=fault == "babble",
        )
    )


def _up(fault: str, recorded: Recorded) -> dict[str, str]:
    up = always_up(recorded)
    if fault == "crash_loop":
        down, there = (int(seconds / STEP) - 1 for seconds in FAULTS_OF_ENGINES[fault].cycle)
        loop = f"0x{down} 1x{there} " * int(LASTS // sum(FAULTS_OF_ENGINES[fault].cycle))
        healthy = int(BEGINS / STEP) - 1, int((ENDS - BEGINS - LASTS) / STEP) - 1
        up["values"] = f"1x{healthy[0]} {loop}1x{healthy[1]}"
    if fault == "engine_stop":
        steps = (BEGINS, LASTS, ENDS - BEGINS - LASTS)
        parts = zip((1, 0, 1), steps, strict=True)
        up["values"] = " ".join(f"{value}x{int(length / STEP) - 1}" for value, length in parts)
    return up


def measure(fault: str, promtool: str, folder: Path) -> Iterator[tuple[str, float, float | None]]:
    """Yield (alert, seconds from the fault's begin, seconds from its end; None: never clear)."""
    recorded = _traffic(fault)
    test = questions(recorded, [FIRST % FIRING, LAST % FIRING], more=[_up(fault, recorded)])
    said = ask(promtool, test, folder)
    times: dict[str, list[float]] = {}
    for labels, value in re.findall(r"(\{alertname=[^}]*\}) ([\d.E+]+)", said):
        name = re.search(r'alertname="(\w+)"', labels)[1]
        times.setdefault(name, []).append(float(value))
    for name, found in sorted(times.items()):
        cleared = max(found)
        left = None if cleared >= ENDS - 30 else cleared + 15 - BEGINS - LASTS
        yield name, min(found) - BEGINS, left


def main() -> None:
    """Print the table."""
    promtool = program("promtool")
    out = sys.stdout
    out.write("| fault | alert | seconds to fire | seconds to clear |\n|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as folder:
        for fault in sys.argv[1:] or FAULTS:
            for alert, fired, cleared in measure(fault, promtool, Path(folder)):
                left = "not within 70 min" if cleared is None else f"{cleared:.0f}"
                out.write(f"| {fault} | {alert} | {fired:.0f} | {left} |\n")
                out.flush()


if __name__ == "__main__":
    main()
