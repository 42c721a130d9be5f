"""How the engine is set up, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from ai_engine_lab.engine.detection import BargeInSettings, TurnSettings
from ai_engine_lab.engine.playback import PlaybackSettings
from ai_engine_lab.engine.voice import VoiceSettings
from ai_engine_lab.engine.watchdog import WatchdogSettings


@dataclass(frozen=True)
class EngineSettings:
    """How the engine is set up; durations in seconds."""

    turns: TurnSettings = field(default_factory=TurnSettings)
    barge_in: BargeInSettings = field(default_factory=BargeInSettings)
    playback: PlaybackSettings = field(default_factory=PlaybackSettings)
    voice: VoiceSettings = field(default_factory=VoiceSettings)
    watchdog: WatchdogSettings = field(default_factory=WatchdogSettings)
    answer_timeout_seconds: float = 15.0
    """A provider that has not begun to answer by then is given up for this turn."""
    same_turn_seconds: float = 2.0
    """Who speaks again this soon has only paused; later, the turn before went unanswered."""
