"""The report: Markdown with pictures, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import ai_engine_quality as aeq
from ai_engine_lab.real_calls import pictures
from ai_engine_lab.real_calls.costing import Cost
from ai_engine_lab.real_calls.judging import CLOSE_ENOUGH, Comparison, figures
from ai_engine_lab.real_calls.running import Run

STAND_IN = "a stand-in"


@dataclass(slots=True)
class Results:
    """Everything of one run of the rig."""

    comparisons: list[Comparison] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    cost: Cost | None = None
    policy: str = aeq.DEFAULT_POLICY.version
    asterisk: str = STAND_IN
    """What stood for Asterisk: a version, or the rig's own stand-in."""
    lag_before: float = 0.0
    """The worst lag of a run that is measured again."""

    @property
    def worst_loop_lag(self) -> float:
        """Seconds by which the rig's own loop was late at worst."""
        return max((run.worst_loop_lag for run in self.runs), default=self.lag_before)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "library": aeq.__version__,
            "policy": self.policy,
            "asterisk": self.asterisk,
            "worst_loop_lag": self.worst_loop_lag,
            "cost": self.cost and asdict(self.cost) | {"share": self.cost.share},
            "figures": [asdict(figure) for figure in figures(self.comparisons)],
            "calls": [one.to_dict() for one in self.comparisons],
        }


def write(results: Results, folder: Path) -> Path:
    """Write ``report.md``, ``results.json`` and a picture for each call; return the report.

    ``summary.md`` is what the validation report has of it.
    """
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for one in results.comparisons:
        picture = folder / "pictures" / f"{one.scenario.name}.svg"
        picture.write_text(pictures.timeline(one))
    (folder / "pictures" / "overview.svg").write_text(pictures.overview(results.comparisons))
    (folder / "results.json").write_text(json.dumps(results.to_dict(), indent=1))
    report = folder / "report.md"
    report.write_text(markdown(results))
    (folder / "summary.md").write_text(summary(results))
    return report


def markdown(results: Results) -> str:
    """Return the report."""
    every = results.comparisons
    parts = [
        "# Real calls: what was heard, and what was said\n",
        _introduction(results),
        "## How far off the numbers are\n",
        _figures(every),
        "## Scores\n",
        "![Scores as said and as due](pictures/overview.svg)\n",
        *_tables(every),
    ]
    if results.cost is not None:
        parts += ["## Cost\n", _cost(results.cost)]
    parts += ["## Every call\n", _LEGEND, *(_call(one) for one in every)]
    return "\n".join(parts)


def summary(results: Results) -> str:
    """Return the report without its pictures and single calls, as a part of another document."""
    return "\n".join(
        [
            "## Real calls on the unedited engine\n",
            _introduction(results),
            _figures(results.comparisons),
            *_tables(results.comparisons),
        ]
    )


def _tables(every: Sequence[Comparison]) -> Iterator[str]:
    for title, fault in (("The test matrix", False), ("Faults", True)):
        chosen = [one for one in every if one.scenario.fault is fault]
        if chosen:
            yield f"### {title}\n"
            yield _table(chosen)


_LEGEND = """\
Green: the caller's words. Orange: the wait for an answer, as heard, with what the library told.
Light blue: the provider gives audio. Blue: the agent at the caller's ear. Red: holes in it, and
turns without an answer. Purple: faults.
"""


def _introduction(results: Results) -> str:
    every = results.comparisons
    right = sum(one.right for one in every)
    busy = sum(one.recording.disturbed for one in every)
    lag = max((one.recording.worst_send_lag for one in every), default=0.0)
    return (
        f"{len(every)} calls on the unedited engine with ai_engine_quality {aeq.__version__}"
        f" attached, policy {results.policy}; a score is right within {CLOSE_ENOUGH} points of what"
        f" the same policy says of what was heard: {right} of {len(every)}."
        " The truth is measured at the caller's end alone;"
        f" Asterisk is {results.asterisk}."
        f" The rig's own clock was at most {1000 * results.worst_loop_lag:.0f} ms late,"
        f" a caller's frame at most {1000 * lag:.0f} ms; for {busy} calls, marked *, the machine"
        " was too busy.\n"
    )


def _figures(comparisons: Sequence[Comparison]) -> str:
    rows = ["| number | told and heard | mean error | worst |", "|---|---|---|---|"]
    rows += [
        f"| {figure.name} | {figure.n} | {_seconds(figure.mean)} | {_seconds(figure.worst)} |"
        for figure in figures(comparisons)
    ]
    false = sum(_false_barge_ins(one) for one in comparisons)
    rows.append(f"\nBarge-ins told that nobody made: {false}.\n")
    return "\n".join(rows)


def _false_barge_ins(one: Comparison) -> int:
    return max(0, one.said.barge_ins - len(one.truth.barge_ins)) if one.said else 0


_HEADER = (
    "| call | waits heard (told) s | unanswered heard (told) s | holes s | lost s |"
    " reactions s | said | due | |"
)


def _table(comparisons: Sequence[Comparison]) -> str:
    rows = [
        _HEADER,
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in comparisons:
        truth, said = one.truth, one.said
        rows.append(
            f"| {one.scenario.name}{'*' * one.recording.disturbed}: {one.scenario.title}"
            f" | {_values(truth.latencies)} ({_values(said.latencies) if said else '-'})"
            f" | {_values(truth.unanswered)} ({_values(said.unanswered) if said else '-'})"
            f" | {truth.hole_seconds:.2f} ({_number(said.hole_seconds if said else None)})"
            f" | {truth.lost:.2f} ({_number(said.lost if said else None)})"
            f" | {_reactions(one)}"
            f" | {_said(one)} | {_due(one)} | {'' if one.right else 'wrong'} |"
        )
    return "\n".join(rows) + "\n"


def _reactions(one: Comparison) -> str:
    heard = [
        f"{each.reaction:.2f}" if each.reaction is not None else f"never ({each.talked_over:.1f})"
        for each in one.truth.barge_ins
    ]
    told = _values(one.said.reactions) if one.said else "-"
    count = one.said.barge_ins if one.said else 0
    return f"{', '.join(heard) or '-'} ({told}; {count} told)"


def _said(one: Comparison) -> str:
    if one.said is None:
        return "no record"
    return str(one.said.score) if one.said.score is not None else str(one.said.reason)


def _due(one: Comparison) -> str:
    return str(one.due.score) if one.due.score is not None else str(one.due.unscored_reason)


def _call(one: Comparison) -> str:
    name, title = one.scenario.name, one.scenario.title
    lines = [f"### {name}\n", f"![{title}](pictures/{name}.svg)\n"]
    worst = max(one.due.factors, key=lambda factor: factor.penalty)
    facts = [f"heard: {worst.name}, {worst.evidence}"] if worst.penalty else []
    if one.said is not None and one.said.evidence:
        facts.append(f"told: {one.said.evidence}")
    stalls = ", ".join(f"{stall.seconds:.2f} s at {stall.at:.1f}" for stall in one.truth.stalls)
    if stalls:
        facts.append(f"stood still for {stalls}")
    cut = sum(answer.cut_off for answer in one.truth.answers)
    if cut:
        facts.append(f"{cut} answer(s) cut off")
    if one.truth.garbled:
        facts.append("the agent's audio is noise")
    if one.truth.speed != 1.0:
        facts.append(f"the agent is {one.truth.speed:g} times too fast")
    lines.append("; ".join(facts) + "\n" if facts else "")
    return "\n".join(lines)


def _cost(cost: Cost) -> str:
    return (
        f"The same {cost.calls} calls, {cost.call_seconds:.0f} s of call time, without and with the"
        f" library, {cost.rounds} times each in turn: the engine used {cost.without:.3f} and"
        f" {cost.with_library:.3f} CPU seconds per 100 s of call in the median,"
        f" {100 * cost.share:+.1f} % (spread of the rounds without it:"
        f" {100 * cost.spread:.1f} %).\n"
    )


def _values(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values) or "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f} s"
