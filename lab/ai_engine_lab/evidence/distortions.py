"""What can become of an agent's speech on its way: over forty kinds, each at several strengths.

A distortion takes samples, their rate and a strength, and returns what is sent instead. Some kinds
are held back: they play no part in choosing a threshold. Some leave no trace without the original,
and are only counted.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfilt

from ai_engine_lab.evidence.impairments import ENCODERS, MISREADINGS
from ai_engine_lab.evidence.talkers import Signal, Speech, resampled
from ai_engine_quality import toolkit

Chance = np.random.Generator
Distort = Callable[[Signal, int, float, Chance], Signal]

TELEPHONE_RATE: Final = 8_000


class Kind(NamedTuple):
    """One kind of distortion."""

    distort: Distort
    strengths: tuple[float, ...]
    unit: str
    """What a strength says, with ``{}`` where the number is."""
    traced: bool = True
    """Whether it leaves a trace in the samples themselves."""
    held_back: bool = False
    """Whether it plays no part in choosing thresholds."""
    rates: tuple[int, ...] = (8_000,)
    """Rates at which an engine may come by it."""


def _rows(x: Signal, rate: int) -> Signal:
    size = rate // 50
    return x[: len(x) // size * size].reshape(-1, size)


def _active(x: Signal, rate: int) -> Signal:
    return np.asarray(np.sqrt((_rows(x, rate) ** 2).mean(axis=1)) >= 200.0)


def _level(x: Signal, rate: int) -> float:
    rows = _rows(x, rate)[_active(x, rate)]
    return float(np.sqrt((rows**2).mean())) if rows.size else 1.0


def _clean(x: Signal, rate: int, strength: float, rng: Chance) -> Signal:
    return x


def _gain(x: Signal, rate: int, decibels: float, rng: Chance) -> Signal:
    return x * 10 ** (decibels / 20)


def _comfort(x: Signal, rate: int, level: float, rng: Chance) -> Signal:
    """Comfort noise where nothing is said, as engines send it."""
    rows = _rows(x, rate).copy()
    quiet = np.sqrt((rows**2).mean(axis=1)) < 60
    rows[quiet] += rng.normal(0, level, (int(quiet.sum()), rows.shape[1]))
    return rows.ravel()


def _breath(x: Signal, rate: int, level: float, rng: Chance) -> Signal:
    """Breath in the pauses: soft noise of 0.2 s that swells and fades."""
    out = x.copy()
    rows = _rows(x, rate)
    quiet = np.flatnonzero(np.sqrt((rows**2).mean(axis=1)) < 60)
    size = rate // 5
    shape = np.hanning(size)
    for start in quiet[::15]:
        at = start * rows.shape[1]
        part = out[at : at + size]
        part += (rng.normal(0, level, size) * shape)[: len(part)]
    return out


def _white(x: Signal, rate: int, snr: float, rng: Chance) -> Signal:
    noise = _level(x, rate) * 10 ** (-snr / 20)
    return x + rng.normal(0, noise, len(x))


def _pink(x: Signal, rate: int, snr: float, rng: Chance) -> Signal:
    spectrum = np.fft.rfft(rng.normal(0, 1, len(x)))
    spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum))))
    noise = np.fft.irfft(spectrum, len(x))
    noise *= _level(x, rate) * 10 ** (-snr / 20) / noise.std()
    return x + noise


def _hum(x: Signal, rate: int, snr: float, rng: Chance) -> Signal:
    at = np.arange(len(x)) / rate
    noise = sum(np.sin(2 * np.pi * 50 * k * at) / k for k in (1, 2, 3, 5, 7))
    noise = np.asarray(noise)
    return np.asarray(x + noise * (_level(x, rate) * 10 ** (-snr / 20) / noise.std()))


def _clip(x: Signal, rate: int, decibels: float, rng: Chance) -> Signal:
    return np.clip(x * 10 ** (decibels / 20), -32_768, 32_767)


def _band(low: float, high: float) -> Distort:
    """Noise between two frequencies, in Hz."""

    def distort(x: Signal, rate: int, snr: float, rng: Chance) -> Signal:
        spectrum = np.fft.rfft(rng.normal(0, 1, len(x)))
        hertz = np.fft.rfftfreq(len(x), 1 / rate)
        noise = np.fft.irfft(spectrum * ((hertz >= low) & (hertz <= high)), len(x))
        noise /= np.sqrt((noise**2).mean())
        return np.asarray(x + noise * _level(x, rate) * 10 ** (-snr / 20))

    return distort


def _flat_tops(x: Signal, rate: int, levels: float, rng: Chance) -> Signal:
    """Clipped at so many times the speech's level: what comes after it is quieter."""
    top = levels * _level(x, rate)
    return np.clip(x, -top, top)


def _wrap(x: Signal, rate: int, decibels: float, rng: Chance) -> Signal:
    """Overflow that wraps around instead of staying at full scale."""
    return (np.round(x * 10 ** (decibels / 20)) + 32_768) % 65_536 - 32_768


def _hold(x: Signal, rate: int, times: float, rng: Chance) -> Signal:
    """A zero-order hold: each sample of a lower rate, repeated."""
    n = int(times)
    kept = x[::n]
    return np.repeat(kept, n)[: len(x)]


def _alias(x: Signal, rate: int, times: float, rng: Chance) -> Signal:
    """Samples left out without a filter, and a good filter on the way back."""
    n = int(times)
    return np.asarray(resampled(x[::n], rate // n, rate))[: len(x)]


def _linear(x: Signal, rate: int, times: float, rng: Chance) -> Signal:
    """The same, and straight lines between the samples that were left."""
    n = int(times)
    places = np.arange(0, len(x), n)
    return np.interp(np.arange(len(x)), places, x[::n])


def _lowpass(x: Signal, rate: int, hertz: float, rng: Chance) -> Signal:
    return np.asarray(sosfilt(butter(8, hertz, fs=rate, output="sos"), x))


def _highpass(x: Signal, rate: int, hertz: float, rng: Chance) -> Signal:
    return np.asarray(sosfilt(butter(6, hertz, "high", fs=rate, output="sos"), x))


def _some(rows: Signal, share: float, rng: Chance) -> npt.NDArray[np.intp]:
    return np.flatnonzero(rng.random(len(rows)) < share)


def _repeat(x: Signal, rate: int, share: float, rng: Chance) -> Signal:
    """Frames in whose place the one before comes again."""
    rows = _rows(x, rate).copy()
    for at in _some(rows, share, rng):
        if at:
            rows[at] = rows[at - 1]
    return rows.ravel()


def _stutter(frames: int) -> Distort:
    """Pieces of so many frames that are sent twice, as packets are: what follows comes later."""

    def distort(x: Signal, rate: int, share: float, rng: Chance) -> Signal:
        rows = _rows(x, rate)
        pieces = rows[: len(rows) // frames * frames].reshape(-1, frames * rows.shape[1])
        counts = np.where(rng.random(len(pieces)) < share, 2, 1)
        return np.repeat(pieces, counts, axis=0).ravel()

    return distort


def _mute(x: Signal, rate: int, share: float, rng: Chance) -> Signal:
    """Frames in whose place silence comes, and nobody reports it."""
    rows = _rows(x, rate).copy()
    rows[_some(rows, share, rng)] = 0
    return rows.ravel()


def _mute_bursts(x: Signal, rate: int, share: float, rng: Chance) -> Signal:
    rows = _rows(x, rate).copy()
    for at in _some(rows, share / 5, rng):
        rows[at : at + 5] = 0
    return rows.ravel()


def _drop(x: Signal, rate: int, share: float, rng: Chance) -> Signal:
    """Frames that are missing: what follows comes at once."""
    rows = _rows(x, rate)
    return rows[rng.random(len(rows)) >= share].ravel()


def _swap(x: Signal, rate: int, share: float, rng: Chance) -> Signal:
    """Pairs of frames that come in the wrong order."""
    rows = _rows(x, rate).copy()
    at = 0
    while at + 1 < len(rows):
        if rng.random() < share:
            rows[[at, at + 1]] = rows[[at + 1, at]]
            at += 1
        at += 1
    return rows.ravel()


def _reverse(x: Signal, rate: int, share: float, rng: Chance) -> Signal:
    """Frames whose samples come backwards."""
    rows = _rows(x, rate).copy()
    for at in _some(rows, share, rng):
        rows[at] = rows[at, ::-1]
    return rows.ravel()


def _edges(x: Signal, rate: int, height: float, rng: Chance) -> Signal:
    """A click where frames meet: the first sample is garbage, as of a header in the audio."""
    rows = _rows(x, rate).copy()
    level = _level(x, rate) * height
    rows[:, :2] += rng.choice((-1.0, 1.0), (len(rows), 1)) * level
    return rows.ravel()


def _edges_40(x: Signal, rate: int, height: float, rng: Chance) -> Signal:
    """The same in every other frame."""
    rows = _rows(x, rate).copy()
    level = _level(x, rate) * height
    rows[::2, :2] += rng.choice((-1.0, 1.0), (len(rows[::2]), 1)) * level
    return rows.ravel()


def _resets(x: Signal, rate: int, share: float, rng: Chance) -> Signal:
    """A converter without memory: each chunk loses its last samples, and is stretched again."""
    rows = _rows(x, rate)
    size = rows.shape[1]
    lost = max(1, int(size * share))
    places = np.linspace(0, size - 1 - lost, size)
    return np.concatenate([np.interp(places, np.arange(size), row) for row in rows])


def _short(x: Signal, rate: int, lost: float, rng: Chance) -> Signal:
    """Each frame misses its last samples, which are silent."""
    rows = _rows(x, rate).copy()
    rows[:, rows.shape[1] - int(lost) :] = 0
    return rows.ravel()


def _gains(x: Signal, rate: int, decibels: float, rng: Chance) -> Signal:
    """A gain of its own for each frame."""
    rows = _rows(x, rate)
    gains = 10 ** (rng.uniform(-decibels, decibels, (len(rows), 1)) / 20)
    return (rows * gains).ravel()


def _pump(x: Signal, rate: int, decibels: float, rng: Chance) -> Signal:
    """A gain that wanders four times a second."""
    at = np.arange(len(x)) / rate
    return x * 10 ** (decibels * np.sin(2 * np.pi * 4 * at) / 20)


def _chop(x: Signal, rate: int, factor: float, rng: Chance) -> Signal:
    """A gate that opens too late and closes too early: quiet parts of words are lost."""
    rows = _rows(x, rate).copy()
    levels = np.sqrt((rows**2).mean(axis=1))
    rows[levels < factor * _level(x, rate)] = 0
    return rows.ravel()


def _bits(x: Signal, rate: int, bits: float, rng: Chance) -> Signal:
    step = 2.0 ** (16 - bits)
    return np.asarray(np.round(x / step) * step)


def _bit_errors(x: Signal, rate: int, share: float, rng: Chance) -> Signal:
    """Bits of the linear samples that flip."""
    words = np.clip(np.round(x), -32_768, 32_767).astype("<i2").view(np.uint16)
    hit = rng.random(len(words)) < share
    flips = (1 << rng.integers(0, 16, int(hit.sum()))).astype(np.uint16)
    words = words.copy()
    words[hit] ^= flips
    return words.view("<i2").astype(np.float64)


def _impulses(x: Signal, rate: int, per_second: float, rng: Chance) -> Signal:
    out = x.copy()
    count = int(len(x) / rate * per_second)
    out[rng.integers(0, len(x), count)] += rng.choice((-1.0, 1.0), count) * 12_000
    return out


def _echo(x: Signal, rate: int, decibels: float, rng: Chance) -> Signal:
    delay = int(0.18 * rate)
    out = x.copy()
    out[delay:] += x[:-delay] * 10 ** (-decibels / 20)
    return out


def _reverb(x: Signal, rate: int, seconds: float, rng: Chance) -> Signal:
    n = int(seconds * rate)
    tail = rng.normal(0, 1, n) * np.exp(-6.9 * np.arange(n) / n)
    tail /= np.sqrt((tail**2).sum())
    return np.asarray((x + np.convolve(x, tail)[: len(x)]) / np.sqrt(2))


def _offset(x: Signal, rate: int, level: float, rng: Chance) -> Signal:
    return x + level


def _speed(x: Signal, rate: int, factor: float, rng: Chance) -> Signal:
    """Samples of one rate that are played at another: factor 2 is twice as fast."""
    places = np.arange(0, len(x) - 1, factor)
    if factor > 1:
        edge = min(0.95 * rate / 2 / factor, 0.49 * rate)
        x = np.asarray(sosfilt(butter(8, edge, fs=rate, output="sos"), x))
    return np.asarray(np.interp(places, np.arange(len(x)), x))


def _misread(way: str) -> Distort:
    def distort(x: Signal, rate: int, strength: float, rng: Chance) -> Signal:
        linear = np.clip(np.round(x), -32_768, 32_767).astype("<i2").tobytes()
        out = MISREADINGS[way](linear)
        return np.frombuffer(out, dtype="<i2").astype(np.float64)

    return distort


def _passage(spoil: Distort, strength: float) -> Distort:
    """Some seconds of a passage are spoilt, and the rest is good."""

    def distort(x: Signal, rate: int, seconds: float, rng: Chance) -> Signal:
        n = int(seconds * rate)
        start = int(rng.integers(rate, max(rate + 1, len(x) - n)))
        start -= start % (rate // 50)
        part = spoil(x[start : start + n], rate, strength, rng)
        return np.concatenate([x[:start], part[:n], x[start + n :]])

    return distort


def _conceal(x: Signal, rate: int, share: float, rng: Chance) -> Signal:
    """Lost packets: the last one again, quieter each time, as simple receivers do."""
    rows = _rows(x, rate).copy()
    gain = 1.0
    for at in range(1, len(rows)):
        if rng.random() < share:
            gain *= 0.6
            rows[at] = rows[at - 1] * gain if gain < 0.6 else rows[at - 1] * 0.6
        else:
            gain = 1.0
    return rows.ravel()


def _late_starts(x: Signal, rate: int, seconds: float, rng: Chance) -> Signal:
    """The beginnings of phrases are lost."""
    out = x.copy()
    active = _active(x, rate)
    size = rate // 50
    lost = int(seconds * 50)
    silent = 100
    for at, speaks in enumerate(active):
        if speaks and silent >= 8:
            out[at * size : (at + lost) * size] = 0
        silent = 0 if speaks else silent + 1
    return out


def _by_program(x: Signal, commands: list[list[str]]) -> Signal:
    data = np.clip(np.round(x), -32_768, 32_767).astype("<i2").tobytes()
    for command in commands:
        data = subprocess.run(command, input=data, check=True, capture_output=True).stdout
    out = np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.float64)
    return np.pad(out, (0, max(0, len(x) - len(out))))[: len(x)]


_RAW: Final = ["-t", "raw", "-r", "8000", "-e", "signed", "-b", "16", "-c", "1", "-"]


def _gsm(x: Signal, rate: int, times: float, rng: Chance) -> Signal:
    there, back = ["sox", *_RAW, "-t", "gsm", "-"], ["sox", "-t", "gsm", "-", *_RAW]
    return _by_program(x, [there, back] * int(times))


def _codec2(x: Signal, rate: int, bits: float, rng: Chance) -> Signal:
    mode = str(int(bits))
    return _by_program(x, [["c2enc", mode, "-", "-"], ["c2dec", mode, "-", "-"]])


def _ima(x: Signal, rate: int, bits: float, rng: Chance) -> Signal:
    return _by_program(
        x,
        [
            ["sox", *_RAW, "-t", "vox", "-r", "8000", "-"],
            ["sox", "-t", "vox", "-r", "8000", "-", *_RAW],
        ],
    )


_WIDE: Final = (8_000, 16_000, 24_000)
_NOISE: Final = _passage(_misread("u-law read as linear"), 0.0)

KINDS: Final[dict[str, Kind]] = {
    "clean": Kind(_clean, (0.0, 0.0), "", rates=_WIDE),
    "level": Kind(_gain, (-12.0, -5.0, 4.0), "{:+.0f} dB"),
    "comfort noise": Kind(_comfort, (30.0, 90.0), "RMS {:.0f}"),
    "breath": Kind(_breath, (150.0, 400.0), "RMS {:.0f}"),
    "white noise": Kind(_white, (35.0, 25.0, 18.0, 10.0, 0.0), "{:.0f} dB under", rates=_WIDE),
    "pink noise": Kind(_pink, (25.0, 15.0, 5.0), "{:.0f} dB under"),
    "hum": Kind(_hum, (25.0, 12.0, 3.0), "{:.0f} dB under", held_back=True),
    "clipping": Kind(_clip, (8.0, 14.0, 22.0), "{:+.0f} dB"),
    "wrap-around": Kind(_wrap, (6.0, 10.0, 16.0), "{:+.0f} dB"),
    "held samples": Kind(_hold, (2.0, 3.0, 4.0), "each {:.0f} times", rates=_WIDE),
    "straight lines": Kind(_linear, (2.0, 3.0, 4.0), "of each {:.0f}th"),
    "aliasing": Kind(_alias, (2.0, 3.0, 4.0), "each {:.0f}th sample"),
    "low pass": Kind(_lowpass, (2_400.0, 1_600.0, 900.0), "{:.0f} Hz"),
    "high pass": Kind(_highpass, (500.0, 900.0), "{:.0f} Hz"),
    "frames repeated": Kind(_repeat, (0.02, 0.06, 0.2), "{:.0%}", rates=_WIDE),
    "frames sent twice": Kind(_stutter(1), (0.05, 0.2), "{:.0%}", held_back=True),
    "frames silent": Kind(_mute, (0.01, 0.04, 0.15), "{:.0%}", rates=_WIDE),
    "frames silent, in fives": Kind(_mute_bursts, (0.03, 0.1), "{:.0%}", held_back=True),
    "frames missing": Kind(_drop, (0.02, 0.06, 0.2), "{:.0%}"),
    "frames in wrong order": Kind(_swap, (0.05, 0.3), "{:.0%}", held_back=True),
    "frames backwards": Kind(_reverse, (0.1, 1.0), "{:.0%}", held_back=True),
    "clicks at edges": Kind(_edges, (0.3, 1.0, 3.0), "{:.1f} of the level", rates=_WIDE),
    "clicks at each second edge": Kind(_edges_40, (0.6, 2.0), "{:.1f} of the level"),
    "converter resets": Kind(_resets, (0.02, 0.1), "{:.0%} lost"),
    "short frames": Kind(_short, (8.0, 32.0), "{:.0f} samples", held_back=True),
    "gains by frame": Kind(_gains, (3.0, 10.0), "{:.0f} dB", held_back=True),
    "pumping": Kind(_pump, (4.0, 10.0), "{:.0f} dB", traced=False),
    "gated": Kind(_chop, (0.1, 0.3), "under {:.0%}", traced=False),
    "few bits": Kind(_bits, (8.0, 6.0, 5.0), "{:.0f}"),
    "bit errors": Kind(_bit_errors, (0.001, 0.01, 0.05), "{:.1%}"),
    "impulses": Kind(_impulses, (2.0, 10.0, 50.0), "{:.0f} a second"),
    "echo": Kind(_echo, (20.0, 8.0), "{:.0f} dB under", traced=False),
    "reverberation": Kind(_reverb, (0.2, 0.6), "{:.1f} s", traced=False),
    "offset": Kind(_offset, (1_000.0, 6_000.0), "{:.0f}", traced=False),
    "rate": Kind(_speed, (0.5, 0.667, 1.5, 2.0), "{:.2g} times"),
    "rate, slightly wrong": Kind(_speed, (0.919, 1.088), "{:.3g} times", traced=False),
    "u-law read as A-law": Kind(_misread("u-law read as A-law"), (0.0,), ""),
    "A-law read as u-law": Kind(_misread("A-law read as u-law"), (0.0,), ""),
    "u-law read as linear": Kind(_misread("u-law read as linear"), (0.0,), ""),
    "linear read as u-law": Kind(_misread("linear read as u-law"), (0.0,), ""),
    "bytes swapped": Kind(_misread("bytes swapped"), (0.0,), ""),
    "corrupt seconds": Kind(_passage(_misread("bytes swapped"), 0.0), (1.0, 3.0), "{:.0f} s"),
    "noisy seconds": Kind(_passage(_white, 5.0), (1.0, 3.0), "{:.0f} s"),
    "concealed losses": Kind(_conceal, (0.03, 0.15), "{:.0%}", held_back=True),
    "lost beginnings": Kind(_late_starts, (0.1, 0.3), "{:.1f} s", traced=False),
    "GSM": Kind(_gsm, (1.0, 2.0), "{:.0f} times", traced=False),
    "IMA ADPCM": Kind(_ima, (4.0,), "{:.0f} bits", traced=False),
    "Codec 2": Kind(_codec2, (3_200.0, 1_300.0), "{:.0f} bit/s", traced=False),
    "noise under 900 Hz": Kind(_band(0, 900), (15.0, 5.0), "{:.0f} dB under", rates=_WIDE),
    "noise at 1 to 2 kHz": Kind(_band(1_000, 2_000), (15.0, 5.0), "{:.0f} dB under", rates=_WIDE),
    "noise over 2 kHz": Kind(_band(2_000, 3_800), (15.0, 5.0), "{:.0f} dB under", rates=_WIDE),
    "clipped, then quieter": Kind(
        _flat_tops, (2.5, 1.5, 0.8), "at {:.1f} times the level", rates=_WIDE
    ),
    "pieces sent twice": Kind(_stutter(3), (0.03, 0.1, 0.3), "{:.0%}", rates=_WIDE),
}
"""Every kind, by its name."""

GOOD: Final = ("clean", "comfort noise", "breath", "level")
"""Kinds that leave speech as good as it was, where the level stays in its range."""


@dataclass(frozen=True, eq=False)
class Sent:
    """What is sent instead of a passage."""

    speech: Speech
    kind: str
    strength: float
    rate: int
    encoding: str
    samples: Signal
    """At ``rate``, on the scale of 16-bit audio."""

    @property
    def name(self) -> str:
        """What the sample is called."""
        return f"{self.speech.name}, {self.kind}, {self.detail}"

    @property
    def detail(self) -> str:
        """How strong the distortion is, and in what format it was sent."""
        text = KINDS[self.kind].unit.format(self.strength)
        return f"{text}{', ' if text else ''}{self.encoding} at {self.rate // 1000} kHz"

    @property
    def payload(self) -> bytes:
        """Return the bytes that are sent."""
        linear = np.clip(np.round(self.samples), -32_768, 32_767).astype("<i2").tobytes()
        return ENCODERS[self.encoding](linear)

    def frames(self) -> list[bytes]:
        """Return the same in frames of 20 ms; what is left over is not sent."""
        data = self.payload
        size = self.rate // 50 * (2 if self.encoding == "slin16" else 1)
        return [data[at : at + size] for at in range(0, len(data) - size + 1, size)]

    def at_the_telephone(self) -> Signal:
        """Return what the caller hears: 8 kHz."""
        whole = toolkit.decode(self.payload, self.encoding).astype(np.float64)
        return resampled(whole, self.rate, TELEPHONE_RATE)


def sent(speech: Speech) -> Iterator[Sent]:
    """Yield a passage with every kind, in the formats of engines in turn.

    A talker's passages share the strengths of a kind: one takes the first, the other the second.
    """
    turn = int(speech.name.rpartition(" ")[2])
    for name, kind in KINDS.items():
        for number, strength in enumerate(kind.strengths):
            if len(kind.strengths) > 1 and (number + turn) % 2:
                continue
            yield _sent(speech, name, number, strength)


def _sent(speech: Speech, name: str, number: int, strength: float) -> Sent:
    place = _number_of(f"{speech.name}/{name}/{number}")
    kind = KINDS[name]
    rate = kind.rates[(place >> 8) % len(kind.rates)]
    encoding = ("slin16", "ulaw", "slin16", "alaw")[(place >> 16) % 4]
    encoding = encoding if rate == TELEPHONE_RATE else "slin16"
    rng = np.random.default_rng(place)
    samples = kind.distort(speech.at(rate), rate, strength, rng)
    return Sent(speech, name, strength, rate, encoding, samples)


def _number_of(text: str) -> int:
    """Return the same number for a text on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
