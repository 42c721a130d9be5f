"""Real calls through LiveKit Agents, offline: what is scored is what the caller heard."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

pytest.importorskip("livekit.agents")

from heard_calls import HeardCalls
from placed import PlacedCall, place_all, through_livekit, waves
from scripted import Turn


@pytest.fixture(scope="module")
def placed() -> dict[str, PlacedCall]:
    """Place every call, in real time."""
    own = {
        "coughing": partial(through_livekit, [Turn(), Turn(answer=6.0, noise=1.5)]),
        "hung_up": partial(through_livekit, [Turn()], end="participant_disconnected"),
        "shut_down": partial(through_livekit, [Turn()], end="job_shutdown"),
    }
    return asyncio.run(place_all(*waves(through_livekit, **own)))


class TestHeard(HeardCalls):
    """Of calls through LiveKit Agents."""

    through = staticmethod(through_livekit)


def test_a_false_interruption_is_none(placed: dict[str, PlacedCall]) -> None:
    """A cough held the agent back for a second, and it went on: no hole, and no barge-in."""
    call = placed["coughing"].undisturbed()
    summary, truth = call.score.summary, call.caller.truth()
    paused = [seconds for seconds in truth.holes if seconds > 0.8]
    assert len(paused) == 1
    assert summary.barge_in_reactions in (None, ())
    assert summary.heard is not None
    assert summary.heard.hole_seconds == pytest.approx(sum(truth.holes) - paused[0], abs=0.1)


def test_each_end_scores_once(placed: dict[str, PlacedCall]) -> None:
    """However the session ends, the call has one score, and an outcome by LiveKit's reason."""
    for call in placed.values():
        assert len(call.scores) == 1
    assert placed["clean"].score.summary.outcome == "agent_hangup"
    assert placed["hung_up"].score.summary.outcome == "caller_hangup"
    assert placed["shut_down"].score.summary.outcome == "completed"


def test_the_cause_of_a_slow_turn_is_said(placed: dict[str, PlacedCall]) -> None:
    """The model took 2.2 s of the second turn, and the explanation says so."""
    score = placed["faulty"].undisturbed().score
    cause = score.summary.cause_of(2)
    assert cause is not None
    assert (cause.stage, cause.provider) == ("llm", "acme")
    assert cause.seconds == pytest.approx(2.2, abs=0.3)
    assert "worst: turn 2" in score.explain()
    assert ": LLM 2." in score.explain()


def test_models_are_named(placed: dict[str, PlacedCall]) -> None:
    """The provider is who thinks, the pipeline all whose models take part."""
    summary = placed["clean"].score.summary
    assert (summary.provider, summary.pipeline) == ("acme", "acme_acme_acme")
