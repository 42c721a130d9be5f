"""Samples of an engine's process are the library's or the engine's, by the innermost code."""

from __future__ import annotations

import pytest
from ai_engine_lab.real_calls.samples import count, main
from click.testing import CliRunner

LOOP = "<module> (main.py:7);Handle._run (asyncio/events.py:80)"
ENGINE = "Engine.audio (src/engine.py:10)"
WRAP = "noted (ai_engine_quality/adapters/wraps.py:5)"
LEVELS = "rms (/venv/site-packages/ai_engine_quality/live/audio.py:9);dot (numpy/core.py:1)"
RAW = f"""\
{LOOP};{ENGINE} 90
{LOOP};{ENGINE};{WRAP} 4
{LOOP};{WRAP};{ENGINE} 6
{ENGINE};{LEVELS} 6
_bootstrap (threading.py:1);run (concurrent/futures/thread.py:83) 4
"""


def test_a_sample_belongs_to_the_innermost_code() -> None:
    """The engine's method within a wrap is the engine's; numpy below our code is ours."""
    samples = count(RAW.splitlines())
    assert (samples.total, samples.library) == (110, 10)
    assert samples.share == 0.1
    assert samples.modules == {
        "ai_engine_quality/live/audio.py": 6,
        "ai_engine_quality/adapters/wraps.py": 4,
    }


def test_it_is_printed_in_words(tmp_path) -> None:
    """The share, and where it is spent."""
    path = tmp_path / "samples.txt"
    path.write_text(RAW)
    said = CliRunner().invoke(main, [str(path)]).output
    assert "10 of 110 samples are the library's: it adds 10.0 %" in said
    assert "60.0 %  ai_engine_quality/live/audio.py" in said


@pytest.mark.parametrize("text", ["", "a picture, and no samples\n"])
def test_another_file_is_refused_with_the_fix(tmp_path, text) -> None:
    """py-spy draws a picture unless it is told otherwise."""
    path = tmp_path / "samples.svg"
    path.write_text(text)
    done = CliRunner().invoke(main, [str(path)])
    assert done.exit_code == 1
    assert "--format raw" in done.output
