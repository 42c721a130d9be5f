"""A Pipecat pipeline's worker that is observed: by an observer, and at its transport."""

from __future__ import annotations

import importlib
import uuid
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

from ai_engine_quality.adapters.pipecat import services
from ai_engine_quality.adapters.pipecat.call import PipecatCall
from ai_engine_quality.adapters.report import CALLS, FactorReport, publish, tried
from ai_engine_quality.adapters.shared_monitor import shared_monitor
from ai_engine_quality.adapters.watched import WatchedEngine
from ai_engine_quality.adapters.wraps import CannotWrap, Wraps
from ai_engine_quality.core.observations import DropReason
from ai_engine_quality.monitor import QualityMonitor
from ai_engine_quality.sinks.log import library_log

ENGINE = WatchedEngine(
    adapter=__package__ or "",
    module="pipecat.pipeline.worker",
    name="PipelineWorker",
    parts=("queue_frames", "add_observer"),
)

NEVER = ("fallback",)
"""Factors that can't happen here."""

_observed: weakref.WeakValueDictionary[int, PipecatAttachment] = weakref.WeakValueDictionary()
"""By the worker's id. An attachment lives as long as its worker: that has the observer."""


def observe_pipecat(
    worker: Any, monitor: QualityMonitor | None = None, *, call_id: str | None = None
) -> PipecatAttachment:
    """Score the call that goes through a Pipecat pipeline.

    One worker is one call. It starts when a client is there, or audio of either side, and ends with
    the pipeline, however that ends.

    Args:
        worker: The ``PipelineWorker``, before it runs.
        monitor: Whom to report to; None is a monitor of this process, made from the settings file
            and the environment when it is first needed.
        call_id: The call's id; None is a new one, which the attachment has.

    Returns:
        What is observed of it; the same again for a worker that is observed already.

    Raises:
        SettingsError: a setting can't be used.
        ValueError: the default registry has a monitor already, which should be handed over then.
    """
    found = _observed.get(id(worker))
    if found is not None and found.worker is worker:
        return found
    return PipecatAttachment(worker, monitor, call_id)


attach = observe_pipecat
"""By the name under which ``run`` looks for it."""


class PipecatAttachment:
    """A worker that is observed. Made by ``observe_pipecat``."""

    def __init__(self, worker: Any, monitor: QualityMonitor | None, call_id: str | None) -> None:
        self._worker = weakref.ref(worker)
        self.monitor = shared_monitor.join() if monitor is None else monitor
        self._wraps = Wraps(self._failed)
        known = [services.service(each) for each in services.processors(worker.pipeline)]
        self.services = tuple(each for each in known if each is not None)
        self.call_id = call_id or getattr(worker, "_conversation_id", None) or uuid.uuid4().hex
        providers = {each.stage: each.provider for each in self.services}
        names = services.names(self.services)
        self.call = PipecatCall(self.monitor, self.call_id, *names, providers)
        self._stages = services.stages(worker.pipeline)
        self._outputs = services.of_kind(worker.pipeline, services.OUTPUT)
        self._inputs = services.of_kind(worker.pipeline, services.INPUT)
        self._report = self._observe(worker)
        _observed[id(worker)] = self
        self._publish()

    @property
    def worker(self) -> Any:
        """The worker; None once it is gone."""
        return self._worker()

    def report(self) -> dict[str, FactorReport]:
        """Return, by factor, whether it is observed, and how or why not. ``calls`` comes first."""
        return dict(self._report)

    def _observe(self, worker: Any) -> dict[str, FactorReport]:
        calls = tried("the pipeline's frames", lambda: worker.add_observer(_observer_class()(self)))
        both = tried("both tracks, at the transport", self._listen)
        told = calls if calls.live else both
        heard = FactorReport(live=both.live, how=both.how, why_not=both.why_not, clock="heard")
        given = heard if calls.live and both.live else told
        never = FactorReport.not_live("Pipecat plays no files in place of a stream")
        return {
            CALLS: calls,
            "latency": heard,
            "underflow": given,
            "barge_in": given,
            **dict.fromkeys(NEVER, never),
            "codec": heard,
            "rms": heard,
        }

    def _listen(self) -> None:
        if not self._inputs or not self._outputs:
            missing = "input" if not self._inputs else "output"
            raise CannotWrap(f"the pipeline has no {missing} transport")
        for transport in self._inputs:
            self._wraps.set(
                transport, "push_audio_frame", ("frame",), coroutine=True, before=self.call.received
            )
        for transport in self._outputs:
            self._wraps.set(
                transport,
                "write_audio_frame",
                ("frame",),
                coroutine=True,
                before=self._writing,
                after=self._written,
            )

    def _writing(self, _frame: Any) -> float:
        return self.call.clock()

    def _written(self, at: float | None, done: Any, frame: Any) -> None:
        if done is not False and at is not None:  # False: nobody is there to hear it
            self.call.written(at, frame)

    # What the observer is told.

    def pushed(self, data: Any) -> None:
        """Take a frame that one processor handed to the next."""
        take = _handler(type(data.frame))
        if take is not None:
            try:
                take(self, data)
            except Exception as error:
                self._failed(error)

    def end(self) -> None:
        """End the call, and leave the pipeline as it was."""
        try:
            self.call.end()
            self._wraps.restore()
        except Exception as error:
            self._failed(error)

    def _first(self, data: Any) -> bool:
        """Return whether a frame is new, and none that the transport has cut from others."""
        return bool(data.first_push) and data.source not in self._outputs

    def _at_the_start(self, _data: Any) -> None:
        self.call.begin()

    def _audio(self, data: Any) -> None:
        if self._first(data):
            self.call.given(data.frame)

    def _stopped(self, data: Any) -> None:
        if self._first(data):
            self.call.complete(data.frame)

    def _text(self, data: Any) -> None:
        if data.source in self._outputs and data.direction.name == "DOWNSTREAM":
            self.call.spoken(data.frame)

    def _once(self, data: Any) -> None:
        if data.first_push:
            names = (each.__name__ for each in type(data.frame).__mro__)
            take = next(_ONCE[name] for name in names if name in _ONCE)
            take(self.call, data.frame)

    def _metrics(self, data: Any) -> None:
        """Take what services say that their first answers took."""
        for each in data.frame.data if data.first_push else ():
            stage = self._stages.get(each.processor)
            if stage is not None and type(each).__name__ == "TTFBMetricsData":
                self.call.measured(stage, each.value)

    def _error(self, data: Any) -> None:
        if data.first_push:
            self.call.error(data.frame)

    def _finish(self, data: Any) -> None:
        """End the call: at once where it is cancelled, else when the last audio has gone out."""
        played = not self._outputs or data.source in self._outputs
        if played or type(data.frame).__name__ != "EndFrame":
            self.call.finished(data.frame)

    def _failed(self, error: Exception) -> None:
        self.monitor.drop(DropReason.INTERNAL_ERROR, error)

    def _publish(self) -> None:
        version = getattr(importlib.import_module("pipecat"), "__version__", "unknown")
        transports = {type(each).__name__ for each in self._outputs}
        self.monitor.engine_info(
            version=f"pipecat {version}", audio_transport=",".join(sorted(transports)) or "unknown"
        )
        missing = publish(self.monitor, self._report, never=NEVER)
        library_log().info("quality_attached", engine="pipecat", call=self.call_id, missing=missing)


_ONCE: dict[str, Callable[[PipecatCall, Any], None]] = {
    "BotStartedSpeakingFrame": PipecatCall.speaks,
    "BotStoppedSpeakingFrame": PipecatCall.silent,
    "InterruptionFrame": PipecatCall.interrupted,
    "VADUserStoppedSpeakingFrame": PipecatCall.stopped,
    "TranscriptionFrame": PipecatCall.recognised,
    "LLMFullResponseStartFrame": PipecatCall.asked,
    "LLMTextFrame": PipecatCall.thought,
    "TTSStartedFrame": PipecatCall.spoke,
    "FunctionCallInProgressFrame": PipecatCall.tool_began,
    "FunctionCallResultFrame": PipecatCall.tool_ended,
    "FunctionCallCancelFrame": PipecatCall.tool_ended,
}
"""What a frame means when it is first pushed."""

_A = PipecatAttachment
_HANDLERS: dict[str, Callable[[PipecatAttachment, Any], None]] = {
    "ClientConnectedFrame": _A._at_the_start,  # noqa: SLF001  # this module's own
    "OutputAudioRawFrame": _A._audio,  # noqa: SLF001  # as above
    "TTSStoppedFrame": _A._stopped,  # noqa: SLF001  # as above
    "TTSTextFrame": _A._text,  # noqa: SLF001  # as above
    "MetricsFrame": _A._metrics,  # noqa: SLF001  # as above
    "ErrorFrame": _A._error,  # noqa: SLF001  # as above
    "EndFrame": _A._finish,  # noqa: SLF001  # as above
    "StopFrame": _A._finish,  # noqa: SLF001  # as above
    "CancelFrame": _A._finish,  # noqa: SLF001  # as above
    **dict.fromkeys(_ONCE, _A._once),  # noqa: SLF001  # as above
}
"""By the names of frames' classes; what derives from one counts as one."""


_Handler = Callable[[PipecatAttachment, Any], None]
_handlers: dict[type, _Handler | None] = {}
"""Of the classes of frames that were seen: a framework has a hundred or two."""


def _handler(of: type) -> _Handler | None:
    """Return who takes frames of a class. Most are nobody's: every frame comes by here."""
    if of not in _handlers:
        names = (each.__name__ for each in of.__mro__)
        _handlers[of] = next((_HANDLERS[name] for name in names if name in _HANDLERS), None)
    return _handlers[of]


@cache
def _observer_class() -> Any:
    """Return the observer's class. Pipecat is imported here, by who uses it already."""
    base: Any = importlib.import_module("pipecat.observers.base_observer").BaseObserver

    class QualityObserver(base):  # type: ignore[misc]  # a class that is not there to be checked
        """Hands on what flows through the pipeline; Pipecat gives it a task of its own."""

        def __init__(self, attachment: PipecatAttachment) -> None:
            # Every push: what the transport hands on has been heard, and was pushed before.
            super().__init__(observe_every_push=True)
            self.attachment = attachment

        async def on_push_frame(self, data: Any) -> None:
            self.attachment.pushed(data)

        async def cleanup(self) -> None:
            self.attachment.end()
            await super().cleanup()

    return QualityObserver
