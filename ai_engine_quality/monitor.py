"""The shell around the pure core: :class:`QualityMonitor` holds the live calls and runs the hooks.

It lives in the engine's loop, so nothing here raises into the engine at run time, waits for
anything or grows without bound. Wrong use at set-up does raise, and says the mend.
"""

from __future__ import annotations

import math
import time
from bisect import bisect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from ai_engine_quality._version import __version__
from ai_engine_quality.core import observations
from ai_engine_quality.core.call import CallAccumulator
from ai_engine_quality.core.observations import FRAME_SECONDS, DropReason, Rejected
from ai_engine_quality.core.policy import DEFAULT_POLICY, Policy
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.scoring import provisional_band, score
from ai_engine_quality.live.audio import FrameBatch, Sampling
from ai_engine_quality.live.baseline import Baseline
from ai_engine_quality.live.facts import NOT_SCORED, CallCost, Retention
from ai_engine_quality.live.handle import CallHandle
from ai_engine_quality.live.hooks import CallEndHook, HookRunner, HookT
from ai_engine_quality.live.live_calls import LiveCalls
from ai_engine_quality.settings import Settings
from ai_engine_quality.sinks.log import LogSink, Warnings
from ai_engine_quality.sinks.prometheus import UNKNOWN, PrometheusSink
from ai_engine_quality.sinks.records import RecordFile

if TYPE_CHECKING:
    import os

    from prometheus_client import CollectorRegistry

MAX_EXPIRED = 200
"""Calls that expire at once: after a jump of the clock all may be due, and audio has to go on."""


class QualityMonitor:
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
        """Register the metrics; nothing else happens until a call starts.

        Args:
            policy: How calls are scored.
            registry: Where the metrics go; None is ``prometheus_client.REGISTRY``.
            clock: Monotonic seconds.
            wall_clock: Unix seconds, only to display.
            per_call_series: Whether finished calls have a sample of their own, with the call id
                as its label, for 15 minutes.
            records: A file that gets one JSON line per call.
            log: Whether each call is logged as ``call_quality_scored``.
            logger: A structlog logger; None is structlog's for ``ai_engine_quality``.
            retention: How long finished calls' samples stay.
            costs: What a minute costs, by provider.
            max_live_calls: Calls at once; further ones are refused, and counted.
            expire_after: Seconds after which a call that never ended is scored as expired.
            sampling: Which of the raw frames are measured.

        Raises:
            TypeError: an argument is of a wrong type.
            ValueError: an argument is out of range, or the registry has these metrics already.
        """
        _check_arguments(policy, clock, wall_clock, max_live_calls, expire_after)
        self.policy = policy
        self._milestones = policy.milestones()
        self.frames = FrameBatch(_checked_sampling(sampling), clock=clock)
        self._clock = clock
        self._wall_clock = wall_clock
        self._expire_after = expire_after
        self._live = LiveCalls(max_calls=max_live_calls, expire_after=expire_after)
        self._handles = self._live.handles
        self._baseline = Baseline()
        self._unknown = CallHandle(self, None, "", DropReason.UNKNOWN_CALL)
        self._late = CallHandle(self, None, "", DropReason.CALL_ENDED)
        self._warnings = Warnings(clock, logger)
        self._hooks = HookRunner(self._hook_failed)
        self._prometheus = PrometheusSink(
            registry=registry,
            clock=clock,
            live_calls=self._live.count,
            before_collect=self._before_collect,
            per_call_series=per_call_series,
            retention=_checked_retention(retention),
            costs=_checked_costs(costs),
            version=__version__,
            policy_version=policy.version,
        )
        if self._prometheus.multiprocess and per_call_series:
            self._warnings.warn(
                "quality_per_call_series_off", "PROMETHEUS_MULTIPROC_DIR",
                mend="several processes can't withdraw series; pass per_call_series=False",
            )  # fmt: skip
        # The monitor's own outputs are never given up, however slow the machine is.
        self._own_hooks = HookRunner(self._hook_failed, max_slow_runs=math.inf)
        self._own_hooks.add(self._prometheus)
        if log:
            self._own_hooks.add(LogSink(logger))
        self._records = self._record_file(records)
        if self._records is not None:
            self._own_hooks.add(self._records)

    @classmethod
    def from_settings(cls, settings: Settings, **overrides: Any) -> Self:
        """Return a monitor by a settings file and the environment; see :mod:`settings`."""
        return cls(**{**settings.monitor_arguments(), **overrides})

    def _record_file(self, records: Any) -> RecordFile | None:
        if records is None:
            return None
        file = records if isinstance(records, RecordFile) else RecordFile(records)
        file.adopt(self.policy, self._record_lost)
        return file

    def close(self) -> None:
        """Unregister the metrics and write the records that wait. Live calls are forgotten."""
        self._live.clear()
        self._prometheus.close()
        if self._records is not None:
            self._records.close()

    # Hooks.

    def on_call_end(self, hook: HookT) -> HookT:
        """Run ``hook(score)`` after each call; a decorator. See :meth:`add_hook`."""
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
        try:
            self._start(observations.call_id(call_id), provider, pipeline)
        except Rejected as rejected:
            self.drop(rejected.reason)
        except Exception as error:
            self.drop(DropReason.INTERNAL_ERROR, error)

    def _start(self, call_id: str, provider: object, pipeline: object) -> None:
        self.expire_calls()
        call = CallAccumulator(
            call_id,
            started=self._clock(),
            started_at=self._wall_clock(),
            provider=self._name(provider),
            pipeline=self._name(pipeline),
        )
        handle = CallHandle(self, call, call_id, DropReason.CALL_ENDED)
        self._live.add(handle)
        self._prometheus.call_started(call.provider, call.pipeline)
        handle.observe_turn = self._prometheus.turn_observer(call.provider, call.pipeline)
        self._publish_live()

    def _name(self, value: object) -> str | None:
        """Return a normalised name; one of a wrong type is dropped, and the call goes on."""
        try:
            return observations.name(value)
        except Rejected as rejected:
            self.drop(rejected.reason)
            return None

    def call(self, call_id: str) -> CallHandle:
        """Return a call's handle, for observations without the id: the fast path.

        Observations of an unknown or ended call's handle are dropped and counted.
        """
        found = self._find(call_id)
        if found.live or not isinstance(call_id, str):
            return found
        gone = DropReason.CALL_ENDED if found is self._late else DropReason.UNKNOWN_CALL
        return CallHandle(self, None, call_id, gone)

    def _find(self, call_id: object) -> CallHandle:
        """Return the live handle, or the one that drops for unknown or for ended calls."""
        try:
            found = self._live.handles.get(call_id)  # type: ignore[call-overload]  # whatever it is
            if found is not None:
                return found  # type: ignore[no-any-return]  # as above
            return self._late if self._live.ended_lately(call_id) else self._unknown  # type: ignore[arg-type]  # as above
        except Exception:  # unhashable, or a foreign __eq__
            return self._unknown

    def turn_response(self, call_id: str, seconds: float) -> None:
        """Report a turn's latency: seconds from the end of the caller's turn to agent audio."""
        try:
            found = self._handles[call_id]
        except Exception:  # unknown, unhashable, or a foreign __eq__
            found = self._find(call_id)
        found.turn_response(seconds)

    def unanswered(self, call_id: str, waited: float) -> None:
        """Report a turn of the caller that never got a reply, and the seconds it waited."""
        self._find(call_id).unanswered(waited)

    def frames_sent(self, call_id: str, count: int) -> None:
        """Report 20 ms frames of agent speech that were played, fillers not included."""
        self._find(call_id).frames_sent(count)

    def underflow(self, call_id: str, count: int = 1, episodes: int | None = None) -> None:
        """Report 20 ms fillers, and in how many runs they came (None: unknown)."""
        self._find(call_id).underflow(count, episodes)

    def fallback(self, call_id: str, reason: str = "") -> None:
        """Report a fall from streaming to playing a file."""
        self._find(call_id).fallback(reason)

    def barge_in(self, call_id: str, reaction: float | None = None) -> None:
        """Report an interruption: seconds until the agent was silent, None where not timed."""
        self._find(call_id).barge_in(reaction)

    def codec_alignment(self, call_id: str, aligned: bool, detail: str = "") -> None:
        """Report a check of the formats on both sides of the engine."""
        self._find(call_id).codec_alignment(aligned, detail)

    def audio_level(
        self, call_id: str, stage: str, rms: float, *, seconds: float = FRAME_SECONDS
    ) -> None:
        """Report a 16-bit RMS that was measured elsewhere."""
        self._find(call_id).audio_level(stage, rms, seconds=seconds)

    def audio(
        self, call_id: str, stage: str, frame: bytes, *, encoding: str, sample_rate: int
    ) -> None:
        """Report a raw 20 ms frame: ulaw, alaw or slin16, at 8000, 16000 or 24000 Hz."""
        self._find(call_id).audio(stage, frame, encoding=encoding, sample_rate=sample_rate)

    def call_updated(
        self, call_id: str, provider: str | None = None, pipeline: str | None = None
    ) -> None:
        """Report the provider or the pipeline when they become known; None leaves it as it is."""
        self._find(call_id).call_updated(provider, pipeline)

    def update_names(self, handle: CallHandle, provider: object, pipeline: object) -> None:
        """Set a call's provider and pipeline, where they are given; for the handle."""
        call = handle.accumulator
        if call is None:
            return
        names = self._name(provider) or call.provider, self._name(pipeline) or call.pipeline
        if names != (call.provider, call.pipeline):
            call.provider, call.pipeline = names
            self._prometheus.begin_series(*names)
            handle.observe_turn = self._prometheus.turn_observer(*names)

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
            that is unknown or has ended already.
        """
        try:
            handle = self._find(call_id)
            if not handle.live:
                self.drop(handle.gone)
                return None
            handle.call_updated(provider, pipeline)
            return self._finish(
                handle,
                outcome=self._checked(observations.outcome, outcome),
                failed=self._checked(observations.flag, failed) or False,
                duration=self._checked(_call_seconds, duration),
            )
        except Exception as error:
            self.drop(DropReason.INTERNAL_ERROR, error)
            return None

    def _checked(self, check: Callable[[object], Any], value: object) -> Any:
        """Return a checked value, or None for one that is dropped: the call ends all the same."""
        if value is None:
            return None
        try:
            return check(value)
        except Rejected as rejected:
            self.drop(rejected.reason)
            return None

    def _finish(
        self, handle: CallHandle, *, outcome: str | None, failed: bool, duration: float | None
    ) -> CallScore | None:
        """Take a live call out, score it and run the hooks, once however often it is asked."""
        now = self._clock()
        self._measure_frames()
        call = self._live.take(handle, now)
        if call is None:
            return None
        length = max(0.0, now - call.started) if duration is None else duration
        result = self._placed(
            score(call.freeze(duration=length, outcome=outcome, failed=failed), self.policy)
        )
        self._own_hooks.run(result)
        self._hooks.run(result)
        self._publish_live()
        return result

    def _placed(self, result: CallScore) -> CallScore:
        """Return a score with where it stands among its provider's earlier calls."""
        if result.score is None:
            return result
        standing = self._baseline.place(result.summary.provider, result.score)
        return replace(result, standing=standing) if standing else result

    def _measure_frames(self) -> None:
        """Measure the frames that wait; one that can't be measured must not stop a call's end."""
        try:
            self.frames.measure()
        except Exception as error:
            self.drop(DropReason.INTERNAL_ERROR, error)

    def expire_calls(self) -> int:
        """Score some of the calls that never ended; return how many.

        Runs at each start and scrape, and each time takes a few: the loop that paces audio waits.
        """
        now = self._clock()
        self._live.forget_ended(now)
        for expired in range(MAX_EXPIRED):
            oldest = self._live.oldest_overdue(now)
            if oldest is None:
                return expired
            self._prometheus.dropped(DropReason.EXPIRED_CALL)
            self._finish(oldest, outcome="expired", failed=False, duration=self._expire_after)
        return MAX_EXPIRED

    # What the Prometheus sink asks.

    def _before_collect(self) -> None:
        """Bring everything that is collected up to date; never raises into a scrape."""
        try:
            self.expire_calls()
            self._live.rescore_some(self._provisional_band)
        except Exception as error:
            self.drop(DropReason.INTERNAL_ERROR, error)

    def _provisional_band(self, handle: CallHandle) -> str | None:
        """Return the band that a call would have if it ended now; None: nothing has changed."""
        call = handle.accumulator
        if call is None:
            return None
        duration = self._clock() - call.started
        progress = (*call.progress(), bisect(self._milestones, duration))
        if progress == handle.progress:
            return None
        handle.progress = progress
        band = provisional_band(call.freeze(duration=duration, listened=False), self.policy)
        return band.value if band else NOT_SCORED

    def _publish_live(self) -> None:
        if self._prometheus.multiprocess:
            self._live.rescore_some(self._provisional_band)
            self._prometheus.publish_live(self._live.count())

    # What the engine is, and what went wrong.

    def engine_info(self, *, version: str, audio_transport: str) -> None:
        """Tell dashboards which engine this is: its version, and ``audiosocket`` or ``rtp``."""
        self._prometheus.engine_info(version, audio_transport)

    def hook_live(self, factor: str, live: bool) -> None:
        """Tell dashboards whether the engine delivers a factor's observations."""
        self._prometheus.hook_live(factor, live)

    def drop(self, reason: DropReason, error: BaseException | None = None) -> None:
        """Count what was not taken, and warn once a minute. Never raises."""
        try:
            self._prometheus.dropped(reason)
            self._warnings.warn("quality_observation_dropped", reason.value, error)
        except Exception:
            # Nothing is left to tell it with, and the engine must not notice.
            return

    def _hook_failed(self, hook: str, error: BaseException | None) -> None:
        self._prometheus.hook_failed(hook)
        event = "quality_hook_slow" if error is None else "quality_hook_failed"
        self._warnings.warn(event, hook, error)

    def _record_lost(self, lost: int, error: BaseException | None) -> None:
        self._prometheus.dropped(DropReason.RECORD_NOT_WRITTEN, lost)
        self._warnings.warn("quality_record_not_written", type(error).__name__, error)


def _call_seconds(value: object) -> float:
    return observations.seconds(value, observations.MAX_CALL_SECONDS)


def _check_arguments(
    policy: object, clock: object, wall_clock: object, max_live_calls: object, expire_after: object
) -> None:
    if not isinstance(policy, Policy):
        raise TypeError(f"policy must be a Policy, such as Policy.load('v1'), not {policy!r}")
    for name, value in (("clock", clock), ("wall_clock", wall_clock)):
        if not callable(value):
            raise TypeError(f"{name} must be a function that returns seconds, not {value!r}")
    for name, value in (("max_live_calls", max_live_calls), ("expire_after", expire_after)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise ValueError(f"{name} must be a number over 0, not {value!r}")


def _checked_retention(retention: Retention | None) -> Retention:
    if retention is None:
        return Retention()
    if not isinstance(retention, Retention):
        raise TypeError(f"retention must be a Retention(...), not {retention!r}")
    return retention


def _checked_costs(costs: Mapping[str, CallCost] | None) -> dict[str, CallCost]:
    """Return the costs by normalised provider."""
    if costs is None:
        return {}
    if not isinstance(costs, Mapping) or not all(isinstance(name, str) for name in costs):
        raise TypeError(f"costs must be a CallCost(...) for each provider's name, not {costs!r}")
    for provider, cost in costs.items():
        if not isinstance(cost, CallCost):
            raise TypeError(
                f"the cost of {provider} must be a CallCost(per_minute, currency), not {cost!r}"
            )
    return {observations.name(provider) or UNKNOWN: cost for provider, cost in costs.items()}


def _checked_sampling(sampling: Sampling | None) -> Sampling:
    if sampling is None:
        return Sampling()
    if not isinstance(sampling, Sampling):
        raise TypeError(f"sampling must be a Sampling(...), not {sampling!r}")
    for name, every in sampling._asdict().items():
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"sampling.{name} must be a whole number over 0, not {every!r}")
    return sampling
