"""Agent frames and fillers of one call, read from what the engine counts for each stream.

The engine counts every frame that it sends, fillers included. A stream that goes on from answer to
answer also sends fillers while nobody has anything to say: those are no fault, and are left out.
They are the fillers between the end of one of the provider's answers and the first audio of the
next. A pipeline's stream holds one answer, so that all of its fillers count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ai_engine_quality.live.handle import CallHandle


class Segment(NamedTuple):
    """What one stream has sent so far, in 20 ms frames."""

    kind: str
    """The engine's ``playback_type``: ``greeting``, ``streaming-response``, ``pipeline-tts``."""
    frames: int
    """The agent's own audio."""
    fillers: int
    """Fillers within an answer."""
    idle_fillers: int
    """Fillers between answers, which are no fault."""


class CallStreams:
    """Counts of one call's streams. However often it is asked, each frame is reported once."""

    __slots__ = (
        "_before_answer",
        "_fillers",
        "_frames",
        "_idle",
        "_idle_from",
        "_info",
        "_provider",
        "speaking",
    )

    def __init__(self) -> None:
        self.speaking = False
        """Whether the provider is in the middle of an answer."""
        self._provider = False
        self._before_answer: int | None = None
        self._adopt(None)

    def _adopt(self, info: Mapping[str, Any] | None) -> None:
        self._info = info
        self._frames = self._fillers = 0  # reported so far
        self._idle = 0  # fillers between answers, but for those since the last answer
        self._idle_from = 0  # the engine's count of fillers when the last answer ended
        if self._before_answer is not None:
            self._before_answer = 0

    @property
    def ever(self) -> bool:
        """Whether there was a stream."""
        return self._info is not None

    @property
    def heard(self) -> bool:
        """Whether the provider's present answer has begun to be played."""
        return self.speaking and self._before_answer is None

    def answer_goes_on(self, info: Mapping[str, Any] | None, call: CallHandle) -> bool:
        """Take audio of the provider's; return whether it is the first of an answer."""
        if self.heard:
            return False
        first = not self.speaking
        self.report(info, call)
        if first:
            self.speaking = self._provider = True
            self._before_answer = self._own_frames()
        return first

    def waits(self, info: Mapping[str, Any] | None) -> bool:
        """Return whether nothing of the provider's present answer has been played yet.

        Providers may give a whole answer at once: this takes a tenth of what a report does.
        """
        before = self._before_answer
        if before is None or info is not self._info:
            return False
        return self.speaking and self._own_frames() <= before

    def answer_ends(self, info: Mapping[str, Any] | None, call: CallHandle) -> None:
        """Take the end of the provider's answer: fillers from here on are idle ones."""
        if self.speaking:
            self.report(info, call)
            self._note_whether_heard(force=True)
            self.speaking = False
            self._idle_from = _count(self._info, "underflow_events")

    def _note_whether_heard(self, *, force: bool = False) -> None:
        """Stop taking fillers for idle ones once a frame of the present answer was played.

        Between the provider's first audio and that frame, a filler may still be sent.
        """
        waiting = self._before_answer
        if waiting is not None and (force or self._own_frames() > waiting):
            self._idle += self._idle_now()
            self._before_answer = None

    def _idle_now(self) -> int:
        """Return the fillers since the end of the last answer; 0 while one is played."""
        if self.heard or not self._provider:
            return 0
        return _count(self._info, "underflow_events") - self._idle_from

    def _own_frames(self) -> int:
        """Return the agent's own frames that the present stream has sent."""
        sent = _count(self._info, "frames_sent")
        return max(0, sent - _count(self._info, "underflow_events"))

    def report(self, info: Mapping[str, Any] | None, call: CallHandle) -> None:
        """Report what was sent since the last report.

        Args:
            info: The engine's record of the call's present stream; None where there is none.
            call: Whom to report to.
        """
        self._report_present(call)  # the last counts of a stream that is gone are in its record
        if info is not None and info is not self._info:
            self._adopt(info)
            self._report_present(call)

    def _report_present(self, call: CallHandle) -> None:
        self._note_whether_heard()
        segment = self.segment()
        if segment is None:
            return
        if segment.frames > self._frames:
            call.frames_sent(segment.frames - self._frames)
            self._frames = segment.frames
        if segment.fillers > self._fillers:
            call.underflow(segment.fillers - self._fillers)
            self._fillers = segment.fillers

    def stream_ended(self, call: CallHandle, *, fillers_are_counted: bool) -> Segment | None:
        """Return what the stream that has ended sent, and report that it was counted, if only 0."""
        segment = self.segment()
        if segment is not None:
            call.frames_sent(0)
            if fillers_are_counted:
                call.underflow(0)
        return segment

    def segment(self) -> Segment | None:
        """Return what the present stream has sent so far."""
        info = self._info
        if info is None:
            return None
        events = _count(info, "underflow_events")
        idle = self._idle + self._idle_now()
        kind = str(info.get("playback_type"))
        return Segment(kind, self._own_frames(), max(0, events - idle), idle)

    def last_heard(self) -> float:
        """Return when the present stream last sent the agent's own audio, in unix seconds, or 0."""
        value = self._info.get("last_real_emit_ts") if self._info is not None else None
        return float(value) if isinstance(value, (int, float)) else 0.0


def _count(info: Mapping[str, Any] | None, name: str) -> int:
    value = info.get(name) if info is not None else None
    return value if isinstance(value, int) and value > 0 else 0
