"""OpenAI's own events, which the engine of October 2025 only logged."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.ava.turns import TurnObserver
from ai_engine_quality.adapters.report import tried
from ai_engine_quality.adapters.wraps import Wraps


class RealtimeObserver:
    """Listens to providers that keep their events to themselves; the engine makes them late."""

    def __init__(self, context: EngineContext, turns: TurnObserver, wraps: Wraps) -> None:
        self._context = context
        self._turns = turns
        self._wraps = wraps
        self._heard: list[Any] = []

    def listen(self) -> None:
        """Listen to each provider that is there and isn't listened to yet."""
        present = tuple(self._context.providers().values())
        for provider in [each for each in self._heard if all(each is not p for p in present)]:
            self._heard.remove(provider)
            self._wraps.leave(provider, "_handle_event")  # the engine has made others
        for provider in present:
            if hasattr(provider, "_call_id") and not self._wraps.has(provider, "_handle_event"):
                tried("", partial(self._listen_to, provider))

    def providers_loaded(self, _note: object, _result: object) -> None:
        """Listen to the providers that the engine has just made."""
        self.listen()

    def _listen_to(self, provider: Any) -> None:
        heard = partial(self._event, provider)
        self._wraps.set(provider, "_handle_event", ("event",), coroutine=True, before=heard)
        self._heard.append(provider)

    def _event(self, provider: Any, event: Mapping[str, Any]) -> None:
        if event.get("type") == "input_audio_buffer.speech_stopped":
            call_id = getattr(provider, "_call_id", None)
            self._turns.caller_finished(self._context.call(call_id))
