"""The pictures of docs/Evidence.md: ``python -m handbook.evidence_plots FOLDER`` draws them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from ai_engine_lab.evidence.agreement import MEASURES
from ai_engine_lab.evidence.hearing import HeardSample
from ai_engine_lab.evidence.impairments import CLEAN, KINDS, UNDERFLOW
from ai_engine_lab.evidence.knees import heard, rating
from ai_engine_lab.evidence.passages import HELD_BACK, TUNING
from ai_engine_lab.evidence.samples import Sample
from matplotlib.figure import Figure

from ai_engine_quality import DEFAULT_POLICY, Policy
from ai_engine_quality.palette import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION
from handbook.evidence_page import measured_samples, policies
from handbook.sound_tables import heard_samples

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


def every_policy() -> tuple[Policy, ...]:
    """Return the policies that are drawn side by side, the default last."""
    return (*policies(), DEFAULT_POLICY)


def draw(
    folder: Path,
    samples: Sequence[Sample],
    judges: Sequence[Policy],
    sounds: Sequence[HeardSample],
) -> list[Path]:
    """Draw every picture into a folder, and return what was written.

    Args:
        folder: Where to.
        samples: What was impaired on its way through an engine.
        judges: Policies, of which the last two judge the sounds.
        sounds: Distorted samples of all voices.
    """
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figures = {
            **dict(_scatters(samples, judges)),
            "evidence-fillers.png": _fillers(samples, judges),
            "evidence-heard.png": _sounds([each for each in sounds if each.judged], judges[-2:]),
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
    alike: dict[tuple[int, ...], list[str]] = {}
    for policy in judges:
        tops = tuple((policy.ceiling("underflow", x) or (0, 100))[1] for x in grid)
        alike.setdefault(tops, []).append(policy.version)
    for (tops, names), line, colour in zip(
        alike.items(), ("--", "-", ":"), (ORANGE, VERMILLION, BLACK), strict=False
    ):
        label = f"ceiling, {' and '.join(names)}"
        panel.plot([100 * x for x in grid], tops, line, c=colour, label=label)
    panel.set(xlabel="effective ratio of fillers, %", ylabel="R, and score", ylim=(0, 103))
    panel.legend(frameon=False)
    return figure


def _sounds(samples: Sequence[HeardSample], judges: Sequence[Policy]) -> Figure:
    """Return the score of each distorted sample against what both witnesses say of it."""
    kinds = (
        ("leaves a trace", [s for s in samples if s.what.traced], BLUE, "o"),
        ("leaves none", [s for s in samples if not s.what.traced], ORANGE, "x"),
    )
    figure = Figure(figsize=(4.2 * len(judges), 4.2), layout="constrained")
    panels = figure.subplots(1, len(judges), sharey=True, squeeze=False)[0]
    for panel, policy in zip(panels, judges, strict=True):
        for label, these, colour, mark in kinds:
            panel.scatter(
                [sample.heard_as for sample in these],
                [sample.points(policy) for sample in these],
                s=14,
                c=colour,
                marker=mark,
                alpha=0.5,
                linewidths=0.8,
                label=label,
            )
        panel.set(title=f"policy {policy.version}", xlabel="mean of PESQ and ViSQOL, MOS-LQO")
    panels[0].set(ylabel="audio part of the score", ylim=(0, 103))
    panels[0].legend(loc="lower right", fontsize=8, frameon=False)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1]), measured_samples(), every_policy(), heard_samples())
