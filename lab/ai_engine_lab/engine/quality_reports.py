"""How an engine reports its calls to the quality library: the worked example, public API only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ai_engine_lab.engine.events import (
    AnswerGiven,
    AudioHeard,
    BargedIn,
    CallEnded,
    CallEvent,
    CallStarted,
    CodecChecked,
    FellBack,
    ProviderLost,
    SegmentEnded,
    TurnAnswered,
    TurnUnanswered,
)

if TYPE_CHECKING:
    import ai_engine_quality as aeq
    from ai_engine_lab.engine.plans import PlannedCall


class QualityReports:
    """An observer that reports one call; afterwards `score` is what the library made of it."""

    def __init__(
        self,
        quality: aeq.QualityMonitor,
        plan: PlannedCall,
        ends_told: Callable[[], bool] = lambda: True,
        *,
        hints: bool = False,
    ) -> None:
        self._quality = quality
        self._plan = plan
        self._ends_told = ends_told
        self._hints = hints
        self.score: aeq.CallScore | None = None

    def __call__(self, event: CallEvent) -> None:
        """Report one fact. Frames come first, because there are fifty of them a second."""
        match event:
            case AudioHeard(stage, frame, kind):
                if self._hints and stage == "provider_out":
                    self._call.audio_given(len(frame) / kind.bytes_per_second)
                self._call.audio(stage, frame, encoding=kind.encoding, sample_rate=kind.sample_rate)
            case SegmentEnded():
                self._call.frames_sent(event.frames_sent)
                self._call.underflow(event.fillers, episodes=event.filler_episodes)
            case TurnAnswered(seconds):
                self._call.turn_response(seconds)
            case TurnUnanswered(waited):
                self._call.unanswered(waited=waited)
            case BargedIn(reaction):
                self._call.barge_in(reaction=reaction)
            case FellBack(reason):
                self._call.fallback(reason=reason)
            case CodecChecked(aligned, detail):
                self._call.codec_alignment(aligned=aligned, detail=detail)
            case _:
                self._once(event)

    def _once(self, event: CallEvent) -> None:
        """Report what happens once in a call; what is left moves the engine's own metrics only."""
        match event:
            case CallStarted():
                self._begin()
            case AnswerGiven() if self._hints:
                self._call.answer_complete()
            case ProviderLost():
                self._call.provider_lost()
            case CallEnded():
                self._end(event)
            case _:
                pass

    def _begin(self) -> None:
        plan = self._plan
        self._quality.call_started(
            plan.call_id, provider=plan.provider.name, pipeline=plan.pipeline
        )
        self._call = self._quality.call(plan.call_id)  # without the id: the fast path

    def _end(self, end: CallEnded) -> None:
        if not self._ends_told():
            return
        plan = self._plan
        self.score = self._quality.call_ended(
            plan.call_id,
            provider=plan.provider.name,
            pipeline=plan.pipeline,
            outcome=end.outcome,
            failed=end.failed,
            duration=end.duration,
        )
