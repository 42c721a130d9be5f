"""The table of scenarios: what it covers, and that its words can be told apart by a provider."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ai_engine_lab.real_calls import sound
from ai_engine_lab.real_calls.caller import CALLER_SPEED
from ai_engine_lab.real_calls.deepgram import DeepgramSession
from ai_engine_lab.real_calls.openai_realtime import OpenAISession
from ai_engine_lab.real_calls.scenario import PROVIDERS, TRANSPORTS
from ai_engine_lab.real_calls.scenarios import QUESTIONS, SHOUT, all_scenarios

SCENARIOS = all_scenarios()
with_prompts = pytest.mark.skipif(not sound.PROMPTS.exists(), reason="no recorded prompts")


def test_the_matrix_has_twenty_calls_and_there_are_twenty_faults():
    """The plan's twenty calls are there, with what they must exceed, and twenty faults or more."""
    matrix = [one for one in SCENARIOS if not one.fault]
    assert len(matrix) == 20
    assert all(one.expected for one in matrix)
    assert len(SCENARIOS) - len(matrix) >= 20


def test_names_are_unique_and_can_be_file_names():
    """Each call has a name of its own, of letters, digits and hyphens."""
    names = [one.name for one in SCENARIOS]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalnum() for name in names)


def test_every_provider_and_transport_has_calls():
    """Both providers are called over both transports."""
    pairs = {(one.provider, one.transport) for one in SCENARIOS}
    assert pairs == set(itertools.product(PROVIDERS, TRANSPORTS))


def test_only_a_frozen_engine_needs_to_be_alone():
    """Calls are placed together unless one disturbs the others."""
    assert [one.name for one in SCENARIOS if one.alone] == ["dg-frozen"]


@with_prompts
@pytest.mark.parametrize("prompts", [*QUESTIONS, SHOUT], ids=lambda names: names[0])
def test_words_have_no_pause_that_ends_a_turn(prompts):
    """No pause in the caller's words is as long as either provider waits for their end."""
    words = sound.speech(prompts, 2_400.0, speed=CALLER_SPEED)
    audible = sound.frame_levels(words) >= 500.0
    pauses = [len(list(run)) for heard, run in itertools.groupby(audible) if not heard]
    endpointing = min(DeepgramSession.endpointing, OpenAISession.endpointing)
    assert max(pauses, default=0) * 0.02 < endpointing
    assert np.flatnonzero(audible).size > 25


@with_prompts
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_every_prompt_is_there(scenario):
    """Every word of the caller's and the agent's is a prompt of Debian's package."""
    for turn in scenario.turns:
        assert sound.speech(turn.prompts, scenario.caller_level).size
    for answer in (scenario.greeting, *(turn.answer for turn in scenario.turns)):
        assert answer is None or sound.speech(answer.prompts, answer.delivery.level).size
