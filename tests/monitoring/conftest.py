"""The rule files, and the programs that prove them: without one its tests fail, they never skip."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

# The helpers of this folder are scripts too (`python tests/monitoring/measure_alerts.py`), so they
# import each other by name, here as there.
sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).parent.parent.parent
DEBIAN = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "victoria-metrics": "victoria-metrics",
}


@pytest.fixture(scope="session")
def program():
    """Return a function from a program's name to its path."""

    def find(name):
        found = shutil.which(name)
        if found is None:
            pytest.fail(
                f"{name} is missing: apt-get install -y --no-install-recommends {DEBIAN[name]}"
            )
        return found

    return find


@pytest.fixture(scope="session")
def monitoring():
    """Return the folder with the rules, alerts and configurations."""
    return ROOT / "monitoring"
