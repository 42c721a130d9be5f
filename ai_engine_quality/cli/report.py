"""``report``: the stored calls of a day or a week as one page, to look at and to send."""

from __future__ import annotations

from pathlib import Path

import click

from ai_engine_quality.cli.output import json_option, print_json
from ai_engine_quality.cli.selecting import (
    conditions,
    end_without_a_call,
    records_argument,
    selected,
)
from ai_engine_quality.core.wording import plural, printable
from ai_engine_quality.report.digest import digest
from ai_engine_quality.report.markdown import markdown
from ai_engine_quality.report.page import page

DEFAULT_OUTPUT = Path("quality-report.html")
MARKDOWN_SUFFIXES = {".md", ".markdown"}


@click.command(short_help="Write the calls of a day or a week as one page.")
@records_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=DEFAULT_OUTPUT,
    show_default=True,
    help="HTML, or Markdown where the name ends in .md; - is standard output, as Markdown.",
)
@click.option("--title", default="Call quality", show_default=True, help="The report's heading.")
@click.option(
    "--worst",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many of the worst calls to explain.",
)
@conditions
@json_option
def report(
    *,
    records: Path,
    output: Path,
    title: str,
    worst: int,
    as_json: bool,
    **chosen: str | None,
) -> None:
    """Write a report of the calls of RECORDS: one HTML page without scripts, or Markdown.

    It says how the calls were over time, what cost the points, how the providers compare, and what
    went wrong in the worst calls. Nothing in it identifies a caller.

    Exit code 1: there is no such call.
    """
    found = digest(selected(records, chosen), worst)
    if not found.every.calls:
        end_without_a_call(records, such=any(chosen.values()))
    if as_json:
        print_json(found.to_dict())
        return
    to_stdout = str(output) == "-"
    as_markdown = to_stdout or output.suffix.lower() in MARKDOWN_SUFFIXES
    text = (markdown if as_markdown else page)(found, title)
    if to_stdout:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{output}: {error}. Name another file by --output") from error
    click.echo(printable(f"{output}: {plural(found.every.calls, 'call')}"))
