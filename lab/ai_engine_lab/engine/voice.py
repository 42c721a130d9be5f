"""The voice detector: is a frame of the caller's speech, and how sure is that?

Two detectors speak for speech: one for frames louder than the line, one for tonal ones, as voices
are and hiss is not. What counts as loud follows the noise of the line: words that sink into it are
heard by the second alone, and the confidence falls. The engine shows all of this in its metrics;
turns and barge-ins have detectors of their own (`listening`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ai_engine_lab.basics.audio_formats import samples_of
from ai_engine_lab.engine.events import VoiceJudged

_LOUDNESS_WEIGHT: Final = 0.4
_TONALITY_WEIGHT: Final = 0.4
_AGREEMENT_WEIGHT: Final = 0.2
"""The engine's formula: a frame that both take for speech has 0.73 or more."""
_TONAL_CROSSINGS: Final = 0.15
"""Sign changes per sample up to which a frame is wholly tonal: voices have some 0.05 to 0.2."""
_NOISY_CROSSINGS: Final = 0.35
"""From here on nothing is tonal: white noise has 0.5."""


@dataclass(frozen=True)
class VoiceSettings:
    """When a frame counts as loud; levels are 16-bit RMS."""

    loud_rms: float = 500.0
    over_noise: float = 6.0
    """How many times the noise of the line a frame must have to be loud."""
    adaptation: float = 0.05
    """The weight of one quiet frame in the noise of the line."""
    surely_loud: float = 3.0
    """So many times the threshold leave no doubt."""


class VoiceDetector:
    """Judges one call's frames, one after the other."""

    def __init__(self, settings: VoiceSettings) -> None:
        self._settings = settings
        self._noise = 0.0

    @property
    def threshold(self) -> float:
        """The 16-bit RMS from which a frame is loud at present."""
        return max(self._settings.loud_rms, self._settings.over_noise * self._noise)

    def judge(self, frame: bytes, level: float) -> VoiceJudged:
        """Judge a linear frame of this 16-bit RMS."""
        threshold = self.threshold
        loud, tonality = level >= threshold, _tonality(frame)
        if not loud:
            self._noise += (level - self._noise) * self._settings.adaptation
        loudness = min(1.0, level / threshold / self._settings.surely_loud)
        # A tonal hum far under the threshold is no voice; words that sink into noise still are.
        voiced = tonality > 0.5 and level >= threshold / self._settings.surely_loud
        confidence = (
            _LOUDNESS_WEIGHT * loudness
            + _TONALITY_WEIGHT * voiced
            + _AGREEMENT_WEIGHT * (loud == voiced)
        )
        return VoiceJudged(voiced or (loud and tonality > 0), min(1.0, confidence), threshold)


def _tonality(frame: bytes) -> float:
    """1 for a frame that crosses zero seldom, 0 for one that does so as often as noise."""
    negative = samples_of(frame) < 0
    crossings = float(np.count_nonzero(negative[1:] != negative[:-1])) / max(1, negative.size)
    share = (_NOISY_CROSSINGS - crossings) / (_NOISY_CROSSINGS - _TONAL_CROSSINGS)
    return min(1.0, max(0.0, share))
