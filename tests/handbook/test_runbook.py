"""The runbook: a section for each alert, whole, and true of the dashboards and the rules."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from handbook import monitoring_page
from pages import PAGES, ROOT, named, page

from ai_engine_quality import DEFAULT_POLICY

ALERTS = sorted({rule["alert"] for rule in monitoring_page.alerts()})
PARTS = ("Meaning", "Impact", "Diagnosis", "Fix", "Verification", "Prevention")
BOARDS = {board["title"]: board for board in monitoring_page.dashboards()}
_ON = re.compile(
    rf"((?:\*[^*\n]+(?:\n[^*\n]+)?\*(?:,? \(?(?:and|or) |, |\))*\s?)+)(?:on\s+)({'|'.join(BOARDS)})"
)


def panels(board):
    """Return the titles of a dashboard's panels, those of collapsed rows too."""
    return {p["title"] for _, inside in monitoring_page.rows_of(board["panels"]) for p in inside}


@pytest.mark.parametrize("rule", monitoring_page.alerts(), ids=lambda rule: rule["alert"])
def test_every_runbook_url_leads_to_its_alerts_section(rule):
    """The file of the URL exists, and its anchor is the heading with the alert's name."""
    path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    found = page(ROOT / path)
    assert anchor in found.anchors
    assert found.headings[found.anchors.index(anchor)] == rule["alert"]


@pytest.mark.parametrize("alert", ALERTS)
def test_every_section_is_whole(alert):
    """Meaning, impact, diagnosis, fix, verification, prevention, in this order, each with text."""
    text = named("Runbook.md").section(alert)
    assert tuple(re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE)) == PARTS
    bodies = re.split(r"^\*\*\w+\.\*\*", text, flags=re.MULTILINE)[1:]
    assert all(len(body.split()) >= 3 for body in bodies)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_diagnosis_has_a_command_or_a_panel(alert):
    """Nobody is told to look without being told where."""
    diagnosis = named("Runbook.md").section(alert).split("**Diagnosis.**")[1].split("**Fix.**")[0]
    assert "$ " in diagnosis or _ON.search(diagnosis)


def test_calls_failing_knows_every_rule_that_loses_a_call():
    """Each ceiling of 20 or less is in the query of its section, and in what to do about it."""
    lowest = {
        part.name: min((step[1] for step in value), default=100)
        if isinstance(value := getattr(DEFAULT_POLICY.ceilings, part.name), tuple)
        else value
        for part in fields(DEFAULT_POLICY.ceilings)
    }
    losing = {rule for rule, ceiling in lowest.items() if ceiling <= 20}
    text = named("Runbook.md").section("CallsFailing")
    (query,) = re.findall(r'ceilings_total\{rule=~"([^"]+)"', text)
    assert set(query.split("|")) == losing
    fix = text.split("**Fix.**")[1].split("**Verification.**")[0]
    assert losing <= set(re.findall(r"`(\w+)`", fix))


def test_the_page_of_dashboards_has_every_alert_that_leads_there():
    """Each row of its table names the alerts whose link goes to that dashboard, and no others."""
    rows = re.findall(
        r"^\| \[([^]]+)\]\(img/[^|]+\|[^|]+\|([^|]+)\|$",
        named("Dashboards.md").path.read_text(),
        re.MULTILINE,
    )
    said = {title: set(re.findall(r"[A-Z]\w+", alerts)) for title, alerts in rows}
    leading = {title: set() for title in BOARDS}
    for rule in monitoring_page.alerts():
        uid = rule["annotations"]["dashboard_url"].partition("/d/")[2].partition("?")[0]
        (title,) = (title for title, board in BOARDS.items() if board["uid"] == uid)
        leading[title].add(rule["alert"])
    assert {title: names for title, names in said.items() if leading[title]} == {
        title: names for title, names in leading.items() if names
    }


def test_there_is_no_section_for_an_alert_that_is_gone():
    """Headings of the third level are the alerts, and no others."""
    text = (ROOT / "docs" / "Runbook.md").read_text()
    assert sorted(re.findall(r"^### (.+)$", text, re.MULTILINE)) == ALERTS


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_panel_that_is_named_is_there(path):
    """Where a page says *Panel* on Dashboard, that dashboard has a panel of that title."""
    missing = [
        (title, board)
        for titles, board in _ON.findall(path.read_text())
        for title in (" ".join(t.split()) for t in re.findall(r"\*([^*]+)\*", titles))
        if title not in panels(BOARDS[board])
    ]
    assert missing == []


def test_panels_that_are_named_are_found():
    """The check sees single panels, lists of them, and names that are broken over two lines."""
    found = _ON.findall((ROOT / "docs" / "Runbook.md").read_text())
    titles = {" ".join(t.split()) for names, _ in found for t in re.findall(r"\*([^*]+)\*", names)}
    assert {"Jitter buffer dry", "Underflow rate", "Providers side by side"} <= titles
    assert len(found) > 50
