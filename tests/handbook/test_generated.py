"""The handbook's generated parts are what the code gives."""

from __future__ import annotations

import pytest
from handbook import monitoring_page
from handbook.__main__ import DOCS, PAGES, page
from handbook.marks import filled, table


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_the_code_gives(name):
    """The committed page is what `make handbook` writes."""
    assert (DOCS / name).read_text() == page(name), "run: make handbook"


def test_every_panel_of_every_dashboard_is_described():
    """Each panel, of collapsed rows too, has its row with all three sentences in the guide."""
    guide = (DOCS / "Monitoring-Guide.md").read_text().splitlines()
    count = 0
    for board in monitoring_page.dashboards():
        for _, panels in monitoring_page.rows_of(board["panels"]):
            for panel in panels:
                count += 1
                (*_, row) = [line for line in guide if line.startswith(f"| {panel['title']} |")]
                assert all(cell.strip() for cell in row.replace("\\|", "").split("|")[1:-1]), row
    assert count > 50


def test_every_alert_is_listed():
    """The guide has each alert, with a link to the runbook."""
    guide = (DOCS / "Monitoring-Guide.md").read_text()
    for rule in monitoring_page.alerts():
        assert f"[{rule['alert']}](Runbook.md#{rule['alert'].lower()})" in guide


class TestMarks:
    def test_text_between_marks_is_replaced_and_the_rest_stays(self):
        """Only what stands between the marks changes, and doing it twice changes nothing more."""
        before = "above\n<!-- a: begin -->\nold\n<!-- a: end -->\nbelow\n"
        once = filled(before, {"a": "new"})
        assert once == "above\n<!-- a: begin -->\nnew\n<!-- a: end -->\nbelow\n"
        assert filled(once, {"a": "new"}) == once

    @pytest.mark.parametrize("parts", [{}, {"a": "x", "b": "y"}, {"b": "y"}])
    def test_marks_and_parts_must_agree(self, parts):
        """A mark without its part, or a part without its mark, is an error that names both."""
        with pytest.raises(ValueError, match=r"marks for \['a'\]"):
            filled("<!-- a: begin -->\n<!-- a: end -->\n", parts)

    def test_a_mark_that_never_ends_is_an_error(self):
        """An opening mark alone doesn't swallow the page."""
        with pytest.raises(ValueError, match="has no <!-- a: end -->"):
            filled("<!-- a: begin -->\nrest\n", {"a": "x"})

    def test_a_cell_can_hold_anything(self):
        """Bars are escaped and line breaks become blanks, so that a table stays a table."""
        assert table(("a", "b"), [("x|y", "one\n\ntwo")]) == (
            "| a | b |\n|---|---|\n| x\\|y | one two |"
        )
