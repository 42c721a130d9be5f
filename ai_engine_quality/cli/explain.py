"""``explain CALL_ID``: why did this call get its score?"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import NoReturn

import click

from ai_engine_quality.cli.calls import last_calls, worst_calls
from ai_engine_quality.cli.output import (
    NOT_FOUND,
    described,
    json_option,
    print_json,
    read_policy,
)
from ai_engine_quality.cli.selecting import (
    conditions,
    end_without_a_call,
    found_records_option,
    selected,
)
from ai_engine_quality.core.policy import Policy, versions
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.scoring import score
from ai_engine_quality.core.wording import plural, printable
from ai_engine_quality.history.certainty import how_certain


@click.command(short_help="Say why a call has its score.")
@click.argument("call_id", required=False)
@click.option("--worst", is_flag=True, help="The call with the lowest score.")
@click.option("--last", is_flag=True, help="The call that started last.")
@found_records_option
@conditions
@click.option(
    "--policy",
    metavar="VERSION|FILE",
    help="Score the call again by a shipped version, such as v1, or by a settings file's [policy].",
)
@json_option
def explain(
    *,
    call_id: str | None,
    worst: bool,
    last: bool,
    records: Path,
    policy: str | None,
    as_json: bool,
    **chosen: str | None,
) -> None:
    """Say why CALL_ID got its score: its factors by cost, its ceilings, and what would differ.

    Instead of CALL_ID, --worst or --last. --provider, --since and the other conditions choose the
    calls among which it is looked for.

    Exit code 1: there is no such call in the records.
    """
    if (call_id is not None) + worst + last != 1:
        raise click.UsageError("name one of CALL_ID, --worst and --last")
    if call_id is None:
        calls = selected(records, chosen)
        found = next(iter(worst_calls(calls, 1) if worst else last_calls(calls, 1)), None)
        if found is None:
            end_without_a_call(records, such=worst or any(chosen.values()))
    else:
        found = _named(call_id, records, chosen)
    _explain(found, policy, as_json=as_json)


def _named(call_id: str, records: Path, chosen: dict[str, str | None]) -> CallScore:
    """Return the call of an id, the latest one where an id came twice; exit where there is none."""
    found: CallScore | None = None
    known: list[str] = []
    for stored in selected(records, chosen):
        known.append(stored.call_id)
        if stored.call_id == call_id:
            found = stored
    if found is None:
        _end_without(call_id, records, known, such=any(chosen.values()))
    return found


def _explain(found: CallScore, policy: str | None, *, as_json: bool) -> None:
    scored_by = _policy_of(found) if policy is None else read_policy(policy)
    if policy is not None and scored_by is not None:
        found = score(found.summary, scored_by)
    certainty = None if scored_by is None else how_certain(found, scored_by)
    if as_json:
        print_json({**described(found), "certainty": certainty and certainty.to_dict()})
    else:
        click.echo(printable(found.explain(full=True)))
        click.echo(printable(f"  certainty: {certainty or _unknown(found, scored_by)}"))


def _policy_of(stored: CallScore) -> Policy | None:
    """Return the policy that a stored call was scored by, where it ships with the package."""
    shipped = stored.policy_version in versions()
    return Policy.load(stored.policy_version) if shipped else None


def _unknown(call: CallScore, scored_by: Policy | None) -> str:
    if scored_by is None:
        return f"unknown; name policy {call.policy_version}'s file with --policy"
    return "unknown; it takes a score" if call.score is None else "unknown; it takes 3 turns"


def _end_without(call_id: str, records: Path, known: list[str], *, such: bool) -> NoReturn:
    close = difflib.get_close_matches(call_id, set(known), n=3)
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    held = plural(len(known), "such call" if such else "call")
    message = f"{records} holds {held}, and {call_id} is none of them{hint}"
    click.echo(printable(message), err=True)
    raise click.exceptions.Exit(NOT_FOUND)
