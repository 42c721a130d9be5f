"""Dashboards as Grafana reads them: their panels in the grid, their variables, their queries.

What Grafana does between a dashboard and its data source is done here: variables and `$__...` are
put in, the step is found from the panel's width, and each query is asked as range or instant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ai_engine_pictures.prometheus import LocalPrometheus
from ai_engine_quality.toolkit import prometheus_seconds

FOLDER: Final = Path(__file__).parent.parent.parent / "dashboards"
GRID_COLUMNS: Final = 24
ALL: Final = "$__all"

Panel = dict[str, Any]

_VARIABLE: Final = re.compile(
    r"\$(?P<short>\w+)|\$\{(?P<long>\w+)(?::(?P<format>\w+))?\}|\[\[(?P<old>\w+)(?::(?P<old_format>\w+))?\]\]"
)
_LABEL_VALUES: Final = re.compile(
    r"^\s*label_values\((?:(?P<selector>.+),)?\s*(?P<label>\w+)\s*\)\s*$", re.DOTALL
)
_QUERY_RESULT: Final = re.compile(r"^\s*query_result\((?P<expr>.+)\)\s*$", re.DOTALL)
_SPECIAL: Final = re.compile(r"([\\^$.|?*+()\[\]{}])")

# The steps that Grafana offers between 20 ms and a day (rangeutil.roundInterval): limit, step.
_ROUND_MS: Final = (
    (15, 10),
    (35, 20),
    (75, 50),
    (150, 100),
    (350, 200),
    (750, 500),
    (1_500, 1_000),
    (3_500, 2_000),
    (7_500, 5_000),
    (12_500, 10_000),
    (17_500, 15_000),
    (25_000, 20_000),
    (45_000, 30_000),
    (90_000, 60_000),
    (210_000, 120_000),
    (450_000, 300_000),
    (750_000, 600_000),
    (1_050_000, 900_000),
    (1_500_000, 1_200_000),
    (2_700_000, 1_800_000),
    (5_400_000, 3_600_000),
    (9_000_000, 7_200_000),
    (16_200_000, 10_800_000),
    (32_400_000, 21_600_000),
    (64_800_000, 43_200_000),
)


@dataclass(frozen=True)
class TimeRange:
    """Unix seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True)
class Variable:
    """A variable's value: `values` are what is chosen; `everything` stands for All."""

    values: tuple[str, ...]
    multi: bool = False
    everything: str | None = None
    text: str = ""

    def interpolated(self, form: str | None) -> str:
        """Return it as a query has it; without a format in the way of Prometheus' data source."""
        if self.everything is not None and form != "text":
            return self.everything
        plain = {
            "raw": ",".join(self.values),
            "csv": ",".join(self.values),
            "pipe": "|".join(self.values),
            "text": self.text or ", ".join(self.values),
            "doublequote": ",".join(json.dumps(value) for value in self.values),
        }
        if form in plain:
            return plain[form]
        escaped = [_SPECIAL.sub(r"\\\1", value) for value in self.values]
        if form is None:
            if not self.multi:
                return "".join(self.values)
            # Within a string of PromQL every backslash is written twice.
            escaped = [value.replace("\\", "\\\\") for value in escaped]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


Variables = Mapping[str, Variable]


def expanded(text: str, variables: Variables) -> str:
    """Return a text with its variables put in; those that nobody knows stay, as in Grafana."""

    def value(found: re.Match[str]) -> str:
        name = found["short"] or found["long"] or found["old"]
        known = variables.get(name)
        return (
            found[0]
            if known is None
            else known.interpolated(found["format"] or found["old_format"])
        )

    return _VARIABLE.sub(value, text)


def rounded_interval(seconds_long: float) -> float:
    """Return the step, in seconds, that Grafana takes for one of this length."""
    milliseconds = seconds_long * 1_000
    if milliseconds < _ROUND_MS[0][0] - 5:
        return max(0.001, milliseconds / 1_000)
    return next((step for limit, step in _ROUND_MS if milliseconds < limit), 86_400_000) / 1_000


def step_of(time: TimeRange, points: int, least: float) -> float:
    """Return the step of a query, in seconds, for a panel that draws so many points."""
    return max(rounded_interval(time.seconds / max(1, points)), least)


def times(time: TimeRange, step: float, scrape_interval: float) -> dict[str, Variable]:
    """Return the variables that Grafana knows by itself."""
    whole = round(time.seconds)
    known = {
        "__interval": f"{step:g}s",
        "__interval_ms": f"{step * 1_000:.0f}",
        "__rate_interval": f"{max(step + scrape_interval, 4 * scrape_interval):g}s",
        "__rate_interval_ms": f"{max(step + scrape_interval, 4 * scrape_interval) * 1_000:.0f}",
        "__range": f"{whole}s",
        "__range_s": str(whole),
        "__range_ms": str(whole * 1_000),
        "__from": f"{time.start * 1_000:.0f}",
        "__to": f"{time.end * 1_000:.0f}",
    }
    return {name: Variable((value,)) for name, value in known.items()}


@dataclass(frozen=True)
class Placed:
    """A panel and where it stands: columns of 24, and rows of Grafana's grid."""

    panel: Panel
    x: int
    y: int
    width: int
    height: int


@dataclass
class Dashboard:
    """A dashboard's JSON, and the values of its variables."""

    model: dict[str, Any]
    variables: dict[str, Variable] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        """Its stable name."""
        return str(self.model["uid"])

    @property
    def lookback(self) -> float:
        """Its own time range, in seconds: `now-3h` is 10,800."""
        return prometheus_seconds(self.model["time"]["from"].removeprefix("now-"))

    def placed(self) -> list[Placed]:
        """Return all panels from top to bottom, those of collapsed rows as if they were open."""
        out: list[Placed] = []
        shift = 0
        for panel in sorted(self.model["panels"], key=lambda found: _corner(found)[::-1]):
            out.append(_placed(panel, shift))
            inside = panel.get("panels") or []
            if panel["type"] != "row" or not inside:
                continue
            top = min(_corner(found)[1] for found in inside)
            below = panel["gridPos"]["y"] + 1
            within = [_placed(found, shift + below - top) for found in inside]
            out += within
            shift = max(found.y + found.height for found in within) - below
        return out

    def titled(self, title: str) -> Panel:
        """Return the panel with a title.

        Raises:
            KeyError: there is none; the message has those that there are.
        """
        panels = [found.panel for found in self.placed() if found.panel["type"] != "row"]
        for panel in panels:
            if panel["title"] == title:
                return panel
        titles = ", ".join(repr(panel["title"]) for panel in panels)
        raise KeyError(f"{self.uid} has no panel {title!r}; it has {titles}")


def _corner(panel: Panel) -> tuple[int, int]:
    return panel["gridPos"].get("x", 0), panel["gridPos"].get("y", 0)


def _placed(panel: Panel, shift: int) -> Placed:
    x, y = _corner(panel)
    return Placed(panel, x, y + shift, panel["gridPos"]["w"], panel["gridPos"]["h"])


def read_dashboards(folder: Path = FOLDER) -> dict[str, Dashboard]:
    """Return the dashboards of a folder by uid."""
    found = (Dashboard(json.loads(path.read_text())) for path in sorted(folder.glob("*.json")))
    return {dashboard.uid: dashboard for dashboard in found}


def choose_variables(
    dashboard: Dashboard, server: LocalPrometheus, time: TimeRange, chosen: Mapping[str, str]
) -> dict[str, Variable]:
    """Return the values of a dashboard's variables: what is chosen, else what Grafana would take.

    That is All where a variable offers it, and its first value where it doesn't.
    """
    values: dict[str, Variable] = {}
    for model in dashboard.model.get("templating", {}).get("list", []):
        name = model["name"]
        if name in chosen:
            values[name] = Variable((chosen[name],), bool(model.get("multi")))
            continue
        options = _options(model, values, server, time)
        values[name] = _default(model, options)
    return values


def _default(model: dict[str, Any], options: list[str]) -> Variable:
    multi = bool(model.get("multi"))
    current = (model.get("current") or {}).get("value")
    if isinstance(current, list):
        current = current[0] if len(current) == 1 else None
    if model.get("includeAll") and current in (None, "", ALL):
        return Variable(tuple(options), multi, model.get("allValue") or None, "All")
    return Variable((current or (options[0] if options else ""),), multi)


def _options(
    model: dict[str, Any], values: Variables, server: LocalPrometheus, time: TimeRange
) -> list[str]:
    kind, query = model["type"], model.get("query", "")
    if kind == "query":
        text = query if isinstance(query, str) else query.get("query", "")
        return _asked(expanded(text, {**values, **times(time, 15, 15)}), model, server, time)
    if kind == "datasource":
        return ["Prometheus"]
    if kind in ("custom", "interval"):
        return [part.strip() for part in query.split(",")]
    return [str(query)]


def _asked(text: str, model: dict[str, Any], server: LocalPrometheus, time: TimeRange) -> list[str]:
    if found := _LABEL_VALUES.match(text):
        names = server.label_values(found["label"], found["selector"] or "", time.start, time.end)
    elif found := _QUERY_RESULT.match(text):
        names = [_as_text(result) for result in server.query(found["expr"], time.end)]
    else:
        raise ValueError(
            f"variable {model['name']}: {text!r} is neither label_values nor query_result"
        )
    if model.get("regex"):
        pattern = re.compile(re.sub(r"\(\?<(\w+)>", r"(?P<\1>", model["regex"].strip("/")))
        matches = (pattern.search(name) for name in names)
        names = [found[1] if found.re.groups else found[0] for found in matches if found]
    return list(dict.fromkeys(names))


def _as_text(result: dict[str, Any]) -> str:
    labels = dict(result["metric"])
    name = labels.pop("__name__", "")
    inside = ",".join(f"{label}={json.dumps(value)}" for label, value in labels.items())
    at, value = result["value"]
    return f"{name}{{{inside}}} {value} {at * 1_000:.0f}"


@dataclass(frozen=True)
class Answer:
    """What the data source said to one query of a panel."""

    ref: str
    expression: str
    form: str
    legend: str
    instant: bool
    step: float
    result: list[dict[str, Any]]


def ask(
    panel: Panel,
    variables: Variables,
    server: LocalPrometheus,
    time: TimeRange,
    *,
    width: int,
    scrape_interval: float,
) -> Iterator[Answer]:
    """Ask a panel's queries. `width` in pixels; it decides how many points are asked for."""
    for target in panel.get("targets", []):
        if target.get("hide") or not target.get("expr"):
            continue
        interval = expanded(target.get("interval") or panel.get("interval") or "", variables)
        least = max(prometheus_seconds(interval.lstrip(">")), scrape_interval)
        step = step_of(time, panel.get("maxDataPoints") or width, least)
        known = {**variables, **times(time, step, least)}
        expression = expanded(target["expr"], known)
        instant = bool(target.get("instant")) and not target.get("range")
        if instant:
            result = server.query(expression, time.end)
        else:
            start = time.start - time.start % step  # as Grafana aligns them
            result = server.query_range(expression, start, time.end, step)
        yield Answer(
            target.get("refId", "A"),
            expression,
            target.get("format", "time_series"),
            expanded(target.get("legendFormat", ""), known),
            instant,
            step,
            result,
        )
