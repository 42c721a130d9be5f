"""A real Pipecat pipeline whose services and transport are scripted: no account, no network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

from pipecat.frames.frames import (
    CancelFrame,
    ClientConnectedFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    OutputAudioRawFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies
from pipecat.workers.runner import WorkerRunner
from scripted import Caller, Recogniser, Turn, answer, chunks, text_of

GREETING = Turn()


class Microphone(BaseInputTransport):
    """Brings the caller's frames in."""

    def __init__(self, params: TransportParams, caller: Caller) -> None:
        super().__init__(params)
        self._line = caller
        self._reading: asyncio.Task[None] | None = None

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        await self.push_frame(ClientConnectedFrame())
        self._reading = self.create_task(self._read())

    async def _read(self) -> None:
        self._line.began = time.monotonic()
        async for data in self._line.frames():
            frame = InputAudioRawFrame(data, sample_rate=self._line.rate, num_channels=1)
            await self.push_audio_frame(frame)

    async def stop(self, frame: EndFrame) -> None:
        await self._hang_up()
        await super().stop(frame)

    async def cancel(self, frame: CancelFrame) -> None:
        await self._hang_up()
        await super().cancel(frame)

    async def _hang_up(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            await self.cancel_task(reading)


class Earpiece(BaseOutputTransport):
    """Plays to the caller, a chunk ahead, as Pipecat's WebSocket transport does."""

    def __init__(self, params: TransportParams, caller: Caller) -> None:
        super().__init__(params)
        self._line = caller
        self._due = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._due = 0.0
            self._line.flush()

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self._line.play(frame.audio, frame.sample_rate)
        length = len(frame.audio) / 2 / frame.sample_rate
        wait = max(0.0, self._due - time.monotonic())
        await asyncio.sleep(wait)
        self._due = self._due + length if wait else time.monotonic() + length
        return True


class ScriptedSTTService(STTService):
    """Recognises after the script's delay that something was said."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(sample_rate=caller.rate)
        self._line = caller
        self._recogniser = Recogniser()

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        heard = self._recogniser.hear(audio, self._line.rate)
        if heard == "began":
            await self.broadcast_frame(ProposedUserStartedSpeakingFrame)
        elif heard == "ended":
            self.create_task(self._transcribe())
        yield None

    async def _transcribe(self) -> None:
        await asyncio.sleep(turn_of(self._line).stt)
        await self.push_frame(TranscriptionFrame("words", "caller", "", finalized=True))
        await self.broadcast_frame(ProposedUserStoppedSpeakingFrame)


class ScriptedLLMService(LLMService):
    """Thinks for as long as the script says."""

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self._line = caller

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        await asyncio.sleep(turn_of(self._line).llm)
        turn = turn_of(self._line)
        for word in text_of(answer(self._line.turn + 1, turn.answer)).split(" "):
            await self._push_llm_text(f"{word} ")
        await self.push_frame(LLMFullResponseEndFrame())


class ScriptedTTSService(TTSService):
    """Speaks a real prompt, with the script's delay and holes."""

    def __init__(self, caller: Caller, rate: int) -> None:
        super().__init__(sample_rate=rate, push_start_frame=True, push_stop_frames=True)
        self._line = caller
        self.given = 0.0
        """Seconds of audio that it has made."""

    async def run_tts(
        self,
        text: str,  # noqa: ARG002  # what is spoken is the script's
        context_id: str,
    ) -> AsyncGenerator[Frame | None, None]:
        line = self._line
        turn, seconds = turn_of(line), line.greeting if line.turn < 0 else turn_of(line).answer
        await asyncio.sleep(turn.tts)
        if turn.fails:
            raise RuntimeError("the provider is gone")
        first = time.monotonic()
        for after, data in chunks(answer(line.turn + 1, seconds or 2.0), turn, self.sample_rate):
            await asyncio.sleep(max(0.0, first + after - time.monotonic()) if after else 0)
            self.given += len(data) / 2 / self.sample_rate
            yield TTSAudioRawFrame(data, self.sample_rate, 1, context_id=context_id)


def turn_of(caller: Caller) -> Turn:
    """Return the turn that is under way."""
    return caller.turns[caller.turn] if 0 <= caller.turn < len(caller.turns) else GREETING


def make_pipeline(caller: Caller, rate: int = 24_000) -> Pipeline:
    """Return a pipeline that answers this caller."""
    params = TransportParams(
        audio_in_enabled=True,
        audio_out_enabled=True,
        audio_in_sample_rate=caller.rate,
        audio_out_sample_rate=rate,
        audio_out_end_silence_secs=0,
    )
    strategies = LLMUserAggregatorParams(user_turn_strategies=ExternalUserTurnStrategies())
    pair = LLMContextAggregatorPair(LLMContext(), user_params=strategies)
    return Pipeline(
        [
            Microphone(params, caller),
            ScriptedSTTService(caller),
            pair.user(),
            ScriptedLLMService(caller),
            ScriptedTTSService(caller, rate),
            Earpiece(params, caller),
            pair.assistant(),
        ]
    )


def make_worker(caller: Caller, *, rate: int = 24_000, **options: Any) -> PipelineWorker:
    """Return the worker of such a pipeline."""
    return PipelineWorker(
        make_pipeline(caller, rate),
        params=PipelineParams(audio_in_sample_rate=caller.rate, audio_out_sample_rate=rate),
        enable_rtvi=False,
        **options,
    )


async def place(worker: PipelineWorker, caller: Caller, *, end: str = "end") -> None:
    """Run a call to the end of its script, and end it: ``end`` or ``cancel``, by the worker."""
    if caller.greeting is not None:
        await worker.queue_frame(TTSSpeakFrame(text_of(answer(0, caller.greeting))))
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.ensure_future(runner.run())
    await caller.done.wait()
    if end == "cancel":
        await worker.cancel()
    elif end == "end":
        await worker.queue_frame(EndFrame())
    await running
