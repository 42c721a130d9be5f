"""One call through a Pipecat pipeline: what its frames mean for the score.

It takes frames by the names of their classes, so that it needs no Pipecat itself. Frames may come
several times, once for each processor that passes them on; what a frame *means* it means once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ai_engine_quality.adapters.one_call import OneCall
from ai_engine_quality.adapters.pcm import give, one_channel, seconds_of
from ai_engine_quality.adapters.spoken import spoken_piece
from ai_engine_quality.adapters.turn_clock import TurnClock
from ai_engine_quality.monitor import QualityMonitor

PENDING_SECONDS = 0.05
"""Audio given and not yet written, from which an interruption throws something away."""

IDLE = "idle timeout"
"""The reason that Pipecat gives where it cancels a pipeline in which nobody speaks."""

MOST_CONTEXTS = 16
"""Interrupted answers whose late audio is still recognised."""


class PipecatCall(OneCall):
    """Tells one call's handle what a pipeline did."""

    def __init__(
        self,
        monitor: QualityMonitor,
        call_id: str,
        providers: Callable[[], Mapping[str, str | None]],
    ) -> None:
        super().__init__(monitor, call_id, providers)
        self.turn = TurnClock()
        self._failed = False
        self._speaking = False
        self._given = self._written = 0.0
        self._context: str | None = None
        self._thrown_away: list[str] = []

    # Both tracks, at the transport.

    def received(self, frame: Any) -> None:
        """Take audio of the caller's, as it comes in."""
        at = self.clock()
        if self.begin() is not None and self._caller is not None and frame.audio:
            self._caller.received(_pcm(frame), frame.sample_rate, at)

    def written(self, at: float, frame: Any) -> None:
        """Take audio of the agent's that went out, from when."""
        if self.begin() is not None and self._agent is not None and frame.audio:
            data = _pcm(frame)
            self._written += seconds_of(data, frame.sample_rate)
            self._agent.sent(data, frame.sample_rate, at)

    # What else the frames say.

    def given(self, frame: Any) -> None:
        """Take audio that a service has made: what is missing of it later is a hole."""
        handle = self.begin()
        context = getattr(frame, "context_id", None)
        if handle is None or (context is not None and context in self._thrown_away):
            return  # in flight when the caller interrupted: nobody is to hear it
        self._context = context
        self.turn.audio(self.clock(), self._tell_stage)
        self._given += give(handle, _pcm(frame), frame.sample_rate)

    def complete(self, frame: Any) -> None:
        """Take the end of what a service makes for an answer."""
        if self._handle is not None and frame.context_id not in self._thrown_away:
            self._handle.answer_complete()

    def spoken(self, frame: Any) -> None:
        """Take text that was spoken: its length only."""
        if self._handle is not None and isinstance(frame.text, str):
            between = not getattr(frame, "includes_inter_frame_spaces", True)
            self._handle.words_spoken(spoken_piece(frame.text) + between)

    # The stages of a turn.

    def stopped(self, frame: Any) -> None:
        """Take note that the caller is silent, as a detector of voice found."""
        silence = getattr(frame, "stop_secs", 0.0)
        self.turn.said(self.clock(), silence if isinstance(silence, float) else 0.0)

    def tool_began(self, frame: Any) -> None:
        """Take note that a tool runs: the caller waits."""
        self.turn.tools.began(frame.tool_call_id, self.clock())

    def tool_ended(self, frame: Any) -> None:
        """Take a tool's result."""
        self.turn.tools.ended(frame.tool_call_id, self.clock())

    def speaks(self, _frame: Any) -> None:
        """Take note that the agent speaks."""
        self._speaking = True

    def silent(self, _frame: Any) -> None:
        """Take note that the agent has stopped."""
        self._speaking = False
        self._given = self._written = 0.0

    def interrupted(self, _frame: Any) -> None:
        """Take an interruption. Pipecat tells one at each turn of the caller's."""
        handle = self._handle
        pending = self._given - self._written > PENDING_SECONDS
        if handle is None or not (self._speaking or pending):
            return
        handle.answer_dropped()
        handle.barge_in()
        if self._context is not None:
            self._thrown_away = [*self._thrown_away[1 - MOST_CONTEXTS :], self._context]
        self.silent(None)

    def error(self, frame: Any) -> None:
        """Take an error: what ends a service's use is the loss of a provider."""
        self._failed = self._failed or bool(getattr(frame, "fatal", False))
        if self._handle is not None and getattr(frame.processor, "is_usable", True) is False:
            self._handle.provider_lost()

    # The end.

    def finished(self, frame: Any) -> None:
        """Take the frame that ends the pipeline, and end the call.

        A program cancels its pipeline when the caller has gone: Pipecat's own examples do so.
        """
        cancelled = "Cancel" in type(frame).__name__
        usual = "caller_hangup" if cancelled else "completed"
        idle = getattr(frame, "reason", None) == IDLE
        self.end("no_input_timeout" if idle else usual)

    def end(self, outcome: str = "interrupted") -> None:
        """End the call, if nothing has."""
        self._end(outcome, failed=self._failed)


def _pcm(frame: Any) -> bytes:
    return one_channel(bytes(frame.audio), frame.num_channels)
