"""Engines that are made in processes which the program starts, one for each call."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ai_engine_quality.adapters import launch, watched
from ai_engine_quality.adapters.watched import WatchedEngine

pytestmark = pytest.mark.slow

ENGINES = (
    WatchedEngine("ship_adapter", "ships", "Turbine", (), in_children=True),
    WatchedEngine("car_adapter", "cars", "Engine", ()),
)

ADAPTER = """\
import os, sys
print("imported before the engine is made:", "made" not in vars(sys), flush=True)
def attach(engine):
    print("attached in", "a child" if os.environ.get("CHILD") else "the parent", flush=True)
"""

PROGRAM = """\
import multiprocessing, os, sys
import ships

def job():
    os.environ["CHILD"] = "1"
    sys.made = True
    ships.Turbine()

if __name__ == "__main__":
    multiprocessing.get_context("METHOD").Process(target=job).start()
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_it_is_attached_in_the_child(tmp_path: Path, method: str) -> None:
    """However the program starts its jobs, each engine in one is attached, and nothing is said."""
    (tmp_path / "ships.py").write_text("class Turbine:\n    def __init__(self): ...\n")
    (tmp_path / "ship_adapter.py").write_text(ADAPTER)
    (tmp_path / "program.py").write_text(PROGRAM.replace("METHOD", method))
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([launch.FOLDER, str(tmp_path)]),
            watched.VARIABLE: watched.encode(ENGINES),
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    said = done.stdout.splitlines()
    assert said.count("attached in a child") == 1
    assert set(said) == {"attached in a child", "imported before the engine is made: True"}
    assert done.stderr == ""
