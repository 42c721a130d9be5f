"""The AVA engine, today's and that of October 2025, observed without editing it.

Every name here is private to the engine and was looked up in its source. So each one is probed, for
its presence and its signature; what isn't as it was is reported, and the rest works all the same.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from ai_engine_quality.adapters.ava import engine_facts
from ai_engine_quality.adapters.ava.observer import EngineObserver
from ai_engine_quality.adapters.report import CALLS, FactorReport, tried
from ai_engine_quality.adapters.taps import Taps
from ai_engine_quality.adapters.wraps import CannotWrap, Left, Wraps
from ai_engine_quality.core.policy import FACTORS
from ai_engine_quality.monitor import QualityMonitor
from ai_engine_quality.settings import load_settings

_log = structlog.get_logger("ai_engine_quality")

_attached: weakref.WeakValueDictionary[int, Attachment] = weakref.WeakValueDictionary()
"""By the engine's id. An attachment lives as long as a wrap of it does."""


def attach(engine: Any, monitor: QualityMonitor | None = None) -> Attachment:
    """Observe an engine, after it was made and before it is started.

    Attributes of this one engine are wrapped; its classes are left alone.

    Args:
        engine: The engine.
        monitor: Whom to report to; None is a monitor of this process, made from the settings file
            and the environment when it is first needed.

    Returns:
        The attachment; the one there is, where the engine has one already.

    Raises:
        ValueError: it is attached to another monitor; or the default registry has a monitor
            already, which should be handed over then.
        SettingsError: a setting can't be used.
    """
    found = _attached.get(id(engine))
    if found is not None and found.engine is engine:
        if monitor is not None and monitor is not found.monitor:
            raise ValueError("this engine is attached to another monitor; detach() that one first")
        return found
    return Attachment(engine, monitor)


class Attachment:
    """An engine that is observed. Made by ``attach``."""

    def __init__(self, engine: Any, monitor: QualityMonitor | None) -> None:
        self.engine = engine
        self._own_monitor = monitor is None
        self.monitor = _own_monitor.use() if monitor is None else monitor
        self._observer = EngineObserver(engine, self.monitor)
        self._wraps = Wraps(self._observer.failed)
        self._taps = Taps(self._observer.failed)
        self._reaction_children: dict[str, Any] = {}
        self._report = self._observe_all()
        self._detached = False
        _attached[id(engine)] = self._observer.attachment = self
        self._tell()

    def report(self) -> dict[str, FactorReport]:
        """Return, by factor, whether it is observed, and how or why not. ``calls`` comes first."""
        return dict(self._report)

    def detach(self) -> tuple[Left, ...]:
        """Leave the engine as it was before.

        Calls in progress are not observed any further, and expire.

        Returns:
            What had to stay, because somebody has wrapped it since: it only passes calls through.
        """
        if self._detached:
            return ()
        self._detached = True
        self._observer.timer.cancel()
        self._observer.calls.clear()
        left = (*self._wraps.restore(), *self._taps.leave_all())
        _attached.pop(id(self.engine), None)
        for factor in self._report:
            self.monitor.hook_live(factor, live=False)
        if left:
            _log.warning("quality_wraps_left", left=[str(wrap) for wrap in left])
        if self._own_monitor:
            _own_monitor.leave()
        return left

    def _tell(self) -> None:
        """Tell dashboards and the log, once, what this engine delivers."""
        self.monitor.engine_info(
            version=engine_facts.version(self.engine),
            audio_transport=engine_facts.audio_transport(self.engine),
        )
        for factor, report in self._report.items():
            self.monitor.hook_live(factor, live=report.live)
        missing = {name: report.why_not for name, report in self._report.items() if not report.live}
        live = [name for name in self._report if name not in missing]
        level = _log.warning if missing else _log.info
        level("quality_attached", live=live, missing=missing)

    # One method per factor: which of the engine's attributes serves it.

    def _observe_all(self) -> dict[str, FactorReport]:
        calls = self._observe_calls()
        if not calls.live:
            why = f"no call is known without its start: {calls.why_not}"
            dead = FactorReport(live=False, how="", why_not=why)
            return {CALLS: calls, **dict.fromkeys(FACTORS, dead)}
        events = self._observe_provider_events()
        by_factor = {
            "latency": self._observe_latency(events),
            "underflow": self._observe_underflow(events),
            "fallback": self._observe_fallback(),
            "barge_in": self._observe_barge_in(),
            "codec": self._observe_codec(),
            "rms": self._observe_levels(),
        }
        return {CALLS: calls, **by_factor}

    def _set(self, owner: str, name: str, *arguments: str, **how: Any) -> None:
        """Wrap an attribute of the engine, or of one of its parts."""
        part = getattr(self.engine, owner, None) if owner else self.engine
        if part is None:
            raise CannotWrap(f"{type(self.engine).__name__} has no {owner}")
        self._wraps.set(part, name, arguments, **{"coroutine": True, **how})

    def _observe_calls(self) -> FactorReport:
        observer = self._observer
        start = tried(
            "from conversation_coordinator.register_call",
            lambda: self._set(
                "conversation_coordinator", "register_call", "session",
                before=observer.call_started,
            ),
        )  # fmt: skip
        if not start.live:
            return start
        tried(  # without it, the timer sees a clean-up a little later
            "",
            lambda: self._set(
                "", "_cleanup_call", "channel_or_call_id",
                before=observer.cleanup_begins, after=observer.cleanup_returned,
            ),
        )  # fmt: skip
        return FactorReport(live=True, how=f"{start.how} to {self._observe_ends()}")

    def _observe_ends(self) -> str:
        """Observe the ends of calls; return by what, or what happens instead."""
        observer = self._observer
        removed = tried(
            "session_store.remove_call",
            lambda: self._set(
                "session_store", "remove_call", "call_id", after=observer.call_removed
            ),
        )
        if removed.live:
            return removed.how
        unregistered = tried(
            f"conversation_coordinator.unregister_call ({removed.why_not})",
            lambda: self._set(
                "conversation_coordinator", "unregister_call", "call_id",
                before=observer.call_unregistered,
            ),
        )  # fmt: skip
        return unregistered.how or f"their expiry ({removed.why_not}; {unregistered.why_not})"

    def _observe_provider_events(self) -> str:
        """Listen to the providers; return why that can't be, or nothing."""
        report = tried(
            "on_provider_event",
            lambda: self._set(
                "", "on_provider_event", "event", before=self._observer.provider_event
            ),
        )
        return report.why_not

    def _observe_latency(self, no_events: str) -> FactorReport:
        if engine_facts.session_has(self.engine, "turn_latencies_ms") is not False:
            return FactorReport(live=True, how="session.turn_latencies_ms, looked at by the timer")
        pipelines = tried("", self._observe_pipeline_turns)
        if no_events and not pipelines.live:
            return FactorReport(live=False, how="", why_not=f"{no_events}; {pipelines.why_not}")
        self._observe_realtime_providers()
        ways = {
            "provider events, from the caller's last words to the first agent audio (the local "
            "provider tells of no words)": no_events,
            "pipelines' ai_agent_turn_response_seconds": pipelines.why_not,
        }
        return FactorReport(live=True, how="; ".join(_said(way, why) for way, why in ways.items()))

    def _observe_pipeline_turns(self) -> None:
        histogram = engine_facts.module_attribute(self.engine, "_TURN_RESPONSE_SECONDS")
        if histogram is None:
            raise CannotWrap("the engine has no _TURN_RESPONSE_SECONDS")
        self._taps.children(histogram, self._pipeline_child)

    def _pipeline_child(self, child: Any, _labels: object) -> None:
        if not self._taps.listens_to(child):
            self._taps.observe(child, self._observer.pipeline_answered)

    def _observe_realtime_providers(self) -> None:
        """Listen to OpenAI's own events: the providers are made when the engine starts."""
        tried("", self._watch_providers)
        tried(
            "", lambda: self._set("", "_load_providers", after=lambda *_: self._watch_providers())
        )

    def _watch_providers(self) -> None:
        for provider in (getattr(self.engine, "providers", None) or {}).values():
            if hasattr(provider, "_call_id") and not self._wraps.has(provider, "_handle_event"):
                tried("", partial(self._watch_provider, provider))

    def _watch_provider(self, provider: Any) -> None:
        self._wraps.set(
            provider, "_handle_event", ("event",), coroutine=True,
            before=partial(self._observer.realtime_event, provider),
        )  # fmt: skip

    def _observe_underflow(self, no_events: str) -> FactorReport:
        how = "streaming_playback_manager.active_streams, before _cleanup_stream and by the timer"
        how = _said(how, f"idle fillers count too: {no_events}" if no_events else "")
        return tried(how, self._check_streams, self._observe_stream_ends)

    def _check_streams(self) -> None:
        manager = getattr(self.engine, "streaming_playback_manager", None)
        if not isinstance(getattr(manager, "active_streams", None), dict):
            raise CannotWrap("the engine has no streaming_playback_manager.active_streams")

    def _observe_stream_ends(self) -> None:
        self._set(
            "streaming_playback_manager", "_cleanup_stream", "call_id", "stream_id",
            before=self._observer.stream_ends, after=self._observer.stream_ended,
        )  # fmt: skip

    def _observe_fallback(self) -> FactorReport:
        report = tried(
            "streaming_playback_manager._record_fallback",
            lambda: self._set(
                "streaming_playback_manager", "_record_fallback", "call_id", "reason",
                before=self._observer.fell_back,
            ),
        )  # fmt: skip
        if not report.live and engine_facts.session_has(self.engine, "streaming_fallback_count"):
            self._observer.reads_fallback_count = True
            how = f"session.streaming_fallback_count at the end, without reasons: {report.why_not}"
            return FactorReport(live=True, how=how)
        return report

    def _observe_barge_in(self) -> FactorReport:
        histogram = engine_facts.module_attribute(self.engine, "_BARGE_REACTION_SECONDS")
        if getattr(histogram, "_labelnames", ()):
            self._observer.forgotten = self._forget_reactions
            return tried(
                "ai_agent_barge_in_reaction_seconds{call_id}; one that isn't timed is unseen",
                lambda: self._taps.children(histogram, self._reaction_child),
            )
        reaction = tried("", lambda: self._observe_reactions(histogram))
        how = _said("_apply_barge_in_action, and the reaction timed just before", reaction.why_not)
        return tried(
            how,
            lambda: self._set(
                "", "_apply_barge_in_action", "call_id",
                before=self._observer.interruption_begins, after=self._observer.interrupted,
            ),
        )  # fmt: skip

    def _observe_reactions(self, histogram: Any) -> None:
        if histogram is None:
            raise CannotWrap("the engine has no _BARGE_REACTION_SECONDS")
        self._taps.observe(histogram, self._observer.reaction_timed)

    def _reaction_child(self, child: Any, labels: tuple[Any, ...]) -> None:
        call_id = str(labels[0])
        if self._observer.calls.get(call_id) is not None and not self._taps.listens_to(child):
            self._taps.observe(child, partial(self._observer.reaction_of, call_id))
            self._reaction_children[call_id] = child

    def _forget_reactions(self, call_id: str) -> None:
        """Leave an ended call's own child of the histogram alone: the engine keeps them all."""
        child = self._reaction_children.pop(call_id, None)
        if child is not None:
            self._taps.leave(child)

    def _observe_codec(self) -> FactorReport:
        return tried(
            "_resolve_stream_targets, and frame_remainders for noise",
            lambda: self._set(
                "", "_resolve_stream_targets", "session", "provider_name",
                coroutine=False, after=self._observer.formats_compared,
            ),
        )  # fmt: skip

    def _observe_levels(self) -> FactorReport:
        if engine_facts.session_has(self.engine, "audio_diagnostics") is False:
            return FactorReport(
                live=False, how="", why_not="the engine's sessions have no audio_diagnostics"
            )
        return FactorReport(live=True, how="session.audio_diagnostics, looked at by the timer")


def _said(way: str, but: str) -> str:
    return f"{way} ({but})" if but else way


class _OwnMonitor:
    """The monitor of those who brought none: one for all of them, closed by the last to leave."""

    def __init__(self, make: Callable[[], QualityMonitor]) -> None:
        self._make = make
        self._monitor: QualityMonitor | None = None
        self._users = 0

    def use(self) -> QualityMonitor:
        """Return the monitor, made on first use."""
        if self._monitor is None:
            self._monitor = self._make()
        self._users += 1
        return self._monitor

    def leave(self) -> None:
        """Close it where nobody uses it any more."""
        self._users -= 1
        if self._users == 0 and self._monitor is not None:
            self._monitor.close()
            self._monitor = None


_own_monitor = _OwnMonitor(lambda: QualityMonitor.from_settings(load_settings()))
