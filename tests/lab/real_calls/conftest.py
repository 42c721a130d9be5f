"""Recordings whose truth is known, made of sound that needs no recorded prompts."""

from __future__ import annotations

import numpy as np
import pytest
from ai_engine_lab.basics.audio_formats import to_int16
from ai_engine_lab.real_calls.recording import (
    CallRecording,
    GivenAnswer,
    TimedSound,
    Utterance,
)
from ai_engine_lab.real_calls.sound import FRAME, FRAME_SECONDS, RATE, silence


def voice(seconds, seed, level=2_600.0):
    """Return sound like speech: filtered noise in syllables, whole frames, audible at both ends."""
    count = round(seconds * RATE) // FRAME * FRAME
    noise = np.random.default_rng(seed).normal(0.0, 1.0, count)
    smooth = np.convolve(noise, np.hanning(9) / np.hanning(9).sum(), mode="same")
    at = np.arange(count) / RATE
    envelope = 0.55 + 0.45 * np.cos(2 * np.pi * 3.7 * at)
    signal = smooth / smooth.std() * envelope
    return to_int16(signal / np.sqrt(np.mean(signal**2)) * level)


class Recorder:
    """Makes a recording: words, answers as given, and frames as they arrived."""

    def __init__(self):
        self.recording = CallRecording("1.1", "made", "deepgram", "audiosocket", placed_at=0.0)
        self.recording.connected_at = 100.0
        self.recording.ended_at = 140.0
        self.recording.ended_by = "caller"

    def words(self, turn, at, seconds=1.0, kind="turn"):
        """Let the caller speak; return when the last word was sent."""
        sound = voice(seconds, seed=900 + turn, level=2_400.0)
        times = [at + FRAME_SECONDS * number for number in range(len(sound) // FRAME)]
        self.recording.utterances.append(Utterance(turn, sound, kind, times))
        self.recording.sent += self._frames(sound, at)
        return times[-1]

    def answer(self, turn, at, sound, **facts):
        """Let the provider give an answer at once, complete; return it."""
        given = GivenAnswer(turn, sound, [TimedSound(at, sound)], complete_at=at)
        for name, value in facts.items():
            setattr(given, name, value)
        self.recording.answers.append(given)
        return given

    def hear(self, at, sound):
        """Let frames arrive every 20 ms from a moment on; return when the next one is due."""
        self.recording.heard += self._frames(sound, at)
        return at + len(sound) / RATE

    @staticmethod
    def _frames(sound, at):
        return [
            TimedSound(at + FRAME_SECONDS * number, sound[start : start + FRAME])
            for number, start in enumerate(range(0, len(sound), FRAME))
        ]


@pytest.fixture
def recorder():
    """Return a fresh recorder."""
    return Recorder()


@pytest.fixture(scope="session")
def make_recorder():
    """Return what makes a fresh recorder, for tests that need many."""
    return Recorder


@pytest.fixture(scope="session")
def make_voice():
    """Return what makes sound like speech."""
    return voice


@pytest.fixture(scope="session")
def quiet():
    """Return what makes digital silence."""
    return silence
