"""The report as one HTML page: no script, no network, readable at 800 columns of pixels and more.

Charts are boxes with a height or a width in per cent, so that their text keeps its size; each says
its numbers in words, too, for those who can't see it or print it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final
from xml.etree.ElementTree import Element

from ai_engine_quality import palette
from ai_engine_quality.core.policy import Band
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.wording import percent, plural, seconds
from ai_engine_quality.palette import BLUE, GREY, ORANGE, SKY, VERMILLION
from ai_engine_quality.report.course import COLOURS, WORDS, course
from ai_engine_quality.report.course import STYLE as COURSE_STYLE
from ai_engine_quality.report.digest import (
    BANDS,
    DAY,
    HOUR,
    QUARTER,
    WEEK,
    Column,
    Digest,
    Sums,
    scored_by,
    started,
)
from ai_engine_quality.report.findings import Share, Wait, faults, time_spent, timeline, waits
from ai_engine_quality.report.markup import Part, document, tag

BAND_COLOURS: Final = {**palette.BANDS, "not scored": GREY}
TIME_COLOURS: Final = {
    "agent": BLUE,
    "caller": SKY,
    "waiting": ORANGE,
    "holes": VERMILLION,
    "other": "#e4e4e4",
}
WAIT_STEPS: Final = tuple(zip((1.0, 2.0, 3.0), palette.BANDS.values(), strict=False))
"""Seconds below which a wait has a colour: the bands' own words; from the last on it is poor."""
TALLEST_SECONDS: Final = 4.0
"""A wait's box is as high as its chart from here on, where no wait is longer."""
LABELS: Final = 7
"""How many columns have a label below them: each has room at 800 pixels."""

STYLE: Final = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f5f7; color: #1c1f24;
  font: 15px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 0 0 2px; }
h3 { font-size: 15px; margin: 0; overflow-wrap: anywhere; }
p { margin: 4px 0; } .note { color: #555b66; font-size: 13px; }
section { background: #fff; border: 1px solid #dfe2e8; border-radius: 8px; padding: 16px 18px;
  margin: 16px 0; break-inside: avoid; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 16px 0; }
.tile { background: #fff; border: 1px solid #dfe2e8; border-radius: 8px; padding: 10px 14px; }
.tile b { display: block; font-size: 24px; line-height: 1.2; }
.columns { display: flex; align-items: flex-end; height: 170px; gap: 2px; margin-top: 12px;
  border-bottom: 1px solid #9aa1ad; }
.column { flex: 1 1 0; min-width: 2px; max-width: 90px; height: 100%; display: flex;
  flex-direction: column; justify-content: flex-end; }
.labels { display: flex; gap: 2px; } .labels span { flex: 1 1 0; min-width: 2px; max-width: 90px;
  white-space: nowrap; font-size: 11px; color: #555b66; width: 0; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; margin: 8px 0 0;
  padding: 0; list-style: none; }
.key { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 6px; }
.strip { display: flex; height: 14px; border-radius: 3px; overflow: hidden; background: #eceef2; }
.row { display: grid; grid-template-columns: minmax(120px, 190px) 1fr minmax(90px, 150px);
  gap: 12px; align-items: center; margin: 6px 0; font-size: 14px; }
.row .name { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: right; padding: 6px 8px; border-bottom: 1px solid #e8eaef; }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
td:first-child { max-width: 240px; overflow: hidden; text-overflow: ellipsis; }
th { font-weight: 600; color: #555b66; font-size: 13px; } td .strip { min-width: 110px; }
.call { border-top: 1px solid #e8eaef; padding: 14px 0 10px; break-inside: avoid; }
.call header { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: baseline; }
.badge { border-left: 12px solid; padding-left: 8px; font-weight: 700; white-space: nowrap; }
.turns { display: flex; align-items: flex-end; height: 84px; gap: 3px; margin-top: 8px;
  border-bottom: 1px solid #9aa1ad; }
.turn { flex: 1 1 0; max-width: 34px; min-width: 2px; height: 100%; display: flex;
  flex-direction: column; justify-content: flex-end; font-size: 11px; text-align: center; }
.turn.missed .box { background: repeating-linear-gradient(45deg, #D55E00 0 4px, #fff 4px 7px);
  border: 1px solid #D55E00; }
.numbers { display: flex; gap: 3px; font-size: 11px; color: #555b66; }
.numbers span { flex: 1 1 0; max-width: 34px; min-width: 2px; text-align: center; }
.faults { display: flex; flex-wrap: wrap; gap: 6px; padding: 0; margin: 8px 0; list-style: none;
  font-size: 13px; }
.faults li { border: 1px solid #c9ced8; border-radius: 10px; padding: 1px 9px; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px; background: #f4f5f7;
  padding: 10px 12px; border-radius: 6px; margin: 8px 0 0; }
summary { cursor: pointer; font-size: 13px; color: #0b4f86; }
@media print { body { background: #fff; } details > pre { display: block; } }
"""


def page(found: Digest, title: str) -> str:
    """Return the whole page."""
    return document(
        title,
        STYLE + COURSE_STYLE,
        tag(
            "main",
            tag("h1", title),
            tag("p", ". ".join(_subtitle(found)) + ".", class_="note"),
            _tiles(found),
            _over_time(found),
            _costs(found.every),
            _providers(found),
            _worst(found),
            tag("p", _footer(found), class_="note"),
        ),
    )


def _subtitle(found: Digest) -> Iterator[str]:
    yield plural(found.every.calls, "call")
    if found.first and found.last:
        form = "%d %b %Y %H:%M"
        yield f"{found.first.strftime(form)} to {found.last.strftime(form)} UTC"
    yield f"Scored by {scored_by(found)}"


def _footer(found: Digest) -> str:
    text = (
        "The score, 0 to 100, is made from what was observed of a call; it is no MOS. This page "
        "holds call ids, provider names and numbers, and neither words nor telephone numbers."
    )
    undated = found.every.calls - sum(
        column.bands.total() + column.unscored for column in found.columns
    )
    return f"{text} {plural(undated, 'call')} without a time." if undated else text


def _tiles(found: Digest) -> Element:
    every = found.every
    tiles = [
        ("calls", f"{every.calls:,}", f"{every.scored:,} scored"),
        ("mean score", _number(every.mean), f"median {_number(every.median)}"),
        ("poor calls", _share(every.poor_share), f"{every.bands[Band.POOR.value]:,} of scored"),
        ("95 % of turns wait at most", _seconds(every.p95_wait), f"{every.waits.n:,} turns"),
        ("turns without an answer", f"{every.unanswered:,}", "in all calls"),
        ("observed", _share(_coverage(every)), "of the score's weight, in the mean"),
    ]
    return tag(
        "div",
        *(
            tag(
                "div", tag("span", name, class_="note"), tag("b", value), small(more), class_="tile"
            )
            for name, value, more in tiles
        ),
        class_="tiles",
    )


def small(text: str) -> Element:
    """Return a remark."""
    return tag("span", text, class_="note")


def _coverage(sums: Sums) -> float | None:
    return sums.coverage / sums.scored if sums.scored else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}".removesuffix(".0")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:.1f} %".replace(".0 %", " %")


def _seconds(value: float | None) -> str:
    return "-" if value is None else seconds(value)


def _legend(colours: dict[str, str], names: Iterable[tuple[str, str]]) -> Element:
    return tag(
        "ul",
        *(
            tag("li", tag("span", class_="key", style=f"background:{colours[name]}"), text)
            for name, text in names
        ),
        class_="legend",
    )


def _over_time(found: Digest) -> Part:
    if not found.columns:
        return None
    highest = max(_calls(column) for column in found.columns)
    every = max(1, len(found.columns) // LABELS)
    last = len(found.columns) - every  # a label begins at its column, and needs room to the right
    columns = [_column(column, highest, found.step) for column in found.columns]
    labels = [
        tag("span", _when(column, found.step) if number % every == 0 and number <= last else "")
        for number, column in enumerate(found.columns)
    ]
    bands = found.every.bands
    names = [(band, f"{band}: {bands[band]:,}") for band in BANDS]
    names.append(("not scored", f"not scored: {found.every.unscored.total():,}"))
    reasons = ", ".join(f"{why} {n:,}" for why, n in found.every.unscored.most_common())
    return tag(
        "section",
        tag("h2", "Calls by band over time"),
        small(f"Calls that started within {_step(found.step)}, UTC; at most {highest:,}."),
        tag("div", *columns, class_="columns", role="img", aria_label="calls by band over time"),
        tag("div", *labels, class_="labels", aria_hidden="true"),
        _legend(BAND_COLOURS, names),
        tag("p", f"Not scored: {reasons}.", class_="note") if reasons else None,
    )


def _calls(column: Column) -> int:
    return column.bands.total() + column.unscored


def _column(column: Column, highest: int, step: timedelta) -> Element:
    counts = [("not scored", column.unscored)]
    counts += [(band, column.bands[band]) for band in BANDS]
    said = ", ".join(f"{name} {n:,}" for name, n in counts if n) or "no call"
    boxes = [
        tag("div", style=f"height:{100 * n / highest:.3f}%;background:{BAND_COLOURS[name]}")
        for name, n in counts
        if n
    ]
    return tag("div", *boxes, class_="column", title=f"{_when(column, step)}: {said}")


def _when(column: Column, step: timedelta) -> str:
    return column.start.strftime("%d %b %H:%M" if step < DAY else "%d %b")


def _step(step: timedelta) -> str:
    names = {HOUR: "an hour", QUARTER: "six hours", DAY: "a day", WEEK: "a week"}
    return names.get(step) or plural(step // WEEK, "week")


def _costs(every: Sums) -> Part:
    lost = every.by_cost()
    if not lost:
        return None
    total, most = sum(points for _, points in lost), lost[0][1]
    rows = [
        tag(
            "div",
            tag("span", name, class_="name"),
            tag(
                "div",
                tag("div", style=f"width:{100 * points / most:.2f}%;background:{BLUE}"),
                class_="strip",
            ),
            small(f"{_points(points)}, {plural(every.hit[name], 'call')}"),
            class_="row",
        )
        for name, points in lost
    ]
    return tag(
        "section",
        tag("h2", "What cost the points"),
        small(
            f"{total:,.0f} points in {plural(every.scored, 'scored call')}. A ceiling's points are "
            "those that it took beyond the factors'."
        ),
        *rows,
    )


def _points(value: float) -> str:
    return f"{value:,.0f} points" if value >= 10 else f"{value:.1f} points"


def _strip(sums: Sums) -> Element:
    said = ", ".join(f"{band} {sums.bands[band]:,}" for band in BANDS)
    boxes = [
        tag(
            "div",
            style=f"width:{100 * sums.bands[band] / sums.scored:.3f}%;"
            f"background:{BAND_COLOURS[band]}",
        )
        for band in BANDS
        if sums.bands[band]
    ]
    return tag("div", *boxes, class_="strip", role="img", aria_label=said, title=said)


def _providers(found: Digest) -> Element:
    head = ("provider", "calls", "mean", "poor", "p95 wait", "unanswered", "not scored")
    rows = [
        tag(
            "tr",
            *(
                tag("td", cell, title=cell)
                for cell in (
                    name,
                    f"{sums.calls:,}",
                    _number(sums.mean),
                    _share(sums.poor_share),
                    _seconds(sums.p95_wait),
                    f"{sums.unanswered:,}",
                    f"{sums.unscored.total():,}",
                    sums.by_cost()[0][0] if sums.lost else "-",
                )
            ),
            tag("td", _strip(sums)),
        )
        for name, sums in found.providers.items()
    ]
    headings = (*head, "costs most", "bands")
    return tag(
        "section",
        tag("h2", "Providers side by side"),
        small("The wait is what 95 % of all its turns stay under; -: nothing to tell it from."),
        tag(
            "div",
            tag(
                "table",
                tag("thead", tag("tr", *(tag("th", text) for text in headings))),
                tag("tbody", *rows),
            ),
            class_="scroll",
        ),
    )


def _worst(found: Digest) -> Part:
    if not found.worst:
        return None
    return tag(
        "section",
        tag("h2", f"The {plural(len(found.worst), 'call')} with the lowest scores"),
        small(
            "Of a call that was heard, the lines show when what happened. Of the others a record "
            "keeps sums, and no times within the call. Waits stand in the order of the turns; "
            "turns without an answer come after them."
        ),
        *_legends(found.worst),
        *(_call(call) for call in found.worst),
    )


def _legends(calls: Iterable[CallScore]) -> Iterator[Element]:
    """Yield what the colours mean, of the drawings that there are."""
    timed = [timeline(call) is not None for call in calls]
    if any(timed):
        yield _legend(COLOURS, WORDS.items())
    if not all(timed):
        yield _legend(TIME_COLOURS, _SPENT.items())


_SPENT: Final = {
    "agent": "agent speaks",
    "caller": "caller speaks",
    "waiting": "caller waits",
    "holes": "holes in the agent's speech",
    "other": "neither, or not heard",
}


def _call(call: CallScore) -> Element:
    band = call.band.value if call.band else "not scored"
    at = started(call)
    summary = call.summary
    facts = [
        "time unknown" if at is None else at.strftime("%d %b %Y %H:%M:%S UTC"),
        summary.provider or "unknown provider",
        f"pipeline {summary.pipeline}" if summary.pipeline else "",
        "" if summary.duration is None else f"{summary.duration:.0f} s",
        summary.outcome or "",
        f"{percent(round(call.coverage, 2))} observed",
    ]
    badge = tag(
        "span", f"{call.score} {band}", class_="badge", style=f"border-color:{BAND_COLOURS[band]}"
    )
    wrong, timed = faults(call), timeline(call)
    return tag(
        "article",
        tag("header", badge, tag("h3", call.call_id), small(" · ".join(f for f in facts if f))),
        tag("p", call.explain()),
        _time(time_spent(call)) if timed is None else course(timed),
        _waits(waits(call)),
        tag("ul", *(tag("li", text) for text in wrong), class_="faults") if wrong else None,
        tag(
            "details",
            tag("summary", "the explanation in full"),
            tag("pre", call.explain(full=True)),
        ),
        class_="call",
    )


def _time(spent: tuple[Share, ...]) -> Part:
    if not spent:
        return None
    total = sum(share.seconds for share in spent)
    boxes = [
        tag(
            "div",
            style=f"width:{100 * share.seconds / total:.3f}%;background:{TIME_COLOURS[share.name]}",
        )
        for share in spent
    ]
    said = ", ".join(f"{_SPENT[share.name]} {seconds(round(share.seconds, 1))}" for share in spent)
    return tag("div", tag("div", *boxes, class_="strip", role="img", aria_label=said), small(said))


def _waits(found: tuple[Wait, ...]) -> Part:
    if not found:
        return None
    highest = max(TALLEST_SECONDS, *(wait.seconds for wait in found))
    few = len(found) <= 24
    boxes = [_wait(wait, highest, labelled=few) for wait in found]
    numbers = [tag("span", wait.turn or "none") for wait in found] if few else []
    slowest = max(found, key=lambda wait: wait.seconds)
    said = f"{plural(len(found), 'wait')}, the longest {seconds(slowest.seconds)}"
    return tag(
        "div",
        tag("div", *boxes, class_="turns", role="img", aria_label=said),
        tag("div", *numbers, class_="numbers", aria_hidden="true") if numbers else None,
        small(f"What the caller waited, by turn: {said}."),
    )


def _wait(wait: Wait, highest: float, *, labelled: bool) -> Element:
    # Room for the number above it.
    height = f"height:{76 * wait.seconds / highest:.2f}%"
    colour = next((c for under, c in WAIT_STEPS if wait.seconds < under), VERMILLION)
    name = f"turn {wait.turn}" if wait.answered else "without an answer"
    return tag(
        "div",
        f"{wait.seconds:.1f}" if labelled else None,
        tag("div", class_="box", style=f"{height};background-color:{colour}"),
        class_="turn" if wait.answered else "turn missed",
        title=f"{name}: {seconds(wait.seconds)}",
    )
