"""What providers tell the engine: the agent's audio, ends of the caller's turns, their own end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.ava.levels import LevelObserver
from ai_engine_quality.adapters.ava.provider_loss import ProviderLossObserver
from ai_engine_quality.adapters.ava.sound import SoundObserver
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
        *,
        levels: LevelObserver,
        sound: SoundObserver,
        loss: ProviderLossObserver,
    ) -> None:
        self._context = context
        self._streams = streams
        self._turns = turns
        self._levels = levels
        self._sound = sound
        self._loss = loss

    def provider_event(self, event: Mapping[str, Any]) -> None:
        """Take an event on its way to the engine."""
        kind = event.get("type")
        if kind == "AgentAudio":
            call = self._context.call(event.get("call_id"))
            if call is None:
                return
            if call.in_answer and (call.streams.heard or self._streams.answer_waits(call)):
                self._sound.note_given(call, event)
            elif event.get("data"):
                self._agent_audio(call, event)
        elif kind == "AgentAudioDone":
            call = self._context.call(event.get("call_id"))
            if call is not None:
                call.answers_given += 1
                call.in_answer = False
                self._streams.answer_ends(call)
                self._sound.answer_complete(call)
        elif kind == "ProviderDisconnected":
            call = self._context.call(event.get("call_id"))
            if call is not None:
                self._loss.disconnected(call)
        elif kind in CALLER_SPOKE and _by_caller(event):
            call = self._context.call(event.get("call_id"))
            self._turns.caller_finished(call or self._only_call())

    def _agent_audio(self, call: ObservedCall, event: Mapping[str, Any]) -> None:
        if not call.streams.heard and self._streams.answer_goes_on(call):
            self._turns.answer_begins(call)
            self._sound.find_pacer(call)
        paced = self._sound.is_paced(call)
        if not paced:
            self._sound.note_given(call, event)
        if call.provider.lost:
            self._loss.back(call)
        if call.levels.wants_provider_audio:
            self._levels.take_provider_audio(call, event)
        call.in_answer = not paced

    def _only_call(self) -> ObservedCall | None:
        """Return the call of the provider whose events name none; it has one call at a time."""
        providers = self._context.providers().values()
        found = (self._context.call(getattr(each, "call_id", None)) for each in providers)
        known = [call for call in found if call is not None]
        return known[0] if len(known) == 1 else None


def _by_caller(event: Mapping[str, Any]) -> bool:
    """Return whether an event tells of the caller's own words, and not of the agent's."""
    if event.get("type") == "UserStoppedSpeaking":
        return True
    words = event.get("text") or event.get("content")
    return event.get("role", "user") == "user" and bool(words) and words != "..."
