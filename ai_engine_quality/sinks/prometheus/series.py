"""The series of each provider and pipeline: bounded in number, and looked up once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from prometheus_client import Counter, Histogram, Summary

from ai_engine_quality.core.observations import OTHER, OUTCOMES, plain
from ai_engine_quality.core.policy import FACTORS, Band, CeilingRules
from ai_engine_quality.core.sound_ceilings import SOUND_RULES
from ai_engine_quality.core.wording import printable
from ai_engine_quality.live.facts import CallCost
from ai_engine_quality.sinks.prometheus.metrics import Metrics

MAX_LABEL_VALUES = 50
"""Distinct values of one label; further ones are ``other``."""

MAX_GROUPS = 100
"""Pairs of provider and pipeline with series of their own; further ones are ``other``, both."""

MAX_STAGE_PROVIDERS = 20
"""Providers whose stages of turns are told, a histogram each; further ones are ``other``."""

MAX_PROVIDER_OUTCOMES = 200
"""Pairs of provider and an outcome that begins at zero for none; further ones are ``other``."""

MAX_LABEL_LENGTH = 200
"""Characters of a label that the engine or a hook's name gives; the rest is cut off."""

UNKNOWN = "unknown"
CEILINGS = tuple(field.name for field in fields(CeilingRules))
"""The policy's rules, so that each provider's counts begin at zero."""

FIRST_OUTCOMES = (UNKNOWN, *OUTCOMES)
"""Outcomes that start at zero for each provider, so that their first call counts in a rate."""


def label_text(value: object) -> str:
    """Return what the engine calls itself as a label: one lone surrogate would end every scrape.

    What can't be text is ``unknown``.
    """
    try:
        text = plain(value) if isinstance(value, str) else str(value)
        return printable(text[:MAX_LABEL_LENGTH])
    except Exception:  # a foreign __str__ can raise anything
        return UNKNOWN


class LabelValues:
    """Gives each name a bounded label value."""

    def __init__(self, limit: int = MAX_LABEL_VALUES) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def __call__(self, name: str | None) -> str:
        """Return the name itself; ``unknown`` where there is none, ``other`` beyond the bound."""
        if name is None:
            return UNKNOWN
        if name not in self._known:
            if len(self._known) >= self._limit:
                return OTHER
            self._known.add(name)
        return name


@dataclass(slots=True)
class Group:
    """The metrics of one provider and pipeline, with their labels looked up once."""

    scores: Histogram
    underflow: Histogram
    by_band: dict[Band, Counter]
    penalties: dict[str, Counter]
    turns: Histogram
    is_other: bool
    """Whether it is that of names, or of pairs, beyond the bounds."""


@dataclass(slots=True)
class Provider:
    """The metrics of one provider, likewise."""

    label: str
    started: Counter
    ended: dict[str, Counter]
    """By outcome, those that begin at zero."""
    ceilings: dict[str, Counter]
    coverage: Summary
    clipped: Summary
    corrupt: dict[str, Counter]
    """By kind of fault."""
    pace: Histogram
    cost: Counter | None
    per_minute: float


class Series:
    """Every provider's and pipeline's; not safe between threads, so its user holds a lock."""

    def __init__(self, metrics: Metrics, costs: Mapping[str, CallCost]) -> None:
        self._metrics = metrics
        self._costs = costs
        self._providers = LabelValues()
        self._stage_providers = LabelValues(MAX_STAGE_PROVIDERS)
        self._pipelines = LabelValues()
        self._outcomes = LabelValues()
        self._provider_outcomes: set[tuple[str, str]] = set()
        self._provider_of: dict[str | None, Provider] = {}
        self._groups: dict[tuple[str, str], Group] = {}
        self._turn_stages: dict[tuple[str | None, str], Histogram] = {}
        self._group_of: dict[tuple[str | None, str | None], Group] = {}

    def provider(self, name: str | None) -> Provider:
        """Return the metrics of a provider, by its name or by ``other``."""
        found = self._provider_of.get(name)
        if found is None:
            found = self._new_provider(name)
            if found.label != OTHER:  # names beyond the bound must not fill this cache either
                self._provider_of[name] = found
        return found

    def ended(self, provider: Provider, outcome: str | None) -> Counter:
        """Return the count of a provider's calls with an outcome."""
        name = UNKNOWN if outcome is None else outcome
        known = provider.ended.get(name)
        if known is not None:
            return known
        pair = (provider.label, self._outcomes(name))
        if pair not in self._provider_outcomes:
            if len(self._provider_outcomes) >= MAX_PROVIDER_OUTCOMES:
                pair = (provider.label, OTHER)
            self._provider_outcomes.add(pair)
        return self._metrics.ended.labels(*pair)

    def turn_stage(self, provider: str | None, stage: str) -> Histogram:
        """Return what a provider's stage of a turn took."""
        found = self._turn_stages.get((provider, stage))
        if found is None:
            labels = self._stage_providers(self._providers(provider)), stage
            found = self._metrics.turn_stages.labels(*labels)
            if labels[0] != OTHER:  # names beyond the bound must not fill this cache either
                self._turn_stages[provider, stage] = found
        return found

    def group(self, provider: str | None, pipeline: str | None) -> Group:
        """Return the metrics of a provider and pipeline, by their names or by ``other``."""
        found = self._group_of.get((provider, pipeline))
        if found is not None:
            return found
        labels = (self._providers(provider), self._pipelines(pipeline))
        if labels not in self._groups and len(self._groups) >= MAX_GROUPS:
            labels = (OTHER, OTHER)
        found = self._groups.get(labels)
        if found is None:
            found = self._groups[labels] = self._new_group(labels)
        if not found.is_other:  # names beyond the bound must not fill this cache either
            self._group_of[provider, pipeline] = found
        return found

    def _new_provider(self, name: str | None) -> Provider:
        label = self._providers(name)
        cost = self._costs.get(name or UNKNOWN)
        made = self._metrics
        return Provider(
            label=label,
            started=made.started.labels(label),
            ended={
                outcome: made.ended.labels(label, self._outcomes(outcome))
                for outcome in FIRST_OUTCOMES
            },
            ceilings={rule: made.ceilings.labels(label, rule) for rule in CEILINGS},
            coverage=made.coverage.labels(label),
            clipped=made.clipped.labels(label),
            corrupt={kind: made.corrupt.labels(label, kind) for kind in SOUND_RULES},
            pace=made.pace.labels(label),
            cost=None if cost is None else made.cost.labels(label, cost.currency),
            per_minute=0.0 if cost is None else cost.per_minute,
        )

    def _new_group(self, labels: tuple[str, str]) -> Group:
        made = self._metrics
        return Group(
            scores=made.scores.labels(*labels),
            underflow=made.underflow.labels(*labels),
            by_band={band: made.scored.labels(*labels, band.value) for band in Band},
            penalties={factor: made.penalties.labels(*labels, factor) for factor in FACTORS},
            turns=made.turns.labels(*labels),
            is_other=OTHER in labels,
        )
