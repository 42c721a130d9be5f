"""OpenAI's own events, which the engine of October 2025 only logged."""

from __future__ import annotations

from functools import partial

from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.ava.provider_events import ProviderEventObserver
from ai_engine_quality.adapters.report import tried
from ai_engine_quality.adapters.wraps import Wraps


class RealtimeProviders:
    """The providers that keep their events to themselves: made when the engine starts."""

    def __init__(self, context: EngineContext, events: ProviderEventObserver, wraps: Wraps) -> None:
        self._context = context
        self._events = events
        self._wraps = wraps

    def listen(self) -> None:
        """Listen to each provider that is there and isn't listened to yet."""
        for provider in self._context.providers():
            if hasattr(provider, "_call_id") and not self._wraps.has(provider, "_handle_event"):
                tried("", partial(self._listen_to, provider))

    def providers_loaded(self, _note: object, _result: object) -> None:
        """Listen to the providers that the engine has just made."""
        self.listen()

    def _listen_to(self, provider: object) -> None:
        self._wraps.set(
            provider,
            "_handle_event",
            ("event",),
            coroutine=True,
            before=partial(self._events.realtime_event, provider),
        )
