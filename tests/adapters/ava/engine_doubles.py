"""A double engine that is observed, and what its tests do with it."""

from __future__ import annotations

import asyncio
from typing import Any

import ai_engine_quality as aeq
from ai_engine_quality.adapters import Attachment

CALL = "1761532874.2245"

AUDIO = {"data": b"\xff" * 160, "encoding": "mulaw", "sample_rate": 8000}
"""A provider's event with 20 ms of silence."""


class Double:
    """A double engine that is observed, and what became of its calls."""

    def __init__(self, engine: Any, attachment: Attachment) -> None:
        self.engine = engine
        self.attachment = attachment
        self.monitor = attachment.monitor
        self.observer = attachment._observer
        self.context = self.observer.context
        self.scores: list[aeq.CallScore] = []
        self.monitor.add_hook(self.scores.append)

    def keep_time_by(self, clock: Any) -> None:
        """Let the adapter's clocks be the test's: unix seconds are the same numbers."""
        self.context.now = self.context.wall = clock

    async def call(self, call_id: str = CALL, **fields: Any) -> Any:
        """Begin a call."""
        session = self.engine.session_class(call_id, call_id, **fields)
        await self.engine._save_session(session, new=True)
        return session

    def stream(self, call_id: str = CALL, **fields: Any) -> dict[str, Any]:
        """Begin a stream of a call's."""
        info = {
            "stream_id": f"stream:{len(self.scores)}",
            "playback_type": "streaming-response",
            "frames_sent": 0,
            "underflow_events": 0,
            **fields,
        }
        self.engine.streaming_playback_manager.active_streams[call_id] = info
        return info

    async def said(self, kind: str, call_id: str | None = CALL, **fields: Any) -> None:
        """Let the provider tell the engine something."""
        named = {} if call_id is None else {"call_id": call_id}
        await self.engine.on_provider_event({"type": kind, **named, **fields})

    async def asterisk_says(self, event: dict[str, Any]) -> None:
        """Let Asterisk tell all who want such an event, each in a task of its own."""
        handlers = self.engine.ari_client.event_handlers.get(event["type"], [])
        await asyncio.gather(*(asyncio.create_task(handler(event)) for handler in handlers))

    def poll(self, call_id: str = CALL, seconds: float = 0.2) -> None:
        """Poll a call as the timer does."""
        self.observer.poll(self.context.call(call_id), seconds)

    def so_far(self, call_id: str = CALL) -> aeq.CallSummary:
        """Return what was observed of a live call."""
        self.monitor.frames.measure()
        return self.monitor.call(call_id).accumulator.freeze(duration=None)

    async def hang_up(self, call_id: str = CALL) -> aeq.CallScore:
        """End a call."""
        await self.engine._cleanup_call(call_id)
        return self.scores[-1]
