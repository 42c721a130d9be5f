"""Stand-ins for the providers' services: what both have in common.

A stand-in hears the caller through the audio that the engine sends it, by its level, as the real
services do by their own detectors: what the engine drops isn't heard. It answers as the scenario
says.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from aiohttp import WSMsgType, web

from ai_engine_lab.basics.audio_formats import to_int16
from ai_engine_lab.real_calls import sound
from ai_engine_lab.real_calls.caller import Caller
from ai_engine_lab.real_calls.recording import GivenAnswer, TimedSound
from ai_engine_lab.real_calls.scenario import Answer, Delivery

GREETING: Final = -1

CHARACTERS_A_SECOND: Final = 15.5
"""Of the recorded prompts' voice, with its pauses: their text comes with no package."""


class Session(abc.ABC):
    """One connection of the engine's: one call's conversation."""

    endpointing = 0.4
    """Seconds of silence after which the caller's turn is taken for over."""

    sample_bytes = 1
    """Bytes of its audio for each sample at 8 kHz."""

    def __init__(self, socket: web.WebSocketResponse, caller: Caller) -> None:
        self.socket = socket
        self.caller = caller
        self.recording = caller.recording
        self._threshold = caller.scenario.hears_above
        self._onset = round(caller.scenario.hears_after / sound.FRAME_SECONDS)
        self._buffer = sound.silence(0)
        self._loud_run = 0
        self._speaking = False
        self._last_voice = 0.0
        self._answered: set[int] = set()
        self._delivery: asyncio.Task[None] | None = None
        self._playing: GivenAnswer | None = None
        self._script: Answer | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def words(self) -> str:
        """A text as long as that of the answer that is given, at its true speed."""
        seconds = 0.0 if self._playing is None else len(self._playing.planned) / sound.RATE
        count = round(seconds * CHARACTERS_A_SECOND)
        return ("these are words of the agent, " * (count // 30 + 1))[:count]

    # --- what each service does in its own way --------------------------------------------------

    async def welcome(self) -> None:  # noqa: B027  # most services wait for the engine
        """Say what the service says first."""

    @abc.abstractmethod
    async def on_text(self, data: str) -> None:
        """Take a message of the engine's."""

    @abc.abstractmethod
    async def on_bytes(self, data: bytes) -> None:
        """Take binary data of the engine's."""

    @abc.abstractmethod
    async def tell_speech_started(self) -> None:
        """Say that the caller has begun to speak."""

    @abc.abstractmethod
    async def tell_speech_ended(self) -> None:
        """Say that the caller's turn is over."""

    @abc.abstractmethod
    async def begin_answer(self, turn: int) -> None:
        """Say that an answer begins."""

    @abc.abstractmethod
    def encode(self, samples: sound.Sound, delivery: Delivery) -> tuple[bytes, sound.Sound]:
        """Return an answer as it travels, and what it sounds like by the agreed format."""

    @abc.abstractmethod
    async def send_audio(self, payload: bytes) -> None:
        """Hand over a piece of the answer."""

    @abc.abstractmethod
    async def end_answer(self, *, withdrawn: bool) -> None:
        """Say that the answer is complete, or withdrawn."""

    # --- hearing the caller ---------------------------------------------------------------------

    async def hear(self, piece: sound.Sound) -> None:
        """Take audio of the caller's, 8 kHz."""
        self._buffer = np.concatenate([self._buffer, piece])
        while len(self._buffer) >= sound.FRAME:
            frame, self._buffer = self._buffer[: sound.FRAME], self._buffer[sound.FRAME :]
            await self._hear_frame(sound.rms(frame) >= self._threshold)

    async def _hear_frame(self, loud: bool) -> None:
        now = time.monotonic()
        self._loud_run = self._loud_run + 1 if loud else 0
        if loud:
            self._last_voice = now
        if not self._speaking and self._loud_run >= self._onset:
            self._speaking = True
            await self._speech_started()
        silent = now - self._last_voice
        if self._speaking and silent >= self.endpointing and not self.caller.speaking:
            self._speaking = False
            await self._speech_ended()

    async def _speech_started(self) -> None:
        playing, script = self._playing, self._script
        if self.in_play and script is not None and playing is not None:
            if not script.interruptible and not script.told:
                return
            if script.told:
                await self.tell_speech_started()
            if script.interruptible:
                await self.withdraw(playing)
            return
        await self.tell_speech_started()

    @property
    def in_play(self) -> bool:
        """Whether the agent is speaking now, as far as the provider can tell."""
        playing = self._playing
        if playing is None or not playing.chunks or playing.withdrawn_at is not None:
            return False
        return not playing.over or time.monotonic() < playing.chunks[0].at + playing.seconds

    async def withdraw(self, answer: GivenAnswer) -> None:
        """Stop an answer, if it isn't complete."""
        answer.withdrawn_at = time.monotonic()
        if self._delivery is not None and not self._delivery.done():
            self._delivery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._delivery
            await self.end_answer(withdrawn=True)

    async def _speech_ended(self) -> None:
        await self.tell_speech_ended()
        turn = self.caller.turn
        if turn < 0 or turn in self._answered:
            return
        self._answered.add(turn)
        answer = self.caller.scenario.turns[turn].answer
        if answer is None:
            self.recording.note(time.monotonic(), "provider leaves the turn unanswered")
        else:
            self.start_answer(turn, answer, self._last_voice + answer.after)

    # --- answering ------------------------------------------------------------------------------

    def start_answer(self, turn: int, answer: Answer, due: float) -> None:
        """Deliver an answer from a moment on."""
        self._delivery = asyncio.create_task(self._deliver(turn, answer, due))
        self._tasks.add(self._delivery)
        self._delivery.add_done_callback(self._tasks.discard)

    async def _deliver(self, turn: int, answer: Answer, due: float) -> None:
        await asyncio.sleep(due - time.monotonic())
        delivery = answer.delivery
        planned = sound.speech(answer.prompts, delivery.level)
        if delivery.overdrive != 1.0:
            planned = to_int16(planned * float(delivery.overdrive))
        given = GivenAnswer(turn, planned, speed=delivery.speed, garbled=delivery.wrong_encoding)
        self.recording.answers.append(given)
        self._playing, self._script = given, answer
        try:
            await self.begin_answer(turn)
            await self._hand_over(given, answer)
        except ConnectionError:
            given.lost_at = time.monotonic()

    async def _hand_over(self, given: GivenAnswer, answer: Answer) -> None:
        delivery = answer.delivery
        begun, step = time.monotonic(), round(delivery.chunk * sound.RATE)
        payload, heard = self.encode(given.planned, delivery)
        samples = len(heard) / max(1, len(given.planned))  # for each that was planned
        for start in range(0, len(given.planned), step):
            position = start / sound.RATE
            waited = sum(hole for place, hole in delivery.starved if place <= position)
            await asyncio.sleep(begun + position / delivery.pace + waited - time.monotonic())
            if delivery.close_after is not None and position >= delivery.close_after:
                given.lost_at = time.monotonic()
                self.recording.note(given.lost_at, "provider closes the connection")
                await self.socket.close(code=1011)
                return
            elapsed = time.monotonic() - begun
            if answer.false_barge_in_at is not None and elapsed >= answer.false_barge_in_at:
                await self._false_barge_in(given)
                return
            first, last = (round(samples * place) for place in (start, start + step))
            given.chunks.append(TimedSound(time.monotonic(), heard[first:last]))
            await self.send_audio(payload[first * self.sample_bytes : last * self.sample_bytes])
        given.complete_at = time.monotonic()
        await self.end_answer(withdrawn=False)

    async def _false_barge_in(self, given: GivenAnswer) -> None:
        given.withdrawn_at = time.monotonic()
        self.recording.note(given.withdrawn_at, "provider takes noise for the caller")
        await self.tell_speech_started()
        await self.end_answer(withdrawn=True)

    async def close(self) -> None:
        """Stop whatever is being delivered."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class ProviderServer:
    """A WebSocket server on loopback that stands in for a provider's service."""

    def __init__(
        self, path: str, session: Callable[[web.WebSocketResponse, Caller], Session]
    ) -> None:
        self.port = 0
        self._path = path
        self._session = session
        self._expected: Caller | None = None
        self._connected = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a free port of the loopback interface."""
        app = web.Application()
        app.router.add_get(self._path, self._serve)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where the engine finds it."""
        return f"ws://127.0.0.1:{self.port}{self._path}"

    def expect(self, caller: Caller) -> None:
        """Take the next connection for this caller's: nothing else tells whose it is."""
        self._expected = caller
        self._connected.clear()

    async def connected(self, timeout: float) -> bool:  # noqa: ASYNC109  # False, not an error
        """Wait until the expected connection has come; False if it doesn't."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._connected.wait()
        self._expected = None
        return self._connected.is_set()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        caller, self._expected = self._expected, None
        if caller is None:
            return web.Response(status=503, text="no call is expected now")
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        self._connected.set()
        session = self._session(socket, caller)
        try:
            await session.welcome()
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await session.on_text(message.data)
                elif message.type is WSMsgType.BINARY:
                    await session.on_bytes(message.data)
        except ConnectionError:
            pass
        finally:
            await session.close()
        return socket
