"""System Overview: is the system up, busy and good? Alerts about the engine itself lead here."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.models import dashboard as model

from ai_engine_dashboards import colours, latency, panels
from ai_engine_dashboards.layout import ALERTS, Placed, Row, dashboard
from ai_engine_dashboards.panels import About, Query, big_number, dial, listing, over_time, pie
from ai_engine_dashboards.queries import (
    ACTIVE_CALLS,
    ENGINES,
    PROVIDERS,
    counted_calls,
    or_zero,
    rate,
)
from ai_engine_quality import palette

UID = "ai-engine-system-overview"


def build() -> model.Dashboard:
    """The dashboard, from state to detail."""
    return dashboard(
        UID,
        "System Overview",
        "Whether the engines are up, how busy they are, and how good their calls are now.",
        [
            Row(
                "State",
                [
                    Placed(health(), 4, 5),
                    Placed(active_calls(), 3, 5),
                    Placed(quality_now(), 6, 5),
                    Placed(alerts_firing(), 3, 5),
                    Placed(transport_mode(), 4, 5),
                    Placed(budget_left(), 4, 5),
                ],
            ),
            Row(
                "Traffic",
                [
                    Placed(call_rate(), 9, 7),
                    Placed(active_over_time(), 8, 7),
                    Placed(provider_distribution(), 7, 7),
                ],
            ),
            Row(
                "Errors",
                [
                    Placed(firing_list(), 10, 7),
                    Placed(calls_lost(), 6, 7),
                    Placed(connections(), 8, 7),
                ],
            ),
            Row(
                "Latency",
                [
                    Placed(latency.turn_response(), 12, 7),
                    Placed(latency.turn_response_by_provider(), 12, 7),
                ],
            ),
            Row(
                "Does the monitoring itself work?",
                [
                    Placed(hooks(), 8, 7),
                    Placed(not_taken(), 8, 7),
                    Placed(unscored(), 8, 7),
                    Placed(scrape_samples(), 8, 7),
                    Placed(scrape_time(), 8, 7),
                    Placed(versions(), 8, 7),
                ],
                collapsed=True,
            ),
        ],
    )


def health() -> panels.Panel:
    """Up or down, by engine."""
    about = About(
        shows="Whether each engine answered Prometheus' last scrape.",
        good="Up.",
        act="Down: the process is gone, or its loop hangs and calls are frozen. Look at its logs, "
        "then restart it. HealthEndpointDown fires after half a minute.",
        empty="Prometheus has no engine to scrape: see targets/engines.yml",
    )
    return big_number(
        "Health",
        about,
        Query(f"min by (instance) (up{{{ENGINES}}})", "{{instance}}", instant=True),
        unit="none",
        steps=colours.thresholds({1: colours.FINE}, colours.BROKEN),
        texts={"1": ("Up", colours.FINE), "0": ("Down", colours.BROKEN)},
        shown="value_and_name",
    )


def active_calls() -> panels.Panel:
    """Calls in progress."""
    about = About(
        shows="Calls in progress, whether anybody speaks or not. The dial ends at the maximum of "
        "this time range.",
        good="Whatever is usual at this time of the day.",
        act="0 in office hours: see Health, then Asterisk's own dialplan and trunks.",
        empty="No engine answers: see Health",
    )
    return dial(
        "Active calls",
        about,
        Query(f"sum ({ACTIVE_CALLS})", "calls"),
        unit="none",
        steps=colours.no_thresholds(palette.SKY),
    )


def _poor(*by: str) -> str:
    """Share of the calls of the last 15 minutes that were poor."""
    over = f" by ({', '.join(by)})" if by else ""
    calls = "increase(ai_agent_calls_scored_total{%s}[15m])"
    poor = calls % f'{PROVIDERS}, band="poor"'
    return f"sum{over} ({poor})\n/\n(sum{over} ({calls % PROVIDERS}) > 0)"


def quality_now() -> panels.Panel:
    """Poor calls at present, of all providers and of the worst. A mean would hide a bad one."""
    about = About(
        shows="Poor calls: their share of the calls that ended in the last 15 minutes. Beside it, "
        "the provider with the largest share, if any had a poor call.",
        good=f"0 %. The quality objective allows {colours.POOR_AT_MOST:.0%}.",
        act="One provider: its line on Provider Performance. All: Call Quality shows what costs "
        "the points, and the worst calls.",
        empty="No call was scored in the last 15 minutes",
    )
    return big_number(
        "Quality now",
        about,
        Query(_poor(), "poor calls", instant=True),
        Query(f"topk(1, {_poor('provider')} > 0)", "worst: {{provider}}", instant=True),
        unit="percentunit",
        decimals=None,
        steps=colours.poor_calls(),
        shown="value_and_name",
    )


RULES_ARE_LOADED = 'count (ALERTS{alertname="Watchdog"})'


def alerts_firing() -> panels.Panel:
    """How many alerts fire."""
    about = About(
        shows="Alerts that fire at present, the Watchdog left out.",
        good="0.",
        act="The list below names them; each alert's own message links to its runbook.",
        empty="No alert rules are loaded: see rule_files in prometheus.yml",
    )
    return big_number(
        "Alerts firing",
        about,
        # The Watchdog tells 0 from "no rules".
        Query(or_zero(f"count ({ALERTS})", RULES_ARE_LOADED), "alerts", instant=True),
        unit="none",
        steps=colours.all_or_broken(broken_from=1),
    )


TRANSPORTS: Final = {
    "audiosocket": "AudioSocket",
    "rtp": "RTP",
    "websocket": "WebSocket",
    "webrtc": "WebRTC",
}
"""The names that people know, by what `ai_agent_engine_info` has."""


def transport_mode() -> panels.Panel:
    """AudioSocket or RTP."""
    about = About(
        shows="How audio travels between Asterisk and the engines. The engine reports it if it "
        "can; otherwise it is AudioSocket if there was a connection, RTP if audio was played "
        "without one.",
        good="The one that is configured. Two words: the engines differ.",
        act="If it isn't the configured one, see audio_transport in the engine's configuration.",
        empty="No call in this range yet: the first one shows it",
    )
    told = f"max by (job, instance, audio_transport) (ai_agent_engine_info{{{ENGINES}}})"
    peak = f"max_over_time(ai_agent_audiosocket_active_connections{{{ENGINES}}}[$__range])"
    frames = f"increase(ai_agent_stream_frames_sent_total{{{ENGINES}}}[$__range])"
    transport = f"""count by (audio_transport) (
  {told}
  or on (job, instance)
  label_replace(max by (job, instance) ({peak}) > 0, "audio_transport", "audiosocket", "", "")
  or on (job, instance)
  label_replace(sum by (job, instance) ({frames}) > 0, "audio_transport", "rtp", "", "")
)"""
    panel = big_number(
        "Audio transport mode",
        about,
        Query(transport, "{{audio_transport}}", instant=True),
        unit="none",
        steps=colours.no_thresholds(palette.SKY),
        shown="name",
    )
    for name, words in TRANSPORTS.items():
        panel = panel.override_by_name(name, panels.called(words))
    return panel


def budget_left() -> panels.Panel:
    """The quality objective."""
    about = About(
        shows="What is left of the budget of poor calls over 30 days: 100 % is all of it, below "
        "0 it is overspent. The objective is set in monitoring/rules/ai-engine.yml.",
        good="Above 0.",
        act="QualityBudgetBurn fires when it falls fast. Call Quality shows what costs the points.",
        empty="No call was scored in 30 days",
    )
    return big_number(
        "Quality budget left",
        about,
        Query(
            'min (job:ai_agent_quality_budget:remaining_ratio30d{job=~"$job"})',
            "left",
            instant=True,
        ),
        unit="percentunit",
        steps=colours.thresholds({0: palette.ORANGE, 0.25: colours.FINE}, colours.BROKEN),
    )


def call_rate() -> panels.Panel:
    """Calls per minute."""
    about = About(
        shows="Calls that began, per minute, by provider. These are calls, not the speech "
        "segments that the engine's stream counter counts.",
        good="Whatever is usual at this time of the day.",
        act="A drop to 0 in office hours: see Health, then Asterisk's trunks.",
        empty="No call has begun since the engine was started",
    )
    per_second = rate("ai_agent_calls_started_total", "provider", matchers=PROVIDERS)
    return over_time(
        "Call rate",
        about,
        Query(f"60 * {per_second}", "{{provider}}", panels.EVENTS),
        unit="suffix:calls/min",
        steps=colours.no_thresholds(),
        names=colours.PROVIDERS,
        lines=False,
        stacked=True,
    )


def active_over_time() -> panels.Panel:
    """Calls in progress, over time."""
    about = About(
        shows="Calls in progress, by engine.",
        good="Engines share the calls about equally.",
        act="One engine without calls while others are busy: see its Health and the dialplan.",
        empty="No engine answers: see Health",
    )
    return over_time(
        "Active calls over time",
        about,
        Query(f"sum by (instance) ({ACTIVE_CALLS})", "{{instance}}"),
        unit="none",
        steps=colours.no_thresholds(),
        lines=False,
        stacked=True,
        stepped=True,
    )


def provider_distribution() -> panels.Panel:
    """Who serves the calls."""
    about = About(
        shows="Calls that began in this time range, by provider.",
        good="As configured.",
        act="A provider missing: see its row on Provider Performance.",
        empty="No call began in this range",
    )
    calls = counted_calls("ai_agent_calls_started", "provider")
    return pie(
        "Provider distribution",
        about,
        Query(f"sum by (provider) {calls} > 0", "{{provider}}", instant=True),
        unit="none",
        names=colours.PROVIDERS,
    )


def firing_list() -> panels.Panel:
    """Which alerts fire."""
    about = About(
        shows="The alerts that fire at present, and where.",
        good="An empty list.",
        act="The alert's message has its runbook. What is critical comes first.",
        empty="No alert is firing",
    )
    table = listing(
        "Alerts",
        about,
        Query(ALERTS, instant=True),
        steps=colours.no_thresholds(),
        columns={
            "severity": "Severity",
            "alertname": "Alert",
            "instance": "Engine",
            "provider": "Provider",
        },
        hidden=(
            "Value",
            "Value #A",
            "__name__",
            "alertstate",
            "component",
            "job",
            "window",
            "cause",
        ),
        sort_by="Severity",
    )
    for name, width in {"Severity": 80, "Engine": 130, "Provider": 110}.items():
        table = table.override_by_name(name, panels.column(width=width))
    return table


def calls_lost() -> panels.Panel:
    """Calls that failed."""
    about = About(
        shows="Share of the calls of the last 15 minutes that failed, or whose agent was never "
        "heard, was noise, or was at a wrong speed: scores of 20 and less. CallsFailing fires at "
        "20 %.",
        good="0.",
        act="Failures by cause on Provider Performance shows which of these.",
        empty="No call was scored in the last 15 minutes of this range",
    )
    lost = f"job_instance_provider:ai_agent_calls_lost:increase15m{{{PROVIDERS}}}"
    scored = f"job_instance_provider:ai_agent_calls_scored:increase15m{{{PROVIDERS}}}"
    return over_time(
        "Calls lost",
        about,
        Query(f"sum by (instance) ({lost})\n/\n(sum by (instance) ({scored}) > 0)", "{{instance}}"),
        unit="percentunit",
        steps=colours.all_or_broken(broken_from=0.2),
        highest=1,
    )


def connections() -> panels.Panel:
    """AudioSocket connections beside calls."""
    about = About(
        shows="Open AudioSocket connections, beside the calls in progress.",
        good="One connection for each call. With RTP there are none.",
        act="Calls without connections: callers and agent can't hear each other, and "
        "AudioSocketConnectionLoss fires. Look at Asterisk's AudioSocket channels and the network "
        "between the two.",
        empty="No engine answers: see Health",
    )
    return over_time(
        "AudioSocket connections",
        about,
        Query(f"sum (ai_agent_audiosocket_active_connections{{{ENGINES}}})", "connections"),
        Query(f"sum ({ACTIVE_CALLS})", "calls"),
        unit="none",
        steps=colours.no_thresholds(),
        names={"connections": palette.BLUE, "calls": palette.ORANGE},
        lines=False,
        stepped=True,
    )


def hooks() -> panels.Panel:
    """What the library can observe."""
    about = About(
        shows="Which observations each engine really delivers to the library.",
        good="live for all.",
        act="missing: an engine update changed methods that the library wraps. ai-engine-quality "
        "doctor shows more; ScorerBlind fires for the most important ones.",
        empty="The library isn't attached to an engine: it is fed by the engine itself",
    )
    return panels.timeline(
        "Observations",
        about,
        # Heard or told: an engine that delivers a factor by either clock delivers it.
        Query(
            "min by (factor) (max by (factor, job, instance) "
            f"(ai_agent_quality_hook_live{{{ENGINES}}}))",
            "{{factor}}",
            "15s",
        ),
        steps=colours.no_thresholds(),
        texts={"1": ("live", colours.FINE), "0": ("missing", colours.BROKEN)},
    )


def not_taken() -> panels.Panel:
    """What was dropped."""
    about = About(
        shows="Observations and calls that the library did not take, per minute, by reason.",
        good="0. A few late ones after a call's end are usual.",
        act="The engine's log has one line a minute for each reason, with what to do.",
        empty="No engine answers: see Health",
    )
    per_second = rate("ai_agent_quality_dropped_total", "reason")
    return over_time(
        "Observations not taken",
        about,
        Query(f"60 * {per_second}", "{{reason}}", panels.EVENTS),
        unit="suffix:/min",
        steps=colours.no_thresholds(),
        lines=False,
    )


def unscored() -> panels.Panel:
    """Calls without a score."""
    about = About(
        shows="Calls that ended without a score, per minute, by reason.",
        good="Some that were abandoned are usual; too_little_evidence and expired are not.",
        act="abandoned, no_conversation: CallsEndingEarly fires where they are nearly all. "
        "too_little_evidence: see Observations; ScorerBlind fires at half of all calls. expired: "
        "calls whose end never came.",
        empty="No engine answers: see Health",
    )
    per_second = rate("ai_agent_calls_unscored_total", "reason")
    return over_time(
        "Calls without a score",
        about,
        Query(f"60 * {per_second}", "{{reason}}", panels.EVENTS),
        unit="suffix:calls/min",
        steps=colours.no_thresholds(),
        lines=False,
    )


def scrape_samples() -> panels.Panel:
    """Series per scrape."""
    about = About(
        shows="Samples in each engine's scrape. An engine with call ids in its labels grows with "
        "every call.",
        good="Under 40,000. At 50,000 Prometheus refuses the scrape, and the engine counts as "
        "down.",
        act="Restart the engine, then update it. SeriesLimitNear fires at 40,000.",
        empty="Prometheus has no engine to scrape: see targets/engines.yml",
    )
    return over_time(
        "Samples per scrape",
        about,
        Query(f"max by (instance) (scrape_samples_scraped{{{ENGINES}}})", "{{instance}}", "15s"),
        unit="short",
        steps=colours.all_or_broken(broken_from=40_000),
    )


def scrape_time() -> panels.Panel:
    """How long a scrape takes."""
    about = About(
        shows="How long each engine's scrape takes. It runs in the event loop that paces the "
        "audio.",
        good="Under 0.1 s.",
        act="Fewer series make it faster: per_call_series=False does, and so does a newer engine.",
        empty="Prometheus has no engine to scrape: see targets/engines.yml",
    )
    return over_time(
        "Scrape duration",
        about,
        Query(f"max by (instance) (scrape_duration_seconds{{{ENGINES}}})", "{{instance}}", "15s"),
        unit=panels.SECONDS,
        steps=colours.all_or_broken(broken_from=0.9),
        lines=False,
    )


def versions() -> panels.Panel:
    """Who runs what."""
    about = About(
        shows="The library's version and scoring policy on each engine.",
        good="The same on all engines: otherwise scores can't be compared.",
        act="Update the engines with an older version.",
        empty="No engine with the library answers: see Health",
    )
    return listing(
        "Versions",
        about,
        Query(f"ai_agent_quality_info{{{ENGINES}}}", instant=True),
        steps=colours.no_thresholds(),
        columns={"instance": "Engine", "version": "Library", "policy": "Policy"},
        hidden=("Value", "Value #A", "__name__", "job"),
        sort_by="Engine",
    )
