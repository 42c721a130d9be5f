"""The calls that a Prometheus has seen: their scores, and what it knows of them together."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ai_engine_quality.prometheus_api import Prometheus, PrometheusError
from ai_engine_quality.validation.calls import JudgedCall
from ai_engine_quality.validation.measures import PERCENTILE, Measures

SCORES = "ai_agent_call_quality_score"
SCORE_BUCKETS = "ai_agent_call_scores_bucket"
TURNS = "ai_agent_call_turn_response_seconds"
BARGE_INS = "ai_agent_barge_in_reaction_seconds"
FILLERS = "ai_agent_stream_underflow_events_total"
FRAMES = "ai_agent_stream_frames_sent_total"
"""As the engine counts: fillers included."""
ENDED = "ai_agent_calls_ended_total"
UNSCORED = "ai_agent_calls_unscored_total"


@dataclass(frozen=True, slots=True)
class PrometheusCalls:
    """What a Prometheus told."""

    calls: tuple[JudgedCall, ...]
    measures: Measures
    notes: tuple[str, ...]
    """What it can't tell, in words."""


def read_prometheus(server: Prometheus, seconds: float, now: float) -> PrometheusCalls:
    """Read the calls whose score was scraped in the last so many seconds, up to unix time ``now``.

    Raises:
        PrometheusError: it can't be asked.
    """
    window = f"[{math.ceil(seconds)}s]"
    scores = _scores(server, window)
    providers, notes = _providers(server, now - seconds, now)
    calls = tuple(
        JudgedCall(call_id=call_id, provider=providers.get(call_id), points=points)
        for call_id, points in scores.items()
    )
    known = sum(call.provider is not None for call in calls)
    notes.append(
        f"It tells the scores, not their reasons, lengths or scenarios; the provider is known of "
        f"{known} of {len(calls)} calls, by their exemplars."
    )
    unscored = server.value(f"sum(increase({UNSCORED}{window}))")
    if unscored is not None and round(unscored):
        notes.append(f"About {round(unscored)} more calls ended without a score.")
    measures = _measures(server, window).with_scores_of(calls)
    notes.append(
        "Percentiles are read from histograms, so they lie somewhere in the bucket that holds "
        "them; underflows are fillers, since the engine does not count episodes."
    )
    return PrometheusCalls(calls, measures, tuple(notes))


def _scores(server: Prometheus, window: str) -> dict[str, int]:
    """Return call id to score, in the order of call ids."""
    found = server.query(f"last_over_time({SCORES}{window})")
    scores = {
        series["metric"]["call_id"]: round(float(series["value"][1]))
        for series in found
        if "call_id" in series["metric"]
    }
    return dict(sorted(scores.items()))


def _providers(server: Prometheus, start: float, end: float) -> tuple[dict[str, str], list[str]]:
    """Return call id to provider, as the scores' exemplars have it."""
    try:
        found = server.exemplars(SCORE_BUCKETS, start, end)
    except PrometheusError as error:
        return {}, [f"It has no exemplars ({error}), so no call's provider is known."]
    return {
        exemplar["labels"]["call_id"]: series["seriesLabels"]["provider"]
        for series in found
        for exemplar in series["exemplars"]
        if "call_id" in exemplar["labels"] and "provider" in series["seriesLabels"]
    }, []


def _measures(server: Prometheus, window: str) -> Measures:
    ended = server.value(f"sum(increase({ENDED}{window}))")
    fillers = server.value(f"sum(increase({FILLERS}{window}))")
    frames = server.value(f"sum(increase({FRAMES}{window}))")
    told = round(ended) if ended and fillers is not None else 0
    return Measures(
        turn_p95=_p95(server, TURNS, window),
        turns=_count(server, TURNS, window),
        underflows=_ratio(fillers, ended),
        underflow_calls=told,
        filler_calls=told,
        filler_share=_ratio(fillers, frames),
        barge_in_p95=_p95(server, BARGE_INS, window),
        barge_ins=_count(server, BARGE_INS, window),
    )


def _p95(server: Prometheus, metric: str, window: str) -> float | None:
    buckets = f"sum by (le) (increase({metric}_bucket{window}))"
    return server.value(f"histogram_quantile({PERCENTILE / 100}, {buckets})")


def _count(server: Prometheus, metric: str, window: str) -> int:
    return round(server.value(f"sum(increase({metric}_count{window}))") or 0)


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
