"""Audio Quality: what do callers hear, and is it speech? Alerts about sound lead here."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ai_engine_dashboards import colours, panels, playback
from ai_engine_dashboards.layout import Placed, Row, dashboard
from ai_engine_dashboards.panels import About, Query, bars, big_number, density, over_time
from ai_engine_dashboards.queries import ENGINES, PROVIDERS, in_calls, mean, rate
from ai_engine_quality import DEFAULT_POLICY, palette
from ai_engine_quality.toolkit import ACTIVE_RMS, SOUND_RULES

UID = "ai-engine-audio-quality"
LOUD_DC = 1_500
"""|DC offset| of ordinary real calls lies below about this; of a misread one it was 5,452."""


def build() -> model.Dashboard:
    """The dashboard, from state to detail."""
    return dashboard(
        UID,
        "Audio Quality",
        "What callers hear: levels, noise, gaps, formats, and how sure the voice detector is.",
        [
            Row(
                "State",
                [
                    Placed(noise(), 5, 6),
                    Placed(clipping(), 5, 6),
                    Placed(level_now(), 4, 6),
                    Placed(playback.codec_alignment(), 10, 6),
                ],
            ),
            Row("Traffic", [Placed(stream_bytes(), 12, 7), Placed(wire_bytes(), 12, 7)]),
            Row(
                "Errors",
                [
                    Placed(playback.underflow_ratio(), 8, 7),
                    Placed(playback.jitter_buffer_dry(), 8, 7),
                    Placed(playback.streaming_fallbacks(), 8, 7),
                ],
            ),
            Row(
                "Signal",
                [
                    Placed(rms_by_stage(), 9, 8),
                    Placed(dc_offset(), 7, 8),
                    Placed(vad_confidence(), 8, 8),
                ],
            ),
            Row(
                "What the agent sounds like",
                [
                    Placed(faults(), 8, 8),
                    Placed(corrupt_audio(), 8, 8),
                    Placed(pace(), 8, 8),
                ],
            ),
            Row(
                "Noise, clipping and levels over time",
                [
                    Placed(noise_over_time(), 8, 7),
                    Placed(clipping_over_time(), 8, 7),
                    Placed(points_for_level(), 8, 7),
                ],
                collapsed=True,
            ),
        ],
    )


def _noise_calls(window: str) -> str:
    return f'increase(ai_agent_call_ceilings_total{{{PROVIDERS}, rule="noise"}}[{window}])'


def noise() -> panels.Panel:
    """Calls in which the agent was noise."""
    about = About(
        shows="Calls of this time range in which the agent's audio was measured to be noise: "
        "flat in its spectrum, and loud.",
        good="0.",
        act="A wrong codec, byte order or sample rate: see Codec alignment. If a provider is "
        "misaligned, it is the cause; if all are aligned, it is the byte order.",
        empty="No call has ended since the engine was started",
    )
    return big_number(
        "Noise found by the scorer",
        about,
        Query(f"sum ({_noise_calls('$__range')})", "calls", instant=True),
        unit="suffix:calls",
        steps=colours.all_or_broken(broken_from=0.5),
    )


def noise_over_time() -> panels.Panel:
    """The same over time."""
    about = About(
        shows="Calls in which the agent was noise, of the last minutes at each point, by provider.",
        good="0.",
        act="See when it began, and which deployment or change of the provider was then.",
        empty="No call has ended since the engine was started",
    )
    return over_time(
        "Noise over time",
        about,
        Query(
            f"sum by (provider) ({_noise_calls('$__rate_interval')})", "{{provider}}", panels.EVENTS
        ),
        unit="suffix:calls",
        steps=colours.all_or_broken(broken_from=0.5),
        names=colours.PROVIDERS,
        lines=False,
        stepped=True,
    )


CLIPPED = {0.001: palette.ORANGE, 0.005: colours.BROKEN}
"""Two real calls that were noise had 0.6 and 2.9 % of their samples clipped, ordinary ones none."""


def clipping() -> panels.Panel:
    """How much of the agent is clipped."""
    about = About(
        shows="Share of the agent's samples that were at full scale, mean of this time range's "
        "calls.",
        good="0. Ordinary calls have none.",
        act="Together with noise: the format. Alone: the provider's or a bridge's gain is too "
        "high.",
        empty="No agent audio was measured in calls that ended in this range",
    )
    return big_number(
        "Clipping found by the scorer",
        about,
        Query(mean("ai_agent_call_clipped_ratio", "$__range"), "clipped", instant=True),
        unit="percentunit",
        decimals=2,
        steps=colours.thresholds(CLIPPED),
    )


def clipping_over_time() -> panels.Panel:
    """The same over time."""
    about = About(
        shows="Share of the agent's samples at full scale, mean of the calls of the last minutes "
        "at each point, by provider.",
        good="0.",
        act="See when it began, and which deployment or change of the provider was then.",
        empty="No agent audio was measured in calls that ended in this range",
    )
    share = mean("ai_agent_call_clipped_ratio", "$__rate_interval", "provider")
    return over_time(
        "Clipping over time",
        about,
        Query(share, "{{provider}}", panels.EVENTS),
        unit="percentunit",
        steps=colours.thresholds(CLIPPED),
        names=colours.PROVIDERS,
        points=True,
    )


_SOUND = "|".join(SOUND_RULES)


def faults() -> panels.Panel:
    """Calls by the fault of the agent's sound."""
    about = About(
        shows="Share of this time range's calls in which the agent's speech had a fault, by "
        "provider and kind. AgentSpeechDistorted uses these kinds.",
        good="None.",
        act="The alert's section of the runbook has the setting for each kind.",
        empty="No call of this range had such a fault",
    )
    found = f'increase(ai_agent_call_ceilings_total{{{PROVIDERS}, rule=~"{_SOUND}"}}[$__range])'
    scored = f"increase(ai_agent_calls_scored_total{{{PROVIDERS}}}[$__range])"
    share = (
        f"sum by (provider, rule) ({found}) / on (provider) group_left () "
        f"sum by (provider) ({scored}) > 0"
    )
    return bars(
        "Faults in the agent's speech",
        about,
        Query(share, "{{provider}}: {{rule}}", instant=True),
        unit="percentunit",
        steps=colours.no_thresholds(colours.BROKEN),
    )


def corrupt_audio() -> panels.Panel:
    """Seconds of the agent's audio with a fault."""
    about = About(
        shows="Seconds of the agent's audio with a fault that held its call, a minute, by kind.",
        good="None.",
        act="See when it began, and which deployment or change of the provider was then.",
        empty="No call of this range had such audio",
    )
    seconds = rate("ai_agent_call_corrupt_audio_seconds_total", "kind", matchers=PROVIDERS)
    return over_time(
        "Corrupt audio",
        about,
        # Without those that are 0: there are ten kinds, and a legend of them hides the others.
        Query(f"60 * {seconds} > 0", "{{kind}}", panels.EVENTS),
        unit="suffix:s/min",
        steps=colours.no_thresholds(),
        lines=False,
        stacked=True,
    )


def pace() -> panels.Panel:
    """How quickly the agent speaks."""
    rule = DEFAULT_POLICY.sound
    about = About(
        shows="Characters of the agent's words for each second of its voice, mean of the calls of "
        "the last minutes at each point, by provider.",
        good=f"{rule.slow:g} to {rule.fast:g}, and steady.",
        act="Half or double: the provider's sample rate is wrong.",
        empty="The engine told no text of calls that ended in this range",
    )
    spoken = mean("ai_agent_call_pace_characters_per_second", "$__rate_interval", "provider")
    return over_time(
        "Pace",
        about,
        Query(spoken, "{{provider}}", panels.EVENTS),
        unit="suffix:characters/s",
        steps=colours.no_thresholds(),
        names=colours.PROVIDERS,
        points=True,
    )


def _energy(stages: str) -> str:
    """Squared levels of active speech, in calls: the policy's level is an energy mean too."""
    speech = in_calls(f'(ai_agent_audio_rms{{{ENGINES}, stage=~"{stages}"}} >= {ACTIVE_RMS:g})')
    return f"(({speech}) ^ 2)"


def level_now() -> panels.Panel:
    """How loud the agent is."""
    level = DEFAULT_POLICY.speech_level
    about = About(
        shows="Level of the agent's speech over the last 5 minutes, 16-bit RMS: frames of 200 and "
        "more, the last of each second.",
        good=f"{level.low:g} to {level.high:g} (RFC 7874).",
        act="Too quiet or too loud: the provider's voice settings or a gain between. Over 6,000 "
        "and with noise: the format.",
        empty="The agent did not speak in the last 5 minutes",
    )
    heard = f"sqrt(avg (avg_over_time({_energy('provider_out|transport_out.*')}[5m:1s])))"
    return big_number(
        "Agent level",
        about,
        Query(heard, "RMS", instant=True),
        unit="none",
        steps=colours.speech_level(),
    )


def rms_by_stage() -> panels.Panel:
    """Levels by stage."""
    level = DEFAULT_POLICY.speech_level
    about = About(
        shows="Level of active speech (16-bit RMS of 200 and more) at each stage from the "
        "provider to the caller and back. The engine shows each stage's last frame, of whichever "
        "call that was.",
        good=f"provider_out and transport_out between {level.low:g} and {level.high:g}; the "
        "caller's stages are the callers' own.",
        act="A jump between two stages: the cause is between them. All too low or too high: the "
        "provider.",
        empty="Nobody spoke in this range",
    )
    return over_time(
        "RMS by stage",
        about,
        Query(
            f"sqrt(avg by (stage) (avg_over_time({_energy('.+')}[$__rate_interval:1s])))",
            "{{stage}}",
            "15s",
        ),
        unit="none",
        steps=colours.speech_level(),
        names=colours.STAGES,
        lowest=None,
        points=True,
        logarithmic=True,
    )


def dc_offset() -> panels.Panel:
    """Mean sample by stage."""
    about = About(
        shows="Mean sample of each stage's last frame (16-bit), during calls: the largest "
        "deviation.",
        good=f"Between -{LOUD_DC} and {LOUD_DC}.",
        act="Far off 0 on the agent's stages: the format is misread. On the caller's: the line.",
        empty="No call in this range",
    )
    offset = in_calls(f"abs(ai_agent_audio_dc_offset{{{ENGINES}}})")
    return over_time(
        "DC offset",
        about,
        Query(
            f"max by (stage) (max_over_time(({offset})[$__rate_interval:1s]))", "{{stage}}", "15s"
        ),
        unit="none",
        steps=colours.all_or_broken(broken_from=LOUD_DC),
        names=colours.STAGES,
    )


BYTES = {"tx, to the caller": palette.ORANGE, "rx, from the caller": palette.SKY}


def stream_bytes() -> panels.Panel:
    """Bytes of calls."""
    about = About(
        shows="Audio that the engine sends to callers (tx) and takes from them (rx), of all calls "
        "together, over any transport.",
        good="rx is level while there are calls; tx comes with the agent's speech.",
        act="rx at 0 during calls: the engine hears nobody. tx at 0: callers hear nothing.",
        empty="No engine answers, or (October 2025) no call has begun: see Health on System "
        "Overview",
    )
    return over_time(
        "Bytes tx/rx",
        about,
        Query(rate("ai_agent_stream_tx_bytes_total"), "tx, to the caller", "15s"),
        Query(rate("ai_agent_stream_rx_bytes_total"), "rx, from the caller", "15s"),
        unit="Bps",
        steps=colours.no_thresholds(),
        names=BYTES,
        lines=False,
    )


def wire_bytes() -> panels.Panel:
    """Bytes of one AudioSocket connection."""
    about = About(
        shows="Audio on an AudioSocket connection with Asterisk, mean of those that are open. "
        "Unlike Bytes tx/rx it doesn't grow with the number of calls.",
        good="rx is level: 16 kB/s with linear audio of 8 kHz, half of it with mu-law. tx comes "
        "with the agent's speech.",
        act="rx far below: some callers aren't heard. Nothing here and tx in Bytes tx/rx: the "
        "connections are gone.",
        empty="No AudioSocket connection in this range; with RTP and WebSocket there is none",
    )
    open_ = f"ai_agent_audiosocket_active_connections{{{ENGINES}}}[$__rate_interval]"
    return over_time(
        "AudioSocket bytes per connection",
        about,
        *(
            Query(
                f"{rate(f'ai_agent_audiosocket_{way}_bytes_total')}\n/\n"
                f"(sum (avg_over_time({open_})) > 0)",
                legend,
                "15s",
            )
            for way, legend in (("tx", "tx, to the caller"), ("rx", "rx, from the caller"))
        ),
        unit="Bps",
        steps=colours.no_thresholds(),
        names=BYTES,
        lines=False,
    )


def vad_confidence() -> panels.Panel:
    """How sure the detector is."""
    about = About(
        shows="How sure the voice detector was that a frame of the caller's is speech: frames a "
        "second by confidence.",
        good="Bright at the bottom (silence) and at the top (speech), dark between.",
        act="Bright in the middle: lines are noisy, or the threshold doesn't fit them. See Sure "
        "of speech on Conversation Flow.",
        empty="No frame of a caller's was judged in this range",
    )
    buckets = rate("ai_agent_vad_confidence_bucket", "le")
    return density(
        "VAD confidence distribution", about, Query(buckets, "{{le}}", "15s"), unit="none"
    )


def points_for_level() -> panels.Panel:
    """What levels cost."""
    about = About(
        shows="Points that calls lost for the agent's level, of the last 15 minutes at each "
        "point, by provider. AgentSpeechLevelOff uses these values.",
        good="Under 4 of 10.",
        act="Agent level shows whether it is too quiet or too loud.",
        empty="No call lost points in this range",
    )
    lost = "job_instance_provider_factor:ai_agent_call_quality_penalty_points:avg15m"
    return over_time(
        "Points lost for the level",
        about,
        Query(f'max by (provider) ({lost}{{{PROVIDERS}, factor="rms"}})', "{{provider}}"),
        unit="suffix:points",
        steps=colours.all_or_broken(broken_from=4),
        names=colours.PROVIDERS,
    )
