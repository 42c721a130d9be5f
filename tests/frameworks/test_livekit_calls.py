"""Real calls through LiveKit Agents, offline: what is scored is what the caller heard."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("livekit.agents")

from heard_calls import HeardCalls
from livekit_line import make_session, place
from placed import CLEAN, FAULTY, FORMATS, PlacedCall
from scripted import Turn

import ai_engine_quality as aeq


class Placed(PlacedCall):
    """A call through LiveKit Agents."""

    async def run(self, *, end: str = "user_initiated", rate: int = 24_000) -> Placed:
        """Place the call, end it in some way, and close the monitor."""
        session = make_session(rate)
        self.attachment = aeq.observe_livekit(session, self.monitor)
        await place(session, self.caller, rate=rate, end=end)
        self.monitor.close()
        return self


@pytest.fixture(scope="module")
def placed() -> dict[str, Placed]:
    """Place every call in real time, in two waves: a busy machine starves answers by itself."""

    async def all_of_them() -> dict[str, Placed]:
        first = {"faulty": Placed(FAULTY).run(), "clean": Placed(CLEAN).run()}
        calls = {
            "coughing": Placed([Turn(), Turn(answer=6.0, noise=1.5)]).run(),
            "failing": Placed([Turn(), Turn(fails=True), Turn()], patience=4.5).run(),
            "hung_up": Placed([Turn()]).run(end="participant_disconnected"),
            "shut_down": Placed([Turn()]).run(end="job_shutdown"),
            **{
                f"{rate}/{length}": Placed([Turn()], rate=rate, frame_seconds=length).run(rate=rate)
                for rate, length in FORMATS
            },
        }
        both = [
            dict(zip(wave, await asyncio.gather(*wave.values()), strict=True))
            for wave in (first, calls)
        ]
        return both[0] | both[1]

    return asyncio.run(all_of_them())


class TestHeard(HeardCalls):
    """Of calls through LiveKit Agents."""

    kind = Placed


def test_a_false_interruption_is_none(placed: dict[str, Placed]) -> None:
    """A cough held the agent back for a second, and it went on: no hole, and no barge-in."""
    summary, truth = placed["coughing"].score.summary, placed["coughing"].caller.truth()
    paused = [seconds for seconds in truth.holes if seconds > 0.8]
    assert len(paused) == 1
    assert summary.barge_in_reactions in (None, ())
    assert summary.heard is not None
    assert summary.heard.hole_seconds == pytest.approx(sum(truth.holes) - paused[0], abs=0.1)


def test_each_end_scores_once(placed: dict[str, Placed]) -> None:
    """However the session ends, the call has one score, and an outcome by LiveKit's reason."""
    for call in placed.values():
        assert len(call.scores) == 1
    assert placed["clean"].score.summary.outcome == "agent_hangup"
    assert placed["hung_up"].score.summary.outcome == "caller_hangup"
    assert placed["shut_down"].score.summary.outcome == "completed"


def test_the_cause_of_a_slow_turn_is_said(placed: dict[str, Placed]) -> None:
    """The model took 2.2 s of the second turn, and the explanation says so."""
    score = placed["faulty"].score
    cause = score.summary.cause_of(2)
    assert cause is not None
    assert (cause.stage, cause.provider) == ("llm", "acme")
    assert cause.seconds == pytest.approx(2.2, abs=0.3)
    assert "worst: turn 2" in score.explain()
    assert ": LLM 2." in score.explain()


def test_models_are_named(placed: dict[str, Placed]) -> None:
    """The provider is who thinks, the pipeline all whose models take part."""
    summary = placed["clean"].score.summary
    assert (summary.provider, summary.pipeline) == ("acme", "acme_acme_acme")
