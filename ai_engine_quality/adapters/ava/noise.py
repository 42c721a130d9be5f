"""Frames that are checked for noise alone, since the engine has measured their levels already.

Frames of all calls are checked together, so that numpy's cost per call is shared.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ai_engine_quality.core.call import FrameFormat, StageAccumulator
from ai_engine_quality.core.observations import FRAME_SECONDS
from ai_engine_quality.live.audio import check_noise
from ai_engine_quality.live.encodings import check_frame, decode, frame_bytes, frame_rms
from ai_engine_quality.live.handle import CallHandle

BATCH_FRAMES = 64


class Sound(NamedTuple):
    """Audio, and the format that the engine believes it to have."""

    audio: Any
    encoding: Any
    sample_rate: Any

    def first_frame(self) -> bytes | None:
        """Return the first 20 ms; None where there is less, or the format is unknown."""
        length = frame_bytes(self.encoding, self.sample_rate, FRAME_SECONDS)
        if length is None or len(self.audio) < length:
            return None
        return bytes(self.audio[:length])


class NoiseChecks:
    """Frames of all calls that wait to be checked; each result goes to the frame's own stage."""

    def __init__(self) -> None:
        self._waiting: dict[FrameFormat, list[tuple[StageAccumulator, bytes]]] = {}

    def take(self, call: CallHandle, stage: str, sound: Sound) -> bool:
        """Take the first frame of some audio; return False where it can't be checked."""
        accumulator, frame = call.accumulator, sound.first_frame()
        if accumulator is None or frame is None:
            return False
        data, form = check_frame(frame, sound.encoding, sound.sample_rate)
        waiting = self._waiting.setdefault(form, [])
        waiting.append((accumulator.stage(stage), data))
        if len(waiting) >= BATCH_FRAMES:
            self.measure()
        return True

    def measure(self) -> None:
        """Check every frame that waits, so that the stages are complete."""
        formats, self._waiting = self._waiting, {}
        for form, frames in formats.items():
            samples = decode(b"".join(frame for _, frame in frames), form.encoding)
            samples = samples.reshape(len(frames), form.samples)
            levels: list[float] = frame_rms(samples).tolist()
            check_noise(form, samples, levels, {n: stage for n, (stage, _) in enumerate(frames)})
