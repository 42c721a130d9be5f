"""Both sources of speech are like a telephone agent's, and say which they are."""

import numpy as np
import pytest
from ai_engine_lab.basics.audio_formats import FRAME_BYTES
from ai_engine_lab.basics.chance import chance
from ai_engine_lab.engine import load_speech, synthesise_speech
from ai_engine_lab.engine.speech import phrase

LIBRARIES = [
    pytest.param(synthesise_speech, id="synthesised"),
    pytest.param(
        load_speech,
        id="debian-prompts",
        marks=pytest.mark.system("asterisk-core-sounds-en-wav"),
    ),
]


def frames(prompt):
    return np.frombuffer(prompt.linear, "<i2").astype(float).reshape(-1, 160)


def active(prompt):
    every = frames(prompt)
    return every[np.sqrt((every**2).mean(axis=1)) >= 200]


def level(prompt):
    return np.sqrt((active(prompt) ** 2).mean())


def flatness(prompt):
    power = np.abs(np.fft.rfft(active(prompt) * np.hanning(160), axis=1)) ** 2
    frequency = np.fft.rfftfreq(160, 1 / 8_000)
    band = power[:, (frequency >= 200) & (frequency <= 3_800)] + 1e-9
    return np.median(np.exp(np.log(band).mean(axis=1)) / band.mean(axis=1))


@pytest.mark.parametrize("library", LIBRARIES)
def test_speech_is_like_an_agents(library):
    """Active frames lie inside 1300..5200 RMS, unclipped, with a spectrum and pauses of speech."""
    speech = library()
    for prompt in (*speech.agent, *speech.caller):
        assert 1_300 < level(prompt) < 5_200
        assert np.abs(frames(prompt)).max() < 32_000
        assert flatness(prompt) < 0.05
        assert len(prompt.linear) % FRAME_BYTES == 0
        assert 0.5 < len(active(prompt)) / len(frames(prompt)) <= 1.0
    assert np.mean([level(prompt) for prompt in speech.agent]) == pytest.approx(2_600, rel=0.05)


@pytest.mark.system("asterisk-core-sounds-en-wav")
def test_recorded_prompts_are_used_where_they_are():
    """With Debian's prompts installed, they are what is heard, and the library says so."""
    speech = load_speech()
    assert speech.source == "debian-prompts"
    assert {"agent-user", "vm-intro"} <= {prompt.name for prompt in speech.agent}


def test_synthesised_speech_stands_in(tmp_path):
    """Without prompts the speech is synthesised, and the library says so."""
    assert load_speech(tmp_path).source == "synthesised"


def test_a_broken_recording_is_passed_over(tmp_path):
    """Files that are no 8 kHz recordings don't stop the engine."""
    for name in ("agent-user", "vm-intro"):
        (tmp_path / f"{name}.wav").write_bytes(b"RIFF nonsense")
    assert load_speech(tmp_path).source == "synthesised"


def test_synthesised_speech_is_the_same_everywhere():
    """Made again, it is the same to the bit."""
    assert synthesise_speech.__wrapped__() == synthesise_speech.__wrapped__()


@pytest.mark.parametrize("seconds", [0.5, 2.0, 5.0, 12.0])
def test_a_phrase_is_about_as_long_as_asked(seconds):
    """What is said fills the time, a third more or a second less at most."""
    speech = synthesise_speech()
    for seed in range(20):
        said = phrase(speech.agent, seconds, chance(seed))
        assert seconds - 1.2 <= sum(part.seconds for part in said) <= max(seconds * 1.35, 1.8)
