"""What can happen in a call: the facts that the mechanism tells, each a frozen value.

An observer is anything that takes a `CallEvent`. The mechanism knows nothing else of who listens:
the quality library, the engine's own metrics and a call's result all read the same facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ai_engine_quality.reference_engine.audio_formats import AudioFormat

SegmentKind = Literal["greeting", "response"]
EndReason = Literal["end-of-stream", "barge-in", "hang-up", "transport-failure", "provider-timeout"]
Stage = Literal["transport_in", "provider_out", "transport_out"]
Outcome = Literal["caller_hangup", "engine_stopped", "failed"]


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The call is there."""


@dataclass(frozen=True, slots=True)
class CodecChecked:
    """The provider's format was compared with the one that the engine expects."""

    aligned: bool
    detail: str


@dataclass(frozen=True, slots=True)
class SegmentStarted:
    """The agent is about to speak: a segment is open, and its buffer is being filled."""

    kind: SegmentKind


@dataclass(frozen=True, slots=True)
class SegmentHeard:
    """The first frame of a segment is on the wire, or the file that replaces it begins."""

    kind: SegmentKind


@dataclass(frozen=True, slots=True)
class SegmentEnded:
    """What became of a segment; `seconds` from its opening to its end."""

    kind: SegmentKind
    frames_sent: int
    """Frames of speech on the wire, fillers not included."""
    fillers: int
    filler_runs: int
    seconds: float
    end_reason: EndReason


@dataclass(frozen=True, slots=True)
class FrameSent:
    """A 20 ms frame (slin16, 8 kHz) is on the wire: speech, or a filler."""

    frame: bytes
    filler: bool


@dataclass(frozen=True, slots=True)
class AudioHeard:
    """A 20 ms frame passed a stage."""

    stage: Stage
    frame: bytes
    audio_format: AudioFormat


@dataclass(frozen=True, slots=True)
class FellBack:
    """Streaming gave way to a file, for the rest of a segment."""

    reason: str


@dataclass(frozen=True, slots=True)
class TurnAnswered:
    """First agent audio, so many seconds after the end of the caller's turn."""

    seconds: float


@dataclass(frozen=True, slots=True)
class TurnUnanswered:
    """A turn of the caller's got no reply; the caller waited so many seconds."""

    waited: float


@dataclass(frozen=True, slots=True)
class BargedIn:
    """The caller stopped the agent; `reaction` is seconds from the caller's onset to the stop."""

    reaction: float


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over; `duration` in seconds on the engine's monotonic clock."""

    outcome: Outcome
    failed: bool
    duration: float


CallEvent = (
    AudioHeard
    | FrameSent
    | SegmentStarted
    | SegmentHeard
    | SegmentEnded
    | TurnAnswered
    | TurnUnanswered
    | BargedIn
    | FellBack
    | CodecChecked
    | CallStarted
    | CallEnded
)
Observer = Callable[[CallEvent], None]


def tell_all(observers: Iterable[Observer]) -> Observer:
    """One observer that tells several, in order."""
    told = tuple(observers)

    def tell(event: CallEvent) -> None:
        for observer in told:
            observer(event)

    return tell
