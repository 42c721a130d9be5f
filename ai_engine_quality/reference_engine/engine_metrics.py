"""The engine's own Prometheus metrics, moved by the mechanism they stand for.

Names, types, labels and buckets are the real engine's. Its counters count frames and segments, not
calls; its `frames_sent` includes the fillers; its turn histogram sees modular pipelines only.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from ai_engine_quality.reference_engine.events import (
    AudioHeard,
    BargedIn,
    CallEnded,
    CallEvent,
    CodecChecked,
    FellBack,
    FrameSent,
    Observer,
    SegmentEnded,
    SegmentStarted,
    TurnAnswered,
)
from ai_engine_quality.reference_engine.matrix import PlannedCall

_SEGMENT_BUCKETS = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0)
_TURN_BUCKETS = (0.2, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)
_REACTION_BUCKETS = (0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0)
_CALL_BUCKETS = (10, 30, 60, 120, 180, 300, 600, 900, 1_800, 3_600)


class EngineMetrics:
    """All calls' metrics on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._registered: list[MetricWrapperBase] = []
        self.streaming_active = self._gauge("streaming_active", "Segments being played")
        self.fallbacks = self._counter("streaming_fallbacks", "Falls back from streaming to a file")
        self.tx_bytes = self._counter("stream_tx_bytes", "Bytes sent to callers")
        self.rx_bytes = self._counter("stream_rx_bytes", "Bytes received from callers")
        self.frames_sent = self._counter("stream_frames_sent", "Frames sent, fillers included")
        self.underflows = self._counter("stream_underflow_events", "20 ms fillers inserted")
        self.filler_bytes = self._counter("stream_filler_bytes", "Bytes of fillers")
        self.started = self._counter("stream_started", "Segments started", "playback_type")
        self.end_reason = self._counter("stream_end_reason", "Segments ended", "reason")
        self.segment_duration = self._histogram(
            "stream_segment_duration_seconds",
            "Length of segments",
            _SEGMENT_BUCKETS,
            "playback_type",
        )
        self.barge_ins = self._counter("barge_in_events", "Times a caller interrupted the agent")
        self.barge_in_reaction = self._histogram(
            "barge_in_reaction_seconds", "Caller's onset until the agent stopped", _REACTION_BUCKETS
        )
        self.codec_alignment = self._gauge(
            "codec_alignment", "1 where formats match, 0 where not", "provider"
        )
        self.turn_response = self._histogram(
            "turn_response_seconds",
            "End of turn to first audio, pipelines only",
            _TURN_BUCKETS,
            "pipeline",
            "provider",
        )
        self.call_duration = self._histogram(
            "call_duration_seconds", "Length of calls", _CALL_BUCKETS, "pipeline", "provider"
        )

    def observe(self, plan: PlannedCall) -> Observer:
        """An observer that moves the metrics by what happens in one call."""
        return _CallMetrics(self, plan)

    def close(self) -> None:
        """Take the metrics off the registry."""
        while self._registered:
            self._registry.unregister(self._registered.pop())

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        counter = Counter(f"ai_agent_{name}", text, labels, registry=self._registry)
        self._registered.append(counter)
        return counter

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        gauge = Gauge(f"ai_agent_{name}", text, labels, registry=self._registry)
        self._registered.append(gauge)
        return gauge

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        histogram = Histogram(
            f"ai_agent_{name}", text, labels, registry=self._registry, buckets=buckets
        )
        self._registered.append(histogram)
        return histogram


class _CallMetrics:
    """An observer that moves the metrics by one call's events."""

    def __init__(self, metrics: EngineMetrics, plan: PlannedCall) -> None:
        self._metrics = metrics
        self._provider = plan.provider.name
        self._pipeline = plan.pipeline

    def __call__(self, event: CallEvent) -> None:
        metrics = self._metrics
        match event:
            case AudioHeard("transport_in", frame):
                metrics.rx_bytes.inc(len(frame))
            case FrameSent():
                self._sent(event)
            case SegmentStarted(kind):
                metrics.started.labels(kind).inc()
                metrics.streaming_active.inc()
            case SegmentEnded():
                metrics.streaming_active.dec()
                metrics.segment_duration.labels(event.kind).observe(event.seconds)
                metrics.end_reason.labels(event.end_reason).inc()
            case TurnAnswered(seconds) if self._pipeline is not None:
                metrics.turn_response.labels(self._pipeline, self._provider).observe(seconds)
            case BargedIn(reaction):
                metrics.barge_in_reaction.observe(reaction)
                metrics.barge_ins.inc()
            case FellBack():
                metrics.fallbacks.inc()
            case CodecChecked(aligned):
                metrics.codec_alignment.labels(self._provider).set(aligned)
            case CallEnded():
                pipeline = self._pipeline or "none"
                metrics.call_duration.labels(pipeline, self._provider).observe(event.duration)
            case _:
                pass

    def _sent(self, event: FrameSent) -> None:
        size = len(event.frame)
        self._metrics.frames_sent.inc()
        self._metrics.tx_bytes.inc(size)
        if event.filler:
            self._metrics.underflows.inc()
            self._metrics.filler_bytes.inc(size)
