"""How long an agent's tools kept a turn waiting, however many of them ran at once. Pure."""

from __future__ import annotations

MOST_RUNNING = 64
"""Tools at once; the time of further ones is that of the others."""


class ToolClock:
    """The tools of one turn."""

    __slots__ = ("_running", "_since", "_total")

    def __init__(self) -> None:
        self._running: set[str] = set()
        self._since = 0.0
        self._total = 0.0

    def began(self, tool: str, at: float) -> None:
        """Take note that a tool runs, by the id of its call."""
        if not self._running:
            self._since = at
        if len(self._running) < MOST_RUNNING:
            self._running.add(tool)

    def ended(self, tool: str, at: float) -> None:
        """Take note that it has ended."""
        if tool in self._running:
            self._running.remove(tool)
            if not self._running:
                self._total += max(0.0, at - self._since)

    @property
    def total(self) -> float:
        """Seconds in which a tool ran, so far."""
        return self._total

    def take(self) -> float:
        """Return the seconds in which a tool ran, and begin anew."""
        total, self._total = self._total, 0.0
        return total
