"""The inventory on a registry, and a ledger through which one call moves it.

A mechanism says what it did in one call (`ledger.set("streaming_active", 1)`). What that does to a
gauge without a call id is the inventory's business: the sum of the calls, the largest of them, or
the last that was written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.metrics import MetricWrapperBase

from ai_engine_lab.engine.inventory import Generation, Metric, inventory

_Series = tuple[str, tuple[str, ...]]
_KINDS: Final[Mapping[str, type[MetricWrapperBase]]] = {
    "counter": Counter,
    "gauge": Gauge,
    "histogram": Histogram,
    "info": Info,
}


class MetricStore:
    """All metrics of one generation on one registry."""

    def __init__(self, registry: CollectorRegistry, generation: Generation) -> None:
        self.generation = generation
        self.metrics = {metric.name: metric for metric in inventory(generation)}
        self.families = {
            metric.name: _registered(metric, generation, registry)
            for metric in self.metrics.values()
        }
        self._registry = registry
        self._per_call: defaultdict[_Series, dict[str, float]] = defaultdict(dict)
        self._children: dict[_Series, Any] = {}

    def ledger(self, call_id: str) -> CallLedger:
        """A way to move the metrics for one call."""
        return CallLedger(self, call_id)

    def close(self) -> None:
        """Take the metrics off the registry."""
        while self.families:
            self._registry.unregister(self.families.popitem()[1])

    def set_for_all(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge that belongs to no call; a generation without it is left alone."""
        if name in self.metrics:
            self.child(name, labels).set(value)

    def child(self, name: str, labels: tuple[str, ...]) -> Any:
        """The series of a metric with these label values; they are kept, as they are hot."""
        series = (name, labels)
        child = self._children.get(series)
        if child is None:
            family = self.families[name]
            child = self._children[series] = family.labels(*labels) if labels else family
        return child

    def contribute(
        self, metric: Metric, labels: tuple[str, ...], call_id: str, value: float
    ) -> None:
        """One call's part in a gauge of all calls."""
        if metric.over_calls != "last":
            calls = self._per_call[(metric.name, labels)]
            calls[call_id] = value
            value = sum(calls.values()) if metric.over_calls == "sum" else max(calls.values())
        self.child(metric.name, labels).set(value)

    def withdraw(self, call_id: str) -> None:
        """Take one call's part out of every gauge of all calls."""
        for (name, labels), calls in self._per_call.items():
            if calls.pop(call_id, None) is not None:
                whole = sum if self.metrics[name].over_calls == "sum" else max
                self.child(name, labels).set(whole(calls.values()) if calls else 0)

    def forget(self, name: str, labels: tuple[str, ...], *, remove: bool) -> None:
        """Drop a kept series; with `remove`, from the exposition too."""
        self._children.pop((name, labels), None)
        if remove:
            self.families[name].remove(*labels)


class CallLedger:
    """How one call moves the metrics. Names that its generation lacks are left alone."""

    def __init__(self, store: MetricStore, call_id: str) -> None:
        self._store = store
        self._call_id = call_id
        self._own: set[_Series] = set()

    def add(self, name: str, amount: float = 1, *labels: str) -> None:
        """Count."""
        if name in self._store.metrics:
            self._child(name, labels).inc(amount)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Put a value into a histogram."""
        if name in self._store.metrics:
            self._child(name, labels).observe(value)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set this call's part of a gauge."""
        metric = self._store.metrics.get(name)
        if metric is None:
            return
        if metric.has_call_id(self._store.generation):
            self._child(name, labels).set(value)
        else:
            self._store.contribute(metric, labels, self._call_id, value)

    def describe(self, name: str, facts: Mapping[str, str]) -> None:
        """Set the facts of an info metric."""
        if name in self._store.metrics:
            self._child(name, ()).info(dict(facts))

    def close(self) -> None:
        """The call is over: what stands for all calls forgets it; its own series mostly stay."""
        self._store.withdraw(self._call_id)
        for name, labels in self._own:
            self._store.forget(name, labels, remove=self._store.metrics[name].removed_at_end)
        self._own.clear()

    def _child(self, name: str, labels: tuple[str, ...]) -> Any:
        if self._store.metrics[name].has_call_id(self._store.generation):
            labels = (self._call_id, *labels)
            self._own.add((name, labels))
        return self._store.child(name, labels)


def _registered(
    metric: Metric, generation: Generation, registry: CollectorRegistry
) -> MetricWrapperBase:
    more: dict[str, Any] = {"buckets": metric.buckets} if metric.buckets else {}
    return _KINDS[metric.kind](
        metric.exposed_name.removesuffix("_info"),
        metric.text,
        metric.labels_in(generation),
        registry=registry,
        **more,
    )
