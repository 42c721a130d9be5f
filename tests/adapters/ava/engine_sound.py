"""Doubles of three generations of the AVA engine with the methods that its audio passes.

Names and signatures are those of October 2025, of August 2026, and of October 2026 (7.6.2). The
doubles in the other modules have none of these, as an engine would whose methods were renamed.
"""

# ruff: noqa: ARG002  # the arguments are there for their names

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import engine_2025
import engine_2026
import numpy as np

SILENCE = b"\x00\x00" * 160
"""20 ms at 8 kHz, which a pacer sends where it has nothing."""


def measure(session: Any, stage: str, audio: bytes, encoding: str, sample_rate: int) -> None:
    """Keep the level of linear samples in the session; swallow what can't be measured."""
    try:
        samples = np.frombuffer(audio, dtype="<i2").astype(float)
        rms = int(np.sqrt(np.mean(samples**2))) if samples.size else 0
        session.audio_diagnostics[stage] = {"rms": rms, "sample_rate": sample_rate}
        session.audio_diagnostics[f"{stage}_first_sample_logged"] = True
    except (ValueError, TypeError):
        session.audio_diagnostics["failed"] = encoding


class PacedProvider:
    """One whose pacer sends silence to the engine, as agent audio, while it has nothing else."""

    def __init__(self, on_event: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        self.on_event = on_event
        self.config = SimpleNamespace(output_sample_rate_hz=24_000)
        self._call_id: str | None = None
        self._egress_pacer_enabled = True
        self._provider_output_format = "pcm16"
        self._active_output_sample_rate_hz: float | None = None
        self._outfmt_acknowledged = True
        self.waiting = 0.0
        """Seconds of its audio that the pacer has not sent."""

    async def _handle_output_audio(self, audio_b64: str) -> None:
        await asyncio.sleep(0)
        self.waiting += len(base64.b64decode(audio_b64)) / 48_000

    async def pace(self, frame: bytes) -> None:
        """Send a frame to the engine: the agent's voice, or silence where there is none of it."""
        audio = frame if self.waiting > 0 else SILENCE
        self.waiting = max(0.0, self.waiting - 0.02)
        form = {"encoding": "slin16", "sample_rate": 8000}
        await self.on_event({"type": "AgentAudio", "call_id": self._call_id, "data": audio, **form})

    async def _handle_event(self, event: dict[str, Any]) -> None:
        await asyncio.sleep(0)


class Manager2025(engine_2025.StreamingPlaybackManager):
    """Plays fillers at once where an answer's audio is missing."""

    def __init__(self) -> None:
        super().__init__()
        self.provider_grace_ms = 500
        self.audio_diag_callback: Any = None

    async def _send_audio_chunk(
        self,
        call_id: str,
        stream_id: str,
        chunk: bytes,
        *,
        target_fmt: str | None = None,
        target_rate: int | None = None,
    ) -> bool:
        kind = self.active_streams.get(call_id, {}).get("playback_type", "response")
        form = target_fmt or "slin16", target_rate or 8000
        await self.audio_diag_callback(call_id, f"transport_out:{kind}", chunk, *form)
        return True


class Manager2026(engine_2026.StreamingPlaybackManager):
    """Plays no filler 400 ms after the last frame, and waits 500 ms before the first."""

    def __init__(self) -> None:
        super().__init__()
        self.provider_grace_ms = 500
        self.max_filler_idle_ms = 400
        self.audio_diag_callback: Any = None

    _send_audio_chunk = Manager2025._send_audio_chunk


class _Measures:
    """What both generations do with the level of a frame."""

    session_store: Any

    def _update_audio_diagnostics(
        self, session: Any, stage: str, audio_bytes: bytes, encoding: str, sample_rate: int
    ) -> None:
        measure(session, stage, audio_bytes, encoding, sample_rate)

    async def _update_audio_diagnostics_by_call(
        self, call_id: str, stage: str, audio_bytes: bytes, encoding: str, sample_rate: int
    ) -> None:
        session = self.session_store.sessions.get(call_id)
        if session:
            self._update_audio_diagnostics(session, stage, audio_bytes, encoding, sample_rate)


class Engine2025(_Measures, engine_2025.Engine):
    """That of October 2025: over RTP it is told no call, only the sender's SSRC."""

    def __init__(self, transport: str) -> None:
        super().__init__(SimpleNamespace(audio_transport=transport))
        self.streaming_playback_manager: Any = Manager2025()
        self.streaming_playback_manager.audio_diag_callback = self._update_audio_diagnostics_by_call
        self.rtp_server = SimpleNamespace()
        self.ssrc_to_caller: dict[int, str] = {}

    async def _audiosocket_handle_audio(self, conn_id: str, audio_bytes: bytes) -> None:
        session = self.session_store.sessions[conn_id]
        self._update_audio_diagnostics(session, "transport_in", audio_bytes, "slin16", 8000)

    async def _on_rtp_audio(self, ssrc: int, pcm_16k: bytes) -> None:
        if ssrc not in self.ssrc_to_caller:  # the latest call that has none yet
            self.ssrc_to_caller[ssrc] = list(self.session_store.sessions)[-1]

    def paced(self, call_id: str) -> PacedProvider:
        """Return the OpenAI provider, which is one for all calls."""
        provider = self.providers.setdefault("openai", PacedProvider(self.on_provider_event))
        provider._call_id = call_id
        return provider


class Engine2026(_Measures, engine_2026.Engine):
    """That of August 2026."""

    def __init__(self, transport: str) -> None:
        super().__init__(SimpleNamespace(audio_transport=transport))
        self.streaming_playback_manager: Any = Manager2026()
        self.streaming_playback_manager.audio_diag_callback = self._update_audio_diagnostics_by_call
        self.rtp_server = SimpleNamespace(sample_rate=8_000)

    async def _audiosocket_handle_audio(self, conn_id: str, frame: Any) -> None:
        session = self.session_store.sessions[conn_id]
        self._update_audio_diagnostics(session, "transport_in", frame.audio, "slin16", 8000)

    async def _on_rtp_audio(self, caller_channel_id: str, ssrc: int, pcm_16k: bytes) -> None:
        await asyncio.sleep(0)

    def paced(self, call_id: str) -> PacedProvider:
        """Return the call's own OpenAI provider."""
        provider = self._call_providers[call_id] = PacedProvider(self.on_provider_event)
        provider._call_id = call_id
        return provider


class Engine76(Engine2026):
    """That of October 2026: one entrance for what it receives over RTP and WebSocket."""

    async def _on_transport_pcm(
        self,
        caller_channel_id: str,
        pcm_16k: bytes,
        pcm_sample_rate: int,
        *,
        source: str,
        ssrc: int | None = None,
    ) -> None:
        await asyncio.sleep(0)


ENGINES = [
    (Engine2025, "audiosocket"),
    (Engine2025, "externalmedia"),
    (Engine2026, "audiosocket"),
    (Engine2026, "externalmedia"),
    (Engine76, "audiosocket"),
    (Engine76, "externalmedia"),
    (Engine76, "websocket"),
]
"""Each engine by each of its transports."""
