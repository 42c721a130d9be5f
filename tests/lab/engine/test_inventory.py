"""The inventory: names, types, labels and buckets are the real engine's, in both generations."""

import json
from pathlib import Path

import pytest
from ai_engine_lab.engine import GENERATIONS
from ai_engine_lab.engine.engine_metrics import EngineMetrics
from ai_engine_lab.engine.inventory import DEFAULT_BUCKETS, inventory
from prometheus_client import CollectorRegistry

FACTS = Path(__file__).parent / "metric_facts"
SHARED = Path(__file__).parents[4] / "shared" / "engine"
COUNTS = {"2026-08": 59, "2025-10": 46}


def facts(generation):
    return json.loads((FACTS / f"{generation}.json").read_text())


def declared(metric, generation):
    """Return a metric in the form of the facts; labels in no order of importance."""
    buckets = "default" if metric.buckets == DEFAULT_BUCKETS else metric.buckets
    return {
        "name": metric.exposed_name,
        "type": metric.kind,
        "labels": sorted(metric.labels_in(generation)),
        "buckets": list(buckets) if isinstance(buckets, tuple) else buckets,
    }


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_inventory_is_the_real_engines(generation):
    """Each metric has the name, type, labels and buckets of the facts, and there is no other."""
    mine = {metric.exposed_name: declared(metric, generation) for metric in inventory(generation)}
    real = {fact["name"]: {**fact, "labels": sorted(fact["labels"])} for fact in facts(generation)}
    assert mine == real
    assert len(mine) == COUNTS[generation]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_committed_facts_are_the_shared_ones(generation):
    """Where the facts as they were gathered are beside the checkout, the copy is the same."""
    source = SHARED / f"metrics-{generation}.json"
    gathered = json.loads(source.read_text()) if source.exists() else facts(generation)
    assert facts(generation) == gathered


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_registry_has_what_the_inventory_says(generation):
    """Prometheus objects have the declared type, labels and buckets, and leave with `close`."""
    registry = CollectorRegistry()
    metrics = EngineMetrics(registry, generation)
    described = {family.name: family.type for family in registry.collect()}
    for metric in inventory(generation):
        name = metric.exposed_name.removesuffix("_total").removesuffix("_info")
        assert described[name] == metric.kind
        family = metrics._store.families[metric.name]
        assert family._labelnames == metric.labels_in(generation)
        if metric.buckets is not None:
            assert tuple(family._kwargs["buckets"]) == metric.buckets
    assert len(described) == COUNTS[generation]
    metrics.close()
    assert list(registry.collect()) == []


def test_every_metric_is_declared_once():
    """One declaration serves both generations: the newest has every metric of the oldest."""
    newest, oldest = inventory("2026-08"), inventory("2025-10")
    assert len({metric.name for metric in newest}) == len(newest)
    assert set(oldest) < set(newest)


def test_a_generation_that_never_was_is_refused():
    """A wrong generation is an error that names the right ones."""
    with pytest.raises(ValueError, match="choose one of 2025-10, 2026-08"):
        inventory("2024-01")
