"""``explain CALL_ID``: why did this call get its score?"""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from ai_engine_quality.cli.output import (
    NOT_FOUND,
    described,
    json_option,
    print_json,
    printable,
    records_option,
    stored_scores,
)
from ai_engine_quality.policy import Policy
from ai_engine_quality.result import CallScore
from ai_engine_quality.scoring import score
from ai_engine_quality.settings import SettingsError, load_settings


@click.command()
@click.argument("call_id")
@records_option
@click.option(
    "--policy",
    metavar="VERSION|FILE",
    help="Score the call again by a shipped version, such as v1, or by a settings file's [policy].",
)
@json_option
def explain(call_id: str, records: Path, policy: str | None, as_json: bool) -> None:
    """Say why CALL_ID got its score: its factors by cost, its ceilings, and what would differ.

    Exit code 1: there is no such call in the records.
    """
    found: CallScore | None = None
    known: list[str] = []
    for stored in stored_scores(records):
        known.append(stored.call_id)
        if stored.call_id == call_id:
            found = stored  # the latest one, where a call id came twice
    if found is None:
        _say_missing(call_id, records, known)
        raise click.exceptions.Exit(NOT_FOUND)
    if policy is not None:
        found = score(found.summary, read_policy(policy))
    if as_json:
        print_json(described(found))
    else:
        click.echo(printable(found.explain(full=True)))


def read_policy(name: str) -> Policy:
    """Return a policy by its version, or by the [policy] of a settings file."""
    try:
        return load_settings(name, {}).policy if Path(name).is_file() else Policy.load(name)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    except ValueError as error:
        raise click.ClickException(f"{error}, or name a settings file") from error


def _say_missing(call_id: str, records: Path, known: list[str]) -> None:
    close = difflib.get_close_matches(call_id, set(known), n=3)
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    message = f"{records} holds {len(known)} calls, and {call_id} is none of them{hint}"
    click.echo(printable(message), err=True)
