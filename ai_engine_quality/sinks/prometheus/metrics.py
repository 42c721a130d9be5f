"""The table of the client's own metrics: their names, types, labels and buckets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary
from prometheus_client.core import Metric

from ai_engine_quality.live.sections import SECTIONS

SCORE_BUCKETS = (20, 40, 59, 74, 89, 100)
"""Integer scores: the bands' own edges, so that counts by band are exact."""

TURN_BUCKETS = (0.2, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0)
"""Seconds: the engine's own buckets, and two more for turns that its alerts call critical."""

UNDERFLOW_BUCKETS = (0.0, 0.0025, 0.005, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4)
"""Effective ratio: the policy's ceilings, and what lies around them."""

PACE_BUCKETS = (4.0, 8.0, 10.0, 12.5, 14.0, 16.0, 18.0, 20.0, 22.0, 26.0, 32.0)
"""Characters a second of the agent's voice: the policy's limits, and what lies around them."""

PREFIX = "ai_agent_"
_GROUP = ("provider", "pipeline")
_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
_LIVEMAX = {"multiprocess_mode": "livemax"}


class _Metric(NamedTuple):
    """How one is registered."""

    kind: type[Counter | Gauge | Histogram | Summary]
    name: str
    help: str
    labels: tuple[str, ...]
    options: Mapping[str, Any] = _NO_OPTIONS


@dataclass(frozen=True, slots=True)
class Metrics:
    """Those of one registry."""

    scores: Histogram
    turns: Histogram
    turn_stages: Histogram
    scored: Counter
    unscored: Counter
    penalties: Counter
    underflow: Histogram
    ceilings: Counter
    coverage: Summary
    clipped: Summary
    corrupt: Counter
    pace: Histogram
    started: Counter
    ended: Counter
    cost: Counter
    hook_live: Gauge
    engine_info: Gauge
    dropped: Counter
    hook_failures: Counter
    info: Gauge


_TABLE = {
    "scores": _Metric(
        Histogram,
        "call_scores",
        "Quality scores of finished calls, 0 to 100.",
        _GROUP,
        {"buckets": SCORE_BUCKETS},
    ),
    "turns": _Metric(
        Histogram,
        "call_turn_response_seconds",
        "End of the caller's turn to first agent audio, of every kind of provider.",
        _GROUP,
        {"buckets": TURN_BUCKETS},
    ),
    "turn_stages": _Metric(
        Histogram,
        "turn_stage_seconds",
        "What a stage of a turn took, where the engine tells it.",
        ("provider", "stage"),
        {"buckets": TURN_BUCKETS},
    ),
    "scored": _Metric(
        Counter, "calls_scored_total", "Finished calls by quality band.", (*_GROUP, "band")
    ),
    "unscored": _Metric(
        Counter, "calls_unscored_total", "Finished calls without a score, by reason.", ("reason",)
    ),
    "penalties": _Metric(
        Counter,
        "call_quality_penalty_points_total",
        "Points that finished calls lost, by factor.",
        (*_GROUP, "factor"),
    ),
    "underflow": _Metric(
        Histogram,
        "call_underflow_ratio",
        "Effective underflow ratio of finished calls.",
        _GROUP,
        {"buckets": UNDERFLOW_BUCKETS},
    ),
    "ceilings": _Metric(
        Counter,
        "call_ceilings_total",
        "Finished calls that a ceiling applied to, by rule.",
        ("provider", "rule"),
    ),
    "coverage": _Metric(
        Summary,
        "call_coverage_ratio",
        "Share of a finished call's score that was observed.",
        ("provider",),
    ),
    "clipped": _Metric(
        Summary,
        "call_clipped_ratio",
        "Share of the agent's samples that are at full scale.",
        ("provider",),
    ),
    "corrupt": _Metric(
        Counter,
        "call_corrupt_audio_seconds_total",
        "Seconds of the agent's audio with a fault that held its call, by kind.",
        ("provider", "kind"),
    ),
    "pace": _Metric(
        Histogram,
        "call_pace_characters_per_second",
        "Characters of the agent's words for each second of its voice, of finished calls.",
        ("provider",),
        {"buckets": PACE_BUCKETS},
    ),
    "started": _Metric(Counter, "calls_started_total", "Calls started.", ("provider",)),
    "ended": _Metric(Counter, "calls_ended_total", "Calls ended.", ("provider", "outcome")),
    "cost": _Metric(
        Counter,
        "call_cost_total",
        "Call minutes times the configured rate.",
        ("provider", "currency"),
    ),
    "hook_live": _Metric(
        Gauge,
        "quality_hook_live",
        "1 where the engine delivers a factor's observations, and whether heard or told.",
        ("factor", "clock"),
        _LIVEMAX,
    ),
    "engine_info": _Metric(
        Gauge,
        "engine_info",
        "The engine: its version and audio transport.",
        ("version", "audio_transport"),
        _LIVEMAX,
    ),
    "dropped": _Metric(
        Counter,
        "quality_dropped_total",
        "Observations and calls not taken, by reason.",
        ("reason",),
    ),
    "hook_failures": _Metric(
        Counter,
        "quality_hook_failures_total",
        "Call-end hooks that raised or were slow.",
        ("hook",),
    ),
    "info": _Metric(
        Gauge,
        "quality_info",
        "This library: its version and scoring policy.",
        ("version", "policy"),
        _LIVEMAX,
    ),
}


class _Uninterrupted:
    """A metric whose samples are read in one go: the client's locks are not re-entrant."""

    def __init__(self, metric: Any) -> None:
        self._metric = metric

    def describe(self) -> Iterable[Metric]:
        """Return its names and types."""
        described: Iterable[Metric] = self._metric.describe()
        return described

    def collect(self) -> Iterable[Metric]:
        """Return its samples."""
        with SECTIONS:
            return list(self._metric.collect())


class Registration:
    """What was registered on a registry, so that all of it can be unregistered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._registered: list[Any] = []

    def add(self, collector: Any) -> None:
        """Register a collector.

        Raises:
            ValueError: the registry has a metric of one of its names already.
        """
        self._registry.register(collector)
        self._registered.append(collector)

    def metrics(self) -> Metrics:
        """Register the whole table.

        Raises:
            ValueError: the registry has a metric of one of these names already.
        """
        return Metrics(**{key: self._make(metric) for key, metric in _TABLE.items()})

    def _make(self, metric: _Metric) -> Any:
        made = metric.kind(
            f"{PREFIX}{metric.name}", metric.help, metric.labels, registry=None, **metric.options
        )
        self.add(_Uninterrupted(made))
        return made

    def live_gauge(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
        """Register a gauge that several processes add up.

        Raises:
            ValueError: the registry has a metric of this name already.
        """
        gauge = Gauge(f"{PREFIX}{name}", text, labels, registry=None, multiprocess_mode="livesum")
        self.add(_Uninterrupted(gauge))
        return gauge

    def undo(self) -> None:
        """Unregister every metric; the registry is then as it was."""
        with SECTIONS:
            while self._registered:
                self._registry.unregister(self._registered.pop())
