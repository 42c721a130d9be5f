"""What is recorded of a call: every frame at the caller's end, and what the script did when.

Times are seconds of one monotonic clock, that of the process that holds both the callers and the
stand-ins; the engine's own clock is never asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from ai_engine_lab.real_calls.sound import FRAME_SECONDS, RATE, Sound

DISTURBED: Final = 0.04
"""Seconds: a caller's frame that leaves so late shows a machine that is too busy."""


@dataclass(frozen=True, slots=True)
class TimedSound:
    """A piece of sound, and when it crossed the edge."""

    at: float
    sound: Sound


@dataclass(slots=True)
class Utterance:
    """Words of the caller: which, and when they were really sent."""

    turn: int
    sound: Sound
    kind: Literal["turn", "interruption"] = "turn"
    frame_times: list[float] = field(default_factory=list)
    """When each of its frames was sent."""


@dataclass(slots=True)
class GivenAnswer:
    """Audio that the provider handed over, as the agreed format says that it sounds."""

    turn: int
    """Which turn of the caller it answers; -1 is the greeting."""
    planned: Sound
    """What the agent was meant to say."""
    chunks: list[TimedSound] = field(default_factory=list)
    complete_at: float | None = None
    """When the provider said that the answer is complete; None where it never did."""
    withdrawn_at: float | None = None
    """When the provider stopped it, because it heard, or thought it heard, the caller."""
    lost_at: float | None = None
    """When the provider's connection was closed in the middle of it."""
    speed: float = 1.0
    """How many times too fast it sounds, where the sample rate is wrong."""
    garbled: bool = False
    """Whether it was encoded in another format than agreed."""

    @property
    def seconds(self) -> float:
        """Seconds of audio that were handed over."""
        return sum(len(chunk.sound) for chunk in self.chunks) / RATE

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return not (self.complete_at is self.withdrawn_at is self.lost_at is None)


@dataclass(slots=True)
class CallRecording:
    """One call, at the caller's end, with the script's own log of it."""

    call_id: str
    scenario: str
    provider: str
    transport: str
    placed_at: float
    connected_at: float | None = None
    """When the caller's first frame was sent."""
    ended_at: float | None = None
    ended_by: Literal["caller", "engine", ""] = ""
    sent: list[TimedSound] = field(default_factory=list)
    """Every frame of the caller's, noise and echo included."""
    heard: list[TimedSound] = field(default_factory=list)
    """Every frame that reached the caller."""
    missed: list[TimedSound] = field(default_factory=list)
    """Every frame that was lost on the way to the phone, and when it would have come."""
    utterances: list[Utterance] = field(default_factory=list)
    answers: list[GivenAnswer] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    """What else happened, in words: the provider's events, the line's faults, files played."""
    worst_send_lag: float = 0.0
    """Seconds by which the caller's most delayed frame left late: the rig's own disturbance."""

    @property
    def disturbed(self) -> bool:
        """Whether this machine was too busy for the call: its times say nothing of the engine."""
        return self.worst_send_lag > DISTURBED

    def note(self, at: float, what: str) -> None:
        """Log an event."""
        self.events.append((at, what))

    @property
    def duration(self) -> float:
        """Seconds from the caller's first frame to the end."""
        if self.connected_at is None or self.ended_at is None:
            return 0.0
        return self.ended_at - self.connected_at

    @property
    def frames_heard(self) -> int:
        """How many frames of 20 ms reached the caller."""
        return round(sum(len(piece.sound) for piece in self.heard) / RATE / FRAME_SECONDS)
