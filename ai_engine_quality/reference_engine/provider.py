"""The AI provider behind the engine: it thinks for a while, then speaks in bursts.

What a provider is like (its format, how large its bursts are) is a `ProviderModel`. How it does in
a particular call (how long it thinks, how fast its audio comes) is that call's `Behaviour`, which a
profile draws.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ai_engine_quality.reference_engine.audio_formats import AudioFormat, encode
from ai_engine_quality.reference_engine.speech import Prompt, phrase


@dataclass(frozen=True)
class ProviderModel:
    """What a provider is like; durations in seconds."""

    name: str
    title: str
    audio_format: AudioFormat
    """The format in which the engine expects its speech."""
    burst_seconds: float
    """Audio in one of its bursts."""
    end_silence_seconds: float
    """Silence after which it takes the caller's turn for ended."""


DEEPGRAM: Final = ProviderModel(
    name="deepgram",
    title="Deepgram",
    audio_format=AudioFormat("ulaw", 8_000),
    burst_seconds=0.1,
    end_silence_seconds=0.5,
)
OPENAI_REALTIME: Final = ProviderModel(
    name="openai_realtime",
    title="OpenAI Realtime",
    audio_format=AudioFormat("slin16", 24_000),
    burst_seconds=0.2,
    end_silence_seconds=0.4,
)
PROVIDERS: Final = {model.name: model for model in (DEEPGRAM, OPENAI_REALTIME)}


@dataclass(frozen=True)
class Delivery:
    """How a provider's audio arrives."""

    pace: float
    """Seconds of audio per second: over 1 fills the jitter buffer, under 1 starves it."""
    jitter: float = 0.0
    """How far the time between two bursts strays, as a share of it."""
    stalls_per_second: float = 0.0
    """How often it stalls, per second of audio."""
    stall_seconds: float = 0.0


class Behaviour(Protocol):
    """How a provider does in one call."""

    @property
    def audio_format(self) -> AudioFormat | None:
        """The format it really speaks; None: the one the engine expects."""

    def response_latency(self) -> float | None:
        """Seconds from the end of the caller's turn to its first audio; None: no answer at all."""

    def delivery(self) -> Delivery:
        """How the audio of its next utterance arrives."""


class Provider:
    """One call's session with a provider."""

    def __init__(
        self,
        model: ProviderModel,
        behaviour: Behaviour,
        prompts: Sequence[Prompt],
        rng: random.Random,
    ) -> None:
        self.model = model
        self.audio_format = behaviour.audio_format or model.audio_format
        """The format it declares, and speaks."""
        self._behaviour = behaviour
        self._prompts = prompts
        self._rng = rng

    async def greet(self, seconds: float) -> AsyncGenerator[bytes, None]:
        """Bursts of a greeting of about `seconds`."""
        async for burst in self._speak(seconds):
            yield burst

    async def respond(self, seconds: float) -> AsyncGenerator[bytes, None]:
        """Think, then give bursts of a response of about `seconds`."""
        latency = self._behaviour.response_latency()
        if latency is None:
            await asyncio.Event().wait()  # silent until the call ends
        else:
            await asyncio.sleep(latency)
        async for burst in self._speak(seconds):
            yield burst

    async def _speak(self, seconds: float) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        delivery = self._behaviour.delivery()
        due = loop.time()
        for burst in self._bursts(phrase(self._prompts, seconds, self._rng)):
            yield burst
            due = max(
                due + self._gap(len(burst) / self.audio_format.bytes_per_second, delivery),
                loop.time(),
            )
            await asyncio.sleep(due - loop.time())

    def _bursts(self, prompts: Iterable[Prompt]) -> Iterator[bytes]:
        data = b"".join(_encoded(prompt, self.audio_format) for prompt in prompts)
        frame = self.audio_format.frame_bytes
        size = (
            max(1, round(self.model.burst_seconds * self.audio_format.bytes_per_second / frame))
            * frame
        )
        return (data[at : at + size] for at in range(0, len(data), size))

    def _gap(self, audio_seconds: float, delivery: Delivery) -> float:
        """Seconds until the next burst, after one of `audio_seconds`."""
        gap = audio_seconds / delivery.pace * (1 + delivery.jitter * self._rng.uniform(-1, 1))
        stalled = self._rng.random() < delivery.stalls_per_second * audio_seconds
        return gap + (delivery.stall_seconds if stalled else 0.0)


@functools.lru_cache(maxsize=512)
def _encoded(prompt: Prompt, audio_format: AudioFormat) -> bytes:
    """A prompt in the provider's format: the same few prompts are spoken in every call."""
    return encode(prompt.linear, audio_format)
