"""All that observes one engine. Each observer's methods serve one wrap, or the timer.

Nothing here is called by the engine itself: wraps, taps and timer catch whatever is raised.
"""

from __future__ import annotations

from typing import Any

from ai_engine_quality.adapters.ava.barge_ins import BargeInObserver
from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.ava.files import FileObserver
from ai_engine_quality.adapters.ava.formats import FormatObserver
from ai_engine_quality.adapters.ava.levels import LevelObserver
from ai_engine_quality.adapters.ava.lifecycle import LifecycleObserver
from ai_engine_quality.adapters.ava.phone import PhoneObserver
from ai_engine_quality.adapters.ava.provider_events import ProviderEventObserver
from ai_engine_quality.adapters.ava.provider_loss import ProviderLossObserver
from ai_engine_quality.adapters.ava.realtime import RealtimeObserver
from ai_engine_quality.adapters.ava.sound import SoundObserver
from ai_engine_quality.adapters.ava.stages import StageObserver
from ai_engine_quality.adapters.ava.streams import StreamObserver
from ai_engine_quality.adapters.ava.turns import TurnObserver
from ai_engine_quality.adapters.ava.words import report_words
from ai_engine_quality.adapters.taps import Taps
from ai_engine_quality.adapters.timer import Timer
from ai_engine_quality.adapters.wraps import RemainingWrap, Wraps
from ai_engine_quality.monitor import QualityMonitor


class EngineObserver:
    """Observes one engine for one monitor."""

    def __init__(self, engine: Any, monitor: QualityMonitor) -> None:
        """Observe nothing yet: somebody must set the wraps."""
        self.context = EngineContext(engine, monitor)
        self.wraps = Wraps(self.context.failed)
        self.taps = Taps(self.context.failed)
        self.timer = Timer(self.poll, self.context.calls.values, self.context.failed)
        self.attachment: object = None
        """Kept here so that it lives as long as any wrap does."""
        self.streams = StreamObserver(self.context)
        self.stages = StageObserver(self.context, self.wraps)
        self.turns = TurnObserver(self.context, self.stages)
        self.levels = LevelObserver(self.context)
        self.barge_ins = BargeInObserver(self.context, self.taps)
        self.formats = FormatObserver(self.context)
        self.sound = SoundObserver(self.context, self.wraps)
        self.files = FileObserver(self.context)
        self.phone = PhoneObserver(self.context)
        self.loss = ProviderLossObserver(self.context, self.turns)
        self.events = ProviderEventObserver(
            self.context,
            self.streams,
            self.turns,
            levels=self.levels,
            sound=self.sound,
            loss=self.loss,
        )
        self.realtime = RealtimeObserver(self.context, self.turns, self.wraps)
        self.lifecycle = LifecycleObserver(
            self.context,
            self.turns,
            self.loss,
            on_start=self.timer.ensure_running,
            on_last_end=self.timer.cancel,
            at_end=(
                self.turns.pick_up,
                self.streams.count,
                self.levels.measure,
                report_words,
                self.turns.report_unanswered,
                self.streams.read_fallback_count,
                self.streams.report_silence,
            ),
            on_forget=(self.barge_ins.forget, self.sound.forget, self.stages.forget),
        )

    def poll(self, call: ObservedCall, seconds: float) -> None:
        """Take what the engine has recorded of a call since the last poll, for the timer.

        Args:
            call: The call.
            seconds: How much audio each level stands for.
        """
        if self.context.calls.get(call.call_id) is not call:  # it has ended since the timer looked
            return
        call.in_answer = False
        if not call.handle.live:  # it has expired: the engine never ended it
            self.lifecycle.forget(call)
            return
        self.context.each(
            call,
            self.lifecycle.note_hang_up,
            self.lifecycle.note_transfer,
            self.lifecycle.note_names,
            self.sound.find_pacer,
            self.stages.find,
            self.turns.pick_up,
            self.streams.count,
            self.turns.note_words,
            self.loss.look,
            lambda call: self.levels.take(call, seconds),
        )

    def stop(self) -> tuple[RemainingWrap, ...]:
        """Observe no more; return what could not be taken back."""
        self.timer.cancel()
        self.phone.leave()
        self.context.calls.clear()
        return (*self.wraps.restore(), *self.taps.leave_all())
