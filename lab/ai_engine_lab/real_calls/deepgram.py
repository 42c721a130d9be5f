"""A stand-in for Deepgram's voice agent (developers.deepgram.com, "Voice Agent API").

Settings in, SettingsApplied out; binary u-law of 8 kHz both ways; UserStartedSpeaking as soon as
the caller is heard, ConversationText when the turn is over, AgentAudioDone when an answer is
complete, then a LatencyReport of its stages.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from ai_engine_lab.real_calls import sound
from ai_engine_lab.real_calls.providers import GREETING, Session
from ai_engine_lab.real_calls.scenario import Delivery

PATH = "/v1/agent/converse"

STT_SECONDS = TTS_SECONDS = 0.1
"""What its recogniser and its voice take of each turn; the rest is the model's."""


class DeepgramSession(Session):
    """One connection of the engine's."""

    _settled = False

    async def on_text(self, data: str) -> None:
        """Take the engine's settings, and greet; what else comes needs no answer."""
        message = json.loads(data)
        if message.get("type") != "Settings" or self._settled:
            return
        self._settled = True
        await self._send({"type": "Welcome", "request_id": str(uuid.uuid4())})
        await self._send({"type": "SettingsApplied"})
        greeting = self.caller.scenario.greeting
        if greeting is not None:
            self.start_answer(GREETING, greeting, time.monotonic() + greeting.after)

    async def on_bytes(self, data: bytes) -> None:
        """Take the caller's audio."""
        await self.hear(sound.from_ulaw(data))

    async def tell_speech_started(self) -> None:
        """Say that the caller has begun to speak."""
        self.recording.note(time.monotonic(), "UserStartedSpeaking")
        await self._send({"type": "UserStartedSpeaking"})

    async def tell_speech_ended(self) -> None:
        """Give the caller's words."""
        self.recording.note(time.monotonic(), "ConversationText of the caller")
        await self._send({"type": "ConversationText", "role": "user", "content": "Some words."})

    async def begin_answer(self, turn: int) -> None:
        """Give the agent's words."""
        if turn != GREETING:
            await self._send({"type": "AgentThinking", "content": ""})
        await self._send({"type": "ConversationText", "role": "assistant", "content": self.words})
        await self._send({"type": "AgentStartedSpeaking", "total_latency": 0.5})

    def encode(self, samples: sound.Sound, delivery: Delivery) -> tuple[bytes, sound.Sound]:
        """Return u-law of 8 kHz, unless the scenario says otherwise."""
        wrong = sound.resampled(samples, round(sound.RATE * delivery.speed), sound.RATE)
        payload = sound.to_pcm(wrong) if delivery.wrong_encoding else sound.to_ulaw(wrong)
        return payload, sound.from_ulaw(payload)

    async def send_audio(self, payload: bytes) -> None:
        """Hand over a piece of the answer."""
        await self.socket.send_bytes(payload)

    async def end_answer(self, *, withdrawn: bool) -> None:
        """Say that the audio is complete; of a withdrawn answer nothing is said."""
        if not withdrawn:
            await self._send({"type": "AgentAudioDone"})
        if self._playing is not None and self._playing.turn != GREETING and self._script:
            await self._report(self._script.after)

    async def _report(self, total: float) -> None:
        """Tell of what the turn's time was made, from the caller's last word on, in seconds."""
        model = max(0.0, total - self.endpointing - STT_SECONDS - TTS_SECONDS)
        await self._send(
            {
                "type": "LatencyReport",
                "stt_latency": STT_SECONDS,
                "ttt_text_latency": model,
                "tts_latency": TTS_SECONDS,
                "total_latency": total,
            }
        )

    async def _send(self, message: dict[str, Any]) -> None:
        await self.socket.send_json(message)
