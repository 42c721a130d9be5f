"""The way between the engine and the caller's telephone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from ai_engine_lab.basics.audio_formats import FRAME_BYTES, FRAME_SECONDS


class TransportError(ConnectionError):
    """A frame could not be written to the caller."""


class Transport(Protocol):
    """One call's audio connection. Frames are linear (slin16, 8 kHz), 20 ms each."""

    async def send(self, frame: bytes) -> None:
        """Put one frame on the wire; raises `OSError` (e.g. `TransportError`) when that fails."""

    async def play_file(self, linear: bytes) -> None:
        """Have the telephone system play audio itself, round a broken stream, to its end."""


class Loopback:
    """A wire inside the process: what the engine sends is what the caller hears.

    `write_fault` is asked before every frame, and raises where the write shall fail.
    """

    def __init__(
        self, hear: Callable[[bytes], None], write_fault: Callable[[], None] | None = None
    ) -> None:
        self._hear = hear
        self._write_fault = write_fault

    async def send(self, frame: bytes) -> None:
        """Let the caller hear one frame, unless the write fails."""
        if self._write_fault is not None:
            self._write_fault()
        self._hear(frame)

    async def play_file(self, linear: bytes) -> None:
        """Let the caller hear the audio at its own pace, not through the stream."""
        for at in range(0, len(linear), FRAME_BYTES):
            self._hear(linear[at : at + FRAME_BYTES])
            await asyncio.sleep(FRAME_SECONDS)


TransportFactory = Callable[[Callable[[bytes], None]], Transport]
"""Makes a call's transport, given where the caller listens."""
