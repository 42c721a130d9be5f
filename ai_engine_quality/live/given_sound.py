"""Agent audio that a provider handed over, as it is: how long it lasts, how much of it is silent.

Pieces of all calls are measured together, with the frames among which they came.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ai_engine_quality.core import observations
from ai_engine_quality.core.answer_audio import SILENT_RMS
from ai_engine_quality.core.observations import FRAME_SECONDS, DropReason, Rejected
from ai_engine_quality.live.encodings import (
    ENCODINGS,
    MAX_FRAME_SECONDS,
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
        samples = len(part) // size
        frames = max(1, round(samples / (rate * FRAME_SECONDS)))
        whole = samples // frames * frames * size
        yield GivenSound(part[:whole], encoding, frames, samples / rate)


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
