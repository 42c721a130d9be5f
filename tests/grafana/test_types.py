"""The dashboards' JSON by Grafana's own types: the model, and every panel's options.

Both models: the classic one by the types of Grafana 11.6, the current one by those of 13.

`@grafana/schema` describes both; TypeScript's compiler compares. Its object literals may have no
property that the type doesn't know, so a misspelt option is found as well as a wrong value.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess

import pytest
from boards import CURRENT, DASHBOARDS, ROOT, panels
from debian import cannot_run

pytestmark = pytest.mark.system("nodejs", "npm")

TYPES = ROOT / "grafana" / "types"
KINDS = {
    "bargauge": "BarGauge",
    "gauge": "Gauge",
    "heatmap": "Heatmap",
    "piechart": "PieChart",
    "stat": "Stat",
    "state-timeline": "StateTimeline",
    "table": "Table",
    "text": "Text",
    "timeseries": "TimeSeries",
}
"""A panel's type, and the name of its options' module."""

WITH_FIELD_CONFIG = {"heatmap", "piechart", "state-timeline", "timeseries"}
"""Those whose fields have options of their own."""

PROMETHEUS_ANNOTATION = ("expr", "titleFormat", "textFormat", "tagKeys", "step")
"""What Grafana's Prometheus source reads of an annotation, and the schema leaves to it."""


def typescript(dashboards):
    """Return a program that compiles if the dashboards are what Grafana says they are."""
    lines = [
        "import type { Dashboard } from '@grafana/schema';",
        "import type { Json } from '../json';",
    ]
    for kind, module in KINDS.items():
        folder = kind.replace("-", "")
        lines.append(
            f"import type * as {module} from "
            f"'@panels/{folder}/panelcfg/x/{module}PanelCfg_types.gen';"
        )
    for number, dashboard in enumerate(dashboards):
        lines.append(_constant(f"dashboard{number}", "Dashboard", _of_the_schema(dashboard)))
        for panel in panels(dashboard):
            name = f"panel{number}_{panel['id']}"
            module = KINDS[panel["type"]]
            lines.append(_constant(f"{name}_options", f"{module}.Options", panel["options"]))
            if panel["type"] in WITH_FIELD_CONFIG:
                custom = panel["fieldConfig"]["defaults"].get("custom", {})
                lines.append(_constant(f"{name}_fields", f"{module}.FieldConfig", custom))
    return "\n".join(lines) + "\n"


def current_typescript(resources):
    """Return the same of dashboards in the current schema."""
    lines = [
        "import type { Metadata } from '@current/schema/dashboard/v2/dashboard_object_gen';",
        "import type { Spec } from '@current/schema/dashboard/v2/types.spec.gen';",
        "import type { Json } from '../json';",
    ]
    for kind, module in KINDS.items():
        folder = f"@current/raw/composable/{kind.replace('-', '')}/panelcfg/x/types.gen"
        lines.append(f"import type * as {module} from '{folder}';")
    for number, resource in enumerate(resources):
        metadata = {"namespace": "default", **resource["metadata"]}
        lines.append(_constant(f"metadata{number}", "Metadata", metadata))
        lines.append(_constant(f"dashboard{number}", "Spec", resource["spec"]))
        for element in resource["spec"]["elements"].values():
            viz = element["spec"]["vizConfig"]
            name = f"panel{number}_{element['spec']['id']}"
            options = viz["spec"]["options"]
            lines.append(_constant(name, f"{KINDS[viz['group']]}.Options", options))
    return "\n".join(lines) + "\n"


def _constant(name, kind, value):
    return f"export const {name}: Json<{kind}> = {json.dumps(value)};"


def _of_the_schema(dashboard):
    out = copy.deepcopy(dashboard)
    for annotation in out["annotations"]["list"]:
        for key in PROMETHEUS_ANNOTATION:
            del annotation[key]
    return out


@pytest.fixture(scope="module")
def compiled():
    """Return a function that compiles dashboards, and returns what the compiler complains of."""
    if not (TYPES / "node_modules" / "grafana-schema-13").exists():
        done = subprocess.run(
            ["npm", "ci", "--prefix", str(TYPES)],  # noqa: S607 - from PATH
            capture_output=True,
            check=False,
        )
        if done.returncode:
            cannot_run(f"npm can't fetch Grafana's types: {done.stderr[-300:]!r}")

    def compile_(*dashboards, program=typescript):
        build = TYPES / "build"
        build.mkdir(exist_ok=True)
        (build / "dashboards.ts").write_text(program(dashboards))
        done = subprocess.run(
            ["node", "node_modules/typescript/bin/tsc", "--project", "."],  # noqa: S607 - from PATH
            cwd=TYPES,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    return compile_


def test_every_dashboard_and_every_panels_options_have_grafanas_types(compiled):
    """TypeScript finds nothing to complain of in any of the six."""
    assert compiled(*DASHBOARDS.values()) == ""


def test_the_same_dashboards_have_the_types_of_the_current_schema(compiled):
    """Nor in any of the six as Grafana 13 has them."""
    assert compiled(*CURRENT.values(), program=current_typescript) == ""


def test_what_is_wrong_in_the_current_schema_is_found(compiled):
    """So that the test before means something: one mistake each, one error each at least."""
    spoilt = [copy.deepcopy(CURRENT["system-overview"]) for _ in range(4)]
    specs = [resource["spec"] for resource in spoilt]
    specs[0]["cursorSync"] = 1
    specs[1]["layout"]["spec"]["rows"][0]["kind"] = "Row"
    _first_element(specs[2], "stat")["vizConfig"]["spec"]["options"]["colorMode"] = "loud"
    _first_element(specs[3], "stat")["data"]["spec"]["queries"][0]["spec"]["ref"] = "A"
    lines = current_typescript(spoilt).splitlines()
    said = compiled(*spoilt, program=current_typescript)
    errors = re.findall(r"dashboards\.ts\((\d+),\d+\): error", said)
    of = {re.match(r"export const [a-z]+(\d+)", lines[int(number) - 1])[1] for number in errors}
    assert of == {"0", "1", "2", "3"}


def _first_element(spec, kind):
    found = (element["spec"] for element in spec["elements"].values())
    return next(panel for panel in found if panel["vizConfig"]["group"] == kind)


SPOILT = (
    lambda d: d.update(graphTooltip=7),
    lambda d: d.update(titel="x"),
    lambda d: _first(d, "stat")["options"].update(colorMode="loud"),
    lambda d: _first(d, "timeseries")["options"]["legend"].update(placement="left"),
    lambda d: _first(d, "timeseries")["options"].update(legent={}),
    lambda d: _defaults(d, "timeseries")["custom"].update(lineWidth="2"),
    lambda d: _defaults(d, "stat")["color"].update(mode=3),
)
"""A wrong cursor, an unknown property, wrong values, an unknown option: one mistake each."""


def test_what_is_wrong_is_found(compiled):
    """So that the test before means something: each kind of mistake is an error of the compiler."""
    dashboards = [copy.deepcopy(DASHBOARDS["system-overview"]) for _ in SPOILT]
    for spoil, dashboard in zip(SPOILT, dashboards, strict=True):
        spoil(dashboard)
    lines = typescript(dashboards).splitlines()
    errors = re.findall(r"dashboards\.ts\((\d+),\d+\): error", compiled(*dashboards))
    of = {re.match(r"export const [a-z]+(\d+)", lines[int(number) - 1])[1] for number in errors}
    assert of == {str(number) for number in range(len(SPOILT))}


def _first(dashboard, kind):
    return next(panel for panel in panels(dashboard) if panel["type"] == kind)


def _defaults(dashboard, kind):
    return _first(dashboard, kind)["fieldConfig"]["defaults"]


def test_the_lock_file_names_no_registry():
    """So that it installs from whichever registry a machine has."""
    assert "resolved" not in (TYPES / "package-lock.json").read_text()
