"""What can happen in a call: the facts that the mechanism tells, each a frozen value.

An observer is anything that takes a `CallEvent`. The mechanism knows nothing else of who listens:
the quality library, the engine's own metrics and a call's result all read the same facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ai_engine_lab.basics.audio_formats import AudioFormat

SegmentKind = Literal["greeting", "response", "announcement"]
ConversationState = Literal["greeting", "listening", "processing"]
EndReason = Literal[
    "end-of-stream", "barge-in", "streaming-ended", "transport-failure", "keepalive-timeout"
]
"""The engine's own words; `streaming-ended` is what it says where it has no reason."""

Stage = Literal["transport_in", "provider_out", "transport_out"]
Outcome = Literal[
    "caller_hangup", "agent_hangup", "interrupted", "no_input_timeout", "connection_lost", "failed"
]
NoInputAction = Literal["caller_activity", "check_in", "caller_resumed", "hangup"]


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
    seconds: float
    """Since the segment was opened."""


@dataclass(frozen=True, slots=True)
class SegmentEnded:
    """What became of a segment; `seconds` from its opening to its end."""

    kind: SegmentKind
    frames_sent: int
    """Frames of speech on the wire, fillers not included."""
    fillers: int
    filler_episodes: int
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
class AnswerGiven:
    """The provider has handed over all of what it says."""


@dataclass(frozen=True, slots=True)
class ProviderLost:
    """The provider's session closed in mid-call."""


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over; `duration` in seconds on the engine's monotonic clock."""

    outcome: Outcome
    failed: bool
    duration: float


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The conversation is in another state."""

    state: ConversationState


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """The call's audio connection is there, or is lost."""

    connected: bool


@dataclass(frozen=True, slots=True)
class WireRateChanged:
    """The caller's side carries so many samples per second; until told otherwise, 8,000."""

    sample_rate: int


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """The caller pressed a key of the telephone."""

    digit: str


@dataclass(frozen=True, slots=True)
class VoiceJudged:
    """A frame of the caller's was judged by the voice detector; `threshold` is a 16-bit RMS."""

    speech: bool
    confidence: float
    threshold: float


@dataclass(frozen=True, slots=True)
class ProviderFed:
    """So many bytes of the caller's audio went to the provider."""

    size: int


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """The provider's session began; the formats that were agreed, in its own words."""

    input_rate: int
    output_rate: int
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SettingsAcknowledged:
    """The provider took the session's settings, and declared its output's rate in Hz."""

    seconds: float
    output_rate: int


@dataclass(frozen=True, slots=True)
class BurstArrived:
    """A burst of the provider's: its bytes, those queued for the caller, and the measured rate."""

    size: int
    queued: int
    samples_per_second: float | None
    """Over the utterance so far; None for its first burst."""


@dataclass(frozen=True, slots=True)
class ByteOrderCorrected:
    """An utterance came in the other byte order, which was noticed and set right."""

    mode: Literal["auto"]


@dataclass(frozen=True, slots=True)
class SpeechSynthesised:
    """A pipeline's first audio of an answer, so many seconds after the transcript."""

    seconds: float


@dataclass(frozen=True, slots=True)
class BufferSampled:
    """The pacer looked at its buffer: frames that wait, seconds since the last burst."""

    frames: int
    chunk_age: float


@dataclass(frozen=True, slots=True)
class KeptAlive:
    """A keepalive of an open segment; whether the provider has been silent for too long."""

    timed_out: bool


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """The agent used a tool; `seconds` until it answered."""

    server: str
    tool: str
    succeeded: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class WatchdogChanged:
    """The watchdog for silent callers began or ended."""

    active: bool


@dataclass(frozen=True, slots=True)
class NoInputNoticed:
    """What the watchdog for silent callers did, or saw."""

    action: NoInputAction


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
    | AnswerGiven
    | ProviderLost
    | StateChanged
    | ConnectionChanged
    | WireRateChanged
    | DigitPressed
    | VoiceJudged
    | ProviderFed
    | SessionOpened
    | SettingsAcknowledged
    | BurstArrived
    | ByteOrderCorrected
    | SpeechSynthesised
    | BufferSampled
    | KeptAlive
    | ToolCalled
    | WatchdogChanged
    | NoInputNoticed
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
