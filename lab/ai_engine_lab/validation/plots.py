"""The report's plots, each as SVG text that needs nothing else to be shown."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from ai_engine_lab.basics.matrix import Matrix
from ai_engine_lab.validation.judging import Judgement, RowVerdict
from ai_engine_lab.validation.measures import mean_points
from ai_engine_lab.validation.ratings import Agreement
from ai_engine_quality import DEFAULT_POLICY
from ai_engine_quality.palette import BANDS, BLUE, FACTORS, GREY

INK = "#333333"

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "svg.fonttype": "none",  # text stays text: smaller, and it can be searched
    "svg.hashsalt": "ai_engine_quality",  # the same plot is the same file
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.axisbelow": True,
}


class Plot(NamedTuple):
    """A plot with what it shows, in words."""

    caption: str
    svg: str


def plots(judgement: Judgement, matrix: Matrix) -> Iterator[Plot]:
    """Yield the plots that the calls can fill."""
    rows = [row for row in judgement.rows if row.calls]
    scores = [call.points for call in judgement.calls if call.points is not None]
    if rows:
        yield _plot(
            "Scores by row; the bar is what each call must exceed",
            0.45 * len(rows) + 1.0,
            lambda axes: _by_row(axes, rows),
        )
    if scores:
        yield _plot(
            "Distribution of the scores, coloured by band",
            2.2,
            lambda axes: _distribution(axes, scores),
        )
    known = [call.score for call in judgement.calls if call.score is not None]
    turns = sorted(value for score in known for value in score.summary.waits().exact)
    if turns:
        yield _plot(
            "Share of the turns answered within a time; the line is the p95's baseline",
            2.4,
            lambda axes: _turns(axes, turns, matrix),
        )
    if any(mean_points([call.call for call in row.calls]) for row in rows):
        yield _plot(
            "What each factor costs a call, on average",
            0.45 * len(rows) + 1.4,
            lambda axes: _points(axes, rows),
        )


def ratings_plot(agreement: Agreement) -> Plot:
    """Return the ratings over the scores."""

    def draw(axes: Any) -> None:
        points = [call.points for call in agreement.calls]
        axes.scatter(points, [call.rating for call in agreement.calls], s=18, color=BLUE)
        axes.set_xlabel("score")
        axes.set_ylabel("rating")

    return _plot("People's ratings over the scores", 2.6, draw)


def _plot(caption: str, height: float, draw: Callable[[Any], None]) -> Plot:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, height), layout="constrained")
        draw(figure.subplots())
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    # Inside HTML an SVG has no XML head, and sizes itself to the page.
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    return Plot(caption, re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", svg, count=1))


def _by_row(axes: Any, rows: Sequence[RowVerdict]) -> None:
    for at, row in enumerate(rows):
        points = [call.call.points for call in row.calls if call.call.points is not None]
        colours = [BANDS[DEFAULT_POLICY.band(value)] for value in points]
        axes.scatter(points, _spread(at, points), s=26, color=colours, zorder=3)
        axes.plot([row.row.score_above] * 2, [at - 0.35, at + 0.35], color=INK, lw=2)
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 102)
    axes.set_xlabel("score")
    axes.grid(axis="x", color="#dddddd", lw=0.6)


def _spread(at: float, points: Sequence[int]) -> list[float]:
    """Return a height for each point, beside each other where points are the same."""
    seen: dict[int, int] = {}
    heights = []
    for value in points:
        n = seen[value] = seen.get(value, -1) + 1
        heights.append(at + 0.12 * ((n + 1) // 2) * (-1) ** n)
    return heights


def _distribution(axes: Any, scores: Sequence[int]) -> None:
    lowest = DEFAULT_POLICY.bands
    edges = sorted({*range(0, 100, 10), *lowest.values(), 101})
    _, _, bars = axes.hist(scores, bins=edges, edgecolor="white")
    for left, bar in zip(edges, bars, strict=False):
        bar.set_facecolor(BANDS[DEFAULT_POLICY.band(left)])
    axes.set_xlim(0, 101)
    axes.set_xlabel("score")
    axes.set_ylabel("calls")
    axes.yaxis.get_major_locator().set_params(integer=True)


def _turns(axes: Any, turns: Sequence[float], matrix: Matrix) -> None:
    shares = [(n + 1) / len(turns) for n in range(len(turns))]
    axes.step(turns, shares, where="post", color=BLUE)
    axes.axhline(0.95, color=GREY, lw=0.8, ls=":")
    axes.axvline(matrix.baselines.turn_p95_below, color=INK, lw=1, ls="--")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("seconds until the agent answers")
    axes.set_ylabel("share of turns")


def _points(axes: Any, rows: Sequence[RowVerdict]) -> None:
    costs = [mean_points([call.call for call in row.calls]) for row in rows]
    left = [0.0] * len(rows)
    for name, colour in FACTORS.items():
        widths = [cost.get(name, 0.0) for cost in costs]
        axes.barh(range(len(rows)), widths, left=left, color=colour, label=name, height=0.6)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, max(5.0, *left) * 1.05)
    axes.set_xlabel("points")
    axes.legend(ncols=6, loc="lower center", bbox_to_anchor=(0.4, 1.0), frameon=False, fontsize=8)


def _label(row: RowVerdict) -> str:
    return f"{row.row.provider}, {row.row.seconds:.0f} s\n{row.row.title}"
