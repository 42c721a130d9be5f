"""Every query of every dashboard, asked of the live Prometheus: a panel that is empty says why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ai_engine_quality.doctor.prometheus_api import Prometheus, Unreachable
from ai_engine_quality.doctor.results import CheckResult, failed, ok, skipped, warning
from ai_engine_quality.stack.files import METRIC

# What stands for "all" in a variable's place, and for a panel's own window.
_BUILT_IN = {
    "__rate_interval": "5m",
    "__interval": "1m",
    "__range": "1h",
    "__interval_ms": "60000",
    "__range_s": "3600",
    "__from": "0",
    "__to": "0",
}
_VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)")
_FALLBACK = re.compile(r"\s+or\s+(?:on\s*\(\s*\)\s*)?vector\(\s*0\s*\)", re.IGNORECASE)


def check_dashboards(prometheus: Prometheus, folder: Path) -> Iterator[CheckResult]:
    """Yield, for each dashboard file, how many of its queries return data."""
    files = sorted(folder.glob("*.json"))
    if not files:
        yield skipped("dashboards", f"{folder} has none; name another by --dashboards")
    for file in files:
        try:
            dashboard = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            yield failed(f"dashboard {file.stem}", f"unreadable: {error}", "make it anew")
            continue
        yield _dashboard(prometheus, file.stem, dashboard)


def _dashboard(prometheus: Prometheus, name: str, dashboard: Any) -> CheckResult:
    check = f"dashboard {name}"
    wrong, empty, full = [], [], 0
    for title, expression in queries(dashboard):
        try:
            if prometheus.query(askable(expression, _some_call(prometheus, expression))):
                full += 1
            else:
                empty.append(f"{title}: {why_empty(prometheus, expression)}")
        except Unreachable as reason:
            wrong.append(f"{title}: {reason}")
    every = full + len(empty) + len(wrong)
    if wrong:
        fix = "the query is wrong: make the dashboards anew"
        return failed(check, f"{len(wrong)} of {every} queries fail: {wrong[0]}", fix, tuple(wrong))
    if empty:
        found = f"{len(empty)} of {every} queries have no data: {empty[0]}"
        fix = "calls fill most panels; place some, or wait for them"
        return warning(check, found, fix, tuple(empty))
    return ok(check, f"all {full} queries have data")


def queries(dashboard: Any) -> Iterator[tuple[str, str]]:
    """Yield (panel title, expression) of every query, of collapsed rows too."""
    for panel in dashboard.get("panels", []):
        for target in panel.get("targets", []):
            if target.get("expr"):
                yield panel.get("title", "untitled"), target["expr"]
        yield from queries(panel)


def _some_call(prometheus: Prometheus, expression: str) -> str:
    """Return a call of the last hour for a panel that shows one; empty where it shows all."""
    if "$call_id" not in expression:
        return ""
    found = prometheus.query("bottomk(1, last_over_time(ai_agent_call_quality_score[1h]))")
    return str(found[0]["metric"].get("call_id", "")) if found else ""


def askable(expression: str, call_id: str = "") -> str:
    """Return a panel's expression with its variables filled in, and without its zeros.

    ``or vector(0)`` goes: it would hide that a metric is missing.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return call_id if name == "call_id" else _BUILT_IN.get(name, ".*")

    return _FALLBACK.sub("", _VARIABLE.sub(value, expression))


def why_empty(prometheus: Prometheus, expression: str) -> str:
    """Return why a query may have no data: what it reads isn't there, or nothing happened."""
    names = sorted(set(METRIC.findall(expression)))
    absent = [name for name in names if not prometheus.query(f"last_over_time({name}[1h])")]
    if absent:
        return f"no samples of {', '.join(absent)} within an hour"
    return "its metrics are there, but nothing of this kind has happened yet"
