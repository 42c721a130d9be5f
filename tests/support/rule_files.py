"""The rule files as data: read, and sped up for a test that can't wait for a quarter of an hour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
MONITORING = ROOT / "monitoring"
FILES = ("rules/ai-engine.yml", "rules/call-report.yml", "alerts/ai-engine.yml")

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = re.compile(r"(\d+)(ms|s|m|h|d|w)")
# In an expression durations stand in brackets, and after `offset`.
_IN_EXPRESSION = re.compile(r"\[[^\]]+\]|\boffset \d+(?:ms|s|m|h|d|w)")


def rules(*files: str) -> Iterator[dict[str, Any]]:
    """Yield every rule of some files (all of them by default)."""
    for name in files or FILES:
        for group in yaml.safe_load((MONITORING / name).read_text())["groups"]:
            yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    """Return the alerting rules."""
    return [rule for rule in rules() if "alert" in rule]


def expressions() -> list[str]:
    """Return every rule's expression."""
    return [str(rule["expr"]) for rule in rules()]


def milliseconds(text: str) -> int:
    """Return a duration such as ``1h30m``."""
    return sum(int(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))


def sped_up(text: str, factor: int) -> str:
    """Return a rule file's text with every duration divided: windows, offsets, for, intervals.

    Numbers of events stay what they are. So the same rules see the same events if these come
    ``factor`` times faster, and a part of them if they don't.
    """
    document = yaml.safe_load(text)
    for group in document["groups"]:
        group["interval"] = _divided(group["interval"], factor)
        for rule in group["rules"]:
            for key in ("for", "keep_firing_for"):
                if key in rule:
                    rule[key] = _divided(rule[key], factor)
            rule["expr"] = _IN_EXPRESSION.sub(
                lambda found: _divided(found[0], factor), str(rule["expr"])
            )
    return yaml.safe_dump(document, sort_keys=False)


def _divided(text: str, factor: int) -> str:
    return _DURATION.sub(lambda found: f"{max(1, milliseconds(found[0]) // factor)}ms", text)
