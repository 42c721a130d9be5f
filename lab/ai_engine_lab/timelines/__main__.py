"""``python -m ai_engine_lab.timelines``: the ear's errors by condition, in Markdown or JSON."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ai_engine_lab.timelines.judging import JUDGING_SEED, table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m ai_engine_lab.timelines", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--calls", type=int, default=40, help="calls for each condition")
    parser.add_argument("--first", type=int, default=JUDGING_SEED, help="the first call's seed")
    chosen = parser.parse_args()
    rows = table(chosen.calls, chosen.first)
    text = json.dumps(rows, indent=1) if chosen.json else markdown(rows)
    sys.stdout.write(text + "\n")


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return rows as a table."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    lines += ["| " + " | ".join(_cell(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


if __name__ == "__main__":
    main()
