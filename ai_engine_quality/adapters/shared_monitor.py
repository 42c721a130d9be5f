"""The monitor of those who brought none: one for all of them, closed by the last to leave."""

from __future__ import annotations

from collections.abc import Callable

from ai_engine_quality.adapters.jobs import JobCollector, JobMonitor, parent_socket
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


def _make() -> QualityMonitor:
    path = parent_socket()
    settings = load_settings()
    if path is None:
        return QualityMonitor.from_settings(settings)
    return JobMonitor(path, **settings.monitor_arguments())


def check_monitor(monitor: object) -> None:
    """Refuse what is no monitor before anything is attached to it; None is the shared one.

    Raises:
        TypeError: it is none.
    """
    if monitor is not None and not isinstance(monitor, QualityMonitor):
        raise TypeError(f"monitor must be a QualityMonitor, or None, not {monitor!r}")


shared_monitor = SharedMonitor(_make)
"""Made from the settings file and the environment, on the registry of the process. In a job's
process it hands what it scores to the parent's."""

_collector: list[JobCollector] = []


def collect_jobs(monitor: QualityMonitor | None = None) -> JobCollector:
    """Let this process' monitor tell what its jobs observe: one process serves each call, say.

    Jobs are the processes that it starts from now on, in which ``observe_livekit`` or
    ``observe_pipecat`` is given no monitor.

    Args:
        monitor: Whose metrics, log and records they go to; None is a monitor of this process, made
            from the settings file and the environment.

    Returns:
        What takes it, until it is closed; the same again where there is one.

    Raises:
        SettingsError: a setting can't be used.
        TypeError: the monitor is none.
        ValueError: the default registry has a monitor already, which should be handed over then.
        OSError: no socket can be made.
    """
    check_monitor(monitor)
    if _collector:
        return _collector[0]

    def closed() -> None:
        _collector.clear()
        if monitor is None:
            shared_monitor.leave()

    chosen = shared_monitor.join() if monitor is None else monitor
    _collector.append(JobCollector(chosen, closed))
    return _collector[0]
