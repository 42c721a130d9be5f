"""Alert thresholds that calls recommend: above what is usual, at an edge that can be counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ai_engine_lab.basics.matrix import AlertThreshold, Matrix
from ai_engine_lab.validation.calls import JudgedCall
from ai_engine_lab.validation.judging import Judgement
from ai_engine_lab.validation.measures import Measures, measure
from ai_engine_quality.toolkit import percent, seconds

MARGIN = 1.25
"""A threshold keeps this distance from what is usual, or it would fire on ordinary days."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What these calls recommend for one alert."""

    alert: str
    provider: str | None
    """None: the alert looks at all providers together."""
    measured: str
    shipped: str
    recommended: str
    why: str


def recommend(judgement: Judgement, matrix: Matrix) -> Iterator[Recommendation]:
    """Yield a recommendation for each alert, by provider where the alert is."""
    by_provider = dict(_by_provider(judgement.calls))
    for alert in matrix.alerts:
        if not alert.by_provider or not any(m.turns for m in by_provider.values()):
            yield _recommendation(alert, None, judgement.measures)
            continue
        for provider, measures in by_provider.items():
            yield _recommendation(alert, provider, measures)


def _by_provider(calls: Sequence[JudgedCall]) -> Iterator[tuple[str, Measures]]:
    for provider in sorted({call.provider for call in calls if call.provider is not None}):
        yield provider, measure([call for call in calls if call.provider == provider])


def _recommendation(
    alert: AlertThreshold, provider: str | None, measures: Measures
) -> Recommendation:
    value: float | None = getattr(measures, alert.measure)
    recommended, why = _threshold(alert, value)
    return Recommendation(
        alert.name,
        provider,
        "not known" if value is None else in_unit(value, alert.unit),
        in_unit(alert.threshold, alert.unit),
        in_unit(recommended, alert.unit),
        why,
    )


def _threshold(alert: AlertThreshold, value: float | None) -> tuple[float, str]:
    """Return the lowest countable threshold that is well above what is usual, and why."""
    if value is None:
        return alert.threshold, "nothing here speaks to it"
    if value * MARGIN <= alert.threshold:
        return alert.threshold, "well above what is usual here"
    fitting = [edge for edge in alert.edges if edge >= value * MARGIN]
    if value > alert.threshold:
        until = f"{in_unit(fitting[0], alert.unit)} is quiet" if fitting else "nothing is quiet"
        return alert.threshold, f"these calls fire it, rightly; until they are fixed, {until}"
    if not fitting:
        return alert.threshold, "close to what is usual, but no higher one can be counted"
    return fitting[0], "the shipped one is within a quarter of what is usual here"


def in_unit(value: float, unit: str) -> str:
    """Return a value in words, in an alert's unit."""
    return percent(value) if unit == "%" else seconds(value)
