"""Frames that are looked at for noise alone, since the engine has measured their levels already.

Frames of all calls are measured together, so that numpy's cost per call is shared.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ai_engine_quality.core.call import ACTIVE_RMS, FrameFormat, StageAccumulator
from ai_engine_quality.core.observations import FRAME_SECONDS
from ai_engine_quality.live.audio import (
    CLIPPED_AT,
    SAMPLE_RATES,
    check_frame,
    decode,
    flatness,
    frame_rms,
)
from ai_engine_quality.live.handle import CallHandle

BATCH_FRAMES = 64

_BYTES_PER_SAMPLE = {
    "ulaw": 1, "mulaw": 1, "g711_ulaw": 1, "alaw": 1, "g711_alaw": 1,
    "slin": 2, "slin16": 2, "linear16": 2, "pcm16": 2,
}  # fmt: skip


class Sound(NamedTuple):
    """Audio, and the form that the engine believes it to have."""

    audio: Any
    encoding: Any
    sample_rate: Any

    def first_frame(self) -> bytes | None:
        """Return the first 20 ms; None where there is less, or the form is unknown."""
        size = _BYTES_PER_SAMPLE.get(self.encoding) if isinstance(self.encoding, str) else None
        if size is None or self.sample_rate not in SAMPLE_RATES:
            return None
        length = size * round(self.sample_rate * FRAME_SECONDS)
        return bytes(self.audio[:length]) if len(self.audio) >= length else None


class NoiseChecks:
    """Frames of all calls that wait to be looked at; each result goes to the frame's own stage."""

    def __init__(self) -> None:
        self._waiting: dict[FrameFormat, list[tuple[StageAccumulator, bytes]]] = {}

    def take(self, call: CallHandle, stage: str, sound: Sound) -> bool:
        """Take the first frame of some audio; return False where it can't be looked at."""
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
        """Look at every frame that waits, so that the stages are complete."""
        groups, self._waiting = self._waiting, {}
        for form, entries in groups.items():
            _look(form, entries)


def _look(form: FrameFormat, entries: list[tuple[StageAccumulator, bytes]]) -> None:
    samples = decode(b"".join(frame for _, frame in entries), form.encoding)
    samples = samples.reshape(len(entries), form.samples)
    levels = frame_rms(samples)
    rows = np.flatnonzero(levels >= ACTIVE_RMS)
    if not rows.size:
        return
    chosen = samples[rows]
    found = zip(
        rows.tolist(),
        levels[rows].tolist(),
        flatness(chosen, form.sample_rate).tolist(),
        (np.abs(chosen) >= CLIPPED_AT).mean(axis=-1).tolist(),
        chosen.mean(axis=-1).tolist(),
        strict=True,
    )
    for row, level, flat, clipped, dc in found:
        entries[row][0].add_noise_check(level, flat, clipped, dc)
