"""When calls start, when they are hung up or transferred, and when they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ai_engine_quality.adapters.ava import session as sessions
from ai_engine_quality.adapters.ava.calls import HangUp, ObservedCall
from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.ava.provider_loss import ProviderLossObserver
from ai_engine_quality.adapters.ava.turns import TurnObserver

CHANNELS = (
    "caller_channel_id",
    "local_channel_id",
    "external_media_id",
    "audiosocket_channel_id",
)
"""Fields of a session that name Asterisk's channels of the call."""

UNKNOWN = "unknown"
"""The outcome of a call whose session can't be read."""


class LifecycleObserver:
    """Reports each call's start, names and end."""

    def __init__(
        self,
        context: EngineContext,
        turns: TurnObserver,
        loss: ProviderLossObserver,
        *,
        on_start: Callable[[], object],
        on_last_end: Callable[[], object],
        at_end: Sequence[Callable[[ObservedCall], object]],
        on_forget: Sequence[Callable[[str], object]],
    ) -> None:
        """Observe no call yet.

        Args:
            context: What the observers share.
            turns: Who knows which turns were not answered.
            loss: Who knows whether the provider was there to the end.
            on_start: Called when a call has started.
            on_last_end: Called when no call is observed any more.
            at_end: Each is called with a call that ends, to report what is left to report.
            on_forget: Each is called with the id of each call that is not observed any more.
        """
        self._context = context
        self._turns = turns
        self._loss = loss
        self._on_start = on_start
        self._on_last_end = on_last_end
        self._at_end = at_end
        self._on_forget = on_forget

    def call_started(self, session: Any) -> None:
        """Begin to observe a call. By now its provider is only a default."""
        context = self._context
        if context.call(session.call_id) is not None:
            return
        context.monitor.call_started(session.call_id, *sessions.names(session))
        handle = context.monitor.call(session.call_id)
        if handle.live:
            handle.clock_starts_late()  # with the transcript, not with the caller's last word
            context.calls[session.call_id] = ObservedCall(session, handle, context.now())
            self._on_start()

    def cleanup_begins(self, channel_or_call_id: object) -> ObservedCall | None:
        """Note when a call was hung up; what the engine does afterwards isn't the caller's wait."""
        call = self._call_of(channel_or_call_id)
        if call is None or call.hang_up is not None:
            return None
        self._context.notes.flush()
        self._context.each(call, self._turns.pick_up, partial(self._loss.look, hung_up=True))
        since = self._turns.unanswered_since(call)
        expected = since > 0 or self._context.speaks_first(call)
        call.hang_up = HangUp(self._context.now(), self._context.wall(), since, expected)
        return call

    def _call_of(self, channel_or_call_id: object) -> ObservedCall | None:
        """Return the call that a channel belongs to: the caller's own, or one that serves it."""
        found = self._context.call(channel_or_call_id)
        if found is not None or not channel_or_call_id:
            return found
        for call in self._context.calls.values():
            if any(getattr(call.session, name, None) == channel_or_call_id for name in CHANNELS):
                return call
        return None

    def cleanup_returned(
        self, call: ObservedCall | None, _result: object, _channel: object
    ) -> None:
        """Take the hang-up back where the engine has found that the call goes on."""
        if call is not None and not getattr(call.session, "cleanup_in_progress", False):
            call.hang_up = None

    def call_removed(self, _note: object, session: Any, call_id: str) -> None:
        """End a call that the engine has taken out of its store; it returns the session once."""
        if session is None or (call := self._context.call(call_id)) is None:
            return
        call.session = session
        self._context.each(call, lambda call: self.cleanup_begins(call.call_id), *self._at_end)
        self.forget(call)
        ending = self._ending(call)
        call.handle.call_ended(
            provider=ending.names.provider,
            pipeline=ending.names.pipeline,
            outcome=ending.outcome,
            failed=ending.failed,
            duration=call.duration(),
        )

    def _ending(self, call: ObservedCall) -> sessions.Ending:
        """Return how a call has ended: as unknown where its session can't say, but it has ended."""
        try:
            return sessions.ending(call.session)
        except Exception as error:
            self._context.failed(error)
            return sessions.Ending(call.names, UNKNOWN, failed=False)

    def call_unregistered(self, call_id: str) -> None:
        """End a call where nothing tells that its session is gone, but that its metrics are."""
        if (call := self._context.call(call_id)) is not None:
            self.call_removed(None, call.session, call_id)

    def forget(self, call: ObservedCall) -> None:
        """Observe a call no longer."""
        self._context.calls.pop(call.call_id, None)
        forgetting = [lambda call, each=each: each(call.call_id) for each in self._on_forget]
        self._context.each(call, *forgetting)
        if not self._context.calls:
            self._on_last_end()

    # By the timer.

    def note_hang_up(self, call: ObservedCall) -> None:
        """See a clean-up that began unseen."""
        if getattr(call.session, "cleanup_in_progress", False) is True:
            self.cleanup_begins(call.call_id)

    def note_transfer(self, call: ObservedCall) -> None:
        """See when the caller is handed to a person, or comes back."""
        if not sessions.transferred(call.session):
            call.transferred_at = None
        elif call.transferred_at is None:
            call.transferred_at = self._context.now()

    def note_names(self, call: ObservedCall) -> None:
        """Report who answers the call, once that changes."""
        if (names := sessions.names(call.session)) != call.names:
            call.names = names
            call.handle.call_updated(*names)
