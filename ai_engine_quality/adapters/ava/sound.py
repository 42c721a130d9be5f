"""The two tracks of a call, frame by frame, and how much audio its provider gave: for the ear.

Each frame is handed over as it is, on every transport: its samples tell what its level can't. What
is sent passes the engine's own measurement, and what is received over AudioSocket does; over RTP
and WebSocket it passes elsewhere.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.notes import Taker
from ai_engine_quality.adapters.report import tried
from ai_engine_quality.adapters.wraps import Wraps
from ai_engine_quality.core.observations import FRAME_SECONDS, TRANSPORT_IN
from ai_engine_quality.live.encodings import ENCODINGS, frame_bytes

RTP_RATE = 16_000
"""Hz of what the engine's RTP server hands over, where the server doesn't say."""

SHORTEST_RECORDING = 1_600
"""Bytes: whatever its format, audio of no more is no longer than a frame can be; other audio that
is sent at once is cut into frames."""

PACED_RATE = 24_000
"""Hz of what OpenAI and Grok give as linear samples, where the engine's provider doesn't say."""


class SoundObserver:
    """Reports each frame of both tracks, and what providers give before any pacer of theirs."""

    def __init__(self, context: EngineContext, wraps: Wraps) -> None:
        self._context = context
        self._wraps = wraps
        self._given_taker, self._complete_taker = Taker(self._given_by_event), Taker(self._complete)
        self._encoded_taker = Taker(self._given_encoded)
        self._paced: dict[str, Any] = {}
        """By call id: the provider whose pacer sends silence, so that its events don't count."""
        self.hears_agent = False
        """Whether what is sent is seen frame by frame: else what was given can't be missed."""
        self.caller_is_measured = True
        """Whether what is received passes the engine's measurement; else it comes by itself."""

    # What crosses the engine's edge: each takes a note, and when it was made.

    def measured(  # noqa: PLR0917  # the arguments of the engine's own method
        self, at: float, session: Any, stage: str, audio: bytes, encoding: str, rate: int
    ) -> None:
        """Take a frame that the engine measures, as it is: its samples tell what a level can't."""
        if not stage.startswith("transport"):  # most such calls aren't noted, but a named stage is
            return
        if stage == TRANSPORT_IN and not self.caller_is_measured:
            return
        call = self._context.calls.get(session.call_id)
        if call is None or not audio or not call.has_agent(at):
            return
        if len(audio) <= SHORTEST_RECORDING:
            call.handle.audio(stage, audio, encoding=encoding, sample_rate=rate, at=at)
            return
        length = frame_bytes(encoding, rate, FRAME_SECONDS) or len(audio)
        for first in range(0, len(audio), length):
            frame = audio[first : first + length]
            call.handle.audio(stage, frame, encoding=encoding, sample_rate=rate, at=at)

    def received(self, at: float, caller_channel_id: str, audio: bytes, sample_rate: int) -> None:
        """Take a frame of the caller's that the engine doesn't measure."""
        call = self._context.call(caller_channel_id)
        if call is not None and call.has_agent(at):
            call.handle.audio(
                TRANSPORT_IN, audio, encoding="slin16", sample_rate=sample_rate, at=at
            )

    def received_by_rtp(self, at: float, caller_channel_id: str, _ssrc: int, audio: bytes) -> None:
        """Take a frame that came over RTP, at the rate of the engine's RTP server."""
        server = getattr(self._context.engine, "rtp_server", None)
        rate = int(getattr(server, "sample_rate", 0) or RTP_RATE)
        self.received(at, caller_channel_id, audio, rate)

    def received_from(self, at: float, ssrc: int, audio: bytes) -> None:
        """Take a frame that came over RTP, where the engine names no call, as in October 2025."""
        calls = getattr(self._context.engine, "ssrc_to_caller", None) or {}
        self.received_by_rtp(at, calls.get(ssrc, ""), ssrc, audio)

    # What the provider gives.

    def is_paced(self, call: ObservedCall) -> bool:
        """Return whether the provider's audio comes another way, so that its events don't count."""
        return call.call_id in self._paced

    def note_given(self, call: ObservedCall, event: Mapping[str, Any]) -> None:
        """Note a chunk of the agent's audio on its way from the provider to the engine."""
        self._context.notes.add(self._given_taker, (call, event))

    def answer_complete(self, call: ObservedCall) -> None:
        """Take the end of the provider's answer."""
        self._context.notes.add(self._complete_taker, (call,))

    def _complete(self, at: float, call: ObservedCall) -> None:
        """Take a note of an answer's end: after its audio, which was noted too."""
        if self.hears_agent and call.has_agent(at):
            call.handle.answer_complete(at=at)

    def find_pacer(self, call: ObservedCall) -> None:
        """Listen before the pacer of a provider that has one: what it sends is partly silence."""
        provider = self._context.serving(call.call_id)
        if provider is None or provider is self._paced.get(call.call_id):
            return
        self.forget(call.call_id)
        if not getattr(provider, "_egress_pacer_enabled", False):
            return
        if not self._wraps.has(provider, "_handle_output_audio"):
            tried("", lambda: self._listen_before_pacer(provider))
        self._paced[call.call_id] = provider

    def forget(self, call_id: str) -> None:
        """Leave the provider of a call alone: each call may have one of its own."""
        provider = self._paced.pop(call_id, None)
        if provider is not None and all(each is not provider for each in self._paced.values()):
            self._wraps.leave(provider, "_handle_output_audio")

    def _listen_before_pacer(self, provider: Any) -> None:
        def came(audio_b64: str) -> None:
            call = self._context.call(getattr(provider, "_call_id", None))
            if call is not None:
                what = call, audio_b64, *_format(provider)
                self._context.notes.add(self._encoded_taker, what)

        self._wraps.set(
            provider, "_handle_output_audio", ("audio_b64",), coroutine=True, before=came
        )

    def _given_by_event(self, at: float, call: ObservedCall, event: Mapping[str, Any]) -> None:
        """Take a note of given audio, as it is in the provider's event."""
        encoding, rate = event.get("encoding"), event.get("sample_rate")
        self._given(at, call, event.get("data") or b"", encoding or "ulaw", rate or 8_000)

    def _given_encoded(
        self, at: float, call: ObservedCall, audio_b64: str, encoding: str, rate: int
    ) -> None:
        """Take a note of given audio, encoded as base64."""
        self._given(at, call, base64.b64decode(audio_b64), encoding, rate)

    def _given(self, at: float, call: ObservedCall, audio: Any, encoding: Any, rate: Any) -> None:
        """Take a note of given audio, of which what is missing is heard where it is sent."""
        if self.hears_agent and call.has_agent(at):
            call.handle.sound_given(audio, encoding=encoding, sample_rate=rate, at=at)


def _format(provider: Any) -> tuple[str, int]:
    """Return the encoding and rate in which a provider gets its audio, before it converts it."""
    name = getattr(provider, "_provider_output_format", None)
    if not getattr(provider, "_outfmt_acknowledged", True):
        name = getattr(provider, "_inferred_provider_encoding", None) or name
    encoding = "ulaw" if name == "g711" else str(name or "slin16")
    if ENCODINGS.get(encoding) in ("ulaw", "alaw"):
        return encoding, 8_000
    rate = getattr(provider, "_active_output_sample_rate_hz", None)
    rate = rate or getattr(provider.config, "output_sample_rate_hz", None)
    return encoding, round(rate or PACED_RATE)
