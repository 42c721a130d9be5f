"""The real engine, with its shipped configuration and only telephony faked.

Outside CI: collected only where ``AI_ENGINE_ROOT`` names a checkout of the engine, whose own
requirements are installed beside this package and what its tests need::

    AI_ENGINE_ROOT=... python -m pytest -p no:asyncio tests/real_engine
"""

from __future__ import annotations

import importlib
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

HERE = Path(__file__).parent

collect_ignore_glob = [] if os.environ.get("AI_ENGINE_ROOT") else ["*"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the engine warn: its deprecations are not ours."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Return the module that makes real engines, with the checkout on the path."""
    scratch = tmp_path_factory.mktemp("engine")
    os.environ.update(
        {
            "ASTERISK_HOST": "127.0.0.1",
            "ASTERISK_ARI_USERNAME": "nobody",
            "ASTERISK_ARI_PASSWORD": "nothing",
            "CALL_HISTORY_ENABLED": "false",
            "CALL_HISTORY_DB_PATH": str(scratch / "calls.db"),
            "AGENTS_DB_PATH": str(scratch / "agents.db"),
            "HEALTH_BIND_PORT": "0",
            "DIAG_ENABLE_TAPS": "false",
            **dict.fromkeys(
                (
                    "DEEPGRAM_API_KEY",
                    "OPENAI_API_KEY",
                    "ELEVENLABS_API_KEY",
                    "XAI_API_KEY",
                    "ELEVENLABS_AGENT_ID",
                    "GOOGLE_API_KEY",
                ),
                "none",
            ),
        }
    )
    root = str(Path(os.environ["AI_ENGINE_ROOT"]).resolve())
    os.chdir(scratch)  # the engine keeps notes in the folder that it runs in
    sys.path.insert(0, root)
    sys.path.insert(0, str(HERE))
    return importlib.import_module("line")


@pytest.fixture
def monitor() -> Iterator[aeq.QualityMonitor]:
    """Return a monitor on a registry of its own, in real time; nothing may have been dropped."""
    registry = CollectorRegistry()
    quality = aeq.QualityMonitor(registry=registry, log=False)
    yield quality
    drops = {
        reason.value: registry.get_sample_value(
            "ai_agent_quality_dropped_total", {"reason": reason.value}
        )
        for reason in aeq.DropReason
    }
    quality.close()
    assert {reason: count for reason, count in drops.items() if count} == {}


_numbers = itertools.count(2_245)


@pytest.fixture
def call_id() -> str:
    """Return a call id of its own: the engine remembers an ended call for 15 minutes."""
    return f"1761532874.{next(_numbers)}"
