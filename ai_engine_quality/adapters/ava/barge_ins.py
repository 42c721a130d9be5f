"""Interruptions, and the reaction times that the engine has measured of them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, NamedTuple

from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.taps import Taps


class Applied(NamedTuple):
    """An interruption that the engine is about to act on."""

    reaction: float | None
    """Seconds, where the engine has just timed it."""
    count_before: int | None
    """The session's own count of interruptions, by which it shows whether it acted."""


class PendingReaction:
    """The reaction time that the engine has just put into a histogram without a call's label.

    It acts on the interruption in the same step of the same task, with no await in between: what
    is still here at the loop's next step belongs to nobody.
    """

    def __init__(self) -> None:
        self._value: float | None = None
        self._task: asyncio.Task[Any] | None = None

    def observed(self, seconds: float) -> None:
        """Take a reaction time, for this step of the running task only."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no engine's loop: nobody of ours has measured it
            return
        self._value, self._task = seconds, asyncio.current_task()
        loop.call_soon(self._forget)

    def take(self) -> float | None:
        """Return the time that this step has measured, once; None where there is none."""
        value, task = self._value, self._task
        self._forget()
        return value if task is asyncio.current_task() else None

    def _forget(self) -> None:
        self._value = self._task = None


class BargeInObserver:
    """Reports each interruption that the engine has acted on."""

    def __init__(self, context: EngineContext, taps: Taps) -> None:
        self._context = context
        self._taps = taps
        self._pending = PendingReaction()
        self._own_histograms: dict[str, Any] = {}

    def reaction_timed(self, seconds: float) -> None:
        """Take a reaction time that is about to be acted on."""
        self._pending.observed(seconds)

    def action_begins(self, call_id: str) -> Applied | None:
        """Note what is known before the engine acts on an interruption."""
        call = self._context.call(call_id)
        if call is None:
            return None
        count = getattr(call.session, "barge_in_count", None)
        return Applied(self._pending.take(), count if isinstance(count, int) else None)

    def action_returned(self, applied: Applied | None, _result: object, call_id: str) -> None:
        """Report an interruption that the engine has acted on."""
        call = self._context.call(call_id)  # it may have ended meanwhile
        if call is not None and applied is not None and _acted(call.session, applied):
            call.handle.barge_in(applied.reaction)

    # Where the histogram has a label for the call, as in October 2025.

    def own_histogram(self, child: Any, labels: tuple[Any, ...]) -> None:
        """Listen to a call's own child of the histogram."""
        call_id = str(labels[0])
        if self._context.call(call_id) is not None and not self._taps.listens_to(child):
            self._taps.observe(child, partial(self._reaction_of, call_id))
            self._own_histograms[call_id] = child

    def _reaction_of(self, call_id: str, seconds: float) -> None:
        if (call := self._context.call(call_id)) is not None:
            call.handle.barge_in(seconds)

    def forget(self, call_id: str) -> None:
        """Leave an ended call's own child of the histogram alone: the engine keeps them all."""
        child = self._own_histograms.pop(call_id, None)
        if child is not None:
            self._taps.leave(child)


def _acted(session: Any, applied: Applied) -> bool:
    """Return whether the engine did act: it ignores some before the caller's media flows."""
    if applied.count_before is None:
        return True
    count = getattr(session, "barge_in_count", applied.count_before)
    return isinstance(count, int) and count > applied.count_before
