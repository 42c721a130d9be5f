"""The tables of docs/Evidence.md on the ear, from what it heard of generated calls."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from handbook.marks import table

FIGURES: Final = Path(__file__).parent.parent.parent / "docs" / "data" / "ear-by-condition.json"

CANNOT: Final = "can't hear"

WAITS: Final = (
    "latency recall",
    "latency precision",
    "latency p95 error (s)",
    "unanswered recall",
    "unanswered precision",
    "first word error (s)",
)

ANSWERS: Final = (
    "reaction recall",
    "reaction precision",
    "reaction mean error (s)",
    "holes recall",
    "holes precision",
    "holes error (s a call)",
    "talk-over recall",
    "talk-over precision",
    "lost error (s a call)",
)


@functools.cache
def figures() -> dict[str, Any]:
    """Return what is committed: how many calls a condition, the first one's seed, and the rows."""
    found: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return found


def parts() -> dict[str, str]:
    """Return the page's generated parts, by their marks."""
    rows = figures()["rows"]
    return {"ear waits": _table(rows, (CANNOT, *WAITS)), "ear answers": _table(rows, ANSWERS)}


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    cells = [(row["condition"], *(_cell(row[name]) for name in columns)) for row in rows]
    return table(("condition", *columns), cells, right=True)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
