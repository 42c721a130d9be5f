"""How long each alert takes to fire and to resolve, with the durations that operators get.

`python tests/support/measure_alerts.py` prints the table of docs/Alerts.md; with names of engines
(`alert_faults.MEASURED`) as arguments, their rows. The calls are the reference engine's in virtual
time, 100 an hour (400 for barge-ins, as callers of one in nine interrupt), read every 5 s: 20
minutes without a fault, 30 with it, 70 without. The rules are the project's own, evaluated by
promtool, that is by Prometheus' own code, every 15 s.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ai_engine_lab.engine import FAULTS as FAULTS_OF_ENGINES
from ai_engine_lab.engine import HEALTHY
from alert_faults import MEASURED
from recorded_traffic import PlannedTraffic, Recorded, record
from rule_inputs import NAMES, always_up, ask, questions
from services import program

BEGINS, LASTS, ENDS = 1_200.0, 1_800.0, 7_200.0
STEP = 5.0
FIRST = "min_over_time(timestamp(ALERTS{%s})[3h:15s])"
LAST = "max_over_time(timestamp(ALERTS{%s})[3h:15s])"
FIRING = 'alertstate="firing",alertname!="Watchdog"'

NO_CALLS = ("gone", "restarting")
"""Engines whose faults are seen by the scrapes alone."""

ONE_PROVIDER = ("slow", "crawling", "dead", "lost", "babbling")
"""Engines whose alert is about one provider: all the traffic is its own."""

CALLS_PER_HOUR = {"barging_in": 400.0}


@dataclass(frozen=True)
class Measured:
    """One alert of one fault."""

    alert: str
    fires_after: float
    """Seconds from the fault's begin."""
    resolves_after: float | None
    """Seconds from the fault's end; None: it fired to the end."""

    @property
    def row(self) -> str:
        """Cells of the table."""
        left = "not within 70 min" if self.resolves_after is None else f"{self.resolves_after:.0f}"
        return f"{self.alert} | {self.fires_after:.0f} | {left}"


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


def fault_of(engine: str) -> str:
    """Return what is wrong with an engine, as the table says it."""
    return "every answer takes 5.5 s" if engine == "crawling" else f"`{MEASURED[engine][0]}`"


def _traffic(engine: str, ends: float) -> Recorded:
    if engine in NO_CALLS:
        return Recorded(STEP, int(ends / STEP), {})
    crawling = engine == "crawling"
    return record(
        PlannedTraffic(
            ends,
            step=STEP,
            names=NAMES,
            calls_per_hour=CALLS_PER_HOUR.get(engine, 100.0),
            profile=_Crawling() if crawling else HEALTHY,
            provider="deepgram" if engine in ONE_PROVIDER else None,
            faults={} if crawling else {MEASURED[engine][0]: (BEGINS, LASTS)},
            hints=engine == "babbling",  # who doesn't tell what was given can't tell what was cut
        )
    )


def _up(engine: str, recorded: Recorded) -> dict[str, str]:
    up = always_up(recorded)
    after = recorded.step * recorded.steps - BEGINS - LASTS
    if engine == "restarting":
        cycle = FAULTS_OF_ENGINES["crash_loop"].cycle
        down, there = (int(seconds / STEP) - 1 for seconds in cycle)
        loop = f"0x{down} 1x{there} " * int(LASTS // sum(cycle))
        up["values"] = f"1x{int(BEGINS / STEP) - 1} {loop}1x{int(after / STEP) - 1}"
    if engine == "gone":
        parts = zip((1, 0, 1), (BEGINS, LASTS, after), strict=True)
        up["values"] = " ".join(f"{value}x{int(length / STEP) - 1}" for value, length in parts)
    return up


def measure(engine: str, promtool: str, folder: Path, ends: float = ENDS) -> list[Measured]:
    """Return what fired on an engine with a fault, by name, in the engine's ``ends`` seconds."""
    recorded = _traffic(engine, ends)
    test = questions(recorded, [FIRST % FIRING, LAST % FIRING], more=[_up(engine, recorded)])
    said = ask(promtool, test, folder)
    times: dict[str, list[float]] = {}
    for labels, value in re.findall(r"(\{alertname=[^}]*\}) ([\d.E+]+)", said):
        name = re.search(r'alertname="(\w+)"', labels)[1]
        times.setdefault(name, []).append(float(value))
    return [
        Measured(
            name,
            min(found) - BEGINS,
            None if max(found) >= ends - 30 else max(found) + 15 - BEGINS - LASTS,
        )
        for name, found in sorted(times.items())
    ]


def main() -> None:
    """Print the table."""
    promtool = program("promtool")
    out = sys.stdout
    out.write("| fault | alert | s to fire | s to resolve |\n|---|---|---|---|\n")
    with tempfile.TemporaryDirectory() as folder:
        for engine in sys.argv[1:] or MEASURED:
            for one in measure(engine, promtool, Path(folder)):
                out.write(f"| {fault_of(engine)} | {one.row} |\n")
                out.flush()


if __name__ == "__main__":
    main()
