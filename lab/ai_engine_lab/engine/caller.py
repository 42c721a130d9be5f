"""A simulated caller: listens to the line, speaks, interrupts and hangs up like a person.

It knows nothing of the engine: it hears frames and sends frames, so that the same caller can be at
the end of any transport.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ai_engine_lab.basics.audio_formats import (
    FRAME_BYTES,
    FRAME_SECONDS,
    LINEAR_RATE,
    rms,
    samples_of,
)
from ai_engine_lab.engine.plans import Scenario
from ai_engine_lab.engine.speech import ACTIVE_RMS, Prompt, frames_of, phrase

_FRAME_SAMPLES: Final = FRAME_BYTES // 2
_BED_SECONDS: Final = 20.0

_AGENT_DONE_SECONDS: Final = 0.9
"""So long a silence means that the agent has finished."""
_PATIENCE_SECONDS: Final = 6.0
"""Without any answer for so long, the caller asks again."""
_LAST_QUESTION_SECONDS: Final = 7.0
"""With less than this left of the call, the caller asks nothing more."""


class SimulatedCaller:
    """One caller's ears, mouth and line."""

    def __init__(
        self,
        scenario: Scenario,
        duration: float,
        prompts: Sequence[Prompt],
        rng: random.Random,
        send: Callable[[bytes], None],
    ) -> None:
        self._scenario = scenario
        self._duration = duration
        self._prompts = prompts
        self._rng = rng
        self._send = send
        self._line = _Line(scenario, rng)
        self._to_say: deque[bytes] = deque()
        self._spoke_until: float | None = None
        self._agent_since: float | None = None
        self._agent_heard = 0.0
        self._thinks_for = rng.uniform(*scenario.thinking_seconds)
        self._answers_heard = 0

    def hear(self, frame: bytes) -> None:
        """A linear 20 ms frame arrived at the caller's ear."""
        if rms(frame) < ACTIVE_RMS:
            return
        self._agent_heard = asyncio.get_running_loop().time()
        if self._agent_since is None:
            self._agent_since = self._agent_heard

    async def talk(self) -> None:
        """Be in the call, a frame every 20 ms, until it is time to hang up."""
        loop = asyncio.get_running_loop()
        tick = started = loop.time()
        self._spoke_until = started
        while loop.time() - started < self._duration - FRAME_SECONDS / 2:
            self._consider(loop.time(), left=self._duration - (loop.time() - started))
            self._send(self._line.frame(self._next_words(loop.time())))
            tick = max(tick + FRAME_SECONDS, loop.time())
            await asyncio.sleep(tick - loop.time())

    def _next_words(self, now: float) -> bytes | None:
        if not self._to_say:
            return None
        words = self._to_say.popleft()
        if not self._to_say:
            self._spoke_until = now + FRAME_SECONDS
        return words

    def _consider(self, now: float, left: float) -> None:
        """Decide whether to begin to speak."""
        if self._to_say or left < _LAST_QUESTION_SECONDS:
            return
        if self._agent_finished(now) or self._interrupts(now) or self._impatient(now):
            self._ask()

    def _agent_finished(self, now: float) -> bool:
        return (
            self._agent_since is not None
            and now - self._agent_heard >= _AGENT_DONE_SECONDS + self._thinks_for
        )

    def _interrupts(self, now: float) -> bool:
        after = self._scenario.interrupts_after
        every_second = self._answers_heard % 2 == 1
        return bool(
            after and every_second and self._agent_since and now - self._agent_since >= after
        )

    def _impatient(self, now: float) -> bool:
        waits_since = self._spoke_until
        return (
            self._agent_since is None
            and waits_since is not None
            and now - waits_since >= _PATIENCE_SECONDS
        )

    def _ask(self) -> None:
        seconds = self._rng.uniform(*self._scenario.question_seconds)
        self._to_say.extend(frames_of(phrase(self._prompts, seconds, self._rng)))
        self._answers_heard += self._agent_since is not None
        self._agent_since, self._spoke_until = None, None
        self._thinks_for = self._rng.uniform(*self._scenario.thinking_seconds)


class _Line:
    """The caller's microphone and line: words, and what is heard behind them."""

    def __init__(self, scenario: Scenario, rng: random.Random) -> None:
        self._scenario = scenario
        self._rng = rng
        self._bed = _noise_bed()
        self._at = rng.randrange(self._bed.shape[0])
        self._burst_frames = 0
        self._burst_rms = 0.0

    def frame(self, words: bytes | None) -> bytes:
        """One frame of the line, with some words or without."""
        self._at = (self._at + 1) % self._bed.shape[0]
        sound = self._bed[self._at] * self._level()
        if words is not None:
            sound = sound + samples_of(words)
        return bytes(np.clip(sound, -32_768, 32_767).astype("<i2"))

    def _level(self) -> np.float32:
        """The RMS behind the words, a noise burst included."""
        scenario = self._scenario
        if self._burst_frames:
            self._burst_frames -= 1
        elif self._rng.random() < scenario.noise_bursts_per_second * FRAME_SECONDS:
            self._burst_frames = round(
                self._rng.uniform(*scenario.noise_burst_seconds) / FRAME_SECONDS
            )
            self._burst_rms = self._rng.uniform(*scenario.noise_burst_rms)
        burst = self._burst_rms if self._burst_frames else 0.0
        return np.float32(np.hypot(scenario.line_rms, burst))


@functools.cache
def _noise_bed() -> NDArray[np.float32]:
    """Frames of the noise of a room, RMS 1: more low than high, as traffic and murmur are."""
    size = round(_BED_SECONDS * LINEAR_RATE)
    spectrum = np.fft.rfft(np.random.default_rng(1).normal(size=size))
    frequency = np.fft.rfftfreq(size, 1 / LINEAR_RATE)
    shaped = np.fft.irfft(
        spectrum * (frequency > 100) / np.sqrt(1 + (frequency / 500) ** 2), n=size
    )
    frames = (shaped / np.sqrt((shaped**2).mean())).reshape(-1, _FRAME_SAMPLES)
    return np.asarray(frames, dtype=np.float32)
