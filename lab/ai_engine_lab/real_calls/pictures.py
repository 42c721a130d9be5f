"""Pictures of calls: who spoke when, where the holes were, and what the library believed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ai_engine_lab.real_calls.judging import Comparison
from ai_engine_lab.real_calls.recording import TimedSound
from ai_engine_lab.real_calls.sound import AUDIBLE, FRAME_SECONDS, RATE, rms
from ai_engine_quality.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION

INK: Final = "#333333"
JOINED: Final = 0.1
"""Seconds of silence up to which two sounds are drawn as one bar."""

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 8,
    "svg.fonttype": "none",  # text stays text: smaller, and it can be searched
    "svg.hashsalt": "ai_engine_quality",  # the same picture is the same file
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
}

Bars = list[tuple[float, float]]
"""(begin, length) of each, in seconds."""


def timeline(comparison: Comparison) -> str:
    """Return a call's timeline as SVG."""
    truth, recording = comparison.truth, comparison.recording
    zero = recording.connected_at or recording.placed_at
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9, 2.4), layout="constrained")
        axes = figure.add_subplot()
        spoken = [one.frame_times for one in recording.utterances if one.frame_times]
        words = [(times[0] - zero, times[-1] - times[0]) for times in spoken]
        axes.broken_barh(words, (2.1, 0.8), color=GREEN)
        axes.broken_barh(_given(comparison, zero), (1.1, 0.4), color=SKY)
        axes.broken_barh(_audible(recording.heard, zero), (0.1, 0.8), color=BLUE)
        holes = [(hole.at, hole.seconds) for hole in truth.holes]
        axes.broken_barh(holes, (0.1, 0.8), color=VERMILLION)
        _waits(axes, comparison)
        for at, what in recording.events:
            if what.startswith(("line", "engine", "provider")):
                axes.axvline(at - zero, color=PURPLE, linewidth=1)
                axes.annotate(what, (at - zero, 3.55), fontsize=7, color=PURPLE)
        axes.set_yticks([2.5, 1.3, 0.5], ["caller speaks", "given", "agent heard"])
        axes.set_ylim(0, 3.9)
        axes.set_xlim(0, max(truth.duration, 1.0))
        axes.set_xlabel("seconds")
        axes.set_title(_headline(comparison), loc="left", fontsize=9)
        return _svg(figure)


def _waits(axes: Any, comparison: Comparison) -> None:
    """Draw how long each turn waited, as heard, and below it what the library said."""
    told = comparison.said.latencies if comparison.said is not None else ()
    paired = len(told) == len(comparison.truth.latencies)
    number = 0
    for turn in comparison.truth.turns:
        answered = turn.latency is not None
        axes.broken_barh([(turn.ended, turn.waited)], (2.95, 0.15),
                         color=ORANGE if answered else VERMILLION)  # fmt: skip
        text = f"{turn.waited:.2f}" if answered else f"no answer, {turn.waited:.1f}"
        if answered and paired:
            text += f" (told {told[number]:.2f})"
        number += answered
        axes.annotate(text, (turn.ended, 3.18), fontsize=7, color=INK)


def _headline(comparison: Comparison) -> str:
    said, due = comparison.said, comparison.due
    told = "no record" if said is None else said.score if said.score is not None else said.reason
    wanted = due.score if due.score is not None else due.unscored_reason
    name = comparison.scenario.name
    return f"{name}: {comparison.scenario.title}   said {told}, due {wanted}"


def _given(comparison: Comparison, zero: float) -> Bars:
    chunks = [chunk for answer in comparison.recording.answers for chunk in answer.chunks]
    return _joined([(chunk.at - zero, FRAME_SECONDS) for chunk in chunks])


def _audible(track: Sequence[TimedSound], zero: float) -> Bars:
    return _joined(
        [
            (piece.at - zero, len(piece.sound) / RATE)
            for piece in track
            if rms(piece.sound) >= AUDIBLE
        ]
    )


def _joined(bars: Bars) -> Bars:
    joined: Bars = []
    for begin, length in bars:
        if joined and begin - sum(joined[-1]) <= JOINED:
            joined[-1] = (joined[-1][0], max(joined[-1][1], begin + length - joined[-1][0]))
        else:
            joined.append((begin, length))
    return joined


def overview(comparisons: Sequence[Comparison]) -> str:
    """Return, as SVG, each call's score as said and as due by what was heard."""
    scored = [one for one in comparisons if one.difference is not None]
    scored.sort(key=lambda one: (one.due.score or 0, one.scenario.name))
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9, 0.8 + 0.17 * len(scored)), layout="constrained")
        axes = figure.add_subplot()
        places = np.arange(len(scored))
        said = [(one.due.score or 0) + (one.difference or 0) for one in scored]
        due = [one.due.score or 0 for one in scored]
        colours = [GREY if one.right else VERMILLION for one in scored]
        axes.hlines(places, due, said, color=colours, linewidth=1.5)
        axes.scatter(due, places, color=BLUE, s=16, label="due, by what was heard", zorder=3)
        axes.scatter(said, places, color=ORANGE, s=16, label="said by the library", zorder=2)
        axes.set_yticks(places, [one.scenario.name for one in scored], fontsize=7)
        axes.set_xlim(-2, 102)
        axes.set_ylim(-1, len(scored))
        axes.set_xlabel("score")
        axes.legend(loc="lower left", fontsize=8, frameon=False)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
