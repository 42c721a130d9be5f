"""``compare A B``: are the calls of B better or worse than those of A, and by what?"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ai_engine_quality.cli.output import (
    console,
    json_option,
    plain_table,
    print_json,
    read_policy,
    stored_scores,
)
from ai_engine_quality.cli.rescore import BANDS, NOT_SCORED
from ai_engine_quality.cli.selecting import (
    end_without_a_call,
    named_records,
    named_records_option,
    settings_records,
)
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.scoring import score
from ai_engine_quality.core.wording import printable
from ai_engine_quality.history.comparison import MIN_CALLS, Conclusion, Effect, Side, compare
from ai_engine_quality.history.selection import Selection, SelectionError, parse_selection

WORSE = 3
"""Exit code: B is worse, by as much as --fail-if-worse says."""

TOO_FEW = 4
"""Exit code: there are too few calls to say, where --fail-if-worse asks."""


def read_selection(context: click.Context, _param: click.Parameter, text: str) -> Selection:
    """Return the selection that an argument means: of --records' file if it names none itself.

    Raises:
        ClickException: it can't be read, a file is named twice, or the settings can't be used.
    """
    file, mark, conditions = text.partition("?")
    named = named_records(context, Path(file) if file else None)
    try:
        found = parse_selection(text if file else f"RECORDS{mark}{conditions}")
    except SelectionError as error:
        raise click.BadParameter(str(error)) from error
    if file:
        return found
    path = named or settings_records()
    return replace(found, text=f"{path}{mark}{conditions}", path=path)


@click.command("compare", short_help="Say whether calls got better or worse, and in what.")
@click.argument("a", callback=read_selection)
@click.argument("b", callback=read_selection)
@named_records_option
@click.option(
    "--policy",
    metavar="VERSION|FILE",
    help="Score all calls again by a shipped version, such as v1, or a settings file's [policy].",
)
@click.option(
    "--fail-if-worse",
    type=click.FloatRange(min=0),
    metavar="POINTS",
    help="For CI: exit code 3 where B is seen to be worse, and by so many points or more.",
)
@json_option
def compare_command(
    a: Selection, b: Selection, policy: str | None, fail_if_worse: float | None, as_json: bool
) -> None:
    """Compare the calls of B with those of A: the effect on the score and on each factor.

    A and B are record files, or selections of their calls by provider, pipeline, outcome, policy,
    since and until: 'calls.jsonl?provider=deepgram&since=2026-11-01'. Without a file, as in
    '?provider=deepgram', the one of --records is meant.

    Exit code 1: a selection holds no call. With --fail-if-worse, 3: B is worse; 4: fewer than 20
    calls on either side, so that nothing can be said.
    """
    sides = [selected_calls(selection) for selection in (a, b)]
    if policy is not None:
        by = read_policy(policy)
        sides = [[score(call.summary, by) for call in calls] for calls in sides]
    version = _only_policy(*sides)
    effects = compare(*sides)
    if as_json:
        print_json(_as_json((a, b), sides, version, effects))
    else:
        _print((a, b), sides, version, effects)
    if fail_if_worse is not None:
        _gate(effects[0], fail_if_worse)


def selected_calls(selection: Selection) -> list[CallScore]:
    """Return the calls that a selection means; exit where there is none."""
    calls = [call for call in stored_scores(selection.path) if selection.matches(call)]
    if not calls:
        end_without_a_call(selection.text, such=False)
    return calls


def _only_policy(*sides: list[CallScore]) -> str:
    versions = sorted({call.policy_version for calls in sides for call in calls})
    if len(versions) > 1:
        raise click.ClickException(
            f"the calls were scored by different policies, {', '.join(versions)}; "
            "--policy VERSION scores all of them again by one"
        )
    return versions[0]


def _gate(effect: Effect, points: float) -> None:
    if effect.verdict is Conclusion.TOO_FEW:
        raise click.exceptions.Exit(TOO_FEW)
    if effect.verdict is Conclusion.WORSE and -(effect.points or 0) >= points:
        raise click.exceptions.Exit(WORSE)


def _bands(calls: list[CallScore]) -> dict[str, int]:
    counts = Counter(call.band.value if call.band else NOT_SCORED for call in calls)
    return {band: counts[band] for band in BANDS if counts[band]}


def _as_json(
    selections: tuple[Selection, Selection],
    sides: list[list[CallScore]],
    version: str,
    effects: list[Effect],
) -> dict[str, Any]:
    described = [
        {"selection": selection.text, "calls": len(calls), "bands": _bands(calls)}
        for selection, calls in zip(selections, sides, strict=True)
    ]
    return {
        "policy": version,
        "a": described[0],
        "b": described[1],
        "verdict": effects[0].verdict.value,
        "effects": [effect.to_dict() for effect in effects],
    }


def _print(
    selections: tuple[Selection, Selection],
    sides: list[list[CallScore]],
    version: str,
    effects: list[Effect],
) -> None:
    out = console()
    for name, selection, calls in zip("AB", selections, sides, strict=True):
        bands = ", ".join(f"{count} {band}" for band, count in _bands(calls).items())
        out.print(printable(f"{name}: {selection.text}, {len(calls):,} calls ({bands})"))
    title = printable(f"Points, policy {version}")
    table = plain_table("", "A", "B", "effect", "interval", "B is", title=title)
    for effect in effects:
        table.add_row(
            effect.name,
            _mean(effect.a),
            _mean(effect.b),
            _signed(effect.points),
            _interval(effect),
            effect.verdict.value,
        )
    out.print()
    out.print(table)
    out.print()
    out.print(_sentence(effects[0]))


def _mean(side: Side) -> str:
    return "-" if side.mean is None else f"{side.mean:.1f}"


def _signed(points: float | None) -> str:
    return "-" if points is None else f"{points:+.1f}"


def _interval(effect: Effect) -> str:
    if effect.low is None:
        return "-"
    return f"{_signed(effect.low)} to {_signed(effect.high)}"


def _sentence(effect: Effect) -> str:
    of = f"{effect.b.calls:,} scored calls against {effect.a.calls:,}"
    match effect.verdict:
        case Conclusion.TOO_FEW:
            return f"Too few calls to say: {of}, and it takes {MIN_CALLS} on either side."
        case Conclusion.NO_DIFFERENCE:
            return f"No difference seen: {of}; it may lie anywhere in {_interval(effect)} points."
    return (
        f"B is {effect.verdict} than A by {abs(effect.points or 0):.1f} points "
        f"({_interval(effect)}): {of}."
    )
