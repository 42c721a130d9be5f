"""The golden run: what each row had when last found good, and what has got worse since."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Self

from ai_engine_lab.validation.causes import Cause
from ai_engine_lab.validation.judging import Judgement, RowVerdict
from ai_engine_lab.validation.measures import mean_points
from ai_engine_quality import SummaryError
from ai_engine_quality.toolkit import FACTORS, reading

UNKNOWN_POLICY = "unknown"
"""Where no call tells the policy that it was scored by."""


class GoldenError(ValueError):
    """A golden run can't be used; the message names the file and the fix."""


@dataclass(frozen=True, slots=True)
class GoldenRow:
    """A row's calls in numbers. What was not known is None."""

    calls: int
    mean_score: float | None
    points: Mapping[str, float] = field(default_factory=dict)
    """Factor to what it cost a call on average."""
    turn_p95: float | None = None
    underflows: float | None = None
    barge_in_p95: float | None = None

    @classmethod
    def of(cls, row: RowVerdict) -> Self:
        """Return a judged row in numbers, rounded as it is stored."""
        measures = row.measures
        points = mean_points([verdict.call for verdict in row.calls])
        return cls(
            calls=measures.calls,
            mean_score=_rounded(measures.mean_score),
            points={name: round(value, 2) for name, value in points.items()},
            turn_p95=_rounded(measures.turn_p95),
            underflows=_rounded(measures.underflows),
            barge_in_p95=_rounded(measures.barge_in_p95),
        )


@dataclass(frozen=True, slots=True)
class Golden:
    """A golden run."""

    policy: str
    """The version of the policy that its calls were scored by."""
    rows: Mapping[str, GoldenRow]
    """By :attr:`~ai_engine_lab.basics.matrix.Row.key`; rows without calls aren't there."""

    @classmethod
    def of(cls, judgement: Judgement) -> Self:
        """Return what was judged as a golden run for later."""
        rows = {row.row.key: GoldenRow.of(row) for row in judgement.rows if row.calls}
        return cls(policy_of(judgement), rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Read plain JSON types.

        Raises:
            SummaryError: a field is missing, unknown or of a wrong type.
        """
        with reading.reported_as(SummaryError):
            read = reading.fields("", data, _READERS, optional=False, what="a golden baseline")
        return cls(**read)


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that has got worse than its golden run."""

    row: str
    cause: Cause
    """``mean_score``, or the factor that costs more."""
    points: float
    """By how many points it is worse."""


def policy_of(judgement: Judgement) -> str:
    """Return the policy's version by which the calls were scored; unknown where none tells."""
    versions = {call.score.policy_version for call in judgement.calls if call.score is not None}
    return ", ".join(sorted(versions)) or UNKNOWN_POLICY


def differences(judgement: Judgement, golden: Golden, tolerance: float) -> Iterator[Difference]:
    """Yield what has got worse by more than ``tolerance`` points."""
    for row in judgement.rows:
        before = golden.rows.get(row.row.key)
        if before is not None and row.calls:
            yield from _row_differences(row, before, tolerance)


def _row_differences(row: RowVerdict, before: GoldenRow, tolerance: float) -> Iterator[Difference]:
    now = GoldenRow.of(row)
    for name in FACTORS:
        if name in now.points and name in before.points:
            was, cost = before.points[name], now.points[name]
            if cost - was > tolerance:
                text = f"{name} costs a call {cost:.1f} points, {was:.1f} before"
                yield Difference(row.row.key, Cause(name, text), cost - was)
    if now.mean_score is not None and before.mean_score is not None:
        fell = before.mean_score - now.mean_score
        if fell > tolerance:
            text = f"mean score {now.mean_score:.1f}, {before.mean_score:.1f} before"
            yield Difference(row.row.key, Cause("mean_score", text), fell)


def shipped(name: str) -> Golden:
    """Return a golden run that ships with the package: ``healthy`` or ``measured``."""
    text = (resources.files(__package__) / "golden" / f"{name}.json").read_text(encoding="utf-8")
    return Golden.from_dict(json.loads(text))


def read_golden(path: Path) -> Golden:
    """Read a golden run that was written as :func:`golden_text`.

    Raises:
        GoldenError: the file isn't there, or isn't one.
    """
    try:
        return Golden.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise GoldenError(
            f"{path} can't be read: {error.strerror}; --write-golden makes such a file"
        ) from error
    except (ValueError, SummaryError) as error:
        raise GoldenError(
            f"{path} is no golden run: {error}; make it anew with --write-golden"
        ) from error


def golden_text(judgement: Judgement) -> str:
    """Return what was judged as a golden run's text, for later runs to be held against."""
    return json.dumps(Golden.of(judgement).to_dict(), indent=1, sort_keys=True) + "\n"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _row(name: str, value: object) -> GoldenRow:
    return GoldenRow(**reading.fields(name, value, _ROW_READERS, optional=False))


_ROW_READERS: dict[str, reading.Reader] = {
    "calls": reading.count,
    "mean_score": reading.optional(reading.not_negative),
    "points": reading.each(reading.not_negative),
    "turn_p95": reading.optional(reading.not_negative),
    "underflows": reading.optional(reading.not_negative),
    "barge_in_p95": reading.optional(reading.not_negative),
}

_READERS: dict[str, reading.Reader] = {"policy": reading.text, "rows": reading.each(_row)}
