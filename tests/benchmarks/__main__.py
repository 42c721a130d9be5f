"""``make bench``: what the library costs, as ratios measured in this run."""

from __future__ import annotations

import json
import math
import sys

import frames
import growth
import load
import memory
import observations
import pauses
import scrape
import whole_call
from rich.console import Console
from rich.progress import track
from rich.table import Table


def main() -> None:
    """Measure everything and print a table, or JSON with ``--json``."""
    parts = (whole_call, pauses, scrape, observations, frames, memory, load, growth)
    quiet = "--json" in sys.argv
    found = [ratio for part in track(parts, "measuring", disable=quiet) for ratio in part.ratios()]
    if quiet:
        print(json.dumps([ratio.__dict__ for ratio in found], indent=1))  # noqa: T201
        return
    table = Table(title="Cost, as the median ratio to a yardstick in the same run")
    for heading in ("work", "against", "ratio", "lowest - highest", "goal", "about"):
        table.add_column(heading, justify="left" if heading in ("work", "against") else "right")
    for ratio in found:
        goal = "" if ratio.goal is None else f"<= {ratio.goal:g}"
        spread = f"{ratio.lowest:.2f} - {ratio.highest:.2f}"
        about = "" if math.isnan(ratio.nanoseconds) else f"{ratio.nanoseconds / 1000:.2f} us"
        table.add_row(ratio.work, ratio.yardstick, f"{ratio.ratio:.3g}", spread, goal, about)
    Console().print(table)


if __name__ == "__main__":
    main()
