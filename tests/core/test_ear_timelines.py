"""The ear on generated calls whose truth is known: the evidence has the full table."""

from __future__ import annotations

import json
from functools import cache

import pytest
from ai_engine_lab.timelines.__main__ import markdown
from ai_engine_lab.timelines.calls import generate
from ai_engine_lab.timelines.conditions import CLEAN, TABLE
from ai_engine_lab.timelines.judging import Tally, judge, judge_mild, listen, matched

from ai_engine_quality.core.ear import Ear

pytestmark = pytest.mark.no_cover

SEED = 700_000
"""Neither those that the ear's numbers were chosen on, nor those of the published table."""

BY_NAME = {condition.name: condition for condition in TABLE}


@cache
def in_mild_conditions():
    """Judge once; no fixture, whose set-up would be traced for coverage."""
    return judge_mild(180, SEED).row()


def test_in_mild_conditions_waits_are_heard():
    """Nearly every turn's latency is heard, nearly none is invented, and they are exact."""
    mild = in_mild_conditions()
    assert mild["latency recall"] >= 0.97
    assert mild["latency precision"] >= 0.97
    assert mild["latency p95 error (s)"] <= 0.06
    assert mild["unanswered recall"] >= 0.95
    assert mild["unanswered precision"] >= 0.95


def test_in_mild_conditions_barge_ins_are_timed():
    """Reactions are found, and timed to a few hundredths of a second."""
    mild = in_mild_conditions()
    assert mild["reaction recall"] >= 0.85
    assert mild["reaction precision"] >= 0.93
    assert mild["reaction mean error (s)"] <= 0.05


def test_in_mild_conditions_holes_are_found_with_hints():
    """The holes of a call are known to a few hundredths of a second, and so are first words."""
    mild = in_mild_conditions()
    assert mild["holes recall"] >= 0.9
    assert mild["holes precision"] >= 0.93
    assert mild["holes error (s a call)"] <= 0.06
    assert mild["first word error (s)"] <= 0.02


@pytest.mark.parametrize("noise", ["white", "hum"])
def test_in_steady_noise_of_10_db_waits_are_still_heard(noise):
    """White noise and hum at 10 dB hide few turns, and blur them little."""
    row = judge(BY_NAME[f"{noise} noise at 10 dB"], range(SEED, SEED + 40)).row()
    assert row["latency recall"] >= 0.95
    assert row["latency p95 error (s)"] <= 0.12


def test_a_callers_wait_is_heard_through_a_cars_noise():
    """Noise of few low tones is restless from frame to frame, and still no words."""
    row = judge(BY_NAME["car noise at 20 dB"], range(SEED, SEED + 12)).row()
    assert row["latency recall"] >= 0.97
    assert row["latency p95 error (s)"] <= 0.12


def test_a_quiet_caller_is_no_echo():
    """Who is 16 dB quieter than others makes the agent stop, and is timed, as they are."""
    row = judge(BY_NAME["a caller 16 dB quieter"], range(SEED, SEED + 12)).row()
    assert row["reaction recall"] >= 0.9
    assert row["reaction mean error (s)"] <= 0.08


def test_a_phone_that_sends_nothing_in_silence_is_heard():
    """Its line is as clean as another's: every caller is heard, and nearly every wait."""
    row = judge(BY_NAME["no frames in silence"], range(SEED, SEED + 20)).row()
    assert row["can't hear"] == 0
    assert row["latency recall"] >= 0.95
    assert row["latency precision"] >= 0.97


def test_a_loud_echo_interrupts_nobody():
    """The agent's own voice at -10 dB makes few barge-ins and no turns, and hides few of them."""
    row = judge(BY_NAME["echo at -10 dB"], range(SEED, SEED + 20)).row()
    assert row["latency recall"] >= 0.95
    assert row["latency precision"] >= 0.97
    assert row["reaction recall"] >= 0.85
    assert row["reaction precision"] >= 0.85


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_words_end_where_they_do_however_loud_the_caller_is(gain):
    """The same words are as long on a quiet line as on a loud one."""
    call = generate(CLEAN, SEED)
    expected = listen(call).latencies.exact
    call.observations = [
        (what, at, level * gain if what == "caller" else level, seconds)
        for what, at, level, seconds in call.observations
    ]
    assert listen(call).latencies.exact == pytest.approx(expected, abs=0.021)


@pytest.mark.parametrize("snr", [10, 5])
def test_in_babble_the_ear_says_that_it_cannot_hear(snr):
    """With other voices at 10 dB and less it gives no number that needs the caller's words."""
    for seed in range(SEED, SEED + 8):
        found = listen(generate(BY_NAME[f"babble noise at {snr} dB"], seed))
        assert "can't be told from the noise" in found.cannot_hear
        assert found.latencies is found.unanswered is found.reactions is None
        assert found.talk_overs is found.caller_voice is None


def test_order_within_the_tolerance_changes_nothing():
    """Observations that come up to 0.3 s out of order are put in their place."""
    call = generate(CLEAN, SEED)
    expected = listen(call)
    told = call.observations
    for size in (2, 7, 20):
        parts = [told[start : start + size][::-1] for start in range(0, len(told), size)]
        call.observations = [one for part in parts for one in part]
        assert listen(call) == expected


def test_a_live_call_can_be_frozen_at_any_time():
    """What is heard at the end is the same, however often one looked before."""
    call = generate(CLEAN, SEED + 1)
    expected = listen(call)
    ear = Ear(call.started_at)
    for place, (what, at, level, seconds) in enumerate(call.observations):
        if what == "caller":
            ear.caller(at, level, seconds)
        elif what == "agent":
            ear.agent(at, level, seconds)
        elif what == "audio_given":
            ear.audio_given(at, seconds, level)
        else:
            ear.answer_complete(at)
        if place % 97 == 0:
            ear.freeze(at)
    assert ear.freeze(call.ended_at) == expected


def test_the_same_seed_gives_the_same_call():
    """Calls are made anew from their condition and seed, and other seeds give others."""
    first, again, other = (generate(CLEAN, seed) for seed in (SEED, SEED, SEED + 1))
    assert first.observations == again.observations
    assert first.truth == again.truth
    assert other.observations != first.observations


def test_calls_are_made_where_no_prompts_are_installed():
    """Without real prompts the voices are synthetic, and the ear hears them as well."""
    tally = Tally()
    for seed in range(SEED, SEED + 3):
        call = generate(CLEAN, seed, real=False)
        tally.add(call.truth.latencies, listen(call).latencies.exact)
    assert tally.recall >= 0.9
    assert tally.precision >= 0.9


def test_values_are_matched_in_their_order():
    """A missed value and an invented one are no match for each other."""
    assert matched([1.0, 2.0, 3.0], [1.1, 3.0]) == pytest.approx([0.1, 0.0])
    assert matched([1.0], [2.0]) == []
    assert matched([2.0, 1.0], [1.0, 2.0]) == [0.0]


def test_rows_print_as_a_table_and_as_json():
    """The command's two forms hold the same figures; what isn't known is empty, or null."""
    rows = [{"condition": "clean", "latency recall": 0.98, "holes recall": None}]
    assert markdown(rows).splitlines()[-1] == "| clean | 0.98 |  |"
    assert json.loads(json.dumps(rows)) == rows
