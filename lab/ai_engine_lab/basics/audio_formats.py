"""The audio formats on both sides of the engine, and the way between them.

Inside the engine speech is signed linear 16 bit, little endian, 8 kHz ("linear"). A provider may
speak another encoding or rate; decoding with a format that is not the one spoken yields noise,
exactly as it would on a telephone line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Encoding = Literal["slin16", "ulaw"]
Samples = NDArray[np.int16]

FRAME_SECONDS: Final = 0.02
LINEAR_RATE: Final = 8_000

_ULAW_BIAS: Final = 132
_ULAW_CLIP: Final = 32_635
_SMOOTHER: Final = 0.5


@dataclass(frozen=True)
class AudioFormat:
    """An encoding and its sample rate in Hz."""

    encoding: Encoding
    sample_rate: int

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return 2 if self.encoding == "slin16" else 1

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame of 20 ms."""
        return round(self.sample_rate * FRAME_SECONDS) * self.sample_bytes

    @property
    def bytes_per_second(self) -> int:
        """Bytes of one second of audio."""
        return self.sample_rate * self.sample_bytes

    def __str__(self) -> str:
        return f"{self.encoding}@{self.sample_rate}"


LINEAR: Final = AudioFormat("slin16", LINEAR_RATE)
FRAME_BYTES: Final = LINEAR.frame_bytes
SILENCE: Final = bytes(FRAME_BYTES)


def samples_of(linear: bytes) -> Samples:
    """The samples of linear audio, without a copy."""
    return np.frombuffer(linear, dtype="<i2")


def rms(linear: bytes) -> float:
    """16-bit RMS of linear audio; 0 for nothing."""
    samples = samples_of(linear).astype(np.float32)
    return float(np.sqrt(samples @ samples / samples.size)) if samples.size else 0.0


def amplified(linear: bytes, gain: float) -> bytes:
    """Linear audio, so many times as loud; what is too loud is clipped."""
    louder = samples_of(linear).astype(np.float32) * gain
    return np.clip(np.round(louder), -32_768, 32_767).astype("<i2").tobytes()


def swapped(data: bytes) -> bytes:
    """16-bit audio with the two bytes of every sample in the other order."""
    return np.frombuffer(data, dtype=np.uint16).byteswap().tobytes()


def in_wrong_order(data: bytes) -> bool:
    """Whether 16-bit audio is speech only in the other byte order: far smoother that way."""
    return _roughness(swapped(data)) < _SMOOTHER * _roughness(data)


def _roughness(linear: bytes) -> float:
    """The mean step from a sample to the next."""
    samples = samples_of(linear).astype(np.float32)
    return float(np.abs(np.diff(samples)).mean()) if samples.size > 1 else 0.0


def encode(linear: bytes, target: AudioFormat) -> bytes:
    """Linear audio as `target` carries it."""
    samples = samples_of(linear)
    if target.sample_rate != LINEAR_RATE:
        samples = _upsampled(samples, target.sample_rate // LINEAR_RATE)
    if target.encoding == "ulaw":
        return _ulaw_encoded(samples).tobytes()
    return samples.astype("<i2").tobytes()


def decode(data: bytes, source: AudioFormat) -> bytes:
    """Linear audio out of audio in `source` format; an incomplete last sample is dropped."""
    if source.encoding == "ulaw":
        samples = _ULAW_DECODED[np.frombuffer(data, dtype=np.uint8)]
    else:
        samples = np.frombuffer(data[: len(data) - len(data) % 2], dtype="<i2")
    # Telephone speech holds nothing above 4 kHz, so that leaving samples out needs no filter first.
    return samples[:: source.sample_rate // LINEAR_RATE].astype("<i2").tobytes()


def _upsampled(samples: Samples, factor: int) -> Samples:
    if not samples.size:
        return samples
    spectrum = np.fft.rfft(samples.astype(np.float64))
    wide = np.fft.irfft(spectrum, n=samples.size * factor) * factor
    return to_int16(wide)


def to_int16(signal: NDArray[np.floating]) -> Samples:
    """Round to 16 bits; what is too loud is cut off at full scale."""
    return np.clip(np.round(signal), -32_768, 32_767).astype(np.int16)


def _ulaw_encoded(samples: Samples) -> NDArray[np.uint8]:
    """G.711 mu-law: a sign, a 3-bit segment and 4 bits within it, all inverted."""
    wide = samples.astype(np.int32)
    magnitude = np.minimum(np.abs(wide), _ULAW_CLIP) + _ULAW_BIAS
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    step = (magnitude >> (segment + 3)) & 0x0F
    sign = np.where(wide < 0, 0x80, 0)
    return np.asarray(~(sign | (segment << 4) | step) & 0xFF, dtype=np.uint8)


def _ulaw_table() -> Samples:
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + _ULAW_BIAS) << ((code >> 4) & 0x07)) - _ULAW_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


_ULAW_DECODED: Final = _ulaw_table()
