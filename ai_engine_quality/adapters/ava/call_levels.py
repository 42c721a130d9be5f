"""Levels of one call that the engine has measured, and frames of it that wait to be played.

The engine measures every frame and keeps the last result of each stage. Reading those a few times
a second sees the same distribution as a wrap of the frame path would, at a hundredth of its cost.
The same timer finds the audio that is about to be played, of which a frame now and then serves to
tell noise from speech.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ai_engine_quality.adapters.ava.noise import NoiseChecks, Sound
from ai_engine_quality.core import observations
from ai_engine_quality.core.observations import PROVIDER_OUT, Rejected
from ai_engine_quality.live.handle import CallHandle


class CallLevels:
    """What was last seen of one call, so that nothing stale is taken twice."""

    __slots__ = ("_levels", "_stages", "_waiting", "wants_provider_audio")

    def __init__(self) -> None:
        self._levels: dict[str, Any] = {}
        self._stages: dict[str, bool] = {}
        """By each name that was seen: whether a stage is called so."""
        self._waiting: Any = None
        self.wants_provider_audio = False
        """Whether the provider's next audio should be checked, since none waits to be played."""

    def new_levels(self, diagnostics: object, *, at_edge: bool) -> Iterator[tuple[str, Any]]:
        """Yield each stage, and the level, that the engine has measured anew since the last time.

        Args:
            diagnostics: The session's ``audio_diagnostics``: stage to its last measurement.
            at_edge: Whether those at the engine's edge are wanted, or come frame by frame.
        """
        if not isinstance(diagnostics, dict):
            return
        for stage, level in diagnostics.items():
            # The engine makes a new record for each frame; the same one is an old frame's.
            if type(level) is dict and level is not self._levels.get(stage) and "rms" in level:
                self._levels[stage] = level
                if self._is_stage(stage) and (at_edge or not stage.startswith("transport")):
                    yield stage, level["rms"]

    def _is_stage(self, stage: str) -> bool:
        known = self._stages.get(stage)
        if known is None:
            try:
                observations.stage(stage)
                known = True
            except Rejected:
                known = False
            self._stages[stage] = known
        return known

    def take_waiting_frame(
        self, info: Mapping[str, Any], waiting: object, call: CallHandle, noise: NoiseChecks
    ) -> None:
        """Check a frame that is about to be played for noise.

        Args:
            info: The engine's record of the stream.
            waiting: Audio in the stream's own format whose turn is next.
            call: The call that it belongs to.
            noise: Where frames are checked.
        """
        self.wants_provider_audio = True
        if waiting is self._waiting or not isinstance(waiting, (bytes, bytearray)):
            return
        self._waiting = waiting
        stage = f"transport_out:{info.get('playback_type', 'response')}"
        if self._is_stage(stage):
            sound = Sound(waiting, info.get("target_format"), info.get("target_sample_rate"))
            self.wants_provider_audio = not noise.take(call, stage, sound)

    def take_provider_audio(
        self, event: Mapping[str, Any], call: CallHandle, noise: NoiseChecks
    ) -> None:
        """Check a frame of the provider's audio for noise."""
        self.wants_provider_audio = False
        sound = Sound(event.get("data"), event.get("encoding"), event.get("sample_rate"))
        noise.take(call, PROVIDER_OUT, sound)
