"""The engine's settings as gauges, written at the start of every call as the real engine does."""

from __future__ import annotations

from ai_engine_lab.engine.metric_store import CallLedger
from ai_engine_lab.engine.provider import ProviderModel
from ai_engine_lab.engine.settings import EngineSettings

_FULL_SCALE = 32_768.0


def expose_settings(ledger: CallLedger, settings: EngineSettings, model: ProviderModel) -> None:
    """Write what a call works with: times in milliseconds, under the real engine's names."""
    barge_in, playback, turns = settings.barge_in, settings.playback, settings.turns
    milliseconds = {
        "config_barge_in_ms": {
            "initial_protection_ms": barge_in.protected_seconds,
            "greeting_protection_ms": barge_in.protected_seconds,
            "min_ms": barge_in.window_seconds,
            "post_tts_end_protection_ms": 0.0,
        },
        "config_streaming_ms": {
            "min_start_ms": playback.warm_up_seconds,
            "greeting_min_start_ms": playback.warm_up_seconds,
            "low_watermark_ms": 0.0,
            "jitter_buffer_ms": playback.warm_up_seconds,
            "fallback_timeout_ms": playback.provider_timeout_seconds,
        },
        "config_turn_detection_ms": {
            "silence_duration_ms": model.end_silence_seconds,
            "prefix_padding_ms": turns.start_seconds,
        },
    }
    for name, parameters in milliseconds.items():
        for parameter, seconds in parameters.items():
            ledger.set(name, round(seconds * 1_000), parameter)
    ledger.set("config_barge_in_threshold", barge_in.energy_rms)
    ledger.set("config_turn_detection_threshold", turns.speech_rms / _FULL_SCALE)
