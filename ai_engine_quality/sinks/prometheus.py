"""Scores as metrics, on the registry that the engine already exposes.

Counters and histograms are the client's own, with their children kept at hand. What must be read
at the moment of a scrape is collected here: the per-call samples, which go 15 minutes after the
call's end, and the calls in progress.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from threading import Lock
from typing import Any, TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Summary
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.samples import Sample

from ai_engine_quality.core.observations import DropReason
from ai_engine_quality.core.policy import FACTORS, Band, CeilingRules
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.summary import CallSummary
from ai_engine_quality.core.wording import printable
from ai_engine_quality.live.facts import CallCost, LiveCount, Retention

SCORE_BUCKETS = (20, 40, 59, 74, 89, 100)
"""Integer scores: the bands' own edges, so that counts by band are exact."""

TURN_BUCKETS = (0.2, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0)
"""Seconds: the engine's own buckets, and two more for turns that its alerts call critical."""

UNDERFLOW_BUCKETS = (0.0, 0.0025, 0.005, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4)
"""Effective ratio: the policy's ceilings, and what lies around them."""

MAX_LABEL_VALUES = 50
"""Distinct values of one label; further ones are ``other``."""

MAX_LABEL_LENGTH = 200
"""Characters of a label that the engine or a hook's name gives; the rest is cut off."""

MAX_EXEMPLAR_CALL_ID = 100
"""An exemplar's labels may have 128 characters in all."""

UNKNOWN = "unknown"
OTHER = "other"

SEEN_SECONDS = 60.0
"""A sample that the bound evicts at a younger age may have been seen by nobody, and is counted."""

CEILINGS = tuple(field.name for field in fields(CeilingRules))
"""The policy's rules, so that each provider's counts begin at zero."""

UNSCORED_REASONS = ("abandoned", "no_conversation", "too_little_evidence")
OUTCOMES = (
    UNKNOWN, "completed", "failed", "expired",
    "agent_hangup", "caller_hangup", "no_input_timeout", "transferred",
)  # fmt: skip
"""Outcomes that start at zero for each provider, so that their first call counts in a rate."""


class RetainedScores:
    """Per-call samples, bounded in time and number: see :class:`Retention`."""

    def __init__(self, retention: Retention, on_evicted: Callable[[int], None]) -> None:
        self._retention = retention
        self._on_evicted = on_evicted
        self._calls: OrderedDict[str, tuple[float, Sample]] = OrderedDict()
        """When each call ended, and its sample: made once, shown many times. Oldest first."""

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call_id: str, score: int, now: float) -> None:
        """Keep a finished call's score; what exceeds the bound goes, the oldest first."""
        self._calls.pop(call_id, None)
        self._calls[call_id] = now, Sample(f"ai_agent_{_SCORE}", {"call_id": call_id}, score)
        while len(self._calls) > self._retention.max_calls:
            _, (ended, _) = self._calls.popitem(last=False)
            if now - ended < SEEN_SECONDS:
                self._on_evicted(1)

    def shown(self, now: float) -> list[Sample]:
        """Return the samples that are shown now; whoever reads them takes nothing away."""
        while self._calls:
            call_id, (ended, _) = next(iter(self._calls.items()))
            if now - ended < self._retention.max_seconds:
                break  # ordered by age: the rest is younger
            del self._calls[call_id]
        return [sample for _, sample in self._calls.values()]


class _LabelValues:
    """Gives each name a bounded label value."""

    def __init__(self, limit: int = MAX_LABEL_VALUES) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def __call__(self, name: str | None) -> str:
        if name is None:
            return UNKNOWN
        if name not in self._known:
            if len(self._known) >= self._limit:
                return OTHER
            self._known.add(name)
        return name


@dataclass(slots=True)
class _Group:
    """The metrics of one provider and pipeline, with their labels looked up once."""

    scores: Histogram
    underflow: Histogram
    by_band: dict[Band, Counter]
    penalties: dict[str, Counter]
    ceilings: dict[str, Counter]
    coverage: Summary
    clipped: Summary
    turns: Histogram


@dataclass(slots=True)
class _Provider:
    """The metrics of one provider, likewise."""

    label: str
    started: Counter
    ended: dict[str, Counter]
    """By outcome, those that begin at zero."""
    cost: Counter | None
    per_minute: float


_MetricT = TypeVar("_MetricT", Counter, Gauge, Histogram, Summary)


class PrometheusSink:
    """Registers the metrics and keeps them; ``close()`` unregisters every one."""

    def __init__(
        self,
        *,
        registry: CollectorRegistry | None,
        clock: Callable[[], float],
        live_calls: Callable[[], LiveCount],
        before_collect: Callable[[], None],
        per_call_series: bool,
        retention: Retention,
        costs: Mapping[str, CallCost],
        version: str,
        policy_version: str,
    ) -> None:
        """Register on ``registry`` (None: prometheus_client's default one).

        Raises:
            ValueError: the registry has metrics of these names already.
        """
        self._registry = REGISTRY if registry is None else registry
        self._clock = clock
        self._live_calls = live_calls
        self._before_collect = before_collect
        self._costs = costs
        self.multiprocess = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        self.per_call_series = per_call_series and not self.multiprocess
        self._lock = Lock()
        self._registered: list[Any] = []
        self._retained = RetainedScores(
            retention, lambda evicted: self.dropped(DropReason.SAMPLE_EVICTED, evicted)
        )
        self._providers = _LabelValues()
        self._pipelines = _LabelValues()
        self._outcomes = _LabelValues()
        self._hooks = _LabelValues()
        self._provider_of: dict[str | None, _Provider] = {}
        self._groups: dict[tuple[str, str], _Group] = {}
        self._group_of: dict[tuple[str | None, str | None], _Group] = {}
        try:
            self._register(version, policy_version)
        except ValueError as error:
            self.close()
            raise ValueError(
                f"{error}. This registry has a QualityMonitor already: use that one, close() it "
                "first, or pass registry=CollectorRegistry()"
            ) from error

    def _register(self, version: str, policy_version: str) -> None:
        # First of all: what collecting updates (expired calls, say) is then in the same scrape.
        self._register_collected()
        group = ("provider", "pipeline")
        self._scores = self._make(
            Histogram, "call_scores", "Quality scores of finished calls, 0 to 100.", group,
            buckets=SCORE_BUCKETS,
        )  # fmt: skip
        self._turns = self._make(
            Histogram, "call_turn_response_seconds",
            "End of the caller's turn to first agent audio, of every kind of provider.",
            group, buckets=TURN_BUCKETS,
        )  # fmt: skip
        self._scored = self._make(
            Counter, "calls_scored_total", "Finished calls by quality band.", (*group, "band")
        )
        self._unscored = self._make(
            Counter,
            "calls_unscored_total",
            "Finished calls without a score, by reason.",
            ("reason",),
        )
        self._penalties = self._make(
            Counter, "call_quality_penalty_points_total",
            "Points that finished calls lost, by factor.", (*group, "factor"),
        )  # fmt: skip
        self._underflow = self._make(
            Histogram, "call_underflow_ratio", "Effective underflow ratio of finished calls.",
            group, buckets=UNDERFLOW_BUCKETS,
        )  # fmt: skip
        self._ceilings = self._make(
            Counter, "call_ceilings_total", "Finished calls that a ceiling applied to, by rule.",
            ("provider", "rule"),
        )  # fmt: skip
        self._coverage = self._make(
            Summary, "call_coverage_ratio", "Share of a finished call's score that was observed.",
            ("provider",),
        )  # fmt: skip
        self._clipped = self._make(
            Summary, "call_clipped_ratio", "Share of the agent's samples that are at full scale.",
            ("provider",),
        )  # fmt: skip
        self._started = self._make(Counter, "calls_started_total", "Calls started.", ("provider",))
        self._ended = self._make(
            Counter, "calls_ended_total", "Calls ended.", ("provider", "outcome")
        )
        self._cost = self._make(
            Counter, "call_cost_total", "Call minutes times the configured rate.",
            ("provider", "currency"),
        )  # fmt: skip
        self._hook_live = self._make(
            Gauge, "quality_hook_live", "1 where the engine delivers a factor's observations.",
            ("factor",), multiprocess_mode="livemax",
        )  # fmt: skip
        self._engine_info = self._make(
            Gauge, "engine_info", "The engine: its version and audio transport.",
            ("version", "audio_transport"), multiprocess_mode="livemax",
        )  # fmt: skip
        self._dropped = self._make(
            Counter, "quality_dropped_total", "Observations and calls not taken, by reason.",
            ("reason",),
        )  # fmt: skip
        self._hook_failures = self._make(
            Counter, "quality_hook_failures_total", "Call-end hooks that raised or were slow.",
            ("hook",),
        )  # fmt: skip
        self._info = self._make(
            Gauge, "quality_info", "This library: its version and scoring policy.",
            ("version", "policy"), multiprocess_mode="livemax",
        )  # fmt: skip
        self._info.labels(version, policy_version).set(1)
        for unscored in UNSCORED_REASONS:
            self._unscored.labels(unscored)
        self._drops = {reason: self._dropped.labels(reason.value) for reason in DropReason}

    def _register_collected(self) -> None:
        """Register what is collected here; several processes can't, and use plain gauges."""
        if not self.multiprocess:
            collector = _Collector(self)
            self._registry.register(collector)
            self._registered.append(collector)
            return
        self._active = self._make(
            Gauge, "calls_active", _ACTIVE_HELP, (), multiprocess_mode="livesum"
        )
        self._by_band = self._make(
            Gauge, "live_calls", _LIVE_HELP, ("band",), multiprocess_mode="livesum"
        )
        # There, and 0: no call has a sample of its own where samples can't be withdrawn.
        self._make(
            Gauge, "quality_series_retained", _RETAINED_HELP, (), multiprocess_mode="livesum"
        )

    def _make(
        self, kind: type[_MetricT], name: str, text: str, labels: Sequence[str], **options: Any
    ) -> _MetricT:
        metric = kind(f"ai_agent_{name}", text, labels, registry=self._registry, **options)
        self._registered.append(metric)
        return metric

    def close(self) -> None:
        """Unregister every metric; the registry is then as it was."""
        while self._registered:
            self._registry.unregister(self._registered.pop())

    # What happens to calls.

    def call_started(self, provider: str | None, pipeline: str | None) -> None:
        """Count a call."""
        with self._lock:
            self._provider(provider).started.inc()
            self._group(provider, pipeline)

    def begin_series(self, provider: str | None, pipeline: str | None) -> None:
        """Let every series of a call begin at zero, so that its end shows in a rate."""
        with self._lock:
            self._provider(provider)
            self._group(provider, pipeline)

    def turn_observer(self, provider: str | None, pipeline: str | None) -> Callable[[float], None]:
        """Return what takes the latency of each turn, in seconds, as it comes."""
        with self._lock:
            return self._group(provider, pipeline).turns.observe

    def __call__(self, score: CallScore) -> None:
        """Count a call that has ended, and keep its sample for a while."""
        summary = score.summary
        with self._lock:
            self._count_end(self._provider(summary.provider), summary)
            group = self._group(summary.provider, summary.pipeline)
            group.coverage.observe(score.coverage)
            if (clipped := summary.agent_clipped) is not None:
                group.clipped.observe(clipped)
            underflow = score.factor("underflow")
            if underflow.value is not None:
                group.underflow.observe(underflow.value)
            if score.score is None or score.band is None:
                self._unscored.labels(score.unscored_reason).inc()
                return
            self._count_score(group, score.call_id, score.score, score.band)
            for factor in score.factors:
                if factor.penalty:
                    group.penalties[factor.name].inc(factor.penalty)
            for ceiling in score.ceilings:
                group.ceilings[ceiling.rule].inc()

    def _count_score(self, group: _Group, call_id: str, score: int, band: Band) -> None:
        group.by_band[band].inc()
        exemplar = None
        if self.per_call_series:
            self._retained.add(call_id, score, self._clock())
            exemplar = {"call_id": call_id} if len(call_id) <= MAX_EXEMPLAR_CALL_ID else None
        group.scores.observe(score, exemplar)

    def _count_end(self, provider: _Provider, summary: CallSummary) -> None:
        outcome = UNKNOWN if summary.outcome is None else summary.outcome
        ended = provider.ended.get(outcome)
        if ended is None:
            ended = self._ended.labels(provider.label, self._outcomes(outcome))
        ended.inc()
        if provider.cost is not None and summary.duration is not None:
            provider.cost.inc(provider.per_minute * summary.duration / 60)

    def _provider(self, name: str | None) -> _Provider:
        """Return the metrics of a provider, by its name or by ``other``."""
        found = self._provider_of.get(name)
        if found is None:
            found = self._new_provider(name)
            if found.label != OTHER:  # names beyond the bound must not fill this cache either
                self._provider_of[name] = found
        return found

    def _new_provider(self, name: str | None) -> _Provider:
        label = self._providers(name)
        cost = self._costs.get(name or UNKNOWN)
        return _Provider(
            label=label,
            started=self._started.labels(label),
            ended={
                outcome: self._ended.labels(label, self._outcomes(outcome)) for outcome in OUTCOMES
            },
            cost=None if cost is None else self._cost.labels(label, cost.currency),
            per_minute=0.0 if cost is None else cost.per_minute,
        )

    def _group(self, provider: str | None, pipeline: str | None) -> _Group:
        """Return the metrics of a provider and pipeline, by their names or by ``other``."""
        found = self._group_of.get((provider, pipeline))
        if found is not None:
            return found
        labels = (self._providers(provider), self._pipelines(pipeline))
        found = self._groups.get(labels)
        if found is None:
            found = self._groups[labels] = self._new_group(labels)
        if OTHER not in labels:  # names beyond the bound must not fill this cache either
            self._group_of[provider, pipeline] = found
        return found

    def _new_group(self, labels: tuple[str, str]) -> _Group:
        return _Group(
            scores=self._scores.labels(*labels),
            underflow=self._underflow.labels(*labels),
            by_band={band: self._scored.labels(*labels, band.value) for band in Band},
            penalties={factor: self._penalties.labels(*labels, factor) for factor in FACTORS},
            ceilings={rule: self._ceilings.labels(labels[0], rule) for rule in CEILINGS},
            coverage=self._coverage.labels(labels[0]),
            clipped=self._clipped.labels(labels[0]),
            turns=self._turns.labels(*labels),
        )

    # What the library tells of itself.

    def dropped(self, reason: DropReason, count: int = 1) -> None:
        """Count what was not taken."""
        self._drops[reason].inc(count)

    def hook_failed(self, hook: str) -> None:
        """Count a hook that raised or was slow."""
        with self._lock:
            self._hook_failures.labels(self._hooks(_label_text(hook))).inc()

    def hook_live(self, factor: str, live: bool) -> None:
        """Tell whether the engine delivers a factor's observations."""
        self._hook_live.labels(_label_text(factor)).set(1 if live else 0)

    def engine_info(self, version: str, audio_transport: str) -> None:
        """Tell which engine this is, instead of what was told before."""
        if not self.multiprocess:
            self._engine_info.clear()
        self._engine_info.labels(_label_text(version), _label_text(audio_transport)).set(1)

    def publish_live(self, live: LiveCount) -> None:
        """Set the gauges of live calls, where no collection can: with several processes."""
        self._active.set(live.active)
        for band, count in live.by_band.items():
            self._by_band.labels(band).set(count)

    def collect(self) -> Iterator[Metric]:
        """Yield the families that are collected here."""
        self._before_collect()
        live = self._live_calls()
        with self._lock:
            shown = self._retained.shown(self._clock())
        scores = _family(_SCORE, _SCORE_HELP, ("call_id",), [])
        scores.samples = shown
        yield scores
        yield _family("calls_active", _ACTIVE_HELP, (), [((), live.active)])
        by_band = [((band,), count) for band, count in live.by_band.items()]
        yield _family("live_calls", _LIVE_HELP, ("band",), by_band)
        yield _family("quality_series_retained", _RETAINED_HELP, (), [((), len(shown))])


_SCORE = "call_quality_score"
_SCORE_HELP = "Quality score of a finished call, 0 to 100; shown for 15 minutes after its end."
_ACTIVE_HELP = "Calls in progress, whether anybody speaks or not."
_LIVE_HELP = "Calls in progress by the band that they would have if they ended now."
_RETAINED_HELP = "Finished calls whose sample is still shown."


def _label_text(value: object) -> str:
    """Return what the engine calls itself as a label: one lone surrogate would end every scrape."""
    return printable(str(value)[:MAX_LABEL_LENGTH])


def _family(
    name: str, text: str, labels: Sequence[str], values: Sequence[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"ai_agent_{name}", text, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


class _Collector:
    """What the registry asks at each scrape."""

    def __init__(self, sink: PrometheusSink) -> None:
        self._sink = sink

    def describe(self) -> list[Metric]:
        """Return the families' names and types, so that duplicates are refused."""
        return [
            _family(_SCORE, _SCORE_HELP, ("call_id",), []),
            _family("calls_active", _ACTIVE_HELP, (), []),
            _family("live_calls", _LIVE_HELP, ("band",), []),
            _family("quality_series_retained", _RETAINED_HELP, (), []),
        ]

    def collect(self) -> Iterator[Metric]:
        """Yield the families with their samples."""
        return self._sink.collect()
