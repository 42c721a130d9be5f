"""A real Prometheus that holds a history: samples written to it, the project's rules worked out.

The rules are worked out over the past by range queries, in the order in which they build on each
other, since a server works them out for the present only. Alerts become the series `ALERTS`, as the
server would have written them.
"""

from __future__ import annotations

import json
import math
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import yaml

from ai_engine_pictures.history import STALE, Labels, Series
from ai_engine_pictures.remote_write import write_request
from ai_engine_quality.toolkit import prometheus_seconds

_BATCH: Final = 500
"""Series in one request."""
_START_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Rule:
    """A recording rule, or an alert."""

    name: str
    expression: str
    interval: float
    labels: dict[str, str]
    alert: bool = False
    pending_seconds: float = 0.0
    keep_firing_seconds: float = 0.0

    def needs(self, other: Rule) -> bool:
        """Whether this reads what the other writes."""
        return not other.alert and other.name in self.expression


def read_rules(files: Iterable[Path], finest: float) -> list[Rule]:
    """Return the rules in an order in which each finds what it reads.

    Args:
        files: of Prometheus' rule format.
        finest: seconds; where a group's interval is shorter, this is taken.
    """
    found = [
        _rule(rule, max(finest, prometheus_seconds(group["interval"])))
        for file in files
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]
    ordered: list[Rule] = []
    while found:
        ready = [rule for rule in found if not any(rule.needs(o) for o in found if o is not rule)]
        if not ready:
            raise ValueError(f"rules read each other in a circle: {[rule.name for rule in found]}")
        ordered += ready
        found = [rule for rule in found if rule not in ready]
    return ordered


def _rule(rule: dict[str, Any], interval: float) -> Rule:
    return Rule(
        name=rule.get("record") or rule["alert"],
        expression=str(rule["expr"]),
        interval=interval,
        labels=rule.get("labels", {}),
        alert="alert" in rule,
        pending_seconds=prometheus_seconds(rule.get("for", "0s")),
        keep_firing_seconds=prometheus_seconds(rule.get("keep_firing_for", "0s")),
    )


class LocalPrometheus:
    """A Prometheus on loopback that scrapes nothing; a context manager."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("prometheus")
        if program is None:
            raise FileNotFoundError("prometheus is missing: apt-get install prometheus")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._folder = folder
        config = folder / "prometheus.yml"
        config.write_text("global: {scrape_interval: 15s}\n")
        self._command = [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
            # One block for all: what is written last may be as old as what was written first.
            "--storage.tsdb.min-block-duration=2d",
            "--storage.tsdb.max-block-duration=2d",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with (self._folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while not self._ready():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"Prometheus doesn't start: see {self._folder}/prometheus.log")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_START_SECONDS)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def write(self, series: Series) -> None:
        """Store samples."""
        items = list(series.items())
        for first in range(0, len(items), _BATCH):
            request = urllib.request.Request(
                f"{self.url}/api/v1/write",
                data=write_request(items[first : first + _BATCH]),
                headers={
                    "Content-Type": "application/x-protobuf",
                    "Content-Encoding": "snappy",
                    "X-Prometheus-Remote-Write-Version": "0.1.0",
                },
            )
            with urllib.request.urlopen(request, timeout=60):
                pass

    def query(self, expression: str, at: float) -> list[dict[str, Any]]:
        """Return an instant query's result; an error carries Prometheus' own words."""
        return self._series("query", query=expression, time=at)

    def query_range(
        self, expression: str, start: float, end: float, step: float
    ) -> list[dict[str, Any]]:
        """Return a range query's result; an error carries Prometheus' own words."""
        return self._series("query_range", query=expression, start=start, end=end, step=step)

    def label_values(self, label: str, selector: str, start: float, end: float) -> list[str]:
        """Return a label's values among the series of a selector."""
        found: list[str] = self._ask(
            f"label/{label}/values",
            **({"match[]": selector} if selector else {}),
            start=start,
            end=end,
        )
        return found

    def _series(self, what: str, **parameters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask(what, **parameters)
        return found

    def _ask(self, what: str, **parameters: Any) -> Any:
        url = f"{self.url}/api/v1/{what}"
        body = urllib.parse.urlencode(parameters)
        request = (
            f"{url}?{body}"
            if what.startswith("label/")
            else urllib.request.Request(url, data=body.encode())
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                data = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            said = json.load(error)["error"]
            raise ValueError(f"{said}, in: {parameters.get('query')}") from error
        return data["result"] if isinstance(data, dict) else data

    def work_out(self, rules: Iterable[Rule], start: float, end: float) -> None:
        """Store what rules would have made of the samples that are there."""
        for rule in rules:
            first = math.ceil(start / rule.interval) * rule.interval
            found = self.query_range(rule.expression, first, end, rule.interval)
            self.write(dict(_written(rule, found, end)))


def _written(
    rule: Rule, found: list[dict[str, Any]], end: float
) -> Iterator[tuple[Labels, list[tuple[float, float]]]]:
    for result in found:
        samples = [(float(at), float(value)) for at, value in result["values"]]
        labels = {name: value for name, value in result["metric"].items() if name != "__name__"}
        labels |= rule.labels
        if rule.alert:
            labels |= {"alertname": rule.name, "alertstate": "firing"}
            samples = [(at, 1.0) for at in firing(rule, [at for at, _ in samples], end)]
        name = "ALERTS" if rule.alert else rule.name
        if samples:
            key = tuple(sorted({**labels, "__name__": name}.items()))
            yield key, with_ends(samples, rule.interval, end)


def firing(rule: Rule, active: list[float], end: float) -> list[float]:
    """Return the moments at which an alert fires, until `end`.

    Args:
        rule: An alert.
        active: The moments at which its expression had a result.
        end: Unix seconds; an alert that is kept firing is kept no longer than that.
    """
    out: list[float] = []
    known = set(active)
    since: float | None = None
    last, fires, at = -math.inf, False, active[0]
    while at <= end:
        if at in known:
            since = at if since is None else since
            last = at
            fires = fires or at - since >= rule.pending_seconds
        else:
            since = None
            fires = fires and at - last <= rule.keep_firing_seconds
        if fires:
            out.append(at)
        at += rule.interval
    return out


def with_ends(
    samples: list[tuple[float, float]], interval: float, end: float
) -> list[tuple[float, float]]:
    """Return samples with a marker wherever they break off, so that they aren't held beyond."""
    out: list[tuple[float, float]] = []
    nexts = [at for at, _ in samples[1:]] + [end + interval]
    for (at, value), following in zip(samples, nexts, strict=True):
        out.append((at, value))
        if following - at > interval * 1.5 and at + interval <= end:
            out.append((at + interval, STALE))
    return out
