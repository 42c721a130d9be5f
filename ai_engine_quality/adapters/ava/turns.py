"""How long turns took, and which turns of callers were never answered."""

from __future__ import annotations

from typing import Any

from ai_engine_quality.adapters.ava import session as sessions
from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.ava.stages import StageObserver

MIN_WAIT_SECONDS = 2.0
"""Who hangs up sooner after their own words has said goodbye; later, the turn went unanswered."""

PIPELINE_CLOCK_SECONDS = 0.05
"""How far a pipeline's measured latency may differ from what its transcript's time says."""


class TurnObserver:
    """Reports each call's turns, answered and unanswered."""

    def __init__(self, context: EngineContext, stages: StageObserver) -> None:
        self._context = context
        self._stages = stages

    def pick_up(self, call: ObservedCall) -> None:
        """Report the latencies that the engine has recorded since the last time."""
        latencies = getattr(call.session, "turn_latencies_ms", None)
        now, wall = self._context.now(), self._context.wall()
        for seconds in call.turns.pick_up(latencies, call.handle, now, wall):
            self._stages.turn(call, seconds)

    def caller_finished(self, call: ObservedCall | None) -> None:
        """Take the end of the caller's words."""
        if call is not None and call.turns_from_events:
            call.turns.caller_finished(self._context.now(), self._context.wall())
            self.note_words(call)

    def answer_begins(self, call: ObservedCall) -> None:
        """Take the first audio of an answer."""
        self._stages.answer_begins(call)
        if call.turns_from_events:
            call.turns.answer_begins(call.handle, self._context.now(), self._context.wall())
        else:
            call.turns.answered_at = self._context.wall()

    def pipeline_answered(self, seconds: float) -> None:
        """Take a latency that the engine has measured without saying of which call.

        It has just computed it from the time of the call's last transcript, so that the difference
        tells which transcript that was.
        """
        wall = self._context.wall()
        measured = [
            (abs(wall - said - seconds), call)
            for call in self._context.calls.values()
            if call.turns_from_events and (said := self._context.transcript_time(call.call_id))
        ]
        nearest = min(measured, key=lambda entry: entry[0], default=None)
        if nearest is not None and nearest[0] <= PIPELINE_CLOCK_SECONDS:
            nearest[1].turns.measured(nearest[1].handle, seconds, wall)

    def note_words(self, call: ObservedCall) -> None:
        """See when the caller's last words ended, and whether they were answered."""
        finished = max(
            call.turns.pending_since,
            self._context.transcript_time(call.call_id),
            _time(call.session, "last_user_speech_end_ts"),
            _provider_waits_since(self._context.provider(call.call_id)),
        )
        answered = max(call.turns.answered_at, _time(call.session, "last_response_start_ts"))
        call.turns.note_words(finished, answered, call.streams.last_heard())

    def unanswered_since(self, call: ObservedCall) -> float:
        """Return when the first words ended that nobody has answered, in unix seconds, or 0."""
        self.note_words(call)
        return call.turns.waiting_since

    def report_unanswered(self, call: ObservedCall) -> None:
        """Report the turn that the caller was waiting in when they hung up."""
        if sessions.transferred(call.session) or sessions.agent_ended(call.session):
            return
        hang_up = call.hang_up
        if hang_up is not None and hang_up.unanswered_since:
            # The agent may still have been speaking when the caller said it.
            waited = hang_up.wall - max(hang_up.unanswered_since, call.streams.last_heard())
            if waited >= MIN_WAIT_SECONDS:
                call.handle.unanswered(waited)


def _provider_waits_since(provider: Any) -> float:
    """Return when the turn began that a provider has not answered, in unix seconds, or 0."""
    if getattr(provider, "_turn_first_audio_received", True) is True:
        return 0.0
    return _time(provider, "_turn_start_time")


def _time(owner: Any, name: str) -> float:
    value = getattr(owner, name, None)
    return float(value) if isinstance(value, (int, float)) else 0.0
