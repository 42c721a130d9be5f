"""Scores as metrics, on the registry that the engine already exposes.

Counters and histograms are the client's own, with their children kept at hand. What must be read
at the moment of a scrape is collected then: the per-call samples, which go 15 minutes after the
call's end, and the calls in progress.
"""

from ai_engine_quality.sinks.prometheus.metrics import SCORE_BUCKETS, TURN_BUCKETS
from ai_engine_quality.sinks.prometheus.sink import PrometheusSink, registry_of_its_own

__all__ = ["SCORE_BUCKETS", "TURN_BUCKETS", "PrometheusSink", "registry_of_its_own"]
