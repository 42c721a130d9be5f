"""Real calls through Pipecat, offline: what is scored is what was heard at the caller's end."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("pipecat")

from heard_calls import HeardCalls
from pipecat_line import make_worker, place
from placed import CLEAN, FAULTY, FORMATS, PlacedCall
from scripted import Turn

import ai_engine_quality as aeq


class Placed(PlacedCall):
    """A call through Pipecat."""

    async def run(self, *, end: str = "end", rate: int = 24_000) -> Placed:
        """Place the call, end it in some way, and close the monitor."""
        worker = make_worker(self.caller, rate=rate)
        self.attachment = aeq.observe_pipecat(worker, self.monitor)
        await place(worker, self.caller, end=end)
        self.monitor.close()
        return self


@pytest.fixture(scope="module")
def placed() -> dict[str, Placed]:
    """Place every call in real time, in two waves: a busy machine starves answers by itself."""

    async def all_of_them() -> dict[str, Placed]:
        first = {"faulty": Placed(FAULTY).run(), "clean": Placed(CLEAN).run()}
        calls = {
            "failing": Placed([Turn(), Turn(fails=True), Turn()], patience=4.5).run(),
            "cancelled": Placed([Turn()]).run(end="cancel"),
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
    """Of calls through Pipecat."""

    kind = Placed


def test_each_end_scores_once(placed: dict[str, Placed]) -> None:
    """However the pipeline ends, the call has one score, and the end's name as its outcome."""
    for call in placed.values():
        assert len(call.scores) == 1
    assert placed["clean"].score.summary.outcome == "completed"
    assert placed["cancelled"].score.summary.outcome == "caller_hangup"


def test_the_cause_of_a_slow_turn_is_said(placed: dict[str, Placed]) -> None:
    """The model took 2.2 s of the second turn, and the explanation says so."""
    score = placed["faulty"].score
    cause = score.summary.cause_of(2)
    assert cause is not None
    assert (cause.stage, cause.provider) == ("llm", "scripted")
    assert cause.seconds == pytest.approx(2.2, abs=0.3)
    assert "worst: turn 2" in score.explain()
    assert ": LLM 2." in score.explain()


def test_services_are_named(placed: dict[str, Placed]) -> None:
    """The provider is who thinks, the pipeline all whose services take part."""
    summary = placed["clean"].score.summary
    assert summary.provider == "scripted"
    assert summary.pipeline == "scripted_scripted_scripted"
