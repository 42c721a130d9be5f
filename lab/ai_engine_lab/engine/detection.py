"""What the engine hears of the caller: the turns, and when the caller talks over the agent.

Both detectors work on the energy of 20 ms frames, as the engine they stand for does: nobody tells
them what the caller meant to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from ai_engine_lab.basics.audio_formats import FRAME_SECONDS

_SLACK_SECONDS = 1e-6  # sums of 20 ms are not exact


@dataclass(frozen=True)
class TurnSettings:
    """When a caller's turn begins and ends; levels are 16-bit RMS, durations seconds."""

    speech_rms: float = 450.0
    start_seconds: float = 0.06
    end_silence_seconds: float = 0.5
    words_seconds: float = 0.4
    """Less voice than this is a noise, not an utterance."""


class TurnEvent(Enum):
    """What a frame of the caller's changed."""

    STARTED = auto()
    ENDED = auto()
    ENDED_WITHOUT_WORDS = auto()


class TurnDetector:
    """Finds the caller's turns by energy and end-of-speech silence."""

    def __init__(self, settings: TurnSettings) -> None:
        self._settings = settings
        self._speaking = False
        self._voiced = 0.0
        self._silent = 0.0

    @property
    def speaking(self) -> bool:
        """Whether a turn is going on."""
        return self._speaking

    def hear(self, level: float) -> TurnEvent | None:
        """Take one frame by its 16-bit RMS; say what it changed."""
        if level >= self._settings.speech_rms:
            self._voiced += FRAME_SECONDS
            self._silent = 0.0
            return self._maybe_start()
        self._silent += FRAME_SECONDS
        if self._speaking:
            return self._maybe_end()
        self._voiced = 0.0  # a click
        return None

    def begin(self) -> None:
        """A turn has begun that was noticed otherwise: the caller talked over the agent."""
        self._speaking = True
        self._voiced, self._silent = self._settings.words_seconds, 0.0

    def _maybe_start(self) -> TurnEvent | None:
        if self._speaking or self._voiced < self._settings.start_seconds - _SLACK_SECONDS:
            return None
        self._speaking = True
        return TurnEvent.STARTED

    def _maybe_end(self) -> TurnEvent | None:
        if self._silent < self._settings.end_silence_seconds - _SLACK_SECONDS:
            return None
        words = self._voiced >= self._settings.words_seconds - _SLACK_SECONDS
        self._speaking, self._voiced = False, 0.0
        return TurnEvent.ENDED if words else TurnEvent.ENDED_WITHOUT_WORDS


@dataclass(frozen=True)
class BargeInSettings:
    """When speech over the agent interrupts it; levels are 16-bit RMS, durations seconds."""

    energy_rms: float = 1_000.0
    window_seconds: float = 0.25
    """Loud speech needed before the agent is stopped."""
    bridged_seconds: float = 0.1
    """A dip between two syllables, up to this long, does not start the window anew."""
    protected_seconds: float = 0.2
    """After the agent begins to speak nothing counts: it may be its own echo."""
    cooldown_seconds: float = 0.5
    stop_seconds: float = 0.0
    """How long the engine takes to act once it has decided."""


class BargeInDetector:
    """Finds the caller talking over the agent, by loud speech that lasts a minimum window."""

    def __init__(self, settings: BargeInSettings) -> None:
        self._settings = settings
        self._blocked_until = 0.0
        self._onset: float | None = None
        self._loud = 0.0
        self._dip = 0.0

    def agent_started(self, now: float) -> None:
        """The agent begins to speak at `now` (loop seconds)."""
        self._blocked_until = max(self._blocked_until, now + self._settings.protected_seconds)
        self._reset()

    def hear(self, level: float, now: float) -> float | None:
        """Take a frame of `now`, while the agent speaks; the onset (loop seconds) of a barge-in."""
        if now < self._blocked_until:
            return None
        if level >= self._settings.energy_rms:
            return self._louder(now)
        self._dip += FRAME_SECONDS
        if self._dip > self._settings.bridged_seconds + _SLACK_SECONDS:
            self._reset()
        return None

    def _louder(self, now: float) -> float | None:
        if self._onset is None:
            self._onset = now - FRAME_SECONDS  # the frame has been 20 ms in the making
        self._loud += FRAME_SECONDS
        self._dip = 0.0
        if self._loud < self._settings.window_seconds - _SLACK_SECONDS:
            return None
        onset = self._onset
        self._blocked_until = now + self._settings.cooldown_seconds
        self._reset()
        return onset

    def _reset(self) -> None:
        self._onset, self._loud, self._dip = None, 0.0, 0.0
