"""The capacity table of the Operators' manual: calls a day to series, scrape time and disk.

`python tests/support/measure_capacity.py` prints it, in about 90 s on an idle machine. An
engine with traffic of all providers lives through 10 minutes of virtual time; its exposition is
rendered every second, as a scrape does it, and timed. What a Prometheus would have stored becomes
a block by promtool, that is by Prometheus' own code, and its size is scaled to 30 days. It is
rather too large: scrapes come up to 10 ms late, as on a busy machine (exact seconds take a
quarter of the space), and blocks of 10 minutes have more index to a sample than those that
Prometheus keeps. What the recording rules add is not in it.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ai_engine_lab.engine import (
    HEALTHY,
    VIRTUAL,
    EngineLoop,
    ReferenceEngine,
    endless_calls,
    traffic,
)
from prometheus_client import CollectorRegistry, generate_latest
from services import program

import ai_engine_quality as aeq

MINUTES = 10
DAYS = 30
LOADS = ((0, "2026-08"), (10, "2026-08"), (100, "2026-08"), (1_000, "2026-08"), (100, "2025-10"))
"""Calls an hour, all day; and the engine's generation."""
EPOCH = 1_761_532_800
HEADER = (
    "calls an hour",
    "engine",
    "samples per scrape, at first and at last",
    "kB per scrape",
    "ms to render",
    "bytes per sample",
    f"GB in {DAYS} days",
)


@dataclass
class Scrapes:
    """What every second's scrape took."""

    samples: list[int]
    sizes: list[int]
    seconds: list[float]


async def _live(calls_per_hour: int, generation: str, out: TextIO) -> Scrapes:
    """Let an engine live through its traffic, and write every scrape's samples with their time."""
    loop = asyncio.get_running_loop()
    registry = CollectorRegistry()
    quality = aeq.QualityMonitor(
        registry=registry, clock=loop.time, wall_clock=loop.wall_time, log=False
    )
    engine = ReferenceEngine(
        quality=quality, registry=registry, port=0, profile=HEALTHY, generation=generation
    )
    await engine.start()
    calls = asyncio.create_task(
        traffic(engine, endless_calls(), calls_per_hour=calls_per_hour)
        if calls_per_hour
        else asyncio.sleep(MINUTES * 60 + 1)
    )
    scrapes, start = Scrapes([], [], []), loop.time()
    for second in range(MINUTES * 60):
        await asyncio.sleep(start + second - loop.time())
        before = time.perf_counter()
        text = generate_latest(registry)
        scrapes.seconds.append(time.perf_counter() - before)
        lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
        scrapes.samples.append(len(lines))
        scrapes.sizes.append(len(text))
        moment = EPOCH + second + (second * 0.618034 % 1) / 100  # up to 10 ms late, evenly
        out.writelines(f"{line} {moment:.3f}\n" for line in lines)
    calls.cancel()
    await asyncio.wait({calls})
    await engine.stop()
    out.write("# EOF\n")
    return scrapes


def _measure(calls_per_hour: int, generation: str, folder: Path) -> tuple[object, ...]:
    text, blocks = folder / "samples.om", folder / "blocks"
    with text.open("w") as out, asyncio.Runner(loop_factory=lambda: EngineLoop(VIRTUAL)) as runner:
        scrapes = runner.run(_live(calls_per_hour, generation, out))
    subprocess.run(
        [program("promtool"), "tsdb", "create-blocks-from", "openmetrics", str(text), str(blocks)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    size = sum(path.stat().st_size for path in blocks.rglob("*") if path.is_file())
    shutil.rmtree(blocks)
    stored = sum(scrapes.samples)
    return (
        f"{calls_per_hour:,}",
        generation,
        f"{statistics.median(scrapes.samples[60:120]):,.0f}, {scrapes.samples[-1]:,}",
        f"{statistics.median(scrapes.sizes) / 1_000:.0f}",
        f"{statistics.median(scrapes.seconds) * 1_000:.0f}",
        f"{size / stored:.2f}",
        f"{size / (MINUTES * 60) * 86_400 * DAYS / 1e9:.1f}",
    )


def main() -> None:
    """Print the table."""
    sys.stdout.write(f"| {' | '.join(HEADER)} |\n{'|---' * len(HEADER)}|\n")
    for load in LOADS:
        with tempfile.TemporaryDirectory() as folder:
            row = _measure(*load, Path(folder))
        sys.stdout.write(f"| {' | '.join(map(str, row))} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
