"""Providers that are lost in mid-call, and those that come back."""

from __future__ import annotations

from typing import Any

from ai_engine_quality.adapters.ava import session as sessions
from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.ava.turns import TurnObserver

FAREWELLS = ("_hangup_after_response", "_hangup_pending")
"""Providers' attributes that are true once the agent has chosen to hang up."""


class ProviderLossObserver:
    """Reports that a call's provider is gone: by the engine's event, or by the provider's socket.

    Not where the engine has closed it itself: it has begun to clean up, or has handed the caller to
    somebody, or has let the provider go, or the agent has said its farewell.
    """

    def __init__(self, context: EngineContext, turns: TurnObserver) -> None:
        self._context = context
        self._turns = turns

    def disconnected(self, call: ObservedCall) -> None:
        """Take the engine's own word that a provider is gone."""
        provider = self._context.serving(call.call_id)
        excused = self._excused(call, provider)
        call.provider.look(provider, self._context.now(), excused=excused)
        if not excused:
            self._report(call)

    def look(self, call: ObservedCall, *, hung_up: bool = False) -> None:
        """Look whether the call's provider is there.

        Args:
            call: The call.
            hung_up: Whether it is about to end, so that nobody comes back.
        """
        if call.hang_up is not None or call.transferred_at is not None:
            return
        provider = self._context.serving(call.call_id)
        if provider is None or _is_stopping(provider):
            call.provider.let_go()
            return
        now = self._context.now()
        excused = self._excused(call, provider)
        call.provider.look(provider, now, excused=excused)
        if call.provider.lost:
            if call.provider.is_back:
                self.back(call)
        elif not excused:
            dead_for = self._context.wall() - call.streams.last_heard()
            if call.provider.is_gone(now, dead_for, hung_up=hung_up):
                self._report(call)

    def back(self, call: ObservedCall) -> None:
        """Take note that a provider that was lost gives audio again, or has a new socket."""
        if call.provider.lost:
            call.provider.lost = False
            call.handle.provider_back()

    def _report(self, call: ObservedCall) -> None:
        self._turns.pick_up(call)  # those that were answered before, or it would seem to be back
        call.provider.lose()
        call.handle.provider_lost()

    def _excused(self, call: ObservedCall, provider: Any) -> bool:
        """Return whether the call ends, for the agent, by somebody's choice."""
        session = call.session
        return (
            call.hang_up is not None
            or getattr(session, "cleanup_in_progress", False) is True
            or sessions.transferred(session)
            or sessions.agent_ended(session)
            or any(getattr(provider, name, False) is True for name in FAREWELLS)
        )


def _is_stopping(provider: Any) -> bool:
    """Return whether the engine is closing a provider, or has closed it."""
    if getattr(provider, "_closing", False) is True:
        return True
    ids = [getattr(provider, name) for name in ("_call_id", "call_id") if hasattr(provider, name)]
    return bool(ids) and not any(ids)
