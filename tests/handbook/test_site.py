"""The handbook as a site: it builds without a warning, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from pages import PAGES, ROOT


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the site as `make docs` does, and return its folder and what was said."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    return folder, done


def test_it_builds_without_warnings(built):
    """Strict, with anchors and pages that the navigation forgets as warnings: there is none."""
    _, done = built
    assert (done.returncode, "WARNING" in done.stderr) == (0, False), done.stderr


def test_every_page_is_in_it(built):
    """Each page of the documents has its page, and the README is the first."""
    folder, _ = built
    there = {path.name for path in folder.glob("*.html")}
    wanted = {f"{path.stem}.html" for path in PAGES if path.stem != "README"} | {"index.html"}
    assert wanted - there == set()


def test_reading_it_loads_nothing_from_elsewhere(built):
    """No page asks another host for a script, a style, a font or a picture."""
    folder, _ = built
    for path in folder.glob("*.html"):
        text = path.read_text()
        loaded = re.findall(r"<(?:script|img)[^>]+src=\"(https?:[^\"]+)", text)
        loaded += re.findall(r"<link[^>]+href=\"(https?:[^\"]+)", text)
        assert loaded == [], path.name
