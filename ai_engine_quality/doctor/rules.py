"""The rules: is each one loaded and evaluated, does one find an engine, and does an alert fire?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from ai_engine_quality.doctor.prometheus_api import Prometheus
from ai_engine_quality.doctor.results import CheckResult, failed, ok, skipped, warning
from ai_engine_quality.doctor.targets import TARGET_RULE, moment
from ai_engine_quality.stack.files import rule_files, rule_names

NEVER_YEAR: Final = 2000
"""Go's zero time, which stands for never, is in the year 1."""
LATE_INTERVALS: Final = 3.0
KINDS: Final = {"recording": "record", "alerting": "alert"}


def read_rules(prometheus: Prometheus) -> list[Mapping[str, Any]]:
    """Return every loaded rule, with its group's interval in seconds as ``interval``."""
    return [
        {**rule, "interval": float(group.get("interval", 0))}
        for group in prometheus.api("rules")["groups"]
        for rule in group["rules"]
    ]


def check_rules(
    prometheus: Prometheus, rules: list[Mapping[str, Any]], now: datetime
) -> Iterator[CheckResult]:
    """Yield whether every rule that comes with the library is loaded, evaluated and alive."""
    expected = {name: Counter(rule_names(text)) for name, text in rule_files().items()}
    every = sum(expected.values(), Counter[tuple[str, str]]())
    loaded = Counter((KINDS.get(rule["type"], ""), rule["name"]) for rule in rules)
    missing = every - loaded
    if missing:
        yield _missing(expected, missing, every.total())
    else:
        yield ok("rules", f"all {every.total()} rules are loaded")
    ours = [rule for rule in rules if (KINDS.get(rule["type"], ""), rule["name"]) in every]
    yield _evaluated(ours, now)
    if not missing[("record", TARGET_RULE)] and not prometheus.query(TARGET_RULE):
        fix = (
            f"the rule {TARGET_RULE} must have the scrape job's name: "
            "ai-engine-quality export-rules FOLDER --job NAME"
        )
        found = "no rule finds an engine, so no alert can fire"
        yield failed("engines in rules", found, fix)
    yield _firing(rules)


def _missing(
    expected: Mapping[str, Counter[tuple[str, str]]],
    missing: Counter[tuple[str, str]],
    every: int,
) -> CheckResult:
    kinds = Counter(kind for kind, _ in missing.elements())
    parts = [
        f"{kinds[kind]} {word}"
        for kind, word in (("record", "recording"), ("alert", "alerts"))
        if kinds[kind]
    ]
    files = [name for name, names in expected.items() if names & missing]
    fix = f"name {', '.join(files)} in rule_files of prometheus.yml, and reload it"
    found = f"{missing.total()} of {every} rules are missing: {' and '.join(parts)}"
    details = tuple(f"{kind}: {name}" for kind, name in missing.elements())
    return failed("rules", found, fix, details)


def _evaluated(rules: list[Mapping[str, Any]], now: datetime) -> CheckResult:
    check = "evaluation"
    if not rules:
        return skipped(check, "no rule is loaded")
    ill = tuple(
        f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] == "err"
    )
    if ill:
        found = f"{len(ill)} rules can't be evaluated: {ill[0]}"
        return failed(check, found, "correct it; promtool check rules FILE helps", ill)
    ages = [_age(rule, now) for rule in rules]
    waiting = tuple(rule["name"] for rule, age in zip(rules, ages, strict=True) if age is None)
    if waiting:
        found = f"{len(waiting)} rules were not evaluated yet"
        return warning(check, found, "wait for their interval, 5 minutes at most", waiting)
    late = tuple(
        rule["name"]
        for rule, age in zip(rules, ages, strict=True)
        if age is not None and rule["interval"] and age > LATE_INTERVALS * rule["interval"] + 5
    )
    if late:
        fix = "Prometheus is overloaded: more CPU, or fewer series"
        return failed(check, f"{len(late)} rules are evaluated late", fix, late)
    return ok(check, f"all {len(rules)} are evaluated without error")


def _age(rule: Mapping[str, Any], now: datetime) -> float | None:
    """Return how many seconds ago a rule was evaluated; None: never."""
    if "lastEvaluation" not in rule:  # what answers like Prometheus may not say it
        return 0.0
    last = moment(rule["lastEvaluation"])
    return None if last.year < NEVER_YEAR else (now - last).total_seconds()


def _firing(rules: list[Mapping[str, Any]]) -> CheckResult:
    firing = sorted(
        {
            rule["name"]
            for rule in rules
            if rule.get("state") == "firing" and rule["name"] != "Watchdog"
        }
    )
    if firing:
        found = f"{len(firing)} firing: {', '.join(firing)}"
        return warning("alerts", found, "see docs/Runbook.md", tuple(firing))
    return ok("alerts", "none fires")
