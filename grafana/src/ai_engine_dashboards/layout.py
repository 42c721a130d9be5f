"""What all dashboards share: variables, links, annotations, and where panels stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.models import dashboard as model

from ai_engine_dashboards import colours
from ai_engine_dashboards.panels import SOURCE, Panel
from ai_engine_dashboards.queries import ENGINES, FLEET

TAG: Final = "ai-engine"
DATA_SOURCE_UID: Final = "ai-engine-prometheus"
"""Of the provisioned data source: grafana/provisioning/datasources."""

ENGINE_JOBS: Final = ".*ai[-_]engine.*"
"""What the scrape jobs of engines are called; prometheus.yml has `ai-engine`."""

ALERT_RULES: Final = Path(__file__).parents[3] / "monitoring" / "alerts" / "ai-engine.yml"

WIDTH: Final = 24


@dataclass(frozen=True)
class Placed:
    """A panel and how much room it takes; the grid is 24 wide, and one high is 30 pixels."""

    panel: Panel
    width: int
    height: int


@dataclass(frozen=True)
class Row:
    """Panels beside and below each other, in order, under a title. Details are collapsed."""

    title: str
    panels: Sequence[Placed]
    collapsed: bool = False


def dashboard(
    uid: str,
    title: str,
    description: str,
    rows: Iterable[Row],
    *,
    variables: Sequence[cog.Builder[model.VariableModel]] = (),
    since: str = "now-1h",
) -> model.Dashboard:
    """A dashboard of ours; `variables` are those that only it has."""
    page = (
        build.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .time(since, "now")
        .refresh("10s")
        .variables([*_variables(), *variables])
        .annotations([_alerts(uid), _restarts()])
        .link(_siblings())
    )
    built = page.build()
    built.panels = _on_grid(rows)
    for variable in built.templating.list_val or ():
        # What only interval variables have, and the SDK gives to all.
        variable.auto = variable.auto_min = variable.auto_count = None
    return built


def _variables() -> list[cog.Builder[model.VariableModel]]:
    return [
        build.DatasourceVariable("datasource")
        .label("Data source")
        .type("prometheus")
        .current(model.VariableOption(text="Prometheus", value=DATA_SOURCE_UID, selected=True))
        .multi(False),
        _choice("job", "Job", f'label_values(up{{job=~"{ENGINE_JOBS}"}}, job)', ENGINE_JOBS),
        _choice("instance", "Engine", 'label_values(up{job=~"$job"}, instance)', ".+"),
        _choice(
            "provider",
            "Provider",
            f"label_values(ai_agent_calls_started_total{{{ENGINES}}}, provider)",
            ".+",
        ),
    ]


def _choice(name: str, label: str, query: str, everything: str) -> build.QueryVariable:
    """A variable of label values: several, or all."""
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(
            {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
        )
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(everything)
        .current(model.VariableOption(text="All", value="$__all", selected=True))
    )


class _PrometheusAnnotation(model.AnnotationQuery):
    """With what Grafana's Prometheus source reads of an annotation, which the SDK doesn't know."""

    title_format: str = ""
    text_format: str = ""
    tag_keys: str = ""
    step: str = ""

    def to_json(self) -> dict[str, object]:
        """As Grafana has it."""
        return {
            **super().to_json(),
            "titleFormat": self.title_format,
            "textFormat": self.text_format,
            "tagKeys": self.tag_keys,
            "step": self.step,
        }


@dataclass(frozen=True)
class _Annotation(cog.Builder[model.AnnotationQuery]):
    name: str
    expr: str
    colour: str
    title: str
    text: str
    tags: str

    def build(self) -> model.AnnotationQuery:
        """Build the annotation."""
        built = _PrometheusAnnotation(
            name=self.name, datasource=SOURCE, enable=True, icon_color=self.colour, expr=self.expr
        )
        built.title_format = self.title
        built.text_format = self.text
        built.tag_keys = self.tags
        built.step = "15s"
        return built


ALERTS: Final = f'ALERTS{{alertstate="firing", alertname!="Watchdog", {FLEET}}}'
"""The alerts that fire; the Watchdog always does."""

RESTARTS: Final = f"""changes(process_start_time_seconds{{{ENGINES}}}[1m]) > 0
or
(up{{{ENGINES}}} == 1 and min_over_time(up{{{ENGINES}}}[1m]) == 0)"""
"""Engines that began anew, or came back, within a minute."""


def _alerts(uid: str) -> _Annotation:
    """One mark for each alert that leads to this dashboard, however many series it fires for.

    Where none leads, it marks the critical ones. System Overview lists all, with where they fire.
    """
    leading = leading_to(uid)
    chosen = f'alertname=~"{"|".join(leading)}"' if leading else 'severity="critical"'
    firing = ALERTS.replace('alertname!="Watchdog"', chosen)
    return _Annotation(
        name="Alerts firing",
        expr=f"max by (alertname, severity) ({firing})",
        colour=colours.ALERT_MARK,
        title="{{alertname}}",
        text="{{severity}}",
        tags="severity",
    )


def leading_to(uid: str) -> list[str]:
    """Return the alerts whose notifications link to a dashboard, the Watchdog left out."""
    text = yaml.safe_load(ALERT_RULES.read_text())
    alerts = [rule for group in text["groups"] for rule in group["rules"] if "alert" in rule]
    linked = re.compile(rf"/d/{re.escape(uid)}\b(?!-)")
    return sorted(
        {rule["alert"] for rule in alerts if linked.search(rule["annotations"]["dashboard_url"])}
        - {"Watchdog"}
    )


def _restarts() -> _Annotation:
    return _Annotation(
        name="Engine restarts",
        expr=RESTARTS,
        colour=colours.RESTART_MARK,
        title="Engine restarted",
        text="{{instance}}",
        tags="job",
    )


def _siblings() -> build.DashboardLink:
    """The other dashboards, with the same time and variables."""
    return (
        build.DashboardLink("AI engine dashboards")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .keep_time(True)
        .include_vars(True)
        .target_blank(False)
        .icon("external link")
    )


def _on_grid(rows: Iterable[Row]) -> list[model.Panel | model.RowPanel]:
    """Give every panel its place and number."""
    out: list[model.Panel | model.RowPanel] = []
    ids = iter(range(1, 1_000))
    y = 0
    for row in rows:
        header = build.Row(row.title).id(next(ids)).build()
        header.grid_pos = model.GridPos(x=0, y=y, w=WIDTH, h=1)
        header.collapsed = row.collapsed
        out.append(header)
        panels, below = _row_panels(row, y + 1, ids)
        if row.collapsed:
            header.panels = panels
            y += 1
        else:
            out.extend(panels)
            y = below
    return out


def _row_panels(row: Row, top: int, ids: Iterable[int]) -> tuple[list[model.Panel], int]:
    built, x, y, tallest = [], 0, top, 0
    for placed, number in zip(row.panels, ids, strict=False):
        if x + placed.width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        panel = placed.panel.build()
        panel.id_val = number
        panel.grid_pos = model.GridPos(x=x, y=y, w=placed.width, h=placed.height)
        built.append(panel)
        x += placed.width
        tallest = max(tallest, placed.height)
    return built, y + tallest
