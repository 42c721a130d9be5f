"""What providers tell the engine: the agent's audio, and the ends of the caller's turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.ava.levels import LevelObserver
from ai_engine_quality.adapters.ava.streams import StreamObserver
from ai_engine_quality.adapters.ava.turns import TurnObserver

CALLER_SPOKE = frozenset({"UserStoppedSpeaking", "ConversationText", "transcript"})
"""Events after which the caller waits for an answer."""


class ProviderEventObserver:
    """Hands each event of a provider to whom it concerns."""

    def __init__(
        self,
        context: EngineContext,
        streams: StreamObserver,
        turns: TurnObserver,
        levels: LevelObserver,
    ) -> None:
        self._context = context
        self._streams = streams
        self._turns = turns
        self._levels = levels

    def provider_event(self, event: Mapping[str, Any]) -> None:
        """Take an event on its way to the engine."""
        kind = event.get("type")
        calls = self._context.calls
        if kind == "AgentAudio":
            call = calls.get(event.get("call_id"))
            if call is not None and event.get("data"):
                self._agent_audio(call, event)
        elif kind == "AgentAudioDone":
            call = calls.get(event.get("call_id"))
            if call is not None:
                self._streams.answer_ends(call)
        elif kind in CALLER_SPOKE and _by_caller(event):
            self._turns.caller_finished(calls.get(event.get("call_id")) or self._only_call())

    def _agent_audio(self, call: ObservedCall, event: Mapping[str, Any]) -> None:
        if not call.streams.heard and self._streams.answer_goes_on(call):
            self._turns.answer_begins(call)
        if call.levels.wants_provider_audio:
            self._levels.take_provider_audio(call, event)

    def _only_call(self) -> ObservedCall | None:
        """Return the call of the provider whose events name none; it has one call at a time."""
        ids = (getattr(provider, "call_id", None) for provider in self._context.providers())
        known = [call for call in map(self._context.calls.get, ids) if call is not None]
        return known[0] if len(known) == 1 else None

    def realtime_event(self, provider: Any, event: Mapping[str, Any]) -> None:
        """Take an event of OpenAI's, which the engine of October 2025 only logged."""
        if event.get("type") == "input_audio_buffer.speech_stopped":
            call_id = getattr(provider, "_call_id", None)
            self._turns.caller_finished(self._context.calls.get(call_id))


def _by_caller(event: Mapping[str, Any]) -> bool:
    """Return whether an event tells of the caller's own words, and not of the agent's."""
    if event.get("type") == "UserStoppedSpeaking":
        return True
    words = event.get("text") or event.get("content")
    return event.get("role", "user") == "user" and bool(words) and words != "..."
