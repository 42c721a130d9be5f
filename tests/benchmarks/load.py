"""A busy engine: 1,000 calls at once, as a share of one core, and the longest pause that we add.

One second of 1,000 calls is run through the library as fast as it goes: what it takes is the share.
Each call has a turn every 5 s and lasts 100 s, so that in a second 200 turns and 10 ends come. They
talk: of each 8 s the caller speaks for 1.8 and the agent for 3.2.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
from paired import Ratio, figure
from prometheus_client import CollectorRegistry

sys.path.insert(0, str(Path(__file__).parent.parent / "adapters" / "ava"))

import engine_2026

import ai_engine_quality as aeq
from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.ava.observer import EngineObserver
from ai_engine_quality.adapters.timer import POLLS_PER_SECOND

CALLS, TICKS = 1_000, 50
TURNS_PER_TICK = 4
SECONDS, BEFORE = 8, 8
"""Seconds that are run and averaged, after some that aren't, in which both sides have spoken."""
RATE = 8_000

CYCLE, CALLER_SPEAKS, AGENT_SPEAKS = 400, range(50, 140), range(190, 350)
"""Frames of a turn and its answer, and those of them in which each side speaks."""


def ratios() -> Iterator[Ratio]:
    """Yield the share of a core with raw frames and as attached, and the longest pause."""
    raw = _Engine()
    share, pause = raw.run(raw.frames)
    yield figure("1,000 calls, raw frames both ways", "a core", share, goal=0.05)
    yield figure("of these, calling a method that does nothing", "a core", raw.bound())
    yield figure("longest pause in a 20 ms tick, 1,000 calls", "2 ms", pause / 0.002, goal=1.0)
    raw.quality.close()
    attached = _AttachedEngine()
    share, _ = attached.run(attached.polls)
    yield figure("1,000 calls, levels by timer", "a core", share, goal=0.01)
    attached.quality.close()


class _Engine:
    """A second of calls that report everything through the library's own methods."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.quality = aeq.QualityMonitor(registry=self.registry, log=False)
        self._numbers = count()
        self._speech, self._line = _noise(1_800, 4_001), _noise(12, 1_001)
        self._silence = bytes(320)
        self._began = time.monotonic()
        self._ticks = count(1)
        self.calls = [self.start() for _ in range(CALLS)]
        self._turn = 0

    def start(self) -> aeq.CallHandle:
        """Begin a call."""
        call_id = f"1761532874.{next(self._numbers)}"
        self.quality.call_started(call_id, provider="deepgram", pipeline="default")
        call = self.quality.call(call_id)
        call.underflow(0)
        return call

    def frames(self, _tick: int) -> None:
        """Report a frame of each direction of each call, each at another place in its turn."""
        tick = next(self._ticks)
        at = self._began + tick / TICKS
        for number, call in enumerate(self.calls):
            place = (tick + 37 * number) % CYCLE
            speech = self._speech[(tick + 7 * number) % len(self._speech)]
            line = self._line[(tick + 7 * number) % len(self._line)]
            caller = speech if place in CALLER_SPEAKS else line
            agent = speech if place in AGENT_SPEAKS else self._silence
            for stage, frame in (("transport_in", caller), ("transport_out", agent)):
                call.audio(stage, frame, encoding="slin16", sample_rate=RATE, at=at)

    def bound(self) -> float:
        """Return the share of a core that Python takes to call as often what does nothing.

        It bounds what ``audio`` can cost, with what this benchmark does to choose the frames.
        """
        calls, self.calls = self.calls, [_Nothing() for _ in range(CALLS)]
        seconds = [_timed(lambda: [self.frames(0) for _ in range(TICKS)]) for _ in range(SECONDS)]
        self.calls = calls
        return float(np.median(seconds))

    def turns(self) -> None:
        """Report some turns."""
        for _ in range(TURNS_PER_TICK):
            self._turn = (self._turn + 1) % CALLS
            self.calls[self._turn].turn_response(0.8)
            self.calls[self._turn].frames_sent(250)

    def replace(self, place: int) -> None:
        """End a call and begin another."""
        self.calls[place].call_ended(duration=100.0)
        self.calls[place] = self.start()

    def collect(self) -> None:
        """Do our part of a scrape, without rendering it."""
        list(self.quality._prometheus.collected.collect())

    def run(self, audio: Callable[[int], None]) -> tuple[float, float]:
        """Return the share of a core, and the longest pause in a tick, in seconds.

        The pause is a scrape, a full batch of frames and a call's end in one tick.
        """
        seconds, pauses = [], []
        for second in range(BEFORE + SECONDS):
            spent = ended = measured = 0.0
            for tick in range(TICKS):
                spent += _timed(lambda tick=tick: audio(tick))
                spent += _timed(self.turns)
                if tick % 5 == 0:
                    place = second * 10 + tick // 5
                    measured = _timed(self.quality.frames.measure)
                    ended = _timed(lambda place=place: self.replace(place))
                    spent += measured + ended
            collected = _timed(self.collect)
            if second >= BEFORE:
                seconds.append(spent + collected)
                pauses.append(collected + measured + ended)
        return float(np.median(seconds)), float(np.median(pauses))


class _Nothing:
    """What a call would cost if nothing was done about its frames."""

    __slots__ = ()

    def audio(
        self,
        stage: str,
        frame: bytes,
        *,
        encoding: str,
        sample_rate: int,
        at: float | None = None,
    ) -> None:
        """Do nothing."""


class _AttachedEngine(_Engine):
    """The same calls as sessions of the AVA engine, polled by the timer's rule."""

    def __init__(self) -> None:
        self._engine = engine_2026.Engine()
        self._sessions: list[ObservedCall] = []
        super().__init__()
        self._observer = EngineObserver(self._engine, self.quality)
        self._polls = count()

    def start(self) -> aeq.CallHandle:
        """Begin a call with a session, and a stream that plays."""
        call = super().start()
        session = engine_2026.CallSession(call.call_id, call.call_id, provider_name="deepgram")
        self._engine.streaming_playback_manager.active_streams[call.call_id] = {
            "stream_id": call.call_id,
            "playback_type": "streaming-response",
            "frames_sent": 0,
            "underflow_events": 0,
            "target_format": "slin",
            "target_sample_rate": RATE,
        }
        self._sessions.append(ObservedCall(session, call, time.monotonic()))
        return call

    def replace(self, place: int) -> None:
        """End a call and begin another, in its place."""
        super().replace(place)
        self._sessions[place] = self._sessions.pop()

    def polls(self, tick: int) -> None:
        """Poll as many calls as the timer does in a tick; each has new levels and frames."""
        waiting = self._engine.streaming_playback_manager.frame_remainders
        for _ in range(POLLS_PER_SECOND // TICKS):
            call = self._sessions[next(self._polls) % CALLS]
            stages = ("transport_out:streaming-response", "provider_out", "transport_in")
            call.session.audio_diagnostics = {stage: {"rms": 2_000} for stage in stages}
            stream = self._engine.streaming_playback_manager.active_streams[call.call_id]
            stream["frames_sent"] += 25
            waiting[call.call_id] = self._speech[tick]
            self._observer.poll(call, CALLS / POLLS_PER_SECOND)


def _timed(work: Callable[[], object]) -> float:
    began = time.thread_time()  # of this core, whatever else runs on the machine
    work()
    return time.thread_time() - began


def _noise(rms: float, many: int) -> list[bytes]:
    """Return frames of noise whose levels lie about this one, as those of speech do."""
    chance = np.random.default_rng(1)
    levels = rms * np.exp(chance.normal(0, 0.5, (many, 1)))
    samples = np.clip(levels * chance.normal(0, 1, (many, RATE // 50)), -32_768, 32_767)
    return [row.tobytes() for row in samples.astype("<i2")]
