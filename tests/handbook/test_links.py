"""Every link within the project leads somewhere."""

from __future__ import annotations

import pytest
from pages import PAGES, ROOT, named, page


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_resolves(path):
    """Each relative link's file exists, and has the heading that the link's anchor names."""
    broken = []
    for link in page(path).links:
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        there = target.is_file() and target.is_relative_to(ROOT)
        if not there or (anchor and anchor not in page(target).anchors):
            broken.append(link)
    assert broken == []


def test_links_and_anchors_are_found():
    """The check sees links in tables, pictures, and headings with code in them."""
    assert "Runbook.md#highunderflowrate" in named("Monitoring-Guide.md").links
    assert "1-no-edit-run" in named("Integration.md").anchors
    assert len(PAGES) > 10


def test_no_page_is_forgotten():
    """Each page of docs/ is reached by links from the README."""
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        path = todo.pop()
        reached.add(path)
        targets = {(path.parent / link.partition("#")[0]).resolve() for link in page(path).links}
        todo += [found for found in targets & set(PAGES) if found not in reached]
    assert set(PAGES) - reached == set()
