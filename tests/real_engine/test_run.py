"""`run -- python main.py`: the engine's own program, unmodified, with the library attached."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

AS_OCTOBER_MEANT = """\
import asyncio, structlog
import src.config
src.config.logger = structlog.get_logger()  # the name that its own load_config() misses
from src.engine import main
asyncio.run(main())
"""


def test_the_engines_own_program_is_observed_and_stops_as_ever(
    real: ModuleType, tmp_path: Path
) -> None:
    """It starts without an Asterisk, reports that all factors are live, and ends by its handler."""
    root = Path(os.environ["AI_ENGINE_ROOT"]).resolve()
    program = [str(root / "main.py")] if real.TODAY else ["-c", AS_OCTOBER_MEANT]
    log = tmp_path / "engine.log"
    environ = {**os.environ, "PYTHONPATH": str(root), "HEALTH_BIND_PORT": "0"}
    command = [sys.executable, "-m", "ai_engine_quality", "run", "--", sys.executable, *program]
    with (
        log.open("w") as output,
        subprocess.Popen(
            command, cwd=tmp_path, env=environ, stdout=output, stderr=subprocess.STDOUT
        ) as started,
    ):
        try:
            _until(lambda: "quality_attached" in log.read_text(), started)
            time.sleep(1.0)
            started.send_signal(signal.SIGTERM)
            code = started.wait(timeout=60)
        finally:
            started.kill()
    (event,) = [line for line in log.read_text().splitlines() if "quality_attached" in line]
    assert '"missing": {}' in event or "missing={}" in event
    assert code == 0


def _until(true: object, started: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while not true():
        if time.monotonic() > until or started.poll() is not None:
            raise TimeoutError("the engine doesn't get as far as that")
        time.sleep(0.2)
