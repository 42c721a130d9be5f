"""A call that was placed through a framework, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from scripted import Caller, Hole, Turn

import ai_engine_quality as aeq

FAULTY = [
    Turn(),
    Turn(llm=2.2),
    Turn(answer=6.0, barge_in=2.45),
    Turn(answer=5.0, holes=(Hole(1.5, 0.5), Hole(3.0, 0.8))),
]
"""One slow turn, one barge-in, and one answer that starves twice. The caller breaks in where the
agent speaks without a pause: else it is chance when it seems to fall silent."""

CLEAN = [Turn(), Turn(), Turn(answer=5.0), Turn()]

ATTEMPTS = 3
"""Times that a call is placed, at most, if the machine is too busy for it."""

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

    @property
    def score(self) -> aeq.CallScore:
        """The only score."""
        (score,) = self.scores
        return score

    def score_by_truth(self) -> aeq.CallScore:
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
        return aeq.score(told)

    def undisturbed(self) -> PlacedCall:
        """Return it, or skip the test: its times are those of a machine that was too busy."""
        if self.caller.disturbed:
            pytest.skip(f"a busy machine: a frame left {self.caller.worst_lag:.2f} s late")
        return self

    def dropped(self) -> float:
        """Return how many observations were not taken."""
        return sum(
            sample.value
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name == "ai_agent_quality_dropped_total"
        )


# Through a framework. It is imported when it is needed: not everybody has both.


async def through_pipecat(
    turns: list[Turn], *, end: str = "end", rate: int | None = None, **caller: Any
) -> PlacedCall:
    """Place a call through Pipecat, end it in some way, and close the monitor."""
    from pipecat_line import make_worker, place  # noqa: PLC0415  # as said above

    call = PlacedCall(turns, rate=rate or 8000, **caller)
    worker = make_worker(call.caller, rate=rate or 24_000)
    aeq.observe_pipecat(worker, call.monitor)
    await place(worker, call.caller, end=end)
    call.monitor.close()
    return call


async def through_livekit(
    turns: list[Turn], *, end: str = "user_initiated", rate: int | None = None, **caller: Any
) -> PlacedCall:
    """Place a call through LiveKit Agents, end it in some way, and close the monitor."""
    from livekit_line import make_session, place  # noqa: PLC0415  # as said above

    call = PlacedCall(turns, rate=rate or 8000, **caller)
    session = make_session(rate or 24_000)
    aeq.observe_livekit(session, call.monitor)
    await place(session, call.caller, rate=rate or 24_000, end=end)
    call.monitor.close()
    return call


Placing = Callable[[], Awaitable[PlacedCall]]


def waves(
    through: Callable[..., Awaitable[PlacedCall]], **own: Placing
) -> list[dict[str, Placing]]:
    """Return the calls of every framework, and some of its own, as they are placed at a time."""
    return [
        {"faulty": partial(through, FAULTY), "clean": partial(through, CLEAN)},
        {
            "failing": partial(through, [Turn(), Turn(fails=True), Turn()], patience=4.5),
            **own,
            **{
                f"{rate}/{length}": partial(through, [Turn()], rate=rate, frame_seconds=length)
                for rate, length in FORMATS
            },
        },
    ]


async def place_all(*at_a_time: Mapping[str, Placing]) -> dict[str, PlacedCall]:
    """Place calls in real time, in waves: a busy machine starves answers by itself.

    What the machine was too busy for is placed again, and of its attempts the best one counts.
    """
    best: dict[str, PlacedCall] = {}
    for wave in at_a_time:
        wanted = dict(wave)
        for _ in range(ATTEMPTS):
            for name, call in zip(
                wanted, await asyncio.gather(*(place() for place in wanted.values())), strict=True
            ):
                best[name] = min(best.get(name, call), call, key=lambda one: one.caller.worst_lag)
            wanted = {name: wave[name] for name in wanted if best[name].caller.disturbed}
    return best
