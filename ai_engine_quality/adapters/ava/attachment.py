"""The AVA engine, today's and that of October 2025, observed without editing it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from ai_engine_quality.adapters.ava import engine_facts, factors
from ai_engine_quality.adapters.ava.observer import EngineObserver
from ai_engine_quality.adapters.report import FactorReport, publish
from ai_engine_quality.adapters.shared_monitor import check_monitor, shared_monitor
from ai_engine_quality.adapters.wraps import RemainingWrap
from ai_engine_quality.monitor import QualityMonitor
from ai_engine_quality.sinks.log import library_log

_attached: weakref.WeakValueDictionary[int, Attachment] = weakref.WeakValueDictionary()
"""By the engine's id. An attachment lives as long as a wrap of it does."""


def attach(engine: Any, monitor: QualityMonitor | None = None) -> Attachment:
    """Observe an engine, after it was made and before it is started.

    Attributes of this one engine are wrapped; its classes are left alone.

    Args:
        engine: The engine.
        monitor: Whom to report to; None is a monitor of this process, made from the settings file
            and the environment when it is first needed.

    Returns:
        The attachment; the one there is, where the engine has one already.

    Raises:
        ValueError: it is attached to another monitor; or the default registry has a monitor
            already, which should be handed over then.
        SettingsError: a setting can't be used.
        TypeError: the monitor is none.
    """
    check_monitor(monitor)
    found = _attached.get(id(engine))
    if found is not None and found.engine is engine:
        if monitor is not None and monitor is not found.monitor:
            raise ValueError("this engine is attached to another monitor; detach() that one first")
        return found
    return Attachment(engine, monitor)


class Attachment:
    """An engine that is observed. Made by ``attach``."""

    def __init__(self, engine: Any, monitor: QualityMonitor | None) -> None:
        self.engine = engine
        self._shares_monitor = monitor is None
        self.monitor = shared_monitor.join() if monitor is None else monitor
        self._observer = EngineObserver(engine, self.monitor)
        self._report = factors.observe(engine, self._observer)
        self._detached = False
        _attached[id(engine)] = self._observer.attachment = self
        self._publish()

    def report(self) -> dict[str, FactorReport]:
        """Return, by factor, whether it is observed, and how or why not. ``calls`` comes first."""
        return dict(self._report)

    def detach(self) -> tuple[RemainingWrap, ...]:
        """Leave the engine as it was before.

        Calls in progress are not observed any further, and expire.

        Returns:
            What had to stay, because somebody has wrapped it since: it only passes calls through.
        """
        if self._detached:
            return ()
        self._detached = True
        left = self._observer.stop()
        _attached.pop(id(self.engine), None)
        for factor, report in self._report.items():
            self.monitor.hook_live(factor, live=False, clock=report.clock)
        if left:
            library_log().warning("quality_wraps_left", left=[str(wrap) for wrap in left])
        if self._shares_monitor:
            shared_monitor.leave()
        return left

    def _publish(self) -> None:
        """Show on dashboards and in the log, once, what this engine delivers."""
        self.monitor.engine_info(
            version=_told(engine_facts.version, self.engine),
            audio_transport=_told(engine_facts.audio_transport, self.engine),
        )
        missing = publish(self.monitor, self._report)
        live = [name for name in self._report if name not in missing]
        log = library_log()
        tell = log.warning if missing else log.info
        tell("quality_attached", live=live, missing=missing)


def _told(fact: Callable[[Any], str], engine: Any) -> str:
    """Return what is known of an engine, or ``unknown``: its attributes may raise."""
    try:
        return fact(engine)
    except Exception:
        return "unknown"
