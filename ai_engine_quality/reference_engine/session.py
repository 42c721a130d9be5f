"""One call in the engine: it greets, hears turns, answers, and gives way when interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from ai_engine_quality.reference_engine.audio_formats import LINEAR, decode, rms
from ai_engine_quality.reference_engine.events import (
    AudioHeard,
    BargedIn,
    CallEnded,
    CallEvent,
    CallStarted,
    CodecChecked,
    EndReason,
    FrameSent,
    Observer,
    Outcome,
    SegmentHeard,
    SegmentKind,
    TurnAnswered,
    TurnUnanswered,
)
from ai_engine_quality.reference_engine.listening import (
    BargeInDetector,
    BargeInSettings,
    TurnDetector,
    TurnEvent,
    TurnSettings,
)
from ai_engine_quality.reference_engine.matrix import PlannedCall
from ai_engine_quality.reference_engine.playback import Playback, PlaybackSettings
from ai_engine_quality.reference_engine.provider import Provider
from ai_engine_quality.reference_engine.transport import Transport

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EngineSettings:
    """How the engine is set up; durations in seconds."""

    turns: TurnSettings = field(default_factory=TurnSettings)
    barge_in: BargeInSettings = field(default_factory=BargeInSettings)
    playback: PlaybackSettings = field(default_factory=PlaybackSettings)
    answer_timeout_seconds: float = 15.0
    """A provider that has not begun to answer by then is given up for this turn."""
    same_turn_seconds: float = 2.0
    """Who speaks again this soon has only paused; later, the turn before went unanswered."""


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
    ) -> None:
        self._plan = plan
        self._provider = provider
        self._emit = observer
        self._settings = settings
        self._rng = rng
        self._turns = TurnDetector(
            replace(settings.turns, end_silence_seconds=provider.model.end_silence_seconds)
        )
        self._barge_in = BargeInDetector(settings.barge_in)
        self._playback = Playback(transport, settings.playback, self._played)
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
        began = loop.time()
        self._emit(CallStarted())
        self._check_codec()
        self._utter("greeting", self._provider.greet(self._plan.scenario.greeting_seconds))
        outcome: Outcome = "engine_stopped"  # unless someone says otherwise before it is cancelled
        failed = False
        try:
            outcome, failed = await self._ended
        finally:
            await self._leave()
            end = CallEnded(outcome, failed, loop.time() - began)
            self._emit(end)
        return end

    def hang_up(self, outcome: Outcome = "caller_hangup", *, failed: bool = False) -> None:
        """End the call; a second time changes nothing."""
        if not self._ended.done():
            self._ended.set_result((outcome, failed))

    def hear(self, frame: bytes) -> None:
        """A linear 20 ms frame of the caller's arrived."""
        if self._ended.done():
            return
        self._emit(AudioHeard("transport_in", frame, LINEAR))
        level, now = rms(frame), asyncio.get_running_loop().time()
        if self._playback.speaking:
            onset = self._barge_in.hear(level, now)
            if onset is not None:
                self._spawn(self._give_way(onset))
            return
        event = self._turns.hear(level)
        if event is TurnEvent.STARTED:
            self._turn_started(now)
        elif event is not None:
            self._turn_over(now, words=event is TurnEvent.ENDED)

    def _played(self, event: CallEvent) -> None:
        """Pass on what the playback tells, and mark what it means for the turn."""
        self._emit(event)
        match event:
            case FrameSent(frame, filler=False):
                self._emit(AudioHeard("transport_out", frame, LINEAR))
            case SegmentHeard(kind):
                self._agent_heard(kind)
            case _:
                pass

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

    def _turn_over(self, now: float, *, words: bool) -> None:
        """The caller is silent again. After a mere noise the answer that waits is given."""
        if words:
            self._open_turn(now)
            if self._utterance is not None:
                self._utterance.cancel()
            self._spawn(self._answer())
        self._quiet.set()

    async def _answer(self) -> None:
        await self._silence("barge-in")
        seconds = self._rng.uniform(*self._plan.scenario.reply_seconds)
        self._utter("response", self._provider.respond(seconds))

    def _open_turn(self, now: float) -> None:
        if self._turn_ended is not None:
            waited = self._turn_began - self._turn_ended
            if waited >= self._settings.same_turn_seconds:
                self._emit(TurnUnanswered(waited))
            self._close_turn()
        self._turn_ended = now
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
            self._spawn(self._silence("provider-timeout"))

    async def _give_way(self, onset: float) -> None:
        """The caller talks over the agent: stop, and listen."""
        await asyncio.sleep(self._settings.barge_in.stop_seconds)
        if not self._playback.speaking:
            return
        await self._silence("barge-in")
        now = asyncio.get_running_loop().time()
        self._emit(BargedIn(now - onset))
        self._turn_began = onset
        self._turns.begin()
        self._quiet.clear()

    # The agent's utterances.

    def _utter(self, kind: SegmentKind, bursts: AsyncGenerator[bytes, None]) -> None:
        self._utterance = self._spawn(self._play(kind, bursts))

    async def _play(self, kind: SegmentKind, bursts: AsyncGenerator[bytes, None]) -> None:
        loop = asyncio.get_running_loop()
        segment = None
        async with contextlib.aclosing(bursts):
            async for burst in bursts:
                self._heard_from_provider(burst)
                if segment is None:
                    await self._quiet.wait()
                    segment = self._playback.open(kind)
                segment.feed(decode(burst, self._provider.model.audio_format), loop.time())
        if segment is not None:
            segment.close()
            await self._playback.finished()

    def _heard_from_provider(self, burst: bytes) -> None:
        """Pass on a burst frame by frame, read as the engine believes it to be."""
        believed = self._provider.model.audio_format
        for at in range(0, len(burst), believed.frame_bytes):
            self._emit(AudioHeard("provider_out", burst[at : at + believed.frame_bytes], believed))

    async def _silence(self, reason: EndReason) -> None:
        """Stop what the agent says or is about to say."""
        utterance, self._utterance = self._utterance, None
        if utterance is not None:
            utterance.cancel()
        await self._playback.stop(reason)

    # The call.

    def _check_codec(self) -> None:
        declared, expected = self._provider.audio_format, self._provider.model.audio_format
        detail = f"{declared} declared, {expected} expected"
        self._emit(CodecChecked(declared == expected, detail))

    async def _leave(self) -> None:
        """Stop everything that still runs, and settle the turn that waits."""
        await self._playback.stop("hang-up")
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
