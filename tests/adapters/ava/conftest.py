"""Doubles of both generations of the engine, with an attachment to each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog

sys.path.insert(0, str(Path(__file__).parent))

import engine_2025
import engine_2026
from engine_doubles import Double
from engine_line import Line

import ai_engine_quality as aeq
from ai_engine_quality.adapters import attach


@pytest.fixture(params=[engine_2026, engine_2025], ids=["engine_2026", "engine_2025"])
def generation(request: pytest.FixtureRequest) -> ModuleType:
    """Return the doubles of each generation in turn."""
    return request.param


@pytest.fixture
def today() -> ModuleType:
    """Return the doubles of today's engine."""
    return engine_2026


@pytest.fixture
def october() -> ModuleType:
    """Return the doubles of the engine of October 2025."""
    return engine_2025


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


@pytest.fixture
def line(attached: Any, clock: Any) -> Callable[[Any], Line]:
    """Return a function from an engine to a line of its, observed, on the test's own clock."""

    def make(engine: Any) -> Line:
        double = attached(engine)
        double.keep_time_by(clock)
        return Line(double, clock)

    return make


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """Keep the log to itself."""
    with structlog.testing.capture_logs() as logs:
        yield logs
