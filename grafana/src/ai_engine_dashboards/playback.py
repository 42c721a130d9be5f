"""Panels about what callers hear: gaps, seams, buffers, formats."""

from __future__ import annotations

from ai_engine_dashboards import colours, panels
from ai_engine_dashboards.panels import About, Query, density, over_time, timeline
from ai_engine_dashboards.queries import ENGINES, PROVIDERS, in_calls, or_zero, rate, while_speaking


def underflow_rate() -> panels.Panel:
    """Fillers per second."""
    about = About(
        shows="20 ms fillers per second that were played because no audio was there, by engine.",
        good="0. The worst real call on record had 1.7 a second; HighUnderflowRate fires at 5 a "
        "second or at 5 % of the frames.",
        act="Jitter buffer depth tells whether the provider delivers in bursts.",
        empty="No engine answers: see Health on System Overview",
    )
    # In October 2025 the counter is born with a call's first filler: until then it is 0.
    fillers = rate("ai_agent_stream_underflow_events_total", "job", "instance")
    return over_time(
        "Underflow rate",
        about,
        Query(f"sum by (instance) {or_zero(fillers)}", "{{instance}}", "15s"),
        unit="suffix:fillers/s",
        steps=colours.no_thresholds(),
        lines=False,
    )


def underflow_ratio() -> panels.Panel:
    """Fillers to frames."""
    first, _, last = (value for value, _ in colours.UNDERFLOW_RATIO)
    about = About(
        shows="Share of the frames played that were fillers, over the last 5 minutes at each "
        "point, by engine. Idle engines have none.",
        good=f"Under {first:.2%}: from there on a call can't be excellent, from {last:.1%} on it "
        "is poor.",
        act="If Jitter buffer depth is near 0 as well, the provider delivers late: see its row on "
        "Provider Performance. Otherwise look at the engine's load.",
        empty="Nothing was played in the last 5 minutes of this range",
    )
    ratio = f"job_instance:ai_agent_stream_underflow_events:ratio5m{{{ENGINES}}}"
    played = f"(job_instance:ai_agent_stream_frames_sent:increase5m{{{ENGINES}}} > 0)"
    return over_time(
        "Underflow ratio",
        about,
        Query(f"max by (instance) {or_zero(ratio, played)}", "{{instance}}"),
        unit="percentunit",
        steps=colours.by_ceilings(colours.UNDERFLOW_RATIO),
    )


def streaming_fallbacks() -> panels.Panel:
    """Falls to files."""
    about = About(
        shows="How often the agent's speech fell back from streaming to playing a file, in the "
        "last 15 minutes at each point, by engine.",
        good=f"0. The caller hears each as a break; a call with {colours.FALLBACKS[0][0]:g} can't "
        f"be excellent, with {colours.FALLBACKS[-1][0]:g} it is poor.",
        act="See the end reasons of segments on Conversation Flow, and the AudioSocket connections "
        "on System Overview.",
        empty="No engine answers: see Health on System Overview",
    )
    falls = f"job_instance:ai_agent_streaming_fallbacks:increase15m{{{ENGINES}}}"
    # In October 2025 the counter is born with the first fall: until then it is 0.
    return over_time(
        "Streaming fallbacks",
        about,
        Query(f"sum by (instance) {or_zero(falls)}", "{{instance}}"),
        unit="short",
        steps=colours.by_ceilings(colours.FALLBACKS),
        lines=False,
        stepped=True,
    )


def jitter_buffer_depth() -> panels.Panel:
    """How much audio is in hand."""
    about = About(
        shows="Frames of 20 ms in the jitter buffer while the agent speaks. Today's engine shows "
        "the fullest buffer of all calls, that of October 2025 each call's.",
        good="Well above 0: 5 frames are a reserve of 0.1 s. It falls to 0 at each segment's end.",
        act="A bright bottom row: the provider delivers too slowly or in bursts. Raise "
        "jitter_buffer_ms, or see Provider Performance.",
        empty="The agent was not speaking in this range",
    )
    depth = while_speaking(f"ai_agent_streaming_jitter_buffer_depth{{{ENGINES}}}")
    return density(
        "Jitter buffer depth", about, Query(depth, "frames"), unit="suffix:frames", rows=10
    )


def jitter_buffer_dry() -> panels.Panel:
    """How often the buffer is empty."""
    about = About(
        shows="Share of the samples taken while the agent spoke in which the buffer was (nearly) "
        "empty, over the last 5 minutes at each point. JitterBufferUnderrun uses these values.",
        good="Under 10 %: a buffer runs empty at each segment's end.",
        act="With a high underflow ratio: the provider delivers late. Without: short segments.",
        empty="The agent was not speaking in the last 5 minutes of this range",
    )
    dry = f"job_instance:ai_agent_streaming_jitter_buffer_dry:ratio5m{{{ENGINES}}}"
    return over_time(
        "Jitter buffer dry",
        about,
        Query(f"max by (instance) ({dry})", "{{instance}}"),
        unit="percentunit",
        steps=colours.all_or_broken(broken_from=0.1),
    )


ALIGNED = {"1": ("aligned", colours.FINE), "0": ("misaligned", colours.BROKEN)}


def codec_alignment(title: str = "Codec alignment", only: str = "") -> panels.Panel:
    """Whether formats match, of all providers or of one."""
    about = About(
        shows="Whether the audio format that the provider speaks is the one that the engine reads, "
        "by provider, while there are calls. The engine shows the last check only.",
        good="aligned. A misalignment can be a deliberate bridge (slin to mu-law).",
        act="See whether noise was found on Audio Quality. If so, set the provider's encoding and "
        "sample rate to what it really sends.",
        empty=f"No call with {only or 'any provider'} in this range: nothing was checked",
    )
    matchers = f'{PROVIDERS}, provider="{only}"' if only else PROVIDERS
    checked = in_calls(f"ai_agent_codec_alignment{{{matchers}}}")
    return timeline(
        title,
        about,
        Query(f"min by (provider) ({checked})", "{{provider}}", "15s"),
        steps=colours.no_thresholds(),
        texts=ALIGNED,
    )
