"""Frames on their way through a pipeline: which say something, and when they first say it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ai_engine_quality.adapters.pipecat.call import PipecatCall
from ai_engine_quality.adapters.turn_clock import TurnClock


class Frames:
    """Hands each frame that says something to the call.

    Args:
        call: The call.
        outputs: The pipeline's output transports.
        stages: The stages of its services, by their names.
    """

    def __init__(
        self, call: PipecatCall, outputs: Collection[Any], stages: Mapping[str | None, str]
    ) -> None:
        self._call = call
        self._outputs = outputs
        self._stages = stages

    def take(self, data: Any) -> None:
        """Take a frame that one processor handed to the next."""
        handle = _handler(type(data.frame))
        if handle is not None:
            handle(self, data)

    def _first(self, data: Any) -> bool:
        """Return whether a frame is new, and none that the transport has cut from others."""
        return bool(data.first_push) and data.source not in self._outputs

    def connected(self, _data: Any) -> None:
        """Take note that somebody is there."""
        self._call.begin()

    def audio(self, data: Any) -> None:
        """Take audio that a service has made."""
        if self._first(data):
            self._call.given(data.frame)

    def stopped(self, data: Any) -> None:
        """Take the end of what a service makes."""
        if self._first(data):
            self._call.complete(data.frame)

    def text(self, data: Any) -> None:
        """Take text as it is spoken: by the transport, on its way to the caller."""
        if data.source in self._outputs and data.direction.name == "DOWNSTREAM":
            self._call.spoken(data.frame)

    def once(self, data: Any) -> None:
        """Take what a frame means, the first time."""
        if data.first_push:
            names = (each.__name__ for each in type(data.frame).__mro__)
            take = next(_ONCE[name] for name in names if name in _ONCE)
            take(self._call, data.frame)

    def metrics(self, data: Any) -> None:
        """Take what services say that their first answers took."""
        for each in data.frame.data if data.first_push else ():
            stage = self._stages.get(each.processor)
            if stage is not None and type(each).__name__ == "TTFBMetricsData":
                self._call.turn.measured(stage, each.value)

    def error(self, data: Any) -> None:
        """Take an error; it may be told twice."""
        if data.first_push:
            self._call.error(data.frame)

    def finish(self, data: Any) -> None:
        """End the call: at once where it is cancelled, else when the last audio has gone out."""
        played = not self._outputs or data.source in self._outputs
        if played or type(data.frame).__name__ != "EndFrame":
            self._call.finished(data.frame)


def _moment(take: Callable[[TurnClock, float], None]) -> Callable[[PipecatCall, Any], None]:
    return lambda call, _frame: take(call.turn, call.clock())


_ONCE: dict[str, Callable[[PipecatCall, Any], None]] = {
    "BotStartedSpeakingFrame": PipecatCall.speaks,
    "BotStoppedSpeakingFrame": PipecatCall.silent,
    "InterruptionFrame": PipecatCall.interrupted,
    "VADUserStoppedSpeakingFrame": PipecatCall.stopped,
    "TranscriptionFrame": _moment(TurnClock.words),
    "LLMFullResponseStartFrame": _moment(TurnClock.asked),
    "LLMTextFrame": _moment(TurnClock.thought),
    "TTSStartedFrame": _moment(TurnClock.spoke),
    "FunctionCallInProgressFrame": PipecatCall.tool_began,
    "FunctionCallResultFrame": PipecatCall.tool_ended,
    "FunctionCallCancelFrame": PipecatCall.tool_ended,
}
"""What a frame means when it is first pushed."""

_HANDLERS: dict[str, Callable[[Frames, Any], None]] = {
    "ClientConnectedFrame": Frames.connected,
    "OutputAudioRawFrame": Frames.audio,
    "TTSStoppedFrame": Frames.stopped,
    "TTSTextFrame": Frames.text,
    "MetricsFrame": Frames.metrics,
    "ErrorFrame": Frames.error,
    **dict.fromkeys(("EndFrame", "StopFrame", "CancelFrame"), Frames.finish),
    **dict.fromkeys(_ONCE, Frames.once),
}
"""By the names of frames' classes; what derives from one counts as one."""


_Handler = Callable[[Frames, Any], None]
_handlers: dict[type, _Handler | None] = {}
"""Of the classes of frames that were seen: a framework has a hundred or two."""


def _handler(of: type) -> _Handler | None:
    """Return who takes frames of a class. Most are nobody's: every frame comes by here."""
    if of not in _handlers:
        names = (each.__name__ for each in of.__mro__)
        _handlers[of] = next((_HANDLERS[name] for name in names if name in _HANDLERS), None)
    return _handlers[of]
