"""What is observed of a framework's object that is one call: found again, and published."""

from __future__ import annotations

import importlib
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, Self

from ai_engine_quality.adapters.report import FactorReport, publish
from ai_engine_quality.adapters.shared_monitor import check_monitor, shared_monitor
from ai_engine_quality.adapters.wraps import CannotWrap, Wraps
from ai_engine_quality.core.observations import DropReason
from ai_engine_quality.monitor import QualityMonitor
from ai_engine_quality.sinks.log import library_log

NEVER = ("fallback",)
"""Factors that can't happen: a framework plays no files in place of a stream."""

_observed: weakref.WeakValueDictionary[int, Observed] = weakref.WeakValueDictionary()
"""By the object's id. What is observed of it lives as long as it does: its wraps hold it."""


class Observed:
    """A framework's object that is observed, such as a pipeline's worker."""

    library: ClassVar[tuple[str, str]]
    """The framework's name, and the module that has its version."""

    takes: ClassVar[tuple[str, str]]
    """The class of the object, and an attribute that each of them has."""

    def __init__(self, owner: Any, monitor: QualityMonitor | None) -> None:
        check_monitor(monitor)
        kind, part = self.takes
        if not hasattr(owner, part):
            raise TypeError(f"{type(owner).__name__} is no {kind} of {self.library[0]}: {owner!r}")
        self._owner = weakref.ref(owner)
        self.monitor = shared_monitor.join() if monitor is None else monitor
        self._wraps = Wraps(self._failed)
        self._report: dict[str, FactorReport] = {}
        _observed[id(owner)] = self

    @property
    def owner(self) -> Any:
        """The object that is observed; None once it is gone."""
        return self._owner()

    @classmethod
    def of(cls, owner: Any) -> Self | None:
        """Return what is observed of an object already; None: nothing."""
        found = _observed.get(id(owner))
        return found if isinstance(found, cls) and found.owner is owner else None

    def report(self) -> dict[str, FactorReport]:
        """Return, by factor, whether it is observed, and how or why not. ``calls`` comes first."""
        return dict(self._report)

    def _failed(self, error: Exception) -> None:
        self.monitor.drop(DropReason.INTERNAL_ERROR, error)

    def _guarded(self, take: Callable[[Any], object]) -> Callable[[Any], None]:
        """Return an observer whose errors go no further."""

        def guarded(what: Any) -> None:
            try:
                take(what)
            except Exception as error:
                self._failed(error)

        return guarded

    def _tried(self, owner: Any, name: str, arguments: Any, **how: Any) -> bool:
        """Watch a method that may be missing; return whether it is watched."""
        try:
            self._wraps.set(owner, name, arguments, **how)
        except CannotWrap:
            return False
        return True

    def _publish(self, call_id: str, transport: str, **reports: FactorReport) -> None:
        """Show on dashboards and in the log, once, what is delivered.

        Args:
            call_id: The call's id.
            transport: By which its audio comes and goes.
            reports: By factor, ``calls`` first; all that can happen.
        """
        name, module = self.library
        never = FactorReport.not_live(f"{name} plays no files in place of a stream")
        self._report = {**reports, **dict.fromkeys(NEVER, never)}
        version = getattr(importlib.import_module(module), "__version__", "unknown")
        self.monitor.engine_info(version=f"{name} {version}", audio_transport=transport)
        missing = publish(self.monitor, self._report, never=NEVER)
        library_log().info("quality_attached", engine=name, call=call_id, missing=missing)
