"""Doubles with Pipecat's names: frames, processors and a worker that hands frames to observers."""

from __future__ import annotations

import asyncio
import sys
import types
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import pytest


@dataclass
class Frame:
    """What flows through a pipeline."""

    interruptible: bool = True


@dataclass
class OutputAudioRawFrame(Frame):
    """Audio for the caller."""

    audio: bytes = b""
    sample_rate: int = 16_000
    num_channels: int = 1
    context_id: str | None = None


class TTSAudioRawFrame(OutputAudioRawFrame):
    """Audio that a synthesiser made."""


class InputAudioRawFrame(OutputAudioRawFrame):
    """Audio of the caller's."""


@dataclass
class TTSTextFrame(Frame):
    """Text that is spoken."""

    text: str = ""
    includes_inter_frame_spaces: bool = True


@dataclass
class TTSStoppedFrame(Frame):
    """The end of what a synthesiser made."""

    context_id: str | None = None


@dataclass
class EndFrame(Frame):
    """The end, once all has been played."""

    reason: Any = None


class CancelFrame(EndFrame):
    """The end, at once."""


@dataclass
class ErrorFrame(Frame):
    """An error."""

    processor: Any = None
    fatal: bool = False


class ClientConnectedFrame(Frame):
    """Somebody is there."""


class InterruptionFrame(Frame):
    """The caller speaks."""


class BotStartedSpeakingFrame(Frame):
    """The agent speaks."""


class BotStoppedSpeakingFrame(Frame):
    """The agent is silent."""


@dataclass
class TTFBMetricsData:
    """What a service's first answer took."""

    processor: str
    value: float


@dataclass
class MetricsFrame(Frame):
    """What services measure of themselves."""

    data: list[Any] = field(default_factory=list)


@dataclass
class FunctionCallInProgressFrame(Frame):
    """A tool runs."""

    tool_call_id: str = "t1"


class FunctionCallResultFrame(FunctionCallInProgressFrame):
    """It has ended."""


@dataclass
class VADUserStoppedSpeakingFrame(Frame):
    """The caller is silent."""

    stop_secs: float = 0.2


class TranscriptionFrame(Frame):
    """The caller's words."""


class LLMFullResponseStartFrame(Frame):
    """The model begins."""


class LLMTextFrame(Frame):
    """The model's words."""


class TTSStartedFrame(Frame):
    """The synthesiser begins."""


class Direction(Enum):
    """Where a frame flows."""

    DOWNSTREAM = 1
    UPSTREAM = 2


class BaseObserver:
    """Pipecat's base of observers."""

    def __init__(self, *, observe_every_push: bool = True) -> None:
        self.observe_every_push = observe_every_push

    async def cleanup(self) -> None:
        """Leave."""


class BaseInputTransport:
    """Takes the caller's audio."""

    async def push_audio_frame(self, frame: Any) -> None:
        """Take a frame."""


class BaseOutputTransport:
    """Writes the agent's audio."""

    def __init__(self) -> None:
        self.written: list[Any] = []
        self.works = True

    async def write_audio_frame(self, frame: Any) -> bool:
        """Write a frame."""
        self.written.append(frame)
        return self.works


class STTService:
    """Pipecat's base of recognisers."""


class LLMService:
    """Pipecat's base of models."""


class TTSService:
    """Pipecat's base of synthesisers."""


class AcmeSTTService(STTService):
    """Somebody's own."""


class AcmeLLMService(LLMService):
    """Somebody's own."""

    def __init__(self) -> None:
        self.name = "AcmeLLMService#0"
        self._settings = types.SimpleNamespace(model="thinker-2")


class AcmeTTSService(TTSService):
    """Somebody's own."""

    is_usable = True


@dataclass
class Pipeline:
    """A pipeline of processors."""

    processors: list[Any] = field(default_factory=list)


class PipelineWorker:
    """A worker, with the observers of its pipeline."""

    def __init__(self, *processors: Any) -> None:
        self.pipeline = Pipeline([Pipeline(list(processors))])
        self.observers: list[Any] = []
        self._pushed: set[int] = set()
        self._kept: list[Any] = []

    def add_observer(self, observer: Any) -> None:
        """Take an observer."""
        self.observers.append(observer)

    def push(
        self, frame: Any, source: Any = None, direction: Direction = Direction.DOWNSTREAM
    ) -> None:
        """Let a processor push a frame."""
        first = id(frame) not in self._pushed
        self._pushed.add(id(frame))
        self._kept.append(frame)
        data = types.SimpleNamespace(
            source=source, frame=frame, direction=direction, first_push=first, timestamp=0
        )
        for observer in self.observers:
            asyncio.run(observer.on_push_frame(data))

    def finish(self) -> None:
        """Clean up, as every end does."""
        for observer in self.observers:
            asyncio.run(observer.cleanup())


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the doubles be imported under Pipecat's own name."""
    observers = types.ModuleType("pipecat.observers.base_observer")
    observers.BaseObserver = BaseObserver  # type: ignore[attr-defined]  # a module made here
    for module in (types.ModuleType("pipecat"), types.ModuleType("pipecat.observers"), observers):
        monkeypatch.setitem(sys.modules, module.__name__, module)


def tone(seconds: float, rate: int = 16_000, level: float = 3000.0) -> bytes:
    """Return a tone: sound, whatever it says."""
    at = np.arange(round(seconds * rate)) / rate
    return (np.sin(2 * np.pi * 300 * at) * level).astype("<i2").tobytes()
