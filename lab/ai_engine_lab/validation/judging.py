"""Holds calls against the matrix: each call, each row, and the baselines over all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ai_engine_lab.basics.matrix import Baselines, Matrix, Row
from ai_engine_lab.validation.calls import JudgedCall, ToldBy
from ai_engine_lab.validation.causes import Cause, causes_of_score
from ai_engine_lab.validation.measures import Measures, measure
from ai_engine_quality.toolkit import plural, seconds


class Expectation(StrEnum):
    """Whether what was expected holds."""

    MET = "met"
    MISSED = "missed"
    UNDECIDED = "undecided"
    """Nothing was missed, but not enough is known to say that it was met."""


def together(verdicts: Iterable[Expectation]) -> Expectation:
    """Return one verdict on several: a miss outweighs a doubt, and a doubt what was met."""
    found = set(verdicts)
    if Expectation.MISSED in found:
        return Expectation.MISSED
    return Expectation.MET if found == {Expectation.MET} else Expectation.UNDECIDED


@dataclass(frozen=True, slots=True)
class CallVerdict:
    """A call held against its row."""

    call: JudgedCall
    row: Row
    causes: tuple[Cause, ...]
    """Why it missed; empty where it met its expectation."""

    @property
    def met(self) -> bool:
        """Whether the call has what its row expects."""
        return not self.causes


@dataclass(frozen=True, slots=True)
class BaselineVerdict:
    """One of the four baselines, held against what was measured."""

    name: str
    """A cause's name: the factor that the baseline is about, or ``mean_score``."""
    title: str
    target: str
    measured: str
    verdict: Expectation


@dataclass(frozen=True, slots=True)
class RowCause:
    """A cause of a row's miss, in how many of its calls, and what it was where it cost most."""

    cause: Cause
    calls: int


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """A row, held against its calls."""

    row: Row
    calls: tuple[CallVerdict, ...]
    measures: Measures
    baselines: tuple[BaselineVerdict, ...]

    @property
    def verdict(self) -> Expectation:
        """Met where every call is, there are as many as planned, and no baseline is missed."""
        found = [Expectation.MET if call.met else Expectation.MISSED for call in self.calls]
        if any(baseline.verdict is Expectation.MISSED for baseline in self.baselines):
            found.append(Expectation.MISSED)
        if len(self.calls) < self.row.calls:
            found.append(Expectation.UNDECIDED)
        return together(found)

    @property
    def missed(self) -> tuple[CallVerdict, ...]:
        """The calls that missed."""
        return tuple(call for call in self.calls if not call.met)

    @property
    def causes(self) -> tuple[RowCause, ...]:
        """Why the row missed, the most frequent cause first; missed baselines after the calls'."""
        found: defaultdict[str, list[Cause]] = defaultdict(list)
        for call in self.missed:
            for cause in call.causes:
                found[cause.name].append(cause)
        causes = [RowCause(max(same, key=_cost), len(same)) for same in found.values()]
        causes.sort(key=lambda cause: -cause.calls)
        for baseline in self.baselines:
            if baseline.verdict is Expectation.MISSED and baseline.name not in found:
                text = f"{baseline.title} {baseline.measured}, not {baseline.target}"
                causes.append(RowCause(Cause(baseline.name, text), len(self.calls)))
        return tuple(causes)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that was judged."""

    rows: tuple[RowVerdict, ...]
    baselines: tuple[BaselineVerdict, ...]
    measures: Measures
    """Over all calls of the matrix."""
    calls: tuple[JudgedCall, ...]
    """The calls that the measures are over."""
    unmatched: tuple[JudgedCall, ...]
    """Calls that are of no row."""
    pooled: bool = False
    """Whether the measures are over all calls of the source, those of no row included."""

    @property
    def verdict(self) -> Expectation:
        """Whether all expectations hold."""
        verdicts = [row.verdict for row in self.rows]
        return together([*verdicts, *(baseline.verdict for baseline in self.baselines)])

    @property
    def call_verdicts(self) -> tuple[CallVerdict, ...]:
        """Every judged call, in the rows' order."""
        return tuple(call for row in self.rows for call in row.calls)


def judge(
    calls: Sequence[JudgedCall], matrix: Matrix, measured: Measures | None = None
) -> Judgement:
    """Judge calls by their rows, and all of them by the baselines.

    ``measured`` is what a source knows of its calls together, where it can't tell them one by one:
    the baselines are then about all its calls, matched to a row or not.
    """
    by_row: dict[str, list[JudgedCall]] = {row.key: [] for row in matrix.rows}
    unmatched: list[JudgedCall] = []
    for call in calls:
        row = matrix.row(call.provider, call.scenario)
        (unmatched if row is None else by_row[row.key]).append(call)
    rows = tuple(_judge_row(row, by_row[row.key], matrix) for row in matrix.rows)
    matched = tuple(calls) if measured else tuple(c for same in by_row.values() for c in same)
    measures = measured or measure(matched)
    return Judgement(
        rows=rows,
        baselines=tuple(baselines(measures, matrix.baselines)),
        measures=measures,
        calls=matched,
        unmatched=tuple(unmatched),
        pooled=measured is not None,
    )


def _judge_row(row: Row, calls: Sequence[JudgedCall], matrix: Matrix) -> RowVerdict:
    measures = measure(calls)
    # The mean is for all rows together: a row has an expected score of its own.
    its_own = [b for b in baselines(measures, matrix.baselines) if b.name != "mean_score"]
    judged = tuple(CallVerdict(call, row, tuple(_causes(call, row, matrix))) for call in calls)
    return RowVerdict(row, judged, measures, tuple(its_own))


def _causes(call: JudgedCall, row: Row, matrix: Matrix) -> Iterator[Cause]:
    """Yield why a call misses what its row expects."""
    yield from _not_tried(call, row, matrix)
    if call.points is None:
        reason = call.score.unscored_reason if call.score else None
        yield Cause("not_scored", f"not scored: {reason or 'unknown why'}")
    elif call.points <= row.score_above:
        if call.score is None:
            yield Cause("unknown", f"{call.points}; the source tells the score, not its reasons")
        else:
            yield from causes_of_score(call.score, row.score_above)


def _not_tried(call: JudgedCall, row: Row, matrix: Matrix) -> Iterator[Cause]:
    """Yield why the scenario did not take place, where somebody says that it was meant to."""
    if call.score is None or call.told_by is ToldBy.RECOGNISED:
        return
    summary = call.score.summary
    if summary.duration is not None and summary.duration < row.seconds * matrix.shortest_share:
        outcome = f", outcome {summary.outcome}" if summary.outcome else ""
        yield Cause(
            "cut_short",
            f"ended after {seconds(round(summary.duration, 1))} of {seconds(row.seconds)}{outcome}",
        )
    elif call.score.turns < row.fewest_turns:
        turns = plural(call.score.turns, "turn")
        yield Cause("few_turns", f"{turns}, where the scenario has {row.fewest_turns} at least")
    elif (summary.barge_ins or 0) < row.fewest_barge_ins:
        yield Cause("no_barge_in", "the agent was never interrupted")


def baselines(measures: Measures, targets: Baselines) -> Iterator[BaselineVerdict]:
    """Yield the four baselines, held against what was measured."""
    yield BaselineVerdict(
        "latency",
        "turn response p95",
        f"< {seconds(targets.turn_p95_below)}",
        _measured(measures.turn_p95, seconds, f"over {plural(measures.turns, 'turn')}"),
        _below(measures.turn_p95, targets.turn_p95_below),
    )
    yield BaselineVerdict(
        "underflow",
        "underflows per call",
        f"< {targets.underflows_below:g}",
        _measured(measures.underflows, _number, measures.underflow_unit),
        _below(measures.underflows, targets.underflows_below),
    )
    yield BaselineVerdict(
        "barge_in",
        "barge-in p95",
        f"< {seconds(targets.barge_in_p95_below)}",
        _measured(measures.barge_in_p95, seconds, f"over {plural(measures.barge_ins, 'barge-in')}"),
        _below(measures.barge_in_p95, targets.barge_in_p95_below),
    )
    mean = measures.mean_score
    yield BaselineVerdict(
        "mean_score",
        "mean score",
        f"> {targets.mean_score_above:g}",
        _measured(mean, _number, f"over {plural(measures.scored, 'call')}"),
        _below(None if mean is None else -mean, -targets.mean_score_above),
    )


def _below(value: float | None, limit: float) -> Expectation:
    if value is None:
        return Expectation.UNDECIDED
    return Expectation.MET if value < limit else Expectation.MISSED


def _measured(value: float | None, text: Callable[[float], str], context: str) -> str:
    return "not known" if value is None else f"{text(value)} ({context})"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _cost(cause: Cause) -> float:
    return cause.cost
