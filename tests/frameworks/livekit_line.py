"""A real LiveKit session whose models are scripted and whose room is a telephone: no network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, llm, stt, tts, vad
from livekit.agents.voice import io
from livekit.agents.voice.events import CloseReason
from livekit.agents.voice.room_io._output import _ParticipantAudioOutput
from scripted import ONSET_SECONDS, Caller, Recogniser, Turn, answer, chunks

GREETING = Turn()
UNUSED = "the agent's own node does this"
FALSE_INTERRUPTION_SECONDS = 0.8
WORDS_SECONDS = 0.7
"""A sound that is shorter, with the silence after it, holds no words."""


def turn_of(caller: Caller) -> Turn:
    """Return the turn that is under way."""
    return caller.turns[caller.turn] if 0 <= caller.turn < len(caller.turns) else GREETING


def frame_of(data: bytes, rate: int) -> rtc.AudioFrame:
    """Return LiveKit's frame of 16-bit samples."""
    return rtc.AudioFrame(data, rate, 1, len(data) // 2)


class Microphone(io.AudioInput):
    """Brings the caller's frames in."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(label="telephone")
        self._line = caller
        self._frames: AsyncIterator[bytes] | None = None

    async def __anext__(self) -> rtc.AudioFrame:
        if self._frames is None:
            self._line.began = time.monotonic()
            self._frames = self._line.frames()
        data = await anext(self._frames)
        return frame_of(data, self._line.rate)


class Source:
    """Stands for the room's track: it plays in real time, and queues 200 ms."""

    def __init__(self, caller: Caller) -> None:
        self._line = caller

    @property
    def queued_duration(self) -> float:
        return max(0.0, self._line.playing_until - time.monotonic())

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        self._line.play(bytes(frame.data), frame.sample_rate)
        await asyncio.sleep(max(0.0, self.queued_duration - 0.2))

    def clear_queue(self) -> None:
        self._line.flush()

    async def wait_for_playout(self) -> None:
        await asyncio.sleep(self.queued_duration)

    async def aclose(self) -> None:
        self._line.flush()


class Earpiece(_ParticipantAudioOutput):
    """LiveKit's own output to a room, whose track is a telephone."""

    def __init__(self, caller: Caller, rate: int) -> None:
        super().__init__(
            rtc.Room(),
            sample_rate=rate,
            num_channels=1,
            track_publish_options=rtc.TrackPublishOptions(),
        )
        self._audio_source = Source(caller)
        self._subscribed_fut.set_result(None)
        self._forwarding_task = asyncio.ensure_future(self._forward_audio())


class ScriptedVAD(vad.VAD):
    """Hears by the level when somebody speaks."""

    def __init__(self) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.02))

    def stream(self) -> vad.VADStream:
        return _VADStream(self)


class _VADStream(vad.VADStream):
    async def _main_task(self) -> None:
        heard = Recogniser()
        spoken = quiet = 0.0
        async for frame in self._input_ch:
            if not isinstance(frame, rtc.AudioFrame):
                continue
            what = heard.hear(bytes(frame.data), frame.sample_rate)
            loud = heard.loud
            spoken = spoken + frame.duration if heard.speaking else 0.0
            quiet = 0.0 if loud else quiet + frame.duration
            kinds = [vad.VADEventType.INFERENCE_DONE]
            if what == "began":
                spoken = ONSET_SECONDS
                kinds.append(vad.VADEventType.START_OF_SPEECH)
            elif what == "ended":
                kinds.append(vad.VADEventType.END_OF_SPEECH)
            for kind in kinds:
                event = vad.VADEvent(
                    type=kind,
                    samples_index=0,
                    timestamp=time.time(),
                    speech_duration=spoken if loud else 0.0,
                    silence_duration=quiet,
                    frames=[frame],
                    speaking=heard.speaking,
                    raw_accumulated_silence=quiet,
                    raw_accumulated_speech=spoken,
                )
                self._event_ch.send_nowait(event)


# A session starts with models of its own, and names them. LiveKit's base classes want the methods
# below; nobody calls them, since the agent's nodes do the work. Were one called, a test must fail.


class AcmeSTT(stt.STT):
    """Names the recogniser."""

    def __init__(self) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise AssertionError(UNUSED)


class AcmeLLM(llm.LLM):
    """Names the model."""

    def chat(self, **_: Any) -> llm.LLMStream:
        raise AssertionError(UNUSED)


class AcmeTTS(tts.TTS):
    """Names the synthesiser."""

    def __init__(self, rate: int) -> None:
        streaming = tts.TTSCapabilities(streaming=True)
        super().__init__(capabilities=streaming, sample_rate=rate, num_channels=1)

    def synthesize(self, *_: Any, **__: Any) -> tts.ChunkedStream:
        raise AssertionError(UNUSED)


class ScriptedAgent(Agent):
    """Answers by the script: its nodes are where LiveKit lets an agent do so."""

    def __init__(self, caller: Caller, rate: int) -> None:
        super().__init__(instructions="")
        self._line, self._rate = caller, rate

    async def on_enter(self) -> None:
        if self._line.greeting is not None:
            self.session.say("Hello.")

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], _settings: Any
    ) -> AsyncIterator[stt.SpeechEvent]:
        heard, spoken = Recogniser(), 0.0
        async for frame in audio:
            what = heard.hear(bytes(frame.data), frame.sample_rate)
            spoken += frame.duration
            if what == "began":
                spoken = 0.0
            elif what == "ended" and spoken > WORDS_SECONDS:
                await asyncio.sleep(turn_of(self._line).stt)
                words = stt.SpeechData(language="en", text="some words")
                kind = stt.SpeechEventType.FINAL_TRANSCRIPT
                yield stt.SpeechEvent(type=kind, alternatives=[words])

    async def llm_node(self, *_: Any) -> AsyncIterator[str]:
        await asyncio.sleep(turn_of(self._line).llm)
        for word in ("Here", " is", " what", " I", " found", "."):
            yield word

    async def tts_node(
        self, text: AsyncIterable[str], _settings: Any
    ) -> AsyncIterator[rtc.AudioFrame]:
        async for _ in text:
            break
        line = self._line
        turn = turn_of(line)
        seconds = line.greeting if line.turn < 0 else turn.answer
        await asyncio.sleep(turn.tts)
        if turn.fails:
            raise RuntimeError("the provider is gone")
        first = time.monotonic()
        for after, data in chunks(answer(line.turn + 1, seconds or 2.0), turn, self._rate):
            await asyncio.sleep(max(0.0, first + after - time.monotonic()) if after else 0)
            yield frame_of(data, self._rate)


def make_session(rate: int = 24_000) -> AgentSession[None]:
    """Return a session whose models are scripted."""
    return AgentSession(
        stt=AcmeSTT(),
        llm=AcmeLLM(),
        tts=AcmeTTS(rate),
        vad=ScriptedVAD(),
        aec_warmup_duration=None,
        turn_handling={
            "turn_detection": "vad",
            "endpointing": {"mode": "fixed", "min_delay": 0.1, "max_delay": 1.0},
            "interruption": {
                "mode": "vad",
                "min_duration": 0.2,
                "false_interruption_timeout": FALSE_INTERRUPTION_SECONDS,
            },
            "preemptive_generation": {"enabled": False},
        },
    )


async def place(
    session: AgentSession[None], caller: Caller, *, rate: int = 24_000, end: str = "user_initiated"
) -> None:
    """Run a call to the end of its script, and close the session."""
    session.input.audio = Microphone(caller)
    session.output.audio = Earpiece(caller, rate)
    await session.start(ScriptedAgent(caller, rate))
    await caller.done.wait()
    if end == "user_initiated":
        await session.aclose()
    else:
        await session._aclose_impl(reason=CloseReason(end))
