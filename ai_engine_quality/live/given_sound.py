"""Agent audio that a provider handed over, as it is: how long it lasts, how much of it is silent.

Pieces of all calls are measured together, with the frames among which they came.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ai_engine_quality.core import observations
from ai_engine_quality.core.answer_audio import SILENT_RMS
from ai_engine_quality.core.observations import FRAME_SECONDS, DropReason, Rejected
from ai_engine_quality.live.encodings import (
    ENCODINGS,
    MAX_FRAME_SECONDS,
    SAMPLE_RATES,
    check_format,
    decode,
    frame_rms,
    sample_bytes,
)


class GivenSound(NamedTuple):
    """A piece of it."""

    data: bytes
    """As many whole frames."""
    encoding: str
    frames: int
    """By which silence is found: all of one length, and about as long as those that are sent."""
    seconds: float
    """With what is left beside those frames."""


def pieces_of(sound: object, encoding: object, sample_rate: object) -> Iterator[GivenSound]:
    """Return a chunk cut into pieces that are no longer than a frame may be; none of no audio.

    Raises:
        Rejected: it isn't telephone audio, or is too long; the reason says why.
    """
    if not isinstance(sound, (bytes, bytearray, memoryview)):
        raise Rejected(DropReason.WRONG_TYPE)
    name, rate = check_format(encoding, sample_rate)
    size = sample_bytes(name)
    observations.seconds(memoryview(sound).nbytes // size / rate)  # before any of it is copied
    return _cut(bytes(sound), ENCODINGS[name], size, rate)


def _cut(data: bytes, encoding: str, size: int, rate: int) -> Iterator[GivenSound]:
    longest = int(rate * MAX_FRAME_SECONDS) * size
    for first in range(0, len(data) - size + 1, longest):
        part = data[first : first + longest]
        frames, whole, seconds = _frames_of(len(part), size, rate)
        yield GivenSound(part[:whole], encoding, frames, seconds)


@lru_cache(maxsize=256)  # bounded: lengths come from outside
def _frames_of(length: int, size: int, rate: int) -> tuple[int, int, float]:
    """Return how many frames so many bytes are, how many bytes those have, and all the seconds."""
    samples = length // size
    frames = max(1, round(samples / (rate * FRAME_SECONDS)))
    return frames, samples // frames * frames * size, samples / rate


def only_piece(sound: object, encoding: object, sample_rate: object) -> GivenSound | None:
    """Return the one piece that a usual chunk is; None of any other, which ``pieces_of`` takes."""
    if type(sound) is not bytes or type(encoding) is not str or sample_rate not in SAMPLE_RATES:
        return None
    known = ENCODINGS.get(encoding)
    if known is None or type(sample_rate) is not int:
        return None
    length, size = len(sound), sample_bytes(known)
    if not size <= length <= sample_rate * MAX_FRAME_SECONDS * size:
        return None
    frames, whole, seconds = _frames_of(length, size, sample_rate)
    return GivenSound(sound if whole == length else sound[:whole], known, frames, seconds)


def silent_seconds(pieces: Sequence[GivenSound]) -> list[float]:
    """Return how much of each piece is silent: of its frames those under an RMS of 30."""
    groups: dict[tuple[str, int], list[int]] = {}
    for place, piece in enumerate(pieces):
        frame = len(piece.data) // piece.frames
        groups.setdefault((piece.encoding, frame), []).append(place)
    found = [0.0] * len(pieces)
    for (encoding, _), places in groups.items():
        chosen = [pieces[place] for place in places]
        for place, seconds in zip(places, _silent(chosen, encoding), strict=True):
            found[place] = seconds
    return found


def _silent(pieces: list[GivenSound], encoding: str) -> list[float]:
    """Return the same of pieces that have frames of one format."""
    ends = np.cumsum([piece.frames for piece in pieces])
    samples = decode(b"".join(piece.data for piece in pieces), encoding)
    silent = frame_rms(samples.reshape(int(ends[-1]), -1)) < SILENT_RMS
    counts = np.diff(np.cumsum(silent)[ends - 1], prepend=0).tolist()
    return [
        piece.seconds * (count / piece.frames) for piece, count in zip(pieces, counts, strict=True)
    ]
