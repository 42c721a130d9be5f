"""The conditions under which generated calls are heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What the line, the network and the engine are like."""

    name: str
    noise: str | None = None
    """At the caller: white, hum, babble or car."""
    snr: float = 100.0
    """dB, against the caller's active level."""
    echo_db: float | None = None
    """Level of the agent's echo in the caller's track, against the agent."""
    comfort: float = 0.0
    """16-bit RMS of the noise that the engine sends while the agent is silent."""
    breath: bool = False
    back_channels: bool = False
    dtmf: bool = False
    music: bool = False
    lost: float = 0.0
    """Share of the caller's frames that don't come."""
    late: float = 0.0
    """Share of the frames that come up to 80 ms late, the caller's."""
    shuffled: bool = False
    """Observations reach the ear out of order, by up to 0.3 s."""
    doubled: float = 0.0
    """Share of frames that come twice."""
    jump: float = 0.0
    """Seconds by which the clock jumps once."""
    frame_seconds: float = 0.02
    look_seconds: float = 0.0
    """Instead of all frames only looks, this far apart."""
    hints: bool = True
    """Whether what the provider gives is told."""
    burst: bool = False
    """The engine sends all that it has at once: the far end buffers it."""
    late_greeting: bool = False
    quieter_db: float = 0.0
    """How much quieter the caller is than other conditions' callers."""
    suppressed: bool = False
    """The phone sends nothing from 0.2 s after the caller's words until the next ones."""
    into_ends: bool = False
    """Callers speak into the ends of answers."""


CLEAN: Final = Condition(name="clean")

TABLE: Final = (
    CLEAN,
    Condition(name="clean, no hints", hints=False),
    *(
        Condition(name=f"{noise} noise at {snr} dB", noise=noise, snr=snr)
        for noise in ("white", "hum", "babble")
        for snr in (30, 20, 15, 10, 5)
    ),
    Condition(name="echo at -20 dB", echo_db=-20),
    Condition(name="echo at -30 dB", echo_db=-30),
    Condition(name="comfort noise", comfort=50),
    Condition(name="breath", breath=True),
    Condition(name="back-channels", back_channels=True),
    Condition(name="back-channels, no hints", back_channels=True, hints=False),
    Condition(name="DTMF", dtmf=True),
    Condition(name="music on hold", music=True),
    Condition(name="late greeting", late_greeting=True),
    Condition(name="2 % of frames lost", lost=0.02),
    Condition(name="10 % of frames late", late=0.1),
    Condition(name="out of order", shuffled=True),
    Condition(name="5 % of frames doubled", doubled=0.05),
    Condition(name="clock jumps ahead 100 s", jump=100.0),
    Condition(name="clock jumps back 20 s", jump=-20.0),
    Condition(name="frames of 10 ms", frame_seconds=0.01),
    Condition(name="frames of 60 ms", frame_seconds=0.06),
    Condition(name="sent in bursts", burst=True),
    Condition(name="looks every 0.19 s", look_seconds=0.187, hints=False),
    Condition(name="echo at -10 dB", echo_db=-10),
    Condition(name="no frames in silence", suppressed=True),
    Condition(name="into answers' ends", into_ends=True),
    Condition(name="into answers' ends, no hints", into_ends=True, hints=False),
    Condition(name="car noise at 20 dB", noise="car", snr=20),
    Condition(name="a caller 16 dB quieter", quieter_db=16),
)

MILD: Final = (
    CLEAN,
    Condition(name="white 20", noise="white", snr=20),
    Condition(name="white 30", noise="white", snr=30, breath=True),
    Condition(name="hum 20", noise="hum", snr=20, back_channels=True),
    Condition(name="hum 30", noise="hum", snr=30, late_greeting=True),
    Condition(name="babble 20", noise="babble", snr=20),
    Condition(name="babble 30", noise="babble", snr=30, back_channels=True),
    Condition(name="echo -20", echo_db=-20, back_channels=True),
    Condition(name="echo -30", echo_db=-30, noise="white", snr=25),
    Condition(name="comfort", comfort=40, breath=True),
    Condition(name="breath", breath=True, back_channels=True),
    Condition(name="back-channels", back_channels=True),
)
"""What the mild calls take their conditions from, in turn."""
