"""The two tracks of a call, frame by frame, and how much audio its provider gave: for the ear.

The engine measures each frame that passes its edge, so that its levels cost nothing here. What it
receives over RTP it doesn't measure; those frames are handed over as they are.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.report import tried
from ai_engine_quality.adapters.wraps import Wraps
from ai_engine_quality.core.answer_audio import SILENT_RMS
from ai_engine_quality.core.observations import FRAME_SECONDS, TRANSPORT_IN
from ai_engine_quality.live.audio import ENCODINGS, decode, frame_bytes, frame_rms

RTP_RATE = 16_000
"""Hz of what the engine's RTP server hands over, where the server doesn't say."""


class SoundObserver:
    """Reports each frame of both tracks, and what providers give before any pacer of theirs."""

    def __init__(self, context: EngineContext, wraps: Wraps) -> None:
        self._context = context
        self._wraps = wraps

    # What crosses the engine's edge.

    def measured(
        self, _note: object, _result: object, session: Any, stage: str, *sound: Any
    ) -> None:
        """Take the level of a frame that the engine has just measured."""
        if not stage.startswith(("transport_out", TRANSPORT_IN)):
            return
        call = self._context.calls.get(session.call_id)
        if call is None or call.transferred_at is not None or call.hang_up is not None:
            return
        audio, encoding, rate = sound
        seconds = len(audio) / (rate * (1 if "law" in str(encoding).lower() else 2))
        level = session.audio_diagnostics[stage]["rms"]
        call.handle.audio_level(stage, float(level), seconds=seconds, at=self._context.now())

    def received(self, caller_channel_id: str, audio: bytes, sample_rate: int) -> None:
        """Take a frame of the caller's that the engine doesn't measure."""
        call = self._context.call(caller_channel_id)
        if call is None or call.transferred_at is not None or call.hang_up is not None:
            return
        call.handle.audio(TRANSPORT_IN, audio, encoding="slin16", sample_rate=sample_rate)

    def received_by_rtp(self, caller_channel_id: str, _ssrc: int, audio: bytes) -> None:
        """Take a frame that came over RTP, at the rate of the engine's RTP server."""
        server = getattr(self._context.engine, "rtp_server", None)
        rate = int(getattr(server, "sample_rate", 0) or RTP_RATE)
        self.received(caller_channel_id, audio, rate)

    def received_from(self, ssrc: int, audio: bytes) -> None:
        """Take a frame that came over RTP, where the engine names no call, as in October 2025."""
        calls = getattr(self._context.engine, "ssrc_to_caller", None) or {}
        self.received_by_rtp(calls.get(ssrc, ""), ssrc, audio)

    # What the provider gives.

    def given(self, call: ObservedCall, event: Mapping[str, Any]) -> None:
        """Take a chunk of the agent's audio on its way from the provider to the engine."""
        if not call.gives_before_pacer:
            encoding, rate = event.get("encoding"), event.get("sample_rate")
            self._report(call, bytes(event["data"]), encoding or "ulaw", rate or 8_000)

    def answer_complete(self, call: ObservedCall) -> None:
        """Take the end of the provider's answer."""
        call.handle.answer_complete()

    def find_pacer(self, call: ObservedCall) -> None:
        """Listen before the pacer of a provider that has one: what it sends is partly silence."""
        provider = self._context.provider(call.call_id)
        if provider is None or call.gives_before_pacer:
            return
        if not hasattr(provider, "_egress_pacer_enabled"):
            return
        report = tried("", lambda: self._listen_before_pacer(call, provider))
        call.gives_before_pacer = report.live

    def _listen_before_pacer(self, call: ObservedCall, provider: Any) -> None:
        def came(audio_b64: str) -> None:
            config = provider.config
            acknowledged = getattr(provider, "_provider_output_format", "") or ""
            linear = "law" not in acknowledged
            rate = getattr(provider, "_active_output_sample_rate_hz", None)
            rate = int(rate or getattr(config, "output_sample_rate_hz", 0) or 24_000)
            audio = base64.b64decode(audio_b64)
            if linear:
                self._report(call, audio, "slin16", rate)
            else:
                self._report(call, audio, "ulaw", 8_000)

        self._wraps.set(
            provider, "_handle_output_audio", ("audio_b64",), coroutine=True, before=came
        )

    def _report(self, call: ObservedCall, audio: bytes, encoding: str, rate: int) -> None:
        """Report how long some audio is, and how much of it is silent."""
        length = frame_bytes(encoding, rate, FRAME_SECONDS)
        if not length or not audio:
            return
        whole = len(audio) // length
        seconds = len(audio) / length * FRAME_SECONDS
        silent = 0.0
        if whole:
            samples = decode(audio[: whole * length], ENCODINGS[encoding]).reshape(whole, -1)
            silent = float((frame_rms(samples) < SILENT_RMS).sum()) * FRAME_SECONDS
        call.handle.audio_given(seconds, silent)
