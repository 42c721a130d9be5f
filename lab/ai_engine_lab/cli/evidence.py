"""``evidence``: how well the score agrees with listening, by any policy; measured anew if asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress

from ai_engine_lab.timelines.judging import JUDGING_SEED, table
from ai_engine_quality import Policy
from ai_engine_quality.cli import console, json_option, plain_table, print_json, read_policy
from ai_engine_quality.toolkit import versions

if TYPE_CHECKING:
    from ai_engine_lab.evidence.samples import Sample

SAMPLES = Path("docs/data/evidence-samples.csv")

EAR = Path("docs/data/ear-by-condition.json")

EAR_CALLS = 60
"""Generated calls for each condition."""


@click.command(short_help="Compare the score with PESQ and ViSQOL.")
@click.option(
    "--samples",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=SAMPLES,
    show_default=True,
    help="The measured samples.",
)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    metavar="VERSION|FILE",
    help="Judge this policy; may be repeated. Without it, every version that ships.",
)
@click.option("--fit", is_flag=True, help="Print the knees and ceilings that the samples propose.")
@click.option("--measure", is_flag=True, help="Play and measure every sample anew, for minutes.")
@click.option("--ear", is_flag=True, help=f"Judge the ear on generated calls anew, into {EAR}.")
@click.option("--workers", default=2, show_default=True, help="Processes that measure.")
@json_option
def evidence(
    *,
    path: Path,
    policies: tuple[str, ...],
    fit: bool,
    measure: bool,
    ear: bool,
    workers: int,
    as_json: bool,
) -> None:
    """Say how well the audio part of the score agrees with PESQ and ViSQOL, by rank correlation.

    The samples are telephone prompts with the impairments of a call; half of the prompts were held
    back when the knees were chosen.
    """
    _need("evidence", "scipy", "aiohttp")
    if ear:
        _judge_ear(EAR)
    if measure:
        _need("measuring", "pesq", "visqol", "numba", "ai_edge_litert")
        _measure(path, workers)
    samples = _read(path)
    chosen = [read_policy(name) for name in policies or versions()]
    if fit:
        _print_fit(samples, as_json=as_json)
    elif as_json:
        print_json(_found(samples, chosen))
    else:
        _print(samples, chosen)


def _judge_ear(path: Path) -> None:
    """Write how well the ear hears generated calls, by condition: a minute's work."""
    found = {"calls": EAR_CALLS, "first": JUDGING_SEED, "rows": table(EAR_CALLS, JUDGING_SEED)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _need(extra: str, *modules: str) -> None:
    """Say which extra is missing, before anything is begun."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"this needs {', '.join(missing)}; from a checkout: pip install . './lab[{extra}]'"
        )


def _read(path: Path) -> list[Sample]:
    from ai_engine_lab.evidence.samples import read_samples  # noqa: PLC0415  # an extra

    try:
        return read_samples(path)
    except OSError as error:
        raise click.ClickException(
            f"{path}: {error}. Name the samples, or measure some by --measure"
        ) from error
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _measure(path: Path, workers: int) -> None:
    from ai_engine_lab.evidence.measuring import measure  # noqa: PLC0415  # an extra
    from ai_engine_lab.evidence.passages import passages  # noqa: PLC0415
    from ai_engine_lab.evidence.samples import write_samples  # noqa: PLC0415

    try:
        chosen = passages()
    except FileNotFoundError as error:
        raise click.ClickException(str(error)) from error
    with _progress(len(chosen)) as advance:
        samples = list(measure(chosen, workers=workers, tell=advance))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_samples(path, samples)


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    with Progress(console=console(stderr=True), transient=True) as progress:
        task = progress.add_task("measuring passages", total=total)
        yield lambda: progress.advance(task)


def _print_fit(samples: list[Sample], *, as_json: bool) -> None:
    from ai_engine_lab.evidence.knees import proposed  # noqa: PLC0415  # an extra

    changes = proposed(samples, Policy.load("v1"))
    if as_json:
        print_json(changes)
        return
    for section, values in changes.items():
        click.echo(f"[policy.{section}]")
        for name, value in values.items():
            click.echo(f"{name} = {value}")


def _found(samples: list[Sample], policies: list[Policy]) -> list[dict[str, Any]]:
    """Return the correlations in plain JSON types."""
    from ai_engine_lab.evidence.agreement import MEASURES, correlate, groups  # noqa: PLC0415

    return [
        {
            "policy": policy.version,
            "prompts": title,
            "measure": measure,
            **correlate(chosen, policy, field)._asdict(),
        }
        for policy in policies
        for title, chosen in groups(samples).items()
        for measure, field in MEASURES.items()
    ]


def _print(samples: list[Sample], policies: list[Policy]) -> None:
    printed = plain_table("policy", "prompts", "measure", title=f"{len(samples):,} samples")
    printed.add_column("samples", justify="right")
    printed.add_column("rank correlation", justify="right")
    printed.add_column("95 % interval")
    for row in _found(samples, policies):
        interval = f"{row['low']:.3f} to {row['high']:.3f}"
        names = (row["policy"], row["prompts"], row["measure"], str(row["n"]))
        printed.add_row(*names, f"{row['value']:.3f}", interval)
    console().print(printed)
