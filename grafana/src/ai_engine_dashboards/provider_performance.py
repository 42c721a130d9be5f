"""Provider Performance: is it the provider, which one, and what does it cost?"""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from ai_engine_dashboards import colours, latency, panels, playback, quality
from ai_engine_dashboards.layout import Placed, Row, dashboard
from ai_engine_dashboards.panels import About, Query, bars, big_number, listing, over_time
from ai_engine_dashboards.queries import (
    ENGINES,
    PROVIDERS,
    counted_calls,
    in_calls,
    mean,
    quantile,
    rate,
)
from ai_engine_quality import palette

UID = "ai-engine-provider-performance"


def build() -> model.Dashboard:
    """The dashboard, from state to detail."""
    return dashboard(
        UID,
        "Provider Performance",
        "The providers side by side, and what each reports about its own sessions.",
        [
            Row(
                "Providers side by side",
                [Placed(side_by_side(), 16, 9), Placed(cost_per_call(), 8, 9)],
            ),
            Row(
                "Compared over time",
                [
                    Placed(latency.turn_response_by_provider(), 8, 7),
                    Placed(quality.score_over_time(), 8, 7),
                    Placed(failures(), 8, 7),
                ],
            ),
            Row(
                "Deepgram",
                [
                    Placed(deepgram_rates(), 8, 6),
                    Placed(deepgram_acknowledgement(), 8, 6),
                    Placed(
                        playback.codec_alignment("Deepgram codec alignment", only="deepgram"), 8, 6
                    ),
                ],
            ),
            Row(
                "OpenAI Realtime",
                [
                    Placed(rate_alignment("OpenAI Realtime", "openai"), 14, 6),
                    Placed(measured_against_expected("OpenAI Realtime", "openai"), 10, 6),
                ],
            ),
            Row(
                "Google Live and Grok (engines of 2026)",
                [
                    Placed(google_audio(), 6, 6),
                    Placed(google_sessions(), 4, 6),
                    Placed(rate_alignment("Grok", "grok"), 7, 6),
                    Placed(measured_against_expected("Grok", "grok"), 7, 6),
                ],
            ),
            Row(
                "Failures in detail",
                [Placed(failures_by_cause(), 12, 8), Placed(outcomes(), 12, 8)],
                collapsed=True,
            ),
        ],
    )


def side_by_side() -> panels.Panel:
    """One line for each provider."""
    about = About(
        shows="Each provider's calls, mean score, slowest 5 % of turns, and share of calls lost "
        "(scores of 20 and less), in this time range.",
        good="Scores of 75 and more, p95 under 2 s, none lost.",
        act="Look at the provider that differs from the others: its row is below.",
        empty="No call in this range",
    )
    window = "$__range"
    turns = f"ai_agent_call_turn_response_seconds_bucket{{{PROVIDERS}}}[{window}]"
    slow = quantile(0.95, f"increase({turns})", "provider")
    lost = f'increase(ai_agent_call_scores_bucket{{{PROVIDERS}, le=~"20(\\\\.0)?"}}[{window}])'
    scored = f"increase(ai_agent_call_scores_count{{{PROVIDERS}}}[{window}])"
    calls = counted_calls("ai_agent_calls_started", "provider")
    return (
        listing(
            "Providers side by side",
            about,
            Query(f"sum by (provider) {calls} > 0", instant=True),
            Query(mean("ai_agent_call_scores", window, "provider"), instant=True),
            Query(slow, instant=True),
            Query(
                f"sum by (provider) ({lost})\n/\n(sum by (provider) ({scored}) > 0)", instant=True
            ),
            steps=colours.no_thresholds(),
            columns={
                "provider": "Provider",
                "Value #A": "Calls",
                "Value #B": "Score",
                "Value #C": "Turn response p95",
                "Value #D": "Lost",
            },
            sort_by="Score",
        )
        .override_by_name("Calls", panels.column(decimals=0))
        .override_by_name(
            "Score", [*panels.column(decimals=0), *panels.coloured(colours.by_score())]
        )
        .override_by_name(
            "Turn response p95",
            [
                *panels.column(unit=panels.SECONDS, decimals=2),
                *panels.coloured(colours.by_ceilings(colours.SECONDS_UNTIL)),
            ],
        )
        .override_by_name(
            "Lost",
            [
                *panels.column(unit="percentunit", decimals=0),
                *panels.coloured(colours.thresholds({0.001: palette.ORANGE, 0.2: colours.BROKEN})),
            ],
        )
    )


def cost_per_call() -> panels.Panel:
    """What a call costs."""
    about = About(
        shows="What a call of this time range cost on average, by provider and currency: its "
        "minutes times the configured rate.",
        good="As budgeted.",
        act="Rates are in the settings file, [costs.PROVIDER] per_minute; longer calls cost more.",
        empty="No call ended in this range, or no rate is configured: [costs.PROVIDER] in the "
        "settings",
    )
    cost = f"increase(ai_agent_call_cost_total{{{PROVIDERS}}}[$__range])"
    ended = f"increase(ai_agent_calls_ended_total{{{PROVIDERS}}}[$__range])"
    return bars(
        "Cost per call",
        about,
        Query(
            f"sum by (provider, currency) ({cost})\n/ on (provider) group_left ()\n"
            f"(sum by (provider) ({ended}) > 0)",
            "{{provider}} {{currency}}",
            instant=True,
        ),
        unit="none",
        steps=colours.no_thresholds(palette.SKY),
        decimals=4,
    )


def failures() -> panels.Panel:
    """Lost calls by provider."""
    about = About(
        shows="Share of each provider's calls of the last 15 minutes that failed, or whose agent "
        "was never heard, was noise, or was at a wrong speed.",
        good="0.",
        act="Failures by cause, below, shows which of these; else see Ceilings that applied on "
        "Call Quality.",
        empty="No call was scored in the last 15 minutes of this range",
    )
    lost = f"job_instance_provider:ai_agent_calls_lost:increase15m{{{PROVIDERS}}}"
    scored = f"job_instance_provider:ai_agent_calls_scored:increase15m{{{PROVIDERS}}}"
    return over_time(
        "Failures by provider",
        about,
        Query(f"sum by (provider) ({lost})\n/\n(sum by (provider) ({scored}) > 0)", "{{provider}}"),
        unit="percentunit",
        steps=colours.all_or_broken(broken_from=0.2),
        names=colours.PROVIDERS,
        highest=1,
    )


def deepgram_rates() -> panels.Panel:
    """Deepgram's sample rates."""
    about = About(
        shows="The sample rates that the engine asked Deepgram for: input is the caller, output "
        "the agent. The last session's.",
        good="Both as configured, usually 8 or 16 kHz, and steady.",
        act="If a rate differs from the configuration, see the provider's section there.",
        empty="No call with Deepgram in this range",
    )
    return over_time(
        "Deepgram sample rates",
        about,
        *(
            Query(
                f"max ({in_calls(f'ai_agent_deepgram_{way}_sample_rate_hz{{{ENGINES}}} > 0')})",
                way,
                "15s",
            )
            for way in ("input", "output")
        ),
        unit="hertz",
        steps=colours.no_thresholds(),
        names={"input": palette.SKY, "output": palette.ORANGE},
        lines=False,
        stepped=True,
    )


def deepgram_acknowledgement() -> panels.Panel:
    """How long Deepgram takes to begin."""
    about = About(
        shows="From sending Deepgram the session's settings to its acknowledgement; the last "
        "session's.",
        good="Under 0.5 s.",
        act="A slow start of every call: the network to Deepgram, or its region.",
        empty="No call with Deepgram in this range",
    )
    latest = in_calls(f"ai_agent_deepgram_settings_ack_latency_ms{{{ENGINES}}} > 0")
    return over_time(
        "Deepgram ACK latency",
        about,
        Query(f"max by (instance) ({latest}) / 1000", "{{instance}}", "15s"),
        unit=panels.SECONDS,
        steps=colours.thresholds({0.5: palette.ORANGE, 1: colours.BROKEN}),
        stepped=True,
    )


def _rate_of(name: str, kind: str) -> str:
    """A sample rate that the engine tells; 0 is none yet."""
    return f"ai_agent_{name}_{kind}_output_sample_rate_hz{{{ENGINES}}} > 0"


def rate_alignment(title: str, name: str) -> panels.Panel:
    """Expected, declared and measured rates of a provider whose rate the engine doubts."""
    about = About(
        shows=f"{title}'s output sample rate: what the engine expects, what the provider declares, "
        "and what was measured (bytes over time). The last session's.",
        good="Expected and declared are equal. Measured lies above both: providers send faster "
        "than they speak.",
        act="Expected and declared differ: the agent sounds too fast or too slow. Set the "
        "provider's output rate to the declared one.",
        empty=f"No call with {title} in this range (before 2026 the engine had OpenAI only)",
    )
    kinds = {"expected": "assumed", "declared": "provider", "measured": "measured"}
    return over_time(
        f"{title} rate alignment",
        about,
        *(
            Query(f"max ({in_calls(_rate_of(name, kind))})", legend, "15s")
            for legend, kind in kinds.items()
        ),
        unit="hertz",
        steps=colours.no_thresholds(),
        names={"expected": palette.BLUE, "declared": palette.ORANGE, "measured": palette.SKY},
        lines=False,
        stepped=True,
    )


def measured_against_expected(title: str, name: str) -> panels.Panel:
    """The ratio of two of them."""
    about = About(
        shows=f"How fast {title} delivers: the measured rate over the expected one.",
        good="1 and more: audio comes at least as fast as it is played.",
        act="Below 1 the buffer runs dry: see Jitter buffer depth on Call Quality. Exactly a "
        "half, a third or double for long: a rate is configured wrongly.",
        empty=f"No call with {title} in this range (before 2026 the engine had OpenAI only)",
    )
    ratio = in_calls(f"({_rate_of(name, 'measured')}) / ({_rate_of(name, 'assumed')})")
    return over_time(
        f"{title}: measured against expected",
        about,
        Query(f"min by (instance) ({ratio})", "{{instance}}", "15s"),
        unit="none",
        steps=colours.thresholds({1: colours.FINE}, colours.BROKEN),
        stepped=True,
    )


def google_audio() -> panels.Panel:
    """Google's bytes."""
    about = About(
        shows="Audio sent to Google Live and received from it.",
        good="Sent is level during calls (32 kB/s each); received comes in bursts.",
        act="Sent without received: Google doesn't answer. See Failures by provider.",
        empty="No call with Google Live (engines before 2026 didn't count its bytes)",
    )
    return over_time(
        "Google Live audio",
        about,
        *(
            Query(rate(f"ai_agent_google_live_audio_bytes_{way}_total"), way, "15s")
            for way in ("sent", "received")
        ),
        unit="Bps",
        steps=colours.no_thresholds(),
        names={"sent": palette.SKY, "received": palette.ORANGE},
        lines=False,
    )


def google_sessions() -> panels.Panel:
    """Google's sessions."""
    about = About(
        shows="Open sessions with Google Live.",
        good="As many as there are calls with it.",
        act="More than calls: sessions are left open, and are paid for. Restart the engine.",
        empty="Engines before 2026 don't count them",
    )
    return big_number(
        "Google Live sessions",
        about,
        Query(f"sum (ai_agent_google_live_active_sessions{{{ENGINES}}})", "sessions", instant=True),
        unit="none",
        steps=colours.no_thresholds(palette.SKY),
    )


FAILURES: Final = (
    "call_failed",
    "provider_lost",
    "never_heard",
    "noise",
    "wrong_speed",
    "unanswered",
    "caller_ignored",
    "caller_unheard",
    "cut_answers",
    "lost_audio",
)
"""The rules of ceilings by which a call failed its caller."""


def failures_by_cause() -> panels.Panel:
    """Why calls were lost."""
    about = About(
        shows="Calls of this time range to which a ceiling of a failed call applied, by provider "
        "and rule: call_failed (the engine reports it), provider_lost (in mid-call), never_heard, "
        "noise, wrong_speed (its words far too quick or slow), unanswered (a turn went without a "
        "reply), caller_ignored (the caller spoke and no turn was measured), caller_unheard "
        "(digital silence on the caller's track), cut_answers (most of them), lost_audio (given "
        "and never played).",
        good="None.",
        act="provider_lost, unanswered, caller_ignored, never_heard: the provider is dead or its "
        "key is refused. noise: Codec alignment on Audio Quality. wrong_speed: Faults in the "
        "agent's speech there. caller_unheard: the line from the caller. cut_answers: Barge-in "
        "events on Conversation Flow.",
        empty="No call of this range failed",
    )
    rules = "|".join(FAILURES)
    causes = f'increase(ai_agent_call_ceilings_total{{{PROVIDERS}, rule=~"{rules}"}}[$__range])'
    return bars(
        "Failures by cause",
        about,
        Query(f"sum by (provider, rule) ({causes}) > 0", "{{provider}}: {{rule}}", instant=True),
        unit="none",
        steps=colours.no_thresholds(colours.BROKEN),
    )


def outcomes() -> panels.Panel:
    """How calls ended."""
    about = About(
        shows="How calls ended, per minute, as the engine reports it.",
        good="completed.",
        act="failed: the engine's log has the error. expired: the engine never said that the call "
        "ended.",
        empty="No call has ended since the engine was started",
    )
    ended = rate("ai_agent_calls_ended_total", "outcome", matchers=PROVIDERS)
    return over_time(
        "Calls by outcome",
        about,
        Query(f"60 * {ended}", "{{outcome}}", panels.EVENTS),
        unit="suffix:calls/min",
        steps=colours.no_thresholds(),
        lines=False,
        stacked=True,
    )
