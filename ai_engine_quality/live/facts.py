"""Small frozen facts that the monitor, its settings and its sinks share, each checked once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

NOT_SCORED = "not_scored"
"""The band of a live call that would not be scored if it ended now."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a finished call's sample stays on ``/metrics``.

    Raises:
        ValueError: a number is out of range.
    """

    max_seconds: float = 900.0
    """Seconds after the call's end; then the sample goes, and Prometheus marks it stale."""
    max_calls: int = 500
    """Samples at once; beyond, the oldest go."""

    def __post_init__(self) -> None:
        if not is_amount(self.max_seconds) or not self.max_seconds:
            raise ValueError(
                f"retention.max_seconds must be seconds, over 0, not {self.max_seconds!r}"
            )
        calls = self.max_calls
        if isinstance(calls, bool) or not isinstance(calls, int) or calls < 1:
            raise ValueError(f"retention.max_calls must be a whole number over 0, not {calls!r}")


@dataclass(frozen=True, slots=True)
class CallCost:
    """What a minute with a provider costs.

    Raises:
        ValueError: the rate is no amount, or the currency no code of ISO 4217.
    """

    per_minute: float
    currency: str

    def __post_init__(self) -> None:
        if not is_amount(self.per_minute):
            raise ValueError(f"per_minute must be 0 or more, not {self.per_minute!r}")
        if not isinstance(self.currency, str) or not re.fullmatch("[A-Z]{3}", self.currency):
            raise ValueError(
                f"currency must be a currency's ISO 4217 code, such as USD, not {self.currency!r}"
            )


class LiveCount(NamedTuple):
    """The calls in progress, by provisional band."""

    active: int
    by_band: Mapping[str, int]


def is_amount(value: object) -> bool:
    """Return whether a value is a finite number, 0 or more."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 <= value < math.inf  # type: ignore[operator]  # a number, as just checked
