"""Which stored calls a command is about: the record file, found by the settings, and conditions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlencode

import click

from ai_engine_quality.cli.output import DEFAULT_RECORDS, NOT_FOUND, stored_scores
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.wording import printable
from ai_engine_quality.history.causes import has_cause
from ai_engine_quality.history.selection import Selection, SelectionError, parse_selection
from ai_engine_quality.settings import CONFIG_VARIABLE, SettingsError, load_settings

Command = TypeVar("Command", bound=Callable[..., Any])

_CONDITIONS = ("provider", "pipeline", "since", "until")


def settings_records() -> Path:
    """Return the record file that settings and environment name, or the usual one.

    A relative path in a settings file is meant from the engine's folder; where nothing is there,
    the file beside the settings is taken.

    Raises:
        ClickException: the settings can't be used.
    """
    try:
        records = load_settings().records
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    if records is None:
        return DEFAULT_RECORDS
    path, config = Path(records.path), os.environ.get(CONFIG_VARIABLE)
    beside = Path(config or ".").parent / path
    return beside if beside.exists() and not path.exists() else path


_FILE = click.Path(path_type=Path, dir_okay=False)
_BY_OPTION = f"{__name__}.records"
"""Where a command's context has the file that --records names."""


def records_of(context: click.Context, _param: click.Parameter, value: Path | None) -> Path:
    """Return the record file that is named, as RECORDS or by --records; else the settings' one.

    Raises:
        UsageError: both name one.
        ClickException: the settings can't be used.
    """
    return named_records(context, value) or settings_records()


def named_records(context: click.Context, argument: Path | None) -> Path | None:
    """Return the record file that an argument or --records names; None: neither does.

    Raises:
        UsageError: both do.
    """
    option: Path | None = context.meta.get(_BY_OPTION)
    if option is not None and argument is not None:
        raise click.UsageError(
            "name the record file once: as an argument, or by --records", context
        )
    return argument or option


def _remember(context: click.Context, _param: click.Parameter, value: Path | None) -> None:
    context.meta[_BY_OPTION] = value


_records_option = partial(
    click.option,
    "--records",
    metavar="FILE",
    type=_FILE,
    help="The record file, rotated ones included; by default the one that the settings name "
    f"(AI_ENGINE_QUALITY_CONFIG or _RECORDS_PATH), else {DEFAULT_RECORDS}.",
)

found_records_option = _records_option(callback=records_of)
"""For a command whose arguments name no record file."""

named_records_option = _records_option(
    "named_by_option",  # RECORDS is a parameter too
    is_eager=True,  # known by the time that the arguments are looked at
    expose_value=False,
    callback=_remember,
)
"""For a command whose arguments may name one too: ``named_records`` puts both together."""


def records_argument(command: Command) -> Command:
    """Give a command a record file: as RECORDS, by --records, or by the settings."""
    named = named_records_option(command)
    return click.argument("records", type=_FILE, required=False, callback=records_of)(named)


def end_without_a_call(records: Path | str, *, such: bool) -> NoReturn:
    """End the command: a record file, or a selection of it, holds no call; ``such``: none such."""
    found = "no such call" if such else "no call"
    click.echo(printable(f"{records} holds {found}"), err=True)
    raise click.exceptions.Exit(NOT_FOUND)


def conditions(command: Command) -> Command:
    """Give a command the options that choose calls: provider, pipeline, since, until, cause."""
    times = "2026-11-01, 2026-11-01T12:00Z, or so long ago: 24h, 7d."
    for option in (
        click.option("--cause", metavar="NAME", help="A factor, a ceiling, or why unscored."),
        click.option("--until", metavar="TIME", help="Calls that started before."),
        click.option("--since", metavar="TIME", help=f"Calls that started then or later: {times}"),
        click.option("--pipeline", metavar="NAME", help="Calls of one pipeline."),
        click.option("--provider", metavar="NAME", help="Calls of one provider."),
    ):
        command = option(command)
    return command


def selected(records: Path, chosen: dict[str, str | None]) -> Iterator[CallScore]:
    """Yield the stored calls that meet the conditions, oldest first.

    Raises:
        ClickException: there is no record file, or a condition can't be read.
    """
    selection = _selection(records, chosen)
    cause = chosen.get("cause")
    for call in stored_scores(selection.path):
        if selection.matches(call) and (cause is None or has_cause(call, cause)):
            yield call


def _selection(records: Path, chosen: dict[str, str | None]) -> Selection:
    given = {key: chosen[key] for key in _CONDITIONS if chosen.get(key) is not None}
    if not given:
        return Selection(str(records), records, {})
    query = urlencode(given).replace("%2B", "+")  # an offset's plus, which is read as it stands
    try:
        found = parse_selection(f"records?{query}")
    except SelectionError as error:
        raise click.ClickException(str(error).removeprefix(f"records?{query}: ")) from error
    return Selection(str(records), records, found.names, found.since, found.until)
