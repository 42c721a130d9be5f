"""A passage's way to the caller's ear: the reference engine's own playback, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ai_engine_lab.basics.audio_formats import (
    FRAME_BYTES,
    FRAME_SECONDS,
    LINEAR_RATE,
    AudioFormat,
    Samples,
    decode,
    encode,
    samples_of,
)
from ai_engine_lab.basics.chance import chance
from ai_engine_lab.engine.events import CallEvent, FellBack, FrameSent
from ai_engine_lab.engine.playback import Playback, PlaybackSettings, Segment
from ai_engine_lab.engine.time_loop import VIRTUAL, EngineLoop
from ai_engine_lab.engine.transport import TransportError
from ai_engine_lab.evidence.impairments import Impairment
from ai_engine_lab.evidence.passages import PAUSE_SECONDS, Passage

_PCMU: Final = AudioFormat("ulaw", LINEAR_RATE)
FILE_START_SECONDS: Final = (0.1, 0.4)
"""Until a file takes over from a broken stream: written, announced and begun. An assumption."""


@dataclass
class Played:
    """One sample: what the caller heard, and what the engine knew of it."""

    heard: Samples
    """Linear, 8 kHz, as it comes out of a telephone that carries u-law."""
    events: list[CallEvent]
    seconds: float


@dataclass
class _Line:
    """A transport that breaks off when told, and keeps when the caller heard what."""

    rng: random.Random
    heard: list[tuple[float, bytes]] = field(default_factory=list)
    breaks_after: int | None = None
    """Frames of the present prompt that are still sent."""

    async def send(self, frame: bytes) -> None:
        if self.breaks_after == 0:
            self.breaks_after = None
            raise TransportError("the write failed")
        if self.breaks_after is not None:
            self.breaks_after -= 1
        self._hear(frame)

    async def play_file(self, linear: bytes) -> None:
        await asyncio.sleep(self.rng.uniform(*FILE_START_SECONDS))
        for at in range(0, len(linear), FRAME_BYTES):
            self._hear(linear[at : at + FRAME_BYTES])
            await asyncio.sleep(FRAME_SECONDS)

    def _hear(self, frame: bytes) -> None:
        self.heard.append((asyncio.get_running_loop().time(), frame))

    def whole(self) -> bytes:
        """Return everything in its place, with silence where nothing came."""
        start = self.heard[0][0]
        places = [round((time - start) / FRAME_SECONDS) for time, _ in self.heard]
        out = bytearray(FRAME_BYTES * (max(places) + 1))
        for place, (_, frame) in zip(places, self.heard, strict=True):
            out[place * FRAME_BYTES : place * FRAME_BYTES + len(frame)] = frame
        return bytes(out)


def play(passage: Passage, impairment: Impairment) -> Played:
    """Return a passage as the caller hears it with this impairment."""
    rng = chance("line", passage.name, impairment.kind, impairment.detail)
    line = _Line(rng)
    events: list[CallEvent] = []
    with asyncio.Runner(loop_factory=lambda: EngineLoop(VIRTUAL)) as runner:
        seconds = runner.run(_speak(passage, impairment, line, events))
    carried = decode(encode(line.whole(), _PCMU), _PCMU)
    return Played(samples_of(carried), events, seconds)


async def _speak(
    passage: Passage, impairment: Impairment, line: _Line, events: list[CallEvent]
) -> float:
    """Say the passage, prompt by prompt, each a segment of its own; return how long it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    playback = Playback(line, PlaybackSettings(), events.append)
    broken = set(line.rng.sample(range(len(passage.prompts)), k=_breaks(passage, impairment)))
    for number, prompt in enumerate(passage.prompts):
        linear = impairment.spoken(prompt.linear)
        if number:
            await asyncio.sleep(PAUSE_SECONDS)
        if number in broken:
            line.breaks_after = round(len(linear) / FRAME_BYTES * line.rng.uniform(0.2, 0.8))
        segment = playback.open("response")
        await _feed(segment, linear, impairment, line.rng)
        await playback.finished()
    return loop.time() - began


def _breaks(passage: Passage, impairment: Impairment) -> int:
    return min(impairment.seams, len(passage.prompts))


async def _feed(
    segment: Segment, linear: bytes, impairment: Impairment, rng: random.Random
) -> None:
    """Let the provider's bursts arrive as its delivery has it."""
    loop = asyncio.get_running_loop()
    async for burst in _bursts(linear, impairment, rng):
        segment.feed(burst, loop.time())
    segment.close()


async def _bursts(
    linear: bytes, impairment: Impairment, rng: random.Random
) -> AsyncIterator[bytes]:
    delivery = impairment.delivery
    size = round(impairment.burst_seconds / FRAME_SECONDS) * FRAME_BYTES
    for at in range(0, len(linear), size):
        burst = linear[at : at + size]
        yield burst
        seconds = len(burst) / FRAME_BYTES * FRAME_SECONDS
        gap = seconds / delivery.pace * (1 + delivery.jitter * rng.uniform(-1, 1))
        stalled = rng.random() < delivery.stalls_per_second * seconds
        await asyncio.sleep(gap + (delivery.stall_seconds if stalled else 0.0))


def frames_streamed(events: list[CallEvent]) -> list[FrameSent]:
    """Return the frames that went out by the stream, which is what the engine can observe."""
    return [event for event in events if isinstance(event, FrameSent)]


def fallbacks(events: list[CallEvent]) -> int:
    """Return how often a file took over."""
    return sum(isinstance(event, FellBack) for event in events)


def original(passage: Passage) -> Samples:
    """Return the clean original, to which everything is compared."""
    return np.asarray(samples_of(passage.linear))
