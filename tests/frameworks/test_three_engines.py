"""The same scripted calls get the same scores on three engines, and those of what was heard."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

AVA_ROOT = os.environ.get("AVA_ROOT", "")

pytestmark = pytest.mark.skipif(
    not AVA_ROOT or not find_spec("pipecat") or not find_spec("livekit"),
    reason="AVA_ROOT names no tree of the AVA engine, or a framework isn't installed",
)


def test_three_engines_agree(tmp_path: Path) -> None:
    """Scores are within five points of each other, and each of what the caller heard.

    Of the slow turn each engine tells the cause.
    """
    from three_engines import misses, place_everywhere, table  # noqa: PLC0415  # needs all of them

    outcomes = place_everywhere(Path(AVA_ROOT), tmp_path)
    assert len(outcomes) == 6
    assert misses(outcomes) == [], table(outcomes)
    assert {one.cause.split(",")[0] for one in outcomes if one.call == "faulty"} == {"llm"}
