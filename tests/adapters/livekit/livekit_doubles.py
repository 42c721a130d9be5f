"""Doubles with LiveKit's names: a session, its input and output, and frames."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest


@dataclass
class AudioFrame:
    """LiveKit's frame of samples."""

    data: bytes
    sample_rate: int = 16_000
    num_channels: int = 1


class AudioInput:
    """Yields the caller's frames."""

    def __init__(self, *frames: AudioFrame) -> None:
        self._frames = iter(frames)

    def __aiter__(self) -> AudioInput:
        return self

    async def __anext__(self) -> AudioFrame:
        try:
            return next(self._frames)
        except StopIteration:
            raise StopAsyncIteration from None


class AudioOutput:
    """Plays the agent's frames, or hands them to the next in the chain."""

    def __init__(self, next_in_chain: AudioOutput | None = None) -> None:
        self.next_in_chain = next_in_chain
        self.captured: list[AudioFrame] = []

    async def capture_frame(self, frame: AudioFrame) -> None:
        """Take a frame."""
        self.captured.append(frame)

    def flush(self) -> None:
        """Take the end of an answer."""

    def clear_buffer(self) -> None:
        """Throw away what is not played yet."""

    def pause(self) -> None:
        """Stand still."""

    def resume(self) -> None:
        """Go on."""


class AudioSource:
    """A room's track."""

    async def capture_frame(self, frame: AudioFrame) -> None:
        """Play a frame after those before it."""

    def clear_queue(self) -> None:
        """Throw away what is not played yet."""


class RoomOutput(AudioOutput):
    """An output with a track of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._audio_source = AudioSource()


class AgentIO:
    """A session's input or output: tells when the stream is another."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._audio_changed = changed
        self._audio: Any = None

    @property
    def audio(self) -> Any:
        """The stream."""
        return self._audio

    @audio.setter
    def audio(self, stream: Any) -> None:
        self._audio = stream
        self._audio_changed()


class STT:
    """Somebody's recogniser."""

    provider, model = "Deepgram", "nova-3"


class LLM:
    """Somebody's model, which does not say whose."""

    provider, model = "unknown", "unknown"


class TTS:
    """Somebody's synthesiser."""

    provider, model = "Cartesia", "sonic"


class AgentSession:
    """A session that emits events."""

    def __init__(self) -> None:
        self.input, self.output = AgentIO(self._changed), AgentIO(self._changed)
        self.stt, self.llm, self.tts = STT(), LLM(), TTS()
        self._takers: dict[str, list[Callable[[Any], None]]] = {}

    def _changed(self) -> None:
        """Do nothing: nobody forwards here."""

    def on(self, event: str, take: Callable[[Any], None]) -> None:
        """Take whom to tell of an event."""
        self._takers.setdefault(event, []).append(take)

    def emit(self, event: str, **fields: Any) -> None:
        """Tell of an event."""
        for take in self._takers.get(event, ()):
            take(types.SimpleNamespace(**fields))

    async def _aclose_impl(self, *, reason: Any, drain: bool = False, error: Any = None) -> None:
        self.emit("close", reason=reason, error=error, drain=drain)

    def close(self, reason: str) -> None:
        """Close, for a reason."""
        asyncio.run(self._aclose_impl(reason=types.SimpleNamespace(value=reason)))


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the doubles be imported under LiveKit's own name."""
    for name in ("livekit", "livekit.agents"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))


def tone(seconds: float, rate: int = 16_000, channels: int = 1) -> AudioFrame:
    """Return a frame with a tone: sound, whatever it says."""
    at = np.arange(round(seconds * rate)) / rate
    samples = (np.sin(2 * np.pi * 300 * at) * 3000).astype("<i2")
    return AudioFrame(np.repeat(samples, channels).tobytes(), rate, channels)
