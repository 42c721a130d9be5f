"""The calls of a report in numbers, in one pass and in bounded memory. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ai_engine_quality.core.distribution import BoundedValues
from ai_engine_quality.core.policy import Band
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.history.causes import points_lost

BANDS: Final = tuple(band.value for band in Band)
HOUR: Final = timedelta(hours=1)
QUARTER: Final = 6 * HOUR
DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(weeks=1)
MOST_COLUMNS: Final = 60
MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)
UNKNOWN: Final = "unknown"


@dataclass
class Sums:
    """Some calls, in numbers."""

    calls: int = 0
    scores: Counter[int] = field(default_factory=Counter)
    bands: Counter[str] = field(default_factory=Counter)
    unscored: Counter[str] = field(default_factory=Counter)
    """Calls without a score, by the reason."""
    lost: dict[str, float] = field(default_factory=dict)
    """Points lost, by cause."""
    hit: Counter[str] = field(default_factory=Counter)
    """Calls that lost points, by cause."""
    coverage: float = 0.0
    """Sum over the scored calls."""
    waits: BoundedValues = field(default_factory=BoundedValues)
    """Seconds that each turn of the caller waited, unanswered ones included."""
    unanswered: int = 0

    def add(self, call: CallScore) -> None:
        """Add a call."""
        self.calls += 1
        self.unanswered += len(call.summary.unanswered or ())
        for seconds in call.summary.waits().all():
            self.waits.add(seconds)
        if call.score is None or call.band is None:
            self.unscored[call.unscored_reason or UNKNOWN] += 1
            return
        self.scores[call.score] += 1
        self.bands[call.band.value] += 1
        self.coverage += call.coverage
        for cause in points_lost(call):
            self.lost[cause.name] = self.lost.get(cause.name, 0.0) + cause.points
            self.hit[cause.name] += 1

    @property
    def scored(self) -> int:
        """How many have a score."""
        return self.scores.total()

    @property
    def mean(self) -> float | None:
        """The mean score; None where no call has one."""
        return sum(s * n for s, n in self.scores.items()) / self.scored if self.scored else None

    @property
    def median(self) -> int | None:
        """The median score, the lower one of two; None where no call has one."""
        half = (self.scored + 1) // 2
        for score, n in sorted(self.scores.items()):
            half -= n
            if half <= 0:
                return score
        return None

    @property
    def poor_share(self) -> float | None:
        """Share (0 to 1) of the scored calls that are poor."""
        return self.bands[Band.POOR.value] / self.scored if self.scored else None

    @property
    def p95_wait(self) -> float | None:
        """The 95th percentile of all turns' waits, in seconds."""
        return self.waits.freeze().percentile(95) if self.waits.n else None

    def by_cost(self) -> list[tuple[str, float]]:
        """Return (cause, points), most first."""
        return sorted(self.lost.items(), key=lambda item: (-item[1], item[0]))

    def to_dict(self) -> dict[str, Any]:
        """Return plain types."""
        return {
            "calls": self.calls,
            "scored": self.scored,
            "mean": self.mean,
            "median": self.median,
            "poor_share": self.poor_share,
            "p95_wait": self.p95_wait,
            "unanswered": self.unanswered,
            "coverage": self.coverage / self.scored if self.scored else None,
            "bands": {band: self.bands[band] for band in BANDS},
            "unscored": dict(self.unscored),
            "points_lost": {name: round(points, 1) for name, points in self.by_cost()},
        }


@dataclass(frozen=True, slots=True)
class Column:
    """The calls that started within one step of time."""

    start: datetime
    bands: Counter[str]
    unscored: int


@dataclass(frozen=True, slots=True)
class Digest:
    """What a report says."""

    every: Sums
    providers: dict[str, Sums]
    """By provider, the one with most calls first."""
    columns: tuple[Column, ...]
    """Calls over time, oldest first, without a gap; empty where no call has a time."""
    step: timedelta
    worst: tuple[CallScore, ...]
    """Lowest scores first."""
    policies: tuple[str, ...]
    first: datetime | None
    last: datetime | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain types; times are ISO 8601, in UTC."""
        return {
            "first": self.first and self.first.isoformat(),
            "last": self.last and self.last.isoformat(),
            "policies": list(self.policies),
            "all": self.every.to_dict(),
            "providers": {name: sums.to_dict() for name, sums in self.providers.items()},
            "step_hours": self.step / HOUR,
            "over_time": [
                {
                    "start": column.start.isoformat(),
                    **{band: column.bands[band] for band in BANDS},
                    "unscored": column.unscored,
                }
                for column in self.columns
            ],
            "worst": [
                {"call_id": call.call_id, "score": call.score, "explanation": call.explain()}
                for call in self.worst
            ],
        }


def digest(calls: Iterable[CallScore], worst: int) -> Digest:
    """Return calls in numbers, and the ``worst`` ones themselves."""
    every = Sums()
    providers: dict[str, Sums] = {}
    hours: dict[datetime, Column] = {}
    policies: set[str] = set()
    lowest: list[tuple[int, int, CallScore]] = []  # a heap: the highest of the lowest comes first
    first, last = None, None
    for number, call in enumerate(calls):
        every.add(call)
        providers.setdefault(call.summary.provider or UNKNOWN, Sums()).add(call)
        policies.add(call.policy_version)
        if (at := started(call)) is not None:
            first, last = min(first or at, at), max(last or at, at)
            _count(hours, at.replace(minute=0, second=0, microsecond=0), call)
        if call.score is not None:
            heapq.heappush(lowest, (-call.score, number, call))
            if len(lowest) > worst:
                heapq.heappop(lowest)
    in_order = sorted(providers.items(), key=lambda item: (-item[1].calls, item[0]))
    step = _step(first, last)
    return Digest(
        every=every,
        providers=dict(in_order),
        columns=_columns(hours, step),
        step=step,
        worst=tuple(call for *_, call in sorted(lowest, key=lambda item: (-item[0], -item[1]))),
        policies=tuple(sorted(policies)),
        first=first,
        last=last,
    )


def scored_by(found: Digest) -> str:
    """Return by which policies the calls were scored, in words."""
    names = ", ".join(found.policies)
    if len(found.policies) < 2:
        return f"policy {names}"
    return f"policies {names}, whose scores can't be compared"


def started(call: CallScore) -> datetime | None:
    """Return when a call started; None where it isn't known, or is no time of this calendar."""
    at = call.summary.started_at
    try:
        return None if at is None else datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _count(columns: dict[datetime, Column], start: datetime, call: CallScore) -> None:
    column = columns.setdefault(start, Column(start, Counter(), 0))
    if call.band is None:
        columns[start] = Column(start, column.bands, column.unscored + 1)
    else:
        column.bands[call.band.value] += 1


def _step(first: datetime | None, last: datetime | None) -> timedelta:
    """Return the time of one column: an hour, six, a day, a week, or as many weeks as it takes."""
    if first is None or last is None:
        return DAY
    for step in (HOUR, QUARTER, DAY, WEEK):
        if (last - first) / step < MOST_COLUMNS - 1:
            return step
    return WEEK * (1 + int((last - first) / WEEK) // (MOST_COLUMNS - 1))


def _columns(hours: dict[datetime, Column], step: timedelta) -> tuple[Column, ...]:
    """Return hours put together to steps, with those in which there was no call."""
    found: dict[datetime, Column] = {}
    for hour in hours.values():
        start = MONDAY + (hour.start - MONDAY) // step * step
        column = found.get(start, Column(start, Counter(), 0))
        found[start] = Column(start, column.bands + hour.bands, column.unscored + hour.unscored)
    if not found:
        return ()
    start, end = min(found), max(found)
    n = (end - start) // step + 1
    times = (start + number * step for number in range(n))
    return tuple(found.get(at, Column(at, Counter(), 0)) for at in times)
