"""Engines of both generations and a real Prometheus, asked as Grafana asks it."""

from __future__ import annotations

import re
import time
from pathlib import Path

from ai_engine_lab.engine import FAULTS_OF_A_CALL
from boards import without_zeros
from live_stack import Fleet, Stack, eventually, get_json

HERE = Path(__file__).parent

FACTOR, SPEED, SCRAPE = 10, 2, 2
"""What rules' and panels' durations are divided by, how fast calls go, seconds between scrapes."""

ALONE = {
    "2026-08": ("deepgram", "openai_realtime", "google_live", "grok", "local"),
    "2025-10": ("deepgram", "openai_realtime", "local"),
}
"""Providers that have an engine with one call at a time, by the generation that tells of them."""


class DashboardFleet(Fleet):
    """Engines as `dashboard_fleet.py` has them."""

    script = HERE / "dashboard_fleet.py"


class ShortSighted(Stack):
    """The stack, with no window beyond `LONGEST_MS`: a test can't wait for one to fill."""

    def _write(self, webhook, scrape, extra):
        super()._write(webhook, scrape, extra)
        for path in (self.folder / "rules").glob("*.yml"):
            path.write_text(_DURATION.sub(_shortened, path.read_text()))


PATIENCE = 480.0
LONGEST_MS = 30_000
_DURATION = re.compile(r"(\[|offset )(\d+)ms")


def _shortened(found):
    return f"{found[1]}{min(int(found[2]), LONGEST_MS)}ms"


def specs(generation):
    """Return the engines of a generation, by what they are for."""
    alone = [f"alone-{name},{generation},1,{name},none" for name in ALONE[generation]]
    # The buffer is looked at with each scrape only: more calls, more looks.
    calls = {"jitter": 3}
    faulty = [
        f"{fault},{generation},{calls.get(fault, 1)},deepgram,{fault}" for fault in FAULTS_OF_A_CALL
    ]
    return [
        f"busy,{generation},2,mix,none",
        f"healthy,{generation},1,deepgram,none",
        f"idle,{generation},0,mix,none",
        f"restarted,{generation},0,mix,none",
        f"emptied,{generation},-1,deepgram,none",
        *alone,
        *faulty,
    ]


class Live:
    """The running stack, asked as Grafana asks it."""

    def __init__(self, stack, fleets, started):
        self.stack, self._fleets, self._started = stack, fleets, started
        self._ready = time.time()

    @property
    def age(self):
        """Seconds since the engines were started."""
        return time.time() - self._started

    @property
    def patience(self):
        """Seconds that a test may wait for what happens seldom: all of them share them."""
        return max(1.0, self._ready + PATIENCE - time.time())

    def instance(self, generation, name):
        """Return the address of one engine."""
        return self._fleets[generation].instance(name)

    def stop(self, generation, name, seconds):
        """Let an engine be gone for so many seconds."""
        self._fleets[generation].fault(name, "engine_stop", seconds * SPEED)

    def instances(self, generation):
        """Return a pattern of all engines of a generation."""
        return "|".join(
            re.escape(url.removeprefix("http://")) for url in self._fleets[generation].urls.values()
        ).replace("\\", "\\\\")

    def some_call(self, generation):
        """Return the id of a call that was scored."""
        query = (
            f'bottomk(1, ai_agent_call_quality_score{{instance=~"{self.instances(generation)}"}})'
        )
        found = eventually(lambda: self.stack.query(query), self.patience, self.stack.log)
        return found[0]["metric"]["call_id"]

    def ask(self, target, instance, *, provider=".+", call_id="none", seconds=0.0, zeros=True):
        """Return the series of a panel's query for some engines, as {legend: values}.

        With ``seconds``, over so many of them up to now, unless the query is instant.
        """
        text = target.expanded(
            age=round(self.age),
            factor=FACTOR,
            scrape=SCRAPE,
            job=".*ai[-_]engine.*",
            instance=instance,
            provider=provider,
            call_id=call_id,
        )
        text = text if zeros else without_zeros(text)
        if target.instant or not seconds:
            found = self.stack.query(text)
            return {_legend(target, series): [float(series["value"][1])] for series in found}
        now = time.time()
        answer = get_json(
            f"{self.stack.url}/api/v1/query_range",
            query=text,
            start=now - seconds,
            end=now,
            step="500ms",
        )
        return {
            _legend(target, series): [float(value) for _, value in series["values"]]
            for series in answer["data"]["result"]
        }


def _legend(target, series):
    """Return what Grafana calls a series."""
    labels = series["metric"]
    text = re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), target.legend)
    return str(sorted(labels.items())) if text == "__auto" else text


def seasoned(stack, fleet):
    """Whether each engine with calls has ended some, so that every rule has something to say."""
    engines = len(fleet.urls) - 2  # but for those without calls
    pattern = "|".join(url.removeprefix("http://") for url in fleet.urls.values())
    scored = f'sum by (instance) (ai_agent_calls_scored_total{{instance=~"{pattern}"}}) > 0'
    return len(stack.query(scored)) == engines
