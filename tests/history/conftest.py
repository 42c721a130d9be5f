"""Calls of known kinds, scored, and record files of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ai_engine_quality as aeq
from ai_engine_quality.history.records import to_line

EPOCH = 1_761_955_200.0
"""1 November 2025, 00:00 UTC."""

_ids = itertools.count()


def calls(number: int, median: float = 0.7, *, seed: int = 1, **values) -> list[aeq.CallScore]:
    """Return scored calls, one each ten minutes, whose latencies lie around a median."""
    chance = np.random.default_rng(seed)
    found = []
    for position in range(number):
        latencies = tuple(median * math.exp(chance.normal(0, 0.3)) for _ in range(6))
        summary = {
            "provider": "deepgram",
            "turn_latencies": latencies,
            "frames_sent": 1_000,
            "underflows": int(chance.integers(0, 4)),
            "started_at": EPOCH + 600 * position,
            "duration": 60.0,
            **values,
        }
        found.append(aeq.score(aeq.CallSummary(call_id=f"1.{next(_ids)}", **summary)))
    return found


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes calls into a record file and returns its path."""

    def to_file(scores: list[aeq.CallScore], name: str = "calls.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(b"".join(to_line(score) for score in scores))
        return path

    return to_file


@pytest.fixture
def make_calls() -> Callable[..., list[aeq.CallScore]]:
    """Return :func:`calls`."""
    return calls
