"""What the library tells of itself: what it didn't take, and which of its outputs failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from ai_engine_quality.core.observations import OUTCOMES, DropReason, Rejected
from ai_engine_quality.core.units import value_words
from ai_engine_quality.live.fixes import FIXES, SLOW_HOOK_FIX

_OF_A_CALL: Final = frozenset(
    (
        DropReason.BAD_CALL_ID,
        DropReason.UNKNOWN_CALL,
        DropReason.CALL_ENDED,
        DropReason.ALREADY_STARTED,
        DropReason.TOO_MANY_CALLS,
    )
)
"""Reasons that lie in the call: whatever is reported of it is dropped, and told of once."""


class Counts(Protocol):
    """Counts what went wrong, as metrics."""

    def dropped(self, reason: DropReason, count: int = 1) -> None:
        """Count what was not taken."""

    def hook_failed(self, hook: str) -> None:
        """Count a hook that raised or was slow."""


class Warner(Protocol):
    """Logs a warning, once a minute for each event and subject."""

    def warn(
        self, event: str, subject: str, error: BaseException | None = None, **fields: Any
    ) -> None:
        """Log it."""


class Reporter:
    """Counts what went wrong, and warns of it once a minute."""

    def __init__(self, counts: Counts, warner: Warner) -> None:
        self._counts = counts
        self._warner = warner

    def drop(self, reason: DropReason, error: BaseException | None = None, words: str = "") -> None:
        """Count what was not taken, and warn once a minute. Never raises.

        Args:
            reason: Why.
            error: What was raised, where that is the reason.
            words: A sentence that begins with the method. Each method has a warning of its own, but
                where it is the call that isn't right.
        """
        more = {"warning": words} if words else {}
        more["fix"] = FIXES[reason]
        method = "" if reason in _OF_A_CALL else words.partition("(")[0]
        subject = f"{reason.value} {method}" if method else reason.value
        try:
            self._counts.dropped(reason)
            self._warner.warn("quality_observation_dropped", subject, error, **more)
        except Exception:
            # Nothing is left to tell it with, and the engine must not notice.
            return

    def ask(self, what: str, words: str) -> None:
        """Ask about what was taken, and may be of another unit."""
        self._warner.warn("quality_unit_unusual", what, warning=words)

    def checked(self, check: Callable[[object], Any], value: object, method: str, name: str) -> Any:
        """Return a checked value, or None for one that is dropped: the call goes on all the same.

        Args:
            check: Raises Rejected for a value that isn't believed.
            value: What an engine reported; None is nothing, and not checked.
            method: To which it was given.
            name: The argument's.
        """
        if value is None:
            return None
        try:
            return check(value)
        except Rejected as rejected:
            words = f"{method}({name}={value_words(value)}): this argument was dropped"
            self.drop(rejected.reason, words=words)
            return None

    def hook_failed(self, hook: str, error: BaseException | None) -> None:
        """Tell of a hook that raised; without an error, that it was slow."""
        self._counts.hook_failed(hook)
        if error is None:
            self._warner.warn("quality_hook_slow", hook, fix=SLOW_HOOK_FIX)
        else:
            self._warner.warn("quality_hook_failed", hook, error)

    def log_lost(self, output: str, error: BaseException | None) -> None:
        """Tell of a call that was not logged; no exception: too many waited.

        By a counter alone in that case: a warning would wait as well.
        """
        self._counts.dropped(DropReason.LOG_NOT_WRITTEN)
        if error is not None:
            self.hook_failed(output, error)

    def outcome_unknown(self, outcome: str) -> None:
        """Tell of an outcome that is taken as it is, but isn't one of the usual words."""
        usual = ", ".join(OUTCOMES)
        fix = f"counted as it is, as a call that did not fail; usual are {usual}; pass failed=True"
        self._warner.warn("quality_outcome_unknown", outcome, fix=fix)

    def calls_lost(self, lost: int) -> None:
        """Tell of live calls that could not be ended in time when the engine stopped."""
        self._counts.dropped(DropReason.NOT_ENDED_IN_TIME, lost)
        fix = FIXES[DropReason.NOT_ENDED_IN_TIME]
        self._warner.warn("quality_calls_lost", "interrupted", calls=lost, fix=fix)

    def record_lost(self, lost: int, error: BaseException | None) -> None:
        """Tell of records that could not be written."""
        self._counts.dropped(DropReason.RECORD_NOT_WRITTEN, lost)
        fix = FIXES[DropReason.RECORD_NOT_WRITTEN]
        subject = "no_room" if error is None else type(error).__name__
        self._warner.warn("quality_record_not_written", subject, error, fix=fix)
