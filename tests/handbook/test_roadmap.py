"""The roadmap's numbers are the validation report's."""

from __future__ import annotations

import re

from pages import ROOT

BASELINES = ("turn response p95", "underflows per call", "barge-in p95", "mean score")


def rows(text):
    """Return the cells of each table row that is about a baseline."""
    cells = ([c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines())
    return [row for row in cells if row and row[0] in BASELINES]


def test_the_baseline_is_that_of_the_report():
    """Each target, and each value of both profiles, stands in the report as it is."""
    report = (ROOT / "docs" / "Validation-Report.md").read_text()
    of_profile = {
        name: {row[0]: (row[1], re.sub(r" \(.*", "", row[2])) for row in rows(part)}
        for name, part in re.findall(
            r"^## Reference engine, profile (\w+)$(.*?)(?=^## |\Z)",
            report,
            re.MULTILINE | re.DOTALL,
        )
    }
    table = rows((ROOT / "docs" / "ROADMAPv4.md").read_text())
    assert len(table) == len(BASELINES)
    for name, target, healthy, measured in table:
        assert of_profile["healthy"][name] == (target, healthy)
        assert of_profile["measured"][name] == (target, measured)
