"""The checks of a live stack, from the engine to the pager. Each returns findings, never raises."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ai_engine_quality.core.durations import prometheus_seconds
from ai_engine_quality.doctor.alerting import check_alertmanager, check_web_pages
from ai_engine_quality.doctor.alertmanager_api import Access, Alertmanager
from ai_engine_quality.doctor.dashboards import check_dashboards
from ai_engine_quality.doctor.engine import Shown, check_shown, read_engine
from ai_engine_quality.doctor.prometheus_api import Prometheus, Unreachable
from ai_engine_quality.doctor.results import CheckResult, failed, ok, skipped
from ai_engine_quality.doctor.rules import check_rules, read_rules
from ai_engine_quality.doctor.targets import (
    check_attached,
    check_stored,
    check_targets,
    engine_jobs,
    engines_of,
    match_engine,
    read_targets,
)

RETENTION_DAYS = 30.0
DAY = 86_400.0
DEFAULT_RETENTION_DAYS = 15.0
"""What Prometheus keeps where nobody says it."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Where everything is."""

    engine: str
    prometheus: str
    dashboards: Path
    access: Access = field(default_factory=Access)


def examine(stack: Stack) -> Iterator[CheckResult]:
    """Yield every check's findings, in the order in which data flow."""
    shown, answered = read_engine(stack.engine)
    yield from answered
    if shown is not None:
        yield from _guarded("metrics", partial(check_shown, shown))
    prometheus = Prometheus(stack.prometheus)
    checks = _of_prometheus(stack, prometheus, shown)
    try:
        prometheus.query("vector(1)")
    except Unreachable as reason:
        fix = "start it: make up; or name another by --prometheus"
        yield failed("prometheus", str(reason), fix)
        for check in checks:
            yield skipped(check, "Prometheus doesn't answer")
        return
    yield ok("prometheus", f"{prometheus.url} answers queries")
    for check, run in checks.items():
        if prometheus.too_slow:
            yield skipped(check, "Prometheus is too slow")
        else:
            yield from _guarded(check, run)


def _of_prometheus(
    stack: Stack, prometheus: Prometheus, shown: Shown | None
) -> Mapping[str, Callable[[], Iterator[CheckResult]]]:
    """Return what is asked of a Prometheus that answers, in order."""

    @functools.cache
    def alertmanagers() -> list[Alertmanager]:
        return stack.access.read(prometheus)

    return {
        "target": lambda: _check_scraping(prometheus, shown, stack.engine),
        "rules": lambda: _check_rules(prometheus),
        "retention": lambda: check_retention(prometheus),
        "alertmanager": lambda: check_alertmanager(prometheus, alertmanagers()),
        "web pages": lambda: check_web_pages(prometheus, alertmanagers()),
        "dashboards": lambda: check_dashboards(prometheus, stack.dashboards),
    }


def _guarded(check: str, run: Callable[[], Iterator[CheckResult]]) -> Iterator[CheckResult]:
    fix = "see whether that server is what you think it is"
    try:
        yield from run()
    except Unreachable as reason:
        yield failed(check, str(reason), fix)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        yield failed(check, f"an answer of a form that isn't Prometheus' ({error!r})", fix)


def _check_rules(prometheus: Prometheus) -> Iterator[CheckResult]:
    yield from check_rules(prometheus, read_rules(prometheus), datetime.now(UTC))


def _check_scraping(prometheus: Prometheus, shown: Shown | None, url: str) -> Iterator[CheckResult]:
    targets = read_targets(prometheus)
    jobs = engine_jobs(read_rules(prometheus))
    engines = engines_of(targets, jobs)
    yield from check_targets(prometheus, targets, jobs, datetime.now(UTC))
    if not engines:
        return
    if shown is not None:
        matched = match_engine(prometheus, shown, url, engines, targets)
        yield matched.result
        if matched.target is not None:
            yield from check_stored(prometheus, shown, matched.target)
    yield from check_attached(prometheus, engines)


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
