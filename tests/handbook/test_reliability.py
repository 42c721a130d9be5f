"""docs/Reliability.md: each promise has a test, and that test is there."""

from __future__ import annotations

import ast
import re

import pytest
from pages import ROOT

TEXT = (ROOT / "docs" / "Reliability.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)+)`", TEXT)))


def names_in(path):
    """Return the names of a file's tests, as pytest has them."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}::{part.name}" for part in node.body if hasattr(part, "name")}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return names


@pytest.mark.parametrize("name", NAMED)
def test_every_test_that_is_named_is_there(name):
    """The file has a test of that name, in that class."""
    path, _, test = name.partition("::")
    assert test in names_in(ROOT / path)


def test_every_row_names_a_test():
    """No promise stands there without one."""
    rows = [line for line in TEXT.splitlines() if re.match(r"\| (?!-)", line)]
    promises = [row for row in rows if not row.rstrip().endswith("| test |")]
    tables = TEXT.split("## Every Python")[0]
    assert len(NAMED) > 35
    assert [row for row in promises if row in tables and "`tests/" not in row] == []
