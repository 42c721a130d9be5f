"""The engine's own Prometheus metrics, moved by the mechanism they stand for.

Its counters count frames and segments, not calls; its `frames_sent` includes the fillers; its turn
histogram sees modular pipelines only. All of this is as in the real engine.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry

from ai_engine_lab.basics.audio_formats import decode, rms, samples_of
from ai_engine_lab.engine.config_metrics import expose_settings
from ai_engine_lab.engine.events import (
    AudioHeard,
    BargedIn,
    BufferSampled,
    BurstArrived,
    ByteOrderCorrected,
    CallEnded,
    CallEvent,
    CallStarted,
    CodecChecked,
    ConnectionChanged,
    FellBack,
    FrameSent,
    KeptAlive,
    NoInputNoticed,
    Observer,
    SegmentEnded,
    SegmentHeard,
    SegmentStarted,
    SpeechSynthesised,
    StateChanged,
    ToolCalled,
    TurnAnswered,
    VoiceJudged,
    WatchdogChanged,
    tell_all,
)
from ai_engine_lab.engine.inventory import GENERATIONS, Generation
from ai_engine_lab.engine.metric_store import CallLedger, MetricStore
from ai_engine_lab.engine.plans import PlannedCall
from ai_engine_lab.engine.provider_metrics import ProviderMetrics
from ai_engine_lab.engine.settings import EngineSettings
from ai_engine_lab.engine.tools import TOOL_SERVER
from ai_engine_lab.engine.wire_metrics import WireMetrics

NEWEST: Final = GENERATIONS[-1]
STATES: Final = ("greeting", "listening", "processing")
DIAGNOSED_FRAMES: Final = 5
"""Of so many frames of a stage one is measured: the gauge shows the last one anyway."""


class EngineMetrics:
    """All calls' metrics on one registry."""

    def __init__(
        self,
        registry: CollectorRegistry,
        generation: Generation = NEWEST,
        settings: EngineSettings | None = None,
    ) -> None:
        self._store = MetricStore(registry, generation)
        self._settings = settings or EngineSettings()
        self._store.set_for_all("mcp_server_up", 1, TOOL_SERVER)

    @property
    def generation(self) -> Generation:
        """Which form of the engine they are those of."""
        return self._store.generation

    def observe(self, plan: PlannedCall) -> Observer:
        """An observer that moves the metrics by what happens in one call."""
        ledger = self._store.ledger(plan.call_id)
        return tell_all(
            (
                _CallMetrics(ledger, plan, self._settings),
                _TurnMetrics(ledger, plan),
                _StreamMetrics(ledger),
                _CallerMetrics(ledger),
                WireMetrics(ledger),
                ProviderMetrics(ledger, plan.provider.name),
                _Closing(ledger),
            )
        )

    def close(self) -> None:
        """Take the metrics off the registry."""
        self._store.close()


class _CallMetrics:
    """The call as a whole."""

    def __init__(self, ledger: CallLedger, plan: PlannedCall, settings: EngineSettings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._model = plan.provider
        self._agent = _agent(plan)

    def __call__(self, event: CallEvent) -> None:
        ledger = self._ledger
        match event:
            case CallStarted():
                self._begin()
            case ConnectionChanged(connected):
                ledger.set("audiosocket_active_connections", connected)
            case StateChanged(state):
                for known in STATES:
                    ledger.set("conversation_state", known == state, known)
            case WatchdogChanged(active):
                ledger.set("no_input_watchdogs_active", active)
            case CodecChecked(aligned):
                ledger.set("codec_alignment", aligned, self._model.name)
            case CallEnded():
                ledger.observe("call_duration_seconds", event.duration, *self._agent)
            case _:
                pass

    def _begin(self) -> None:
        self._ledger.set("tts_gating_active", 0)
        self._ledger.set("audio_capture_enabled", 1)
        expose_settings(self._ledger, self._settings, self._model)


class _TurnMetrics:
    """What happens in turns. Full agents have no stages that could be timed."""

    def __init__(self, ledger: CallLedger, plan: PlannedCall) -> None:
        self._ledger = ledger
        self._piped = plan.pipeline is not None
        self._agent = _agent(plan)

    def __call__(self, event: CallEvent) -> None:
        ledger = self._ledger
        match event:
            case TurnAnswered(seconds) if self._piped:
                ledger.observe("turn_response_seconds", seconds, *self._agent)
            case SpeechSynthesised(seconds) if self._piped:
                ledger.observe("stt_to_tts_seconds", seconds, *self._agent)
            case ToolCalled():
                self._tool(event)
            case NoInputNoticed(action):
                ledger.add("no_input_events_total", 1, action)
            case _:
                pass

    def _tool(self, event: ToolCalled) -> None:
        status = "success" if event.succeeded else "error"
        where = (event.server, event.tool)
        self._ledger.add("mcp_tool_calls_total", 1, *where, status)
        self._ledger.observe("mcp_tool_latency_seconds", event.seconds, *where)


def _agent(plan: PlannedCall) -> tuple[str, str]:
    """The labels of pipeline and provider."""
    return plan.pipeline or "default", plan.provider.name


class _StreamMetrics:
    """What goes to the caller."""

    def __init__(self, ledger: CallLedger) -> None:
        self._ledger = ledger

    def __call__(self, event: CallEvent) -> None:
        ledger = self._ledger
        match event:
            case FrameSent():
                self._sent(event)
            case BufferSampled(frames, age):
                ledger.set("streaming_jitter_buffer_depth", frames)
                ledger.set("streaming_last_chunk_age_seconds", age)
            case KeptAlive(timed_out):
                self._kept_alive(timed_out=timed_out)
            case SegmentStarted(kind):
                ledger.add("stream_started_total", 1, kind)
                self._streaming(active=True)
            case SegmentHeard(kind, seconds):
                ledger.observe("stream_first_frame_seconds", seconds, kind)
            case SegmentEnded():
                self._ended(event)
            case BurstArrived(_, queued):
                ledger.add("streaming_bytes_total", queued)
            case ByteOrderCorrected(mode):
                ledger.add("stream_endian_corrections_total", 1, mode)
            case FellBack():
                ledger.add("streaming_fallbacks_total")
            case _:
                pass

    def _kept_alive(self, *, timed_out: bool) -> None:
        self._ledger.add("streaming_keepalives_sent_total")
        if timed_out:
            self._ledger.add("streaming_keepalive_timeouts_total")

    def _ended(self, event: SegmentEnded) -> None:
        self._ledger.observe("stream_segment_duration_seconds", event.seconds, event.kind)
        self._ledger.add("stream_end_reason_total", 1, event.end_reason)
        self._streaming(active=False)

    def _streaming(self, *, active: bool) -> None:
        """A segment gates the caller's audio; after it the buffer is gone and its gauges are 0."""
        ledger = self._ledger
        ledger.set("streaming_active", active)
        ledger.set("tts_gating_active", active)
        ledger.set("audio_capture_enabled", not active)
        ledger.set("streaming_jitter_buffer_depth", 0)
        ledger.set("streaming_last_chunk_age_seconds", 0)

    def _sent(self, event: FrameSent) -> None:
        ledger, size = self._ledger, len(event.frame)
        ledger.add("stream_frames_sent_total")
        ledger.add("stream_tx_bytes_total", size)
        if event.filler:
            ledger.add("stream_underflow_events_total")
            ledger.add("stream_filler_bytes_total", size)


class _CallerMetrics:
    """What is heard of the caller, and of every stage."""

    def __init__(self, ledger: CallLedger) -> None:
        self._ledger = ledger
        self._frames: dict[str, int] = {}

    def __call__(self, event: CallEvent) -> None:
        ledger = self._ledger
        match event:
            case AudioHeard():
                self._heard(event)
            case VoiceJudged(speech, confidence, threshold):
                ledger.add("vad_frames_total", 1, "speech" if speech else "silence")
                ledger.observe("vad_confidence", confidence)
                ledger.set("vad_adaptive_threshold", threshold)
            case BargedIn(reaction):
                ledger.observe("barge_in_reaction_seconds", reaction)
                ledger.add("barge_in_events_total")
            case _:
                pass

    def _heard(self, event: AudioHeard) -> None:
        stage = event.stage
        if stage == "transport_in":
            self._ledger.add("stream_rx_bytes_total", len(event.frame))
        seen = self._frames[stage] = self._frames.get(stage, 0) + 1
        if seen % DIAGNOSED_FRAMES == 1:
            linear = decode(event.frame, event.audio_format)
            self._ledger.set("audio_rms", rms(linear), stage)
            self._ledger.set("audio_dc_offset", float(samples_of(linear).mean()), stage)


class _Closing:
    """Comes last: once the call is over, nothing of it moves a metric any more."""

    def __init__(self, ledger: CallLedger) -> None:
        self._ledger = ledger

    def __call__(self, event: CallEvent) -> None:
        if isinstance(event, CallEnded):
            self._ledger.close()
