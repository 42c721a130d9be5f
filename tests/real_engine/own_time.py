"""``python tests/real_engine/own_time.py --ava-root DIR``: what the library costs one call on AVA.

One call of the rig is placed on the unedited engine, in whose process the clock of its main thread
is read around everything of the library's that runs there: wraps, notes, and the timer. A reading
takes some 2 us amid the engine's work, as long as much of what is measured. So half of the calls,
at random, get an empty pair of readings in the same place, and what those take is taken off. The
collector's time is counted apart: whose objects it walks, nobody can say.

Whole runs with and without the library differ by ten per cent and more among themselves, and can't
tell so little.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click
from ai_engine_lab.real_calls.__main__ import choose
from ai_engine_lab.real_calls.engine import EngineProcess, prepare_environment
from ai_engine_lab.real_calls.running import Rig, run_scenarios
from clocks import NOTE

PROJECT = Path(__file__).resolve().parents[2]
CLOCKS = Path(__file__).resolve().with_name("clocks.py")
MOST_ROWS = 16


def shares(found):
    """Return (name, seconds, how often) of each part, and the seconds of all that is measured.

    Notes are measured every second time; what is empty is taken off.
    """
    parts, rows, readings = found["parts"], [], 0.0
    for name, (seconds, times) in parts.items():
        if name.startswith("empty: "):
            readings += 2 * seconds
            continue
        empty_seconds, empties = parts.get(f"empty: {name}", (0.0, 0))
        net = seconds - (times * empty_seconds / empties if empties else 0.0)
        often = 2 if name == NOTE else 1
        rows.append((name, often * net, often * times))
    rows.sort(key=lambda row: -row[1])
    return rows, readings


@click.command()
@click.option("--ava-root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", default=Path("build/own-time"), type=click.Path(path_type=Path))
@click.option("--call", "name", default="dg-complex-1", show_default=True)
def main(*, ava_root, out, name):
    """Place a call, and print what the library took of the engine's time."""
    (scenario,) = choose([name], None, None)
    out.mkdir(parents=True, exist_ok=True)
    python = prepare_environment(ava_root, out.resolve() / "engine-venv", PROJECT)
    measured = out.resolve() / "found.json"
    through = (str(CLOCKS), str(measured))
    process = EngineProcess(ava_root.resolve(), python, out.resolve() / "engine", through=through)
    rig = Rig(scenario.provider, scenario.transport, scenario.setting, process=process)
    asyncio.run(run_scenarios(rig, [scenario], lambda *_: None))
    found = json.loads(measured.read_text())
    rows, readings = shares(found)
    ours = sum(seconds for _, seconds, _ in rows)
    engine = found["thread"] - ours - readings
    click.echo(
        f"{name}: the library has {1e3 * ours:.0f} ms beside the engine's {engine:.2f} s: it adds "
        f"{100 * ours / engine:.2f} %"
    )
    for part, seconds, times in rows[:MOST_ROWS]:
        click.echo(
            f"{1e3 * seconds:7.2f} ms {100 * seconds / ours:5.1f} %  {part}:"
            f" {times} times {1e6 * seconds / times:.1f} us"
        )


if __name__ == "__main__":
    main()
