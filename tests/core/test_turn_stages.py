"""Where the time of a slow turn went: told by the engine, said of the turn that was heard."""

from __future__ import annotations

import pytest
from two_sides import frames

import ai_engine_quality as aeq
from ai_engine_quality.core.call import MAX_TOLD_STAGES, CallAccumulator


def heard_call() -> CallAccumulator:
    """Return a call of two turns, heard: the caller waits 0.5 s, and then 3 s."""
    call = CallAccumulator("1.1", started=100.0)
    caller, agent = ((2.0, 3.0), (7.0, 8.0)), ((3.5, 5.5), (11.0, 13.0))
    for at, of_agent, level in frames(14.0, caller, agent):
        stage = "transport_out" if of_agent else "transport_in"
        call.audio_level(stage, level, 0.02, 100.0 + at)
    return call


def test_it_is_said_of_the_heard_turn_by_its_time() -> None:
    """The stages were told when the answers began, whatever number the engine gives the turn."""
    call = heard_call()
    call.turn_stage("llm", 0.2, "acme", 103.4)
    call.turn_stage("llm", 2.4, "acme", 110.9)
    call.turn_stage("tts", 0.1, "cartesia", 110.9)
    summary = call.freeze(duration=14.0)
    assert summary.turn_latencies == pytest.approx((0.5, 3.0), abs=0.05)
    assert summary.turn_stages is not None
    assert set(summary.turn_stages) == {
        (1, "llm", 0.2, "acme"), (2, "llm", 2.4, "acme"), (2, "tts", 0.1, "cartesia"),
    }  # fmt: skip
    assert "worst: turn 2, 3.02 s: LLM 2.4 s" in aeq.score(summary).explain()


def test_without_ears_it_is_said_by_number() -> None:
    """An engine that tells its latencies tells the stages of each right after it."""
    call = CallAccumulator("1.1")
    for seconds in (0.4, 3.2, 0.5):
        call.turn_response(seconds)
        call.turn_stage("stt", 0.3, None, 0.0)
        call.turn_stage("llm", seconds - 0.35, None, 0.0)
    summary = call.freeze(duration=60.0)
    assert "worst: turn 2, 3.2 s: LLM 2.85 s" in aeq.score(summary).explain()
    assert summary.cause_of(2) == (2, "llm", 2.85, None)


def test_a_tool_in_between_adds_up() -> None:
    """A turn that asks its model twice, before a tool and after it, has both in one stage."""
    call = CallAccumulator("1.1")
    call.turn_response(3.0)
    for stage, seconds in (("llm", 0.5), ("tool", 1.5), ("llm", 0.75)):
        call.turn_stage(stage, seconds, "acme", 0.0)
    summary = call.freeze(duration=60.0)
    assert {each.stage: each.seconds for each in summary.turn_stages or ()} == {
        "llm": 1.25,
        "tool": 1.5,
    }


def test_only_the_slowest_turns_are_kept() -> None:
    """A long call's record stays short, and what an engine tells is bounded."""
    call = CallAccumulator("1.1")
    for number in range(2 * MAX_TOLD_STAGES):
        call.turn_response(number / 1000)
        call.turn_stage("llm", number / 1000, "acme", 0.0)
    assert len(call.told_stages or ()) == MAX_TOLD_STAGES
    assert len(call.freeze(duration=600.0).turn_stages or ()) <= 3


def test_a_stored_call_keeps_its_cause() -> None:
    """The stages are in the record, and come back as they were."""
    call = CallAccumulator("1.1")
    call.turn_response(2.5)
    call.turn_stage("llm", 2.0, None, 0.0)
    summary = call.freeze(duration=60.0)
    assert aeq.CallSummary.from_dict(summary.to_dict()) == summary


@pytest.mark.parametrize(
    "wrong", [[[1, "llm", 2.0]], [[1, "", 2.0, None]], [[1, "llm", -1.0, None]], "llm"]
)
def test_a_wrong_record_is_refused(wrong: object) -> None:
    """Whatever else stands there is said to be wrong."""
    with pytest.raises(aeq.SummaryError, match="turn_stages"):
        aeq.CallSummary.from_dict({"call_id": "1.1", "turn_stages": wrong})
