"""Where the time of one call's turns went: a pipeline's moments, and what was told of others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

MOST_TOOLS = 16
"""Tools of a call that are looked at: the last ones."""


class Thought(NamedTuple):
    """What a pipeline's model took for an answer, until its voice could begin."""

    asked: float
    """Monotonic seconds."""
    end_of_turn: float | None
    """Seconds from the caller's words to the question to the model."""
    llm: float


class CallStages:
    """The stages of one call's turns. Times are monotonic seconds, but where it is said."""

    __slots__ = ("_asked", "_llm", "_said", "_since", "answer_began", "thought", "waits")

    def __init__(self) -> None:
        self._said = 0.0
        self._asked: tuple[float, float | None] | None = None
        self._since: float | None = None
        self._llm = 0.0
        self.thought: Thought | None = None
        """What was thought for the answer whose voice has begun, until its turn is told."""
        self.answer_began: float | None = None
        """When the provider's last answer began."""
        self.waits = False
        """Whether the caller has said something since then, as far as the provider tells."""

    def asked(self, now: float, said: float, ago: float) -> None:
        """Take a question to the model.

        Args:
            now: When.
            said: When the words came that it is about, in unix seconds; 0: unknown.
            ago: Seconds since then.
        """
        if self._asked is None or said != self._said:  # else the same turn, after a tool
            new = said != self._said  # else these words had an answer, and what follows is more
            self._asked = (now, max(0.0, ago) if new else None)
            self._said, self._llm = said, 0.0
        self._since = now

    def answered(self, now: float) -> None:
        """Take the model's answer."""
        if self._since is not None:
            self._llm += now - self._since
            self._since = None

    def voiced(self, now: float) -> None:
        """Take text that goes to the voice: what is thought from here on isn't waited for."""
        self.answered(now)
        if self._asked is not None:
            self.thought = Thought(*self._asked, self._llm)
            self._asked = None


def tools_between(calls: object, since: float, until: float) -> float:
    """Return the seconds of tools that ended in a stretch of time; what ran at once counts once.

    Args:
        calls: The session's ``tool_calls``.
        since: Its start.
        until: Its end; all are unix seconds.
    """
    total, reached = 0.0, since
    for ended, seconds in map(_end_of, calls[-MOST_TOOLS:] if isinstance(calls, list) else ()):
        if since <= ended <= until:
            total += max(0.0, ended - max(ended - seconds, reached))
            reached = max(reached, ended)
    return total


def _end_of(call: object) -> tuple[float, float]:
    """Return (unix seconds of its end, seconds) of the engine's record of a tool; zeros if none."""
    if not isinstance(call, Mapping):
        return 0.0, 0.0
    ended, took = call.get("timestamp"), call.get("duration_ms")
    if not isinstance(ended, str) or not isinstance(took, (int, float)):
        return 0.0, 0.0
    try:
        return datetime.fromisoformat(ended).timestamp(), took / 1000
    except ValueError:
        return 0.0, 0.0
