"""What a check found: fine, a warning or a failure, in words, with its fix."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class CheckStatus(StrEnum):
    """How a check went, best first."""

    OK = "ok"
    WARNING = "warning"
    """Worth a look; the stack works."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not tried, because something that it needs has failed."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's result."""

    check: str
    verdict: CheckStatus
    found: str
    fix: str = ""
    """What to do; empty where nothing is wrong."""

    def to_dict(self) -> dict[str, str]:
        """Return plain types."""
        return {key: str(value) for key, value in asdict(self).items()}


def ok(check: str, found: str) -> CheckResult:
    """Return a finding that all is well."""
    return CheckResult(check, CheckStatus.OK, found)


def warning(check: str, found: str, fix: str) -> CheckResult:
    """Return a finding that is worth a look."""
    return CheckResult(check, CheckStatus.WARNING, found, fix)


def failed(check: str, found: str, fix: str) -> CheckResult:
    """Return a finding that something is broken."""
    return CheckResult(check, CheckStatus.FAILED, found, fix)


def skipped(check: str, because: str) -> CheckResult:
    """Return a finding that a check could not be made."""
    return CheckResult(check, CheckStatus.SKIPPED, f"not checked: {because}")
