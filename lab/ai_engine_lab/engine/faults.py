"""Faults of the engine: what each does, and the board on which they come and go while calls run.

A fault changes `Conditions`, which the mechanism asks wherever it matters: the provider before it
speaks, the wire before it sends. What metrics and scores make of it follows from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ai_engine_quality.toolkit import parse_duration


@dataclass(frozen=True)
class Conditions:
    """What is wrong at present; as it stands, nothing is. Durations in seconds."""

    thinking_seconds: float = 0.0
    """Added to every answer's latency."""
    silent: bool = False
    """The provider says nothing more, the greeting excepted."""
    late_per_second: float = 0.0
    """How often a burst of the provider's arrives late, per second of audio."""
    late_seconds: float = 0.0
    misread: bool = False
    """The provider speaks u-law, and the engine reads it as linear audio of the same rate."""
    agent_gain: float = 1.0
    swapped: bool = False
    """Every sample on the wire to the caller has its two bytes in the wrong order."""
    frames_per_write_failure: int = 0
    """Of so many frames written one fails; 0: none does."""
    connected: bool = True
    """Whether the calls' audio connections are up."""
    stop_seconds: float = 0.0
    """Added to the time that the engine takes to stop when interrupted."""
    hiss_rms: float = 0.0
    """White noise on the caller's line, 16-bit RMS."""
    answering: bool = True
    """Whether the engine answers at all: HTTP, and new calls."""
    muted: bool = False
    """Nothing of the caller arrives: every frame is digital silence."""
    babble_rms: float = 0.0
    """Voices beside the caller, 16-bit RMS, that break into each answer for a second."""
    dropped_after_seconds: float = 0.0
    """A call of this age loses its connection and ends; 0: none does."""
    ends_told: bool = True
    """Whether the library is told that a call has ended."""
    provider_lost: bool = False
    """The provider's session closes in mid-call, and nobody opens another one."""
    bridged: bool = False
    """Formats are converted on purpose: the check fails, and nothing is heard of it."""


CLEAR: Final = Conditions()


@dataclass(frozen=True)
class Fault:
    """A fault that can be injected."""

    name: str
    title: str
    changes: Mapping[str, Any]
    """The conditions that it changes."""
    metrics: tuple[str, ...]
    """The engine's metrics that it moves, without their prefix."""
    factors: tuple[str, ...]
    """The factors of the score that it moves."""
    scenario: str = "simple_qa"
    """The kind of call that shows it."""
    at_seconds: float = 0.0
    """When it begins in the call that shows it."""
    needs_duration: bool = False
    """Whether it can't be taken back over HTTP."""
    cycle: tuple[float, float] | None = None
    """Of a fault that comes and goes: for how many seconds it is there, and for how many not."""
    of_a_call: bool = True
    """Whether one call shows it by its score, so that tables and the validation have it."""


FAULTS: Final[Mapping[str, Fault]] = {
    fault.name: fault
    for fault in (
        Fault(
            "slow_provider",
            "Every answer takes 2.2 s longer",
            {"thinking_seconds": 2.2},
            ("turn_response_seconds", "stt_to_tts_seconds"),
            ("latency",),
        ),
        Fault(
            "jitter",
            "Bursts of the provider's come 0.7 s late, and the buffer runs dry",
            {"late_per_second": 1.2, "late_seconds": 0.7},
            ("stream_underflow_events_total", "stream_filler_bytes_total"),
            ("underflow",),
        ),
        Fault(
            "transport_fallbacks",
            "Of 70 frames written to the caller one fails, and the rest is played from a file",
            {"frames_per_write_failure": 70},
            ("streaming_fallbacks_total", "stream_end_reason_total"),
            ("fallback",),
        ),
        Fault(
            "wrong_codec",
            "u-law bytes are read as linear audio: the check fails, and the agent is noise",
            {"misread": True},
            ("codec_alignment", "audio_rms"),
            ("codec", "rms"),
        ),
        Fault(
            "byte_swapped",
            "The bytes of every sample are swapped on the wire: noise that no counter notices",
            {"swapped": True},
            ("audio_rms",),
            ("codec", "rms"),
        ),
        Fault(
            "quiet_agent",
            "The agent speaks 13 dB too quietly",
            {"agent_gain": 0.22},
            ("audio_rms",),
            ("rms",),
        ),
        Fault(
            "dead_provider",
            "After the greeting the provider says nothing more",
            {"silent": True},
            ("stream_started_total", "conversation_state"),
            ("latency",),
        ),
        Fault(
            "late_barge_in",
            "The engine takes 0.9 s longer to stop when it is interrupted",
            {"stop_seconds": 0.9},
            ("barge_in_reaction_seconds",),
            ("barge_in",),
            scenario="barge_in",
        ),
        Fault(
            "low_vad_confidence",
            "Hiss on the caller's line makes the voice detector unsure",
            {"hiss_rms": 250.0},
            ("vad_confidence", "vad_adaptive_threshold"),
            (),
        ),
        Fault(
            "audiosocket_loss",
            "The audio connections of all calls are lost; files are still played",
            {"connected": False},
            (
                "audiosocket_active_connections",
                "audiosocket_rx_bytes_total",
                "streaming_fallbacks_total",
            ),
            ("latency", "fallback"),
            at_seconds=12.0,
        ),
        Fault(
            "engine_stop",
            "The engine is gone: its calls end, its HTTP side answers nothing",
            {"answering": False},
            ("audiosocket_active_connections",),
            (),
            at_seconds=12.0,
            needs_duration=True,
        ),
        Fault(
            "crash_loop",
            "The engine is gone for 25 s of every 60",
            {"answering": False},
            ("audiosocket_active_connections",),
            (),
            needs_duration=True,
            cycle=(25.0, 35.0),
            of_a_call=False,
        ),
        Fault(
            "dropped_calls",
            "Every call drops after 2 s, in the greeting",
            {"dropped_after_seconds": 2.0},
            ("stream_end_reason_total",),
            (),
            of_a_call=False,
        ),
        Fault(
            "unheard_callers",
            "Nothing of any caller arrives: digital silence on their track",
            {"muted": True},
            ("vad_frames_total", "no_input_events_total"),
            (),
            of_a_call=False,
        ),
        Fault(
            "babble",
            "Voices beside the caller break into each answer, and cut it off",
            {"babble_rms": 2500.0},
            ("barge_in_events_total", "stream_end_reason_total"),
            (),
            of_a_call=False,
        ),
        Fault(
            "lost_provider",
            "The provider's session closes in mid-call, and nothing more comes of it",
            {"provider_lost": True, "silent": True},
            ("stream_started_total",),
            (),
            at_seconds=12.0,
            of_a_call=False,
        ),
        Fault(
            "leaked_calls",
            "Calls end, and nobody tells the library",
            {"ends_told": False},
            (),
            (),
            of_a_call=False,
        ),
        Fault(
            "bridged_formats",
            "No fault: formats are converted on purpose, the check fails, nothing is heard",
            {"bridged": True},
            ("codec_alignment",),
            (),
            of_a_call=False,
        ),
    )
}


FAULTS_OF_A_CALL: Final = {name: fault for name, fault in FAULTS.items() if fault.of_a_call}


class FaultError(ValueError):
    """A fault that can't be injected; the message names the fix."""


def fault_named(name: str) -> Fault:
    """The fault of this name; hyphens will do."""
    found = FAULTS.get(name.replace("-", "_"))
    if found is None:
        raise FaultError(f"no fault {name!r}: choose one of {', '.join(FAULTS)}")
    return found


@dataclass(frozen=True)
class InjectedFault:
    """A fault that is on; `ends_at` in loop seconds, None until it is taken back."""

    fault: Fault
    ends_at: float | None
    timer: asyncio.TimerHandle | None


class FaultBoard:
    """The faults that are on, and what they make of the conditions. Times are the loop's."""

    def __init__(self, on_change: Callable[[Conditions], None] | None = None) -> None:
        self.conditions = CLEAR
        self._on_change = on_change
        self._injected: dict[str, InjectedFault] = {}
        self._scheduled: set[asyncio.TimerHandle] = set()
        self._cycles: dict[str, asyncio.TimerHandle] = {}
        self._away: set[str] = set()
        """Of the faults that come and go, those that are away at present."""

    @property
    def active(self) -> tuple[InjectedFault, ...]:
        """The faults that are on, in the order in which they came."""
        return tuple(self._injected.values())

    def inject(self, name: str, seconds: float | None = None) -> None:
        """Turn a fault on, for so long or until it is cleared; again, the last word counts."""
        fault = fault_named(name)
        if seconds is None and fault.needs_duration:
            raise FaultError(f"{fault.name} needs a duration, because nothing answers meanwhile")
        if seconds is not None and not 0 < seconds < float("inf"):
            raise FaultError(f"a fault lasts more than 0 seconds, not {seconds!r}")
        self._drop(fault.name)
        loop = asyncio.get_running_loop()
        timer = None if seconds is None else loop.call_later(seconds, self.clear, fault.name)
        ends_at = None if seconds is None else loop.time() + seconds
        self._injected[fault.name] = InjectedFault(fault, ends_at, timer)
        self._come(fault)
        self._changed()

    def _come(self, fault: Fault) -> None:
        """Let a fault that comes and goes be there for its time, then go for its time."""
        self._away.discard(fault.name)
        if fault.cycle is not None:
            loop = asyncio.get_running_loop()
            self._cycles[fault.name] = loop.call_later(fault.cycle[0], self._go, fault, loop.time())

    def _go(self, fault: Fault, came: float) -> None:
        there, away = fault.cycle or (0.0, 0.0)
        self._away.add(fault.name)
        self._changed()
        loop = asyncio.get_running_loop()
        self._cycles[fault.name] = loop.call_at(came + there + away, self._come_again, fault)

    def _come_again(self, fault: Fault) -> None:
        self._come(fault)
        self._changed()

    def clear(self, name: str) -> bool:
        """Take a fault back; return whether it was on."""
        was_on = self._drop(fault_named(name).name)
        self._changed()
        return was_on

    def clear_all(self) -> None:
        """Take every fault back, scheduled ones too."""
        for name in list(self._injected):
            self._drop(name)
        for handle in self._scheduled:
            handle.cancel()
        self._scheduled.clear()
        self._changed()

    def schedule(self, planned: Iterable[PlannedFault]) -> None:
        """Inject faults later, counted from now."""
        loop = asyncio.get_running_loop()
        for plan in planned:
            if plan.after <= 0:
                self.inject(plan.name, plan.seconds)
            else:
                self._scheduled.add(
                    loop.call_later(plan.after, self.inject, plan.name, plan.seconds)
                )

    def _drop(self, name: str) -> bool:
        injected = self._injected.pop(name, None)
        if (cycle := self._cycles.pop(name, None)) is not None:
            cycle.cancel()
        self._away.discard(name)
        if injected is not None and injected.timer is not None:
            injected.timer.cancel()
        return injected is not None

    def _changed(self) -> None:
        changes = {
            field: value
            for name, injected in self._injected.items()
            if name not in self._away
            for field, value in injected.fault.changes.items()
        }
        conditions = replace(CLEAR, **changes)
        if conditions != self.conditions:
            self.conditions = conditions
            if self._on_change is not None:
                self._on_change(conditions)


@dataclass(frozen=True)
class PlannedFault:
    """A fault to come: `after` so many seconds, for `seconds` (None: until it is cleared)."""

    name: str
    seconds: float | None = None
    after: float = 0.0

    @classmethod
    def parse(cls, text: str) -> PlannedFault:
        """Read `NAME[:for][@after]`, e.g. `jitter:3m@1m`."""
        before, _, after = text.partition("@")
        name, _, lasting = before.partition(":")
        fault = fault_named(name)
        seconds = _duration(lasting) if lasting else None
        if seconds is None and fault.needs_duration:
            raise FaultError(f"{fault.name} needs a duration: {fault.name}:1m")
        return cls(fault.name, seconds, _duration(after) if after else 0.0)


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise FaultError(str(error)) from error
