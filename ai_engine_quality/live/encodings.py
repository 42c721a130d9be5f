"""Encodings of raw telephone frames. numpy only: ``audioop`` left Python in 3.13."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from ai_engine_quality.core.call import FrameFormat
from ai_engine_quality.core.observations import DropReason, Rejected

Samples = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

SAMPLE_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Hz: what telephones, providers and browsers use."""

MAX_FRAME_SECONDS = 0.2
"""Longer than this isn't a frame but a recording."""

_ALIASES = {
    "ulaw": ("ulaw", "mulaw", "mu-law", "pcmu", "g711_ulaw", "g711ulaw"),
    "alaw": ("alaw", "a-law", "pcma", "g711_alaw", "g711alaw"),
    "slin16": ("slin16", "slin", "linear16", "pcm16"),
}

ENCODINGS = {alias: encoding for encoding, aliases in _ALIASES.items() for alias in aliases}
"""Names that engines and providers use, and the encoding that they mean."""


def frame_bytes(encoding: object, sample_rate: object, seconds: float) -> int | None:
    """Return how many bytes so much audio has; None where the encoding or rate is unknown."""
    try:
        known, rate = check_format(encoding, sample_rate)
    except Rejected:
        return None
    return round(rate * seconds) * sample_bytes(known)


def sample_bytes(encoding: str) -> int:
    """Return how many bytes a sample has, of an encoding by whichever of its names."""
    return 2 if ENCODINGS[encoding] == "slin16" else 1


@lru_cache(maxsize=256)  # bounded: lengths come from outside
def _frame_format(encoding: str, sample_rate: int, length: int) -> FrameFormat:
    """Return the format of a frame of so many bytes, of a known encoding and rate.

    Raises:
        Rejected: no frame of it has such a length.
    """
    if length == 0:
        raise Rejected(DropReason.FRAME_EMPTY)
    found = FrameFormat(ENCODINGS[encoding], sample_rate, length)
    if length % found.sample_bytes:
        raise Rejected(DropReason.FRAME_ODD_LENGTH)
    if found.seconds > MAX_FRAME_SECONDS:
        raise Rejected(DropReason.FRAME_OVERSIZED)
    return found


def check_frame(frame: object, encoding: object, sample_rate: object) -> tuple[bytes, FrameFormat]:
    """Return a frame's bytes, which nobody else can change, and its format.

    Raises:
        Rejected: it isn't a frame of telephone audio; the reason says why.
    """
    if not isinstance(frame, (bytes, bytearray, memoryview)):
        raise Rejected(DropReason.WRONG_TYPE)
    name, rate = check_format(encoding, sample_rate)  # a stranger's names must not fill the cache
    if len(frame) > 2 * SAMPLE_RATES[-1]:
        raise Rejected(DropReason.FRAME_OVERSIZED)
    data = bytes(frame)
    return data, _frame_format(name, rate, len(data))


def check_format(encoding: object, sample_rate: object) -> tuple[str, int]:
    """Return an encoding's name and a rate.

    Raises:
        Rejected: one of them is unknown.
    """
    if not isinstance(encoding, str) or encoding not in ENCODINGS:
        raise Rejected(DropReason.UNKNOWN_ENCODING)
    known = isinstance(sample_rate, int) and not isinstance(sample_rate, bool)
    if not known or sample_rate not in SAMPLE_RATES:
        raise Rejected(DropReason.UNKNOWN_SAMPLE_RATE)
    return encoding, sample_rate


def decode(data: bytes, encoding: str) -> Samples:
    """Return 16-bit sample values, as float32, of bytes in ``ulaw``, ``alaw`` or ``slin16``."""
    if encoding == "slin16":
        return np.frombuffer(data, dtype="<i2").astype(np.float32)
    return table(encoding).take(np.frombuffer(data, dtype=np.uint8))


@cache
def table(encoding: str) -> Samples:
    """Return the value of each of the 256 codes of ITU-T G.711."""
    code = np.arange(256, dtype=np.int32)
    return (_ulaw(code) if encoding == "ulaw" else _alaw(code)).astype(np.float32)


def _ulaw(code: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    inverted = ~code & 0xFF
    magnitude = (((inverted & 0x0F) << 3) + 0x84 << ((inverted & 0x70) >> 4)) - 0x84
    return np.where(inverted & 0x80, -magnitude, magnitude)


def _alaw(code: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    toggled = code ^ 0x55
    exponent = (toggled & 0x70) >> 4
    mantissa = (toggled & 0x0F) << 4
    magnitude = np.where(
        exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0)
    )
    return np.where(toggled & 0x80, magnitude, -magnitude)


def frame_rms(samples: Samples) -> Values:
    """Return the RMS of each row of a (frames, samples) array."""
    energy: Values = np.vecdot(samples, samples).astype(np.float64)
    levels: Values = np.sqrt(energy / samples.shape[-1])
    return levels
