"""The calls that a Prometheus has seen: their scores, and what it knows of them together."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ai_engine_lab.validation.calls import JudgedCall
from ai_engine_lab.validation.measures import PERCENTILE, Measures
from ai_engine_quality.toolkit import Prometheus, Unreachable, plural

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


@dataclass(frozen=True, slots=True)
class _Window:
    """The last so many seconds before a unix time, as one Prometheus has them."""

    server: Prometheus
    seconds: float
    end: float

    def over(self, function: str, metric: str) -> str:
        """Return a function over the window, as an expression."""
        return f"{function}({metric}[{math.ceil(self.seconds)}s])"

    def increase(self, metric: str) -> float | None:
        """Return by how much a counter grew, of all engines; None where there is none."""
        return self.server.value(f"sum({self.over('increase', metric)})", self.end)

    def p95(self, histogram: str) -> float | None:
        """Return the 95th percentile of what a histogram counted."""
        buckets = f"sum by (le) ({self.over('increase', f'{histogram}_bucket')})"
        return self.server.value(f"histogram_quantile({PERCENTILE / 100}, {buckets})", self.end)

    def count(self, histogram: str) -> int:
        """Return how much a histogram counted."""
        return round(self.increase(f"{histogram}_count") or 0)


def read_prometheus(server: Prometheus, seconds: float, now: float) -> PrometheusCalls:
    """Read the calls whose score was scraped in the last so many seconds, up to unix time ``now``.

    Raises:
        Unreachable: it can't be asked.
    """
    window = _Window(server, seconds, now)
    scores = _scores(window)
    providers, notes = _providers(window)
    calls = tuple(
        JudgedCall(call_id=call_id, provider=providers.get(call_id), points=points)
        for call_id, points in scores.items()
    )
    known = sum(call.provider is not None for call in calls)
    notes.append(
        f"It tells the scores, not their reasons, lengths or scenarios; the provider is known of "
        f"{known} of {plural(len(calls), 'call')}, by their exemplars."
    )
    if unscored := round(window.increase(UNSCORED) or 0):
        notes.append(f"About {plural(unscored, 'more call')} ended without a score.")
    notes.append(
        "Percentiles are read from histograms, so they lie somewhere in the bucket that holds "
        "them; underflows are fillers, since the engine does not count episodes."
    )
    return PrometheusCalls(calls, _measures(window).with_scores_of(calls), tuple(notes))


def _scores(window: _Window) -> dict[str, int]:
    """Return call id to score, in the order of call ids."""
    found = window.server.query(window.over("last_over_time", SCORES), window.end)
    scores = {
        series["metric"]["call_id"]: round(float(series["value"][1]))
        for series in found
        if "call_id" in series["metric"]
    }
    return dict(sorted(scores.items()))


def _providers(window: _Window) -> tuple[dict[str, str], list[str]]:
    """Return call id to provider, as the scores' exemplars have it."""
    try:
        start = window.end - window.seconds
        found = window.server.exemplars(SCORE_BUCKETS, start, window.end)
    except Unreachable as error:
        return {}, [f"It has no exemplars ({error}), so no call's provider is known."]
    return {
        exemplar["labels"]["call_id"]: series["seriesLabels"]["provider"]
        for series in found
        for exemplar in series["exemplars"]
        if "call_id" in exemplar["labels"] and "provider" in series["seriesLabels"]
    }, []


def _measures(window: _Window) -> Measures:
    """Return what is known of all calls together, the scores aside."""
    ended, fillers = window.increase(ENDED), window.increase(FILLERS)
    told = round(ended) if ended and fillers is not None else 0
    return Measures(
        turn_p95=window.p95(TURNS),
        turns=window.count(TURNS),
        underflows=_ratio(fillers, ended),
        underflow_calls=told,
        filler_calls=told,
        filler_share=_ratio(fillers, window.increase(FRAMES)),
        barge_in_p95=window.p95(BARGE_INS),
        barge_ins=window.count(BARGE_INS),
    )


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
