"""Which stored calls are meant: a record file, and conditions after a question mark.

``calls.jsonl?provider=deepgram&since=2026-11-01`` are the calls of one provider since that day.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

from ai_engine_quality.core.durations import parse_duration
from ai_engine_quality.core.observations import name as normalised_name
from ai_engine_quality.core.result import CallScore

_NAMES: Mapping[str, Callable[[CallScore], str | None]] = {
    "provider": lambda call: call.summary.provider,
    "pipeline": lambda call: call.summary.pipeline,
    "outcome": lambda call: call.summary.outcome,
    "policy": lambda call: call.policy_version,
}
KEYS = (*_NAMES, "since", "until")


class SelectionError(ValueError):
    """A selection that can't be read; the message names the fix."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A record file, and the conditions that its calls must meet."""

    text: str
    """As it was written."""
    path: Path
    names: Mapping[str, str]
    since: float | None = None
    """Unix seconds; calls that started then, or later."""
    until: float | None = None
    """Unix seconds; calls that started before."""

    def matches(self, call: CallScore) -> bool:
        """Return whether a call is meant. One whose start isn't known has no time."""
        if any(_NAMES[key](call) != wanted for key, wanted in self.names.items()):
            return False
        if self.since is None and self.until is None:
            return True
        at = call.summary.started_at
        return at is not None and (self.since or 0) <= at < (self.until or float("inf"))


def parse_selection(text: str, now: Callable[[], float] = time.time) -> Selection:
    """Return the selection that a text means.

    Args:
        text: ``FILE``, or ``FILE?key=value&key=value`` with the keys of ``KEYS``. Times are
            days or ISO 8601 times (UTC unless they say else), or a duration before now: ``7d``.
        now: Unix seconds.

    Raises:
        SelectionError: a condition is unknown, or can't be read.
    """
    file, _, conditions = text.partition("?")
    names: dict[str, str] = {}
    times: dict[str, float] = {}
    for key, value in parse_qsl(conditions.replace("+", "%2B"), keep_blank_values=True):
        if key not in KEYS:
            raise SelectionError(f"{text}: {key!r} is no condition; choose of {', '.join(KEYS)}")
        if key in names or key in times:
            raise SelectionError(f"{text}: {key} is there twice; leave one of them out")
        if key in ("since", "until"):
            times[key] = _time(text, value, now)
        else:
            names[key] = _name(text, key, value)
    if not file:
        raise SelectionError(f"{text!r} names no file; write FILE?provider=deepgram")
    return Selection(text, Path(file), names, times.get("since"), times.get("until"))


def _name(text: str, key: str, value: str) -> str:
    if not value:
        raise SelectionError(f"{text}: {key} has no value; write {key}=NAME or leave it out")
    if key in ("provider", "pipeline"):
        return normalised_name(value) or value
    return value


def _time(text: str, value: str, now: Callable[[], float]) -> float:
    try:
        return now() - parse_duration(value)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise SelectionError(
            f"{text}: {value!r} is no time; write 2026-11-01, 2026-11-01T12:00Z or 7d"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
