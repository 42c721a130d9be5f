"""What the library costs the engine is counted by the thread's clock, less what readings take."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import clocks
import own_time
import pytest
from click.testing import CliRunner


def spend(seconds: float) -> None:
    """Use the processor for so long, by this thread's own clock."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@pytest.fixture
def own() -> Any:
    """Return clocks that are taken back."""
    found = clocks.OwnTime()
    yield found
    clocks.gc.callbacks.remove(found._on_collection)


def test_an_unknown_call_is_refused_with_the_command_that_lists_them(tmp_path: Path) -> None:
    """The names are listed by another command, which is named whole."""
    arguments = ["--ava-root", str(tmp_path), "--call", "no-such-call"]
    result = CliRunner().invoke(own_time.main, arguments)
    assert result.exit_code == 2
    assert "`python -m ai_engine_lab.real_calls --ava-root DIR --list`" in result.output


def test_empty_readings_are_taken_off_and_notes_count_twice() -> None:
    """Of notes every second one is measured, and of other parts each."""
    parts = {
        "the timer": (0.010, 4),
        "empty: the timer": (0.002, 2),
        "looking into notes": (0.020, 3),
        own_time.NOTE: (0.005, 1_000),
        f"empty: {own_time.NOTE}": (0.002, 1_000),
    }
    rows, readings = own_time.shares({"parts": parts})
    assert rows == [
        ("looking into notes", 0.020, 3),
        ("the timer", pytest.approx(0.006), 4),
        (own_time.NOTE, pytest.approx(0.006), 2_000),
    ]
    assert readings == pytest.approx(0.008)


def test_time_within_is_counted_once_and_that_of_other_threads_never(own: Any) -> None:
    """What the timer brings about is the timer's; who renders in a thread isn't in the way."""
    inner = own.around("inner", spend)
    outer = own.around("outer", inner)
    outer(0.02)
    thread = threading.Thread(target=outer, args=(0.02,))
    thread.start()
    thread.join()
    assert set(own.parts) - {"empty: outer"} == {"outer"}
    seconds, times = own.parts["outer"]
    assert times == 1
    assert seconds >= 0.02


def test_a_noted_method_is_called_once_whether_it_is_measured_or_not(own: Any) -> None:
    """Its own time isn't the library's, and each call is noted."""
    noted, called = [], []

    def make(original: Any) -> Any:
        return lambda *args: (noted.append(args), original(*args))

    async def method(frame: int) -> int:
        called.append(frame)
        spend(0.001)
        return frame

    timed = own.around_notes(method, make)
    assert [asyncio.run(timed(frame)) for frame in range(40)] == list(range(40))
    assert called == list(range(40))
    assert noted == [(frame,) for frame in range(40)]
    measured, empty = own.parts[clocks.NOTE], own.parts[f"empty: {clocks.NOTE}"]
    assert measured[1] + empty[1] == 40
    assert measured[0] < 0.020  # of 0.04 s that the method used


def test_what_was_counted_is_written_for_who_started_the_engine(own: Any, tmp_path: Path) -> None:
    """As a whole, so that no half of it is read."""
    own.add(clocks.NOTE, 0.5, 3)
    own.write(tmp_path / "found.json", 2.0)
    (path,) = tmp_path.iterdir()
    assert json.loads(path.read_text()) == {"thread": 2.0, "parts": {clocks.NOTE: [0.5, 3]}}
