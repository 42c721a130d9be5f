"""``demo``: twenty calls on the reference engine, each with its score and the reason for it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from prometheus_client import CollectorRegistry
from rich import box
from rich.table import Table
from rich.text import Text

from ai_engine_quality import CallScore, QualityMonitor
from ai_engine_quality.cli import (
    WIDE,
    band_text,
    console,
    described,
    json_option,
    plain_table,
    points,
    print_json,
    program,
    progress,
    records_option,
    settings_records,
)
from ai_engine_quality.toolkit import printable

if TYPE_CHECKING:
    from ai_engine_lab.engine import CallResult, EngineLoop, Generation, ReferenceEngine

UNEXPECTED = 1
"""Exit code: a call of the healthy profile missed what the matrix expects."""
INTERRUPTED = 130
"""Exit code: Ctrl-C before the twenty calls were through, as a shell has it."""


@click.command(short_help="Place twenty calls, and print their scores.")
@click.option(
    "--profile",
    type=click.Choice(["healthy", "measured"]),
    default="healthy",
    show_default=True,
    help="healthy: an engine that meets the test matrix. measured: latencies of real calls.",
)
@click.option("--serve", is_flag=True, help="Keep running, with traffic, until Ctrl-C.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=15000, show_default=True, help="0 takes any free port.")
@click.option("--seed", type=int, default=None, help="Other calls than the usual ones.")
@click.option(
    "--speed",
    default="1",
    show_default=True,
    help="Of --serve: 1 (real time), 10 (ten times as fast), or virtual (as fast as it can).",
)
@click.option("--calls-per-hour", default=240.0, show_default=True, help="Traffic of --serve.")
@click.option("--concurrent", default=20, show_default=True, help="Calls of --serve at most.")
@click.option("--daily", is_flag=True, help="Let the traffic follow the time of the day (UTC).")
@click.option(
    "--generation",
    type=click.Choice(["2026-08", "2025-10"]),
    default="2026-08",
    show_default=True,
    help="The form of the engine's metrics; 2025-10 has call ids in them.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[:FOR][@AFTER]",
    help="A fault of --serve, e.g. jitter, jitter:3m or jitter:3m@1m; may be repeated.",
)
@click.option(
    "--audiosocket-port",
    type=int,
    default=None,
    help="With --serve: take calls over AudioSocket, from Asterisk say, on this port too.",
)
@records_option
@json_option
def demo(*, serve: bool, **options: Any) -> None:
    """Place the twenty calls of the test matrix and print their scores, then the gauge itself.

    The calls run in virtual time, some seconds for twenty minutes of calls, on a stand-in for the
    voice engine, whose /metrics is served meanwhile. With --serve it then goes on with traffic,
    and prints a line for each call that ends.

    Exit code 1: a call of the healthy profile missed its expectation. 130: interrupted before the
    calls were through; an interrupted --serve ends with 0.
    """
    try:
        from ai_engine_lab import engine as reference_engine  # noqa: PLC0415  # needs aiohttp
    except ImportError as error:
        raise click.ClickException(str(error)) from error
    loop = reference_engine.EngineLoop(reference_engine.VIRTUAL)
    try:
        run = _Demo(loop, _Options(**options))
    except ValueError as error:
        loop.close()
        raise click.UsageError(str(error)) from error
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            met = runner.run(run.run(serve=serve))
        except KeyboardInterrupt:
            if run.serving:
                click.echo("Stopped.", err=True)
                return
            click.echo("Interrupted before the calls were through.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        except OSError as error:
            raise click.ClickException(
                f"can't listen on {options['host']}:{options['port']}, or on the "
                f"--audiosocket-port ({error.strerror}); choose another --port"
            ) from error
    if not met:
        raise click.exceptions.Exit(UNEXPECTED)


@dataclass(frozen=True)
class _Options:
    """What the command was told."""

    profile: str
    seed: int | None
    host: str
    port: int
    records: Path
    as_json: bool
    speed: str
    calls_per_hour: float
    concurrent: int
    daily: bool
    generation: Generation
    faults: tuple[str, ...]
    audiosocket_port: int | None


class _Demo:
    """One run of the demo: an engine, a monitor on the engine's registry, and what is printed."""

    def __init__(self, loop: EngineLoop, options: _Options) -> None:
        from ai_engine_lab import engine as reference_engine  # noqa: PLC0415  # needs aiohttp

        self._ref = reference_engine
        self._loop = loop
        self._options = options
        self.serving = False
        """Whether the twenty calls are through, and traffic goes on."""
        self._profile = self._ref.PROFILES[options.profile]
        self._seed = self._ref.DEFAULT_SEED if options.seed is None else options.seed
        self._out = console(stderr=options.as_json)
        self._speed = self._ref.parse_speed(options.speed)
        self._faults = [self._ref.PlannedFault.parse(text) for text in options.faults]
        self._load = self._ref.Load(
            options.calls_per_hour,
            options.concurrent,
            options.daily,
            opening=len(self._ref.TRAFFIC_MIX),
        )
        registry = CollectorRegistry()
        self._quality = QualityMonitor(
            registry=registry,
            clock=loop.time,
            wall_clock=loop.wall_time,
            records=options.records,
            log=False,
        )
        self._engine = self._ref.ReferenceEngine(
            quality=self._quality,
            registry=registry,
            profile=self._profile,
            seed=self._seed,
            host=options.host,
            port=options.port,
            generation=options.generation,
        )

    async def run(self, *, serve: bool) -> bool:
        """Place the calls, print what they got, serve if asked; return whether all were met."""
        await self._engine.start()
        try:
            self._introduce()
            results = await self._place_calls()
            exposition = await self._metrics()
            if self._options.as_json:
                print_json(_as_json(self._engine, results, exposition))
            else:
                self._print(results, exposition)
            if serve:
                await self._serve()
        finally:
            await self._engine.stop()
            self._quality.close()
        return self._profile.name != "healthy" or all(result.as_expected for result in results)

    def _introduce(self) -> None:
        speech = {
            "debian-prompts": "telephone prompts of Debian's asterisk-core-sounds-en-wav",
            "synthesised": "synthesised (asterisk-core-sounds-en-wav isn't installed)",
        }
        self._out.print(f"Reference engine on {self._engine.url}, profile {self._profile.name}.")
        source = self._engine.speech.source
        self._out.print(f"Speech: {speech.get(source, source)}.")

    async def _place_calls(self) -> list[CallResult]:
        plans = self._ref.plan_calls(seed=self._seed)
        minutes = sum(plan.duration for plan in plans) / 60
        self._out.print(
            f"Placing {len(plans)} calls, {minutes:.0f} minutes of them in virtual time ..."
        )
        with progress(self._out, "placing calls", len(plans)) as advance:
            return await self._ref.run_matrix(self._engine, plans, lambda _: advance())

    async def _metrics(self) -> list[str]:
        """Return the gauge's lines as ``/metrics`` has them, read over HTTP as a scraper would."""
        import aiohttp  # noqa: PLC0415  # needs aiohttp

        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._engine.url}/metrics") as answer,
        ):
            text = await answer.text()
        return [line for line in text.splitlines() if "ai_agent_call_quality_score" in line]

    def _print(self, results: list[CallResult], exposition: list[str]) -> None:
        wide = self._out.width >= WIDE
        if not wide:
            self._out.print("\nCalls, scored as they ended\n")
        self._out.print(_table(results, with_reasons=wide))
        if not wide:
            for result in results:
                self._out.print(f"{result.plan.call_id}  {_reason(result)}")
            self._out.print()
        met = sum(result.as_expected for result in results)
        self._out.print(f"{met} of {len(results)} calls as expected.")
        if self._profile.name == "measured":
            self._out.print(
                "The latencies are those of real calls; the expectations are for healthy ones."
            )
        self._out.print(f"\n{self._engine.url}/metrics now has:\n")
        self._out.print("\n".join(exposition), soft_wrap=True)
        worst = min(results, key=_points)
        self._out.print(f"\nWhy did the worst call get {points_of(worst)}?", end=" ")
        records = self._options.records
        option = "" if records == _found_by_itself() else f" --records {records}"
        command = f"{program()} explain {worst.plan.call_id}{option}"
        self._out.print(command, soft_wrap=True)

    async def _serve(self) -> None:
        self._loop.set_speed(self._speed)
        self._loop.set_wall_time(time.time())  # virtual time has run ahead
        pace = "real time" if self._speed == self._ref.REAL else f"time at speed {self._speed:g}"
        if self._speed == self._ref.VIRTUAL:
            pace = "virtual time, as fast as this machine can"
        self._out.print(f"\nServing {self._engine.url}/metrics with calls in {pace}; Ctrl-C ends.")
        self.serving = True
        self._quality.add_hook(self._tell)
        if self._options.audiosocket_port is not None:
            from ai_engine_lab import audiosocket  # noqa: PLC0415  # needs aiohttp

            settings = audiosocket.AudioSocketSettings(port=self._options.audiosocket_port)
            server = await audiosocket.take_calls(self._engine, settings)
            self._out.print(f"AudioSocket on 127.0.0.1:{server.port}.")
        self._engine.faults.schedule(self._faults)
        calls = self._ref.endless_calls(seed=self._seed)
        await self._ref.offer(self._engine, calls, self._load)

    def _tell(self, score: CallScore) -> None:
        """Print a line of a call that has ended. No table of rich's: hooks must be quick."""
        ended = datetime.fromtimestamp(self._loop.wall_time(), UTC).strftime("%H:%M:%S")
        who = f"{score.call_id}  {score.summary.provider or 'unknown'}"
        line = printable(f"{ended}  {who}  {score.explain()}")
        room = self._out.width if self._out.is_terminal else len(line)
        click.echo(line if len(line) <= room else line[: room - 1] + "…", err=self._options.as_json)


def _found_by_itself() -> Path | None:
    """Return the record file that explain reads by itself; None where the settings are wrong."""
    try:
        return settings_records()
    except click.ClickException:
        return None


def points_of(result: CallResult) -> str:
    """Return a result's score, or a dash."""
    return points(result.score) if result.score is not None else "-"


def _points(result: CallResult) -> float:
    scored = result.score.score if result.score is not None else None
    return 101 if scored is None else scored


def _table(results: list[CallResult], *, with_reasons: bool) -> Table:
    if not with_reasons:
        return _narrow(results)
    table = Table(box=box.SIMPLE_HEAD, title="Calls, scored as they ended", title_justify="left")
    table.add_column("call", no_wrap=True)
    table.add_column("provider", no_wrap=True)
    table.add_column("scenario")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("band", no_wrap=True)
    table.add_column("expected", no_wrap=True)
    table.add_column("why")
    for result in results:
        row: list[str | Text] = [
            result.plan.call_id,
            result.plan.provider.name,
            f"{result.plan.duration:.0f} s {result.plan.scenario.title}",
            points_of(result),
            Text("") if result.score is None else band_text(result.score),
            _expectation(result),
        ]
        table.add_row(*row, _reason(result))
    return table


def _narrow(results: list[CallResult]) -> Table:
    """Return the calls in 80 columns, a line each: the reasons follow below."""
    table = plain_table()
    for column in ("call", "provider", "scenario", "score", "expected"):
        table.add_column(column, no_wrap=True)
    for result in results:
        band = Text("") if result.score is None else band_text(result.score)
        table.add_row(
            result.plan.call_id,
            result.plan.provider.name,
            result.plan.scenario.title,
            Text(f"{points_of(result):>3} ") + band,
            _expectation(result),
        )
    return table


def _reason(result: CallResult) -> str:
    return "" if result.score is None else result.score.explain()


def _expectation(result: CallResult) -> Text:
    if result.plan.expected_above is None:
        return Text("")
    style = "" if result.as_expected else "bold"
    met = "met" if result.as_expected else "missed"
    return Text(f"> {result.plan.expected_above} {met}", style=style)


def _as_json(
    engine: ReferenceEngine, results: list[CallResult], exposition: list[str]
) -> dict[str, Any]:
    return {
        "profile": engine.profile.name,
        "speech": engine.speech.source,
        "metrics_url": f"{engine.url}/metrics",
        "calls": [
            {
                "provider": result.plan.provider.name,
                "scenario": result.plan.scenario.name,
                "expected_above": result.plan.expected_above,
                "as_expected": result.as_expected,
                **(described(result.score) if result.score is not None else {}),
            }
            for result in results
        ],
        "metrics": exposition,
    }
