"""Sound: u-law, levels and rates."""

from __future__ import annotations

import numpy as np
import pytest
from ai_engine_lab.real_calls import sound
from hypothesis import given
from hypothesis import strategies as st

SAMPLES = st.lists(st.integers(-32_768, 32_767), min_size=1, max_size=400)


@pytest.mark.parametrize(
    ("sample", "code"), [(0, 0xFF), (-1, 0x7F), (32_767, 0x80), (-32_768, 0x00), (132, 0xEF)]
)
def test_ulaw_is_that_of_the_standard(sample, code):
    """Samples get the code of G.711."""
    assert sound.to_ulaw(np.array([sample], dtype=np.int16)) == bytes([code])


def test_every_code_comes_back():
    """Decoding and encoding gives each of the 256 codes back, but for the second zero."""
    codes = bytes(range(256))
    again = sound.to_ulaw(sound.from_ulaw(codes))
    assert [a for a, b in zip(codes, again, strict=True) if a != b] == [0x7F]


@given(SAMPLES)
def test_ulaw_is_at_most_a_step_off(samples):
    """The error is within half a step: 1/32 of a sample and its bias of 132."""
    samples = np.array(samples, dtype=np.int16)
    off = np.abs(sound.from_ulaw(sound.to_ulaw(samples)).astype(int) - samples)
    assert np.all(off <= (np.abs(samples.astype(int)) + 132) / 32 + 1)


@given(SAMPLES)
def test_linear_samples_come_back(samples):
    """16-bit samples are the same after both ways."""
    samples = np.array(samples, dtype=np.int16)
    assert np.array_equal(sound.from_pcm(sound.to_pcm(samples)), samples)


def test_a_level_is_that_of_the_audible_frames(make_voice, quiet):
    """Pauses don't count when a sound is brought to a level."""
    speech = np.concatenate([make_voice(1.0, 1), quiet(2.0)])
    levels = sound.frame_levels(sound.at_level(speech, 1_000.0))
    loud = levels[levels > 50]
    assert np.sqrt(np.mean(loud**2)) == pytest.approx(1_000.0, rel=0.05)


def test_a_prompt_that_is_missing_names_the_package():
    """Where a prompt isn't installed, the error says what to install."""
    with pytest.raises(sound.NoPromptsError, match="apt-get install asterisk-core-sounds-en-wav"):
        sound.prompt("no-such-prompt")


def test_another_rate_keeps_the_length(make_voice):
    """Three times as many samples at 24 kHz last as long."""
    speech = make_voice(1.0, 1)
    assert len(sound.resampled(speech, 8_000, 24_000)) == 3 * len(speech)
