"""The pitch of a voice, and where its first formant lies."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from agent_speech import STAGE, heard, speech
from ai_engine_lab.evidence.distortions import KINDS
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_engine_quality.core.agent_sound import PITCHED_SHARE
from ai_engine_quality.live.frame_checks import power_of
from ai_engine_quality.live.voice import voices

RATES = (8_000, 11_025, 16_000, 24_000, 48_000)


def told(samples, rate):
    """Return what is told of rows of samples: pitches, and both sides of the first formant."""
    samples = np.asarray(samples, dtype=np.float32)
    return voices(power_of(samples, rate), samples.shape[-1], rate)


def harmonics(pitch, rate, seconds=0.02, phase=0.0, fall=1.0):
    """Return a frame with all harmonics up to 3,600 Hz, each fainter than the one before."""
    at = np.arange(round(seconds * rate)) / rate
    numbers = range(1, int(3_600 / pitch) + 1)
    waves = (np.cos(2 * np.pi * pitch * n * at + phase * n) / n**fall for n in numbers)
    return 3_000 * sum(waves)


@settings(deadline=None)
@given(
    st.floats(150, 460),
    st.sampled_from(RATES),
    st.sampled_from([0.02, 0.03, 0.04]),
    st.floats(0, 6),
    st.floats(0.5, 1.5),
)
def test_the_pitch_of_a_voiced_frame_is_found(pitch, rate, seconds, phase, fall):
    """Within 3 %, at any rate, length and phase, and however fast its harmonics fall."""
    found = told([harmonics(pitch, rate, seconds, phase, fall)], rate)[0]
    assert found[0] == pytest.approx(pitch, rel=0.03)


@settings(deadline=None)
@given(st.sampled_from(RATES), st.integers(0, 2**32 - 1))
def test_noise_and_silence_have_no_pitch(rate, seed):
    """Nor an offset; of frames of noise too few for a voice."""
    noise = np.random.default_rng(seed).normal(0, 2_000, (40, rate // 50))
    found = told([*noise, np.zeros(rate // 50), np.full(rate // 50, 500.0)], rate)[0]
    assert sum(pitch > 0 for pitch in found[:40]) < PITCHED_SHARE * 40
    assert found[40:] == [0.0, 0.0]


@pytest.mark.parametrize("rate", RATES)
def test_frames_that_are_too_short_tell_nothing(rate):
    """10 ms hold one period of a low voice."""
    pitches, below, fall = told(np.ones((3, rate // 100)), rate)
    assert pitches == [None] * 3
    assert below == fall == [0.0] * 3


@pytest.mark.parametrize("rate", RATES)
def test_both_sides_of_the_first_formant_are_in_db(rate):
    """A tone at 325 Hz lies below it, one at 500 at it, one at 900 over it."""
    at = np.arange(rate // 50) / rate
    tones = [3_000 * np.cos(2 * np.pi * hertz * at) for hertz in (325.0, 500.0, 900.0)]
    _, below, fall = told(tones, rate)
    assert below[0] > 6
    assert below[1] < 0
    assert fall[1] > 6
    assert fall[2] < 0
    louder = told([10 * tone for tone in tones], rate)
    assert louder[1] == pytest.approx(below, abs=0.01)


@functools.cache
def played(factor):
    """Return the score of a call in which a recorded voice was played so many times too fast."""
    samples = speech("prompts")
    if factor != 1.0:
        samples = KINDS["rate"].distort(samples, 8_000, factor, np.random.default_rng(0))
    return heard(samples)


def sound(score):
    """Return what was heard of its agent."""
    return score.summary.audio[STAGE].sound


@pytest.mark.parametrize("factor", [0.667, 1.25, 1.5])
def test_a_wrong_rate_moves_a_real_voice_by_its_factor(factor):
    """The median pitch of a recorded woman's voice, within 4 %."""
    assert sound(played(factor)).pitch == pytest.approx(factor * sound(played(1.0)).pitch, rel=0.04)


@pytest.mark.parametrize(("factor", "words"), [(0.5, "slow"), (1.0, None), (2.0, "quick")])
def test_a_real_voice_at_a_wrong_rate_is_held_without_text(factor, words):
    """At half and at double speed its call is poor, and says why; as it is, it is excellent."""
    score = played(factor)
    if words is None:
        assert score.score >= 98
    else:
        assert score.score < 60
        said = [c.reason for c in score.ceilings if c.rule == "seems_wrong_speed"]
        assert said == [f"speech that seems far too {words}: its pitch, spectrum and rhythm"]


def test_a_voice_in_frames_of_10_ms_is_judged_by_two_of_them():
    """One holds no two periods of a low voice; joined, they tell what frames of 20 ms do."""
    score = heard(speech("prompts"), seconds=0.01)
    assert sound(score).pitch == pytest.approx(sound(played(1.0)).pitch, rel=0.04)
    assert score.score >= 98


def test_a_voice_in_frames_of_10_ms_of_which_some_are_seen_is_not_judged_by_its_pitch():
    """Nothing is known of it then, and nothing is held against it."""
    score = heard(speech("prompts"), seconds=0.01, level_every=2)
    assert (sound(score).pitch, sound(score).below, sound(score).fall) == (None, None, None)
    assert score.score >= 98
