"""A Pipecat pipeline's worker that is observed: by an observer, and at its transport."""

from __future__ import annotations

import importlib
import uuid
from functools import cache
from typing import Any

from ai_engine_quality.adapters.observed import Observed
from ai_engine_quality.adapters.pipecat import services
from ai_engine_quality.adapters.pipecat.call import PipecatCall
from ai_engine_quality.adapters.pipecat.frames import Frames
from ai_engine_quality.adapters.report import tried
from ai_engine_quality.adapters.watched import WatchedEngine
from ai_engine_quality.adapters.wraps import CannotWrap
from ai_engine_quality.monitor import QualityMonitor

ENGINE = WatchedEngine(
    adapter=__package__ or "",
    module="pipecat.pipeline.worker",
    name="PipelineWorker",
    parts=("queue_frames", "add_observer"),
)


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
        TypeError: the worker or the monitor is none.
        ValueError: the default registry has a monitor already, which should be handed over then.
    """
    return PipecatAttachment.of(worker) or PipecatAttachment(worker, monitor, call_id)


attach = observe_pipecat
"""By the name under which ``run`` looks for it."""


class PipecatAttachment(Observed):
    """A worker that is observed. Made by ``observe_pipecat``."""

    library = ("pipecat", "pipecat")
    takes = ("PipelineWorker", "pipeline")

    def __init__(self, worker: Any, monitor: QualityMonitor | None, call_id: str | None) -> None:
        super().__init__(worker, monitor)
        self.call_id = call_id or getattr(worker, "_conversation_id", None) or uuid.uuid4().hex
        self.services = services.services(worker.pipeline)
        providers = {each.stage: each.provider for each in reversed(self.services)}  # the first one
        self.call = PipecatCall(self.monitor, self.call_id, lambda: providers)
        self._outputs = services.of_kind(worker.pipeline, services.OUTPUT)
        self._inputs = services.of_kind(worker.pipeline, services.INPUT)
        stages = {each.name: each.stage for each in self.services}
        self._frames = Frames(self.call, self._outputs, stages)
        self._observe(worker)

    def _observe(self, worker: Any) -> None:
        calls = tried("the pipeline's frames", lambda: worker.add_observer(_observer_class()(self)))
        heard = tried("both tracks, at the transport", self._listen).by_ear()
        given = heard if calls.live else calls
        transports = sorted({type(each).__name__ for each in self._outputs})
        self._publish(
            self.call_id, ",".join(transports) or "unknown", calls=calls, latency=heard,
            underflow=given, barge_in=given, codec=heard, rms=heard,
        )  # fmt: skip

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
        try:
            self._frames.take(data)
        except Exception as error:
            self._failed(error)

    def end(self) -> None:
        """End the call, and leave the pipeline as it was."""
        try:
            self.call.end()
            self._wraps.restore()
        except Exception as error:
            self._failed(error)


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
