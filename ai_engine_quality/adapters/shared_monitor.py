"""The monitor of those who brought none: one for all of them, closed by the last to leave."""

from __future__ import annotations

from collections.abc import Callable

from ai_engine_quality.monitor import QualityMonitor
from ai_engine_quality.settings import load_settings


class SharedMonitor:
    """One monitor for all attachments of a process, made for the first of them."""

    def __init__(self, make: Callable[[], QualityMonitor]) -> None:
        self._make = make
        self._monitor: QualityMonitor | None = None
        self._users = 0

    def join(self) -> QualityMonitor:
        """Return the monitor, made on first use."""
        if self._monitor is None:
            self._monitor = self._make()
        self._users += 1
        return self._monitor

    def leave(self) -> None:
        """Close it where nobody uses it any more."""
        self._users -= 1
        if self._users == 0 and self._monitor is not None:
            self._monitor.close()
            self._monitor = None


shared_monitor = SharedMonitor(lambda: QualityMonitor.from_settings(load_settings()))
"""Made from the settings file and the environment, on the registry of the process."""
