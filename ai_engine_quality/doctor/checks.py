"""The checks of a live stack, from the engine to the pager. Each returns findings, never raises."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from ai_engine_quality.core.durations import prometheus_seconds
from ai_engine_quality.doctor.dashboards import check_dashboards
from ai_engine_quality.doctor.expected import ENGINE, FRAMEWORKS, LIBRARY, PER_CALL
from ai_engine_quality.doctor.prometheus_api import Prometheus, Unreachable, get
from ai_engine_quality.doctor.results import CheckResult, failed, ok, skipped, warning

JOB = "ai-engine"
JOBS = re.compile("ai[-_]engine")
"""What scrape jobs of engines are called; as in the first rule of monitoring/rules."""
RETENTION_DAYS = 30.0
INNER = frozenset({"le", "quantile"})
"""Labels within a histogram or a summary."""
UNAUTHORIZED = 401
ANY_ORIGIN = ".*"
"""What Prometheus' --web.cors.origin is where nobody says it."""
DAY = 86_400.0
DEFAULT_RETENTION_DAYS = 15.0
"""What Prometheus keeps where nobody says it."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Where everything is."""

    engine: str
    prometheus: str
    dashboards: Path


def examine(stack: Stack) -> Iterator[CheckResult]:
    """Yield every check's findings, in the order in which data flow."""
    yield from _guarded("engine", lambda: check_engine(stack.engine))
    prometheus = Prometheus(stack.prometheus)
    try:
        prometheus.query("vector(1)")
    except Unreachable as reason:
        yield failed(
            "prometheus", str(reason), "start it: make up; or name another by --prometheus"
        )
        for check in (*_OF_PROMETHEUS, "dashboards"):
            yield skipped(check, "Prometheus doesn't answer")
        return
    yield ok("prometheus", f"{prometheus.url} answers queries")
    checks = {name: partial(run, prometheus) for name, run in _OF_PROMETHEUS.items()}
    checks["dashboards"] = partial(check_dashboards, prometheus, stack.dashboards)
    for check, run in checks.items():
        if prometheus.too_slow:
            yield skipped(check, "Prometheus is too slow")
        else:
            yield from _guarded(check, run)


def _guarded(check: str, run: Callable[[], Iterator[CheckResult]]) -> Iterator[CheckResult]:
    fix = "see whether that server is what you think it is"
    try:
        yield from run()
    except Unreachable as reason:
        yield failed(check, str(reason), fix)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        yield failed(check, f"an answer of a form that isn't Prometheus' ({error!r})", fix)


def check_engine(url: str) -> Iterator[CheckResult]:
    """Yield whether an engine answers, and whether it shows what it must."""
    base = url.rstrip("/")
    try:
        get(f"{base}/health")
        text = get(f"{base}/metrics")
    except Unreachable as reason:
        yield failed(
            "engine", str(reason), "start the engine (or `demo --serve`), or name it by --engine"
        )
        yield skipped("metrics", "the engine doesn't answer")
        return
    yield ok("engine", f"{base} answers")
    yield from check_metrics(text)


def check_metrics(text: str) -> Iterator[CheckResult]:
    """Yield whether an exposition has every expected metric with its labels."""
    try:
        found = {family.name: family for family in text_string_to_metric_families(text)}
    except ValueError as error:
        yield failed("metrics", f"/metrics is no exposition: {error}", "is it the engine's port?")
        return
    info = found.get("ai_agent_quality_info")
    if info is None or not info.samples:
        fix = "attach it: ai-engine-quality run -- PROGRAM, or aeq.attach(engine)"
        yield failed("metrics", "the quality library isn't in this engine", fix)
    else:
        yield _compared("metrics", "the library's", LIBRARY, found, "update the library")
    if framework := _framework(found):
        yield skipped("engine metrics", f"{framework} has none of the AVA engine's own")
    else:
        fix = "an engine this library knows"
        yield _compared("engine metrics", "the engine's", ENGINE, found, fix)
    if hooks := found.get("ai_agent_quality_hook_live"):
        yield from _hooks(hooks)


def _framework(shown: Mapping[str, Metric]) -> str | None:
    """Return which framework the engine is built on, with its version; None for an AVA engine."""
    info = shown.get("ai_agent_engine_info")
    versions = [sample.labels.get("version", "") for sample in info.samples] if info else []
    return next((version for version in versions if version.startswith(FRAMEWORKS)), None)


def _compared(
    check: str,
    whose: str,
    expected: Mapping[str, frozenset[str]],
    shown: Mapping[str, Metric],
    fix: str,
) -> CheckResult:
    missing = [name for name in expected if name not in shown]
    wrong = [
        f"{name} has {{{', '.join(sorted(labels))}}}"
        for name, wanted in expected.items()
        if name in shown
        for labels in {frozenset(sample.labels) - INNER for sample in shown[name].samples}
        if labels - PER_CALL != wanted - PER_CALL
    ]
    if missing or wrong:
        found = "; ".join([*(f"{name} is missing" for name in missing), *wrong])
        return failed(check, found, fix)
    return ok(check, f"all {len(expected)} of {whose} are there, with their labels")


def _hooks(family: Metric) -> Iterator[CheckResult]:
    factors: dict[str, float] = {}
    for sample in family.samples:  # heard or told: either will do
        factor = sample.labels["factor"]
        factors[factor] = max(sample.value, factors.get(factor, 0.0))
    blind = sorted(factor for factor, live in factors.items() if not live)
    if blind:
        fix = "see attachment.report() in the engine's log for what each one misses"
        yield warning("hooks", f"not delivered by this engine: {', '.join(blind)}", fix)
    elif factors:
        yield ok("hooks", f"all {len(factors)} observations are delivered")


def check_targets(prometheus: Prometheus, now: datetime) -> Iterator[CheckResult]:
    """Yield, for each engine, whether it is up and was scraped within its interval."""
    targets = [
        target
        for target in prometheus.api("targets", state="active")["activeTargets"]
        if JOBS.fullmatch(target["labels"].get("job", ""))
    ]
    if not targets:
        fix = "list the engines in monitoring/targets/engines.yml"
        yield failed("target", f"Prometheus has no target of the job {JOB}", fix)
    for target in targets:
        yield _target(target, now)


def _target(target: Mapping[str, Any], now: datetime) -> CheckResult:
    name = target["scrapeUrl"]
    if target["health"] != "up":
        error = target.get("lastError") or "not scraped yet"
        fix = "is the engine running there, and within sample_limit and scrape_timeout?"
        return failed("target", f"{name} is {target['health']}: {error}", fix)
    interval = prometheus_seconds(target.get("scrapeInterval", "1s"))
    age = (now - _moment(target["lastScrape"])).total_seconds()
    # One interval, one scrape under way, and a second for the clocks of two machines.
    if age > 2 * interval + 1:
        fix = "Prometheus is overloaded, or this machine's clock is off"
        return failed("target", f"{name} was last scraped {age:.0f} s ago", fix)
    took = float(target.get("lastScrapeDuration", 0))
    if took > interval / 2:
        fix = "rendering holds up the engine's audio: fewer series, or a longer interval"
        return warning("target", f"{name} takes {took:.2f} s of every {interval:g} s", fix)
    return ok("target", f"{name} is up, scraped every {interval:g} s in {took * 1000:.0f} ms")


def _moment(text: str) -> datetime:
    """Return a time of Go's, which has more digits than Python reads."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00")))


def check_rules(prometheus: Prometheus) -> Iterator[CheckResult]:
    """Yield whether the project's rules are loaded, and whether any can't be evaluated."""
    groups = prometheus.api("rules")["groups"]
    ours = [group for group in groups if group["name"].startswith(f"{JOB}-")]
    rules = [rule for group in ours for rule in group["rules"]]
    alerts = {rule["name"] for rule in rules if rule["type"] == "alerting"}
    if not {"HealthEndpointDown", "Watchdog"} <= alerts:
        fix = "mount monitoring/ and name rules/*.yml and alerts/*.yml in prometheus.yml"
        yield failed("rules", f"{len(alerts)} of the project's alerts are loaded", fix)
        return
    ill = [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] == "err"]
    if ill:
        yield failed("rules", "; ".join(ill), "correct it; promtool check rules FILE helps")
        return
    firing = sorted(
        rule["name"]
        for rule in rules
        if rule.get("state") == "firing" and rule["name"] != "Watchdog"
    )
    said = f"{len(rules)} rules, {len(alerts)} alerts, all healthy"
    if firing:
        yield warning("rules", f"{said}; firing: {', '.join(firing)}", "see docs/Runbook.md")
    else:
        yield ok("rules", f"{said}; none fires")


def check_retention(prometheus: Prometheus) -> Iterator[CheckResult]:
    """Yield whether 30 days are kept."""
    flags = prometheus.api("status/flags")
    # 15 days is what Prometheus keeps when told nothing, which it shows as 0s.
    told = flags.get("storage.tsdb.retention.time", "")
    kept = prometheus_seconds(told) or DEFAULT_RETENTION_DAYS * DAY
    size = flags.get("storage.tsdb.retention.size", "0B")
    said = f"{kept / DAY:g} days" + ("" if size in ("0", "0B", "") else f", at most {size}")
    if kept < RETENTION_DAYS * DAY:
        fix = "start Prometheus with --storage.tsdb.retention.time=30d"
        yield failed("retention", f"{said} are kept", fix)
    else:
        yield ok("retention", f"{said} are kept")


def check_alertmanager(prometheus: Prometheus) -> Iterator[CheckResult]:
    """Yield whether alerts have somewhere to go, and whether they get there."""
    bases = _alertmanagers(prometheus)
    if not bases:
        fix = "list it in monitoring/targets/alertmanager.yml, and start it: make up"
        yield failed("alertmanager", "Prometheus knows no Alertmanager", fix)
    for base in bases:
        try:
            get(f"{base}/-/ready")
        except Unreachable as reason:
            if reason.status == UNAUTHORIZED:
                yield ok("alertmanager", f"{base} answers those who know its password")
            else:
                yield failed("alertmanager", str(reason), "start it: make up")
        else:
            yield ok("alertmanager", f"{base} is ready")


def _alertmanagers(prometheus: Prometheus) -> list[str]:
    active = prometheus.api("alertmanagers")["activeAlertmanagers"]
    return [entry["url"].partition("/api/")[0] for entry in active]


def check_web_pages(prometheus: Prometheus) -> Iterator[CheckResult]:
    """Yield whether a web page in an operator's browser can read metrics, or silence alerts."""
    where = "docs/Operators-Manual.md, Security"
    wrong = False
    if prometheus.api("status/flags").get("web.cors.origin") == ANY_ORIGIN:
        wrong = True
        found = f"{prometheus.url} hands metrics to every page that is open where it can be reached"
        yield warning("web pages", found, f"start it with --web.cors.origin=none: {where}")
    for base in _alertmanagers(prometheus):
        with contextlib.suppress(Unreachable):
            get(f"{base}/api/v2/status")
            wrong = True
            found = f"{base} takes silences from every page that is open where it can be reached"
            yield warning("web pages", found, f"give it a password by --web.config.file: {where}")
    if not wrong:
        yield ok("web pages", "none can read metrics or silence alerts")


_OF_PROMETHEUS: dict[str, Callable[[Prometheus], Iterator[CheckResult]]] = {
    "target": lambda prometheus: check_targets(prometheus, datetime.now(UTC)),
    "rules": check_rules,
    "retention": check_retention,
    "alertmanager": check_alertmanager,
    "web pages": check_web_pages,
}
"""What is asked of a Prometheus that answers, in order."""
