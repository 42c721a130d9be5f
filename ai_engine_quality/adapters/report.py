"""Factor by factor: how an attachment observes it on an engine, or why it can't."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from typing import Self

from ai_engine_quality.adapters.wraps import CannotWrap
from ai_engine_quality.monitor import QualityMonitor

CALLS = "calls"
"""The factor on which all others rest: when a call starts and ends."""


@dataclass(frozen=True, slots=True)
class FactorReport:
    """Whether the engine delivers what a factor is scored on."""

    live: bool
    how: str
    """Where it is read, and what is known to be missing; empty where it isn't live."""
    why_not: str = ""
    """Empty where it is live."""
    clock: str = "told"
    """``heard`` at the engine's edge, or ``told`` by the engine, where nothing can be heard."""

    @classmethod
    def not_live(cls, why: str) -> Self:
        """Return the report on a factor that isn't observed."""
        return cls(live=False, how="", why_not=why)

    def by_ear(self) -> FactorReport:
        """Return the same of a factor that is heard by it."""
        return replace(self, clock="heard")

    def or_heard(self, sound: FactorReport) -> FactorReport:
        """Return the report of a factor that is heard where ``sound`` is live, else told."""
        if not sound.live:
            return self
        told = f"; where that can't be heard, {self.how}" if self.live else ""
        return FactorReport(live=True, how=f"heard: {sound.how}{told}", clock="heard")

    def __str__(self) -> str:
        return f"live: {self.how}" if self.live else f"not live: {self.why_not}"


def publish(
    monitor: QualityMonitor, reports: Mapping[str, FactorReport], *, never: Container[str] = ()
) -> dict[str, str]:
    """Show on dashboards which factors an engine delivers; return why it doesn't deliver others.

    Args:
        monitor: Whose metrics show it.
        reports: By factor.
        never: Factors that can't happen on this engine: no fault, of which alerts should tell.
    """
    for factor, report in reports.items():
        if factor not in never:
            monitor.hook_live(factor, live=report.live, clock=report.clock)
    return {factor: report.why_not for factor, report in reports.items() if not report.live}


def tried(how: str, *steps: Callable[[], object]) -> FactorReport:
    """Take some steps, each of which may find that it can't be taken, and report."""
    try:
        for step in steps:
            step()
    except CannotWrap as reason:
        return FactorReport.not_live(str(reason))
    except Exception as error:  # an engine's own attribute may raise when it is read
        return FactorReport.not_live(repr(error))
    return FactorReport(live=True, how=how)
