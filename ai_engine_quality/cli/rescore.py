"""``rescore FILE --policy NEW``: what would the stored calls get under other thresholds?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ai_engine_quality.cli.output import (
    band_text,
    console,
    json_option,
    plain_table,
    points,
    print_json,
    read_policy,
    stored_scores,
)
from ai_engine_quality.cli.selecting import end_without_a_call, records_argument
from ai_engine_quality.core.policy import Band, Policy
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.scoring import score
from ai_engine_quality.core.wording import printable

NOT_SCORED = "not scored"
BANDS = (*(band.value for band in Band), NOT_SCORED)


@dataclass
class _Totals:
    """Sums over one side of the comparison."""

    bands: Counter[str] = field(default_factory=Counter)
    scored: int = 0
    sum: int = 0

    def add(self, call: CallScore) -> None:
        self.bands[call.band.value if call.band else NOT_SCORED] += 1
        if call.score is not None:
            self.scored += 1
            self.sum += call.score

    @property
    def mean(self) -> float | None:
        return self.sum / self.scored if self.scored else None


@click.command(short_help="Score stored calls again, by another policy.")
@records_argument
@click.option(
    "--policy",
    required=True,
    metavar="VERSION|FILE",
    help="A shipped version, such as v1, or a settings file's [policy].",
)
@click.option("--show", default=20, show_default=True, help="How many changed calls to list.")
@json_option
def rescore(records: Path, policy: str, show: int, as_json: bool) -> None:
    """Score the stored calls of RECORDS again and show what changes. Nothing is written.

    Exit code 1: the file holds no call.
    """
    new_policy = read_policy(policy)
    before, after = _Totals(), _Totals()
    changed: list[tuple[CallScore, CallScore]] = []
    for stored in stored_scores(records):
        again = score(stored.summary, new_policy)
        before.add(stored)
        after.add(again)
        if again.score != stored.score:
            changed.append((stored, again))
    if not before.bands:
        end_without_a_call(records, such=False)
    changed.sort(key=lambda pair: -_distance(*pair))
    if as_json:
        print_json(_as_json(new_policy, before, after, changed))
    else:
        _print(new_policy, before, after, changed, show)


def _distance(old: CallScore, new: CallScore) -> float:
    """Return by how many points a score changed; becoming scored, or not, is the most."""
    if old.score is None or new.score is None:
        return 101
    return abs(old.score - new.score)


def _as_json(
    policy: Policy, before: _Totals, after: _Totals, changed: list[tuple[CallScore, CallScore]]
) -> dict[str, Any]:
    return {
        "policy": policy.version,
        "calls": before.bands.total(),
        "before": {"mean": before.mean, "bands": dict(before.bands)},
        "after": {"mean": after.mean, "bands": dict(after.bands)},
        "changed": [
            {
                "call_id": old.call_id,
                "before": old.score,
                "after": new.score,
                "band_before": old.band,
                "band_after": new.band,
                "explanation": new.explain(),
            }
            for old, new in changed
        ],
    }


def _print(
    policy: Policy,
    before: _Totals,
    after: _Totals,
    changed: list[tuple[CallScore, CallScore]],
    show: int,
) -> None:
    out = console()
    title = f"{before.bands.total():,} calls under policy {policy.version}"
    table = plain_table("", "stored", "now", title=title)
    for band in BANDS:
        table.add_row(band, str(before.bands[band]), str(after.bands[band]))
    means = [f"{side.mean:.1f}" if side.mean is not None else "-" for side in (before, after)]
    table.add_row("mean score", *means)
    out.print(table)
    out.print()
    if not changed:
        out.print("No call's score changes.")
        return
    calls = plain_table(
        "call", "was", "now", "", "why now", title=f"{len(changed):,} scores change"
    )
    for old, new in changed[:show]:
        why = printable(new.explain())
        calls.add_row(printable(old.call_id), points(old), points(new), band_text(new), why)
    out.print(calls)
    if len(changed) > show:
        out.print(f"{len(changed) - show:,} more; --show {len(changed)} lists them all.")
