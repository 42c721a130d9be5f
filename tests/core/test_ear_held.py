"""What an engine holds back, or throws away, because the caller speaks or seems to."""

from __future__ import annotations

import pytest
from two_sides import frames

from ai_engine_quality.core.ear import Ear, Heard

HOLD = (6.0, 7.5)
"""When the agent, which speaks from 3 to 10 s, is held back."""


def heard(*, told: str | None, coughs: tuple[tuple[float, float], ...] = ((5.6, 6.2),)) -> Heard:
    """Return a call whose agent falls silent when the caller makes a sound, and goes on."""
    ear = Ear(0.0)
    ear.audio_given(2.9, 5.5)
    hints = {HOLD[0]: ear.agent_held, HOLD[1]: ear.agent_resumed} if told else {}
    agent = ((3.0, HOLD[0]), (HOLD[1], 10.0))
    for at, of_agent, level in frames(12.0, ((1.0, 2.0), *coughs), agent, missing=(HOLD,)):
        for when in [when for when in hints if when <= at]:
            hints.pop(when)(when)
        (ear.agent if of_agent else ear.caller)(at, level, 0.02)
    ear.answer_complete(10.0)
    return ear.freeze(12.0)


def test_held_back_speech_is_no_hole() -> None:
    """A false interruption: for 1.5 s the agent was held back, and then went on."""
    found = heard(told="held")
    assert found.hole_seconds == pytest.approx(0.0, abs=0.05)
    assert found.reactions is not None
    assert found.reactions.n == 0


def test_without_the_hint_it_is_one() -> None:
    """The same frames, of which nobody says that they were held back, have a hole."""
    found = heard(told=None)
    assert found.hole_seconds == pytest.approx(1.5, abs=0.1)


def test_an_answer_that_nobody_heard_may_be_thrown_away() -> None:
    """The caller speaks on, and what was made meanwhile is dropped: not lost, and no cut answer."""
    ear = Ear(0.0)
    for at, of_agent, level in frames(8.0, ((1.0, 2.0), (2.3, 3.0)), ((4.0, 6.0),)):
        if 2.29 < at < 2.31 and not of_agent:
            ear.audio_given(2.2, 3.0)
            ear.agent_flushed(2.3)
        if 3.79 < at < 3.81 and not of_agent:
            ear.answer_began(3.8)
            ear.audio_given(3.8, 2.0)
            ear.answer_complete(3.8)
        (ear.agent if of_agent else ear.caller)(at, level, 0.02)
    found = ear.freeze(8.0)
    assert found.lost == pytest.approx(0.0, abs=0.2)
    assert found.thrown_away == pytest.approx(3.0, abs=0.2)
    assert found.answers_cut == 0
