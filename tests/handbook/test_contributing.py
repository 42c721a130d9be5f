"""CONTRIBUTING.md: its tables have every folder and module, and its paths exist."""

from __future__ import annotations

import re

import pytest
from pages import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize("folder", ["ai_engine_quality", "lab/ai_engine_lab"])
def test_each_part_has_a_row(folder):
    """The table of a package has its folders and public modules, each once, and nothing else."""
    table = re.search(rf"^\| in `{folder}/` \|.*\n((?:\|.*\n)+)", TEXT, re.MULTILINE)[1]
    rows = re.findall(r"^\| `([\w./]+)` \|", table, re.MULTILINE)
    there = {
        path.name + "/" if path.is_dir() else path.name
        for path in (ROOT / folder).iterdir()
        if not path.name.startswith(("_", ".")) and path.name != "py.typed"
    }
    assert sorted(rows) == sorted(there)


def test_the_rows_stand_in_the_order_that_the_linter_proves():
    """A row's folder imports only from rows above it: the linter's layers, upside down."""
    contracts = (ROOT / "pyproject.toml").read_text()
    layers = re.search(r'layers = \[\n((?:  "ai_engine_quality\..*\n)+)', contracts)[1]
    proved = re.findall(r"ai_engine_quality\.(\w+)", layers)
    rows = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", TEXT, re.MULTILINE)
    rank = {
        name: number
        for number, line in enumerate(reversed(layers.splitlines()))
        for name in re.findall(r"ai_engine_quality\.(\w+)", line)
    }
    ranks = [rank[name] for name in rows[: rows.index("cli") + 1] if name in rank]
    assert len(ranks) == len(proved)
    assert ranks == sorted(ranks)


def test_its_paths_exist():
    """What looks like a path is one: from the root, or in a package of the two."""
    named = set(re.findall(r"`([\w.-]+(?:/[\w.-]+)*/?)`", TEXT))
    paths = {name for name in named if "/" in name or name.endswith((".py", ".toml", ".lock"))}
    bases = ("", "ai_engine_quality", "ai_engine_quality/core", "lab/ai_engine_lab")
    bases += ("lab/ai_engine_lab/basics", "grafana/src/ai_engine_dashboards")
    assert len(paths) > 30
    assert [
        name
        for name in sorted(paths - {"monitoring/tests/NAME.yml"})
        if not any((ROOT / base / name).exists() for base in bases)
    ] == []
