"""An agent's speech, and the score of a call in which it was all that was said."""

from __future__ import annotations

import functools

import numpy as np
from ai_engine_lab.basics.audio_formats import AudioFormat, encode
from ai_engine_lab.engine.speech import load_speech, synthesise_speech
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

STAGE = "transport_out"
SPEECH_SECONDS = 30


@functools.cache
def speech(source):
    """Return half a minute of an agent's speech, at 8 kHz and the usual level."""
    library = load_speech() if source == "prompts" else synthesise_speech()
    whole = np.frombuffer(b"".join(prompt.linear for prompt in library.agent), dtype="<i2")
    return np.resize(whole, SPEECH_SECONDS * 8_000).astype(np.float64)


def heard(samples, *, rate=8_000, encoding="slin16", seconds=0.02, characters=None, **sampling):
    """Return the score of a call of a minute in which the agent sent just these samples.

    Args:
        samples: 16-bit values.
        rate: Hz.
        encoding: ``slin16`` or ``ulaw``.
        seconds: How long a frame is.
        characters: How much text it was; None: nobody told.
        sampling: As ``Sampling`` takes it.
    """
    quality = aeq.QualityMonitor(
        registry=CollectorRegistry(), log=False, sampling=aeq.Sampling(**sampling)
    )
    quality.call_started("1.1")
    call = quality.call("1.1")
    for _ in range(20):
        call.turn_response(0.4)
    linear = np.clip(np.round(samples), -32_768, 32_767).astype("<i2").tobytes()
    data = encode(linear, AudioFormat("ulaw", 8_000)) if encoding == "ulaw" else linear
    size = round(rate * seconds) * (1 if encoding == "ulaw" else 2)
    frames = [data[at : at + size] for at in range(0, len(data) - size + 1, size)]
    for frame in frames:
        call.audio(STAGE, frame, encoding=encoding, sample_rate=rate)
    call.frames_sent(round(len(frames) * seconds / 0.02))
    call.underflow(0)
    if characters is not None:
        call.words_spoken(characters)
    score = call.call_ended(duration=60.0)
    quality.close()
    return score
