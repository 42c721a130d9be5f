"""Conversation Flow: who is talking, who is waiting, who interrupts, and what is configured?"""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ai_engine_dashboards import colours, latency, panels
from ai_engine_dashboards.layout import Placed, Row, dashboard
from ai_engine_dashboards.panels import About, Query, listing, over_time
from ai_engine_dashboards.queries import ACTIVE_CALLS, ENGINES, counted, in_calls, or_zero
from ai_engine_quality import palette

UID = "ai-engine-conversation-flow"


def build() -> model.Dashboard:
    """The dashboard, from state to detail."""
    return dashboard(
        UID,
        "Conversation Flow",
        "What state conversations are in, when callers interrupt, and what is configured for it.",
        [
            Row(
                "State",
                [Placed(states(), 16, 7), Placed(time_by_state(), 8, 7)],
            ),
            Row(
                "Who may talk",
                [Placed(gating(), 12, 7), Placed(capture(), 12, 7)],
            ),
            Row(
                "Interruptions",
                [
                    Placed(barge_ins(), 8, 7),
                    Placed(latency.barge_in_reaction(), 8, 7),
                    Placed(sure_of_speech(), 8, 7),
                ],
            ),
            Row(
                "Configuration",
                [Placed(times(), 14, 9), Placed(levels(), 10, 9)],
            ),
            Row(
                "Segments and silence",
                [
                    Placed(end_reasons(), 8, 7),
                    Placed(no_input(), 8, 7),
                    Placed(adaptive_threshold(), 8, 7),
                ],
                collapsed=True,
            ),
        ],
    )


MOSTLY = {"greeting": 0.8, "listening": 0.8, "processing": 0.75}
"""Of the calls' time in 5 minutes. In two hours of two reference engines whose callers were heard
and answered, at 60 and 120 calls an hour, none was reached. With a dead provider processing takes
about 0.82, with callers who aren't heard listening takes about 0.92."""

ENOUGH = 0.25
"""Calls at a time, on average: the end of one call says nothing about turns."""


def states() -> panels.Panel:
    """What calls do, by engine and minute."""
    about = About(
        shows="How an engine's calls spent the last 5 minutes at each point: in turns, or most of "
        "it in one state: greeting, listening to the caller, processing (the agent thinks or "
        "speaks).",
        good="in turns. Empty: no call.",
        act="mostly processing, for minutes: the provider doesn't answer. mostly listening: "
        "callers are not heard; see Audio capture, and Bytes tx/rx on Audio Quality.",
        empty="No call in this range",
    )
    scrapes = f"max by (instance) (count_over_time(up{{{ENGINES}}}[5m]))"
    whole = _samples_in(".+")
    mostly = [
        f"{value} + 0 * ({_samples_in(state)} > {share:g} * ({whole} > {ENOUGH:g} * {scrapes}))"
        for value, (state, share) in enumerate(MOSTLY.items(), 2)
    ]
    return panels.timeline(
        "Conversation state timeline",
        about,
        Query("\nor\n".join([*mostly, f"1 + 0 * ({whole} > 0)"]), "{{instance}}", panels.EVENTS),
        steps=colours.no_thresholds(),
        texts={
            "1": ("in turns", colours.FINE),
            "2": ("mostly greeting", colours.GREY),
            "3": ("mostly listening", palette.ORANGE),
            "4": ("mostly processing", colours.BROKEN),
        },
    )


def _samples_in(state: str) -> str:
    """Samples of 5 minutes that saw an engine's calls in a state, each call on its own.

    A sum, not a mean: in October 2025 the series is there only while its call is.
    """
    series = f'ai_agent_conversation_state{{{ENGINES}, state=~"{state}"}}'
    return f"sum by (instance) (sum_over_time({series}[5m]))"


def time_by_state() -> panels.Panel:
    """Shares of the calls' time."""
    about = About(
        shows="Share of all call time that was spent in each state, over the last minutes at each "
        "point.",
        good="Neither listening nor processing is near 100 %.",
        act="All of it processing: the provider is slow or dead. All of it listening: callers "
        "are not heard.",
        empty="No call in this range",
    )
    shares = f"avg_over_time(ai_agent_conversation_state{{{ENGINES}}}[$__rate_interval])"
    state = f"sum by (state) ({shares})"
    return over_time(
        "Time by state",
        about,
        Query(f"{state}\n/ on () group_left ()\n(sum ({shares}) > 0)", "{{state}}", panels.EVENTS),
        unit="percentunit",
        steps=colours.no_thresholds(),
        names=colours.STATES,
        lines=False,
        stacked=True,
        highest=1,
    )


def _beside_calls(title: str, about: About, gauge: str, legend: str) -> panels.Panel:
    calls = f"sum ({ACTIVE_CALLS})"
    # Without a call there is no such series in October 2025: 0 then, where an engine answers.
    return over_time(
        title,
        about,
        Query(or_zero(f"sum ({in_calls(f'{gauge}{{{ENGINES}}}')})", calls), legend),
        Query(calls, "calls"),
        unit="none",
        steps=colours.no_thresholds(),
        names={legend: palette.ORANGE, "calls": palette.SKY},
        lines=False,
        stepped=True,
    )


def gating() -> panels.Panel:
    """Calls whose caller is shut out."""
    about = About(
        shows="Calls whose caller is not passed on because the agent speaks (gated), beside all "
        "calls.",
        good="It comes and goes with the agent's speech.",
        act="Gated calls that stay gated: the agent can't be interrupted. Look for a segment that "
        "never ended; see End reasons.",
        empty="No engine answers: see Health on System Overview",
    )
    return _beside_calls("TTS gating", about, "ai_agent_tts_gating_active", "gated")


def capture() -> panels.Panel:
    """Calls whose caller is heard."""
    about = About(
        shows="Calls whose caller's audio is captured, beside all calls.",
        good="The opposite of TTS gating: between two segments all calls are heard.",
        act="0 for a long time while there are calls: callers are not heard.",
        empty="No engine answers: see Health on System Overview",
    )
    return _beside_calls("Audio capture", about, "ai_agent_audio_capture_enabled", "captured")


def barge_ins() -> panels.Panel:
    """How often callers interrupt."""
    about = About(
        shows="Times that a caller interrupted the agent, in the last minutes at each point, by "
        "engine.",
        good="Some. Callers interrupt long answers.",
        act="Many: answers are too long, or noise is taken for speech (see Sure of speech). None "
        "where there were some: the threshold is too high.",
        empty="No engine answers: see Health on System Overview",
    )
    events = counted("ai_agent_barge_in_events_total", ENGINES, "$__rate_interval")
    return over_time(
        "Barge-in events",
        about,
        Query(
            f"sum by (instance) {or_zero(f'sum by (job, instance) {events}')}",
            "{{instance}}",
            panels.EVENTS,
        ),
        unit="short",
        steps=colours.no_thresholds(),
        lines=False,
        stepped=True,
    )


def sure_of_speech() -> panels.Panel:
    """How sure the detector was of speech."""
    about = About(
        shows="Of the frames that the voice detector took for speech, the share that it was sure "
        "of (over 0.7), over the last 15 minutes at each point. VADConfidenceLow uses these "
        "values.",
        good="Over 60 %.",
        act="Lines are noisy, or the threshold doesn't fit them; turns and barge-ins are detected "
        "less well.",
        empty="No speech of a caller's in the last 15 minutes of this range",
    )
    sure = f"job_instance:ai_agent_vad_confident:ratio15m{{{ENGINES}}}"
    return over_time(
        "Sure of speech",
        about,
        Query(f"min by (instance) ({sure})", "{{instance}}"),
        unit="percentunit",
        steps=colours.thresholds({0.6: colours.FINE}, palette.ORANGE),
        highest=1,
    )


def _setting(metric: str, group: str) -> str:
    """One group of settings, its name in a label."""
    series = f"max by (param) (last_over_time({metric}{{{ENGINES}}}[$__range]))"
    return f'label_replace({series}, "group", "{group}", "", "")'


def times() -> panels.Panel:
    """Timeouts and windows."""
    about = About(
        shows="Times that the engine works with, as its calls were set up in this time range; the "
        "largest where engines differ.",
        good="As configured.",
        act="min_ms is part of every barge-in reaction; jitter_buffer_ms covers pauses of the "
        "provider; silence_duration_ms is part of every turn.",
        empty="No call in this range: the engine exposes its settings with each call",
    )
    groups = {
        "ai_agent_config_barge_in_ms": "barge-in",
        "ai_agent_config_streaming_ms": "streaming",
        "ai_agent_config_turn_detection_ms": "turn detection",
    }
    together = "\nor\n".join(_setting(metric, group) for metric, group in groups.items())
    return listing(
        "Configuration values: times",
        about,
        Query(together, instant=True),
        steps=colours.no_thresholds(),
        unit="suffix:ms",  # as the settings are written
        columns={"group": "Of", "param": "Setting", "Value": "Time"},
        sort_by="Of",
    )


def _threshold(metric: str, group: str) -> str:
    """One threshold. The engine exposes 0 until its first call sets it."""
    series = f"max (last_over_time({metric}{{{ENGINES}}}[$__range]) > 0)"
    return f'label_replace({series}, "group", "{group}", "", "")'


def levels() -> panels.Panel:
    """Thresholds."""
    about = About(
        shows="Thresholds that the engine works with: barge-in in 16-bit RMS, turn detection as a "
        "share of full scale.",
        good="As configured. The caller's speech (RMS by stage) must be above them.",
        act="Too low: noise interrupts. Too high: callers can't.",
        empty="No call in this range: the engine exposes its settings with each call",
    )
    groups = {
        "ai_agent_config_barge_in_threshold": "barge-in",
        "ai_agent_config_turn_detection_threshold": "turn detection",
    }
    together = "\nor\n".join(_threshold(metric, of) for metric, of in groups.items())
    return listing(
        "Configuration values: thresholds",
        about,
        Query(together, instant=True),
        steps=colours.no_thresholds(),
        unit="none",
        columns={"group": "Of", "Value": "Threshold"},
        sort_by="Of",
    )


def end_reasons() -> panels.Panel:
    """Why segments ended."""
    about = About(
        shows="Why segments of the agent's speech ended, in the last minutes at each point, in the "
        "engine's own words.",
        good="end-of-stream: the answer was complete. idle-cutoff: it was over. streaming-ended: "
        "the engine gives no reason, as at a hang-up. barge-in: the caller interrupted.",
        act="transport-failure, keepalive-timeout, rtp-remote-endpoint-timeout are faults, most "
        "with a fallback: see Streaming fallbacks on Audio Quality.",
        empty="No segment has ended in this range",
    )
    ended = counted("ai_agent_stream_end_reason_total", ENGINES, "$__rate_interval")
    return over_time(
        "End reasons",
        about,
        Query(f"sum by (reason) {ended}", "{{reason}}", panels.EVENTS),
        unit="short",
        steps=colours.no_thresholds(),
        names=colours.END_REASONS,
        lines=False,
        stacked=True,
    )


def no_input() -> panels.Panel:
    """What the silence watchdog did."""
    about = About(
        shows="What the engine did about silent callers, in the last minutes at each point.",
        good="Few.",
        act="Many: callers are not heard. See Bytes tx/rx on Audio Quality.",
        empty="No caller was silent for long (engines before 2026 don't count this)",
    )
    # caller_activity is the watchdog's good news.
    silent = f'{ENGINES}, action!="caller_activity"'
    noticed = counted("ai_agent_no_input_events_total", silent, "$__rate_interval")
    return over_time(
        "Silent callers",
        about,
        Query(f"sum by (action) {noticed}", "{{action}}", panels.EVENTS),
        unit="short",
        steps=colours.no_thresholds(),
        lines=False,
    )


def adaptive_threshold() -> panels.Panel:
    """From when on a frame is loud."""
    about = About(
        shows="16-bit RMS from which the voice detector takes a frame for loud; it follows the "
        "line's own noise. The last call's.",
        good="A few hundred, and level.",
        act="High: noisy lines. Quiet callers are then not heard.",
        empty="No call in this range",
    )
    threshold = in_calls(f"ai_agent_vad_adaptive_threshold{{{ENGINES}}} > 0")
    return over_time(
        "Voice detector's threshold",
        about,
        Query(f"max by (instance) ({threshold})", "{{instance}}", "15s"),
        unit="none",
        steps=colours.no_thresholds(),
        lines=False,
    )
