"""The README says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

import ai_engine_quality as aeq
from ai_engine_quality.core.policy import DEFAULT_POLICY

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
FIRST_SCREEN = README.split("\n## ")[0]


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


def test_the_number_of_alerts_is_that_of_the_rules():
    """However often the README or the roadmap says how many alerts there are, it is how many."""
    rules = yaml.safe_load((ROOT / "monitoring" / "alerts" / "ai-engine.yml").read_text())
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    assert set(re.findall(r"(\d+) alerts", README)) == {str(len(names))}
    roadmap = (ROOT / "docs" / "ROADMAPv4.md").read_text()
    assert f"the 10 alerts and {len(names) - 10} beyond" in roadmap
    assert f"| 10 alert rules | {len(names)} |" in roadmap


def test_the_explanation_on_the_first_screen_is_the_librarys():
    """The example is what a call with these turns is told."""
    summary = aeq.CallSummary(
        call_id="1",
        duration=62.0,
        turn_latencies=(0.7, 0.9, 4.1, 0.6, 0.8),
        frames_sent=950,
        underflows=0,
    )
    said = " ".join(line.strip() for line in FIRST_SCREEN.splitlines())
    assert aeq.score(summary).explain() in said


def test_the_first_screen_has_a_command_a_picture_and_no_word_that_must_be_explained():
    """What it is, for whom, the first command and one picture; words of our own come later."""
    assert FIRST_SCREEN.count("![") == 1
    assert "    make demo" in FIRST_SCREEN
    own = "underflow filler episode coverage ceiling knee fallback codec rms scorer pacer"
    assert [word for word in own.split() if re.search(rf"\b{word}", FIRST_SCREEN)] == []


def test_the_glossary_has_each_word_once_and_in_order():
    """Words stand in the alphabet's order; every factor and band is explained."""
    glossary = (ROOT / "docs" / "Glossary.md").read_text()
    words = re.findall(r"^\* \*\*(.+?)\*\* - ", glossary.split("## All words")[1], re.MULTILINE)
    assert words == sorted(set(words), key=str.lower)
    for name in DEFAULT_POLICY.weights:
        assert f"`{name}`" in glossary
    for band in aeq.Band:
        assert band.value in glossary
