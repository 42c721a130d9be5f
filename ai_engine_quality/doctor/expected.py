"""Which metrics a healthy engine must show, and with which labels.

The library's own are all there from the start, labels where a call has been. Of the engine's, only
those that alerts and recording rules read, by the labels that both of its generations have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LIBRARY: Final[Mapping[str, frozenset[str]]] = {
    "ai_agent_call_quality_score": frozenset({"call_id"}),
    "ai_agent_call_quality_turns": frozenset({"call_id", "provider"}),
    "ai_agent_call_quality_points_lost": frozenset({"call_id", "factor"}),
    "ai_agent_call_scores": frozenset({"provider", "pipeline"}),
    "ai_agent_calls_scored": frozenset({"provider", "pipeline", "band"}),
    "ai_agent_calls_unscored": frozenset({"reason"}),
    "ai_agent_call_quality_penalty_points": frozenset({"provider", "pipeline", "factor"}),
    "ai_agent_call_turn_response_seconds": frozenset({"provider", "pipeline"}),
    "ai_agent_turn_stage_seconds": frozenset({"provider", "stage"}),
    "ai_agent_call_underflow_ratio": frozenset({"provider", "pipeline"}),
    "ai_agent_call_ceilings": frozenset({"provider", "rule"}),
    "ai_agent_call_coverage_ratio": frozenset({"provider"}),
    "ai_agent_call_clipped_ratio": frozenset({"provider"}),
    "ai_agent_call_corrupt_audio_seconds": frozenset({"provider", "kind"}),
    "ai_agent_call_pace_characters_per_second": frozenset({"provider"}),
    "ai_agent_calls_started": frozenset({"provider"}),
    "ai_agent_calls_ended": frozenset({"provider", "outcome"}),
    "ai_agent_calls_active": frozenset(),
    "ai_agent_live_calls": frozenset({"band"}),
    "ai_agent_calls_silent": frozenset({"longer_than"}),
    "ai_agent_call_cost": frozenset({"provider", "currency"}),
    "ai_agent_quality_hook_live": frozenset({"factor", "clock"}),
    "ai_agent_engine_info": frozenset({"version", "audio_transport"}),
    "ai_agent_quality_dropped": frozenset({"reason"}),
    "ai_agent_quality_hook_failures": frozenset({"hook"}),
    "ai_agent_quality_series_retained": frozenset(),
    "ai_agent_quality_info": frozenset({"version", "policy"}),
}

ENGINE: Final[Mapping[str, frozenset[str]]] = {
    "ai_agent_turn_response_seconds": frozenset({"pipeline", "provider"}),
    "ai_agent_stream_underflow_events": frozenset(),
    "ai_agent_stream_frames_sent": frozenset(),
    "ai_agent_streaming_fallbacks": frozenset(),
    "ai_agent_stream_started": frozenset({"playback_type"}),
    "ai_agent_streaming_jitter_buffer_depth": frozenset(),
    "ai_agent_streaming_active": frozenset(),
    "ai_agent_barge_in_reaction_seconds": frozenset(),
    "ai_agent_barge_in_events": frozenset(),
    "ai_agent_audiosocket_active_connections": frozenset(),
    "ai_agent_codec_alignment": frozenset({"provider"}),
    "ai_agent_conversation_state": frozenset({"state"}),
    "ai_agent_vad_confidence": frozenset(),
    "ai_agent_vad_frames": frozenset({"result"}),
}

FRAMEWORKS: Final = ("pipecat ", "livekit-agents ")
"""How the versions of engines begin that have none of the AVA engine's own metrics."""

PER_CALL: Final = frozenset({"call_id"})
"""The label that the engine of October 2025 has in addition."""
