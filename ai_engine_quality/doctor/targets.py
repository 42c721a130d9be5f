"""What Prometheus scrapes: which engines, by which job, how often, and what of it is kept."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from ai_engine_quality.core.durations import prometheus_seconds
from ai_engine_quality.doctor.engine import ATTACH_FIX, INNER, Shown
from ai_engine_quality.doctor.prometheus_api import Prometheus
from ai_engine_quality.doctor.results import CheckResult, failed, ok, skipped, warning
from ai_engine_quality.stack.files import metrics_read

JOBS: Final = "ai[-_]engine"
"""What scrape jobs of engines are called, by the first rule of monitoring/rules."""
TARGET_RULE: Final = "job_instance:ai_engine:target"
"""That rule. Where it was exported for another job, its expression says so."""
ENGINES: Final = "group by (job, instance) (ai_agent_streaming_active or ai_agent_calls_active)"
"""Whatever exposes an engine's metrics, whatever its job is called."""

LONGEST_SECONDS: Final = 75.0
"""HealthEndpointDown needs two scrapes within 150 s."""
SLOW_SECONDS: Final = 15.0
"""Up to here every rule has at least four scrapes in its shortest window, a minute."""
LOST_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Target:
    """One engine that Prometheus scrapes."""

    job: str
    instance: str
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def url(self) -> str:
        """Return what is scraped."""
        return str(self.raw["scrapeUrl"])

    @property
    def up(self) -> bool:
        """Whether the last scrape succeeded."""
        return bool(self.raw["health"] == "up")

    @property
    def interval(self) -> float:
        """Return the seconds between scrapes."""
        return prometheus_seconds(self.raw.get("scrapeInterval", "")) or 1.0

    @property
    def scraped(self) -> datetime:
        """Return the moment of the last scrape."""
        return moment(self.raw["lastScrape"])

    def select(self, *matchers: str) -> str:
        """Return a selector of this target's series."""
        ours = [f"job={_quoted(self.job)}", f"instance={_quoted(self.instance)}"]
        return "{" + ", ".join([*matchers, *ours]) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def moment(text: str) -> datetime:
    """Return a time of Go's, which has more digits than Python reads."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00")))


def read_targets(prometheus: Prometheus) -> list[Target]:
    """Return everything that Prometheus scrapes."""
    return [
        Target(found["labels"].get("job", ""), found["labels"].get("instance", ""), found)
        for found in prometheus.api("targets", state="active")["activeTargets"]
    ]


def engine_jobs(rules: list[Mapping[str, Any]]) -> str:
    """Return the pattern of the jobs that the loaded rules take for engines."""
    for rule in rules:
        if rule["name"] == TARGET_RULE:
            found = re.search(r'job=~?"((?:[^"\\]|\\.)*)"', rule.get("query", ""))
            if found:
                return found[1].replace("\\\\", "\\")
    return JOBS


def engines_of(targets: list[Target], jobs: str) -> list[Target]:
    """Return the targets whose job matches a pattern, as Prometheus matches it."""
    try:
        pattern = re.compile(jobs)
    except re.error:  # Go's expressions know a little that Python's don't
        pattern = re.compile(JOBS)
    return [target for target in targets if pattern.fullmatch(target.job)]


def check_targets(
    prometheus: Prometheus, targets: list[Target], jobs: str, now: datetime
) -> Iterator[CheckResult]:
    """Yield, for each engine, whether it is up, was scraped in time, and often enough."""
    engines = engines_of(targets, jobs)
    if not engines:
        yield _no_engine(prometheus, targets, jobs)
        return
    for target in engines:
        yield _target(target, now)
    yield _interval(engines)


def _no_engine(prometheus: Prometheus, targets: list[Target], jobs: str) -> CheckResult:
    jobs_found = {series["metric"].get("job", "") for series in prometheus.query(ENGINES)}
    other = sorted(jobs_found - {""})
    if other:
        found = f"an engine is scraped as job {other[0]}, and the rules look for {jobs}"
        fix = (
            f"name that scrape job ai-engine in prometheus.yml; or make the rules for it: "
            f"ai-engine-quality export-rules FOLDER --job {' --job '.join(other)}"
        )
        return failed("target", found, fix)
    known = ", ".join(sorted({target.job for target in targets})) or "none"
    found = f"Prometheus has no target of a job {jobs}; its jobs: {known}"
    return failed("target", found, "list the engines in monitoring/targets/engines.yml")


def _target(target: Target, now: datetime) -> CheckResult:
    name = f"{target.instance} (job {target.job})"
    if not target.up:
        error = target.raw.get("lastError") or "not scraped yet"
        fix = "is the engine running there, and within sample_limit and scrape_timeout?"
        details = (f"{target.url}: {error}",)
        return failed("target", f"{name} is {target.raw['health']}: {error}", fix, details)
    age = (now - target.scraped).total_seconds()
    # One interval, one scrape under way, and a second for the clocks of two machines.
    if age > 2 * target.interval + 1:
        fix = "Prometheus is overloaded, or this machine's clock is off"
        return failed("target", f"{name} was last scraped {age:.0f} s ago", fix)
    took = float(target.raw.get("lastScrapeDuration", 0))
    if took > target.interval / 2:
        fix = "rendering holds up the engine's audio: fewer series, or a longer interval"
        found = f"{name} takes {took:.2f} s of every {target.interval:g} s"
        return warning("target", found, fix)
    return ok("target", f"{name} is up, scraped in {took * 1000:.0f} ms")


def _interval(engines: list[Target]) -> CheckResult:
    slowest = max(engines, key=lambda target: target.interval)
    every = f"{slowest.instance} is scraped every {slowest.interval:g} s"
    fix = f"scrape_interval: 1s (at most 15s) for the job {slowest.job} in prometheus.yml"
    if slowest.interval > LONGEST_SECONDS:
        found = f"{every}: no alert of a dead engine fires"
        more = (
            f"HealthEndpointDown needs two scrapes within 150 s, so at most {LONGEST_SECONDS:g} s.",
            "Rates over 5 minutes need four scrapes: they are wrong or empty as well.",
        )
        return failed("interval", found, fix, more)
    if slowest.interval > SLOW_SECONDS:
        return warning("interval", f"{every}: alerts are late, short faults are missed", fix)
    return ok("interval", f"every {slowest.interval:g} s")


@dataclass(frozen=True, slots=True)
class Matched:
    """Whether the engine that was asked is one that Prometheus scrapes."""

    target: Target | None
    result: CheckResult


def match_engine(
    prometheus: Prometheus, shown: Shown, url: str, engines: list[Target], targets: list[Target]
) -> Matched:
    """Return the target that is the engine behind ``url``, by what no other process has."""
    check = "same engine"
    births = shown.births
    up = [target for target in engines if target.up]
    if not births or not up:
        return Matched(None, _by_address(check, url, engines))
    for target in up:
        held = _births(prometheus, target)
        if any(held.get(name) == value for name, value in births.items()):
            return Matched(target, ok(check, f"{target.instance} is the engine at {url}"))
    scraped = ", ".join(target.url for target in up)
    found = f"Prometheus scrapes another engine than {url}"
    if any(_same_address(target.url, url) for target in up):
        found = f"another process answers Prometheus at {up[0].instance} than {url}"
    elif strangers := [t for t in targets if t not in engines and _same_address(t.url, url)]:
        found = f"{url} is scraped as job {strangers[0].job}, which no rule reads"
    fix = f"list {_address(url)} in monitoring/targets/engines.yml, or name the right --engine"
    return Matched(None, failed(check, found, fix, (f"scraped: {scraped}",)))


def _by_address(check: str, url: str, engines: list[Target]) -> CheckResult:
    for target in engines:
        if _same_address(target.url, url):
            return ok(check, f"{target.instance} has the address of {url}")
    return skipped(check, "no target that is up shows when its process began")


def _births(prometheus: Prometheus, target: Target) -> dict[str, float]:
    names = '__name__=~"process_start_time_seconds|ai_agent_.+_created"'
    found = prometheus.query(f"min by (__name__) ({target.select(names)})")
    return {series["metric"].get("__name__", ""): float(series["value"][1]) for series in found}


def _address(url: str) -> str:
    return urlsplit(url).netloc or url


def _same_address(one: str, other: str) -> bool:
    def parts(url: str) -> tuple[str, int | None]:
        found = urlsplit(url)
        host = (found.hostname or "").lower()
        return ("127.0.0.1" if host in ("localhost", "::1") else host, found.port)

    return parts(one) == parts(other)


def check_stored(
    prometheus: Prometheus,
    shown: Shown,
    target: Target,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[CheckResult]:
    """Yield whether Prometheus holds what an engine shows, as far as rules and panels read it."""
    wanted = {name: labels for name, labels in shown.labels.items() if name in metrics_read()}
    missing, bare = _dropped(prometheus, target, wanted)
    if missing or bare:  # what the engine has shown since the last scrape isn't dropped
        asked = now()
        wait = target.interval + 1
        while wait > 0 and _scraped(prometheus, target) <= asked:
            time.sleep(min(0.2, wait))
            wait -= 0.2
        missing, bare = _dropped(prometheus, target, wanted)
    if not missing and not bare:
        yield ok("stored", f"Prometheus holds all {len(wanted)} series names that are read")
        return
    lost = len(missing) + len(bare)
    found = f"{lost} of {len(wanted)} series are dropped on the way, or lose labels: "
    details = (*(f"{name} is dropped" for name in missing), *bare)
    fix = (
        f"metric_relabel_configs of the job {target.job} in prometheus.yml: keep every "
        "ai_agent_.* and process_.*, with all labels"
    )
    yield failed("stored", found + (missing or bare)[0], fix, details)


def _scraped(prometheus: Prometheus, target: Target) -> datetime:
    for found in read_targets(prometheus):
        if (found.job, found.instance) == (target.job, target.instance):
            return found.scraped
    return target.scraped


def _dropped(
    prometheus: Prometheus, target: Target, wanted: Mapping[str, frozenset[str]]
) -> tuple[list[str], list[str]]:
    """Return the names that Prometheus doesn't hold, and what lost labels, in words."""
    held: dict[str, set[str]] = {}
    for series in prometheus.query(target.select('__name__=~"ai_agent_.+|process_.+"')):
        labels = dict(series["metric"])
        held.setdefault(labels.pop("__name__", ""), set()).update(labels)
    missing = sorted(name for name in wanted if name not in held)
    bare = [
        f"{name} has no label {', '.join(sorted(lost))}"
        for name, labels in sorted(wanted.items())
        if name in held and (lost := labels - held[name] - (INNER - {"le"}))
    ]
    return missing, bare


def check_attached(prometheus: Prometheus, engines: list[Target]) -> Iterator[CheckResult]:
    """Yield whether the library is in every engine that Prometheus scrapes, or once was."""
    up = [target for target in engines if target.up]
    without = [
        target
        for target in up
        if not prometheus.query(target.select('__name__="ai_agent_quality_info"'))
    ]
    for target in without:
        yield _unattached(prometheus, target)
    if up and not without:
        plural = "it" if len(up) == 1 else f"all {len(up)} engines"
        yield ok("attach", f"the library is in {up[0].instance if len(up) == 1 else plural}")


def _unattached(prometheus: Prometheus, target: Target) -> CheckResult:
    """Return that an engine is without the library, and since when, where it once had it."""
    had = f"ai_agent_quality_info{target.select()}"
    if not prometheus.query(f"last_over_time({had}[{LOST_DAYS}d])"):
        return failed("attach", f"{target.instance} runs without the library", ATTACH_FIX)
    last = prometheus.value(f"max(max_over_time(timestamp({had})[{LOST_DAYS}d:5m]))")
    # Nothing at the steps of 5 minutes: it was there for less than that.
    when = "" if last is None else datetime.fromtimestamp(last, UTC).strftime(", %d %b %H:%M UTC")
    fix = (
        "it was started again without it, by a recovery or an update. Start it with its override: "
        "docker compose up -d, without -f; or by python -m ai_engine_quality run -- PROGRAM"
    )
    return failed("attach", f"{target.instance} has lost the library{when}", fix)
