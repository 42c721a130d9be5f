"""``calls``: the last calls, the worst ones, or all of them by provider, time or cause."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from ai_engine_quality.cli.output import (
    BAND_STYLES,
    console,
    described,
    json_option,
    plain_table,
    print_json,
)
from ai_engine_quality.cli.selecting import (
    conditions,
    end_without_a_call,
    records_argument,
    selected,
)
from ai_engine_quality.core.policy import Band
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.wording import plural, printable
from ai_engine_quality.history.causes import CEILING, main_cause, points_lost

COLUMNS: Final = 80
UNKNOWN: Final = "unknown"


def _started(call: CallScore, form: str) -> str:
    at = call.summary.started_at
    return UNKNOWN if at is None else datetime.fromtimestamp(at, UTC).strftime(form)


GROUPS: Final[Mapping[str, Callable[[CallScore], str]]] = {
    "provider": lambda call: call.summary.provider or UNKNOWN,
    "pipeline": lambda call: call.summary.pipeline or UNKNOWN,
    "day": lambda call: _started(call, "%Y-%m-%d"),
    "hour": lambda call: _started(call, "%Y-%m-%d %H:00"),
    "cause": main_cause,
}
"""What calls can be put together by; times are UTC."""


@dataclass
class _Group:
    """The calls of one group, in numbers."""

    calls: int = 0
    scores: Counter[int] = field(default_factory=Counter)
    bands: Counter[str] = field(default_factory=Counter)
    lost: dict[str, float] = field(default_factory=dict)
    policies: set[str] = field(default_factory=set)
    """By which its scored calls were scored."""

    def add(self, call: CallScore) -> None:
        self.calls += 1
        if call.score is not None and call.band is not None:
            self.scores[call.score] += 1
            self.bands[call.band.value] += 1
            self.policies.add(call.policy_version)
        for cause in points_lost(call):
            self.lost[cause.name] = self.lost.get(cause.name, 0.0) + cause.points

    def to_dict(self) -> dict[str, Any]:
        """Return plain types; the mean is None where no call has a score."""
        scored = self.scores.total()
        lost = sorted(self.lost.items(), key=lambda item: -item[1])
        return {
            "calls": self.calls,
            "scored": scored,
            "mean": sum(score * n for score, n in self.scores.items()) / scored if scored else None,
            "worst": min(self.scores, default=None),
            "poor": self.bands[Band.POOR.value],
            "bands": dict(self.bands),
            "costs_most": lost[0][0] if lost else None,
            "points_lost": {name: round(points, 1) for name, points in lost},
        }


@click.command(short_help="List the last calls, or the worst ones.")
@records_argument
@click.option("--worst", is_flag=True, help="The lowest scores first, instead of the last calls.")
@click.option(
    "-n",
    "--number",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many calls to list.",
)
@click.option("--by", type=click.Choice([*GROUPS]), help="All calls, put together.")
@conditions
@json_option
def calls(
    *, records: Path, worst: bool, number: int, by: str | None, as_json: bool, **chosen: str | None
) -> None:
    """List the last calls of RECORDS, or the worst ones, with what cost most; times are UTC.

    With --by, all of them by provider, pipeline, day, hour or cause.

    Exit code 1: there is no such call.
    """
    found = selected(records, chosen)
    if by is not None:
        groups = _groups(found, by)
        if not groups:
            end_without_a_call(records, such=any(chosen.values()))
        _print_groups(groups, by, as_json=as_json)
        return
    listed = worst_calls(found, number) if worst else last_calls(found, number)
    if not listed:
        end_without_a_call(records, such=worst or any(chosen.values()))
    elif as_json:
        print_json([{**described(call), "cause": main_cause(call)} for call in listed])
    else:
        _print(listed)


def last_calls(found: Iterable[CallScore], number: int) -> list[CallScore]:
    """Return the last calls, newest first; those without a time come last, as they were stored."""
    numbered = enumerate(found)
    latest = heapq.nlargest(
        number, numbered, key=lambda item: (item[1].summary.started_at or 0.0, item[0])
    )
    return [call for _, call in latest]


def worst_calls(found: Iterable[CallScore], number: int) -> list[CallScore]:
    """Return the calls with the lowest scores, lowest first; of equal ones the newest first."""
    scored = ((n, call) for n, call in enumerate(found) if call.score is not None)
    return [
        call
        for _, call in heapq.nsmallest(number, scored, key=lambda item: (item[1].score, -item[0]))
    ]


def _print(listed: list[CallScore]) -> None:
    table = plain_table()
    table.add_column("started", no_wrap=True)
    table.add_column("call", overflow="fold")
    table.add_column("provider", max_width=17, overflow="fold")
    table.add_column("score", no_wrap=True)
    table.add_column("costs most", overflow="fold")
    for call in listed:
        table.add_row(
            _started(call, "%d %b %H:%M"),
            printable(call.call_id),
            printable(call.summary.provider or UNKNOWN),
            _score(call),
            _cost(call),
        )
    out = console()
    out.width = min(out.width, COLUMNS)
    out.print(table)
    out.print()
    out.print("Why: ai-engine-quality explain CALL")


def _score(call: CallScore) -> Text:
    if call.score is None or call.band is None:
        return Text("-", style="dim")
    return Text(f"{call.score:>3} {call.band.value}", style=BAND_STYLES[call.band])


def _cost(call: CallScore) -> str:
    """Return the main cause, and what it cost where it is a factor."""
    cause = main_cause(call)
    points = {found.name: found.points for found in points_lost(call)}
    lost = points.get(cause, points.get(CEILING + cause))
    return cause if lost is None else f"{cause} -{lost:.0f}"


def _groups(found: Iterable[CallScore], by: str) -> dict[str, _Group]:
    groups: dict[str, _Group] = {}
    for call in found:
        groups.setdefault(GROUPS[by](call), _Group()).add(call)
    return groups


def _print_groups(groups: Mapping[str, _Group], by: str, *, as_json: bool) -> None:
    in_order = sorted(groups.items(), key=_order(by))
    if len(policies := set().union(*(group.policies for group in groups.values()))) > 1:
        names = ", ".join(sorted(policies))
        note = (
            f"The calls were scored by different policies, {names}, so means may differ by that "
            "alone: compare A B --policy VERSION scores all by one."
        )
        click.echo(printable(note), err=True)
    if as_json:
        print_json([{by: name, **group.to_dict()} for name, group in in_order])
        return
    table = plain_table(by)
    for column in ("calls", "scored", "mean", "poor", "worst"):
        table.add_column(column, justify="right")
    table.add_column("costs most")
    for name, group in in_order:
        row = group.to_dict()
        mean = "-" if row["mean"] is None else f"{row['mean']:.1f}"
        worst = "-" if row["worst"] is None else str(row["worst"])
        numbers = (f"{row['calls']:,}", f"{row['scored']:,}", mean, f"{row['poor']:,}", worst)
        table.add_row(printable(name), *numbers, row["costs_most"] or "-")
    out = console()
    out.width = min(out.width, COLUMNS)
    out.print(table)
    out.print()
    out.print(plural(sum(group.calls for group in groups.values()), "call"))


def _order(by: str) -> Callable[[tuple[str, _Group]], Any]:
    """Return what groups are put in order by: time, or the number of calls, most first."""
    if by in ("day", "hour"):
        return lambda item: item[0]
    return lambda item: (-item[1].calls, item[0])
