"""The examples run, and are as short as they promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "plain_asyncio_engine.py"


def test_the_explicit_api_takes_less_than_sixty_lines() -> None:
    """A whole engine with every report that it makes; its call is scored."""
    assert len(EXAMPLE.read_text().splitlines()) < 60
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("100, excellent")
