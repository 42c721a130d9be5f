"""A scripted call in real time: a caller with a telephone, and what was heard there.

It knows no framework. A framework's transport hands it what the agent says (``play``) and gets the
caller's frames from it (``frames``); services take their delays from the script. The truth is taken
at the caller's end, from the clean voices.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from ai_engine_lab.timelines.voices import RATE, Voice, active_parts, voices

FRAME_SECONDS = 0.02
ENDPOINT_SECONDS = 0.3
"""How long a caller must be silent until the scripted recogniser takes the turn as ended."""

ONSET_SECONDS = 0.2
"""How long a sound must last until the scripted recogniser takes it for words, as real ones do."""

BREAK_SECONDS = 0.1
"""Silence that ends a sound: stops within a word are shorter."""

COUGH_SECONDS = 0.4

HELD_SECONDS = 1.5
"""How long a cough may hold an answer back."""

DISTURBED = 0.1
"""Seconds: a frame that leaves so late shows a machine that is too busy."""

LOUD = 200.0


@dataclass(frozen=True)
class Hole:
    """The synthesiser stands still: after so many seconds of the answer, for so long."""

    after: float
    seconds: float


@dataclass(frozen=True)
class Turn:
    """What the caller says, and how the agent's services answer."""

    stt: float = 0.1
    llm: float = 0.2
    tts: float = 0.1
    answer: float = 3.0
    """At least so many seconds of speech."""
    holes: tuple[Hole, ...] = ()
    barge_in: float | None = None
    """The caller speaks over the answer so many seconds after it was first heard."""
    noise: float | None = None
    """The caller coughs over the answer so many seconds after it was first heard."""
    waits: float = 0.8
    """How long the caller waits after the answer before it before saying this."""
    fails: bool = False
    """Whether the synthesiser fails."""


@dataclass
class Truth:
    """What was heard at the caller's end. Seconds."""

    latencies: list[float] = field(default_factory=list)
    reactions: list[float] = field(default_factory=list)
    holes: list[float] = field(default_factory=list)
    agent_seconds: float = 0.0


@cache
def _single() -> tuple[Voice, ...]:
    """Return voices without a pause within: an end of turn is then where they end."""
    found = [voice for voice in voices() if len(voice.active) == 1]
    return tuple(found) or voices(real=False)


def words(number: int) -> Voice:
    """Return what the caller says in a turn: 1 to 2 s."""
    found = [voice for voice in _single() if 1.0 <= voice.ends - voice.starts <= 2.0]
    return found[number % len(found)]


def answer(number: int, seconds: float) -> Voice:
    """Return what the agent says: at least so long, without a pause within that is long."""

    def longest(voice: Voice) -> float:
        gaps = [b[0] - a[1] for a, b in zip(voice.active, voice.active[1:], strict=False)]
        return max(gaps, default=0.0)

    found = [voice for voice in voices() if voice.seconds >= seconds and longest(voice) < 0.6]
    return found[number % min(4, len(found))]


def pcm(samples: np.ndarray, rate: int = RATE) -> bytes:
    """Return samples at a rate, as 16-bit linear audio."""
    if rate != RATE and len(samples):  # band-limited: straight lines between samples are clicks
        count = round(len(samples) * rate / RATE)
        samples = np.fft.irfft(np.fft.rfft(samples), count) * (count / len(samples))
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()


def at_8k(data: bytes, rate: int) -> np.ndarray:
    """Return 16-bit linear audio as samples at 8 kHz."""
    samples = np.frombuffer(data, dtype="<i2").astype(np.float64)
    if rate == RATE:
        return samples
    at = np.arange(round(len(samples) * RATE / rate)) * (rate / RATE)
    return np.interp(at, np.arange(len(samples)), samples)


class Caller:
    """The far end of a call: speaks by the script, and records what is heard.

    Args:
        turns: The script. The agent greets first where ``greeting`` is set.
        rate: Of the frames that it sends, Hz.
        frame_seconds: How long they are.
    """

    def __init__(
        self,
        turns: list[Turn],
        *,
        greeting: float | None = 2.0,
        rate: int = 8000,
        frame_seconds: float = FRAME_SECONDS,
        patience: float = 6.0,
    ) -> None:
        voices()  # some are read from files: that must not delay the first frames
        self.turns = turns
        self.greeting = greeting
        self.rate, self.frame_seconds = rate, frame_seconds
        self.patience = patience
        self.turn = -1
        """Which turn is under way; -1: the greeting."""
        self.done = asyncio.Event()
        """Set when the script is over."""
        self.began = time.monotonic()
        self._heard = np.zeros(RATE * 240, dtype=np.float32)
        self._heard_to = 0
        self._said = np.zeros(RATE * 240, dtype=np.float32)
        self._spoke: list[tuple[float, float, str]] = []
        """(first word, last word, what) of everything said, in seconds of the call."""
        self._gaps: list[tuple[float, float]] = []
        """(when, seconds) of each time at which there was nothing to play."""
        self._lags: list[float] = []
        """Seconds by which each of its frames left late: the machine was busy."""

    # The agent's side.

    def play(self, data: bytes, rate: int, at: float | None = None) -> None:
        """Hear audio, which is played after what is still to be played."""
        now = round(((time.monotonic() if at is None else at) - self.began) * RATE)
        samples = at_8k(data, rate)
        start = max(now, self._heard_to)
        if start > self._heard_to:
            self._gaps.append((self._heard_to / RATE, (start - self._heard_to) / RATE))
        self._heard[start : start + len(samples)] = samples
        self._heard_to = start + len(samples)

    def flush(self) -> None:
        """Throw away what is not played yet."""
        now = round((time.monotonic() - self.began) * RATE)
        self._heard[now : self._heard_to] = 0.0
        self._heard_to = min(self._heard_to, now)

    @property
    def playing_until(self) -> float:
        """Monotonic seconds until which there is audio to play."""
        return self.began + self._heard_to / RATE

    # The caller's side.

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield what the caller sends, in real time, until somebody hangs up."""
        size = round(self.rate * self.frame_seconds)
        quiet = np.random.default_rng(1)
        plan = asyncio.ensure_future(self._plan())
        number = 0
        try:
            while True:
                if plan.done():
                    plan.result()
                    self.done.set()
                number += 1
                await self._until(self.began + number * self.frame_seconds)
                self._lags.append(max(0.0, self._now() - number * self.frame_seconds))
                start = round((number - 1) * self.frame_seconds * RATE)
                said = self._said[start : start + round(self.frame_seconds * RATE)]
                line = quiet.standard_normal(len(said)) * 8
                yield pcm(said + line, self.rate)[: 2 * size]
        finally:
            plan.cancel()
            self.done.set()

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - time.monotonic()))

    def _now(self) -> float:
        return time.monotonic() - self.began

    def _say(self, voice: Voice, what: str) -> float:
        """Say something from now on; return when its last word ends, in seconds of the call."""
        start = round((self._now() + 0.1) * RATE)
        self._said[start : start + len(voice.samples)] = voice.samples
        at = start / RATE
        self._spoke.append((at + voice.starts, at + voice.ends, what))
        return at + voice.ends

    def _loud(self, start: float, end: float) -> list[float]:
        """Return the times in a stretch at which the agent is heard."""
        window = RATE // 100
        first, last = max(0, int(start * RATE)), int(end * RATE)
        return [
            place / RATE
            for place in range(first, last, window)
            if np.sqrt(np.mean(self._heard[place : place + window] ** 2)) > LOUD
        ]

    async def _answered(self, since: float, patience: float) -> bool:
        """Wait until the agent is heard."""
        end = self._now() + patience
        while self._now() < end:
            if self._loud(max(since, self._now() - 0.5), self._now()):
                return True
            await asyncio.sleep(0.02)
        return False

    async def _silence(self, seconds: float) -> None:
        """Wait until the agent has been silent for so long."""
        while self._loud(  # noqa: ASYNC110  # what ends it is silence: nobody can tell of it
            self._now() - seconds, max(self._now(), self._heard_to / RATE)
        ):
            await asyncio.sleep(0.02)

    async def _plan(self) -> None:
        if self.greeting is not None and await self._answered(0.0, self.patience):
            await self._silence(1.2)
        barged = False
        for number, turn in enumerate(self.turns):
            await asyncio.sleep(turn.waits)
            if not barged:
                self.turn = number
                ends = self._say(words(number), "turn")
                await self._until(self.began + ends)
            else:
                ends = self._spoke[-1][1]
                await self._until(self.began + ends)
            barged = False
            if not await self._answered(ends, self.patience):
                continue
            if turn.noise is not None:
                await asyncio.sleep(turn.noise)
                self._cough()
            if turn.barge_in is not None:
                await asyncio.sleep(turn.barge_in)
                self.turn = number + 1
                # These begin at once: what begins softly may be the agent's echo for a while.
                self._say(words(number + 7), "barge_in")
                barged = True
                continue
            held = 0.0 if turn.noise is None else HELD_SECONDS
            longest = max((hole.seconds for hole in turn.holes), default=held)
            await self._silence(1.2 + longest)

    def _cough(self) -> None:
        start = round((self._now() + 0.1) * RATE)
        burst = np.random.default_rng(2).standard_normal(round(RATE * COUGH_SECONDS)) * 1500
        self._said[start : start + len(burst)] = burst

    # The truth.

    @property
    def worst_lag(self) -> float:
        """Seconds by which its most delayed frame left late."""
        return max(self._lags, default=0.0)

    @property
    def disturbed(self) -> bool:
        """Whether the machine was too busy for the call: its times say nothing of a framework."""
        return self.worst_lag > DISTURBED

    def _sent(self, at: float) -> float:
        """Return when the frame that holds a moment of its words was really sent."""
        frame = min(int(at / self.frame_seconds), len(self._lags) - 1)
        return at + (self._lags[frame] if frame >= 0 else 0.0)

    def truth(self) -> Truth:
        """Return what was heard."""
        found = Truth()
        spoke = [(self._sent(first), self._sent(last), what) for first, last, what in self._spoke]
        for place, (first, last, what) in enumerate(spoke):
            following = spoke[place + 1][0] if place + 1 < len(spoke) else self._now()
            if what == "barge_in":
                heard = self._loud(first, min(last, following))
                gone = self._gone_after(first)
                if heard and gone is not None:
                    found.reactions.append(float(gone - first))
            starts = self._loud(last + 0.02, following)
            if starts:
                found.latencies.append(float(starts[0] - last))
        found.holes = [seconds for at, seconds in self._gaps if self._is_hole(at, seconds)]
        found.agent_seconds = sum(end - start for start, end in self.agent_parts())
        return found

    def _is_hole(self, at: float, seconds: float) -> bool:
        """Return whether a time without audio was in an answer, and long enough to be heard."""
        spoke = any(first < at + seconds and at < last for first, last, _ in self._spoke)
        return 0.01 <= seconds < 3.0 and at > 0 and not spoke and bool(self._loud(at - 0.5, at))

    def _gone_after(self, since: float) -> float | None:
        """Return when the agent fell silent for half a second, after a time."""
        loud = self._loud(since, self._now())
        for before, after in zip(loud, [*loud[1:], float("inf")], strict=False):
            if after - before > 0.5:
                return before + 0.01
        return None

    def agent_parts(self) -> tuple[tuple[float, float], ...]:
        """Return when the agent was heard."""
        return active_parts(self._heard[: self._heard_to].astype(np.float64))[1]


def text_of(voice: Voice) -> str:
    """Return a sentence that takes about as long: telephone prompts have 15 characters a second."""
    return " ".join(["word"] * round(3 * voice.seconds)) + "."


class Recogniser:
    """Tells from the caller's frames when words begin and when a turn ends."""

    def __init__(self) -> None:
        self._loud = self._quiet = 0.0
        self.speaking = False
        self.loud = False

    def hear(self, data: bytes, rate: int) -> str | None:
        """Take a frame; return ``began``, ``ended`` or nothing."""
        samples = np.frombuffer(data, dtype="<i2").astype(np.float64)
        seconds = len(samples) / rate
        loud = bool(len(samples)) and float(np.sqrt(np.mean(samples**2))) > LOUD
        self.loud = loud
        self._quiet = 0.0 if loud else self._quiet + seconds
        if loud:
            self._loud += seconds
        elif self._quiet >= BREAK_SECONDS:
            self._loud = 0.0
        if not self.speaking and self._loud >= ONSET_SECONDS:
            self.speaking = True
            return "began"
        if self.speaking and self._quiet >= ENDPOINT_SECONDS:
            self.speaking = False
            return "ended"
        return None


def chunks(voice: Voice, turn: Turn, rate: int, seconds: float = 0.1) -> list[tuple[float, bytes]]:
    """Return an answer as a synthesiser gives it: (not before so long after the first, audio).

    It gives it as fast as it can, but for the holes: there what it has given is played to its end,
    and for the hole's seconds nothing more comes.
    """
    data = pcm(voice.samples, rate)
    size = 2 * round(rate * seconds)
    late = {}
    passed = 0.0
    for hole in turn.holes:
        passed += hole.seconds
        late[round(hole.after / seconds)] = hole.after + passed
    return [
        (late.get(number, 0.0), data[start : start + size])
        for number, start in enumerate(range(0, len(data), size))
    ]
