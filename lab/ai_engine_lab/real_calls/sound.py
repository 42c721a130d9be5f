"""Telephone sound as numpy arrays: prompts, levels, u-law, and what disturbs a line.

All sound here is 8 kHz, one channel, 16-bit numbers in ``int16`` arrays unless said otherwise.
"""

from __future__ import annotations

import functools
import wave
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ai_engine_lab.basics.audio_formats import to_int16

Sound = NDArray[np.int16]

RATE: Final = 8_000
FRAME_SECONDS: Final = 0.02
FRAME: Final = int(RATE * FRAME_SECONDS)
"""Samples in a frame of 20 ms, as Asterisk sends them."""

FULL_SCALE: Final = 32_767

PROMPTS: Final = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
"""Debian's asterisk-core-sounds-en-wav: real telephone speech."""

AUDIBLE: Final = 200.0
"""16-bit RMS (-44 dBov) from which a frame of 20 ms is taken for sound, in either direction."""


class NoPromptsError(RuntimeError):
    """The recorded prompts aren't installed."""


def silence(seconds: float) -> Sound:
    """Return digital silence."""
    return np.zeros(round(seconds * RATE), dtype=np.int16)


def rms(sound: NDArray[np.generic]) -> float:
    """Return the root mean square of 16-bit samples; 0 of nothing."""
    if not sound.size:
        return 0.0
    wide = sound.astype(np.float64)
    return float(np.sqrt(np.mean(wide * wide)))


def frame_levels(sound: Sound) -> NDArray[np.float64]:
    """Return the RMS of each whole frame of 20 ms."""
    whole = sound[: len(sound) // FRAME * FRAME].astype(np.float64).reshape(-1, FRAME)
    return np.sqrt(np.mean(whole * whole, axis=1)) if len(whole) else np.zeros(0)


def at_level(sound: Sound, level: float) -> Sound:
    """Return the sound with its audible frames at an RMS of ``level``."""
    levels = frame_levels(sound)
    loud = levels[levels >= max(50.0, levels.max(initial=0.0) / 40)]
    if not loud.size:
        return sound
    return to_int16(sound.astype(np.float64) * (level / float(np.sqrt(np.mean(loud**2)))))


@functools.lru_cache(maxsize=256)
def prompt(name: str) -> Sound:
    """Return a recorded prompt without the silence around it.

    Raises:
        NoPromptsError: it isn't installed.
    """
    path = PROMPTS / f"{name}.wav"
    try:
        with wave.open(str(path)) as stream:
            if stream.getframerate() != RATE or stream.getsampwidth() != 2:
                raise NoPromptsError(f"{path} isn't 8 kHz, 16 bit; reinstall the prompts")
            raw = stream.readframes(stream.getnframes())
    except OSError as error:
        raise NoPromptsError(
            f"{path}: {error.strerror}; apt-get install asterisk-core-sounds-en-wav"
        ) from error
    return trimmed(np.frombuffer(raw, dtype="<i2").astype(np.int16))


def trimmed(sound: Sound, threshold: float = AUDIBLE) -> Sound:
    """Return the sound from its first to its last audible frame."""
    audible = np.flatnonzero(frame_levels(sound) >= threshold)
    if not audible.size:
        return sound[:0]
    return sound[audible[0] * FRAME : (audible[-1] + 1) * FRAME]


@functools.lru_cache(maxsize=256)
def speech(names: tuple[str, ...], level: float, *, speed: float = 1.0, gap: float = 0.12) -> Sound:
    """Return prompts one after the other, in whole frames.

    Args:
        names: The prompts.
        level: RMS of the audible frames.
        speed: Faster above 1; the pitch goes along, so that it is another voice.
        gap: Seconds between two prompts.
    """
    parts: list[Sound] = []
    for name in names:
        parts += [prompt(name), silence(gap)]
    joined = np.concatenate(parts[:-1]) if parts else silence(0)
    if speed != 1.0:
        joined = resampled(joined, round(RATE * speed), RATE)
    return whole_frames(at_level(joined, level))


def whole_frames(sound: Sound) -> Sound:
    """Return the sound with silence at its end up to a whole frame."""
    return np.concatenate([sound, np.zeros(-len(sound) % FRAME, dtype=np.int16)])


def resampled(sound: Sound, rate_in: int, rate_out: int) -> Sound:
    """Return the sound at another sample rate, by linear interpolation."""
    if rate_in == rate_out or not sound.size:
        return sound
    count = round(len(sound) * rate_out / rate_in)
    places = np.arange(count) * (rate_in / rate_out)
    return to_int16(np.interp(places, np.arange(len(sound)), sound.astype(np.float64)))


def with_noise(sound: Sound, level: float, seed: int) -> Sound:
    """Return the sound with white noise of an RMS of ``level`` under it."""
    noise = np.random.default_rng(seed).normal(0.0, level, len(sound))
    return to_int16(sound.astype(np.float64) + noise)


def _ulaw_tables() -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    # ITU-T G.711, table 2: a sign, three bits of segment, four bits of step, all inverted.
    codes = np.arange(256)
    inverted = ~codes & 0xFF
    magnitude = ((((inverted & 0x0F) << 3) + 0x84) << ((inverted & 0x70) >> 4)) - 0x84
    linear = np.where(inverted & 0x80, -magnitude, magnitude).astype(np.int16)
    values = np.arange(-32_768, 32_768)
    level = np.minimum(np.abs(values), 32_635) + 0x84
    segment = np.floor(np.log2(level)).astype(np.int64) - 7
    step = (level >> (segment + 3)) & 0x0F
    sign = np.where(values < 0, 0x80, 0)
    encoded = (~(sign | (segment << 4) | step) & 0xFF).astype(np.uint8)
    return encoded, linear


_TO_ULAW, _FROM_ULAW = _ulaw_tables()


def to_ulaw(sound: Sound) -> bytes:
    """Encode as u-law (ITU-T G.711)."""
    return _TO_ULAW[sound.astype(np.int64) + 32_768].tobytes()


def from_ulaw(data: bytes) -> Sound:
    """Decode u-law (ITU-T G.711)."""
    return _FROM_ULAW[np.frombuffer(data, dtype=np.uint8)]


def from_pcm(data: bytes) -> Sound:
    """Decode 16-bit little-endian samples; an odd last byte is left out."""
    return np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.int16)


def to_pcm(sound: Sound) -> bytes:
    """Encode as 16-bit little-endian samples."""
    return sound.astype("<i2").tobytes()
