"""Where the rules and dashboards are, and which rules and metrics they name.

An installed library has them beside its code. A checkout has them in ``monitoring/`` and
``grafana/``, and an editable installation finds them there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_INSTALLED: Final = Path(__file__).parent / "files"
_CHECKOUT: Final = Path(__file__).parent.parent.parent
RULE_FILES: Final = ("rules/ai-engine.yml", "rules/call-report.yml", "alerts/ai-engine.yml")
"""Below ``monitoring/``, in the order in which one builds on the other."""

_RULE: Final = re.compile(r"^ *- (record|alert): *(\S+)", re.MULTILINE)
METRIC: Final = re.compile(r"\b(ai_agent_\w+|(?:[a-z]\w*:)+\w+)")
"""A metric of an engine or of the library, or a recording rule's name, in an expression."""


def rule_files() -> Mapping[str, str]:
    """Return the text of each rule file, by its name below ``monitoring/``.

    Raises:
        OSError: the installation has lost them.
    """
    installed = _INSTALLED / "monitoring"
    base = installed if installed.is_dir() else _CHECKOUT / "monitoring"
    return {name: (base / name).read_text(encoding="utf-8") for name in RULE_FILES}


def dashboards() -> Path:
    """Return the folder of the dashboards' JSON."""
    installed = _INSTALLED / "dashboards"
    return installed if installed.is_dir() else _CHECKOUT / "grafana" / "dashboards"


def rule_names(text: str) -> list[tuple[str, str]]:
    """Return (``record`` or ``alert``, name) of each rule in a file's text; names may repeat."""
    return [(kind, name) for kind, name in _RULE.findall(text)]


def metrics_read() -> frozenset[str]:
    """Return the names of all metrics that rules and dashboards read."""
    texts = [*rule_files().values()]
    texts += [path.read_text(encoding="utf-8") for path in sorted(dashboards().glob("*.json"))]
    return frozenset(name for text in texts for name in METRIC.findall(text))
