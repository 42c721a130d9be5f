"""What a check found: fine, a warning or a failure, in words, with its mend."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check went, best first."""

    OK = "ok"
    WARNING = "warning"
    """Worth a look; the stack works."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not tried, because something that it needs has failed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result."""

    check: str
    verdict: Verdict
    found: str
    mend: str = ""
    """What to do; empty where nothing is wrong."""

    def to_dict(self) -> dict[str, str]:
        """Return plain types."""
        return {key: str(value) for key, value in asdict(self).items()}


def ok(check: str, found: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, Verdict.OK, found)


def warning(check: str, found: str, mend: str) -> Finding:
    """Return a finding that is worth a look."""
    return Finding(check, Verdict.WARNING, found, mend)


def failed(check: str, found: str, mend: str) -> Finding:
    """Return a finding that something is broken."""
    return Finding(check, Verdict.FAILED, found, mend)


def skipped(check: str, because: str) -> Finding:
    """Return a finding that a check could not be made."""
    return Finding(check, Verdict.SKIPPED, f"not checked: {because}")
