"""Factor by factor: sets what serves it on one engine, and reports what could be set.

Each name is probed, for its presence and its signature; what isn't as it was is reported, and the
rest works all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ai_engine_quality.adapters.ava import engine_facts, methods
from ai_engine_quality.adapters.ava.methods import EngineMethod
from ai_engine_quality.adapters.ava.observer import EngineObserver
from ai_engine_quality.adapters.notes import Noted, Notes, Take
from ai_engine_quality.adapters.report import CALLS, FactorReport, tried
from ai_engine_quality.adapters.timer import WHERE_FRAMES_ARE_SEEN
from ai_engine_quality.adapters.wraps import After, Before, CannotWrap, Wraps
from ai_engine_quality.core.observations import PROVIDER_IN, PROVIDER_OUT
from ai_engine_quality.core.policy import FACTORS

WITHIN = frozenset({PROVIDER_IN, PROVIDER_OUT})
"""Stages of which the ear needs no frame: they are nobody's track."""


def observe(engine: Any, observer: EngineObserver) -> dict[str, FactorReport]:
    """Set everything on an engine; return what became of each factor, ``calls`` first."""
    return _Factors(engine, observer).observe()


class _Probe:
    """Sets wraps on one engine's methods, where each is what it was."""

    def __init__(self, engine: Any, wraps: Wraps, notes: Notes) -> None:
        self._engine = engine
        self._wraps = wraps
        self._notes = notes

    def wrapped(
        self,
        method: EngineMethod,
        how: str = "",
        before: Before | None = None,
        after: After | None = None,
    ) -> FactorReport:
        """Wrap a method, and report; ``how`` is its name where nothing else is given."""
        return tried(how or str(method), lambda: self.wrap(method, before, after))

    def noted(self, method: EngineMethod, take: Take, **but: Any) -> FactorReport:
        """Note the calls of a method of the frame path, ``but`` for those of ``Noted``; report."""
        noted = Noted(self._notes, take, **but)
        return tried(str(method), lambda: self.wrap(method, noted=noted))

    def wrap(
        self,
        method: EngineMethod,
        before: Before | None = None,
        after: After | None = None,
        noted: Noted | None = None,
    ) -> None:
        """Wrap a method.

        Raises:
            CannotWrap: it isn't there, or isn't what it was.
        """
        part = getattr(self._engine, method.part, None) if method.part else self._engine
        if part is None:
            raise CannotWrap(f"{type(self._engine).__name__} has no {method.part}")
        self._wraps.set(
            part,
            method.name,
            method.arguments,
            coroutine=method.coroutine,
            before=before,
            after=after,
            noted=noted,
        )

    def histogram(self, name: str) -> Any:
        """Return a histogram of the engine's module.

        Raises:
            CannotWrap: it isn't there.
        """
        histogram = engine_facts.module_attribute(self._engine, name)
        if histogram is None:
            raise CannotWrap(f"the engine has no {name}")
        return histogram


class _Factors:
    """Each method returns the report on one factor."""

    def __init__(self, engine: Any, observer: EngineObserver) -> None:
        self._engine = engine
        self._observer = observer
        self._probe = _Probe(engine, observer.wraps, observer.context.notes)

    def observe(self) -> dict[str, FactorReport]:
        calls = _probed(self._calls)
        if not calls.live:
            why = f"no call is known without its start: {calls.why_not}"
            return {CALLS: calls, **dict.fromkeys(FACTORS, FactorReport.not_live(why))}
        events = self._probe.wrapped(
            methods.PROVIDER_EVENT, before=self._observer.events.provider_event
        )
        sent = _probed(self._sent)
        sound = _probed(lambda: self._both_tracks(sent))
        if sound.live:
            self._observer.timer.between = WHERE_FRAMES_ARE_SEEN
        given = self._given(sent, events)
        return {
            CALLS: calls,
            "latency": _probed(lambda: self._latency(events)).or_heard(sound),
            "underflow": self._with_losses(
                _probed(lambda: self._underflow(events)).or_heard(given)
            ),
            "fallback": _probed(self._fallback),
            "barge_in": _probed(self._barge_in).or_heard(sound),
            "codec": _probed(self._codec),
            "rms": _probed(self._levels),
        }

    def _sent(self) -> FactorReport:
        """Let the ear have each frame that is sent; over AudioSocket what is received, too."""
        if engine_facts.plays_files(self._engine):
            return FactorReport.not_live("answers are played from files (downstream_mode)")
        sent = self._probe.noted(
            methods.SOUND, self._observer.sound.measured, argument="stage", but_for=WITHIN
        )
        self._observer.sound.hears_agent = sent.live
        self._observer.levels.at_edge = not sent.live
        return sent

    def _both_tracks(self, sent: FactorReport) -> FactorReport:
        """Let the ear have what is received, where each frame of it passes what can be wrapped."""
        transport = engine_facts.audio_transport(self._engine)
        if not sent.live:
            return sent
        if transport == "audiosocket":
            return FactorReport(live=True, how=f"each frame of both tracks, by {sent.how}")
        sound = self._observer.sound
        received = self._probe.noted(methods.TRANSPORT_SOUND, sound.received)
        if not received.live and transport == "rtp":
            received = self._probe.noted(methods.RTP_SOUND, sound.received_by_rtp)
        if not received.live and transport == "rtp":
            received = self._probe.noted(methods.RTP_SOUND_2025, sound.received_from)
        if not received.live:
            return FactorReport.not_live(f"the caller's frames: {received.why_not}")
        sound.caller_is_measured = False
        return FactorReport(live=True, how=f"each frame, by {sent.how} and {received.how}")

    def _given(self, sent: FactorReport, events: FactorReport) -> FactorReport:
        """Return by what holes and cut answers are heard: what the provider gave, what is sent."""
        if not sent.live or not events.live:
            return events if sent.live else sent
        how = f"each frame that is sent, by {sent.how}, and what the provider gave, by {events.how}"
        return FactorReport(live=True, how=how)

    def _calls(self) -> FactorReport:
        lifecycle = self._observer.lifecycle
        start = self._probe.wrapped(methods.CALL_STARTS, before=lifecycle.call_started)
        if not start.live:
            return start
        self._probe.wrapped(  # without it, the timer sees a clean-up a little later
            methods.HANG_UP, before=lifecycle.cleanup_begins, after=lifecycle.cleanup_returned
        )
        files = self._probe.wrapped(methods.COMMANDED, after=self._observer.files.commanded)
        unseen = f"files that Asterisk plays aren't seen: {files.why_not}" if files.why_not else ""
        self._observer.streams.sees_all = files.live and tried("", self._check_streams).live
        return FactorReport(live=True, how=_with(f"from {start.how} to {self._ends()}", unseen))

    def _ends(self) -> str:
        """Observe the ends of calls; return by what, or what happens instead."""
        lifecycle = self._observer.lifecycle
        removed = self._probe.wrapped(methods.CALL_ENDS, after=lifecycle.call_removed)
        if removed.live:
            return removed.how
        forgotten = self._probe.wrapped(methods.CALL_FORGOTTEN, before=lifecycle.call_unregistered)
        if forgotten.live:
            return _with(forgotten.how, removed.why_not)
        return f"their expiry ({removed.why_not}; {forgotten.why_not})"

    def _latency(self, events: FactorReport) -> FactorReport:
        if engine_facts.session_has(self._engine, "turn_latencies_ms") is not False:
            return FactorReport(live=True, how="session.turn_latencies_ms, read by the timer")
        pipelines = tried("", self._tap_pipeline_turns)
        if not events.live and not pipelines.live:
            return FactorReport.not_live(f"{events.why_not}; {pipelines.why_not}")
        realtime = self._observer.realtime
        tried("", realtime.listen)
        self._probe.wrapped(methods.PROVIDERS_MADE, after=realtime.providers_loaded)
        by_events = (
            "provider events, from the caller's last words to the first agent audio (the local "
            "provider tells of no words)"
        )
        by_pipelines = "pipelines' ai_agent_turn_response_seconds"
        how = f"{_with(by_events, events.why_not)}; {_with(by_pipelines, pipelines.why_not)}"
        return FactorReport(live=True, how=how)

    def _tap_pipeline_turns(self) -> None:
        taps, answered = self._observer.taps, self._observer.turns.pipeline_answered

        def listen(child: Any, _labels: object) -> None:
            if not taps.listens_to(child):
                taps.observe(child, answered)

        taps.children(self._probe.histogram("_TURN_RESPONSE_SECONDS"), listen)

    def _underflow(self, events: FactorReport) -> FactorReport:
        how = "streaming_playback_manager.active_streams, before _cleanup_stream and by the timer"
        counts = tried(
            how if events.live else f"{how} (idle fillers count too: {events.why_not})",
            self._check_streams,
            self._wrap_stream_ends,
        )
        if counts.live and not engine_facts.fillers_are_counted(self._engine):
            return FactorReport.not_live("the engine plays no fillers where audio is missing")
        return counts

    def _with_losses(self, underflow: FactorReport) -> FactorReport:
        """Have what the phone reports, too: what never reached it was missing as well."""
        losses = tried("", self._observer.phone.listen)
        if not underflow.live:
            return underflow
        but = f"packets lost on the way to the phone: {losses.why_not}" if losses.why_not else ""
        also = "" if but else "; packets lost on the way to the phone, by ARI's ChannelVarset"
        return replace(underflow, how=f"{_with(underflow.how, but)}{also}")

    def _check_streams(self) -> None:
        manager = getattr(self._engine, "streaming_playback_manager", None)
        if not isinstance(getattr(manager, "active_streams", None), dict):
            raise CannotWrap("the engine has no streaming_playback_manager.active_streams")

    def _wrap_stream_ends(self) -> None:
        streams = self._observer.streams
        self._probe.wrap(
            methods.STREAM_ENDS, before=streams.stream_ends, after=streams.stream_ended
        )

    def _fallback(self) -> FactorReport:
        streams = self._observer.streams
        report = self._probe.wrapped(methods.FALLBACK, before=streams.fell_back)
        if not report.live and engine_facts.session_has(self._engine, "streaming_fallback_count"):
            streams.reads_fallback_count = True
            how = f"session.streaming_fallback_count at the end, without reasons: {report.why_not}"
            return FactorReport(live=True, how=how)
        return report

    def _barge_in(self) -> FactorReport:
        histogram = engine_facts.module_attribute(self._engine, "_BARGE_REACTION_SECONDS")
        observer = self._observer.barge_ins
        if getattr(histogram, "_labelnames", ()):
            return tried(
                "ai_agent_barge_in_reaction_seconds{call_id}; one that isn't timed is unseen",
                lambda: self._observer.taps.children(histogram, observer.own_histogram),
            )
        reaction = tried("", self._tap_reactions)
        return self._probe.wrapped(
            methods.BARGE_IN,
            _with("_apply_barge_in_action, and the reaction timed just before", reaction.why_not),
            before=observer.action_begins,
            after=observer.action_returned,
        )

    def _tap_reactions(self) -> None:
        histogram = self._probe.histogram("_BARGE_REACTION_SECONDS")
        self._observer.taps.observe(histogram, self._observer.barge_ins.reaction_timed)

    def _codec(self) -> FactorReport:
        return self._probe.wrapped(
            methods.FORMATS_COMPARED,
            "_resolve_stream_targets, and frame_remainders for noise",
            after=self._observer.formats.formats_compared,
        )

    def _levels(self) -> FactorReport:
        if engine_facts.session_has(self._engine, "audio_diagnostics") is False:
            return FactorReport.not_live("the engine's sessions have no audio_diagnostics")
        return FactorReport(live=True, how="session.audio_diagnostics, read by the timer")


def _probed(probe: Callable[[], FactorReport]) -> FactorReport:
    """Return the report on a factor; an engine's attribute may raise when it is looked at."""
    try:
        return probe()
    except Exception as error:
        return FactorReport.not_live(repr(error))


def _with(how: str, but: str) -> str:
    """Return how something is observed, with what is missing in brackets."""
    return f"{how} ({but})" if but else how
