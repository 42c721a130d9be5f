"""What is read at the moment of a scrape: the per-call samples, and the calls in progress."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import RLock
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.samples import Sample

from ai_engine_quality.core.later import Later
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.history.causes import points_lost
from ai_engine_quality.live.facts import LiveCount, Retention
from ai_engine_quality.live.sections import SECTIONS
from ai_engine_quality.sinks.prometheus.metrics import PREFIX, Registration

SEEN_SECONDS = 60.0
"""A sample that the bound evicts at a younger age may have been seen by nobody, and is counted."""

_SCORE = "call_quality_score"
_LOST = "call_quality_points_lost"
_TURNS = "call_quality_turns"
_ACTIVE = "calls_active"
_LIVE = "live_calls"
_SILENT = "calls_silent"
_RETAINED = "quality_series_retained"
_HELP = {
    _SCORE: "Quality score of a finished call, 0 to 100; shown for 15 minutes after its end.",
    _LOST: "Points that a finished call lost, by factor, and by the ceiling that held it.",
    _TURNS: "Turns of the caller in a finished call with a score.",
    _ACTIVE: "Calls in progress, whether anybody speaks or not.",
    _LIVE: "Calls in progress by the band that they would have if they ended now.",
    _SILENT: "Calls in progress of which nothing was observed for so long, such as leaked ones.",
    _RETAINED: "Finished calls whose sample is still shown.",
}
_NAMES = {name: f"{PREFIX}{name}" for name in _HELP}
_PER_CALL = {
    _SCORE: ("call_id",),
    _TURNS: ("call_id", "provider"),
    _LOST: ("call_id", "factor"),
}


class CallSamples(NamedTuple):
    """What is shown of one finished call: made at the first scrape, shown at many."""

    score: Sample
    turns: Sample
    lost: tuple[Sample, ...]
    """Only of what it lost: of a perfect call none."""

    @classmethod
    def of(cls, call: CallScore, provider: str) -> CallSamples:
        """Return the samples of a call that has a score, and of its provider's label."""
        mine = {"call_id": call.call_id}
        return cls(
            Sample(_NAMES[_SCORE], mine, call.score or 0),
            Sample(_NAMES[_TURNS], {**mine, "provider": provider}, call.turns),
            tuple(
                Sample(_NAMES[_LOST], {**mine, "factor": cause.name}, round(cause.points, 2))
                for cause in points_lost(call)
            ),
        )


class RetainedScores:
    """Finished calls' samples, bounded in time and number of calls: see ``Retention``."""

    def __init__(self, retention: Retention, on_evicted: Callable[[], None]) -> None:
        self._retention = retention
        self._on_evicted = on_evicted
        self.begin_anew()
        self._calls: OrderedDict[str, tuple[float, Later[CallSamples]]] = OrderedDict()
        """When each call ended, and its samples, made when they are first shown. Oldest first."""

    def begin_anew(self) -> None:
        """In a forked child: the lock may be held by a thread that isn't there."""
        self._lock = RLock()

    def add(self, call: CallScore, provider: str, now: float) -> None:
        """Keep a finished call's samples; what exceeds the bound goes, the oldest first."""
        call_id, samples = call.call_id, Later(partial(CallSamples.of, call, provider))
        with SECTIONS, self._lock:
            self._calls.pop(call_id, None)
            self._calls[call_id] = now, samples
            while len(self._calls) > self._retention.max_calls:
                _, (ended, _) = self._calls.popitem(last=False)
                if now - ended < SEEN_SECONDS:
                    self._on_evicted()

    def shown(self, now: float) -> list[CallSamples]:
        """Return the calls whose samples are shown now; whoever reads them takes nothing away."""
        with SECTIONS, self._lock:
            while self._calls:
                call_id, (ended, _) = next(iter(self._calls.items()))
                if now - ended < self._retention.max_seconds:
                    break  # ordered by age: the rest is younger
                del self._calls[call_id]
            return [samples.get() for _, samples in self._calls.values()]


class Collected:
    """What the registry asks at each scrape."""

    def __init__(
        self,
        retained: RetainedScores,
        *,
        clock: Callable[[], float],
        live_calls: Callable[[], LiveCount],
        before_collect: Callable[[], None],
    ) -> None:
        self._retained = retained
        self._clock = clock
        self._live_calls = live_calls
        self._before_collect = before_collect

    def describe(self) -> list[Metric]:
        """Return the families' names and types, so that duplicates are refused."""
        labels = {**_PER_CALL, _LIVE: ("band",), _SILENT: ("longer_than",)}
        return [_family(name, labels.get(name, ()), []) for name in _HELP]

    def collect(self) -> Iterator[Metric]:
        """Yield the families with their samples."""
        self._before_collect()
        live = self._live_calls()
        shown = self._retained.shown(self._clock())
        of_calls = {
            _SCORE: [call.score for call in shown],
            _TURNS: [call.turns for call in shown],
            _LOST: [sample for call in shown for sample in call.lost],
        }
        for name, samples in of_calls.items():
            family = _family(name, _PER_CALL[name], [])
            family.samples = samples
            yield family
        yield _family(_ACTIVE, (), [((), live.active)])
        by_band = [((band,), count) for band, count in live.by_band.items()]
        yield _family(_LIVE, ("band",), by_band)
        silent = [((name,), count) for name, count in live.silent.items()]
        yield _family(_SILENT, ("longer_than",), silent)
        yield _family(_RETAINED, (), [((), len(shown))])


class LiveGauges:
    """The same for several processes, where nothing can be collected: plain gauges, set."""

    def __init__(self, registration: Registration) -> None:
        self._active = registration.live_gauge(_ACTIVE, _HELP[_ACTIVE])
        self._by_band = registration.live_gauge(_LIVE, _HELP[_LIVE], ("band",))
        self._silent = registration.live_gauge(_SILENT, _HELP[_SILENT], ("longer_than",))
        # There, and 0: no call has a sample of its own where samples can't be withdrawn.
        registration.live_gauge(_RETAINED, _HELP[_RETAINED])

    def publish(self, live: LiveCount) -> None:
        """Set them."""
        self._active.set(live.active)
        for band, count in live.by_band.items():
            self._by_band.labels(band).set(count)
        for name, count in live.silent.items():
            self._silent.labels(name).set(count)


def _family(
    name: str, labels: Sequence[str], values: Sequence[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"{PREFIX}{name}", _HELP[name], labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family
