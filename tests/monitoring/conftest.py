"""The rule files, and the programs that prove them."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def monitoring():
    """Return the folder with the rules, alerts and configurations."""
    return ROOT / "monitoring"
