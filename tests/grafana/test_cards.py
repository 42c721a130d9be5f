"""The diagnosis cards in docs/Dashboards.md: short, and of panels that really show it."""

from __future__ import annotations

import re

import pytest
from boards import DASHBOARDS, ROOT, panel
from panel_moves import MOVES
from rule_files import alerts

TEXT = (ROOT / "docs" / "Dashboards.md").read_text()
TITLES = {dashboard["title"]: name for name, dashboard in DASHBOARDS.items()}
CARDS = dict(re.findall(r"^### (.+?)\n(.*?)(?=^##)", TEXT, re.MULTILINE | re.DOTALL))


def test_the_six_cards_are_there():
    """One for each of the faults that operators meet."""
    assert set(CARDS) == {
        "Slow provider",
        "Jitter",
        "Fallbacks",
        "Codec",
        "Late barge-in",
        "Dead engine",
    }


@pytest.mark.parametrize("title", CARDS)
def test_a_card_has_at_most_three_steps_and_a_picture(title):
    """Three steps or fewer, each on a panel that exists, and its own picture."""
    card = CARDS[title]
    steps = re.findall(r"^\d\. \*{1,2}(.+?)\*{1,2} on \*(.+?)\*:", card, re.MULTILINE)
    assert len(steps) == len(re.findall(r"^\d\. ", card, re.MULTILINE)) <= 3
    for name, dashboard in steps:
        assert panel(TITLES[dashboard], name)
    assert f"img/card-{title.lower().replace(' ', '-')}.png" in card


@pytest.mark.parametrize("title", CARDS)
def test_each_bold_step_is_a_panel_that_moves_with_the_fault(title):
    """The live tests hold that panel against a healthy engine's."""
    card = CARDS[title]
    (fault,) = re.findall(r"Fault: `(\w+)`", card)
    moved = {where.split("/", 1)[1] for name, where, *_ in MOVES if name == fault}
    bold = re.findall(r"^\d\. \*\*(.+?)\*\* on", card, re.MULTILINE)
    assert len(bold) >= 2
    for name in bold:
        assert any(where == name or where.startswith(f"{name}/") for where in moved), name


@pytest.mark.parametrize("title", CARDS)
def test_a_card_begins_with_alerts_that_exist(title):
    """The alerts that a card names are in the rules."""
    named = re.findall(r"[A-Z][a-z]+(?:[A-Z][a-z]+)+", CARDS[title].split("Fault:")[0])
    assert named
    assert set(named) <= {alert["alert"] for alert in alerts()}


def test_every_alert_with_a_link_stands_in_the_table_of_its_dashboard():
    """The document names under each dashboard the alerts that lead there."""
    for alert in alerts():
        uid = re.search(r"/d/ai-engine-([a-z-]+)", alert["annotations"]["dashboard_url"])[1]
        (row,) = [line for line in TEXT.splitlines() if f"img/{uid}.png" in line]
        if alert["alert"] not in ("Watchdog", "EngineTargetMissing"):
            assert alert["alert"] in row, alert["alert"]
