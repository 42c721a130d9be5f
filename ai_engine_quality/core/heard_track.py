"""The agent's track whose samples were seen, as the rules of its sound read it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ai_engine_quality.core.agent_sound import AgentSound
from ai_engine_quality.core.observations import FRAME_SECONDS, PROVIDER_OUT, TRANSPORT_OUT
from ai_engine_quality.core.policy import Policy
from ai_engine_quality.core.summary import CallSummary, StageLevels, most_checked

TELEPHONE_RATE = 8_000.0
"""Samples a second that callers can hear."""

TEST_SIGNAL = 0.8
"""Share of frames that are the one before, over which a track is no speech: a tone, a test."""


@dataclass(frozen=True, slots=True)
class HeardTrack:
    """An agent's track whose samples were seen."""

    levels: StageLevels
    sound: AgentSound

    @property
    def speech(self) -> float:
        """Seconds of speech."""
        return self.levels.speech_seconds

    @property
    def frame_seconds(self) -> float:
        """Seconds in a frame; the usual ones where none was active."""
        return self.speech / self.levels.active if self.levels.active else FRAME_SECONDS

    def share_of_frames(self, frames: float) -> float:
        """Return a number of frames as a share of those with speech."""
        return min(1.0, frames / self.levels.active) if self.levels.active else 0.0

    @property
    def is_test_signal(self) -> bool:
        """Whether nearly all of it is one frame again and again: no speech, and not judged."""
        return self.share_of_frames(self.sound.repeated) > TEST_SIGNAL

    @property
    def cut(self) -> float:
        """Effective share of silent frames that cut into speech, as of fillers.

        Half of such holes fall where the speech is quiet, and are not noticed; so they count twice.
        """
        frames, runs = 2 * self.sound.silent, 2 * self.sound.holes
        return self.share_of_frames((frames + 2 * runs) / 3)

    @property
    def noisy_share(self) -> float:
        """Share of the speech that lies in windows of noise."""
        return min(1.0, self.sound.noisy_seconds / self.speech) if self.speech else 0.0

    @property
    def times_held(self) -> float | None:
        """How many times the telephone's rate is that of the samples which were not held."""
        fresh = self.sound.fresh
        return TELEPHONE_RATE / fresh if fresh else None

    def is_lively(self, policy: Policy) -> bool:
        """Return whether levels change as those of speech do: a tone has no pace and no width."""
        return (self.sound.lively or 0.0) >= policy.sound.lively

    @property
    def thinness(self) -> float | None:
        """How many dB less power lies at 125 to 375 Hz than in all."""
        low = self.sound.low
        return None if low is None else -10 * math.log10(max(low, 1e-10))

    @property
    def dullness(self) -> float | None:
        """How many dB less power lies over 2,300 Hz than in all."""
        upper = self.sound.upper
        return None if upper is None else -10 * math.log10(max(upper, 1e-10))


def heard_track(summary: CallSummary) -> HeardTrack | None:
    """Return the agent's track of which most was checked, at the stage nearest to the caller."""
    if not summary.audio:
        return None
    for place in (TRANSPORT_OUT, PROVIDER_OUT):
        stage = most_checked(summary.audio, place)
        levels = summary.audio[stage] if stage else None
        if levels is not None and levels.sound is not None and levels.sound.noise is not None:
            best = HeardTrack(levels, levels.sound)
            return None if best.is_test_signal else best
    return None
