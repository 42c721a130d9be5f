"""Where the time of a turn went, by the frames that mark its stages. Pure."""

from __future__ import annotations

from collections.abc import Callable

from ai_engine_quality.adapters.tools import ToolClock

Told = Callable[[str, float], object]
"""Takes a stage and its seconds."""


class TurnClock:
    """The moments of one turn, in monotonic seconds; each counts the first time.

    A service's own measurement, where it makes one, goes before the moments of frames.
    """

    __slots__ = ("_at", "_measured", "_tools_before", "tools")

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._measured: dict[str, float] = {}
        self.tools = ToolClock()
        self._tools_before = 0.0
        """Seconds of tools that ran before the model was asked."""

    def said(self, at: float, silence: float) -> None:
        """Take note that the caller has stopped, known after so many seconds of silence."""
        self.tools.take()
        self._at.clear()
        self._measured.clear()
        self._at["silent"] = at - silence

    def words(self, at: float) -> None:
        """Take the caller's words; the last ones count, since the answer is to them."""
        if "asked" in self._at:
            self.tools.take()
        self._at["words"] = at

    def asked(self, at: float) -> None:
        """Take note that the model begins: anew, but for its second time after a tool.

        An answer of its that was interrupted is forgotten.
        """
        if not self.tools.total or "asked" not in self._at:
            self._at["asked"] = at
            self._tools_before = self.tools.total
            self._measured.pop("llm", None)
        self._at.pop("thought", None)
        self._at.pop("spoke", None)

    def thought(self, at: float) -> None:
        """Take the model's first words."""
        self._at.setdefault("thought", at)

    def spoke(self, at: float) -> None:
        """Take note that the synthesiser got its first text."""
        self._at.setdefault("spoke", at)

    def measured(self, stage: str, seconds: float) -> None:
        """Take what a service says of itself; 0 is what it says before it has worked."""
        if seconds > 0 and self.tools.total and stage == "llm":  # before the tool and after it
            self._measured[stage] = self._measured.get(stage, 0.0) + seconds
        elif seconds > 0:
            self._measured.setdefault(stage, seconds)

    def audio(self, at: float, told: Told) -> None:
        """Take the answer's first audio: tell the stages, once, and begin anew."""
        if "asked" not in self._at:
            return
        tools = self.tools.take()
        for stage, start, end in (
            ("stt", "silent", "words"),
            ("end_of_turn", "words", "asked"),
            ("llm", "asked", "thought"),
            ("tts", "spoke", "audio"),
        ):
            seconds = self._measured.get(stage, self._between(start, end, at))
            if seconds is not None:
                by_moments = stage == "llm" and stage not in self._measured
                waited = tools - self._tools_before if by_moments else 0.0
                told(stage, max(0.0, seconds - waited))
        if tools:
            told("tool", tools)
        self._at.clear()
        self._measured.clear()

    def _between(self, start: str, end: str, audio: float) -> float | None:
        begin, finish = self._at.get(start), audio if end == "audio" else self._at.get(end)
        return None if begin is None or finish is None or finish < begin else finish - begin
