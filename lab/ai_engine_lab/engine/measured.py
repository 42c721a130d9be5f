"""What was recorded about real calls, and what a call of the `measured` profile takes from it.

The facts stand in `measured_calls.json`: latencies, underflows, durations and the maintainers'
verdict on calls of October 2025 to July 2026. Where a call's record lacks something, what is
assumed instead is said here, beside the code that does so.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal

Opinion = Literal["good", "mixed", "bad"]

_ASSUMED_DURATION_SECONDS: Final = 45.0
"""For calls recorded without their duration: the median of the others is 44 s."""
_AGENT_SHARE: Final = 1 / 3
"""The agent's part of a call, where its frames were not recorded."""
_TURN_SPREAD: Final = 0.15
"""Turns around a recorded average, where nothing else is known: 15 % either way."""


@dataclass(frozen=True)
class MeasuredCall:
    """The record of one real call; None where it does not say."""

    call_id: str
    provider: str | None
    verdict: Opinion | None
    duration: float | None
    turns: int | None
    latency_mean: float | None
    latency_worst: float | None
    latencies: tuple[float, ...]
    underflows: int | None
    frames_sent: int | None
    """As the engine counts: fillers included."""

    @property
    def has_latency(self) -> bool:
        """Whether anything is known of how fast it answered."""
        return bool(self.latencies) or self.latency_mean is not None

    @property
    def fillers_per_speech_second(self) -> float:
        """Fillers per second of the agent's speech; none where the record is silent about them."""
        return (self.underflows or 0) / (
            (self.duration or _ASSUMED_DURATION_SECONDS) * _AGENT_SHARE
        )

    def draw_latency(self, rng: random.Random) -> float:
        """The latency of one turn, seconds: recorded, or as the recorded mean and worst allow."""
        if self.latencies:
            return rng.choice(self.latencies)
        if self.latency_mean is None:
            raise ValueError(f"nothing is known of the latencies of call {self.call_id}")
        mean, worst, turns = self.latency_mean, self.latency_worst, self.turns or 1
        if worst is None:
            return mean * rng.uniform(1 - _TURN_SPREAD, 1 + _TURN_SPREAD)
        if rng.randrange(turns) == 0:
            return worst
        others = (mean * turns - worst) / (turns - 1)
        return min(worst, others * rng.uniform(1 - _TURN_SPREAD, 1 + _TURN_SPREAD))


@functools.cache
def measured_calls() -> tuple[MeasuredCall, ...]:
    """The records, in the order of the file."""
    text = resources.files(__package__).joinpath("measured_calls.json").read_text(encoding="utf-8")
    return tuple(_from_record(record) for record in json.loads(text))


def starving_share(calls: Sequence[MeasuredCall]) -> float:
    """Fillers as a share of all frames in bad calls: known where their frames were recorded."""
    known = [(call.underflows, call.frames_sent) for call in calls if call.verdict == "bad"]
    shares = [fillers / frames for fillers, frames in known if fillers and frames]
    return sum(shares) / len(shares)


def _from_record(record: dict[str, Any]) -> MeasuredCall:
    return MeasuredCall(
        call_id=record["call_id"],
        provider=record["provider"],
        verdict=record["verdict"],
        duration=record.get("duration_s"),
        turns=record.get("turns"),
        latency_mean=_seconds(record.get("turn_latency_avg_ms")),
        latency_worst=_seconds(record.get("turn_latency_max_ms")),
        latencies=tuple(record.get("turn_latencies_s", ())),
        underflows=record.get("underflows"),
        frames_sent=record.get("frames_sent"),
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1_000
