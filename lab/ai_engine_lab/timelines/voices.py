"""Voices and noises at 8 kHz: real telephone prompts where they are installed, else synthetic ones.

The prompts are those of Debian's ``asterisk-core-sounds-en-wav``. Where speech begins and ends in a
prompt is told by its level on the clean prompt, in steps of 5 ms over 20 ms: the active level is
ITU-T P.56's, and a word lasts for as long as it would be over RMS 200, 19 dB below.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

RATE: Final = 8000
PROMPTS: Final = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
"""One package's prompts: the figures must not depend on what else is installed."""
ACTIVE_LEVEL: Final = 1800.0
"""16-bit RMS of active speech that voices are brought to, before a talker's own gain."""
P56_MARGIN_DB: Final = 15.9
AUDIBLE_RMS: Final = 200.0
"""16-bit RMS under which a frame is silence, as the score has it: words last until they are."""
_STEP: Final = RATE // 200
_WINDOW: Final = RATE // 50
_SYNTHETIC: Final = 60
_EDGE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """A piece of speech, with its active parts: (start, end) in seconds, over 0.2 s apart."""

    samples: Samples
    active: tuple[tuple[float, float], ...]
    prompt: str = ""
    """The prompt's name among Asterisk's; empty where it is synthetic."""

    @property
    def seconds(self) -> float:
        """How long it lasts, quiet edges included."""
        return len(self.samples) / RATE

    @property
    def starts(self) -> float:
        """When its first word begins."""
        return self.active[0][0]

    @property
    def ends(self) -> float:
        """When its last word ends."""
        return self.active[-1][1]


def active_parts(samples: Samples) -> tuple[float, tuple[tuple[float, float], ...]]:
    """Return the active level (16-bit RMS), and where speech is active."""
    levels = _levels(samples)
    bar = 0.0
    for _ in range(6):  # the level of what is over the bar sets the bar
        loud = levels[levels > bar]
        if not loud.size:
            return 0.0, ()
        level = float(np.sqrt(np.mean(loud**2)))
        bar = level * 10 ** (-P56_MARGIN_DB / 20)
    places = np.flatnonzero(levels > level * AUDIBLE_RMS / ACTIVE_LEVEL)
    parts: list[list[float]] = []
    for place in places:
        middle = (place * _STEP + _WINDOW / 2) / RATE
        start, end = middle - 0.005, middle + 0.005
        if parts and start - parts[-1][1] <= 0.2:
            parts[-1][1] = end
        else:
            parts.append([start, end])
    return level, tuple((start, end) for start, end in parts if end - start >= 0.06)


def _levels(samples: Samples) -> Samples:
    squares = np.concatenate([[0.0], np.cumsum(samples**2)])
    starts = np.arange(0, max(1, len(samples) - _WINDOW), _STEP)
    ends = np.minimum(starts + _WINDOW, len(samples))
    levels: Samples = np.sqrt((squares[ends] - squares[starts]) / _WINDOW)
    return levels


def _voice(samples: Samples, prompt: str = "") -> Voice | None:
    level, parts = active_parts(samples)
    if not parts:
        return None
    first = max(0, int((parts[0][0] - _EDGE_SECONDS) * RATE))
    last = min(len(samples), int((parts[-1][1] + 4 * _EDGE_SECONDS) * RATE))
    shift = first / RATE
    kept = samples[first:last] * (ACTIVE_LEVEL / level)
    return Voice(kept, tuple((start - shift, end - shift) for start, end in parts), prompt)


@cache
def voices(*, real: bool = True) -> tuple[Voice, ...]:
    """Return all voices, shortest first; synthetic ones where no prompts are installed."""
    found: list[Voice] = []
    for path in sorted(PROMPTS.rglob("*.wav")) if real else ():
        with wave.open(str(path)) as file:
            if file.getframerate() != RATE or file.getsampwidth() != 2:
                continue
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        if "silence" in path.parts or "monkeys" in path.name:
            continue
        prompt = path.relative_to(PROMPTS).with_suffix("").as_posix()
        voice = _voice(samples.astype(np.float64), prompt)
        if voice is not None and 0.35 <= voice.ends - voice.starts <= 32:
            found.append(voice)
    found = found or [synthetic(seed) for seed in range(_SYNTHETIC)]
    return tuple(sorted(found, key=lambda voice: voice.seconds))


def synthetic(seed: int) -> Voice:
    """Return speech-like sound: harmonics, syllables of 0.12 to 0.3 s, pauses between phrases."""
    chance = np.random.default_rng(seed)
    pieces: list[Samples] = []
    for _ in range(int(chance.integers(1, 6))):
        for _ in range(int(chance.integers(2, 9))):
            n = int(chance.uniform(0.12, 0.3) * RATE)
            pitch = chance.uniform(90, 220)
            at = np.arange(n) / RATE
            tone = sum(np.sin(2 * np.pi * pitch * k * at) / k for k in range(1, 12))
            shape = np.sin(np.pi * np.arange(n) / n) ** 0.7
            pieces.append(np.asarray(tone) * shape * chance.uniform(0.4, 1.0))
        pieces.append(np.zeros(int(chance.uniform(0.15, 0.6) * RATE)))
    voice = _voice(np.concatenate(pieces[:-1]) * 3000)
    if voice is None:
        raise AssertionError("a synthetic voice is never silent")
    return voice


def white(n: int, chance: np.random.Generator) -> Samples:
    """Return white noise of RMS 1."""
    return chance.standard_normal(n)


def hum(n: int, chance: np.random.Generator) -> Samples:
    """Return mains hum of RMS 1: 50 Hz and its harmonics."""
    at = np.arange(n) / RATE
    tones = [
        chance.uniform(0.2, 1) * np.sin(2 * np.pi * 50 * k * at + chance.uniform(0, 6))
        for k in (1, 2, 3, 4, 6)
    ]
    sound: Samples = np.sum(tones, axis=0)
    return sound / float(np.sqrt(np.mean(sound**2)))


def car(n: int, chance: np.random.Generator) -> Samples:
    """Return a car's noise of RMS 1: it falls by 6 dB an octave from 60 Hz on."""
    spectrum = np.fft.rfft(chance.standard_normal(n))
    hertz = np.fft.rfftfreq(n, 1 / RATE)
    spectrum *= np.where(hertz < 60, 0.1, 1.0) / np.maximum(hertz, 20)
    sound: Samples = np.fft.irfft(spectrum, n)
    return sound / float(np.sqrt(np.mean(sound**2)))


def babble(n: int, chance: np.random.Generator, talkers: int = 6) -> Samples:
    """Return several talkers at once, of RMS 1."""
    sound = np.zeros(n)
    known = [voice for voice in voices() if voice.seconds > 1]
    for _ in range(talkers):
        place = -int(chance.integers(0, RATE * 2))
        while place < n:
            voice = known[int(chance.integers(len(known)))].samples
            start, end = max(0, place), min(n, place + len(voice))
            if end > start:
                sound[start:end] += voice[start - place : end - place]
            place += len(voice) + int(chance.uniform(0, 0.4) * RATE)
    return sound / float(np.sqrt(np.mean(sound**2)) or 1.0)


NOISES: Final = {"white": white, "hum": hum, "babble": babble, "car": car}
