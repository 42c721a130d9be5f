"""A call's two directions on a double, driven frame by frame on a clock of one's own."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from engine_doubles import CALL, Double
from engine_sound import Engine2026

FRAME = 0.02
RANDOM = np.random.default_rng(19)
SSRC = 4711


def noise(rms: float, rate: int, seconds: float = FRAME) -> bytes:
    """Return a burst of noise, as 16-bit samples."""
    return RANDOM.normal(0.0, rms, round(rate * seconds)).astype("<i2").tobytes()


def spoken(at: float, *stretches: tuple[float, float]) -> bool:
    """Return whether a time lies in one of some stretches of speech."""
    return any(start <= at + FRAME / 4 < end for start, end in stretches)


class Line:
    """A call's two directions, driven frame by frame on a clock of one's own."""

    def __init__(self, double: Double, clock: Any) -> None:
        self.engine = double.engine
        self.double = double
        self.clock = clock
        self.start = clock.now
        self.quiet = {rate: noise(8, rate) for rate in (8_000, 16_000)}
        self.loud = {rate: noise(2_500, rate) for rate in (8_000, 16_000)}

    @property
    def at(self) -> float:
        """Seconds since the call began."""
        return self.clock.now - self.start

    async def receive(self, *, loud: bool) -> None:
        """Let a frame of the caller's arrive by the engine's transport."""
        sound = self.loud if loud else self.quiet
        engine, transport = self.engine, self.engine.config.audio_transport
        if transport == "audiosocket":
            frame = sound[8_000]
            now = isinstance(engine, Engine2026)
            await engine._audiosocket_handle_audio(
                CALL, SimpleNamespace(audio=frame) if now else frame
            )
        elif hasattr(engine, "_on_transport_pcm"):
            await engine._on_transport_pcm(CALL, sound[16_000], 16_000, source=transport, ssrc=SSRC)
        elif isinstance(engine, Engine2026):
            await engine._on_rtp_audio(CALL, SSRC, sound[8_000])  # as its RTP server says
        else:
            await engine._on_rtp_audio(SSRC, sound[16_000])

    async def send(self) -> None:
        """Let a frame of the agent's leave the engine."""
        manager = self.engine.streaming_playback_manager
        await manager._send_audio_chunk(CALL, "stream:0", self.loud[8_000], target_fmt="slin16")

    async def give(self, seconds: float) -> None:
        """Let the provider hand the agent's audio over, all at once."""
        data = noise(2_500, 8_000, seconds)
        await self.double.said("AgentAudio", data=data, encoding="linear16", sample_rate=8_000)

    async def run(
        self,
        until: float,
        caller: tuple[tuple[float, float], ...],
        agent: tuple[tuple[float, float], ...],
        events: dict[float, Callable[[], Any]] | None = None,
    ) -> None:
        """Let time pass, with speech in both directions and what the provider does meanwhile."""
        due = sorted((events or {}).items())
        while self.at < until:
            while due and due[0][0] <= self.at + FRAME / 4:
                await due.pop(0)[1]()
            await self.receive(loud=spoken(self.at, *caller))
            if spoken(self.at, *agent):
                await self.send()
            self.clock.advance(FRAME)
