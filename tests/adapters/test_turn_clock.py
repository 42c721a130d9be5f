"""The stages of a turn, from the moments of its frames and services' own measurements."""

from __future__ import annotations

import pytest

from ai_engine_quality.adapters.turn_clock import TurnClock


def stages(clock: TurnClock, at: float) -> dict[str, float]:
    """Return what is told when the answer's first audio comes."""
    told: dict[str, float] = {}
    clock.audio(at, told.__setitem__)
    return {stage: round(seconds, 3) for stage, seconds in told.items()}


@pytest.fixture
def clock() -> TurnClock:
    """Return the clock of a turn before its first audio."""
    found = TurnClock()
    found.said(10.5, 0.3)
    found.words(10.6)
    found.asked(10.8)
    for at in (13.0, 13.1, 13.2):
        found.thought(at)
    found.spoke(13.1)
    return found


def test_each_stage_lies_between_two_moments(clock: TurnClock) -> None:
    """Recogniser, end of turn, model and synthesiser, from the caller's last word on."""
    assert stages(clock, 13.25) == {"stt": 0.4, "end_of_turn": 0.2, "llm": 2.2, "tts": 0.15}


def test_a_service_s_own_measurement_goes_before(clock: TurnClock) -> None:
    """What a service says of itself counts, but for the zeros that it begins with."""
    clock.measured("llm", 0.0)
    clock.measured("llm", 2.05)
    assert stages(clock, 13.25)["llm"] == 2.05


def test_a_turn_is_told_once(clock: TurnClock) -> None:
    """The rest of the answer's audio tells nothing."""
    assert stages(clock, 13.25)
    assert stages(clock, 13.3) == {}


def test_an_answer_that_was_never_heard_is_forgotten(clock: TurnClock) -> None:
    """The caller went on, and the model began anew: the second time counts."""
    clock.asked(15.0)
    clock.thought(15.5)
    clock.spoke(15.6)
    assert stages(clock, 15.7)["llm"] == 0.5


def test_a_tool_is_neither_the_model_nor_the_end_of_the_turn() -> None:
    """The model is asked twice; what lies between is the tool's."""
    clock = TurnClock()
    clock.words(19.9)
    clock.asked(20.0)
    clock.tools.began("t1", 20.3)
    clock.tools.ended("t1", 21.8)
    clock.asked(21.8)
    clock.thought(22.2)
    clock.spoke(22.25)
    expected = {"end_of_turn": 0.1, "llm": 0.7, "tool": 1.5, "tts": 0.1}
    assert stages(clock, 22.35) == pytest.approx(expected)


def test_a_service_s_own_measurements_add_up_around_a_tool() -> None:
    """Before the tool and after it the model measured itself."""
    clock = TurnClock()
    clock.words(19.9)
    clock.asked(20.0)
    clock.measured("llm", 0.3)
    clock.tools.began("t1", 20.3)
    clock.tools.ended("t1", 21.8)
    clock.asked(21.8)
    clock.measured("llm", 0.25)
    clock.thought(22.2)
    assert stages(clock, 22.4) == pytest.approx({"end_of_turn": 0.1, "llm": 0.55, "tool": 1.5})


def test_audio_that_answers_nobody_tells_nothing() -> None:
    """A greeting was not asked of a model."""
    clock = TurnClock()
    clock.spoke(1.0)
    assert stages(clock, 1.2) == {}
