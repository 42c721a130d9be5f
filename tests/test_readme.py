"""The README says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from ai_engine_quality.core.policy import DEFAULT_POLICY

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_every_metric_is_listed_with_its_labels(quality, registry):
    """The README's list of metrics is exactly what a monitor registers, labels included."""
    listed = {
        name: tuple(label.strip() for label in labels.split(",") if label.strip())
        for name, labels in re.findall(
            r"`(ai_agent_\w+)`(?:\s\{([^}]*)\})?", README.split("## What it exposes")[1]
        )
    }
    quality.call_started("1.1", provider="deepgram", pipeline="default")
    quality.call("1.1").turn_response(0.5)
    quality.engine_info(version="1", audio_transport="rtp")
    quality.hook_live("latency", live=True)
    assert listed.keys() == {
        metric.name + ("_total" if metric.type == "counter" else "")
        for metric in registry.collect()
    }
    for metric in registry.collect():
        name = metric.name + ("_total" if metric.type == "counter" else "")
        for sample in metric.samples:
            if not sample.name.endswith("_created"):
                assert set(sample.labels) - {"le"} == set(listed[name])


def test_the_weights_in_the_table_are_those_of_the_policy():
    """Each factor's most points in the README are its weight in the default policy."""
    rows = dict(re.findall(r"^\| ([a-z-]+) \| -(\d+) \|", README, re.MULTILINE))
    assert {
        name.replace("-", "_"): float(points) for name, points in rows.items()
    } == DEFAULT_POLICY.weights


def test_the_bands_in_the_table_are_those_of_the_policy():
    """Each band's lowest score in the README is the default policy's."""
    rows = dict(re.findall(r"^\| (excellent|good|fair|poor) \| (\d+)-", README, re.MULTILINE))
    assert {name: int(lowest) for name, lowest in rows.items()} == DEFAULT_POLICY.bands
