"""Doubles of both generations of the engine, with an attachment to each."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog

import ai_engine_quality as aeq
from ai_engine_quality.adapters import Attachment, attach

HERE = Path(__file__).parent
CALL = "1761532874.2245"


def load(name: str) -> ModuleType:
    """Return one of the modules beside this one, as a module of its own."""
    module_name = f"tests_adapters_{name}"
    if module_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(module_name, HERE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[module_name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[module_name]


@pytest.fixture(params=["engine_2026", "engine_2025"])
def generation(request: pytest.FixtureRequest) -> ModuleType:
    """Return the doubles of each generation in turn."""
    return load(request.param)


@pytest.fixture
def today() -> ModuleType:
    """Return the doubles of today's engine."""
    return load("engine_2026")


@pytest.fixture
def october() -> ModuleType:
    """Return the doubles of the engine of October 2025."""
    return load("engine_2025")


class Double:
    """A double engine that is observed, and what became of its calls."""

    def __init__(self, engine: Any, attachment: Attachment) -> None:
        self.engine = engine
        self.attachment = attachment
        self.monitor = attachment.monitor
        self.observer = attachment._observer
        self.context = self.observer.context
        self.scores: list[aeq.CallScore] = []
        self.monitor.add_hook(self.scores.append)

    async def call(self, call_id: str = CALL, **fields: Any) -> Any:
        """Begin a call."""
        session = self.engine.session_class(call_id, call_id, **fields)
        await self.engine._save_session(session, new=True)
        return session

    def stream(self, call_id: str = CALL, **fields: Any) -> dict[str, Any]:
        """Begin a stream of a call's."""
        info = {
            "stream_id": f"stream:{len(self.scores)}", "playback_type": "streaming-response",
            "frames_sent": 0, "underflow_events": 0, **fields,
        }  # fmt: skip
        self.engine.streaming_playback_manager.active_streams[call_id] = info
        return info

    async def said(self, kind: str, call_id: str | None = CALL, **fields: Any) -> None:
        """Let the provider tell the engine something."""
        named = {} if call_id is None else {"call_id": call_id}
        await self.engine.on_provider_event({"type": kind, **named, **fields})

    def poll(self, call_id: str = CALL, seconds: float = 0.2) -> None:
        """Poll a call as the timer does."""
        self.observer.poll(self.context.call(call_id), seconds)

    def so_far(self, call_id: str = CALL) -> aeq.CallSummary:
        """Return what was observed of a live call."""
        return self.monitor.call(call_id).accumulator.freeze(duration=None)

    async def hang_up(self, call_id: str = CALL) -> aeq.CallScore:
        """End a call."""
        await self.engine._cleanup_call(call_id)
        return self.scores[-1]


@pytest.fixture
def attached(quality: aeq.QualityMonitor) -> Iterator[Any]:
    """Return a function from an engine to a double that is observed; detaches afterwards."""
    doubles: list[Double] = []

    def make(engine: Any) -> Double:
        doubles.append(Double(engine, attach(engine, quality)))
        return doubles[-1]

    yield make
    for double in doubles:
        double.attachment.detach()


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """Keep the log to itself."""
    with structlog.testing.capture_logs() as logs:
        yield logs
