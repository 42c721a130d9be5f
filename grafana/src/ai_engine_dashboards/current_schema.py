"""The same dashboards in Grafana's current schema: made from the classic model, nothing added.

Grafana 13's own schema, `v2`, is a Kubernetes resource. Panels are named elements, rows hold grids
of references to them, and each query has its data source beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

Json = dict[str, Any]

API_VERSION: Final = "dashboard.grafana.app/v2"
PANEL_VERSION: Final = "13.2.2"
"""Of the panels' options: the version whose types the tests check them by."""

_NEW_OPTIONS: Final[dict[str, Json]] = {
    "gauge": {
        "barShape": "flat",
        "barWidthFactor": 0.5,
        "effects": {},
        "segmentCount": 1,
        "segmentSpacing": 0.3,
        "shape": "gauge",
        "sparkline": False,
    },
    "piechart": {"sort": "desc"},
}
"""What a panel must have since 13; it looks as it did before."""

_GONE_OPTIONS: Final[dict[str, frozenset[str]]] = {"table": frozenset({"footer"})}
"""What a panel can't have any more; a table's footer, which we don't show, is a field's now."""

_CURSOR: Final = ("Off", "Crosshair", "Tooltip")
_REFRESH: Final = ("never", "onDashboardLoad", "onTimeRangeChanged")
_SORT: Final = ("disabled", "alphabeticalAsc", "alphabeticalDesc")
_OF_THE_SOURCE: Final = ("tagKeys", "textFormat", "titleFormat")
"""What an annotation hands on to the Prometheus source, beside its query."""


def resource(classic: Json) -> Json:
    """Return a dashboard of the classic model as a resource of the current schema."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Dashboard",
        "metadata": {"name": classic["uid"]},
        "spec": _spec(classic),
    }


def _spec(classic: Json) -> Json:
    return {
        "title": classic["title"],
        "description": classic["description"],
        "tags": classic["tags"],
        "editable": classic["editable"],
        "cursorSync": _CURSOR[classic["graphTooltip"]],
        "preload": False,
        "liveNow": False,
        "timeSettings": {
            "timezone": classic["timezone"],
            "from": classic["time"]["from"],
            "to": classic["time"]["to"],
            "autoRefresh": classic["refresh"],
            "autoRefreshIntervals": [
                "5s",
                "10s",
                "30s",
                "1m",
                "5m",
                "15m",
                "30m",
                "1h",
                "2h",
                "1d",
            ],
            "hideTimepicker": False,
            "fiscalYearStartMonth": classic["fiscalYearStartMonth"],
        },
        "links": classic["links"],
        "annotations": [_annotation(found) for found in classic["annotations"]["list"]],
        "variables": [_variable(found) for found in classic["templating"]["list"]],
        "elements": {
            _name(panel): _element(panel) for _, panels in _rows(classic) for panel in panels
        },
        "layout": {
            "kind": "RowsLayout",
            "spec": {"rows": [_row(header, panels) for header, panels in _rows(classic)]},
        },
    }


def _rows(classic: Json) -> Iterator[tuple[Json, list[Json]]]:
    """Yield each row's header and its panels, from top to bottom."""
    header: Json | None = None
    inside: list[Json] = []
    for panel in classic["panels"]:
        if panel["type"] != "row":
            inside.append(panel)
            continue
        if header is not None:
            yield header, inside
        header, inside = panel, list(panel.get("panels") or ())
    if header is not None:
        yield header, inside


def _row(header: Json, panels: list[Json]) -> Json:
    return {
        "kind": "RowsLayoutRow",
        "spec": {
            "title": header["title"],
            "collapse": header["collapsed"],
            "layout": {
                "kind": "GridLayout",
                "spec": {"items": [_item(panel, header["gridPos"]["y"] + 1) for panel in panels]},
            },
        },
    }


def _item(panel: Json, top: int) -> Json:
    """A panel's place; in the current schema it counts from the top of its row."""
    place = panel["gridPos"]
    return {
        "kind": "GridLayoutItem",
        "spec": {
            "x": place["x"],
            "y": place["y"] - top,
            "width": place["w"],
            "height": place["h"],
            "element": {"kind": "ElementReference", "name": _name(panel)},
        },
    }


def _name(panel: Json) -> str:
    return f"panel-{panel['id']}"


def _element(panel: Json) -> Json:
    return {
        "kind": "Panel",
        "spec": {
            "id": panel["id"],
            "title": panel["title"],
            "description": panel["description"],
            "links": [],
            "transparent": panel["transparent"],
            "data": {
                "kind": "QueryGroup",
                "spec": {
                    "queries": [_query(target) for target in panel.get("targets", ())],
                    "transformations": [
                        {
                            "kind": "Transformation",
                            "group": found["id"],
                            "spec": {"options": found["options"]},
                        }
                        for found in panel.get("transformations", ())
                    ],
                    "queryOptions": {},
                },
            },
            "vizConfig": {
                "kind": "VizConfig",
                "group": panel["type"],
                "version": PANEL_VERSION,
                "spec": {
                    "options": _options(panel),
                    "fieldConfig": panel.get("fieldConfig") or {"defaults": {}, "overrides": []},
                },
            },
        },
    }


def _options(panel: Json) -> Json:
    gone = _GONE_OPTIONS.get(panel["type"], frozenset())
    kept = {name: value for name, value in panel["options"].items() if name not in gone}
    return {**_NEW_OPTIONS.get(panel["type"], {}), **kept}


def _query(target: Json) -> Json:
    spec = {key: value for key, value in target.items() if key not in ("refId", "datasource")}
    return {
        "kind": "PanelQuery",
        "spec": {"refId": target["refId"], "hidden": False, "query": _asked(target, spec)},
    }


def _asked(of: Json, spec: Json) -> Json:
    """A query, and whom it is put to."""
    source = of["datasource"]
    return {
        "kind": "DataQuery",
        "group": source["type"],
        "version": "v0",
        "datasource": {"name": source["uid"]},
        "spec": spec,
    }


def _annotation(found: Json) -> Json:
    return {
        "kind": "AnnotationQuery",
        "spec": {
            "name": found["name"],
            "enable": found["enable"],
            "hide": found["hide"],
            "iconColor": found["iconColor"],
            "builtIn": False,
            "query": _asked(
                found, {"refId": "Anno", "expr": found["expr"], "interval": found["step"]}
            ),
            "legacyOptions": {key: found[key] for key in _OF_THE_SOURCE},
        },
    }


def _variable(found: Json) -> Json:
    shared: Json = {
        "name": found["name"],
        "label": found["label"],
        "current": found.get("current") or {"text": "", "value": ""},
        "options": [],
        "multi": found["multi"],
        "includeAll": found["includeAll"],
        "hide": "dontHide",
        "skipUrlSync": found["skipUrlSync"],
        "allowCustomValue": found["allowCustomValue"],
        "regex": "",
        **{key: found[key] for key in ("description", "allValue") if key in found},
    }
    if found["type"] == "datasource":
        more = {"pluginId": found["query"], "refresh": _REFRESH[1]}
        return {"kind": "DatasourceVariable", "spec": {**shared, **more}}
    more = {
        "refresh": _REFRESH[found["refresh"]],
        "sort": _SORT[found["sort"]],
        "definition": found["query"]["query"],
        "query": _asked(found, found["query"]),
    }
    return {"kind": "QueryVariable", "spec": {**shared, **more}}
