"""Tests on the real frameworks, which bring warnings of their own."""

from __future__ import annotations

import contextlib
import importlib
import warnings

import pytest

pytest.register_assert_rewrite("heard_calls")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name in ("pipecat.services.tts_service", "livekit.agents"):
        with contextlib.suppress(ModuleNotFoundError):  # then its tests are skipped
            importlib.import_module(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the frameworks warn: the tests' own rule is that a warning is an error."""
    for item in items:
        if "frameworks" in item.path.parts:
            item.add_marker(pytest.mark.filterwarnings("default"))
