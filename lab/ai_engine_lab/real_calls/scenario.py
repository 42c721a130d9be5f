"""What a scenario is made of: what the caller says and when, and how the provider answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Provider = Literal["deepgram", "openai_realtime"]
Transport = Literal["audiosocket", "externalmedia"]
Setting = Literal["", "pacer", "no-barge-in"]
"""The engine's own pacer of OpenAI's audio is on; its own detection of barge-ins is off."""

PROVIDERS: tuple[Provider, ...] = ("deepgram", "openai_realtime")
TRANSPORTS: tuple[Transport, ...] = ("audiosocket", "externalmedia")

AGENT_LEVEL = 2_600.0
CALLER_LEVEL = 2_400.0
"""RMS of active speech: RFC 7874, section 4, has 2600 for either."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the provider hands over an answer's audio."""

    pace: float = 1.5
    """Seconds of audio for each second of time."""
    chunk: float = 0.04
    """Seconds of audio in a message."""
    starved: tuple[tuple[float, float], ...] = ()
    """(seconds of audio given, seconds in which nothing is given)."""
    close_after: float | None = None
    """Seconds of audio after which the connection is closed."""
    speed: float = 1.0
    """Too fast by a wrong sample rate: 2 is half of the samples that are due, 0.5 is double."""
    wrong_encoding: bool = False
    """u-law where linear samples are agreed, and the reverse."""
    level: float = AGENT_LEVEL
    overdrive: float = 1.0
    """Gain before the samples are cut off at full scale."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent says, and how."""

    prompts: tuple[str, ...]
    after: float = 0.9
    """Seconds from the caller's last word, as the provider hears it, to the first audio."""
    delivery: Delivery = field(default=Delivery())
    interruptible: bool = True
    """Whether the provider stops when it hears the caller."""
    told: bool = True
    """Whether it tells the engine so."""
    false_barge_in_at: float | None = None
    """Seconds after its first audio at which it takes noise for the caller, and stops."""


@dataclass(frozen=True, slots=True)
class Cue:
    """When the caller begins to speak, or hangs up."""

    when: Literal["after", "during", "waiting"]
    """``after`` the agent's answer and some silence, ``during`` it, or while ``waiting`` for it."""
    seconds: float = 0.8
    """Of silence after it; from its first sound; from the caller's own last word."""
    patience: float = 9.0
    """Seconds without a sound after which the caller goes on all the same."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Words of the caller, and the answer to them."""

    prompts: tuple[str, ...]
    answer: Answer | None
    """None: the provider never answers."""
    cue: Cue = field(default=Cue("after"))
    interruption: bool = False
    """Whether the caller means the agent to stop."""


@dataclass(frozen=True, slots=True)
class LineFault:
    """What befalls the line; times are seconds from the caller's first frame."""

    stall_at: float | None = None
    """The TCP connection stands still."""
    freeze_at: float | None = None
    """The engine's process is stopped."""
    seconds: float = 1.5
    """For how long."""
    loss: float = 0.0
    """Share of packets lost between Asterisk and the caller's phone, in either direction."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of call."""

    name: str
    title: str
    turns: tuple[Turn, ...]
    greeting: Answer | None = field(default=Answer(("demo-thanks",), after=0.2))
    ending: Cue = field(default=Cue("after", 1.0))
    provider: Provider = "deepgram"
    transport: Transport = "audiosocket"
    fault: bool = False
    """Whether something is broken on purpose; else the call is one of the test matrix."""
    expected: int | None = None
    """The score that the test matrix expects it to exceed."""
    noise: float = 0.0
    """RMS of white noise on the caller's side."""
    echo_db: float | None = None
    """Level of the agent's sound in the caller's microphone."""
    caller_level: float = CALLER_LEVEL
    mute: bool = False
    """Whether the caller's track carries silence only."""
    line: LineFault = field(default=LineFault())
    setting: Setting = ""
    """How the engine's configuration differs from its golden file's."""
    hears_above: float = 500.0
    """RMS from which the provider takes a sound for the caller's voice."""
    hears_after: float = 0.06
    """Seconds of such sound after which it does so."""

    @property
    def alone(self) -> bool:
        """Whether it disturbs every other call of the same engine."""
        return self.line.freeze_at is not None
