"""Does each injected fault make the right row miss, for the right reason?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ai_engine_lab.basics.matrix import Matrix
from ai_engine_lab.validation.calls import JudgedCall
from ai_engine_lab.validation.causes import Cause
from ai_engine_lab.validation.golden import Golden, differences
from ai_engine_lab.validation.judging import Expectation, judge


@dataclass(frozen=True, slots=True)
class FaultFinding:
    """What one call of each row made of a fault."""

    name: str
    title: str
    factors: tuple[str, ...]
    """The factors that the fault is about."""
    missed: tuple[tuple[str, tuple[Cause, ...]], ...]
    """The rows that missed what is expected of them, and why."""
    fell: tuple[tuple[str, tuple[Cause, ...]], ...]
    """Those that met it, but have got worse than without the fault, and in what."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all causes, the most frequent first."""
        found = [cause.name for cause in self._causes]
        return tuple(sorted(set(found), key=lambda name: (-found.count(name), name)))

    @property
    def evidence(self) -> str | None:
        """What the most frequent cause was where it cost most; None: there is no cause."""
        worst = [cause for cause in self._causes if cause.name == self.names[0]]
        return max(worst, key=lambda cause: cause.cost).text if worst else None

    @property
    def _causes(self) -> tuple[Cause, ...]:
        return tuple(cause for _, causes in (*self.missed, *self.fell) for cause in causes)


def one_call_each(matrix: Matrix) -> Matrix:
    """Return the matrix with one call in every row."""
    return replace(matrix, rows=tuple(replace(row, calls=1) for row in matrix.rows))


def find(
    fault: tuple[str, str, tuple[str, ...]],
    with_fault: Sequence[JudgedCall],
    without: Sequence[JudgedCall],
    matrix: Matrix,
) -> FaultFinding:
    """Compare calls with a fault (its name, title and factors) and the same calls without it."""
    single = one_call_each(matrix)
    before, after = judge(without, single), judge(with_fault, single)
    worse: dict[str, list[Cause]] = {}
    for found in differences(after, Golden.of(before), matrix.tolerance_points):
        worse.setdefault(found.row, []).append(found.cause)
    missed = {
        row.row.key: tuple(cause.cause for cause in row.causes)
        for row in after.rows
        if row.verdict is Expectation.MISSED
    }
    fell = {
        key: tuple(cause for cause in causes if cause.name != "mean_score")
        for key, causes in worse.items()
        if key not in missed
    }
    return FaultFinding(*fault, tuple(missed.items()), tuple(fell.items()))
