"""Speech for both ends of a call: recorded prompts where there are any, else a synthesised voice.

Debian's `asterisk-core-sounds-en-wav` holds real telephone speech. Where it is missing, a voice is
made from a pulse train through formant filters, with syllables, pitch movement and pauses: not
words, but like speech in level, rhythm and spectrum. `SpeechLibrary.source` says which of the two
is heard.
"""

from __future__ import annotations

import functools
import random
import wave
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ai_engine_lab.basics.audio_formats import FRAME_BYTES, LINEAR, LINEAR_RATE, SILENCE

Source = Literal["debian-prompts", "synthesised"]
Signal = NDArray[np.float64]

PROMPT_DIRECTORY: Final = Path("/usr/share/asterisk/sounds/en_US_f_Allison")

AGENT_LEVEL: Final = 2_600.0
CALLER_LEVEL: Final = 2_400.0
ACTIVE_RMS: Final = 200.0
"""16-bit RMS from which a frame counts as speech; levels are the energy mean of such frames."""

_AGENT_PROMPTS: Final = (
    "agent-alreadyon",
    "agent-incorrect",
    "agent-user",
    "auth-incorrect",
    "cannot-complete-as-dialed",
    "check-number-dial-again",
    "conf-getconfno",
    "conf-onlyperson",
    "demo-abouttotry",
    "demo-enterkeywords",
    "demo-nogo",
    "demo-thanks",
    "dir-instr",
    "dir-intro",
    "pbx-invalid",
    "pbx-invalidpark",
    "pls-hold-while-try",
    "privacy-unident",
    "queue-periodic-announce",
    "queue-thankyou",
    "queue-youarenext",
    "sorry-youre-having-problems",
    "ss-noservice",
    "tt-allbusy",
    "vm-forwardoptions",
    "vm-instructions",
    "vm-intro",
    "vm-nobox",
    "vm-opts",
    "vm-review",
)
_CALLER_PROMPTS: Final = (
    "call-fwd-no-ans",
    "call-fwd-on-busy",
    "call-fwd-unconditional",
    "conf-hasleft",
    "dir-nomatch",
    "entr-num-rmv-blklist",
    "feature-not-avail-line",
    "followme/sorry",
    "info-about-last-call",
    "is-in-use",
    "num-was-successfully",
    "number-not-answering",
    "please-try-again",
    "please-try-call-later",
    "priv-callpending",
    "privacy-thankyou",
    "queue-holdtime",
    "queue-reporthold",
    "to-call-this-number",
    "to-listen-to-it",
    "vm-enter-num-to-call",
    "vm-invalidpassword",
    "vm-isunavail",
    "vm-mailboxfull",
    "vm-pls-try-again",
    "vm-rec-temp",
    "vm-tocallback",
    "vm-tooshort",
    "vm-whichbox",
)
_FEWEST_PROMPTS: Final = 8
_CALLER_SLOWER: Final = (
    8 / 7
)  # the same recordings, slower and lower, so that the caller is another voice
_PAUSE_FRAMES: Final = 10


@dataclass(frozen=True)
class Prompt:
    """A piece of speech: linear audio (slin16, 8 kHz) in whole frames of 20 ms."""

    name: str
    linear: bytes

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.linear) / LINEAR.bytes_per_second


@dataclass(frozen=True)
class SpeechLibrary:
    """What the agent and the caller can say, and where it comes from."""

    source: Source
    agent: tuple[Prompt, ...]
    caller: tuple[Prompt, ...]


PAUSE: Final = Prompt("pause", SILENCE * _PAUSE_FRAMES)


def phrase(prompts: Sequence[Prompt], seconds: float, rng: random.Random) -> tuple[Prompt, ...]:
    """Prompts one after the other, with short pauses, for about `seconds`; at least one."""
    spoken: list[Prompt] = []
    left = seconds
    while left > 0:
        if spoken:
            spoken.append(PAUSE)
        fitting = [prompt for prompt in prompts if prompt.seconds <= left * 1.3]
        spoken.append(
            rng.choice(fitting) if fitting else min(prompts, key=lambda prompt: prompt.seconds)
        )
        left -= spoken[-1].seconds + PAUSE.seconds
        if left < 0.8:
            break
    return tuple(spoken)


@functools.cache
def load_speech(directory: Path = PROMPT_DIRECTORY) -> SpeechLibrary:
    """The recorded prompts under `directory`; synthesised speech where there are too few."""
    agent = tuple(recorded_prompts(directory, _AGENT_PROMPTS, AGENT_LEVEL))
    caller = tuple(
        recorded_prompts(directory, _CALLER_PROMPTS, CALLER_LEVEL, slower=_CALLER_SLOWER)
    )
    if len(agent) >= _FEWEST_PROMPTS and len(caller) >= _FEWEST_PROMPTS:
        return SpeechLibrary("debian-prompts", agent, caller)
    return synthesise_speech()


@functools.cache
def synthesise_speech() -> SpeechLibrary:
    """Speech-like audio for both ends, the same on every machine."""
    agent = _synthesised(
        "agent", pitch=195.0, level=AGENT_LEVEL, seconds=(1.6, 2.2, 2.8, 3.4, 4.0, 4.8, 5.6, 6.4)
    )
    caller = _synthesised(
        "caller", pitch=115.0, level=CALLER_LEVEL, seconds=(1.2, 1.5, 1.8, 2.1, 2.4, 2.8, 3.2, 3.8)
    )
    return SpeechLibrary("synthesised", agent, caller)


def frames_of(prompts: Iterable[Prompt]) -> list[bytes]:
    """The linear 20 ms frames of some prompts, in order."""
    linear = b"".join(prompt.linear for prompt in prompts)
    return [linear[at : at + FRAME_BYTES] for at in range(0, len(linear), FRAME_BYTES)]


def recorded_prompts(
    directory: Path, names: Iterable[str], level: float, slower: float = 1.0
) -> Iterable[Prompt]:
    """The prompts of these names that are there, with active speech at `level` (16-bit RMS)."""
    for name in names:
        samples = _read_wave(directory / f"{name}.wav")
        if samples is not None:
            stretched = np.interp(
                np.arange(0, samples.size - 1, 1 / slower), np.arange(samples.size), samples
            )
            yield _prompt(name, stretched, level)


def _read_wave(path: Path) -> Signal | None:
    """The samples of an 8 kHz, 16-bit mono file; None where there is no such file."""
    try:
        with wave.open(str(path), "rb") as recording:
            if (recording.getnchannels(), recording.getsampwidth(), recording.getframerate()) != (
                1,
                2,
                LINEAR_RATE,
            ):
                return None
            data = recording.readframes(recording.getnframes())
    except (OSError, EOFError, wave.Error):
        return None
    return np.frombuffer(data, dtype="<i2").astype(np.float64)


def _prompt(name: str, signal: Signal, level: float) -> Prompt:
    """The signal in whole frames, trimmed of silence at both ends, its active frames at `level`."""
    size = FRAME_BYTES // 2
    whole = np.pad(signal, (0, -signal.size % size)).reshape(-1, size)
    frame_rms = np.sqrt((whole**2).mean(axis=1))
    active = np.flatnonzero(frame_rms >= frame_rms.max() * 0.05)
    spoken = whole[active[0] : active[-1] + 1]
    loud = frame_rms[active]
    scaled = spoken * (level / np.sqrt((loud**2).mean()))
    return Prompt(name, np.clip(np.round(scaled), -32_000, 32_000).astype("<i2").tobytes())


def _synthesised(
    voice: str, *, pitch: float, level: float, seconds: Iterable[float]
) -> tuple[Prompt, ...]:
    speak = functools.partial(_babble, pitch=pitch)
    return tuple(
        _voiced(f"{voice}-{number}", speak, length, level)
        for number, length in enumerate(seconds, 1)
    )


def _voiced(
    name: str, speak: Callable[[float, np.random.Generator], Signal], length: float, level: float
) -> Prompt:
    seed = int.from_bytes(name.encode(), "big") % 2**32
    return _prompt(name, speak(length, np.random.default_rng(seed)), level)


_VOWELS: Final = (  # first three formants of common vowels, Hz
    (730.0, 1_090.0, 2_440.0),
    (530.0, 1_840.0, 2_480.0),
    (270.0, 2_290.0, 3_010.0),
    (570.0, 840.0, 2_410.0),
    (440.0, 1_020.0, 2_240.0),
    (300.0, 870.0, 2_240.0),
)
_FORMANT_BANDWIDTHS: Final = (70.0, 100.0, 160.0)


def _babble(seconds: float, rng: np.random.Generator, *, pitch: float) -> Signal:
    """Syllables of 110 to 220 ms at about four a second, with a pause after every few of them."""
    pieces: list[Signal] = []
    filled, syllables = 0, 0
    while filled < seconds * LINEAR_RATE:
        height = pitch * (1.12 - 0.05 * (syllables % 6)) * rng.uniform(0.96, 1.04)
        piece = _syllable(rng.uniform(0.11, 0.22), height, _VOWELS[rng.integers(len(_VOWELS))], rng)
        syllables += 1
        gap = rng.uniform(0.18, 0.32) if syllables % 6 == 0 else rng.uniform(0.02, 0.07)
        pieces += [piece, np.zeros(round(gap * LINEAR_RATE))]
        filled += pieces[-2].size + pieces[-1].size
    return np.concatenate(pieces)


def _syllable(
    seconds: float, pitch: float, vowel: Sequence[float], rng: np.random.Generator
) -> Signal:
    """A pulse train of falling pitch through three resonances, faded in and out."""
    size = round(seconds * LINEAR_RATE)
    phase = np.cumsum(np.linspace(pitch * 1.04, pitch * 0.94, size)) / LINEAR_RATE
    pulses = np.diff(np.floor(phase), prepend=0.0)
    spectrum = np.fft.rfft(pulses, n=2 * size) * _formants(2 * size, vowel)
    voiced = np.fft.irfft(spectrum)[:size]
    fade = np.minimum(
        1.0, np.minimum(np.arange(size), np.arange(size)[::-1]) / (0.02 * LINEAR_RATE)
    )
    breath = rng.normal(0.0, 0.004 * float(np.abs(voiced).max()), size)
    return (voiced + breath) * fade * rng.uniform(0.8, 1.2)


def _formants(size: int, vowel: Sequence[float]) -> NDArray[np.complex128]:
    """The response of three resonances in cascade, with the slope of a voice (-6 dB per octave)."""
    frequency = np.fft.rfftfreq(size, 1 / LINEAR_RATE)
    s = 1j * frequency
    response = 1.0 / (1.0 + s / 250.0)
    for centre, width in zip(vowel, _FORMANT_BANDWIDTHS, strict=True):
        response = response * centre**2 / (s**2 + s * width + centre**2)
    return np.asarray(response * (frequency > 60.0), dtype=np.complex128)
