"""One call in the engine: it greets, hears turns, answers, and gives way when interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

from ai_engine_lab.basics.audio_formats import FRAME_SECONDS, LINEAR, AudioFormat, rms
from ai_engine_lab.basics.chance import chance
from ai_engine_lab.engine.detection import BargeInDetector, TurnDetector, TurnEvent
from ai_engine_lab.engine.disturbance import DisturbedLine, DisturbedTransport
from ai_engine_lab.engine.events import (
    AnswerGiven,
    AudioHeard,
    BargedIn,
    CallEnded,
    CallEvent,
    CallStarted,
    CodecChecked,
    ConnectionChanged,
    ConversationState,
    DigitPressed,
    EndReason,
    FrameSent,
    Observer,
    Outcome,
    ProviderFed,
    ProviderLost,
    SegmentEnded,
    SegmentHeard,
    SegmentKind,
    SegmentStarted,
    SessionOpened,
    SettingsAcknowledged,
    SpeechSynthesised,
    StateChanged,
    TurnAnswered,
    TurnUnanswered,
    WireRateChanged,
)
from ai_engine_lab.engine.faults import CLEAR, Conditions
from ai_engine_lab.engine.plans import PlannedCall
from ai_engine_lab.engine.playback import Playback
from ai_engine_lab.engine.provider import Provider
from ai_engine_lab.engine.receiving import Reception
from ai_engine_lab.engine.settings import EngineSettings
from ai_engine_lab.engine.tools import ToolDesk
from ai_engine_lab.engine.transport import Transport
from ai_engine_lab.engine.voice import VoiceDetector
from ai_engine_lab.engine.watchdog import SilenceWatchdog

_log = logging.getLogger(__name__)

_CHECK_IN_SECONDS: Final = 1.5
"""The length of the question to a silent caller."""
_MID_CALL_SECONDS: Final = 5.0
"""The age of a call whose provider can be lost."""
_ACKNOWLEDGED_AFTER: Final = (0.04, 0.18)
"""Seconds until a provider has taken its settings."""


class CallSession:
    """The engine's side of one call.

    Give it the caller's frames with `hear`, end it with `hang_up`; `run` lasts as long as the call.
    """

    def __init__(
        self,
        *,
        plan: PlannedCall,
        provider: Provider,
        transport: Transport,
        observer: Observer,
        settings: EngineSettings,
        rng: random.Random,
        conditions: Callable[[], Conditions] = lambda: CLEAR,
    ) -> None:
        self._plan = plan
        self._provider = provider
        self._emit = observer
        self._settings = settings
        self._rng = rng
        self._conditions = conditions
        self._line = DisturbedLine(conditions)
        self._began = 0.0
        self._provider_lost = False
        self._connected = False
        self._fed_bytes = 2 * round(provider.model.input_rate * FRAME_SECONDS)
        self._codec_checked: tuple[AudioFormat, AudioFormat, bool] | None = None
        self._voice = VoiceDetector(settings.voice)
        self._tools = ToolDesk(chance(plan.call_id, "tools"))
        self._watchdog = SilenceWatchdog(
            settings.watchdog, observer, self._check_in, lambda: self.hang_up("no_input_timeout")
        )
        self._turns = self._turn_detector()
        self._barge_in = BargeInDetector(settings.barge_in)
        self._playback = Playback(
            DisturbedTransport(transport, conditions),
            settings.playback,
            self._played,
            self._line.to_caller,
        )
        self._ended: asyncio.Future[tuple[Outcome, bool]] = (
            asyncio.get_running_loop().create_future()
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._utterance: asyncio.Task[None] | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._turn_began = 0.0
        self._turn_ended: float | None = None
        self._answer_timer: asyncio.TimerHandle | None = None

    async def run(self) -> CallEnded:
        """Be in the call until someone hangs up or it fails."""
        loop = asyncio.get_running_loop()
        began = self._began = loop.time()
        self._emit(CallStarted())
        self._mind_connection()
        self._enter("greeting")
        self._spawn(self._open_provider())
        self._provider.negotiate()
        self._check_codec()
        self._watchdog.start()
        self._utter("greeting", self._provider.greet(self._plan.scenario.greeting_seconds))
        outcome: Outcome = "interrupted"  # unless someone says otherwise before it is cancelled
        failed = False
        try:
            outcome, failed = await self._ended
        finally:
            await self._leave()
            self._watchdog.stop()
            if self._connected:
                self._emit(ConnectionChanged(connected=False))
            end = CallEnded(outcome, failed, loop.time() - began)
            self._emit(end)
        return end

    def hang_up(self, outcome: Outcome = "caller_hangup", *, failed: bool = False) -> None:
        """End the call; a second time changes nothing."""
        if not self._ended.done():
            self._ended.set_result((outcome, failed))

    def hear(self, frame: bytes) -> None:
        """A linear 20 ms frame of the caller's arrived."""
        self._mind_connection()
        self._mind_age()
        if self._ended.done() or not self._connected:
            return
        frame = self._line.from_caller(frame)
        self._emit(AudioHeard("transport_in", frame, LINEAR))
        level, now = rms(frame), asyncio.get_running_loop().time()
        self._emit(self._voice.judge(frame, level))
        if self._playback.speaking:
            onset = self._barge_in.hear(level, now)
            if onset is not None:
                self._spawn(self._give_way(onset))
            return
        self._emit(ProviderFed(self._fed_bytes))
        event = self._turns.hear(level)
        if event is TurnEvent.STARTED:
            self._turn_started(now)
        elif event is not None:
            self._turn_over(now, words=event is TurnEvent.ENDED)

    def press(self, digit: str) -> None:
        """The caller pressed a key."""
        if not self._ended.done():
            self._emit(DigitPressed(digit))

    def wire_rate(self, sample_rate: int) -> None:
        """The caller's side carries so many samples per second from now on."""
        if not self._ended.done():
            self._emit(WireRateChanged(sample_rate))

    def _played(self, event: CallEvent) -> None:
        """Pass on what the playback tells, and mark what it means for the turn."""
        self._emit(event)
        match event:
            case FrameSent(frame, filler=False):
                self._emit(AudioHeard("transport_out", frame, LINEAR))
            case SegmentHeard(kind):
                self._agent_heard(kind)
            case SegmentStarted():
                self._watchdog.pause()
            case SegmentEnded():
                self._agent_done()
            case _:
                pass

    def _agent_done(self) -> None:
        """The agent has finished, or was stopped: unless a turn waits, it is the caller's turn."""
        if self._turn_ended is None:
            self._enter("listening")
            self._watchdog.callers_turn()

    def _agent_heard(self, kind: SegmentKind) -> None:
        """The agent is heard: the pending turn has its answer."""
        now = asyncio.get_running_loop().time()
        self._barge_in.agent_started(now)
        if kind == "response" and self._turn_ended is not None:
            self._emit(TurnAnswered(now - self._turn_ended))
            self._close_turn()

    # Turns.

    def _turn_started(self, now: float) -> None:
        """The caller speaks, or seems to: an answer that has not been heard yet must wait."""
        self._turn_began = now
        self._quiet.clear()
        self._watchdog.caller_speaks()

    def _turn_over(self, now: float, *, words: bool) -> None:
        """The caller is silent again. After a mere noise the answer that waits is given."""
        if words:
            self._open_turn(now)
            if self._utterance is not None:
                self._utterance.cancel()
            self._spawn(self._answer())
        elif self._turn_ended is None:
            self._watchdog.callers_turn()
        self._quiet.set()

    async def _answer(self) -> None:
        await self._silence("barge-in")
        seconds = self._rng.uniform(*self._plan.scenario.reply_seconds)
        tool = self._use_tool if self._plan.scenario.demanding else None
        self._utter("response", self._provider.respond(seconds, tool))

    async def _use_tool(self) -> None:
        used = await self._tools.use()
        if used is not None:
            self._emit(used)

    def _open_turn(self, now: float) -> None:
        if self._turn_ended is not None:
            waited = self._turn_began - self._turn_ended
            if waited >= self._settings.same_turn_seconds:
                self._emit(TurnUnanswered(waited))
            self._close_turn()
        self._turn_ended = now
        self._enter("processing")
        self._watchdog.pause()
        timeout = self._settings.answer_timeout_seconds
        self._answer_timer = asyncio.get_running_loop().call_later(timeout, self._give_up)

    def _close_turn(self) -> None:
        self._turn_ended = None
        if self._answer_timer is not None:
            self._answer_timer.cancel()

    def _give_up(self) -> None:
        """The provider has not answered in time."""
        if self._turn_ended is not None:
            self._emit(TurnUnanswered(asyncio.get_running_loop().time() - self._turn_ended))
            self._close_turn()
            self._agent_done()
            self._spawn(self._silence("keepalive-timeout"))

    def _check_in(self) -> None:
        """The caller has been silent for long: ask whether they are there."""
        self._utter("announcement", self._provider.announce(_CHECK_IN_SECONDS))

    async def _give_way(self, onset: float) -> None:
        """The caller talks over the agent: stop, and listen."""
        await asyncio.sleep(self._settings.barge_in.stop_seconds + self._conditions().stop_seconds)
        if not self._playback.speaking:
            return
        await self._silence("barge-in")
        now = asyncio.get_running_loop().time()
        self._emit(BargedIn(now - onset))
        self._turns.begin()
        self._turn_started(onset)

    # The agent's utterances.

    def _utter(self, kind: SegmentKind, bursts: AsyncGenerator[bytes, None]) -> None:
        self._utterance = self._spawn(self._play(kind, bursts))

    async def _play(self, kind: SegmentKind, bursts: AsyncGenerator[bytes, None]) -> None:
        loop = asyncio.get_running_loop()
        segment, reception = None, Reception(self._provider, self._emit)
        async with contextlib.aclosing(bursts):
            async for burst in bursts:
                if not reception.begun:
                    self._first_audio(kind)
                linear = reception.take(burst, loop.time())
                if segment is None:
                    await self._quiet.wait()
                    segment = self._playback.open(kind)
                segment.feed(linear, loop.time())
        if segment is not None:
            self._emit(AnswerGiven())
            segment.close()
            await self._playback.finished()

    def _first_audio(self, kind: SegmentKind) -> None:
        """An utterance of the provider's begins to arrive."""
        self._check_codec()
        transcribed_at = self._provider.transcribed_at
        if kind == "response" and transcribed_at is not None:
            self._emit(SpeechSynthesised(asyncio.get_running_loop().time() - transcribed_at))

    async def _silence(self, reason: EndReason) -> None:
        """Stop what the agent says or is about to say."""
        utterance, self._utterance = self._utterance, None
        if utterance is not None:
            utterance.cancel()
        await self._playback.stop(reason)

    # The call.

    def _enter(self, state: ConversationState) -> None:
        self._emit(StateChanged(state))

    def _turn_detector(self) -> TurnDetector:
        silence = self._provider.model.end_silence_seconds
        return TurnDetector(replace(self._settings.turns, end_silence_seconds=silence))

    def _mind_connection(self) -> None:
        """Notice that the audio connection is there, or lost; with it goes what was being said."""
        if self._line.connected == self._connected:
            return
        self._connected = self._line.connected
        self._emit(ConnectionChanged(self._connected))
        if not self._connected:
            self._turns = self._turn_detector()
            self._quiet.set()
            self._watchdog.callers_turn()

    def _mind_age(self) -> None:
        """Lose the call, or its provider, where calls of its age lose them."""
        conditions, age = self._conditions(), asyncio.get_running_loop().time() - self._began
        if conditions.dropped_after_seconds and age >= conditions.dropped_after_seconds:
            self.hang_up("connection_lost")
        if conditions.provider_lost and not self._provider_lost and age >= _MID_CALL_SECONDS:
            self._provider_lost = True
            self._emit(ProviderLost())

    async def _open_provider(self) -> None:
        """Open the provider's session, and wait for it to take the settings."""
        model = self._provider.model
        output = model.audio_format
        facts = {
            "input_encoding": "slin16",
            "input_sample_rate_hz": str(model.input_rate),
            "output_encoding": output.encoding,
            "output_sample_rate_hz": str(output.sample_rate),
        }
        self._emit(SessionOpened(model.input_rate, output.sample_rate, facts))
        seconds = chance(self._plan.call_id, "session").uniform(*_ACKNOWLEDGED_AFTER)
        await asyncio.sleep(seconds)
        self._emit(SettingsAcknowledged(seconds, self._provider.declared.sample_rate))

    def _check_codec(self) -> None:
        """Check the formats, once at the start and again whenever they are others."""
        declared, expected = self._provider.declared, self._provider.believed
        bridged = self._conditions().bridged
        formats = declared, expected, bridged
        if formats == self._codec_checked:
            return
        self._codec_checked = formats
        if bridged:
            self._emit(CodecChecked(aligned=False, detail=f"{declared}>{LINEAR}"))
            return
        detail = f"{declared} declared, {expected} expected"
        self._emit(CodecChecked(declared == expected, detail))

    async def _leave(self) -> None:
        """Stop everything that still runs, and settle the turn that waits."""
        await self._playback.stop("streaming-ended")
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._turn_ended is not None:
            self._emit(TurnUnanswered(asyncio.get_running_loop().time() - self._turn_ended))
            self._close_turn()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._settle)
        return task

    def _settle(self, task: asyncio.Task[None]) -> None:
        """A task has ended; one that failed ends the call as failed, and says why."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("call %s failed", self._plan.call_id, exc_info=error)
            self.hang_up("failed", failed=True)
