"""A caller: speaks the script's words at their cues, and listens."""

from __future__ import annotations

import asyncio
import time
from collections import deque

import numpy as np

from ai_engine_lab.basics.audio_formats import to_int16
from ai_engine_lab.real_calls import sound
from ai_engine_lab.real_calls.phone import Phone
from ai_engine_lab.real_calls.recording import CallRecording, GivenAnswer, TimedSound, Utterance
from ai_engine_lab.real_calls.scenario import Cue, Scenario, Turn

CALLER_SPEED = 7 / 8
"""The caller is the same recordings, slower and lower: another voice than the agent's."""

ECHO_DELAY_FRAMES = 6
"""120 ms from the agent's sound at the ear to its echo in the microphone's track."""

GIVEN_UP = 2.5
"""Seconds of silence after which an answer that should go on is given up."""

LOOK = 0.02
"""Seconds between two looks at whether a cue has come."""


class Caller:
    """One caller, who is heard and hears in frames of 20 ms."""

    def __init__(self, scenario: Scenario, recording: CallRecording, seed: int) -> None:
        self.scenario = scenario
        self.recording = recording
        self.turn = -1
        """Index of the turn that is being, or was last, spoken."""
        self.hung_up = asyncio.Event()
        self.phone = Phone()
        self._said = asyncio.Event()
        self._random = np.random.default_rng(seed)
        self._words: deque[sound.Sound] = deque()
        self._utterance: Utterance | None = None
        self._echo: deque[sound.Sound] = deque()
        self._last_sound = 0.0
        self._first_sound: dict[int, float] = {}

    # --- the two tracks -------------------------------------------------------------------------

    def speak(self, at: float) -> sound.Sound:
        """Return the caller's next frame, and record it.

        Args:
            at: When it is spoken.
        """
        frame = sound.silence(sound.FRAME_SECONDS)
        if self._words and self._utterance is not None:
            frame = self._words.popleft()
            self._utterance.frame_times.append(at)
            if not self._words:
                self._said.set()
        frame = self._as_picked_up(frame)
        self.recording.sent.append(TimedSound(at, frame))
        return frame

    def hear(self, at: float, piece: sound.Sound) -> None:
        """Take what reached the caller's ear, and record it."""
        self.phone.count(at)
        self.recording.heard.append(TimedSound(at, piece))
        if sound.rms(piece) >= sound.AUDIBLE / 2:
            self._last_sound = at
            answers = self.recording.answers
            if answers and answers[-1].chunks and answers[-1].turn not in self._first_sound:
                self._first_sound[answers[-1].turn] = at
        if self.scenario.echo_db is not None:
            self._echo.append(piece)

    def miss(self, at: float, piece: sound.Sound) -> None:
        """Take note of what was lost on the way to the phone."""
        self.phone.count(at, lost=True)
        self.recording.missed.append(TimedSound(at, piece))

    def _as_picked_up(self, frame: sound.Sound) -> sound.Sound:
        scenario = self.scenario
        if scenario.mute:
            return sound.silence(sound.FRAME_SECONDS)
        signal = frame.astype(np.float64)
        if scenario.noise:
            signal += self._random.normal(0.0, scenario.noise, len(frame))
        if scenario.echo_db is not None and len(self._echo) > ECHO_DELAY_FRAMES:
            echo = self._echo.popleft()
            length = min(len(echo), len(signal))
            signal[:length] += echo[:length] * 10 ** (scenario.echo_db / 20)
        return to_int16(signal)

    # --- the script -----------------------------------------------------------------------------

    @property
    def speaking(self) -> bool:
        """Whether words are still to be sent."""
        return bool(self._words)

    async def converse(self) -> None:
        """Speak every turn at its cue, then hang up; ends early when the call does."""
        for index, turn in enumerate(self.scenario.turns):
            await self._wait(turn.cue)
            if self.hung_up.is_set():
                return
            self._say(index, turn)
            await self._said.wait()
        await self._wait(self.scenario.ending)

    def _say(self, index: int, turn: Turn) -> None:
        words = sound.speech(turn.prompts, self.scenario.caller_level, speed=CALLER_SPEED)
        self._utterance = Utterance(index, words, "interruption" if turn.interruption else "turn")
        self.recording.utterances.append(self._utterance)
        self.turn = index
        self._said.clear()
        self._words.extend(words.reshape(-1, sound.FRAME))

    def end(self, by: str) -> None:
        """The call is over, for the engine or somebody else ended it: say nothing more."""
        self.recording.ended_at = time.monotonic()
        self.recording.ended_by = "engine" if by == "engine" else "caller"
        self._words.clear()
        self.hung_up.set()
        self._said.set()

    async def _wait(self, cue: Cue) -> None:
        begun = time.monotonic()
        while not self.hung_up.is_set():
            now = time.monotonic()
            nothing = now - max(begun, self._last_sound)
            if nothing >= cue.patience or self._has_come(cue, now, begun):
                return
            await asyncio.sleep(LOOK)

    def _has_come(self, cue: Cue, now: float, begun: float) -> bool:
        if cue.when == "waiting":
            return now - begun >= cue.seconds
        answer = self._awaited()
        if answer is None:
            return False
        if cue.when == "during":
            first = self._first_sound.get(answer.turn)
            return first is not None and now - first >= cue.seconds
        if not answer.over or not answer.chunks:
            return answer.over
        # A pause of the speaker's is no end: the answer takes as long as it is, or is given up.
        silent = now - max(self._last_sound, answer.chunks[-1].at)
        due = answer.withdrawn_at or answer.lost_at or answer.chunks[0].at + answer.seconds
        return silent >= GIVEN_UP or (silent >= cue.seconds and now >= due)

    def _awaited(self) -> GivenAnswer | None:
        """Return the answer to the last turn, once it has begun; the greeting is that of -1."""
        answers = self.recording.answers
        return answers[-1] if answers and answers[-1].turn >= self._answered_turn() else None

    def _answered_turn(self) -> int:
        # An utterance that isn't answered leaves the caller with the answer before it.
        turn = self.turn
        while turn >= 0 and self.scenario.turns[turn].answer is None:
            turn -= 1
        return turn
