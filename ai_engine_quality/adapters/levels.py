"""Levels that the engine has measured, and frames that wait to be played, looked at now and then.

The engine measures every frame and keeps the last result of each stage. Looking at those a few
times a second sees the same distribution as a wrap of the frame path would, at a hundredth of its
cost. The same look finds the audio that is about to be played, of which a frame now and then serves
to tell noise from speech.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_engine_quality import observations
from ai_engine_quality.audio import SAMPLE_RATES, FrameBatch, check_frame
from ai_engine_quality.handle import CallHandle
from ai_engine_quality.observations import FRAME_SECONDS, PROVIDER_OUT, Rejected

PROVIDER_AUDIO_EVERY = 10
"""One chunk in so many of the provider's audio is looked at for noise."""

_BYTES_PER_SAMPLE = {
    "ulaw": 1, "mulaw": 1, "g711_ulaw": 1, "alaw": 1, "g711_alaw": 1,
    "slin": 2, "slin16": 2, "linear16": 2, "pcm16": 2,
}  # fmt: skip


class LevelWatch:
    """What was last seen of one call, so that nothing stale is taken twice."""

    __slots__ = ("_chunks", "_levels", "_strange", "_waiting")

    def __init__(self) -> None:
        self._levels: dict[str, Any] = {}
        self._strange: set[str] = set()
        self._waiting: Any = None
        self._chunks = 0

    def take_levels(self, diagnostics: object, call: CallHandle, seconds: float) -> None:
        """Report the levels that the engine has measured anew since the last look.

        Args:
            diagnostics: The session's ``audio_diagnostics``: stage to its last measurement.
            call: Whom to report to.
            seconds: How much audio each of them stands for.
        """
        if not isinstance(diagnostics, dict):
            return
        for stage, level in diagnostics.items():
            # The engine makes a new record for each frame; the same one is an old frame's.
            if type(level) is dict and level is not self._levels.get(stage) and "rms" in level:
                self._levels[stage] = level
                if self._is_stage(stage):
                    call.audio_level(stage, level["rms"], seconds=seconds)

    def _is_stage(self, stage: str) -> bool:
        if stage in self._strange:
            return False
        try:
            observations.stage(stage)
        except Rejected:
            self._strange.add(stage)
            return False
        return True

    def take_waiting_frame(
        self, info: Mapping[str, Any], waiting: object, call: CallHandle, batch: FrameBatch
    ) -> None:
        """Look at a frame that is about to be played, for noise.

        Args:
            info: The engine's record of the stream.
            waiting: Audio in the stream's own format whose turn is next.
            call: The call that it belongs to.
            batch: Where frames are measured.
        """
        if waiting is self._waiting or not isinstance(waiting, (bytes, bytearray)):
            return
        self._waiting = waiting
        stage = f"transport_out:{info.get('playback_type', 'response')}"
        if self._is_stage(stage):
            form = info.get("target_format"), info.get("target_sample_rate")
            _look_for_noise(call, batch, stage, waiting, *form)

    def take_provider_audio(
        self, event: Mapping[str, Any], call: CallHandle, batch: FrameBatch
    ) -> None:
        """Look at a chunk of the provider's audio in so many, for noise."""
        self._chunks += 1
        if self._chunks % PROVIDER_AUDIO_EVERY == 0:
            audio, form = event.get("data"), (event.get("encoding"), event.get("sample_rate"))
            _look_for_noise(call, batch, PROVIDER_OUT, audio, *form)


def _look_for_noise(
    call: CallHandle, batch: FrameBatch, stage: str, audio: Any, encoding: Any, rate: Any
) -> None:
    """Hand the first frame of some audio to the noise check; audio of unknown form isn't looked at.

    It says nothing of the level, which the engine has measured.
    """
    size = _BYTES_PER_SAMPLE.get(encoding) if isinstance(encoding, str) else None
    accumulator = call.accumulator
    if accumulator is None or size is None or rate not in SAMPLE_RATES:
        return
    length = size * round(rate * FRAME_SECONDS)
    if len(audio) < length:
        return
    frame, form = check_frame(audio[:length], encoding, rate)
    batch.add(accumulator.stage(stage), frame, form, stands_for=0.0, noise_check=True)
