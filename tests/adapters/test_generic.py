"""What attaches to an engine knows no engine: each engine's names are its own adapter's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ai_engine_quality import adapters
from ai_engine_quality.adapters import launch, watched
from ai_engine_quality.adapters.ava import methods
from ai_engine_quality.adapters.watched import WatchedEngine

FOLDER = Path(adapters.__file__).parent
GENERIC = sorted([*FOLDER.glob("*.py"), *FOLDER.glob("autoattach/*.py")])

ENGINES = (
    WatchedEngine("first_adapter", "cars", "Engine", ("cylinders",)),
    WatchedEngine("second_adapter", "ships", "Turbine", ()),
)

ADAPTER = """\
def attach(engine):
    print(__name__, type(engine).__name__)
"""


@pytest.mark.parametrize("path", GENERIC, ids=lambda path: path.name)
def test_no_name_of_an_engine_stands_in_what_is_generic(path: Path) -> None:
    """Wraps, taps, timer, launch, autoattach and report hold none of its classes or methods."""
    names = {each.name for each in vars(methods).values() if isinstance(each, methods.EngineMethod)}
    names |= {part for engine in launch.ENGINES for part in (engine.module, *engine.parts)}
    assert len(names) > 10
    assert names & set(re.findall(r"[\w.]+", path.read_text())) == set()


def test_whatever_engine_stands_in_the_table_is_attached_by_its_own_adapter(tmp_path: Path) -> None:
    """Several engines may be watched; each object with the engine's parts is attached once."""
    (tmp_path / "cars.py").write_text(
        "class Engine:\n    def __init__(self, *cylinders):\n        if cylinders:\n"
        "            self.cylinders = cylinders\n"
    )
    (tmp_path / "ships.py").write_text("class Turbine:\n    def __init__(self): ...\n")
    for engine in ENGINES:
        (tmp_path / f"{engine.adapter}.py").write_text(ADAPTER)
    program = """\
import ships, cars
cars.Engine(), cars.Engine(1, 2), ships.Turbine()
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
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
    assert done.stdout.splitlines() == ["first_adapter Engine", "second_adapter Turbine"]
    assert done.stderr == ""
