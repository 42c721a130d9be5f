"""Rules, scraping and dashboards as Kubernetes objects, for the Prometheus operator. Pure.

The objects are written as text around the files' own, so that comments stay and nothing is needed
to read YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from ai_engine_quality.stack.exporting import Deployment, ExportError

NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
LABEL_KEY: Final = re.compile(r"([a-z0-9.-]+/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
SIDECAR: Final = ("grafana_dashboard", "1")
"""The label by which Grafana's sidecar finds dashboards."""
SAMPLE_LIMIT: Final = 50_000


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the objects go.

    Raises:
        ExportError: a name or a label can't be used.
    """

    namespace: str = ""
    """Empty: whichever ``kubectl`` is told."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels by which the operator selects, such as ``release: prometheus``."""
    pods: Mapping[str, str] = field(default_factory=lambda: {"app": "ai-engine"})
    """Labels of the engine's pods."""
    port: str = "metrics"
    """The name of the port in the engine's container."""
    interval: str = "1s"

    def __post_init__(self) -> None:
        for name in filter(None, (self.namespace, self.port)):
            if not NAME.fullmatch(name):
                raise ExportError(f"{name!r} is no name in Kubernetes; write a-z, 0-9 and -")
        for key, value in (*self.labels.items(), *self.pods.items()):
            if not LABEL_KEY.fullmatch(key) or not LABEL_VALUE.fullmatch(value):
                raise ExportError(f"{key}={value} is no label in Kubernetes; write name=value")
        if not re.fullmatch(r"\d+(ms|s|m)", self.interval):
            raise ExportError(f"interval {self.interval!r}: write 1s, 15s or 1m")


def _head(kind: str, version: str, name: str, cluster: Cluster, **labels: str) -> str:
    lines = [f"apiVersion: {version}", f"kind: {kind}", "metadata:", f"  name: {name}"]
    if cluster.namespace:
        lines.append(f"  namespace: {cluster.namespace}")
    every = {"app.kubernetes.io/part-of": "ai-engine-quality", **cluster.labels, **labels}
    lines.append("  labels:")
    lines += [f"    {key}: {json.dumps(value)}" for key, value in every.items()]
    return "\n".join(lines) + "\n"


def _indented(text: str, by: int) -> str:
    space = " " * by
    return "".join(space + line if line.strip() else line for line in text.splitlines(True))


def prometheus_rule(file: str, text: str, cluster: Cluster) -> tuple[str, str]:
    """Return the name of an object's file, and the PrometheusRule of a rule file's text."""
    path = PurePosixPath(file)
    name = (
        f"{path.stem}-{path.parent.name}" if path.stem == "ai-engine" else f"ai-engine-{path.stem}"
    )
    comment, _, groups = text.partition("\ngroups:\n")
    head = _head("PrometheusRule", "monitoring.coreos.com/v1", name, cluster)
    return f"{name}.yaml", f"{comment}\n{head}spec:\n  groups:\n{_indented(groups, 2)}"


def pod_monitor(of: Deployment, cluster: Cluster) -> tuple[str, str]:
    """Return the name of its file, and the PodMonitor that scrapes the engine's pods.

    The label ``job`` is set to the first of the jobs that the rules look for: the operator would
    name it after the object.
    """
    head = _head("PodMonitor", "monitoring.coreos.com/v1", "ai-engine", cluster)
    pods = "".join(f"      {key}: {json.dumps(value)}\n" for key, value in cluster.pods.items())
    timeout = "900ms" if cluster.interval == "1s" else cluster.interval
    spec = (
        f"spec:\n  selector:\n    matchLabels:\n{pods}"
        f"  sampleLimit: {SAMPLE_LIMIT}\n"
        "  podMetricsEndpoints:\n"
        f"    - port: {cluster.port}\n      path: /metrics\n"
        f"      interval: {cluster.interval}\n      scrapeTimeout: {timeout}\n"
        "      relabelings:\n"
        f"        - targetLabel: job\n          replacement: {json.dumps(of.jobs[0])}\n"
    )
    return "ai-engine-podmonitor.yaml", head + spec


def config_map(name: str, dashboard: str, cluster: Cluster) -> tuple[str, str]:
    """Return the name of its file, and the ConfigMap of a dashboard's JSON."""
    key, value = SIDECAR
    head = _head("ConfigMap", "v1", f"ai-engine-{name}", cluster, **{key: value})
    body = _indented(dashboard.rstrip("\n") + "\n", 4)
    return f"ai-engine-{name}.yaml", f"{head}data:\n  ai-engine-{name}.json: |\n{body}"
