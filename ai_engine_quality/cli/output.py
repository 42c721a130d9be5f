"""What the commands print: tables and progress for people on a terminal, JSON for programs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.progress import Progress, SpinnerColumn
from rich.table import Table
from rich.text import Text

from ai_engine_quality.core.policy import Band, Policy
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.wording import printable
from ai_engine_quality.history.records import Unreadable, read_records, to_record
from ai_engine_quality.palette import BANDS
from ai_engine_quality.settings import SettingsError, load_settings

DEFAULT_RECORDS = Path("records/calls.jsonl")

NOT_FOUND = 1
"""Exit code: what was asked for isn't there. Wrong use of a command is 2."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

records_option = click.option(
    "--records",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_RECORDS,
    show_default=True,
    envvar="AI_ENGINE_QUALITY_RECORDS_PATH",
    help="The record file; rotated ones beside it are read too.",
)

BAND_STYLES = {band: f"bold {BANDS[band]}" if band is Band.POOR else BANDS[band] for band in Band}


WIDE = 130
"""Columns from which a table has room for a reason in words."""

FILE_WIDTH = 220
"""Columns of what goes into a file or a pipe: a line there is not wrapped."""


def console(*, stderr: bool = False) -> Console:
    """Return a console that never reads markup in what it prints."""
    out = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = FILE_WIDTH
    return out


def plain_table(*columns: str, title: str | None = None) -> Table:
    """Return a table that spends no column on lines: a terminal of 80 has few."""
    return Table(
        *columns,
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


@contextmanager
def progress(out: Console, what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show how much of something is done; what is yielded is called after each part."""
    columns = (SpinnerColumn(), *Progress.get_default_columns())
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def program() -> str:
    """Return how this program is called here, to print commands that work as they stand."""
    name = Path(sys.argv[0])
    if name.name == "__main__.py":
        return "python -m ai_engine_quality"
    return name.name if shutil.which(name.name) else os.path.relpath(name)


def print_json(data: Any) -> None:
    """Print plain types as JSON."""
    click.echo(json.dumps(data, indent=1))


def described(score: CallScore) -> dict[str, Any]:
    """Return a call's record and its explanation, in plain JSON types."""
    return {**to_record(score), "explanation": score.explain()}


def band_text(score: CallScore) -> Text:
    """Return the band, in its colour."""
    if score.band is None:
        return Text("not scored", style="dim")
    return Text(score.band.value, style=BAND_STYLES[score.band])


def points(score: CallScore) -> str:
    """Return the score, or a dash."""
    return "-" if score.score is None else str(score.score)


def stored_scores(path: Path) -> Iterable[CallScore]:
    """Yield every stored score; tell on stderr how many lines were no records."""
    first: Unreadable | None = None
    unreadable = 0  # a number and not a list: a file may be of millions of such lines
    try:
        for item in read_records(path):
            if isinstance(item, Unreadable):
                first = first or item
                unreadable += 1
            else:
                yield item
    except OSError as error:
        said = str(error) if str(path) in str(error) else f"{path}: {error}"
        raise click.ClickException(
            f"{said}. Name the record file by --records; `ai-engine-quality demo` makes one to try"
        ) from error
    if first is not None:
        click.echo(
            printable(
                f"{_no_records(unreadable)} left out; the first is line {first.line} of "
                f"{first.path}: {first.reason}"
            ),
            err=True,
        )


def _no_records(lines: int) -> str:
    return "1 line is no record and was" if lines == 1 else f"{lines} lines are no records and were"


def read_policy(name: str) -> Policy:
    """Return a policy by its version, or by the [policy] of a settings file."""
    try:
        return load_settings(name, {}).policy if Path(name).is_file() else Policy.load(name)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    except ValueError as error:
        raise click.ClickException(f"{error}, or name a settings file") from error
