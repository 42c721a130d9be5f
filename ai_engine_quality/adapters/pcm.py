"""Chunks of linear 16-bit audio, as frameworks hand them over, cut into frames for the ear."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ai_engine_quality.core.observations import FRAME_SECONDS
from ai_engine_quality.live.handle import CallHandle

MOST_AHEAD_SECONDS = 0.2
"""A frame's time is no further in the future: the other side's would come too late beside it. The
ear knows that what is sent early is heard later."""

_BYTES = 2


def one_channel(data: bytes, channels: int) -> bytes:
    """Return the first channel of interleaved samples: telephones have one, others the same."""
    if channels <= 1:
        return data
    whole = len(data) - len(data) % (_BYTES * channels)
    return np.frombuffer(data[:whole], dtype="<i2")[::channels].tobytes()


def seconds_of(data: bytes, rate: int) -> float:
    """Return how long one channel of samples lasts."""
    return len(data) // _BYTES / rate


def cut(data: bytes, rate: int) -> Iterator[tuple[float, bytes]]:
    """Yield (seconds from its start, frame): as many frames as are nearest to 20 ms each."""
    samples = len(data) // _BYTES
    frames = max(1, round(samples / rate / FRAME_SECONDS))
    edges = [samples * number // frames for number in range(frames + 1)]
    for start, end in pairwise(edges):
        if end > start:
            yield start / rate, data[start * _BYTES : end * _BYTES]


def give(handle: CallHandle, data: bytes, rate: int) -> float:
    """Tell a call of audio that its agent is to say; return how long it lasts."""
    seconds = seconds_of(data, rate)
    if seconds:
        handle.sound_given(data, encoding="slin16", sample_rate=rate)
    return seconds


class Track:
    """One side of a call, whose chunks go to the ear frame by frame.

    Args:
        handle: The call.
        stage: Where the chunks are seen.
    """

    __slots__ = ("_handle", "_stage")

    def __init__(self, handle: CallHandle, stage: str) -> None:
        self._handle = handle
        self._stage = stage

    def sent(self, data: bytes, rate: int, at: float) -> None:
        """Take a chunk that begins to be played at a time; its frames follow each other."""
        for after, frame in cut(data, rate):
            self._take(frame, rate, at + min(after, MOST_AHEAD_SECONDS))

    def received(self, data: bytes, rate: int, at: float) -> None:
        """Take a chunk that has come as a whole: its last frame has just been spoken."""
        length = seconds_of(data, rate)
        for after, frame in cut(data, rate):
            self._take(frame, rate, at - length + after + seconds_of(frame, rate))

    def _take(self, frame: bytes, rate: int, at: float) -> None:
        self._handle.audio(self._stage, frame, encoding="slin16", sample_rate=rate, at=at)
