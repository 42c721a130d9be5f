"""What happened in a call, counted for its result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ai_engine_lab.engine.events import (
    BargedIn,
    CallEnded,
    CallEvent,
    CodecChecked,
    FellBack,
    SegmentEnded,
    TurnAnswered,
    TurnUnanswered,
)

if TYPE_CHECKING:
    from ai_engine_lab.engine.events import Outcome


@dataclass(frozen=True)
class CallTally:
    """What happened in a call, as the mechanism counted it; durations in seconds."""

    outcome: Outcome
    failed: bool
    duration: float
    turn_latencies: tuple[float, ...]
    unanswered: tuple[float, ...]
    frames_sent: int
    """Frames of the agent's speech, fillers not included."""
    fillers: int
    filler_episodes: int
    fallbacks: tuple[str, ...]
    barge_in_reactions: tuple[float, ...]
    codec_aligned: bool
    segments: tuple[SegmentEnded, ...]


@dataclass
class TallyKeeper:
    """An observer that counts one call."""

    turn_latencies: list[float] = field(default_factory=list)
    unanswered: list[float] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)
    barge_in_reactions: list[float] = field(default_factory=list)
    segments: list[SegmentEnded] = field(default_factory=list)
    codec_aligned: bool = True
    end: CallEnded | None = None

    def __call__(self, event: CallEvent) -> None:
        """Count one fact."""
        match event:
            case SegmentEnded():
                self.segments.append(event)
            case TurnAnswered(seconds):
                self.turn_latencies.append(seconds)
            case TurnUnanswered(waited):
                self.unanswered.append(waited)
            case BargedIn(reaction):
                self.barge_in_reactions.append(reaction)
            case FellBack(reason):
                self.fallbacks.append(reason)
            case CodecChecked(aligned):
                self.codec_aligned = aligned
            case CallEnded():
                self.end = event
            case _:
                pass  # frames are counted by their segment

    def tally(self) -> CallTally:
        """What was counted, once the call is over."""
        if self.end is None:
            raise RuntimeError("the call has not ended yet")
        return CallTally(
            outcome=self.end.outcome,
            failed=self.end.failed,
            duration=self.end.duration,
            turn_latencies=tuple(self.turn_latencies),
            unanswered=tuple(self.unanswered),
            frames_sent=sum(segment.frames_sent for segment in self.segments),
            fillers=sum(segment.fillers for segment in self.segments),
            filler_episodes=sum(segment.filler_episodes for segment in self.segments),
            fallbacks=tuple(self.fallbacks),
            barge_in_reactions=tuple(self.barge_in_reactions),
            codec_aligned=self.codec_aligned,
            segments=tuple(self.segments),
        )
