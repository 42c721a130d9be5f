"""Rules and dashboards for a Prometheus and a Grafana that are there already. Pure.

What a deployment may set is changed in the files' own text, so that their comments and their order
stay; whoever compares an export with the original sees these changes and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlsplit

ENGINE_JOBS: Final = "ai[-_]engine"
"""What the first rule takes for engines, before it is exported."""
RUNBOOK: Final = "docs/Runbook.md"
GRAFANA: Final = "http://127.0.0.1:3000"
DEFAULT_JOBS: Final = ("ai-engine", "ai_engine")
TURN_LIMITS: Final = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
"""Seconds that are limits of the response times' buckets, so that slow turns can be counted."""

_JOB: Final = re.compile(r"[\w./:-]+")


class ExportError(ValueError):
    """A parameter that can't be used; the message names the fix."""


class Threshold(NamedTuple):
    """One number that an alert, or the objective, goes by."""

    what: str
    usual: float
    pattern: str
    """Where it stands in the text of its rule: the number itself is the group ``n``."""
    allowed: Callable[[float], bool]
    wanted: str
    """What is allowed, in words."""


def _share(value: float) -> bool:
    return 0 < value < 1


THRESHOLDS: Final[Mapping[str, Threshold]] = {
    "quality_objective": Threshold(
        "share of scored calls that must not be poor",
        0.90,
        r"vector\((?P<n>[\d.]+)\)",
        _share,
        "between 0 and 1",
    ),
    "HighTurnResponseLatency": Threshold(
        "p95 of the response time, in seconds",
        2.0,
        r"p95_15m > (?P<n>[\d.]+)|le=~\"(?P<le>[^\"]+)\"|Over (?P<said>[\d.]+) s ",
        TURN_LIMITS.__contains__,
        "one of 1, 1.5, 2, 3, 5, 8: a bucket's limit",
    ),
    "CriticalTurnResponseLatency": Threshold(
        "p95 of the response time, in seconds",
        5.0,
        r"p95_5m > (?P<n>[\d.]+)|le=~\"(?P<le>[^\"]+)\"|over (?P<said>[\d.]+) s ",
        TURN_LIMITS.__contains__,
        "one of 1, 1.5, 2, 3, 5, 8: a bucket's limit",
    ),
    "HighUnderflowRate": Threshold(
        "share of fillers in the frames played",
        0.05,
        r"ratio5m > (?P<n>[\d.]+)",
        _share,
        "between 0 and 1",
    ),
    "CallsFailing": Threshold(
        "share of failed calls in 15 minutes",
        0.2,
        r"^ +\) > (?P<n>[\d.]+)$",
        _share,
        "between 0 and 1",
    ),
    "ProviderRegression": Threshold(
        "points below a provider's own last week",
        10.0,
        r"avg6h\) > (?P<n>[\d.]+)",
        lambda points: 0 < points < 100,
        "between 0 and 100 points",
    ),
    "VADConfidenceLow": Threshold(
        "share of speech frames of which the detector was sure",
        0.6,
        r"ratio15m < (?P<n>[\d.]+)",
        _share,
        "between 0 and 1",
    ),
    "SeriesLimitNear": Threshold(
        "samples in a scrape; sample_limit is a quarter more",
        40_000.0,
        r"scraped\[5m\]\) > (?P<n>\d+)|; at (?P<limit>\d+) ",
        lambda samples: samples >= 100 and samples == int(samples),
        "a whole number from 100",
    ),
}
"""What can be set, by the name of the alert or the rule."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What an export is made for.

    Raises:
        ExportError: a value can't be used.
    """

    jobs: tuple[str, ...] = DEFAULT_JOBS
    """The scrape jobs of engines."""
    runbook: str = RUNBOOK
    """Where the runbook can be read; an alert's heading is added as ``#alert``."""
    grafana: str = GRAFANA
    """Grafana's address, in front of ``/d/``."""
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for job in self.jobs:
            if not _JOB.fullmatch(job):
                raise ExportError(f"job {job!r}: write a job's name: letters, digits, _ - . / :")
        if not self.jobs:
            raise ExportError("no job is named; leave --job out for ai-engine and ai_engine")
        for name, address in (("runbook", self.runbook), ("grafana", self.grafana)):
            _check_address(name, address)
        for name, value in self.thresholds.items():
            _check_threshold(name, value)

    @property
    def pattern(self) -> str:
        """The jobs as an expression that Prometheus matches, without a backslash in it."""
        if self.jobs == DEFAULT_JOBS:
            return ENGINE_JOBS
        return "|".join(job.replace(".", "[.]") for job in self.jobs)


def _check_address(name: str, address: str) -> None:
    if address in (RUNBOOK, GRAFANA):
        return
    try:
        parts = urlsplit(address)
        is_one = parts.scheme in ("http", "https") and bool(parts.netloc)
    except ValueError:  # a bracket that isn't closed, say
        is_one = False
    if not is_one or re.search(r"[\s\"'{}#]", address):
        raise ExportError(f"{name} {address!r}: write an address such as https://example.org/wiki")


def _check_threshold(name: str, value: float) -> None:
    known = THRESHOLDS.get(name)
    if known is None:
        raise ExportError(f"{name} is no threshold; choose of {', '.join(THRESHOLDS)}")
    if not known.allowed(value):
        raise ExportError(f"{name}={value:g}: it must be {known.wanted} ({known.what})")


def exported_rules(text: str, of: Deployment) -> str:
    """Return a rule file's text for a deployment."""
    text = text.replace(f'job=~"{ENGINE_JOBS}"', f'job=~"{of.pattern}"')
    if of.jobs != DEFAULT_JOBS:
        text = text.replace("a job ai-engine or ai_engine", f"a job {' or '.join(of.jobs)}")
    text = text.replace(f"runbook_url: {RUNBOOK}", f"runbook_url: {of.runbook}")
    text = text.replace(f"dashboard_url: {GRAFANA}/", f"dashboard_url: {of.grafana.rstrip('/')}/")
    for name, value in of.thresholds.items():
        text = _with_threshold(text, name, value)
    return text


def _with_threshold(text: str, name: str, value: float) -> str:
    """Return a text with another number in the rule of that name, where the text has that rule."""
    known = THRESHOLDS[name]
    rule = re.compile(
        rf"^ *- (?:alert|record): \S*\b{name}\b.*?(?=^ *- (?:alert|record|name): |\Z)",
        re.MULTILINE | re.DOTALL,
    )

    def number(found: re.Match[str]) -> str:
        groups = found.groupdict()
        key = next(key for key, was in groups.items() if was is not None)
        new = f"{value:g}" if value < 1e5 else f"{value:.0f}"
        if key == "le":  # as clients write it: 2, or 2.0
            new = f"{new}(\\\\.0)?" if value == int(value) else new.replace(".", "[.]")
        if key == "limit":
            new = f"{value * 1.25:.0f}"
        start, end = found.span(key)
        whole = found[0]
        return whole[: start - found.start()] + new + whole[end - found.start() :]

    def edited(found: re.Match[str]) -> str:
        return re.sub(known.pattern, number, found[0], flags=re.MULTILINE)

    return rule.sub(edited, text)


def exported_dashboard(text: str, of: Deployment) -> str:
    """Return a dashboard's JSON for a deployment: its variable ``job`` finds these jobs."""
    if of.jobs == DEFAULT_JOBS:
        return text
    return text.replace(f".*{ENGINE_JOBS}.*", of.pattern)
