"""What is played to the caller: streams of frames and fillers, and falls to playing a file."""

from __future__ import annotations

from ai_engine_quality.adapters.ava import engine_facts
from ai_engine_quality.adapters.ava import session as sessions
from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.core.observations import TRANSPORT_OUT
from ai_engine_quality.sinks.log import library_log

SILENT_CALL_SECONDS = 10.0
"""Who hangs up sooner hasn't waited for the agent."""


class StreamObserver:
    """Reports the frames and fillers of each call's streams, and its fallbacks."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self.reads_fallback_count = False
        """Whether fallbacks are read from the session at the end, for want of a better way."""
        self.sees_all = False
        """Whether nothing can be played unseen: streams and files are both observed."""

    def count(self, call: ObservedCall) -> None:
        """Report what was sent since the last time."""
        call.streams.report(self._context.stream(call.call_id), call.handle)

    def stream_ends(self, call_id: str, _stream_id: str) -> ObservedCall | None:
        """Count a stream before the engine forgets it, whichever stream it was asked to end."""
        call = self._context.call(call_id)
        if call is not None:
            self.count(call)
        return call

    def stream_ended(
        self, call: ObservedCall | None, _result: object, call_id: str, _stream_id: str
    ) -> None:
        """Count what the engine sent while it cleaned the stream up."""
        if call is None or not call.handle.live or self._context.stream(call_id) is not None:
            return
        self.count(call)
        counted = engine_facts.fillers_are_counted(self._context.engine)
        segment = call.streams.stream_ended(call.handle, fillers_are_counted=counted)
        if segment is not None:
            library_log().debug("quality_segment_ended", call_id=call_id, **segment._asdict())

    def answer_goes_on(self, call: ObservedCall) -> bool:
        """Take audio of the provider's; return whether it is the first of an answer."""
        return call.streams.answer_goes_on(self._context.stream(call.call_id), call.handle)

    def answer_waits(self, call: ObservedCall) -> bool:
        """Return whether nothing of the provider's present answer has been played yet."""
        return call.streams.waits(self._context.stream(call.call_id))

    def answer_ends(self, call: ObservedCall) -> None:
        """Take the end of the provider's answer."""
        call.streams.answer_ends(self._context.stream(call.call_id), call.handle)

    def fell_back(self, call_id: str, reason: str) -> None:
        """Report a fall from streaming to playing a file."""
        if (call := self._context.call(call_id)) is not None:
            call.handle.fallback(reason)

    def read_fallback_count(self, call: ObservedCall) -> None:
        """Report the session's own count of fallbacks, where nothing else tells of them."""
        if self.reads_fallback_count:
            for _ in range(int(getattr(call.session, "streaming_fallback_count", 0) or 0)):
                call.handle.fallback("unknown")

    def report_silence(self, call: ObservedCall) -> None:
        """Report that no frame was ever sent, where no stream ever was, and the agent should speak.

        A call without a provider is no exception: the engine makes a session once the caller is
        answered, and has somebody start to serve it; where that fails or hangs, the caller hears
        nothing. A machine that answers has no session. Who is handed on, or hangs up at once, or
        calls an agent that greets nobody and says nothing to it, hears no agent for good reason.
        """
        hang_up, accumulator = call.hang_up, call.handle.accumulator
        if not self.sees_all or hang_up is None or accumulator is None:
            return
        waited = hang_up.now - call.started >= SILENT_CALL_SECONDS
        if not (waited and hang_up.agent_expected) or sessions.transferred(call.session):
            return
        sent = any(stage.startswith(TRANSPORT_OUT) for stage in accumulator.stages or ())
        if not (sent or call.streams.ever or accumulator.files_played):
            call.handle.frames_sent(0)
