"""The AI provider behind the engine: it thinks for a while, then speaks in bursts.

What a provider is like (its format, how large its bursts are) is a `ProviderModel`. How it does in
a particular call (how long it thinks, how fast its audio comes) is that call's `Behaviour`, which a
profile draws.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ai_engine_lab.basics.audio_formats import AudioFormat, amplified, encode, swapped
from ai_engine_lab.engine.faults import CLEAR, Conditions
from ai_engine_lab.engine.speech import Prompt, phrase

_RECOVERY_POLL_SECONDS: Final = 0.25
"""How often a provider that has fallen silent looks whether it may speak again."""


@dataclass(frozen=True)
class Stages:
    """How a modular pipeline shares out the time until its first audio; the rest is synthesis."""

    transcript_share: float
    thinking_share: float


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
    input_rate: int = 8_000
    """The rate in Hz at which it takes the caller's audio, as slin16."""
    stages: Stages | None = None
    """Of a modular pipeline; a full agent has none that could be seen."""
    network_order: bool = False
    """Whether its samples come with the high byte first, as RFC 3551 has them."""


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
GOOGLE_LIVE: Final = ProviderModel(
    name="google_live",
    title="Google Live",
    audio_format=AudioFormat("slin16", 24_000),
    burst_seconds=0.24,
    end_silence_seconds=0.45,
    input_rate=16_000,
)
GROK: Final = ProviderModel(
    name="grok",
    title="Grok",
    audio_format=AudioFormat("slin16", 24_000),
    burst_seconds=0.2,
    end_silence_seconds=0.4,
    input_rate=24_000,
)
ELEVENLABS: Final = ProviderModel(
    name="elevenlabs_agent",
    title="ElevenLabs",
    audio_format=AudioFormat("slin16", 16_000),
    burst_seconds=0.25,
    end_silence_seconds=0.45,
    input_rate=16_000,
)
LOCAL: Final = ProviderModel(
    name="local",
    title="Local models",
    audio_format=AudioFormat("slin16", 16_000),
    burst_seconds=0.3,
    end_silence_seconds=0.5,
    input_rate=16_000,
    stages=Stages(transcript_share=0.25, thinking_share=0.45),
    network_order=True,
)
PROVIDERS: Final = {
    model.name: model for model in (DEEPGRAM, OPENAI_REALTIME, GOOGLE_LIVE, GROK, ELEVENLABS, LOCAL)
}


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
        conditions: Callable[[], Conditions] = lambda: CLEAR,
    ) -> None:
        self.model = model
        self.audio_format = behaviour.audio_format or model.audio_format
        """The format it declares, and speaks."""
        self.believed = model.audio_format
        """The format as which the engine reads what it says at present."""
        self.declared = self.audio_format
        """The format that it declares for what it says at present."""
        self.transcribed_at: float | None = None
        """When a pipeline had its last transcript, in loop seconds."""
        self._conditions = conditions
        self._behaviour = behaviour
        self._prompts = prompts
        self._rng = rng

    def negotiate(self) -> AudioFormat:
        """Agree on a format for what it says next; return the one that it will speak."""
        if self._conditions().misread:
            rate = self.model.audio_format.sample_rate
            self.declared, self.believed = AudioFormat("ulaw", rate), AudioFormat("slin16", rate)
        else:
            self.declared, self.believed = self.audio_format, self.model.audio_format
        return self.declared

    async def greet(self, seconds: float) -> AsyncGenerator[bytes, None]:
        """Bursts of a greeting of about `seconds`; even a provider that is dying greets."""
        async for burst in self._speak(seconds):
            yield burst

    async def announce(self, seconds: float) -> AsyncGenerator[bytes, None]:
        """Bursts of something that the engine has it say."""
        await self._until_alive()
        async for burst in self._speak(seconds, mortal=True):
            yield burst

    async def respond(
        self, seconds: float, tool: Callable[[], Awaitable[None]] | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Think, with a tool if there is one, then give bursts of a response of about `seconds`."""
        latency = self._behaviour.response_latency()
        if latency is None:
            await asyncio.Event().wait()  # silent until the call ends
        else:
            await self._think(latency + self._conditions().thinking_seconds, tool)
        await self._until_alive()
        async for burst in self._speak(seconds, mortal=True):
            yield burst

    async def _think(self, seconds: float, tool: Callable[[], Awaitable[None]] | None) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if self.model.stages is not None:
            await asyncio.sleep(seconds * self.model.stages.transcript_share)
            self.transcribed_at = loop.time()
        if tool is not None:
            await tool()
        await asyncio.sleep(max(0.0, due - loop.time()))

    async def _until_alive(self) -> None:
        while self._conditions().silent:  # noqa: ASYNC110 - conditions can be asked, not awaited
            await asyncio.sleep(_RECOVERY_POLL_SECONDS)

    async def _speak(self, seconds: float, *, mortal: bool = False) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        delivery = self._behaviour.delivery()
        spoken = self.negotiate()
        due = loop.time()
        for burst in self._bursts(phrase(self._prompts, seconds, self._rng), spoken):
            if mortal:
                await self._until_alive()
            yield burst
            # The line has its pace in bytes: misread audio must not starve the buffer as well.
            gap = self._gap(len(burst) / self.believed.bytes_per_second, delivery)
            due = max(due + gap, loop.time())
            await asyncio.sleep(due - loop.time())

    def _bursts(self, prompts: Iterable[Prompt], spoken: AudioFormat) -> Iterator[bytes]:
        gain = self._conditions().agent_gain
        data = b"".join(_encoded(prompt, spoken, gain) for prompt in prompts)
        if self.model.network_order and spoken.sample_bytes == 2:
            data = swapped(data)
        frame = spoken.frame_bytes
        size = max(1, round(self.model.burst_seconds * spoken.bytes_per_second / frame)) * frame
        return (data[at : at + size] for at in range(0, len(data), size))

    def _gap(self, audio_seconds: float, delivery: Delivery) -> float:
        """Seconds until the next burst, after one of `audio_seconds`."""
        gap = audio_seconds / delivery.pace * (1 + delivery.jitter * self._rng.uniform(-1, 1))
        stalled = self._rng.random() < delivery.stalls_per_second * audio_seconds
        return gap + (delivery.stall_seconds if stalled else 0.0) + self._lateness(audio_seconds)

    def _lateness(self, audio_seconds: float) -> float:
        """Seconds by which the line to the provider holds the next burst up."""
        conditions = self._conditions()
        if not conditions.late_per_second:
            return 0.0
        late = self._rng.random() < conditions.late_per_second * audio_seconds
        return conditions.late_seconds if late else 0.0


@functools.lru_cache(maxsize=512)
def _encoded(prompt: Prompt, audio_format: AudioFormat, gain: float) -> bytes:
    """A prompt in the provider's format: the same few prompts are spoken in every call."""
    return encode(prompt.linear if gain == 1 else amplified(prompt.linear, gain), audio_format)
