"""Turns what happens in the engine into observations. Each method serves one wrap, or the timer.

Nothing here is called by the engine itself: :mod:`wraps` and :mod:`timer` catch whatever is raised.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from ai_engine_quality.adapters.ava import barge_ins, endings, turns
from ai_engine_quality.adapters.ava.calls import CallBook, HangUp, LiveCall
from ai_engine_quality.adapters.ava.noise import NoiseChecks
from ai_engine_quality.adapters.timer import Timer
from ai_engine_quality.core.observations import DropReason
from ai_engine_quality.monitor import QualityMonitor

PIPELINE_CLOCK_SECONDS = 0.05
"""How far a pipeline's measured latency may differ from what its transcript's time says."""

_log = structlog.get_logger("ai_engine_quality")


class EngineObserver:
    """Observes one engine for one monitor."""

    def __init__(self, engine: Any, monitor: QualityMonitor) -> None:
        """Observe nothing yet: somebody must call these methods."""
        self.engine = engine
        self.monitor = monitor
        self.calls = CallBook()
        self.noise = NoiseChecks()
        self.timer = Timer(self.look, lambda: self.calls, self.failed)
        self.now = time.monotonic
        self.wall = time.time
        self.reads_fallback_count = False
        """Whether fallbacks are read from the session at the end, for want of a better way."""
        self.forgotten: Callable[[str], object] = _nobody_told
        """Told the id of each call that is not observed any more."""
        self.attachment: object = None
        """Kept here so that it lives as long as any wrap does."""
        self._pending_reaction = barge_ins.PendingReaction()

    def failed(self, error: Exception) -> None:
        """Count an observer that raised; the engine never notices."""
        self.monitor.drop(DropReason.INTERNAL_ERROR, error)

    # The beginning and the end.

    def call_started(self, session: Any) -> None:
        """Begin to observe a call. By now its provider is only a default."""
        if self.calls.get(session.call_id) is not None:
            return
        self.monitor.call_started(session.call_id, *endings.names(session))
        handle = self.monitor.call(session.call_id)
        if handle.live:
            self.calls.add(LiveCall(session, handle, self.now()))
            self.timer.ensure_running()

    def cleanup_begins(self, channel_or_call_id: object) -> LiveCall | None:
        """Note when a call was hung up; what the engine does afterwards isn't the caller's wait."""
        call = self.calls.by_channel(channel_or_call_id)
        if call is None or call.hang_up is not None:
            return None
        self._each(call, self._look_for_turns)
        call.hang_up = self._hang_up(call)
        return call

    def cleanup_returned(self, call: LiveCall | None, _result: object, _channel: object) -> None:
        """Take the hang-up back where the engine has found that the call goes on."""
        if call is not None and not getattr(call.session, "cleanup_in_progress", False):
            call.hang_up = None

    def _hang_up(self, call: LiveCall) -> HangUp:
        providers = getattr(self.engine, "_call_providers", None) or {}
        told = max(call.turns.pending_since, self._transcript_time(call))
        since = turns.unanswered_since(
            call.session, providers.get(call.call_id), told, call.turns.answered_at
        )
        return HangUp(self.now(), self.wall(), since)

    def call_removed(self, _note: object, session: Any, call_id: str) -> None:
        """End a call that the engine has taken out of its store; it returns the session once."""
        if session is None or (call := self.calls.get(call_id)) is None:
            return
        call.session = session
        self._each(
            call,
            lambda call: self.cleanup_begins(call.call_id),
            self._look_for_turns,
            self._count_frames,
            lambda _call: self.noise.measure(),
            self._report_unanswered,
            self._read_fallbacks,
        )
        self._forget(call)
        ending = endings.ending(session)
        call.handle.call_ended(
            provider=ending.names.provider,
            pipeline=ending.names.pipeline,
            outcome=ending.outcome,
            failed=ending.failed,
            duration=call.duration(),
        )

    def _each(self, call: LiveCall, *observations: Callable[[LiveCall], object]) -> None:
        """Make several observations of a call; one that can't be made doesn't stop the others."""
        for observe in observations:
            try:
                observe(call)
            except Exception as error:
                self.failed(error)

    def _read_fallbacks(self, call: LiveCall) -> None:
        if self.reads_fallback_count:
            for _ in range(int(getattr(call.session, "streaming_fallback_count", 0) or 0)):
                call.handle.fallback("unknown")

    def call_unregistered(self, call_id: str) -> None:
        """End a call where nothing tells that its session is gone, but that its metrics are."""
        if (call := self.calls.get(call_id)) is not None:
            self.call_removed(None, call.session, call_id)

    def _forget(self, call: LiveCall) -> None:
        self.calls.remove(call.call_id)
        self.forgotten(call.call_id)

    def _report_unanswered(self, call: LiveCall) -> None:
        if endings.transferred(call.session) or endings.agent_ended(call.session):
            return
        hang_up = call.hang_up
        if hang_up is not None and hang_up.unanswered_since:
            # The agent may still have been speaking when the caller said it.
            waited = hang_up.wall - max(hang_up.unanswered_since, call.segments.last_heard())
            if waited >= turns.MIN_WAIT_SECONDS:
                call.handle.unanswered(waited)

    # Audio that is played.

    def stream_ends(self, call_id: str, _stream_id: str) -> LiveCall | None:
        """Count a stream before the engine forgets it, whichever stream it has been told to end."""
        call = self.calls.get(call_id)
        if call is not None:
            self._count_frames(call)
        return call

    def stream_ended(
        self, call: LiveCall | None, _result: object, call_id: str, _stream_id: str
    ) -> None:
        """Count what the engine sent while it cleaned the stream up."""
        if call is None or not call.handle.live or self._stream(call_id) is not None:
            return
        self._count_frames(call)
        segment = call.segments.stream_ended(call.handle)
        if segment is not None:
            _log.debug("quality_segment_ended", call_id=call_id, **segment._asdict())

    def fell_back(self, call_id: str, reason: str) -> None:
        """Report a fall from streaming to playing a file."""
        if (call := self.calls.get(call_id)) is not None:
            call.handle.fallback(reason)

    def _stream(self, call_id: str) -> Mapping[str, Any] | None:
        """Return the engine's record of a call's present stream."""
        streams = self.engine.streaming_playback_manager.active_streams
        return streams.get(call_id)  # type: ignore[no-any-return]  # a dict, or it is counted

    def _count_frames(self, call: LiveCall) -> None:
        call.segments.report(self._stream(call.call_id), call.handle)

    # What the provider says.

    def provider_event(self, event: Mapping[str, Any]) -> None:
        """Take what a provider tells the engine: its audio, and the ends of the caller's turns."""
        kind = event.get("type")
        if kind == "AgentAudio":
            call = self.calls.get(event.get("call_id"))
            if call is not None and event.get("data"):
                self._agent_audio(call, event)
        elif kind == "AgentAudioDone":
            call = self.calls.get(event.get("call_id"))
            if call is not None:
                call.segments.answer_ends(self._stream(call.call_id), call.handle)
        elif kind in _CALLER_SAID and _by_caller(event):
            self._caller_finished(self.calls.get(event.get("call_id")) or self._only_call())

    def _agent_audio(self, call: LiveCall, event: Mapping[str, Any]) -> None:
        if not call.segments.heard:
            first = call.segments.answer_goes_on(self._stream(call.call_id), call.handle)
            if first and call.told_by_events:
                call.turns.answer_begins(call.handle, self.now(), self.wall())
            elif first:
                call.turns.answered_at = self.wall()
        if call.levels.wants_provider_audio:
            call.levels.take_provider_audio(event, call.handle, self.noise)

    def _caller_finished(self, call: LiveCall | None) -> None:
        if call is not None and call.told_by_events:
            call.turns.caller_finished(self.now(), self.wall())

    def _only_call(self) -> LiveCall | None:
        """Return the call of the provider whose events name none; it has one call at a time."""
        providers = (getattr(self.engine, "providers", None) or {}).values()
        found = [self.calls.get(getattr(provider, "call_id", None)) for provider in providers]
        known = [call for call in found if call is not None]
        return known[0] if len(known) == 1 else None

    def realtime_event(self, provider: Any, event: Mapping[str, Any]) -> None:
        """Take an event of OpenAI's, which the engine of October 2025 only logged."""
        if event.get("type") == "input_audio_buffer.speech_stopped":
            self._caller_finished(self.calls.get(getattr(provider, "_call_id", None)))

    def pipeline_answered(self, seconds: float) -> None:
        """Take a latency that the engine has measured without saying of which call.

        It has just computed it from the time of the call's last transcript, so that the difference
        tells which transcript that was.
        """
        wall = self.wall()
        measured = [
            (abs(wall - said - seconds), call)
            for call in self.calls
            if call.told_by_events and (said := self._transcript_time(call))
        ]
        nearest = min(measured, key=lambda entry: entry[0], default=None)
        if nearest is not None and nearest[0] <= PIPELINE_CLOCK_SECONDS:
            nearest[1].turns.measured(nearest[1].handle, seconds, wall)

    def _transcript_time(self, call: LiveCall) -> float:
        """Return when a pipeline last understood the caller, in unix seconds, or 0."""
        times = getattr(self.engine, "_last_transcript_ts", None) or {}
        return float(times.get(call.call_id) or 0.0)

    # Interruptions, and formats.

    def reaction_timed(self, seconds: float) -> None:
        """Take a reaction time that is about to be acted on."""
        self._pending_reaction.observed(seconds)

    def interruption_begins(self, call_id: str) -> barge_ins.Applied | None:
        """Note what is known before the engine acts on an interruption."""
        call = self.calls.get(call_id)
        return barge_ins.about_to_act(call.session, self._pending_reaction) if call else None

    def interrupted(self, applied: barge_ins.Applied | None, _result: object, call_id: str) -> None:
        """Report an interruption that the engine has acted on."""
        call = self.calls.get(call_id)  # it may have ended meanwhile
        if call is not None and applied is not None and barge_ins.acted(call.session, applied):
            call.handle.barge_in(applied.reaction)

    def reaction_of(self, call_id: object, seconds: float) -> None:
        """Report an interruption by a reaction time that names its call."""
        if (call := self.calls.get(call_id)) is not None:
            call.handle.barge_in(seconds)

    def formats_compared(
        self, _note: object, targets: object, session: Any, provider_name: object
    ) -> None:
        """Report the verdict that the engine has just written into the session."""
        call = self.calls.get(session.call_id)
        aligned = getattr(session, "codec_alignment_ok", None)
        if call is not None and isinstance(aligned, bool):
            detail = "" if aligned else self._misaligned(call, targets, provider_name)
            call.handle.codec_alignment(aligned, detail)

    def _misaligned(self, call: LiveCall, targets: object, provider_name: object) -> str:
        """Return the formats that differ, as code words: ``mulaw@8000>slin@8000``."""
        providers = getattr(self.engine, "_call_providers", None) or {}
        default = (getattr(self.engine, "providers", None) or {}).get(provider_name)
        config = getattr(providers.get(call.call_id) or default, "config", None)
        encoding = getattr(config, "target_encoding", None)
        rate = getattr(config, "target_sample_rate_hz", None)
        if not (encoding and rate and isinstance(targets, tuple) and len(targets) >= 2):
            return "misaligned"
        return f"{encoding}@{rate}>{targets[0]}@{targets[1]}".lower()

    # The timer.

    def look(self, call: LiveCall, seconds: float) -> None:
        """Take what the engine has recorded of a call since the last look."""
        if not call.handle.live:  # it has expired: the engine never ended it
            self._forget(call)
            return
        self._each(
            call,
            self._note_hang_up,
            self._note_transfer,
            self._note_names,
            self._look_for_turns,
            self._count_frames,
            lambda call: self._listen(call, seconds),
        )

    def _listen(self, call: LiveCall, seconds: float) -> None:
        """Take levels, and a frame to be looked at for noise, while the agent is in the call."""
        if call.transferred_at is None and call.hang_up is None:
            diagnostics = getattr(call.session, "audio_diagnostics", None)
            call.levels.take_levels(diagnostics, call.handle, seconds)
            self._look_at_waiting_audio(call)

    def _note_hang_up(self, call: LiveCall) -> None:
        if getattr(call.session, "cleanup_in_progress", False) is True:
            self.cleanup_begins(call.call_id)

    def _note_names(self, call: LiveCall) -> None:
        if (names := endings.names(call.session)) != call.names:
            call.names = names
            call.handle.call_updated(*names)

    def _note_transfer(self, call: LiveCall) -> None:
        if not endings.transferred(call.session):
            call.transferred_at = None
        elif call.transferred_at is None:
            call.transferred_at = self.now()

    def _look_for_turns(self, call: LiveCall) -> None:
        latencies = getattr(call.session, "turn_latencies_ms", None)
        call.turns.pick_up(latencies, call.handle, self.now(), self.wall())

    def _look_at_waiting_audio(self, call: LiveCall) -> None:
        info = self._stream(call.call_id)
        waiting = getattr(self.engine.streaming_playback_manager, "frame_remainders", None)
        if info is not None and isinstance(waiting, dict):
            call.levels.take_waiting_frame(info, waiting.get(call.call_id), call.handle, self.noise)


def _nobody_told(call_id: str) -> None:
    """Do nothing."""


_CALLER_SAID = frozenset({"UserStoppedSpeaking", "ConversationText", "transcript"})
"""Provider events after which the caller waits for an answer."""


def _by_caller(event: Mapping[str, Any]) -> bool:
    """Return whether an event tells of the caller's own words, and not of the agent's."""
    if event.get("type") == "UserStoppedSpeaking":
        return True
    words = event.get("text") or event.get("content")
    return event.get("role", "user") == "user" and bool(words) and words != "..."
