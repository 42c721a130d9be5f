"""The report as Markdown: the same numbers in tables, for a mail or an issue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from ai_engine_quality.core.policy import Band
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.wording import plural, printable, seconds
from ai_engine_quality.report.digest import BANDS, DAY, Digest, scored_by, started
from ai_engine_quality.report.findings import faults, moments, waits

MOST_MOMENTS: Final = 20
"""More of a call's moments make no line that anybody reads."""

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def escaped(text: str) -> str:
    """Return a text of others as one line of which Markdown makes nothing but itself."""
    return _SPECIAL.sub(r"\\\1", printable(text).replace("\n", " "))


def markdown(found: Digest, title: str) -> str:
    """Return the whole report."""
    return "\n".join(_lines(found, title)).rstrip() + "\n"


def _lines(found: Digest, title: str) -> Iterator[str]:
    yield f"# {escaped(title)}"
    yield ""
    yield from _numbers(found)
    yield from _over_time(found)
    yield from _costs(found)
    yield from _providers(found)
    if found.worst:
        yield f"## The {plural(len(found.worst), 'call')} with the lowest scores"
        yield ""
    for call in found.worst:
        yield from _call(call)


def _table(*rows: Iterable[str]) -> Iterator[str]:
    head, *rest = (list(row) for row in rows)
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rest:
        yield f"| {' | '.join(row)} |"
    yield ""


def _number(value: float | None, form: str = "{:.1f}") -> str:
    return "-" if value is None else form.format(value)


def _numbers(found: Digest) -> Iterator[str]:
    every = found.every
    if found.first and found.last:
        form = "%d %b %Y %H:%M"
        span = f"{found.first.strftime(form)} to {found.last.strftime(form)} UTC"
        yield f"{span}, by {escaped(scored_by(found))}."
        yield ""
    poor = every.bands[Band.POOR.value]
    yield from _table(
        ("calls", "scored", "mean", "median", "poor", "p95 wait", "unanswered turns"),
        (
            f"{every.calls:,}",
            f"{every.scored:,}",
            _number(every.mean),
            _number(every.median, "{}"),
            f"{poor:,} ({_number(every.poor_share and every.poor_share * 100)} %)",
            "-" if every.p95_wait is None else seconds(every.p95_wait),
            f"{every.unanswered:,}",
        ),
    )


def _over_time(found: Digest) -> Iterator[str]:
    columns = [column for column in found.columns if column.bands.total() + column.unscored]
    if not columns:
        return
    yield "## Calls by band over time"
    yield ""
    form = "%d %b %Y" if found.step >= DAY else "%d %b %Y %H:%M"
    yield from _table(
        ("from (UTC)", *BANDS, "not scored"),
        *(
            (
                column.start.strftime(form),
                *(f"{column.bands[band]:,}" for band in BANDS),
                f"{column.unscored:,}",
            )
            for column in columns
        ),
    )


def _costs(found: Digest) -> Iterator[str]:
    lost = found.every.by_cost()
    if not lost:
        return
    yield "## What cost the points"
    yield ""
    yield from _table(
        ("cause", "points", "calls"),
        *((escaped(name), f"{points:,.1f}", f"{found.every.hit[name]:,}") for name, points in lost),
    )


def _providers(found: Digest) -> Iterator[str]:
    yield "## Providers side by side"
    yield ""
    yield from _table(
        ("provider", "calls", "mean", "poor", "p95 wait", "unanswered", "not scored", "costs most"),
        *(
            (
                escaped(name),
                f"{sums.calls:,}",
                _number(sums.mean),
                f"{sums.bands[Band.POOR.value]:,}",
                "-" if sums.p95_wait is None else seconds(sums.p95_wait),
                f"{sums.unanswered:,}",
                f"{sums.unscored.total():,}",
                escaped(sums.by_cost()[0][0]) if sums.lost else "-",
            )
            for name, sums in found.providers.items()
        ),
    )


def _call(call: CallScore) -> Iterator[str]:
    at = started(call)
    when = "time unknown" if at is None else at.strftime("%d %b %Y %H:%M:%S UTC")
    yield f"### {call.score} {call.band}: {escaped(call.call_id)}"
    yield ""
    yield f"{when}, {escaped(call.summary.provider or 'unknown provider')}."
    yield escaped(call.explain())
    yield ""
    if turns := waits(call):
        said = ", ".join(
            f"{turn.turn}: {seconds(turn.seconds)}"
            if turn.answered
            else f"no answer: {seconds(turn.seconds)}"
            for turn in turns
        )
        yield f"* what the caller waited, by turn: {said}"
    if found := moments(call):
        yield f"* when: {'; '.join(found[:MOST_MOMENTS])}"
    for text in faults(call):
        yield f"* {escaped(text)}"
    yield ""
