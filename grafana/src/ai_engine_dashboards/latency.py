"""Panels about time: how long callers wait, and how long they are talked over."""

from __future__ import annotations

from typing import Final

from ai_engine_dashboards import colours, panels
from ai_engine_dashboards.panels import About, Query, over_time
from ai_engine_dashboards.queries import ENGINES, PROVIDERS, quantile
from ai_engine_quality import DEFAULT_POLICY

SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

TURNS: Final = (
    f"""job_instance_provider_le:ai_agent_turn_response_seconds_bucket:increase5m{{{PROVIDERS}}}"""
)
"""What CriticalTurnResponseLatency fires by; HighTurnResponseLatency has the same over 15 minutes.
The library's histogram, since the engine's own sees pipelines only."""

REACTIONS: Final = (
    f"job_instance_le:ai_agent_barge_in_reaction_seconds_bucket:increase30m{{{ENGINES}}}"
)


def turn_response() -> panels.Panel:
    """How long callers wait for the agent."""
    about = About(
        shows="From the end of the caller's turn to the first audio of the agent, over the last "
        "5 minutes at each point. Measured by the library, for full agents and pipelines.",
        good=f"p95 under {colours.SECONDS_UNTIL[0][0]:g} s. From {colours.SECONDS_UNTIL[1][0]:g} s "
        "on a call can't be good, and HighTurnResponseLatency fires.",
        act="See on Provider Performance whether it is one provider. If all are slow, look at the "
        "engine's own load and network.",
        empty="No turn was answered in the last 5 minutes of this range",
    )
    return over_time(
        "Turn response",
        about,
        *(Query(quantile(share, TURNS), name) for name, share in SHARES.items()),
        unit=panels.SECONDS,
        steps=colours.by_ceilings(colours.SECONDS_UNTIL),
        names=colours.QUANTILES,
    )


def stt_to_tts() -> panels.Panel:
    """How long a pipeline takes from words to sound."""
    about = About(
        shows="From a transcript to the first synthesised audio. The engine measures this in "
        "modular pipelines only; full agents (Deepgram, OpenAI Realtime, ...) have no such "
        "stages.",
        good="p95 well below the turn response, which contains it.",
        act="The language model or the synthesis is slow: see the pipeline's own logs.",
        empty="No pipeline call: only modular pipelines have these stages",
    )
    buckets = f"rate(ai_agent_stt_to_tts_seconds_bucket{{{PROVIDERS}}}[$__rate_interval])"
    return over_time(
        "STT to TTS",
        about,
        *(Query(quantile(share, buckets), name, panels.EVENTS) for name, share in SHARES.items()),
        unit=panels.SECONDS,
        steps=colours.by_ceilings(colours.SECONDS_UNTIL),
        names=colours.QUANTILES,
        points=True,
    )


def barge_in_reaction() -> panels.Panel:
    """How long the agent talks on when interrupted."""
    knees = DEFAULT_POLICY.knees.barge_in
    about = About(
        shows="From the caller's first sound until the agent is silent, over the last 30 minutes "
        "at each point. Only barge-ins that the engine could time.",
        good=f"p95 under {knees[1][0]:g} s. Over {knees[2][0]:g} s SlowBargeInReaction fires.",
        act="Compare min_ms and the thresholds in the configuration values on Conversation Flow; "
        "the reaction includes the configured window.",
        empty="No timed barge-in in the last 30 minutes of this range",
    )
    return over_time(
        "Barge-in reaction",
        about,
        *(Query(quantile(share, REACTIONS), name) for name, share in SHARES.items()),
        unit=panels.SECONDS,
        steps=colours.by_knees(knees),
        names=colours.QUANTILES,
    )


def turn_response_by_provider() -> panels.Panel:
    """The same by provider, for comparison."""
    about = About(
        shows="Turn response, p95 of the last 15 minutes at each point, by provider. "
        "HighTurnResponseLatency uses these values.",
        good=f"Every provider under {colours.SECONDS_UNTIL[1][0]:g} s.",
        act="If one line is above the others, it is that provider or the network to it; if all "
        "are high, it is the engine.",
        empty="No turn was answered in the last 15 minutes of this range",
    )
    by_provider = "job_instance_provider:ai_agent_turn_response_seconds:p95_15m"
    return over_time(
        "Turn response by provider",
        about,
        Query(f"max by (provider) ({by_provider}{{{PROVIDERS}}})", "{{provider}}"),
        unit=panels.SECONDS,
        steps=colours.by_ceilings(colours.SECONDS_UNTIL),
        names=colours.PROVIDERS,
    )
