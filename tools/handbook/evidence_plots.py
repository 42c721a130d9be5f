"""The pictures of docs/Evidence.md: ``python -m handbook.evidence_plots FOLDER`` draws them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from ai_engine_lab.evidence.agreement import MEASURES
from ai_engine_lab.evidence.impairments import CLEAN, KINDS, UNDERFLOW
from ai_engine_lab.evidence.knees import heard, rating
from ai_engine_lab.evidence.passages import HELD_BACK, TUNING
from ai_engine_lab.evidence.samples import Sample
from matplotlib.figure import Figure

from ai_engine_quality import Policy
from ai_engine_quality.palette import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION
from handbook.evidence_page import measured_samples, policies

# Each kind has a mark as well as a colour.
_STYLES: Final = dict(
    zip(
        KINDS,
        (BLACK, BLUE, ORANGE, VERMILLION, GREEN, PURPLE, GREY),
        strict=True,
    )
)
_MARKS: Final = dict(zip(KINDS, "*os^vDx", strict=True))
_DOTS_PER_INCH: Final = 80


def draw(folder: Path, samples: Sequence[Sample], judges: Sequence[Policy]) -> list[Path]:
    """Draw every picture into a folder, and return what was written."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figures = {
            **dict(_scatters(samples, judges)),
            "evidence-fillers.png": _fillers(samples, judges),
        }
        for name, figure in figures.items():
            # No date and no version in the file, so that the same samples give the same bytes.
            figure.savefig(folder / name, dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return [folder / name for name in figures]


def _scatters(samples: Sequence[Sample], judges: Sequence[Policy]) -> Iterator[tuple[str, Figure]]:
    """Yield a picture per measure: the score of each held-back sample against its opinion."""
    chosen = [sample for sample in samples if sample.side == HELD_BACK]
    for title, field in MEASURES.items():
        figure = Figure(figsize=(4.2 * len(judges), 4.2), layout="constrained")
        panels = figure.subplots(1, len(judges), sharey=True, squeeze=False)[0]
        for panel, policy in zip(panels, judges, strict=True):
            for kind in KINDS:
                these = [sample for sample in chosen if sample.kind == kind]
                panel.scatter(
                    [getattr(sample, field) for sample in these],
                    [sample.audio_part(policy) for sample in these],
                    s=16,
                    c=_STYLES[kind],
                    marker=_MARKS[kind],
                    alpha=0.6,
                    linewidths=0.8,
                    label=kind,
                )
            panel.set(title=f"policy {policy.version}", xlabel=f"{title}, MOS-LQO")
        panels[0].set(ylabel="audio part of the score", ylim=(0, 103))
        panels[0].legend(loc="lower right", fontsize=8, frameon=False)
        yield f"evidence-{field}.png", figure


def _fillers(samples: Sequence[Sample], judges: Sequence[Policy]) -> Figure:
    """Return how fillers sound, and where each policy's ceilings lie."""
    chosen = [s for s in samples if s.side == TUNING and s.kind in (CLEAN, UNDERFLOW)]
    ratios = [100 * (s.scored(judges[0]).factors[1].value or 0.0) for s in chosen]
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    panel: Any = figure.subplots()
    panel.scatter(
        ratios,
        [rating(heard(s)) for s in chosen],
        s=14,
        c=_STYLES[UNDERFLOW],
        alpha=0.6,
        label="R of the mean of PESQ and ViSQOL",
    )
    grid = [n / 2_000 for n in range(601)]
    for policy, line, colour in zip(judges, ("--", "-"), (ORANGE, VERMILLION), strict=False):
        tops = [(policy.ceiling("underflow", x) or (0, 100))[1] for x in grid]
        panel.plot(
            [100 * x for x in grid], tops, line, c=colour, label=f"ceiling, {policy.version}"
        )
    panel.set(xlabel="effective ratio of fillers, %", ylabel="R, and score", ylim=(0, 103))
    panel.legend(frameon=False)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1]), measured_samples(), policies())
