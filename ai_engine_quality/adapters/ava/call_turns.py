"""How long one call's turns took: from the session's list, or measured between events."""

from __future__ import annotations

from ai_engine_quality.live.handle import CallHandle

SAME_TURN_MS = 100.0
"""Two latencies this close, recorded within ``SAME_TURN_SECONDS``, are one turn recorded twice:
with some providers both the provider and the engine record it."""

SAME_TURN_SECONDS = 2.1
"""No caller can take two turns, and have both answered, in this time; no timer polls more rarely
while it keeps pace."""


class CallTurns:
    """Turns of one call."""

    __slots__ = (
        "_last_ms",
        "_pending",
        "_picked_up",
        "_recorded",
        "_taken",
        "answered_at",
        "waiting_since",
    )

    def __init__(self, now: float) -> None:
        """Begin with no turn; ``now`` is in monotonic seconds."""
        self._taken = 0
        self._picked_up = now
        self._recorded = now
        self._last_ms: float | None = None
        self._pending: tuple[float, float] | None = None
        self.answered_at = 0.0
        """When an answer was last seen to have begun, in unix seconds; 0: never."""
        self.waiting_since = 0.0
        """When the first of the words ended that nobody has answered, in unix seconds; 0: none."""

    # From the session's list.

    def pick_up(self, latencies: object, call: CallHandle, now: float, wall: float) -> list[float]:
        """Report the latencies that the engine has recorded since the last time, and return them.

        Args:
            latencies: The session's ``turn_latencies_ms``.
            call: Whom to report to.
            now: Monotonic seconds.
            wall: Unix seconds.
        """
        before, self._picked_up = self._picked_up, now
        if not isinstance(latencies, list) or len(latencies) <= self._taken:
            return []
        new, self._taken = latencies[self._taken :], len(latencies)
        self.answered_at = wall
        reported = []
        for latency in new:
            twice = now - before <= SAME_TURN_SECONDS and self._is_same_turn(latency, now)
            self._last_ms, self._recorded = (None if twice else latency), now
            if not twice:
                call.turn_response(latency / 1000.0)
                reported.append(latency / 1000.0)
        return reported

    def _is_same_turn(self, latency: float, now: float) -> bool:
        return (
            self._last_ms is not None
            and now - self._recorded <= SAME_TURN_SECONDS
            and abs(latency - self._last_ms) <= SAME_TURN_MS
        )

    def note_words(self, finished: float, answered: float, last_heard: float) -> None:
        """Take when the caller's last words ended, and keep the first that wait for an answer.

        Args:
            finished: When the last words ended; all are unix seconds, or 0.
            answered: When an answer last began.
            last_heard: When the agent's own audio was last sent. What the caller said before waited
                for nobody, if more words followed: the agent went on speaking.
        """
        if finished <= answered:
            self.waiting_since = 0.0
        elif self.waiting_since <= max(answered, last_heard):
            self.waiting_since = finished

    # From events, where the session has no list.

    def caller_finished(self, now: float, wall: float) -> None:
        """Take the end of the caller's words; what they add to them begins the wait anew."""
        self._pending = now, wall

    def answer_begins(self, call: CallHandle, now: float, wall: float) -> None:
        """Take the first audio of an answer, and report how long it took."""
        pending, self._pending = self._pending, None
        self.answered_at = wall
        if pending is not None:
            call.turn_response(max(0.0, now - pending[0]))

    def measured(self, call: CallHandle, seconds: float, wall: float) -> None:
        """Take a latency that the engine itself has measured."""
        self.answered_at = wall
        call.turn_response(seconds)

    @property
    def pending_since(self) -> float:
        """When the caller finished the words that nobody has answered, in unix seconds, or 0."""
        return self._pending[1] if self._pending is not None else 0.0
