"""Encodings, rates and levels."""

import math
import warnings

import numpy as np
import pytest
from ai_engine_lab.basics.audio_formats import FRAME_BYTES, LINEAR, AudioFormat, decode, encode, rms

ULAW = AudioFormat("ulaw", 8_000)
WIDE = AudioFormat("slin16", 24_000)


def sine(amplitude, frequency=440.0, seconds=1.0):
    t = np.arange(round(8_000 * seconds)) / 8_000
    return (amplitude * np.sin(2 * math.pi * frequency * t)).astype("<i2").tobytes()


def test_frames_have_the_size_of_20_ms():
    """A frame is 320 bytes of linear audio, 160 of u-law, 960 at 24 kHz."""
    assert (LINEAR.frame_bytes, ULAW.frame_bytes, WIDE.frame_bytes) == (320, 160, 960)
    assert FRAME_BYTES == 320


def test_rms_of_a_sine():
    """A sine's RMS is its amplitude over the square root of 2; nothing has none."""
    assert rms(sine(10_000)) == pytest.approx(10_000 / math.sqrt(2), rel=1e-3)
    assert rms(b"") == 0.0


def test_ulaw_agrees_with_audioop():
    """The codec gives the very bytes and samples of Python's own, where Python has one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = pytest.importorskip("audioop")
    every = np.arange(-32_768, 32_768).astype("<i2").tobytes()
    codes = bytes(range(256))
    assert decode(codes, ULAW) == audioop.ulaw2lin(codes, 2)
    ours = np.frombuffer(decode(encode(every, ULAW), ULAW), "<i2").astype(int)
    theirs = np.frombuffer(audioop.ulaw2lin(audioop.lin2ulaw(every, 2), 2), "<i2").astype(int)
    assert (ours == theirs).mean() > 0.99
    assert np.abs(ours - theirs).max() <= 1_024  # a tie between two codes may go either way


def test_24_khz_and_back_is_the_same_speech():
    """Raising and lowering the rate changes telephone speech by less than 1 %."""
    speech = sine(8_000)
    back = np.frombuffer(decode(encode(speech, WIDE), WIDE), "<i2").astype(float)
    original = np.frombuffer(speech, "<i2").astype(float)
    assert back.size == original.size
    assert np.sqrt(((back - original) ** 2).mean()) < 0.01 * np.sqrt((original**2).mean())


def test_an_incomplete_sample_is_dropped():
    """Half a sample at the end doesn't turn the rest into noise, nor raise."""
    assert decode(b"\x01\x02\x03", LINEAR) == b"\x01\x02"
