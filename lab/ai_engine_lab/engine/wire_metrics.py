"""The bytes of audio on the connection to Asterisk, as the caller's side carries them."""

from __future__ import annotations

from ai_engine_lab.basics.audio_formats import LINEAR_RATE
from ai_engine_lab.engine.events import AudioHeard, CallEvent, FrameSent, WireRateChanged
from ai_engine_lab.engine.metric_store import CallLedger


class WireMetrics:
    """An observer that counts one call's bytes: payloads only, as the real engine does."""

    def __init__(self, ledger: CallLedger) -> None:
        self._ledger = ledger
        self._factor = 1.0
        """Bytes on the wire for each byte of the engine's 8 kHz."""

    def __call__(self, event: CallEvent) -> None:
        """Count a frame."""
        match event:
            case AudioHeard("transport_in", frame):
                self._ledger.add("audiosocket_rx_bytes_total", len(frame) * self._factor)
            case FrameSent(frame):
                self._ledger.add("audiosocket_tx_bytes_total", len(frame) * self._factor)
            case WireRateChanged(sample_rate):
                self._factor = sample_rate / LINEAR_RATE
            case _:
                pass
