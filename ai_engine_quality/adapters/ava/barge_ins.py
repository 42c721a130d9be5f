"""Interruptions, and the reaction times that the engine has measured of them."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple


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


def about_to_act(session: Any, pending: PendingReaction) -> Applied:
    """Note what is known before the engine acts on an interruption."""
    count = getattr(session, "barge_in_count", None)
    return Applied(pending.take(), count if isinstance(count, int) else None)


def acted(session: Any, applied: Applied) -> bool:
    """Return whether the engine did act: it ignores some before the caller's media flows."""
    if applied.count_before is None:
        return True
    count = getattr(session, "barge_in_count", applied.count_before)
    return isinstance(count, int) and count > applied.count_before
