"""What is exported for Kubernetes, by the Prometheus operator's own schemas.

Outside CI: collected only where ``PROMETHEUS_OPERATOR_CRDS`` names a folder with the operator's
``monitoring.coreos.com_prometheusrules.yaml`` and ``monitoring.coreos.com_podmonitors.yaml``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator


def closed(schema):
    """Return a schema that refuses unknown fields, as a strict API server does."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(part) for key, part in schema.items()}
    if "properties" in found and "additionalProperties" not in found:
        found["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        found.pop("anyOf", None)
    return found


@pytest.fixture(scope="module")
def validators():
    """Return, by kind, what the operator's custom resource definitions accept."""
    found = {}
    for path in Path(os.environ["PROMETHEUS_OPERATOR_CRDS"]).glob("*.yaml"):
        definition = yaml.safe_load(path.read_text())
        if definition.get("kind") != "CustomResourceDefinition":
            continue
        for version in definition["spec"]["versions"]:
            schema = closed(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            found[definition["spec"]["names"]["kind"]] = Draft202012Validator(schema)
    assert {"PrometheusRule", "PodMonitor"} <= found.keys()
    return found


def test_every_object_is_accepted(run, tmp_path, validators):
    """Each PrometheusRule and the PodMonitor meet their schema, and no field is unknown."""
    options = ("--namespace", "voice", "--label", "release=prometheus", "--job", "voice")
    assert run("export-rules", tmp_path, "--kubernetes", *options).exit_code == 0
    objects = [yaml.safe_load(path.read_text()) for path in tmp_path.glob("*.yaml")]
    assert sorted(found["kind"] for found in objects) == ["PodMonitor", *["PrometheusRule"] * 3]
    for found in objects:
        errors = list(validators[found["kind"]].iter_errors(found))
        assert [
            f"{'/'.join(map(str, error.path))}: {error.message[:200]}" for error in errors
        ] == []


def test_an_unknown_field_is_refused(run, tmp_path, validators):
    """So that the test before means something."""
    assert run("export-rules", tmp_path, "--kubernetes").exit_code == 0
    found = yaml.safe_load((tmp_path / "ai-engine-podmonitor.yaml").read_text())
    found["spec"]["podMetricsEndpoints"][0]["scrape_interval"] = "1s"
    assert not validators["PodMonitor"].is_valid(found)
