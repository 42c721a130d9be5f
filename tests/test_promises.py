"""The suite itself: each test says what it promises."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FILES = sorted(TESTS.rglob("test_*.py"))


def promises(source):
    """Return the name of each test in a module, and its docstring's first paragraph."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tests = [node for node in ast.walk(ast.parse(source)) if isinstance(node, functions)]
    return {
        test.name: (ast.get_docstring(test) or "").split("\n\n")[0]
        for test in tests
        if test.name.startswith("test_")
    }


def without_a_promise(source):
    """Return the names of a module's tests whose docstring does not begin with a sentence."""
    return [
        name
        for name, text in promises(source).items()
        if len(text.split()) < 3 or not text.endswith((".", "!", "?"))
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_every_test_says_what_it_promises(path):
    """Every test function and method has a docstring that begins with its promise."""
    assert without_a_promise(path.read_text()) == []


def test_the_suite_is_found():
    """This file and those in folders are among the files that are looked at."""
    assert Path(__file__) in FILES
    assert TESTS / "properties" / "test_scoring_properties.py" in FILES


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('def test_a():\n    """It does what it says."""', []),
        ("def test_a(): ...", ["test_a"]),
        ('class TestA:\n    def test_b(self):\n        """Short."""', ["test_b"]),
        ('async def test_c():\n    """no sentence at all"""', ["test_c"]),
        ("def helper(): ...", []),
    ],
)
def test_a_test_without_a_promise_is_found(source, found):
    """A test without a docstring, or with one that is no sentence, is named."""
    assert without_a_promise(source) == found
