"""What a check found: fine, a warning or a failure, in words, with its fix."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class CheckStatus(StrEnum):
    """How a check went, best first."""

    OK = "ok"
    WARNING = "warning"
    """Worth a look; the stack works."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not tried, because something that it needs has failed or isn't there."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's result."""

    check: str
    verdict: CheckStatus
    found: str
    """In a line: what stands after the check's name."""
    fix: str = ""
    """What to do; empty where nothing is wrong, or another finding says it."""
    details: tuple[str, ...] = ()
    """What is too long for the line: names, one each."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain types."""
        return {
            "check": self.check,
            "verdict": str(self.verdict),
            "found": self.found,
            "fix": self.fix,
            "details": list(self.details),
        }


def ok(check: str, found: str, details: tuple[str, ...] = ()) -> CheckResult:
    """Return a finding that all is well."""
    return CheckResult(check, CheckStatus.OK, found, details=details)


def warning(check: str, found: str, fix: str, details: tuple[str, ...] = ()) -> CheckResult:
    """Return a finding that is worth a look."""
    return CheckResult(check, CheckStatus.WARNING, found, fix, details)


def failed(check: str, found: str, fix: str, details: tuple[str, ...] = ()) -> CheckResult:
    """Return a finding that something is broken."""
    return CheckResult(check, CheckStatus.FAILED, found, fix, details)


def skipped(check: str, because: str, fix: str = "") -> CheckResult:
    """Return a finding that a check could not be made."""
    return CheckResult(check, CheckStatus.SKIPPED, f"not checked: {because}", fix)
