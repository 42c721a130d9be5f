"""What counts each call, and tells what the library knows of itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from threading import RLock

from prometheus_client import REGISTRY, CollectorRegistry

from ai_engine_quality.core.observations import OTHER, DropReason
from ai_engine_quality.core.policy import Band
from ai_engine_quality.core.result import HEARD, TOLD, CallScore
from ai_engine_quality.core.sound_ceilings import corrupt_seconds
from ai_engine_quality.core.wrong_speed import pace
from ai_engine_quality.live.facts import CallCost, LiveCount, Retention, by_provider
from ai_engine_quality.live.sections import SECTIONS
from ai_engine_quality.sinks.prometheus import shared_files
from ai_engine_quality.sinks.prometheus.collected import Collected, LiveGauges, RetainedScores
from ai_engine_quality.sinks.prometheus.metrics import Registration
from ai_engine_quality.sinks.prometheus.series import (
    Group,
    LabelValues,
    Provider,
    Series,
    label_text,
)

MAX_EXEMPLAR_CALL_ID = 100
"""An exemplar's labels may have 128 characters in all."""

UNSCORED_REASONS = ("abandoned", "no_conversation", "too_little_evidence", "voicemail", "expired")


Observe = Callable[[float], None]
"""Takes the seconds of one observation."""

_CLOCKS = {HEARD: HEARD, TOLD: TOLD}


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
        retention: Retention | None,
        costs: Mapping[str, CallCost] | None,
        version: str,
        policy_version: str,
    ) -> None:
        """Register on a registry.

        Args:
            registry: None is prometheus_client's default one.
            clock: Monotonic seconds.
            live_calls: Counts the calls in progress.
            before_collect: Brings them up to date, before each scrape.
            per_call_series: Whether each finished call has a sample of its own.
            retention: How long those stay; None is the usual retention.
            costs: What a minute costs, by provider.
            version: The library's.
            policy_version: The scoring policy's.

        Raises:
            TypeError: retention or costs are none.
            ValueError: the registry has metrics of these names already, a cost can't be used, or
                there is no room for the files that several processes share.
        """
        kept = Retention() if retention is None else retention
        if not isinstance(kept, Retention):
            raise TypeError(f"retention must be a Retention(...), not {retention!r}")
        rates = {} if costs is None else by_provider(costs)
        self._clock = clock
        self.multiprocess = shared_files.VARIABLE in os.environ
        self.little_room = shared_files.check_room()
        """What to warn of, where other processes' metrics leave little room for ours; else None."""
        self.per_call_series = per_call_series and not self.multiprocess
        self._lock = RLock()
        self._hooks = LabelValues()
        self._live_factors = LabelValues()
        self._versions = LabelValues()
        self._transports = LabelValues()
        self._retained = RetainedScores(kept, lambda: self.dropped(DropReason.SAMPLE_EVICTED))
        self.collected = Collected(
            self._retained, clock=clock, live_calls=live_calls, before_collect=before_collect
        )
        self._registration = Registration(REGISTRY if registry is None else registry)
        try:
            self._register(version, policy_version)
        except ValueError as error:
            self.close()
            raise ValueError(
                f"{error}. This registry has these metrics already. Are they those of another "
                "QualityMonitor? Use that one, close() it first, or pass "
                "registry=CollectorRegistry()"
            ) from error
        self._series = Series(self._metrics, rates)

    def _register(self, version: str, policy_version: str) -> None:
        # First of all: what collecting updates (expired calls, say) is then in the same scrape.
        if self.multiprocess:
            self._live = LiveGauges(self._registration)
        else:
            self._registration.add(self.collected)
        self._metrics = self._registration.metrics()
        self._metrics.info.labels(version, policy_version).set(1)
        for reason in UNSCORED_REASONS:
            self._metrics.unscored.labels(reason)
        self._drops = {reason: self._metrics.dropped.labels(reason.value) for reason in DropReason}

    def close(self) -> None:
        """Unregister every metric; the registry is then as it was."""
        self._registration.undo()

    def begin_anew(self) -> None:
        """In a forked child: the locks may be held by threads that aren't there."""
        self._lock = RLock()
        self._retained.begin_anew()

    # What happens to calls.

    def call_started(self, provider: str | None, pipeline: str | None) -> Observe:
        """Count a call; return what takes the latency of each of its turns, as it comes."""
        with SECTIONS, self._lock:
            self._series.provider(provider).started.inc()
            group = self._series.group(provider, pipeline)
            if group.is_other:
                self.dropped(DropReason.COUNTED_AS_OTHER)
        return self._turn_observer(group)

    def begin_series(self, provider: str | None, pipeline: str | None) -> Observe:
        """Let every series of a call begin at zero, so that its end shows in a rate.

        Returns:
            What takes its turns from now on, as ``call_started``.
        """
        with SECTIONS, self._lock:
            self._series.provider(provider)
            group = self._series.group(provider, pipeline)
        return self._turn_observer(group)

    def _turn_observer(self, group: Group) -> Observe:
        observe = group.turns.observe
        return _uninterrupted(observe) if self.multiprocess else observe

    def turn_stage(self, provider: str | None, stage: str, seconds: float) -> None:
        """Count what a stage of a turn took."""
        with SECTIONS, self._lock:
            self._series.turn_stage(provider, stage).observe(seconds)

    def __call__(self, score: CallScore) -> None:
        """Count a call that has ended, and keep its sample for a while."""
        summary = score.summary
        with SECTIONS, self._lock:
            provider = self._series.provider(summary.provider)
            self._count_end(provider, score)
            group = self._series.group(summary.provider, summary.pipeline)
            provider.coverage.observe(score.coverage)
            if (clipped := summary.agent_clipped) is not None:
                provider.clipped.observe(clipped)
            self._count_sound(provider, score)
            underflow = score.factor("underflow")
            if underflow.value is not None:
                group.underflow.observe(underflow.value)
            if score.score is None or score.band is None:
                self._metrics.unscored.labels(score.unscored_reason).inc()
                return
            self._count_score(group, score.call_id, score.score, score.band)
            if self.per_call_series:
                self._retained.add(score, provider.label, self._clock())
            for factor in score.factors:
                if factor.penalty:
                    group.penalties[factor.name].inc(factor.penalty)
            for ceiling in score.ceilings:
                provider.ceilings[ceiling.rule].inc()

    def _count_score(self, group: Group, call_id: str, score: int, band: Band) -> None:
        group.by_band[band].inc()
        exemplar = None
        if self.per_call_series and len(call_id) <= MAX_EXEMPLAR_CALL_ID:
            exemplar = {"call_id": call_id}
        group.scores.observe(score, exemplar)

    def _count_sound(self, provider: Provider, score: CallScore) -> None:
        spoken = pace(score.summary)
        if spoken is not None:
            provider.pace.observe(spoken)
        rules = [ceiling.rule for ceiling in score.ceilings]
        for kind, seconds in corrupt_seconds(score.summary, rules).items():
            provider.corrupt[kind].inc(seconds)

    def _count_end(self, provider: Provider, score: CallScore) -> None:
        """Count an end; its minutes cost, unless the engine calls it one that never came."""
        summary = score.summary
        self._series.ended(provider, summary.outcome).inc()
        if score.unscored_reason == "expired":
            return
        if provider.cost is not None and summary.duration is not None:
            provider.cost.inc(provider.per_minute * summary.duration / 60)

    # What the library tells of itself.

    def dropped(self, reason: DropReason, count: int = 1) -> None:
        """Count what was not taken."""
        with SECTIONS:
            self._drops[reason].inc(count)

    def hook_failed(self, hook: str) -> None:
        """Count a hook that raised or was slow."""
        with SECTIONS, self._lock:
            self._metrics.hook_failures.labels(self._hooks(label_text(hook))).inc()

    def hook_live(self, factor: str, live: bool, clock: str) -> None:
        """Tell whether the engine delivers a factor's observations, and by which clock."""
        with SECTIONS, self._lock:
            told_by = label_text(clock)
            labels = self._live_factors(label_text(factor)), _CLOCKS.get(told_by, OTHER)
            self._metrics.hook_live.labels(*labels).set(1 if live else 0)

    def engine_info(self, version: str, audio_transport: str) -> None:
        """Tell which engine this is, instead of what was told before."""
        labels = label_text(version), label_text(audio_transport)
        with SECTIONS, self._lock:
            if self.multiprocess:  # where nothing can be taken back
                labels = self._versions(labels[0]), self._transports(labels[1])
            else:
                self._metrics.engine_info.clear()
            self._metrics.engine_info.labels(*labels).set(1)

    def publish_live(self, live: LiveCount) -> None:
        """Set the gauges of live calls, where no collection can: with several processes."""
        with SECTIONS:
            self._live.publish(live)


def registry_of_its_own() -> CollectorRegistry:
    """Return a registry that nobody scrapes: another process tells what is counted there."""
    return CollectorRegistry()


def _uninterrupted(observe: Observe) -> Observe:
    """Return a histogram's ``observe`` for several processes, whose lock is held for long."""

    def within(seconds: float) -> None:
        with SECTIONS:
            observe(seconds)

    return within
