"""The shell around the pure core: ``QualityMonitor`` holds the live calls and runs the hooks.

It lives in the engine's loop, so nothing here raises into the engine at run time, waits for
anything or grows without bound. Wrong use at set-up does raise, and says the fix.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from ai_engine_quality._version import __version__
from ai_engine_quality.core import observations
from ai_engine_quality.core.call import CallAccumulator
from ai_engine_quality.core.observations import DropReason, Rejected
from ai_engine_quality.core.policy import DEFAULT_POLICY, Policy
from ai_engine_quality.core.result import TOLD, CallScore
from ai_engine_quality.core.scoring import check_policy, score_among
from ai_engine_quality.core.summary import CallSummary
from ai_engine_quality.core.units import gone_words, value_words
from ai_engine_quality.live.audio import FrameBatch
from ai_engine_quality.live.background import FLUSH_SECONDS, BackgroundWriter
from ai_engine_quality.live.baseline import Baseline
from ai_engine_quality.live.by_id import ObservationsById
from ai_engine_quality.live.facts import CallCost, Retention, Sampling
from ai_engine_quality.live.handle import CallHandle
from ai_engine_quality.live.hooks import CallEndHook, HookRunner, HookT, hook_name
from ai_engine_quality.live.live_calls import LiveCalls
from ai_engine_quality.live.reporting import Reporter
from ai_engine_quality.live.sections import SECTIONS
from ai_engine_quality.live.stopping import forget_monitor, watch_monitor
from ai_engine_quality.live.upkeep import Upkeep
from ai_engine_quality.live.usual_pace import UsualPaces
from ai_engine_quality.settings import Settings
from ai_engine_quality.sinks.log import LogSink, Warnings
from ai_engine_quality.sinks.prometheus import PrometheusSink
from ai_engine_quality.sinks.prometheus.shared_files import FIX
from ai_engine_quality.sinks.records import RecordFile

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


MAX_OUTCOMES_TOLD = 64
"""Outcomes that are known or have been told."""

END_SECONDS = 4.0
"""How long the end of live calls may take when the process stops or the monitor is closed."""

HOOK_SECONDS = 2.0
"""How much of that hooks get; calls that end later end without them."""

ENDS_TO_FLUSH = 500
"""Ends of calls after which what they left to be written is waited for: it has to fit."""


class QualityMonitor(ObservationsById):
    """Scores every call of an engine; see the package's README for its use in one.

    Example:
        >>> from prometheus_client import CollectorRegistry
        >>> quality = QualityMonitor(registry=CollectorRegistry(), log=False)
        >>> quality.call_started("1761532874.2245", provider="deepgram")
        >>> call = quality.call("1761532874.2245")
        >>> for _ in range(20):
        ...     call.turn_response(0.4)
        >>> call.frames_sent(1200)
        >>> call.underflow(0)
        >>> score = call.call_ended(duration=60.0)
        >>> score.score, score.band.value
        (100, 'excellent')

    Args:
        policy: How calls are scored.
        registry: Where the metrics go; None is ``prometheus_client.REGISTRY``.
        clock: Monotonic seconds.
        wall_clock: Unix seconds, only to display.
        per_call_series: Whether finished calls have a sample of their own, with the call id
            as its label, for 15 minutes.
        records: A file that gets one JSON line per call.
        log: Whether each call is logged as ``call_quality_scored``.
        logger: A structlog logger; None is structlog's for ``ai_engine_quality`` where structlog is
            configured, and stderr where it isn't.
        retention: How long finished calls' samples stay.
        costs: What a minute costs, by provider.
        max_live_calls: Calls at once; further ones are refused, and counted.
        expire_after: Seconds after which a call that never ended expires, without a score.
        sampling: Which of the raw frames are measured.

    Raises:
        TypeError: an argument is of a wrong type.
        ValueError: an argument is out of range, or the registry has these metrics already.
    """

    def __init__(
        self,
        *,
        policy: Policy = DEFAULT_POLICY,
        registry: CollectorRegistry | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        per_call_series: bool = True,
        records: str | os.PathLike[str] | RecordFile | None = None,
        log: bool = True,
        logger: Any = None,
        retention: Retention | None = None,
        costs: Mapping[str, CallCost] | None = None,
        max_live_calls: int = 20_000,
        expire_after: float = 4 * 3600.0,
        sampling: Sampling | None = None,
    ) -> None:
        """Register the metrics; nothing else happens until a call starts."""
        check_policy(policy)
        _check_registry(registry)
        _check_clock("clock", clock)
        _check_clock("wall_clock", wall_clock)
        _check_flag("per_call_series", per_call_series)
        _check_flag("log", log)
        _check_logger(logger, log=log)
        self.policy = policy
        self._clock = clock
        self._wall_clock = wall_clock
        self._expire_after = expire_after
        self._records = _record_file(records)
        super().__init__(
            LiveCalls(max_live_calls=max_live_calls, expire_after=expire_after),
            FrameBatch(sampling, clock=clock),
        )
        self._known_outcomes = {
            *observations.OUTCOMES,
            *policy.not_scored.voicemail,
            *policy.not_scored.expired,
        }
        self._upkeep = Upkeep(self, self._live, clock)
        self._baseline = Baseline()
        self._paces = UsualPaces(policy)
        self._prometheus = PrometheusSink(
            registry=registry,
            clock=clock,
            live_calls=self._live.count,
            before_collect=self._upkeep.before_collect,
            per_call_series=per_call_series,
            retention=retention,
            costs=costs,
            version=__version__,
            policy_version=policy.version,
        )
        self._writer = BackgroundWriter()
        warnings = Warnings(clock, self._writer, self._warning_lost, logger)
        if self._prometheus.multiprocess and per_call_series:
            fix = "several processes can't withdraw series; pass per_call_series=False"
            warnings.warn("quality_per_call_series_off", "PROMETHEUS_MULTIPROC_DIR", fix=fix)
        if self._prometheus.little_room is not None:
            warnings.warn("quality_little_room", self._prometheus.little_room, fix=FIX)
        self._reporter = Reporter(self._prometheus, warnings)
        self._hooks = HookRunner(self._reporter.hook_failed)
        if self._records is not None:
            self._records.adopt(policy, self._reporter.record_lost, self._writer)
        self._log = LogSink(self._writer, self._log_lost, logger) if log else None
        self._own_hooks = self._outputs()
        self._inherited: frozenset[CallHandle] = frozenset()
        """Calls of the process that this one was forked from."""
        watch_monitor(self)

    @classmethod
    def from_settings(cls, settings: Settings, **overrides: Any) -> Self:
        """Return a monitor by a settings file and the environment.

        Args:
            settings: What ``load_settings`` returns.
            overrides: Arguments of the monitor that count more.

        Raises:
            TypeError: settings are none, or an override is of a wrong type.
            ValueError: as of ``QualityMonitor``.
        """
        if not isinstance(settings, Settings):
            raise TypeError(
                "settings must be Settings, such as load_settings('quality.toml'), "
                f"not {settings!r}"
            )
        return cls(**{**settings.monitor_arguments(), **overrides})

    def _outputs(self) -> HookRunner:
        """Return the library's own outputs, which are never given up, however slow."""
        outputs = HookRunner(self._reporter.hook_failed, max_slow_runs=math.inf)
        for output in (self._prometheus, self._records, self._log):
            if output is not None:
                outputs.add(output)
        return outputs

    def _log_lost(self, error: BaseException | None) -> None:
        self._reporter.log_lost(hook_name(self._log), error)

    def _warning_lost(self, _: BaseException | None) -> None:
        self._prometheus.dropped(DropReason.LOG_NOT_WRITTEN)

    def flush(self, timeout: float = FLUSH_SECONDS) -> bool:
        """Wait until what ended calls left to be logged and recorded is written.

        Returns:
            Whether ``timeout`` seconds sufficed.
        """
        return self._writer.flush(timeout)

    def close(self) -> None:
        """End the live calls, write what waits, and unregister the metrics.

        Live calls end as ``interrupted``: counted, recorded and told to hooks like others. All of
        it is bounded in time. A call that starts afterwards is still scored, logged and recorded,
        and is in no metric.
        """
        self.stop()
        forget_monitor(self)
        self._live.clear()
        self._prometheus.close()
        if self._records is not None:
            self._records.close()
        self.flush()
        self._writer.close()

    def stop(self) -> None:
        """End the live calls as ``interrupted``: the process stops, or the monitor is closed."""
        began = time.monotonic()
        until = began + END_SECONDS
        own = [handle for handle in self._live.all() if handle not in self._inherited]
        for number, handle in enumerate(own, start=1):
            now = time.monotonic()
            if now >= until:
                self._reporter.calls_lost(len(own) - number + 1)
                return
            self._interrupt(handle, hooks=now < began + HOOK_SECONDS)
            if number % ENDS_TO_FLUSH == 0:
                self._writer.flush(until - now)

    def _interrupt(self, handle: CallHandle, *, hooks: bool) -> None:
        try:
            self._finish(handle, outcome=INTERRUPTED, failed=False, duration=None, hooks=hooks)
        except Exception as error:
            self.drop(DropReason.INTERNAL_ERROR, error)

    def begin_anew(self) -> None:
        """Leave the live calls to the parent, unless they are ended here: in a forked child."""
        self._inherited = frozenset(self._handles.values())
        for part in (
            self._live,
            self.frames,
            self._baseline,
            self._paces,
            self._prometheus,
            self._log,
        ):
            if part is not None:
                part.begin_anew()

    # Hooks.

    def on_call_end(self, hook: HookT) -> HookT:
        """Run ``hook(score)`` after each call; a decorator. See ``add_hook``."""
        return self._hooks.add(hook)

    def add_hook(self, hook: CallEndHook) -> None:
        """Run ``hook(score)`` after each call.

        Raises:
            TypeError: it isn't callable, or is a coroutine function.
            ValueError: it is a hook already.
        """
        self._hooks.add(hook)

    def remove_hook(self, hook: CallEndHook) -> None:
        """Stop running a hook.

        Raises:
            ValueError: it isn't a hook.
        """
        self._hooks.remove(hook)

    # Calls.

    def call_started(
        self, call_id: str, provider: str | None = None, pipeline: str | None = None
    ) -> None:
        """Begin to listen to a call. A call that is live, or ended lately, is not begun again."""
        if SECTIONS.inside:
            SECTIONS.afterwards(partial(self.call_started, call_id, provider, pipeline))
            return
        try:
            self._start(observations.call_id(call_id), provider, pipeline)
        except Rejected as rejected:
            self.drop(rejected.reason, words=_call_words("call_started", call_id))
        except Exception as error:
            self.drop(DropReason.INTERNAL_ERROR, error)

    def _start(self, call_id: str, provider: object, pipeline: object) -> None:
        self.expire_calls()
        given = "call_started"
        call = CallAccumulator(
            call_id,
            started=self._clock(),
            started_at=self._wall_clock(),
            provider=self._reporter.checked(observations.name, provider, given, "provider"),
            pipeline=self._reporter.checked(observations.name, pipeline, given, "pipeline"),
        )
        handle = CallHandle(self, call, call_id, DropReason.CALL_ENDED)
        self._live.add(handle)
        handle.observe_turn = self._prometheus.call_started(call.provider, call.pipeline)
        self._publish_live()
        self._writer.start()

    def count_turn_stage(self, provider: str | None, stage: str, seconds: float) -> None:
        """Let the histogram have what a stage of a turn took; for the handle."""
        self._prometheus.turn_stage(provider, stage, seconds)

    def update_names(self, handle: CallHandle, provider: object, pipeline: object) -> None:
        """Set a call's provider and pipeline, where they are given; for the handle."""
        call = handle.accumulator
        if call is None:
            return
        checked = partial(self._reporter.checked, observations.name)
        names = (
            checked(provider, "call_updated", "provider") or call.provider,
            checked(pipeline, "call_updated", "pipeline") or call.pipeline,
        )
        if names != (call.provider, call.pipeline):
            call.provider, call.pipeline = names
            handle.observe_turn = self._prometheus.begin_series(*names)

    def call_ended(
        self,
        call_id: str,
        *,
        provider: str | None = None,
        pipeline: str | None = None,
        outcome: str | None = None,
        failed: bool = False,
        duration: float | None = None,
    ) -> CallScore | None:
        """End a call, score it and run the hooks. A second end does nothing but be counted.

        Args:
            call_id: The call.
            provider: Its provider, where now known better.
            pipeline: Its pipeline, likewise.
            outcome: What the engine calls the end, as a code word.
            failed: Whether the engine says that the call failed.
            duration: Seconds; None is the time since it started.

        Returns:
            Its score, with ``score=None`` and a reason where it is not scored; None for a call
            that is unknown or has ended already, and where this interrupts the library itself, as
            a finalizer or a signal handler may: the call then ends in a moment.
        """
        if SECTIONS.inside:
            named = {"provider": provider, "pipeline": pipeline, "outcome": outcome}
            more = {"failed": failed, "duration": duration}
            SECTIONS.afterwards(partial(self.call_ended, call_id, **named, **more))  # type: ignore[arg-type]  # as they came
            return None
        try:
            handle = self._find(call_id)
            if not handle.live:
                self.drop(handle.gone, words=_call_words("call_ended", call_id))
                return None
            if provider is not None or pipeline is not None:
                handle.call_updated(provider, pipeline)
            checked, given = self._reporter.checked, "call_ended"
            self._ask_about_length(handle, duration)
            ending = checked(observations.outcome, outcome, given, "outcome")
            has_failed = checked(observations.flag, failed, given, "failed") or False
            if ending is not None and not has_failed and ending not in self._known_outcomes:
                self._tell_outcome(ending)
            return self._finish(
                handle,
                outcome=ending,
                failed=has_failed,
                duration=checked(_call_seconds, duration, given, "duration"),
            )
        except Exception as error:
            self.drop(DropReason.INTERNAL_ERROR, error)
            return None

    def call_observed(self, summary: CallSummary) -> CallScore | None:
        """End a call that another process has observed: scored and told as this one's own.

        Args:
            summary: What was observed of it. The call may have been started here, or not.

        Returns:
            As ``call_ended``.
        """
        try:
            if not self._find(summary.call_id).live:
                self.call_started(summary.call_id, summary.provider, summary.pipeline)
            handle = self._find(summary.call_id)
            if not handle.live:
                self.drop(handle.gone, words=_call_words("call_observed", summary.call_id))
                return None
            handle.call_updated(summary.provider, summary.pipeline)
            if self._live.take(handle, self._clock()) is None:
                return None
            for seconds in summary.turn_latencies or ():
                handle.observe_turn(seconds)
            return self._tell(summary, {})
        except Exception as error:
            self.drop(DropReason.INTERNAL_ERROR, error)
            return None

    def _ask_about_length(self, handle: CallHandle, duration: object) -> None:
        """Ask about a duration that is a thousand times what the clock says."""
        call = handle.accumulator
        if call is None or type(duration) not in (int, float):
            return
        passed = self._clock() - call.started
        if passed >= 1.0 and duration > 300 * passed:  # type: ignore[operator]  # a number
            words = f"call_ended(duration={duration:.6g}) of call {call.call_id}: it began"
            words += f" {passed:.0f} s ago; are these milliseconds?"
            self.ask("duration", words)

    def _tell_outcome(self, outcome: str) -> None:
        """Say once that an outcome is not a usual one: a wrong word would count as a fine call."""
        if len(self._known_outcomes) < MAX_OUTCOMES_TOLD:
            self._known_outcomes.add(outcome)
            self._reporter.outcome_unknown(outcome)

    def _finish(
        self,
        handle: CallHandle,
        *,
        outcome: str | None,
        failed: bool,
        duration: float | None,
        known: bool = True,
        hooks: bool = True,
    ) -> CallScore | None:
        """Take a live call out, score it and run the hooks, once however often it is asked.

        Args:
            handle: The call.
            outcome: What its end is called.
            failed: Whether it failed.
            duration: Seconds; None is the time since it started.
            known: Whether the end is known; else the call has no duration.
            hooks: Whether hooks are run; the library's own outputs are.
        """
        now = self._clock()
        self._measure_frames()
        call = self._live.take(handle, now)
        if call is None:
            return None
        length = max(0.0, now - call.started) if duration is None and known else duration
        summary = call.freeze(duration=length, now=now, outcome=outcome, failed=failed, last=True)
        handle.count_last_turns(call, summary)
        return self._tell(summary, call.dropped or {}, hooks=hooks)

    def _tell(
        self, summary: CallSummary, dropped: Mapping[str, int], *, hooks: bool = True
    ) -> CallScore:
        """Score a call among its provider's, and let outputs and hooks have it."""
        among = self._paces.beside(summary)
        result = score_among(among, self.policy, self._baseline.place, dropped)
        self._paces.remember(result)
        self._own_hooks.run(result)
        if hooks:
            self._hooks.run(result)
        self._publish_live()
        return result

    def _measure_frames(self) -> None:
        """Measure the frames that wait; one that can't be measured must not stop a call's end."""
        try:
            self.frames.measure()
        except Exception as error:
            self.drop(DropReason.INTERNAL_ERROR, error)

    def expire_calls(self) -> int:
        """End some calls that never ended; return how many. Each start and scrape does so."""
        return self._upkeep.expire_calls()

    def expire(self, handle: CallHandle) -> None:
        """End a call that never ended, as expired: counted, and without a real duration."""
        self._prometheus.dropped(DropReason.EXPIRED_CALL)
        self._finish(handle, outcome="expired", failed=False, duration=None, known=False)

    def _publish_live(self) -> None:
        """Tell how many calls are live, where no scrape can ask: with several processes."""
        if self._prometheus.multiprocess:
            self._prometheus.publish_live(self._upkeep.rescore_some())

    # What the engine is, and what went wrong.

    def engine_info(self, *, version: str, audio_transport: str) -> None:
        """Tell dashboards which engine this is: its version, and ``audiosocket`` or ``rtp``."""
        try:
            self._prometheus.engine_info(version, audio_transport)
        except Exception as error:
            self.drop(DropReason.INTERNAL_ERROR, error)

    def hook_live(self, factor: str, live: bool, clock: str = TOLD) -> None:
        """Tell dashboards whether the engine delivers a factor's observations.

        Args:
            factor: Its name.
            live: Whether they are delivered.
            clock: ``heard`` at the engine's edge, or ``told`` by the engine.
        """
        try:
            self._prometheus.hook_live(factor, live, clock)
        except Exception:  # what is no truth value
            self.drop(DropReason.WRONG_TYPE)

    def drop(self, reason: DropReason, error: BaseException | None = None, words: str = "") -> None:
        """Count what was not taken, and warn once a minute. Never raises."""
        if SECTIONS.inside:
            SECTIONS.afterwards(partial(self._reporter.drop, reason, error, words))
        else:
            self._reporter.drop(reason, error, words)

    def ask(self, what: str, words: str) -> None:
        """Ask once a minute about a number that was taken and may be of another unit."""
        self._reporter.ask(what, words)


INTERRUPTED = "interrupted"
"""The outcome of calls that were live when the engine stopped."""


def _call_words(method: str, call_id: object) -> str:
    if not isinstance(call_id, str):
        return f"{method}(call_id={value_words(call_id)}) dropped: a call id is text"
    return gone_words(method, call_id)


def _call_seconds(value: object) -> float:
    return observations.seconds(value, observations.MAX_CALL_SECONDS)


def _check_registry(registry: object) -> None:
    if registry is not None and not callable(getattr(registry, "register", None)):
        raise TypeError(f"registry must be a prometheus_client.CollectorRegistry, not {registry!r}")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")


def _check_logger(logger: object, *, log: bool) -> None:
    """Refuse what has not the methods by which events are logged; None is structlog's own.

    One of ``logging`` has them, and would raise at each event: it takes no fields.
    """
    methods = ("info", "warning") if log else ("warning",)
    logs = all(callable(getattr(logger, name, None)) for name in methods)
    if logger is not None and (not logs or isinstance(logger, logging.Logger)):
        raise TypeError(
            f"logger must be a structlog logger, such as structlog.get_logger(), not {logger!r}; "
            "docs/Integration.md, The log, says how logging gets the events"
        )


def _check_clock(name: str, clock: object) -> None:
    if not callable(clock):
        raise TypeError(f"{name} must be a function that returns seconds, not {clock!r}")


def _record_file(records: str | os.PathLike[str] | RecordFile | None) -> RecordFile | None:
    if records is None or isinstance(records, RecordFile):
        return records
    if not isinstance(records, str | os.PathLike):
        raise TypeError(f"records must be a path or a RecordFile, not {records!r}")
    return RecordFile(records)
