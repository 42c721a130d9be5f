"""Every metric and label that a rule reads exists, in the library or in the engine."""

from __future__ import annotations

import re

import pytest
from ai_engine_lab.engine.inventory import GENERATIONS, inventory
from prometheus_client import CollectorRegistry
from rule_files import expressions, rules

import ai_engine_quality as aeq
from ai_engine_quality.doctor.expected import ENGINE, LIBRARY, PER_CALL

NAME = re.compile(r"\b(ai_agent_\w+)\b(?!:)")
MATCHER = re.compile(r"\b(\w+)(?:\{([^}]*)\})")
PROMETHEUS_OWN = {"up", "scrape_samples_scraped"}
TARGET_LABELS = {"job", "instance"}
SUFFIX = re.compile(r"_(total|bucket|count|sum)$")


@pytest.fixture(scope="module")
def library():
    """Return {family: labels} of the library, as a call makes it expose them."""
    registry = CollectorRegistry()
    costs = {"deepgram": aeq.CallCost(0.01, "USD")}
    monitor = aeq.QualityMonitor(registry=registry, log=False, costs=costs)
    monitor.add_hook(lambda score: score.nothing_of_that_name)  # so that a failure is counted
    monitor.call_started("1.1", provider="deepgram", pipeline="default")
    monitor.call_ended("1.1", duration=60.0, failed=True)
    monitor.hook_live("latency", live=True)
    monitor.engine_info(version="6", audio_transport="rtp")
    shown = {}
    for family in registry.collect():
        labels = frozenset().union(*(sample.labels for sample in family.samples)) - {"le"}
        shown[family.name] = labels
    monitor.close()
    return shown


@pytest.fixture(scope="module")
def known(library):
    """Return {family: labels} of the library and both generations of the engine."""
    shown = dict(library)
    for generation in GENERATIONS:
        for metric in inventory(generation):
            name = f"ai_agent_{metric.name}".removesuffix("_total")
            shown[name] = shown.get(name, frozenset()) | set(metric.labels_in(generation))
    return shown


def read_names(expression):
    """Return the raw metrics that an expression reads; recorded ones have colons."""
    without_recorded = re.sub(r"\w+:[\w:]+", "", expression)
    return set(NAME.findall(without_recorded))


def test_every_metric_in_the_rules_exists(known):
    """No rule reads a metric that neither the library nor any engine has."""
    read = set().union(*map(read_names, expressions()))
    unknown = {name for name in read if name not in known and SUFFIX.sub("", name) not in known}
    assert len(read) > 20
    assert unknown == set()


def test_every_recorded_series_that_is_read_is_recorded():
    """No rule reads a recorded name that no rule records."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    read = set(re.findall(r"\b\w+:\w+:\w+\b", "\n".join(expressions())))
    assert read - recorded == set()


def test_every_label_that_a_rule_selects_by_exists(known):
    """In braces stand labels that the metric has, of one generation at least."""
    for expression in expressions():
        for name, inside in MATCHER.findall(expression):
            if name not in known and SUFFIX.sub("", name) not in known:
                continue
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside))
            has = known.get(name, known.get(SUFFIX.sub("", name)))
            assert labels - has - TARGET_LABELS - {"le"} == set(), expression


def test_the_doctor_expects_what_the_library_exposes(library):
    """The doctor's list of the library's metrics is complete, and has the right labels."""
    assert set(LIBRARY) == set(library)
    for name, labels in LIBRARY.items():
        if library.get(name):
            assert library[name] == labels, name


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_doctor_expects_what_both_generations_have(generation):
    """What the doctor asks of an engine, both generations have, with these labels."""
    has = {
        f"ai_agent_{metric.name}".removesuffix("_total"): set(metric.labels_in(generation))
        for metric in inventory(generation)
    }
    for name, labels in ENGINE.items():
        assert has[name] - PER_CALL == labels, name
