"""The committed dashboards as data, and their queries as Grafana would send them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "grafana" / "dashboards"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
CURRENT = {
    path.stem: json.loads(path.read_text())
    for path in sorted((ROOT / "grafana" / "dashboards-v2").glob("*.json"))
}
"""The same in Grafana's current schema."""

_FIXED = re.compile(r"\[(\d+[smhd]|\$__\w+)(:\d+[smhd])?\]|\boffset (\d+[smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def panels(dashboard):
    """Return every panel that is no row, those in collapsed rows too."""
    found = []
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            found += panel.get("panels", ())
        else:
            found.append(panel)
    return found


@dataclass(frozen=True)
class Target:
    """One query of one panel."""

    dashboard: str
    panel: str
    ref: str
    expr: str
    legend: str
    step: str
    instant: bool

    def __str__(self):
        return f"{self.dashboard}/{self.panel}/{self.ref}"

    def expanded(self, *, age, factor=1, scrape=1, **variables):
        """Return the query with its variables filled in, its durations divided by a factor.

        ``age`` is the time range in seconds. The rate interval is Grafana's: four times the
        least step, or the interval of scrapes.
        """
        least = max(scrape, _seconds(self.step) / factor if self.step else 0)
        values = {
            "__range_s": f"{age:g}",
            "__range": f"{age:g}s",
            "__rate_interval": f"{round(4 * least)}s",
            **variables,
        }
        text = _FIXED.sub(lambda found: _divided(found, factor), self.expr)
        for name in sorted(values, key=len, reverse=True):
            text = text.replace(f"${name}", values[name])
        assert "$" not in text, text
        return text


def targets(*dashboards):
    """Return the queries of some dashboards; of all by default."""
    return [
        Target(
            name,
            panel["title"],
            target["refId"],
            target["expr"],
            target["legendFormat"],
            target.get("interval", ""),
            target["instant"],
        )
        for name in dashboards or DASHBOARDS
        for panel in panels(DASHBOARDS[name])
        for target in panel.get("targets", ())
    ]


def panel(dashboard, title):
    """Return a panel by its title; KeyError where there is none."""
    found = {panel["title"]: panel for panel in panels(DASHBOARDS[dashboard])}
    return found[title]


def without_zeros(text):
    """Return a query without the zeros that stand in where there is nothing: ``or 0 * ...``."""
    while (found := re.search(r"\bor\s+(?=0 \* |vector\()", text)) is not None:
        depth, end = 0, found.end()
        while end < len(text) and depth >= 0:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += depth >= 0
        text = text[: found.start()] + text[end:]
    return text


def _seconds(text):
    return int(text[:-1]) * _UNITS[text[-1]]


def _divided(found, factor):
    window, resolution, offset = found.groups()
    if offset:
        return f"offset {_fraction(offset, factor)}"
    # Below half a second a subquery would see each sample more than once.
    finer = f":{max(500, 1_000 * _seconds(resolution[1:]) // factor)}ms" if resolution else ""
    return f"[{_fraction(window, factor)}{finer}]"


def _fraction(text, factor):
    if text.startswith("$"):
        return text
    return f"{max(1, 1_000 * _seconds(text) // factor)}ms"
