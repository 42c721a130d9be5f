"""A LiveKit session that is observed: its audio at both ends, and its events."""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Callable
from typing import Any

from ai_engine_quality.adapters.livekit import models
from ai_engine_quality.adapters.livekit.call import LiveKitCall
from ai_engine_quality.adapters.observed import Observed
from ai_engine_quality.adapters.one_call import STAGES
from ai_engine_quality.adapters.report import tried
from ai_engine_quality.adapters.watched import WatchedEngine
from ai_engine_quality.adapters.wraps import CannotWrap
from ai_engine_quality.monitor import QualityMonitor

ENGINE = WatchedEngine(
    adapter=__package__ or "",
    module="livekit.agents.voice.agent_session",
    name="AgentSession",
    parts=("generate_reply", "commit_user_turn"),
    in_children=True,
)

MOST_IN_CHAIN = 16
"""Outputs that stand one behind the other; LiveKit itself has four."""


def observe_livekit(
    session: Any, monitor: QualityMonitor | None = None, *, call_id: str | None = None
) -> LiveKitAttachment:
    """Score the call of a LiveKit agent's session.

    One session is one call. It starts with the first audio of either side, and ends when the caller
    hangs up or the session closes.

    Args:
        session: The ``AgentSession``, before it is started.
        monitor: Whom to report to; None is a monitor of this process, made from the settings file
            and the environment when it is first needed.
        call_id: The call's id; None is the job's, or a new one outside a job.

    Returns:
        What is observed of it; the same again for a session that is observed already.

    Raises:
        SettingsError: a setting can't be used.
        TypeError: the session or the monitor is none.
        ValueError: the default registry has a monitor already, which should be handed over then.
    """
    return LiveKitAttachment.of(session) or LiveKitAttachment(session, monitor, call_id)


attach = observe_livekit
"""By the name under which ``run`` looks for it."""


class LiveKitAttachment(Observed):
    """A session that is observed. Made by ``observe_livekit``."""

    library = ("livekit-agents", "livekit.agents")
    takes = ("AgentSession", "on")

    def __init__(self, session: Any, monitor: QualityMonitor | None, call_id: str | None) -> None:
        super().__init__(session, monitor)
        self.call_id = call_id or _job_id() or uuid.uuid4().hex
        self.call = LiveKitCall(self.monitor, self.call_id, self._providers)
        self._observe(session)

    def _observe(self, session: Any) -> None:
        calls = tried("the session's audio, and its close event", lambda: self._events(session))
        heard = tried("the session's input", lambda: self._input(session)).by_ear()
        said = tried(
            "the session's output, as it is played", lambda: self._output(session)
        ).by_ear()
        both = heard if said.live else said
        self._publish(
            self.call_id, "webrtc", calls=calls, latency=both, underflow=said, barge_in=both,
            codec=said, rms=said,
        )  # fmt: skip

    def _events(self, session: Any) -> None:
        session.on("close", self._guarded(self._closed))
        session.on("error", self._guarded(self.call.error))
        session.on("tool_execution_updated", self._guarded(self.call.tool))
        session.on("conversation_item_added", self._guarded(self.call.said))
        self._tried(
            session, "_aclose_impl", None, coroutine=True, before=lambda _, how: self._closes(how)
        )

    def _input(self, session: Any) -> None:
        def changed() -> None:
            stream = session.input.audio
            if stream is not None:
                _listen(stream, self._guarded(self.call.received))

        self._wraps.set(session.input, "_audio_changed", (), coroutine=False, before=changed)
        changed()

    def _output(self, session: Any) -> None:
        def changed() -> None:
            sink = _last(session.output.audio)
            if sink is not None and not self._wraps.has(sink, "capture_frame"):
                self._listen_at(sink)

        self._wraps.set(session.output, "_audio_changed", (), coroutine=False, before=changed)
        changed()

    def _listen_at(self, sink: Any) -> None:
        """Observe an output. What it hands on to be played is seen there, where that is known."""
        call, wraps = self.call, self._wraps
        source = getattr(sink, "_audio_source", None)
        paced = source is not None and self._tried(
            source, "capture_frame", ("frame",), coroutine=True, before=call.played
        )

        def captured(frame: Any) -> None:
            call.given(frame)
            if not paced:
                call.played(frame)

        wraps.set(sink, "capture_frame", ("frame",), coroutine=True, before=captured)
        wraps.set(sink, "flush", (), coroutine=False, before=call.complete)
        wraps.set(sink, "clear_buffer", (), coroutine=False, before=call.cleared)
        self._tried(sink, "pause", (), coroutine=False, before=lambda: call.held(playing=not paced))
        self._tried(sink, "resume", (), coroutine=False, before=call.resumed)
        if paced:
            self._tried(source, "clear_queue", (), coroutine=False, before=call.trimmed)

    def _closes(self, how: Any) -> None:
        self.call.closes(how.get("reason"))

    def _closed(self, event: Any) -> None:
        self.call.end(event.reason)

    def _providers(self) -> dict[str, str | None]:
        session = self.owner
        return {stage: models.provider(_model(session, stage)) for stage in STAGES}


def _model(session: Any, stage: str) -> Any:
    """Return a stage's model: the agent's own, where it has one, else the session's."""
    try:
        agent = session.current_agent
    except Exception:  # not started yet
        agent = None
    own = getattr(agent, stage, None)
    if own is not None and type(own).__name__ != "NotGiven":
        return own
    return getattr(session, stage, None)


def _last(output: Any) -> Any:
    """Return the output that plays: the last one of its chain."""
    for _ in range(MOST_IN_CHAIN):
        following = getattr(output, "next_in_chain", None)
        if following is None:
            return output
        output = following
    return output


def _listen(stream: Any, take: Callable[[Any], None]) -> None:
    """Hand a copy of what a stream yields to an observer; the stream stays the same object.

    ``async for`` looks for its method on the class, so the object gets a class of its own.
    """
    of = type(stream)
    if getattr(of, "_quality_listens", False):
        return

    async def following(self: Any) -> Any:
        frame = await of.__anext__(self)
        take(frame)
        return frame

    listening = type(of.__name__, (of,), {"__anext__": following, "_quality_listens": True})
    try:
        stream.__class__ = listening
    except TypeError as error:
        raise CannotWrap(f"{of.__name__} can't be listened to: {error}") from error


def _job_id() -> str | None:
    """Return the id of the job that this process serves; None where it serves none."""
    try:
        job = importlib.import_module("livekit.agents").get_job_context().job
        return str(job.id) or None
    except Exception:  # outside a job
        return None
