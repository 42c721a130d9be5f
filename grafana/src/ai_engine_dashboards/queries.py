"""The PromQL that more than one panel needs.

Recording rules of `monitoring/rules` come first: where an alert fires by one, the panel shows it.

`ENGINES` and `PROVIDERS` are the label matchers of the dashboards' variables. Two generations of
the engine have to be read by the same query. That of October 2025 labels its metrics with the
call's id, and leaves most of a finished call's gauges behind; today's has neither.
"""

from __future__ import annotations

from typing import Final

ENGINES: Final = 'job=~"$job", instance=~"$instance"'
PROVIDERS: Final = f'{ENGINES}, provider=~"$provider"'
FLEET: Final = 'job=~"$job|", instance=~"$instance|"'
"""Of alerts, some of which are about no single engine."""

ACTIVE_CALLS: Final = f"""(
  max by (job, instance) (ai_agent_calls_active{{{ENGINES}}})
  or
  sum by (job, instance) (ai_agent_conversation_state{{{ENGINES}}})
)"""
"""By engine. The library's own count; without the library the engine's states, of which each call
is in one. The engine's `streaming_active` is 0 while the agent listens."""


def in_calls(vector: str) -> str:
    """A gauge, only while there is a call that it can be of.

    A call in progress has a conversation state; by call id where there is one, by engine else.
    """
    return f"""{vector}
and on (job, instance, call_id)
(sum by (job, instance, call_id) (ai_agent_conversation_state{{{ENGINES}}}) > 0)"""


def while_speaking(vector: str) -> str:
    """A gauge of the stream to the caller, only while a segment is being played."""
    return f"""{vector}
and on (job, instance, call_id)
(ai_agent_streaming_active{{{ENGINES}}} > 0)"""


def counted(counter: str, matchers: str, window: str = "$__range") -> str:
    """How much a counter rose within a window, the event that it was born with included.

    increase() can't see that one: a series that begins at 1 did not rise. A series that was not
    there when the window began, while its engine was being watched, is counted at its value.
    """
    series = f"{counter}{{{matchers}}}"
    return f"""(
  last_over_time({series}[{window}])
    unless {series} offset {window}
    and on (job, instance) up{{{ENGINES}}} offset {window} == 1
  or
  increase({series}[{window}])
)"""


def counted_calls(counter: str, *labels: str) -> str:
    """The same over the time range, for the library's counters, by when they were created.

    prometheus_client tells of each counter when it was created. So even a Prometheus that has just
    begun sees a provider's very first call.
    """
    series = f"{counter}_total{{{PROVIDERS}}}"
    same = ", ".join(("job", "instance", *labels))
    return f"""(
  {series}
    unless {series} offset $__range
    and on ({same}) {counter}_created{{{PROVIDERS}}} > time() - $__range_s
  or
  increase({series}[$__range])
)"""


UP: Final = f"max by (job, instance) (up{{{ENGINES}}} == 1)"
"""The engines that answer."""


def or_zero(vector: str, where: str = UP) -> str:
    """0 where there is no such series, but only where something else shows that none is meant.

    `or vector(0)` would say 0 of a dead engine too.
    """
    return f"""({vector}
or
0 * {where})"""


def quantile(share: float, buckets: str, *by: str) -> str:
    """A quantile of bucket counts, each label of `by` on its own; nothing where nothing counted.

    Of no events a quantile is NaN, which Grafana draws as if there were a series.
    """
    return f"histogram_quantile({share:g}, sum by ({', '.join(('le', *by))}) ({buckets})) >= 0"


def mean(histogram: str, window: str, *by: str, matchers: str = PROVIDERS) -> str:
    """The mean of a histogram's values within a window; nothing where there were none."""
    over = f" by ({', '.join(by)})" if by else ""
    series = f"{{{matchers}}}[{window}]"
    return f"""sum{over} (increase({histogram}_sum{series}))
/
(sum{over} (increase({histogram}_count{series})) > 0)"""


def rate(counter: str, *by: str, matchers: str = ENGINES) -> str:
    """Events per second."""
    over = f" by ({', '.join(by)})" if by else ""
    return f"sum{over} (rate({counter}{{{matchers}}}[$__rate_interval]))"


def per_call(points: str, calls: str) -> str:
    """Something per call, nothing where there were no calls. `calls` is one number for all."""
    return f"""{points}
/ on () group_left ()
(sum ({calls}) > 0)"""
