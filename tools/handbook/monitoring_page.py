"""The tables of docs/Monitoring-Guide.md, from the dashboards' JSON and the alert rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from handbook.marks import table

ROOT = Path(__file__).parent.parent.parent
DASHBOARDS = ROOT / "grafana" / "dashboards"
ALERTS = ROOT / "monitoring" / "alerts" / "ai-engine.yml"
ORDER = (
    "system-overview",
    "call-quality",
    "provider-performance",
    "audio-quality",
    "conversation-flow",
    "call-drill-down",
)
"""The dashboards' files, as an operator meets them."""


def parts() -> dict[str, str]:
    """Return the page's generated parts, by their marks."""
    return {"dashboards": "\n\n".join(map(_dashboard, dashboards())), "alerts": _alerts()}


def dashboards() -> list[dict[str, Any]]:
    """Return the dashboards, in reading order; one that isn't in :data:`ORDER` comes last."""
    known = {path.stem: path for path in sorted(DASHBOARDS.glob("*.json"))}
    names = [name for name in ORDER if name in known] + [n for n in known if n not in ORDER]
    return [json.loads(known[name].read_text(encoding="utf-8")) for name in names]


def alerts() -> list[dict[str, Any]]:
    """Return the alerting rules, in the order of their file."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def rows_of(panels: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Yield each row's title and its panels, whether it is collapsed or not."""
    title, inside = "", list[Mapping[str, Any]]()
    for panel in panels:
        if panel["type"] == "row":
            if inside:
                yield title, inside
            title, inside = panel["title"], list(panel.get("panels", []))
        else:
            inside.append(panel)
    if inside:
        yield title, inside


def _dashboard(board: Mapping[str, Any]) -> str:
    path = f"img/{board['uid'].removeprefix('ai-engine-')}.png"
    head = [f"### {board['title']}", board["description"]]
    if (ROOT / "docs" / path).is_file():
        head.append(f"![{board['title']}]({path})")
    rows = (f"**{title}**\n\n{_panels(panels)}" for title, panels in rows_of(board["panels"]))
    return "\n\n".join([*head, *rows])


def _panels(panels: Sequence[Mapping[str, Any]]) -> str:
    return table(("panel", "shows", "good", "otherwise"), map(_panel, panels))


def _panel(panel: Mapping[str, Any]) -> tuple[str, str, str, str]:
    shows, _, rest = panel["description"].partition("\n\n**Good:** ")
    good, _, otherwise = rest.partition("\n\n**Otherwise:** ")
    return panel["title"], shows, good, otherwise


def _alerts() -> str:
    return table(("alert", "severity", "it says", "after", "dashboard"), map(_alert, alerts()))


def _alert(rule: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    notes = rule["annotations"]
    found = re.search(r"/d/([\w-]+)", notes.get("dashboard_url", ""))
    titles = {board["uid"]: board["title"] for board in dashboards()}
    return (
        f"[{rule['alert']}](Runbook.md#{rule['alert'].lower()})",
        rule["labels"]["severity"],
        re.sub(r"{{ \$labels\.(\w+) }}", r"*\1*", notes["summary"]),
        rule.get("for", "at once"),
        titles[found[1]] if found else "",
    )
