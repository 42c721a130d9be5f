"""The engine's metrics as data: every name, type, label and bucket, declared once for both forms.

In October 2025 (`2025-10`) the real engine labelled most of its metrics with the call's id, and
left most of a finished call's gauges behind. By August 2026 (`2026-08`) every such label was gone,
and a gauge stands for all calls: their sum, the largest of them, or whatever was written last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypedDict, Unpack, get_args

from prometheus_client import Histogram

Generation = Literal["2025-10", "2026-08"]
Kind = Literal["counter", "gauge", "histogram", "info"]
OverCalls = Literal["sum", "max", "last"]

GENERATIONS: Final[tuple[Generation, ...]] = get_args(Generation)
PREFIX: Final = "ai_agent_"
DEFAULT_BUCKETS: Final = tuple(float(edge) for edge in Histogram.DEFAULT_BUCKETS[:-1])
"""Those of prometheus_client, in seconds; +Inf is always there."""


@dataclass(frozen=True)
class Metric:
    """One metric. `name` is without the prefix; buckets are in the unit that the name ends in."""

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] | None = None
    per_call: bool = True
    """Whether `2025-10` labels it with the call's id."""
    since: Generation = "2025-10"
    over_calls: OverCalls = "last"
    """What a gauge says of all calls, where it has no call id."""
    removed_at_end: bool = False
    """Whether `2025-10` removes a finished call's series; it leaves most of them behind."""

    def labels_in(self, generation: Generation) -> tuple[str, ...]:
        """Its labels in one generation; the call's id comes first."""
        return ("call_id", *self.labels) if self.has_call_id(generation) else self.labels

    def has_call_id(self, generation: Generation) -> bool:
        """Whether it is labelled with the call's id."""
        return self.per_call and generation == "2025-10"

    @property
    def exposed_name(self) -> str:
        """Its name on `/metrics`, e.g. `ai_agent_stream_frames_sent_total`."""
        return f"{PREFIX}{self.name}"


_REACTION: Final = (0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0)
_CONFIDENCE: Final = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
_FIRST_FRAME: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
_SEGMENT: Final = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0)
_SYNTHESIS: Final = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
_TURN: Final = (0.2, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
_CALL: Final = (10.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0)
_AGENT: Final = ("pipeline", "provider")


class _More(TypedDict, total=False):
    """What a metric can say beyond its name, text, labels and buckets."""

    per_call: bool
    since: Generation
    over_calls: OverCalls
    removed_at_end: bool


class _New(TypedDict):
    """What a metric says that October 2025 had not."""

    since: Generation


def _counter(name: str, text: str, *labels: str, **more: Unpack[_More]) -> Metric:
    return Metric(name, "counter", text, labels, **more)


def _gauge(name: str, text: str, *labels: str, **more: Unpack[_More]) -> Metric:
    return Metric(name, "gauge", text, labels, **more)


def _histogram(
    name: str, text: str, buckets: tuple[float, ...], *labels: str, **more: Unpack[_More]
) -> Metric:
    return Metric(name, "histogram", text, labels, buckets, **more)


def _output_rates(provider: str, title: str, **more: Unpack[_More]) -> tuple[Metric, ...]:
    """The four metrics of a provider whose output rate the engine doubts."""
    return (
        _gauge(f"{provider}_assumed_output_sample_rate_hz", f"Rate expected of {title}", **more),
        _gauge(f"{provider}_provider_output_sample_rate_hz", f"Rate {title} declares", **more),
        _gauge(f"{provider}_measured_output_sample_rate_hz", f"Rate {title} delivers", **more),
        Metric(f"{provider}_session_audio_info", "info", f"{title}'s audio formats", **more),
    )


_NEW: Final[_New] = {"since": "2026-08"}

INVENTORY: Final[tuple[Metric, ...]] = (
    # The AudioSocket server.
    _gauge("audiosocket_active_connections", "Connections", per_call=False, over_calls="sum"),
    _counter("audiosocket_rx_bytes_total", "Audio bytes from Asterisk", per_call=False),
    _counter("audiosocket_tx_bytes_total", "Audio bytes to Asterisk", per_call=False),
    # The conversation.
    _gauge("tts_gating_active", "Gated calls", over_calls="sum", removed_at_end=True),
    _gauge("audio_capture_enabled", "Calls heard", over_calls="sum", removed_at_end=True),
    _gauge("conversation_state", "Calls by state", "state", over_calls="sum", removed_at_end=True),
    _counter("barge_in_events_total", "Times a caller interrupted the agent"),
    _counter("no_input_events_total", "What the silence watchdog did", "action", **_NEW),
    _gauge("no_input_watchdogs_active", "Silence watchdogs", over_calls="sum", **_NEW),
    # The stream to the caller.
    _gauge("streaming_active", "Segments being played", over_calls="sum"),
    _counter("streaming_bytes_total", "Bytes queued for callers"),
    _counter("streaming_fallbacks_total", "Falls back from streaming to a file"),
    _gauge("streaming_jitter_buffer_depth", "Frames in the fullest buffer", over_calls="max"),
    _gauge("streaming_last_chunk_age_seconds", "Age of the oldest last burst", over_calls="max"),
    _counter("streaming_keepalives_sent_total", "Keepalives of open streams"),
    _counter("streaming_keepalive_timeouts_total", "Keepalives that found a silent provider"),
    _counter("stream_tx_bytes_total", "Bytes sent to callers"),
    _counter("stream_underflow_events_total", "20 ms fillers inserted"),
    _counter("stream_filler_bytes_total", "Bytes of fillers"),
    _counter("stream_frames_sent_total", "Frames sent, fillers included"),
    _counter("stream_started_total", "Segments started", "playback_type"),
    _histogram("stream_first_frame_seconds", "Until heard", _FIRST_FRAME, "playback_type"),
    _histogram("stream_segment_duration_seconds", "Length", _SEGMENT, "playback_type"),
    _counter("stream_end_reason_total", "Segments ended", "reason"),
    _counter("stream_endian_corrections_total", "Byte orders set right", "mode"),
    # What is heard of the caller.
    _counter("vad_frames_total", "Frames judged", "result"),
    _histogram("vad_confidence", "How sure a frame is speech", _CONFIDENCE),
    _gauge("vad_adaptive_threshold", "16-bit RMS from which a frame is loud"),
    # Turns.
    _histogram("stt_to_tts_seconds", "Transcript to audio", _SYNTHESIS, *_AGENT, per_call=False),
    _histogram("turn_response_seconds", "End of turn to audio", _TURN, *_AGENT, per_call=False),
    # The configuration.
    _gauge("config_barge_in_ms", "Times for barge-in", "param"),
    _gauge("config_barge_in_threshold", "16-bit RMS of a barge-in"),
    _gauge("config_streaming_ms", "Times for streaming", "param"),
    _gauge("config_turn_detection_ms", "Times for turns", "param"),
    _gauge("config_turn_detection_threshold", "Level of speech, as a share of full scale"),
    # Quality.
    _histogram("barge_in_reaction_seconds", "Caller's onset until the stop", _REACTION),
    _counter("stream_rx_bytes_total", "Bytes received from callers"),
    _gauge("codec_alignment", "1 where formats match, 0 where not", "provider"),
    _gauge("audio_rms", "16-bit RMS of the last frame", "stage"),
    _gauge("audio_dc_offset", "Mean sample of the last frame", "stage"),
    _histogram("call_duration_seconds", "Length of calls", _CALL, *_AGENT, **_NEW),
    # Tools.
    _counter("mcp_tool_calls_total", "Tool calls", "server", "tool", "status", **_NEW),
    _histogram(
        "mcp_tool_latency_seconds", "Tool latency", DEFAULT_BUCKETS, "server", "tool", **_NEW
    ),
    _gauge("mcp_server_up", "1 where the tool server answers", "server", **_NEW),
    # Providers.
    _gauge("deepgram_input_sample_rate_hz", "Rate sent to Deepgram", removed_at_end=True),
    _gauge("deepgram_output_sample_rate_hz", "Rate asked of Deepgram", removed_at_end=True),
    Metric("deepgram_session_audio_info", "info", "Deepgram's audio formats", removed_at_end=True),
    _gauge("deepgram_settings_ack_latency_ms", "Settings to their acknowledgement"),
    _gauge("google_live_active_sessions", "Sessions", over_calls="sum", **_NEW),
    _counter("google_live_audio_bytes_sent_total", "Audio bytes to Google", **_NEW),
    _counter("google_live_audio_bytes_received_total", "Audio bytes from Google", **_NEW),
    *_output_rates("grok", "Grok", **_NEW),
    *_output_rates("openai", "OpenAI", removed_at_end=True),
)


def inventory(generation: Generation) -> tuple[Metric, ...]:
    """The metrics of one generation: 59 in `2026-08`, 46 in `2025-10`."""
    if generation not in GENERATIONS:
        raise ValueError(f"no generation {generation!r}: choose one of {', '.join(GENERATIONS)}")
    return tuple(metric for metric in INVENTORY if metric.since <= generation)
