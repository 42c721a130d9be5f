"""``tune RECORDS``: which thresholds do the stored calls themselves suggest?"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from ai_engine_quality.cli.compare import read_selection, selected_calls
from ai_engine_quality.cli.output import (
    console,
    json_option,
    plain_table,
    print_json,
    program,
)
from ai_engine_quality.cli.rescore import BANDS, NOT_SCORED
from ai_engine_quality.cli.selecting import named_records_option
from ai_engine_quality.core.policy import DEFAULT_POLICY, Policy, versions
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.scoring import score
from ai_engine_quality.history.selection import Selection
from ai_engine_quality.history.tuning import (
    ALERT_PERCENTILE,
    MIN_WINDOWS,
    AlertProposal,
    PolicyProposal,
    propose_alerts,
    propose_policy,
)


@click.command(short_help="Propose thresholds from stored calls.")
@click.argument("records", callback=read_selection, default="")
@named_records_option
@click.option(
    "--base",
    type=click.Choice(versions()),
    default=DEFAULT_POLICY.version,
    show_default=True,
    help="The shipped policy to start from.",
)
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the proposed policy as a settings file, for rescore --policy and the engine.",
)
@json_option
def tune(records: Selection, base: str, write: Path | None, as_json: bool) -> None:
    """Propose policy and alert thresholds from the percentiles of the calls in RECORDS.

    RECORDS is a record file or a selection of its calls, as of compare; by default it is the file
    of --records. The table shows how many calls would change their band. Nothing changes
    by itself: --write makes a file to try.

    Exit code 1: there is no call, or nothing to write.
    """
    policy = Policy.load(base)
    calls = [score(call.summary, policy) for call in selected_calls(records)]
    proposal, alerts = propose_policy(calls, policy), propose_alerts(calls)
    new = proposal.applied_to(policy)
    again = [score(call.summary, new) for call in calls]
    if as_json:
        print_json(_as_json(proposal, new, (calls, again), alerts))
    else:
        _print(proposal, new, (calls, again), alerts)
    if write is not None:
        _write(write, proposal, base, records, len(calls))
        if not as_json:
            click.echo(
                f"Wrote {write}; try it: {program()} rescore {records.path} --policy {write}"
            )


def _write(path: Path, proposal: PolicyProposal, base: str, records: Selection, calls: int) -> None:
    if not proposal.changes:
        raise click.ClickException(f"there is nothing to write into {path}: no threshold moves")
    try:
        with path.open("x") as stream:
            stream.write(settings_text(proposal, base, f"{calls:,} calls of {records.path.name!a}"))
    except FileExistsError:
        raise click.ClickException(f"{path} is there already; name another file") from None
    except OSError as error:
        raise click.ClickException(
            f"{path} can't be written ({error}); name another file"
        ) from error


def settings_text(proposal: PolicyProposal, base: str, source: str) -> str:
    """Return a settings file with the proposed policy."""
    lines = [
        f"# Proposed by `ai-engine-quality tune` from {source}.",
        "# It grades calls against what is usual here, not against what callers like.",
        "[policy]",
        f'base = "{base}"',
    ]
    for table, entries in proposal.changes.items():
        lines += ["", f"[policy.{table}]"]
        lines += [f"{name} = {json.dumps(pairs)}" for name, pairs in entries.items()]
    return "\n".join([*lines, ""])


_Sides = tuple[list[CallScore], list[CallScore]]
"""The calls by the base policy, and by the proposed one."""


def _bands(calls: list[CallScore]) -> Counter[str]:
    return Counter(call.band.value if call.band else NOT_SCORED for call in calls)


def _changed(sides: _Sides) -> int:
    return sum(old.band != new.band for old, new in zip(*sides, strict=True))


def _as_json(
    proposal: PolicyProposal, new: Policy, sides: _Sides, alerts: list[AlertProposal]
) -> dict[str, Any]:
    return {
        "calls": len(sides[0]),
        "policy": {
            "version": new.version,
            "changes": proposal.changes,
            "anchors": {
                name: [
                    dict(zip(("now", "proposed", "percentile"), at, strict=True)) for at in found
                ]
                for name, found in proposal.anchors.items()
            },
            "left": proposal.left,
        },
        "bands": {"now": dict(_bands(sides[0])), "proposed": dict(_bands(sides[1]))},
        "change_band": _changed(sides),
        "alerts": [
            {name: getattr(alert, name) for name in AlertProposal.__dataclass_fields__}
            for alert in alerts
        ],
    }


def _print(
    proposal: PolicyProposal, new: Policy, sides: _Sides, alerts: list[AlertProposal]
) -> None:
    out = console()
    if proposal.anchors:
        out.print(_policy_table(proposal))
        out.print()
    for name, reason in proposal.left.items():
        out.print(f"{name} stays as it is: {reason}.")
    title = f"{len(sides[0]):,} calls, policy {new.version}"
    bands = plain_table("", "now", "proposed", title=title)
    counts = [_bands(calls) for calls in sides]
    for band in BANDS:
        bands.add_row(band, *(str(count[band]) for count in counts))
    out.print()
    out.print(bands)
    out.print()
    out.print(f"{_changed(sides):,} of {len(sides[0]):,} calls would change their band.")
    out.print()
    out.print(_alert_table(alerts))
    out.print()
    if any(alert.proposed is None for alert in alerts):
        out.print(f"Unknown: it takes {MIN_WINDOWS} windows with traffic.")
    out.print("Choose a histogram's bucket edge near a proposed time, so that counts stay exact.")


def _policy_table(proposal: PolicyProposal) -> Table:
    table = plain_table("threshold", "now", "proposed", "calls under it", title="Policy")
    for name, anchors in proposal.anchors.items():
        for now, proposed, share in anchors:
            table.add_row(name, f"{now:g}", f"{proposed:g}", f"{share:g} %")
    return table


def _alert_table(alerts: list[AlertProposal]) -> Table:
    title = f"Alerts: exceeded in {100 - ALERT_PERCENTILE:g} of 100 windows"
    table = plain_table("alert", "now", "proposed", "windows", "over it now", title=title)
    for alert in alerts:
        unit = f" {alert.unit}" if alert.unit else ""
        proposed = "unknown" if alert.proposed is None else f"{alert.proposed:g}{unit}"
        table.add_row(
            alert.name,
            f"{alert.present:g}{unit}",
            proposed,
            f"{alert.windows:,}",
            f"{alert.over_present:,}",
        )
    return table
