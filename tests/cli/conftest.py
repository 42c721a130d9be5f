"""A record file with known calls, and a runner of commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_quality.cli import cli


@pytest.fixture
def run() -> Callable[..., Result]:
    """Return a function that runs a command as a shell would, and gives its result."""

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Return a record file with a perfect call, a slow one and one that can't be scored."""
    path = tmp_path / "calls.jsonl"
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, records=path)
    for call_id, latencies in (("100.1", [0.4] * 20), ("100.2", [0.8, 0.9, 2.6]), ("100.3", [])):
        quality.call_started(call_id, provider="deepgram")
        call = quality.call(call_id)
        for seconds in latencies:
            call.turn_response(seconds)
        if latencies:
            call.frames_sent(1_000)
        call.call_ended(duration=60.0)
    quality.close()
    return path
