"""Small frozen facts that the monitor, its settings and its sinks share, each checked once.

The tables of readers are the rules of the settings file and of the API alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ai_engine_quality.core import observations, reading

NOT_SCORED = "not_scored"
"""The band of a live call that would not be scored if it ended now."""


def _currency(name: str, value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{3}", value):
        raise reading.wrong(name, "a currency's ISO 4217 code, such as USD", value)
    return value


RETENTION: dict[str, reading.Reader] = {
    "max_seconds": reading.over_zero,
    "max_calls": reading.positive,
}

COST: dict[str, reading.Reader] = {
    "per_minute": reading.not_negative,
    "currency": _currency,
}

SAMPLING: dict[str, reading.Reader] = {
    "level_every": reading.positive,
    "noise_every": reading.positive,
}

LIMITS: dict[str, reading.Reader] = {
    "max_live_calls": reading.positive,
    "expire_after": reading.over_zero,
}
"""Of the live calls: how many, and for how many seconds."""


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
        reading.check(self, RETENTION, "retention.")


@dataclass(frozen=True, slots=True)
class CallCost:
    """What a minute with a provider costs.

    Raises:
        ValueError: the rate is no amount, or the currency no code of ISO 4217.
    """

    per_minute: float
    currency: str

    def __post_init__(self) -> None:
        reading.check(self, COST)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which of a stage's raw frames are measured: one in so many.

    Raises:
        ValueError: a number is no whole number over 0.
    """

    level_every: int = 1
    noise_every: int = 10

    def __post_init__(self) -> None:
        reading.check(self, SAMPLING, "sampling.")


SILENT_SECONDS: dict[str, float] = {"5m": 300.0, "1h": 3600.0}
"""A live call of which nothing was observed for so long is counted as silent, by these names."""


class LiveCount(NamedTuple):
    """The calls in progress: by provisional band, and those of which nothing is observed."""

    active: int
    by_band: Mapping[str, int]
    silent: Mapping[str, int]
    """By how long, in the words of ``SILENT_SECONDS``; who is silent for an hour is in both."""


def by_provider(costs: Mapping[str, CallCost]) -> dict[str, CallCost]:
    """Return costs by their providers' normalised names.

    Raises:
        TypeError: it isn't a CallCost for each provider's name.
        ValueError: a name has no letters or digits, or two are one provider's.
    """
    if not isinstance(costs, Mapping) or not all(isinstance(name, str) for name in costs):
        raise TypeError(f"costs must be a CallCost(...) for each provider's name, not {costs!r}")
    found: dict[str, CallCost] = {}
    for provider, cost in costs.items():
        place = f"costs.{provider}"
        if not isinstance(cost, CallCost):
            raise TypeError(f"{place} must be a CallCost(per_minute, currency), not {cost!r}")
        name = observations.name(provider)
        if name is None:
            raise reading.WrongValue(f"{place} must be a provider's name, with letters or digits")
        if name in found:
            raise reading.WrongValue(
                f"{place} is {name}, which has a cost already; leave one of them out"
            )
        found[name] = cost
    return found
