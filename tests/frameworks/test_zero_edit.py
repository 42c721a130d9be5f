"""Programs of the real frameworks that know nothing of the library, and are scored all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ai_engine_quality.adapters.pipecat import setup_file

SHOW = """
import time
from prometheus_client import REGISTRY, generate_latest

def show():
    while "ai_agent_calls_ended_total" not in generate_latest().decode():
        time.sleep(0.05)
    text = generate_latest().decode()
    while 'ai_agent_call_quality_score{' not in text:
        time.sleep(0.05)
        text = generate_latest().decode()
    print([line for line in text.splitlines() if line.startswith("ai_agent_call_quality_score{")])
"""

PIPECAT = (
    SHOW
    + """
import asyncio
from pipecat_line import make_worker, place
from scripted import Caller, Turn

async def main():
    caller = Caller([Turn()])
    await place(make_worker(caller, conversation_id="the-call"), caller)

asyncio.run(main())
show()
"""
)

LIVEKIT = (
    SHOW
    + """
import asyncio, multiprocessing
from livekit_line import make_session, place
from scripted import Caller, Turn

def job():
    async def main():
        caller = Caller([Turn()])
        await place(make_session(), caller)
    asyncio.run(main())

if __name__ == "__main__":
    process = multiprocessing.get_context("METHOD").Process(target=job)
    process.start()
    process.join()
    show()
"""
)

RUN = (sys.executable, "-m", "ai_engine_quality", "run", "--")
needs_pipecat = pytest.mark.skipif(not find_spec("pipecat"), reason="Pipecat isn't installed")
needs_livekit = pytest.mark.skipif(not find_spec("livekit"), reason="LiveKit isn't installed")


def run(tmp_path: Path, program: str, *before: str, **variables: str) -> str:
    """Run a program of a framework's, and return what it says of scores."""
    path = tmp_path / "agent.py"
    path.write_text(program)
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [*before, sys.executable, str(path)],
        env={**os.environ, "PYTHONPATH": here, "AI_ENGINE_QUALITY_LOG": "false", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@needs_pipecat
def test_pipecat_by_its_setup_files(tmp_path: Path) -> None:
    """One variable, and the call's score is on the process' registry by its id."""
    said = run(tmp_path, PIPECAT, PIPECAT_SETUP_FILES=setup_file.__file__)
    assert 'call_id="the-call"' in said


@needs_pipecat
def test_pipecat_by_run(tmp_path: Path) -> None:
    """The same by ``run --``, as with any engine."""
    assert 'call_id="the-call"' in run(tmp_path, PIPECAT, *RUN)


@needs_livekit
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_livekit_in_a_job_s_process(tmp_path: Path, method: str) -> None:
    """The call is in a process of its own, and its score on the parent's registry."""
    said = run(tmp_path, LIVEKIT.replace("METHOD", method), *RUN)
    assert said.count("call_id=") == 1
