"""``python -m ai_engine_lab.real_calls --ava-root DIR``: place real calls and report on them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import ai_engine_quality as aeq
from ai_engine_lab.real_calls import report, storing, truth
from ai_engine_lab.real_calls.composed import Composed, ComposedError
from ai_engine_lab.real_calls.costing import COST_CALLS, ROUNDS, measure_cost
from ai_engine_lab.real_calls.engine import EngineError, EngineProcess, prepare_environment
from ai_engine_lab.real_calls.judging import Said, compare, figures, said_of
from ai_engine_lab.real_calls.real_asterisk import RealAsterisk
from ai_engine_lab.real_calls.report import Results
from ai_engine_lab.real_calls.running import Rig, Run, run_scenarios
from ai_engine_lab.real_calls.scenario import (
    PROVIDERS,
    TRANSPORTS,
    Provider,
    Scenario,
    Setting,
    Transport,
)
from ai_engine_lab.real_calls.scenarios import all_scenarios
from ai_engine_lab.real_calls.sip import SipError
from ai_engine_lab.real_calls.sound import NoPromptsError

PROJECT = Path(aeq.__file__).resolve().parent.parent

MakeProcess = Callable[[str, bool], EngineProcess]
Group = tuple[tuple[Provider, Transport, Setting], list[Scenario]]


@click.command()
@click.option("--ava-root", required=True, type=click.Path(exists=True, file_okay=False,
              path_type=Path), help="The engine's tree; it stays as it is.")  # fmt: skip
@click.option("--only", multiple=True, metavar="NAME", help="A call by its name; repeatable.")
@click.option("--transport", type=click.Choice([*TRANSPORTS, "websocket"]))
@click.option("--provider", type=click.Choice(PROVIDERS))
@click.option("--out", default="build/real-calls", show_default=True,
              type=click.Path(path_type=Path), help="Where everything is written.")  # fmt: skip
@click.option("--composed", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="Start the engine as Compose does: what `docker compose config "
              "--format json` prints in the engine's folder.")  # fmt: skip
@click.option("--asterisk", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="PROGRAM", help="Let SIP phones call by this real Asterisk (21 or newer), "
              "not by the stand-in.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.option("--cost", is_flag=True, help="Measure the engine's CPU with and without the library.")
@click.option("--rounds", default=ROUNDS, show_default=True, type=click.IntRange(1),
              help="Of --cost: a quiet machine needs three, a busy one many.")  # fmt: skip
@click.option("--again", is_flag=True, help="Place no call: measure what --out holds again.")
@click.option("--list", "listing", is_flag=True, help="Print the calls' names, and end.")
def main(
    *,
    ava_root: Path,
    only: Sequence[str],
    transport: str | None,
    provider: str | None,
    out: Path,
    composed: Path | None,
    asterisk: Path | None,
    as_json: bool,
    cost: bool,
    rounds: int,
    again: bool,
    listing: bool,
) -> None:
    """Place real calls on the unedited engine, and lay what was heard beside what was said."""
    if transport == "websocket":
        raise click.UsageError(_no_websocket(ava_root))
    chosen = choose(only, transport, provider)
    if asterisk is not None:
        chosen = [one for one in chosen if one.line.stall_at is None]  # the stand-in's own line
    if listing:
        for scenario in chosen:
            click.echo(f"{scenario.name:24} {scenario.title}")
        return
    console = Console(stderr=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the engine is ended too
    if again:
        results = measure_again(chosen, out)
        _tell(results, report.write(results, out), console)
        return
    try:
        how = None if composed is None else Composed.read(composed)
        make = _engines(ava_root.resolve(), out.resolve(), console, how)
        results = asyncio.run(
            _run(
                chosen,
                make,
                out / "calls",
                console,
                rounds=rounds if cost else 0,
                asterisk=None if asterisk is None else (asterisk, out.resolve() / "asterisk"),
            )
        )
    except (ComposedError, EngineError, NoPromptsError, SipError) as error:
        raise click.ClickException(str(error)) from error
    written = report.write(results, out)
    _tell(results, written, console)
    if as_json:
        json.dump(results.to_dict(), sys.stdout, indent=1)


def _no_websocket(ava_root: Path) -> str:
    if list((ava_root / "src").rglob("asterisk_websocket.py")):
        return "the rig has no stand-in for the WebSocket media transport; use another --transport"
    return "this engine's tree has no WebSocket media transport; use another --transport"


def choose(only: Iterable[str], transport: str | None, provider: str | None) -> list[Scenario]:
    """Return the calls that are asked for.

    Raises:
        click.UsageError: there is no such call.
    """
    every = {scenario.name: scenario for scenario in all_scenarios()}
    wanted = list(only) or list(every)
    unknown = [name for name in wanted if name not in every]
    if unknown:
        names = "`python -m ai_engine_lab.real_calls --ava-root DIR --list` prints the names"
        raise click.UsageError(f"no call is named {', '.join(unknown)}; {names}")
    return [
        every[name]
        for name in wanted
        if transport in (None, every[name].transport) and provider in (None, every[name].provider)
    ]


def groups(scenarios: Iterable[Scenario]) -> list[Group]:
    """Return the calls by the engine's configuration that they need."""
    found: dict[tuple[Provider, Transport, Setting], list[Scenario]] = {}
    for scenario in scenarios:
        key = (scenario.provider, scenario.transport, scenario.setting)
        found.setdefault(key, []).append(scenario)
    return list(found.items())


def _engines(ava_root: Path, out: Path, console: Console, how: Composed | None) -> MakeProcess:
    """Prepare the engine's environment; return what makes an engine by its name."""
    out.mkdir(parents=True, exist_ok=True)
    with console.status("preparing the engine's environment"):
        project = PROJECT if how is None else None  # Compose brings the library, if any
        python = prepare_environment(ava_root, out / "engine-venv", project)
    return lambda name, attached: EngineProcess(
        ava_root, python, out / "engines" / name, attached, how
    )


def measure_again(scenarios: Iterable[Scenario], out: Path) -> Results:
    """Return the results of the recordings and the record files that a folder holds."""
    said: dict[str, Said] = {}
    for path in sorted((out / "engines").glob("*/records.jsonl")):
        said |= said_of(path)
    results = Results()
    with contextlib.suppress(FileNotFoundError):
        before = json.loads((out / "results.json").read_text())
        results.lag_before = before["worst_loop_lag"]
        results.asterisk = before.get("asterisk", results.asterisk)
    for scenario in scenarios:
        path = out / "calls" / f"{scenario.name}.npz"
        if path.exists():
            recording = storing.load(path)
            heard = truth.measure(recording)
            told = said.get(recording.call_id)
            results.comparisons.append(compare(scenario, recording, heard, told))
    return results


async def _run(
    scenarios: list[Scenario],
    make: MakeProcess,
    recorded: Path,
    console: Console,
    *,
    rounds: int,
    asterisk: tuple[Path, Path] | None = None,
) -> Results:
    results = Results()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
        for key, chosen in groups(scenarios):
            name = "-".join(filter(None, key))
            real = None if asterisk is None else RealAsterisk(asterisk[0], asterisk[1] / name)
            rig = Rig(*key, process=make(name, True), asterisk=real)
            run = await run_scenarios(rig, chosen, _progress(bar, name, len(chosen)))
            results.runs.append(run)
            if real is not None:
                results.asterisk = f"{real.version}, called by SIP phones"
            for recording in run.recordings:
                storing.save(recording, recorded)
            _judge(run, results)
        if rounds:
            healthy = [one for one in all_scenarios() if one.name in COST_CALLS]
            told = _progress(bar, "cost", 2 * rounds * len(healthy))
            results.cost = await measure_cost(
                healthy, lambda attached: make(f"cost-{attached}", attached), told, rounds
            )
    order = {scenario.name: number for number, scenario in enumerate(all_scenarios())}
    results.comparisons.sort(key=lambda one: order[one.scenario.name])
    return results


def _progress(bar: Progress, name: str, total: int) -> Any:
    task = bar.add_task(name, total=total)

    def tell(scenario: Scenario, what: str) -> None:
        bar.update(task, description=f"{name}: {scenario.name} {what}")
        if what == "done":
            bar.advance(task)

    return tell


def _judge(run: Run, results: Results) -> None:
    said = said_of(run.records) if run.records else {}
    known = {scenario.name: scenario for scenario in all_scenarios()}
    for recording in run.recordings:
        scenario = known[recording.scenario]
        heard = truth.measure(recording)
        results.comparisons.append(compare(scenario, recording, heard, said.get(recording.call_id)))


def _tell(results: Results, written: Path, console: Console) -> None:
    right = sum(one.right for one in results.comparisons)
    console.print(f"{right} of {len(results.comparisons)} scores are right by what was heard")
    for figure in figures(results.comparisons):
        if figure.mean is not None and figure.worst is not None:
            console.print(
                f"{figure.name}: {figure.mean:.3f} s off in the mean, {figure.worst:.3f} at worst"
            )
    if results.cost is not None:
        console.print(f"cost: {100 * results.cost.share:+.1f} % of the engine's CPU")
    console.print(f"{written}")


if __name__ == "__main__":
    main()
