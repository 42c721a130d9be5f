"""What the observers of one engine share: the engine, the calls, the clocks and the monitor."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.notes import Notes
from ai_engine_quality.core.observations import DropReason
from ai_engine_quality.monitor import QualityMonitor


class EngineContext:
    """One engine that reports to one monitor."""

    def __init__(self, engine: Any, monitor: QualityMonitor) -> None:
        self.engine = engine
        self.monitor = monitor
        self.calls: dict[str, ObservedCall] = {}
        """In progress, by call id."""
        self.now = monitor.frames.clock
        self.wall = time.time
        self.notes = Notes(self.now, self.failed)
        """What passes on the engine's frame path. The ends of a call flush them first."""
        monitor.frames.fetch_from(self.notes)

    def failed(self, error: Exception) -> None:
        """Count an observer that raised; the engine never notices."""
        self.monitor.drop(DropReason.INTERNAL_ERROR, error)

    def call(self, call_id: object) -> ObservedCall | None:
        """Return a call in progress, or None."""
        return self.calls.get(call_id) if isinstance(call_id, str) else None

    def each(self, call: ObservedCall, *observations: Callable[[ObservedCall], object]) -> None:
        """Make several observations of a call; one that can't be made doesn't stop the others."""
        for observe in observations:
            try:
                observe(call)
            except Exception as error:
                self.failed(error)

    # What the engine's own attributes hold at the moment.

    def stream(self, call_id: str) -> Mapping[str, Any] | None:
        """Return the engine's record of a call's present stream."""
        streams = self.engine.streaming_playback_manager.active_streams
        return streams.get(call_id)  # type: ignore[no-any-return]  # a dict, or it is counted

    def waiting_audio(self) -> Mapping[str, object] | None:
        """Return, by call id, the audio that is played next; None where that isn't known."""
        waiting = getattr(self.engine.streaming_playback_manager, "frame_remainders", None)
        return waiting if isinstance(waiting, dict) else None

    def provider(self, call_id: str) -> Any:
        """Return the provider that was made for a call, where the engine makes one for each."""
        return (getattr(self.engine, "_call_providers", None) or {}).get(call_id)

    def serving(self, call_id: str) -> Any:
        """Return a call's own provider, or the one for all calls that has this one now."""
        own = self.provider(call_id)
        if own is not None:
            return own
        for provider in self.providers().values():
            if call_id in (getattr(provider, "_call_id", None), getattr(provider, "call_id", None)):
                return provider
        return None

    def providers(self) -> Mapping[object, Any]:
        """Return, by name, the providers that the engine was started with."""
        return getattr(self.engine, "providers", None) or {}

    def transcript_time(self, call_id: str) -> float:
        """Return when a pipeline last understood the caller, in unix seconds, or 0."""
        times = getattr(self.engine, "_last_transcript_ts", None) or {}
        return float(times.get(call_id) or 0.0)

    def speaks_first(self, call: ObservedCall) -> bool:
        """Return whether the agent greets: it does, unless every greeting is known to be blank."""
        overrides = getattr(call.session, "provider_overrides", None)
        greetings = (
            getattr(getattr(self.provider(call.call_id), "config", None), "greeting", None),
            overrides.get("greeting") if isinstance(overrides, dict) else None,
            getattr(getattr(self.engine.config, "llm", None), "initial_greeting", None),
        )
        known = [greeting for greeting in greetings if isinstance(greeting, str)]
        return not known or any(greeting.strip() for greeting in known)
