"""Real calls through Pipecat, offline: what is scored is what was heard at the caller's end."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

pytest.importorskip("pipecat")

from heard_calls import HeardCalls
from placed import PlacedCall, place_all, through_pipecat, waves
from scripted import Turn


@pytest.fixture(scope="module")
def placed() -> dict[str, PlacedCall]:
    """Place every call, in real time."""
    cancelled = partial(through_pipecat, [Turn()], end="cancel")
    return asyncio.run(place_all(*waves(through_pipecat, cancelled=cancelled)))


class TestHeard(HeardCalls):
    """Of calls through Pipecat."""

    through = staticmethod(through_pipecat)


def test_each_end_scores_once(placed: dict[str, PlacedCall]) -> None:
    """However the pipeline ends, the call has one score, and the end's name as its outcome."""
    for call in placed.values():
        assert len(call.scores) == 1
    assert placed["clean"].score.summary.outcome == "completed"
    assert placed["cancelled"].score.summary.outcome == "caller_hangup"


def test_the_cause_of_a_slow_turn_is_said(placed: dict[str, PlacedCall]) -> None:
    """The model took 2.2 s of the second turn, and the explanation says so."""
    score = placed["faulty"].undisturbed().score
    cause = score.summary.cause_of(2)
    assert cause is not None
    assert (cause.stage, cause.provider) == ("llm", "scripted")
    assert cause.seconds == pytest.approx(2.2, abs=0.3)
    assert "worst: turn 2" in score.explain()
    assert ": LLM 2." in score.explain()


def test_services_are_named(placed: dict[str, PlacedCall]) -> None:
    """The provider is who thinks, the pipeline all whose services take part."""
    summary = placed["clean"].score.summary
    assert summary.provider == "scripted"
    assert summary.pipeline == "scripted_scripted_scripted"
