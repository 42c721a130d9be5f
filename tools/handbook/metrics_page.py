"""The tables of docs/Metrics.md, from a registry with a call on it and the engine's inventory."""

from __future__ import annotations

from ai_engine_lab.engine.inventory import Metric as EngineMetric
from ai_engine_lab.engine.inventory import inventory
from prometheus_client import CollectorRegistry, Metric
from structlog.testing import CapturingLogger

import ai_engine_quality as aeq
from ai_engine_quality.toolkit import FIXES
from handbook.marks import table

HEADER = ("metric", "type", "labels", "what it says")


def parts() -> dict[str, str]:
    """Return the page's generated parts, by their marks."""
    return {"library": _library(), "engine": _engine(), "reasons": _reasons()}


def library_metrics() -> list[Metric]:
    """Return what a monitor exposes once it has seen a call with everything."""
    registry = CollectorRegistry()
    monitor = aeq.QualityMonitor(
        registry=registry,
        log=False,
        logger=CapturingLogger(),  # the hook below fails on purpose
        costs={"deepgram": aeq.CallCost(0.01, "USD")},
    )

    def broken(_: aeq.CallScore) -> None:
        raise ValueError

    monitor.add_hook(broken)
    monitor.call_started("1.1", provider="deepgram", pipeline="default")
    monitor.turn_stage("1.1", "llm", 0.4)
    monitor.call_ended("1.1", duration=60.0, failed=True)
    monitor.hook_live("latency", live=True)
    monitor.engine_info(version="6", audio_transport="rtp")
    metrics = list(registry.collect())
    monitor.close()
    return metrics


def _library() -> str:
    return table(HEADER, sorted(map(_library_row, library_metrics())))


def _library_row(metric: Metric) -> tuple[str, str, str, str]:
    name = metric.name + ("_total" if metric.type == "counter" else "")
    labels: list[str] = []
    buckets: list[str] = []
    for sample in metric.samples:
        labels += [label for label in sample.labels if label not in (*labels, "le")]
        if (edge := sample.labels.get("le")) and edge not in buckets:
            buckets.append(edge)
    return _row(name, metric.type, tuple(labels), metric.documentation, buckets)


def _row(
    name: str, kind: str, labels: tuple[str, ...], text: str, buckets: list[str]
) -> tuple[str, str, str, str]:
    edges = ", ".join(f"{float(edge):g}" for edge in buckets if edge != "+Inf")
    said = f"{text.rstrip('.')}. Buckets: {edges}." if edges else f"{text.rstrip('.')}."
    return f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), said


def _engine() -> str:
    rows = [
        (
            *_row(m.exposed_name, m.kind, m.labels, m.text, [str(e) for e in m.buckets or ()]),
            _then(m),
        )
        for m in inventory("2026-08")
    ]
    return table((*HEADER, "in October 2025"), rows)


def _then(metric: EngineMetric) -> str:
    if metric.since != "2025-10":
        return "not there"
    return "also by `call_id`" if metric.has_call_id("2025-10") else "the same"


def _reasons() -> str:
    rows = [(f"`{reason.value}`", FIXES[reason]) for reason in aeq.DropReason]
    return table(("reason", "what it is, and what to do"), rows)
