"""Doubles with the names and signatures of the AVA engine of October 2025; what they do is ours."""

# ruff: noqa: ARG002  # the arguments are there for their names

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from prometheus_client import Histogram

_BARGE_REACTION_SECONDS = Histogram(
    "double_reaction_2025", "Reactions.", ("call_id",), registry=None
)
_TURN_RESPONSE_SECONDS = Histogram(
    "double_turns_2025", "Turns.", ("pipeline", "provider"), registry=None
)


@dataclass
class CallSession:
    """One call, with the fields that are read; it keeps no latencies."""

    call_id: str
    caller_channel_id: str
    audiosocket_channel_id: str | None = None
    bridge_id: str | None = None
    provider_name: str = "local"
    pipeline_name: str | None = None
    cleanup_in_progress: bool = False
    cleanup_after_tts: bool = False
    last_user_speech_end_ts: float = 0.0
    last_response_start_ts: float = 0.0
    streaming_fallback_count: int = 0
    codec_alignment_ok: bool = True
    audio_diagnostics: dict[str, Any] = field(default_factory=dict)


class SessionStore:
    """Holds the sessions, and gives each back once."""

    def __init__(self) -> None:
        self.sessions: dict[str, Any] = {}

    async def upsert_call(self, session: Any) -> None:
        self.sessions[session.call_id] = session

    async def remove_call(self, call_id: str) -> Any:
        await asyncio.sleep(0)
        return self.sessions.pop(call_id, None)


class ConversationCoordinator:
    """Hears of each call's start and end."""

    async def register_call(self, session: Any) -> None:
        await asyncio.sleep(0)

    async def unregister_call(self, call_id: str) -> None:
        await asyncio.sleep(0)


class StreamingPlaybackManager:
    """Keeps a record of each call's stream; any clean-up of the call ends it."""

    def __init__(self) -> None:
        self.active_streams: dict[str, dict[str, Any]] = {}
        self.frame_remainders: dict[str, bytes] = {}

    async def _cleanup_stream(self, call_id: str, stream_id: str) -> None:
        await asyncio.sleep(0)
        self.active_streams.pop(call_id, None)

    async def _record_fallback(self, call_id: str, reason: str) -> None:
        await asyncio.sleep(0)


class RealtimeProvider:
    """One for all calls; the engine only logs that the caller has stopped speaking."""

    def __init__(self) -> None:
        self._call_id: str | None = None

    async def _handle_event(self, event: dict[str, Any]) -> None:
        await asyncio.sleep(0)


class ARIClient:
    """Sends each command to Asterisk, which answers with what it made, or with an error."""

    def __init__(self) -> None:
        self.fails = False
        self.event_handlers: dict[str, list[Any]] = {}

    def add_event_handler(self, event_type: str, handler: Any) -> None:
        self.event_handlers.setdefault(event_type, []).append(handler)

    async def send_command(
        self,
        method: str,
        resource: str,
        data: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        tolerate_statuses: list[int] | None = None,
    ) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self.fails:
            return {"status": 404, "reason": "Channel not found"}
        return {"id": (data or {}).get("playbackId", "playback-1")}


class Engine:
    """Has the parts, and the methods that are wrapped. It has no ``_apply_barge_in_action``."""

    session_class = CallSession
    reactions = _BARGE_REACTION_SECONDS

    def __init__(self, config: Any = None) -> None:
        self.config = config or SimpleNamespace(audio_transport="externalmedia")
        self.session_store = SessionStore()
        self.conversation_coordinator = ConversationCoordinator()
        self.streaming_playback_manager = StreamingPlaybackManager()
        self.ari_client = ARIClient()
        self.providers: dict[str, Any] = {}
        self._last_transcript_ts: dict[str, float] = {}

    async def _save_session(self, session: Any, *, new: bool = False) -> None:
        await self.session_store.upsert_call(session)
        if new:
            await self.conversation_coordinator.register_call(session)

    async def on_provider_event(self, event: dict[str, Any]) -> None:
        await asyncio.sleep(0)

    async def _load_providers(self) -> None:
        await asyncio.sleep(0)
        self.providers["deepgram"] = SimpleNamespace(call_id=None)
        self.providers["openai_realtime"] = RealtimeProvider()

    async def _cleanup_call(self, channel_or_call_id: str) -> None:
        session = self.session_store.sessions.get(channel_or_call_id)
        if session is None or session.cleanup_in_progress:
            return
        session.cleanup_in_progress = True
        await self._before_removal(session)
        await self.session_store.remove_call(session.call_id)
        await self.conversation_coordinator.unregister_call(session.call_id)

    async def _before_removal(self, session: Any) -> None:
        """Do what a clean-up does before it forgets the session; tests put faults here."""

    def _resolve_stream_targets(
        self, session: Any, provider_name: str | None
    ) -> tuple[str, int, str | None]:
        return "slin", 8000, None

    async def interrupt(self, call_id: str, reaction: float | None = None) -> None:
        """Do as the engine's detectors do: the histogram is all that tells of it."""
        await asyncio.sleep(0)
        if reaction is not None:
            _BARGE_REACTION_SECONDS.labels(call_id).observe(reaction)
