"""The handbook as a site: it builds without a warning, and loads nothing from elsewhere."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys

import pytest
from pages import PAGES, ROOT

import ai_engine_quality as aeq
from ai_engine_quality import cli, toolkit
from ai_engine_quality.cli import IN_THE_LAB, OWN


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


@pytest.fixture(scope="module")
def text(built):
    """Return the API's page as HTML, without what belongs to the theme."""
    folder, _ = built
    return (folder / "API.html").read_text().partition("<article")[2].partition("</article>")[0]


def members(text, name):
    """Return what the API's page has of a class."""
    return set(re.findall(rf'id="ai_engine_quality\.{name}\.(\w+)"', text))


class TestTheApiReference:
    @pytest.mark.parametrize("package", [aeq, toolkit, cli])
    def test_every_public_name_is_there(self, text, package):
        """Each name of ``__all__`` has its anchor on the page, or stands there as code."""
        for name in package.__all__:
            anchor = f'id="{package.__name__}.{name}"'
            assert anchor in text or f"<code>{name}</code>" in text, name

    def test_a_call_has_what_its_engine_reports_and_nothing_of_the_monitors(self, text):
        """A handle has the observations that the monitor takes by id, and no other method."""
        by_id = {
            name
            for name, method in inspect.getmembers(aeq.QualityMonitor, inspect.isfunction)
            if name[0] != "_" and list(inspect.signature(method).parameters)[1:2] == ["call_id"]
        } - {"call", "call_started"}
        assert members(text, "CallHandle") == by_id | {"live"}
        assert by_id <= members(text, "QualityMonitor")

    def test_what_is_for_the_librarys_own_modules_is_left_out(self, text):
        """And each name that the page leaves out is there to be left out."""
        page = (ROOT / "docs" / "API.md").read_text()
        left_out = re.findall(
            r"^::: ai_engine_quality\.(\w+)\n.*\n.*'!\^\(([\w|]+)\)", page, re.MULTILINE
        )
        assert {"CallHandle", "QualityMonitor"} <= {name for name, _ in left_out}
        for name, hidden in left_out:
            there = {*dir(getattr(aeq, name)), *getattr(getattr(aeq, name), "__slots__", ())}
            assert set(hidden.split("|")) <= there, name
            assert not set(hidden.split("|")) & members(text, name), name

    def test_every_command_is_there(self, text):
        """Each command of the command line is named, the lab's too."""
        for name in [*OWN, *IN_THE_LAB]:
            assert f"ai-engine-quality {name}" in text

    def test_every_docstring_is_understood(self, text):
        """No section's heading and no role of another dialect is left as plain text."""
        without = re.sub(r'<span class="doc-section-title">[^<]*</span>', "", text)
        plain = re.sub(r"<[^>]+>", "", without)
        assert (
            re.findall(
                r"^\s*(?:Args|Returns|Raises|Yields|Example|Attributes):.*", plain, re.MULTILINE
            )
            == []
        )
        assert re.findall(r":(?:class|meth|func|mod|data|attr|exc):\W*\w+", plain) == []

    def test_what_a_function_raises_is_told(self, text):
        """Of each public function, each exception that its docstring names is in a table."""
        for name in ("load_settings", "QualityMonitor.add_hook", "Policy.load", "attach"):
            part = text.partition(f'id="ai_engine_quality.{name}"')[2].partition("<h4")[0]
            assert "Raises:" in part, name
