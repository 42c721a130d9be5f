"""A call that was placed through a framework, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prometheus_client import CollectorRegistry
from scripted import Caller, Hole, Turn

import ai_engine_quality as aeq

FAULTY = [
    Turn(),
    Turn(llm=2.2),
    Turn(answer=6.0, barge_in=2.0),
    Turn(answer=5.0, holes=(Hole(1.5, 0.5), Hole(3.0, 0.8))),
]
"""One slow turn, one barge-in, and one answer that starves twice."""

CLEAN = [Turn(), Turn(), Turn(answer=5.0), Turn()]

FORMATS = [(8000, 0.02), (16000, 0.01), (24000, 0.04), (48000, 0.1), (16000, 0.2)]
"""Rates in Hz of both sides, and lengths of the caller's frames in seconds."""


class PlacedCall:
    """One call, and its scores: there should be one."""

    def __init__(self, turns: list[Turn], **caller: Any) -> None:
        self.registry = CollectorRegistry()
        self.monitor = aeq.QualityMonitor(registry=self.registry, log=False)
        self.scores: list[aeq.CallScore] = []
        self.monitor.add_hook(self.scores.append)
        self.caller = Caller(turns, **caller)

    async def run(self) -> PlacedCall:
        """Place the call, and close the monitor."""
        raise NotImplementedError("each framework has its own way")

    @property
    def score(self) -> aeq.CallScore:
        """The only score."""
        (score,) = self.scores
        return score

    def score_by_truth(self) -> int | None:
        """Return the score of the same call, had it been told what the caller heard."""
        summary, truth = self.score.summary, self.caller.truth()
        told = replace(
            summary,
            turn_latencies=tuple(truth.latencies),
            barge_in_reactions=tuple(truth.reactions) or None,
            underflows=round(sum(truth.holes) / 0.02),
            underflow_episodes=len(truth.holes),
            frames_sent=round(truth.agent_seconds / 0.02),
        )
        return aeq.score(told).score

    def dropped(self) -> float:
        """Return how many observations were not taken."""
        return sum(
            sample.value
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name == "ai_agent_quality_dropped_total"
        )
