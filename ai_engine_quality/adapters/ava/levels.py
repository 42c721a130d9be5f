"""Levels of the audio, and frames that are checked for noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.ava.noise import NoiseChecks
from ai_engine_quality.core import observations
from ai_engine_quality.core.observations import Rejected


class LevelObserver:
    """Reports levels, and what tells noise from speech, while the agent is in the call."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._noise = NoiseChecks()
        self.at_edge = True
        """Whether levels at the engine's edge are polled; else each frame's comes by itself."""

    def take(self, call: ObservedCall, seconds: float) -> None:
        """Take the levels that the engine has measured, and a frame that waits to be played.

        Args:
            call: Whose they are.
            seconds: How much audio each level stands for.
        """
        if call.transferred_at is not None or call.hang_up is not None:
            return
        diagnostics = getattr(call.session, "audio_diagnostics", None)
        found = call.levels.new_levels(diagnostics, at_edge=self.at_edge)
        for stage, level in found:
            self._take(call, stage, level, seconds)
        if not self.at_edge:
            return  # each frame that is sent is looked into as it is
        info, waiting = self._context.stream(call.call_id), self._context.waiting_audio()
        if info is not None and waiting is not None:
            audio = waiting.get(call.call_id)
            call.levels.take_waiting_frame(info, audio, call.handle, self._noise)

    def _take(self, call: ObservedCall, stage: str, level: object, seconds: float) -> None:
        """Take a look at a level: too rare for the ear, which would hear words begin late."""
        accumulator = call.handle.accumulator
        try:
            if accumulator is not None:
                accumulator.audio_level(stage, observations.rms(level), seconds)
        except Rejected as rejected:
            self._context.monitor.drop(rejected.reason)

    def take_provider_audio(self, call: ObservedCall, event: Mapping[str, Any]) -> None:
        """Take audio of the provider's: once between two polls, where it was wanted."""
        call.levels.take_provider_audio(event, call.handle, self._noise)

    def measure(self, _call: ObservedCall) -> None:
        """Check the frames that wait, of all calls, so that a call that ends is complete."""
        self._noise.measure()
