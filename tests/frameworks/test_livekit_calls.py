"""Real calls through LiveKit Agents, offline: what is scored is what the caller heard."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("livekit.agents")

from livekit_line import make_session, place
from placed import CLEAN, FAULTY, FORMATS, PlacedCall
from scripted import Turn

import ai_engine_quality as aeq
from ai_engine_quality.live.handle import CallHandle


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


def test_turns_are_what_the_caller_waited(placed: dict[str, Placed]) -> None:
    """Each turn's latency is within 60 ms of what was heard at the caller's end."""
    for name in ("faulty", "clean"):
        summary, truth = placed[name].score.summary, placed[name].caller.truth()
        assert summary.is_heard("latency")
        assert len(truth.latencies) == 4
        assert summary.turn_latencies == pytest.approx(truth.latencies, abs=0.06)


def test_starved_answers_have_holes(placed: dict[str, Placed]) -> None:
    """The holes' seconds are within 10 % of what was missing at the caller's end."""
    heard, truth = placed["faulty"].score.summary.heard, placed["faulty"].caller.truth()
    assert heard is not None
    assert sum(truth.holes) >= 1.2
    assert heard.hole_seconds == pytest.approx(sum(truth.holes), rel=0.1, abs=0.05)


def test_a_barge_in_is_timed_as_it_was_heard(placed: dict[str, Placed]) -> None:
    """The reaction is within 100 ms of the time until the caller heard silence."""
    summary, truth = placed["faulty"].score.summary, placed["faulty"].caller.truth()
    assert len(truth.reactions) == 1
    assert summary.barge_in_reactions == pytest.approx(truth.reactions, abs=0.1)


def test_what_an_interruption_threw_away_is_not_lost(placed: dict[str, Placed]) -> None:
    """Of the interrupted answer the rest was thrown away, rightly, and nothing was lost."""
    heard = placed["faulty"].score.summary.heard
    assert heard is not None
    assert heard.thrown_away is not None
    assert heard.thrown_away > 1.0
    assert heard.lost == 0.0


def test_a_call_without_faults_is_excellent(placed: dict[str, Placed]) -> None:
    """No filler is found in a call that had none, and it scores 90 or more."""
    score, truth = placed["clean"].score, placed["clean"].caller.truth()
    if not truth.holes and max(truth.latencies) < 0.95:  # a busy machine has faults of its own
        assert score.summary.underflows == 0
        assert score.score is not None
        assert score.score >= 90


def test_the_score_is_that_of_what_was_heard(placed: dict[str, Placed]) -> None:
    """Each score is within 5 points of the one that the truth at the caller's end would give."""
    for name in ("faulty", "clean"):
        assert placed[name].score.score == pytest.approx(placed[name].score_by_truth(), abs=5)


def test_a_false_interruption_is_none(placed: dict[str, Placed]) -> None:
    """A cough held the agent back for a second, and it went on: no hole, and no barge-in."""
    summary, truth = placed["coughing"].score.summary, placed["coughing"].caller.truth()
    paused = [seconds for seconds in truth.holes if seconds > 0.8]
    assert len(paused) == 1
    assert summary.barge_in_reactions in (None, ())
    assert summary.heard is not None
    assert summary.heard.hole_seconds == pytest.approx(sum(truth.holes) - paused[0], abs=0.1)


def test_a_synthesiser_that_fails_leaves_a_turn_unanswered(placed: dict[str, Placed]) -> None:
    """LiveKit tells of no error then; the caller spoke and nothing came, and that is heard."""
    summary = placed["failing"].score.summary
    assert summary.unanswered is not None
    assert len(summary.unanswered) == 1
    assert summary.unanswered[0] > 4.5


@pytest.mark.parametrize(("rate", "length"), FORMATS)
def test_every_format_is_heard(placed: dict[str, Placed], rate: int, length: float) -> None:
    """At 8 to 48 kHz, in frames of 10 to 200 ms, nothing is dropped and the turn is heard."""
    call = placed[f"{rate}/{length}"]
    assert call.dropped() == 0
    truth = call.caller.truth()
    assert call.score.summary.turn_latencies == pytest.approx(truth.latencies, abs=0.1)


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


def test_a_library_that_raises_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong in the library, the caller hears the call to its end."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(CallHandle, "audio", broken)
    monkeypatch.setattr(CallHandle, "audio_given", broken)
    call = asyncio.run(Placed([Turn()]).run())
    truth = call.caller.truth()
    assert len(truth.latencies) == 1
    assert truth.agent_seconds > 3.0
