"""The metrics that only one provider has: each tells of its sessions what the real one's does."""

from __future__ import annotations

from typing import Final

from ai_engine_lab.engine.events import (
    BurstArrived,
    CallEnded,
    CallEvent,
    ProviderFed,
    SessionOpened,
    SettingsAcknowledged,
)
from ai_engine_lab.engine.metric_store import CallLedger

_DOUBTED: Final = {"openai_realtime": "openai", "grok": "grok"}
"""Providers whose output rate is assumed, declared and measured, and their metrics' names."""


class ProviderMetrics:
    """An observer that moves the provider's own metrics by one call's events."""

    def __init__(self, ledger: CallLedger, provider: str) -> None:
        self._ledger = ledger
        self._provider = provider
        self._doubted = _DOUBTED.get(provider)

    def __call__(self, event: CallEvent) -> None:
        """Move what this provider has."""
        match self._provider:
            case "deepgram":
                self._deepgram(event)
            case "google_live":
                self._google(event)
            case _ if self._doubted is not None:
                self._output_rates(self._doubted, event)

    def _deepgram(self, event: CallEvent) -> None:
        ledger = self._ledger
        match event:
            case SessionOpened(input_rate, output_rate, facts):
                ledger.set("deepgram_input_sample_rate_hz", input_rate)
                ledger.set("deepgram_output_sample_rate_hz", output_rate)
                ledger.describe("deepgram_session_audio_info", facts)
            case SettingsAcknowledged(seconds, _):
                ledger.set("deepgram_settings_ack_latency_ms", seconds * 1_000)
            case _:
                pass

    def _google(self, event: CallEvent) -> None:
        ledger = self._ledger
        match event:
            case ProviderFed(size):
                ledger.add("google_live_audio_bytes_sent_total", size)
            case BurstArrived(size):
                ledger.add("google_live_audio_bytes_received_total", size)
            case SessionOpened():
                ledger.set("google_live_active_sessions", 1)
            case CallEnded():
                ledger.set("google_live_active_sessions", 0)
            case _:
                pass

    def _output_rates(self, name: str, event: CallEvent) -> None:
        ledger = self._ledger
        match event:
            case SessionOpened(_, output_rate, facts):
                ledger.set(f"{name}_assumed_output_sample_rate_hz", output_rate)
                ledger.describe(f"{name}_session_audio_info", facts)
            case SettingsAcknowledged(_, output_rate):
                ledger.set(f"{name}_provider_output_sample_rate_hz", output_rate)
            case BurstArrived(_, _, float(rate)):
                ledger.set(f"{name}_measured_output_sample_rate_hz", rate)
            case _:
                pass
