"""One call of a LiveKit session: what its audio and its events mean for the score."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ai_engine_quality.adapters.one_call import OneCall
from ai_engine_quality.adapters.pcm import give, one_channel
from ai_engine_quality.adapters.playout import Playout
from ai_engine_quality.adapters.tools import ToolClock
from ai_engine_quality.live.handle import CallHandle
from ai_engine_quality.monitor import QualityMonitor

HUNG_UP = "participant_disconnected"
"""How LiveKit calls it when the caller is gone."""

OUTCOMES = {
    HUNG_UP: "caller_hangup",
    "user_initiated": "agent_hangup",
    "task_completed": "completed",
    "job_shutdown": "completed",
    "error": "failed",
}
"""LiveKit's reasons for closing a session, by the names that outcomes have here."""

BEFORE = {"stt": "transcription_delay", "end_of_turn": "end_of_turn_delay"}
AFTER = {"llm": "llm_node_ttft", "tts": "tts_node_ttfb"}
"""What LiveKit tells with the caller's words and with the answer, by stage of a turn."""


class LiveKitCall(OneCall):
    """Tells one call's handle what a session did."""

    def __init__(
        self,
        monitor: QualityMonitor,
        call_id: str,
        providers: Callable[[], Mapping[str, str | None]],
    ) -> None:
        super().__init__(monitor, call_id, providers)
        self._tools = ToolClock()
        self._asked: dict[str, float] = {}
        """The stages of the turn that waits for its answer."""
        self._playout: Playout | None = None

    def begin(self) -> CallHandle | None:
        """Start the call, if nobody has: there is audio."""
        handle = super().begin()
        if self._playout is None and self._agent is not None:
            self._playout = Playout(self._agent)
        return handle

    # Audio.

    def received(self, frame: Any) -> None:
        """Take audio of the caller's, as it comes in."""
        at = self.clock()
        if self.begin() is not None and self._caller is not None:
            self._release(at)
            self._caller.received(_pcm(frame), frame.sample_rate, at)

    def given(self, frame: Any) -> None:
        """Take audio that the agent is to say, as fast as it was made."""
        handle = self.begin()
        if handle is not None:
            give(handle, _pcm(frame), frame.sample_rate)

    def played(self, frame: Any) -> None:
        """Take audio that is played from now on, after what is still to be played."""
        if self.begin() is not None and self._playout is not None:
            self._playout.take(_pcm(frame), frame.sample_rate, self.clock())

    def complete(self) -> None:
        """Take note that the answer is complete."""
        if self._handle is not None:
            self._release(self.clock())
            self._handle.answer_complete()

    def held(self, *, playing: bool) -> None:
        """Take note that playing pauses: LiveKit says so every 20 ms while the caller speaks.

        Args:
            playing: Whether what was handed over for playing stands still with it.
        """
        if self._handle is not None and self._playout is not None:
            if playing:
                self._playout.hold(self.clock())
            self._handle.answer_held()

    def resumed(self) -> None:
        """Take note that playing goes on; it is said before each answer too."""
        if self._handle is not None and self._playout is not None:
            self._playout.resume(self.clock())
            self._handle.answer_resumed()

    def trimmed(self) -> None:
        """Take note that what was handed over for playing was taken back."""
        if self._playout is not None:
            self._playout.clear(self.clock())

    def cleared(self) -> None:
        """Take an interruption: what the caller has not heard is thrown away."""
        if self._handle is not None and self._playout is not None:
            now = self.clock()
            self._playout.clear(now)
            self._playout.resume(now)
            self._handle.answer_dropped()
            self._handle.barge_in()

    def _release(self, now: float) -> None:
        if self._playout is not None:
            self._playout.release(now)

    # Events.

    def said(self, event: Any) -> None:
        """Take what LiveKit tells of an answer: how long it says that the caller waited."""
        handle, told = self._handle, getattr(event.item, "metrics", None) or {}
        if handle is None:
            return
        before = _stages(told, BEFORE)
        if "stt" in before and "end_of_turn" in before:  # which it is told with
            before["end_of_turn"] = max(0.0, before["end_of_turn"] - before["stt"])
        self._asked = {**self._asked, **before}
        waited = told.get("e2e_latency")
        if not isinstance(waited, float):
            return
        handle.turn_response(waited)
        began = told.get("started_speaking_at")
        ago = time.time() - began if isinstance(began, float) else 0.0
        stages = {**self._asked, **_stages(told, AFTER)}
        if tools := self._tools.take():
            stages["tool"] = tools
        for stage, seconds in stages.items():
            self._tell_stage(stage, seconds, self.clock() - ago)
        self._asked = {}

    def tool(self, event: Any) -> None:
        """Take what happens to a tool: while it runs, the caller waits."""
        update = event.update
        if update.type == "tool_call_started":
            self._tools.began(update.function_call.call_id, self.clock())
        elif update.type == "tool_call_ended":
            self._tools.ended(update.call_id, self.clock())

    def error(self, event: Any) -> None:
        """Take an error: one from which a model does not recover is the loss of a provider."""
        if self._handle is not None and getattr(event.error, "recoverable", True) is False:
            self._handle.provider_lost()

    def closes(self, reason: Any) -> None:
        """Take note that the session begins to close: who has hung up hears nothing more."""
        if _word(reason) == HUNG_UP:
            self.end(HUNG_UP)

    def end(self, reason: Any = None) -> None:
        """End the call, once."""
        self._release(self.clock())
        outcome = OUTCOMES.get(_word(reason) or "", "interrupted")
        self._end(outcome, failed=outcome == "failed")


def _stages(told: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float]:
    """Return what is told of the stages of a turn."""
    found = {stage: told.get(name) for stage, name in names.items()}
    return {stage: value for stage, value in found.items() if isinstance(value, float)}


def _word(reason: Any) -> str | None:
    found = getattr(reason, "value", reason)
    return found if isinstance(found, str) else None


def _pcm(frame: Any) -> bytes:
    return one_channel(bytes(frame.data), frame.num_channels)
