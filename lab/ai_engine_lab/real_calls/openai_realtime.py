"""A stand-in for OpenAI's Realtime service (platform.openai.com, "Realtime", GA events).

session.created, session.updated; audio as base64 of 24 kHz linear samples both ways; turns found by
the server's own voice detection, which cancels an answer that the caller interrupts.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import Any

from ai_engine_lab.basics.audio_formats import to_int16
from ai_engine_lab.real_calls import sound
from ai_engine_lab.real_calls.providers import GREETING, Session
from ai_engine_lab.real_calls.scenario import Delivery

PATH = "/v1/realtime"
RATE = 24_000


class OpenAISession(Session):
    """One connection of the engine's."""

    endpointing = 0.5
    """As ``turn_detection.silence_duration_ms`` is set for the engine."""

    sample_bytes = 2 * RATE // sound.RATE

    _greeted = False
    _response = ""

    async def on_text(self, data: str) -> None:
        """Take one of the engine's events."""
        event = json.loads(data)
        match event.get("type"):
            case "input_audio_buffer.append":
                await self.hear(self._at_8_khz(event.get("audio", "")))
            case "session.update":
                await self._send("session.updated", session=event.get("session", {}))
            case "response.create":
                self._greet()
            case "response.cancel":
                await self._cancel()
            case "input_audio_buffer.clear":
                await self._send("input_audio_buffer.cleared")

    async def on_bytes(self, data: bytes) -> None:
        """Ignore binary data: the service takes none."""

    async def welcome(self) -> None:
        """Say that the session is there, before anything else."""
        await self._send("session.created", session={"id": "sess_1", "model": "gpt-realtime"})

    @staticmethod
    def _at_8_khz(audio: str) -> sound.Sound:
        samples = sound.from_pcm(base64.b64decode(audio))
        whole = samples[: len(samples) // 3 * 3].reshape(-1, 3)
        return to_int16(whole.mean(axis=1))

    def _greet(self) -> None:
        greeting = self.caller.scenario.greeting
        if not self._greeted and greeting is not None:
            self.start_answer(GREETING, greeting, time.monotonic() + greeting.after)
        self._greeted = True

    async def _cancel(self) -> None:
        playing = self._playing
        if playing is not None and not playing.over:
            await self.withdraw(playing)
            return
        error = {"code": "response_cancel_not_active", "message": "no active response"}
        await self._send("error", error=error)

    async def tell_speech_started(self) -> None:
        """Say that the caller has begun to speak."""
        self.recording.note(time.monotonic(), "speech_started")
        await self._send("input_audio_buffer.speech_started", audio_start_ms=0, item_id="item_1")

    async def tell_speech_ended(self) -> None:
        """Say that the turn is over, and give the caller's words."""
        self.recording.note(time.monotonic(), "speech_stopped")
        await self._send("input_audio_buffer.speech_stopped", audio_end_ms=0, item_id="item_1")
        await self._send("input_audio_buffer.committed", item_id="item_1")
        await self._send(
            "conversation.item.input_audio_transcription.completed",
            item_id="item_1",
            transcript="Some words.",
        )

    async def begin_answer(self, turn: int) -> None:
        """Say that a response is made, and give the agent's words."""
        del turn
        self._response = f"resp_{uuid.uuid4().hex[:12]}"
        await self._send(
            "response.created", response={"id": self._response, "status": "in_progress"}
        )
        await self._send("response.output_audio_transcript.delta", delta=self.words)

    def encode(self, samples: sound.Sound, delivery: Delivery) -> tuple[bytes, sound.Sound]:
        """Return linear samples of 24 kHz, unless the scenario says otherwise."""
        wrong = sound.resampled(samples, round(sound.RATE * delivery.speed), RATE)
        payload = sound.to_ulaw(wrong) if delivery.wrong_encoding else sound.to_pcm(wrong)
        return payload, sound.resampled(sound.from_pcm(payload), RATE, sound.RATE)

    async def send_audio(self, payload: bytes) -> None:
        """Hand over a piece of the answer."""
        await self._send(
            "response.output_audio.delta",
            response_id=self._response,
            delta=base64.b64encode(payload).decode(),
        )

    async def end_answer(self, *, withdrawn: bool) -> None:
        """Say that the response is complete, or cancelled."""
        status = "cancelled" if withdrawn else "completed"
        if not withdrawn:
            await self._send("response.output_audio_transcript.done", transcript=self.words)
            await self._send("response.output_audio.done", response_id=self._response)
        response = {"id": self._response, "status": status, "output": []}
        await self._send("response.done", response=response)

    async def _send(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, "event_id": f"event_{uuid.uuid4().hex[:12]}", **fields}
        await self.socket.send_json(event)
