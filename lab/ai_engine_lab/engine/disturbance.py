"""What faults do to the audio between the engine and the caller, both ways."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ai_engine_lab.basics.audio_formats import FRAME_BYTES, samples_of, swapped
from ai_engine_lab.engine.faults import Conditions
from ai_engine_lab.engine.transport import Transport, TransportError

_HISS_FRAMES: Final = 500
_BABBLE_FRAMES: Final = 55
_INTO_AN_ANSWER: Final = 50
_ONCE: Final = 1_000_000
_ANSWER_IS_OVER: Final = 15
"""Frames without the agent's voice, after which what it says is another answer."""


class DisturbedTransport:
    """A transport on which writes fail when the conditions say so.

    Files are played all the same: the telephone system does that by itself.
    """

    def __init__(self, transport: Transport, conditions: Callable[[], Conditions]) -> None:
        self._transport = transport
        self._conditions = conditions
        self._written = 0

    async def send(self, frame: bytes) -> None:
        """Put one frame on the wire, unless it fails."""
        conditions = self._conditions()
        if not conditions.connected:
            raise TransportError("the audio connection is lost")
        every = conditions.frames_per_write_failure
        self._written += 1
        if every and self._written % every == 0:
            raise TransportError("the write failed")
        await self._transport.send(frame)

    async def play_file(self, linear: bytes) -> None:
        """Have the audio played round the stream."""
        await self._transport.play_file(linear)


class DisturbedLine:
    """The caller's line as the conditions make it."""

    def __init__(self, conditions: Callable[[], Conditions]) -> None:
        self._conditions = conditions
        self._at = 0
        self._said = 0
        """Frames of what the agent is saying."""
        self._quiet = 0
        """Frames for which it has said nothing."""
        self._babble = 0
        """Frames that the voices beside the caller have still to say."""

    @property
    def connected(self) -> bool:
        """Whether anything comes through."""
        return self._conditions().connected

    def from_caller(self, frame: bytes) -> bytes:
        """A linear frame of the caller's, as it arrives."""
        conditions = self._conditions()
        if conditions.muted:
            return bytes(len(frame))
        level = max(conditions.hiss_rms, conditions.babble_rms if self._babbles() else 0.0)
        if not level or len(frame) != FRAME_BYTES:
            return frame
        self._at = (self._at + 1) % _HISS_FRAMES
        noisy = samples_of(frame) + _hiss()[self._at] * np.float32(level)
        return bytes(np.clip(noisy, -32_768, 32_767).astype("<i2"))

    def _babbles(self) -> bool:
        """Whether the voices beside the caller speak now: once in each answer."""
        self._quiet += 1
        if self._quiet > _ANSWER_IS_OVER:
            self._said = 0
        elif self._said >= _INTO_AN_ANSWER:
            self._said, self._babble = -_ONCE, _BABBLE_FRAMES
        self._babble -= self._babble > 0
        return self._babble > 0

    def to_caller(self, frame: bytes) -> bytes:
        """A linear frame of the agent's, as it is put on the wire."""
        self._said, self._quiet = self._said + 1, 0
        return swapped(frame) if self._conditions().swapped else frame


@functools.cache
def _hiss() -> NDArray[np.float32]:
    """Frames of white noise, RMS 1."""
    shape = (_HISS_FRAMES, FRAME_BYTES // 2)
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)
