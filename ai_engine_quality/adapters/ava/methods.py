"""The engine's methods that are wrapped, and the factor that each serves: the table.

Every name is private to the engine and was looked up in its source, of August 2026 and of October
2025; ``_on_transport_pcm`` in that of October 2026 (7.6.2), of which only single files are public.
Beside the wraps, the timer reads ``session.turn_latencies_ms`` (latency),
``session.audio_diagnostics`` (rms), ``active_streams`` (underflow), ``frame_remainders`` (codec),
and the sockets of ``_call_providers`` (calls). Two histograms are listened to:
``_TURN_RESPONSE_SECONDS`` (latency) and ``_BARGE_REACTION_SECONDS`` (barge_in). In October 2025 so
is OpenAI's ``_handle_event`` (latency).
"""

from __future__ import annotations

from typing import NamedTuple

from ai_engine_quality.adapters.report import CALLS


class EngineMethod(NamedTuple):
    """One method of the engine, or of one of its parts."""

    factor: str
    """The factor that it serves most of all; ``calls`` is what all others rest on."""
    part: str
    """The engine's attribute that has the method; empty where the engine itself has it."""
    name: str
    arguments: tuple[str, ...]
    """Names of its leading arguments, by which it is known to be what it was."""
    coroutine: bool = True
    """Whether it is an ``async def``."""

    def __str__(self) -> str:
        return f"{self.part}.{self.name}" if self.part else self.name


_COORDINATOR, _STREAMS = "conversation_coordinator", "streaming_playback_manager"

CALL_STARTS = EngineMethod(CALLS, _COORDINATOR, "register_call", ("session",))
HANG_UP = EngineMethod("latency", "", "_cleanup_call", ("channel_or_call_id",))
CALL_ENDS = EngineMethod(CALLS, "session_store", "remove_call", ("call_id",))
CALL_FORGOTTEN = EngineMethod(CALLS, _COORDINATOR, "unregister_call", ("call_id",))
PROVIDER_EVENT = EngineMethod("underflow", "", "on_provider_event", ("event",))
STREAM_ENDS = EngineMethod("underflow", _STREAMS, "_cleanup_stream", ("call_id", "stream_id"))
COMMANDED = EngineMethod(
    CALLS, "ari_client", "send_command", ("method", "resource", "data", "params")
)
PROVIDERS_MADE = EngineMethod("latency", "", "_load_providers", ())
SOUND = EngineMethod(
    "rms",
    "",
    "_update_audio_diagnostics",
    ("session", "stage", "audio_bytes", "encoding", "sample_rate"),
    coroutine=False,
)
TRANSPORT_SOUND = EngineMethod(
    "latency", "", "_on_transport_pcm", ("caller_channel_id", "pcm_16k", "pcm_sample_rate")
)
RTP_SOUND = EngineMethod("latency", "", "_on_rtp_audio", ("caller_channel_id", "ssrc", "pcm_16k"))
RTP_SOUND_2025 = EngineMethod("latency", "", "_on_rtp_audio", ("ssrc", "pcm_16k"))
FALLBACK = EngineMethod("fallback", _STREAMS, "_record_fallback", ("call_id", "reason"))
BARGE_IN = EngineMethod("barge_in", "", "_apply_barge_in_action", ("call_id",))
FORMATS_COMPARED = EngineMethod(
    "codec", "", "_resolve_stream_targets", ("session", "provider_name"), coroutine=False
)
