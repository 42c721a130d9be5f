"""The calls that an attachment observes: the engine's session of each, and what was seen of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from ai_engine_quality.adapters.ava.call_levels import CallLevels
from ai_engine_quality.adapters.ava.call_provider import CallProvider
from ai_engine_quality.adapters.ava.call_stages import CallStages
from ai_engine_quality.adapters.ava.call_streams import CallStreams
from ai_engine_quality.adapters.ava.call_turns import CallTurns
from ai_engine_quality.adapters.ava.session import names
from ai_engine_quality.live.handle import CallHandle


class HangUp(NamedTuple):
    """The moment in which the engine began to clean a call up; it takes seconds over that."""

    now: float
    """Monotonic seconds."""
    wall: float
    """Unix seconds."""
    unanswered_since: float
    """When the caller finished words that nobody had answered by then, in unix seconds, or 0."""
    agent_expected: bool = True
    """Whether the agent should have spoken by then, if only to greet."""


class ObservedCall:
    """One call between its start and its end."""

    __slots__ = (
        "answers_given",
        "call_id",
        "handle",
        "hang_up",
        "in_answer",
        "levels",
        "names",
        "provider",
        "session",
        "stages",
        "started",
        "streams",
        "transferred_at",
        "turns",
    )

    def __init__(self, session: Any, handle: CallHandle, now: float) -> None:
        self.call_id: str = session.call_id
        self.session = session
        self.handle = handle
        self.started = now
        self.names = names(session)
        self.stages = CallStages()
        self.streams = CallStreams()
        self.turns = CallTurns(now)
        self.levels = CallLevels()
        self.provider = CallProvider()
        self.in_answer = False
        """Whether more of the provider's answer needs but to be noted; until the next poll."""
        self.answers_given = 0
        """Answers of which the provider said that all the audio is there."""
        self.hang_up: HangUp | None = None
        self.transferred_at: float | None = None
        """Monotonic seconds at which the caller was seen to have been handed to a person."""

    @property
    def turns_from_events(self) -> bool:
        """Whether turns must be measured between events, since the session keeps none."""
        return not hasattr(self.session, "turn_latencies_ms")

    def has_agent(self, at: float) -> bool:
        """Return whether the agent is in the call: what comes after it isn't the agent's doing.

        Args:
            at: When, in monotonic seconds: what was noted before the end is taken after it.
        """
        left, hang_up = self.transferred_at, self.hang_up
        if left is None and hang_up is None:  # as for nearly every frame
            return True
        return (left is None or at < left) and (hang_up is None or at < hang_up.now)

    def duration(self) -> float | None:
        """Return the seconds that the agent was in the call; None: until now."""
        ends = [self.transferred_at, self.hang_up.now if self.hang_up is not None else None]
        known = [end for end in ends if end is not None]
        return max(0.0, min(known) - self.started) if known else None
