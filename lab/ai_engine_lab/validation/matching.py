"""Which row of the matrix a call belongs to: as written down, or as recognised."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ai_engine_lab.basics.matrix import Matrix, Row
from ai_engine_lab.validation.calls import JudgedCall, ToldBy
from ai_engine_lab.validation.sheets import SheetLine
from ai_engine_quality import CallSummary
from ai_engine_quality.toolkit import CALLER_STAGES


def by_sheet(calls: Iterable[JudgedCall], sheet: dict[str, SheetLine]) -> list[JudgedCall]:
    """Return the calls that the sheet names, with what it says of them; others are no test calls.

    Where the call itself does not tell its provider, the sheet may.
    """
    found = []
    for call in calls:
        if (line := sheet.get(call.call_id)) is not None:
            provider = call.provider or line.provider
            told = replace(call, provider=provider, scenario=line.scenario, told_by=ToldBy.SHEET)
            found.append(told)
    return found


def by_recognition(calls: Iterable[JudgedCall], matrix: Matrix) -> list[JudgedCall]:
    """Return the calls, with the scenario that each was recognised by, if it was."""
    return [_recognised(call, matrix) for call in calls]


def _recognised(call: JudgedCall, matrix: Matrix) -> JudgedCall:
    rows = matrix.rows_of(call.provider)
    if call.score is None or not rows:
        return call
    row = _row(call.score.summary, rows, matrix)
    if row is None:
        return call
    return replace(call, scenario=row.scenario, told_by=ToldBy.RECOGNISED)


def _row(summary: CallSummary, rows: tuple[Row, ...], matrix: Matrix) -> Row | None:
    """Return the row by what sets it apart, else by the call's length."""
    rule = matrix.recognition
    by_name = {row.scenario: row for row in rows}
    if (summary.barge_ins or 0) >= rule.barge_ins and "barge_in" in by_name:
        return by_name["barge_in"]
    if _line_activity(summary) >= rule.caller_active_share and "noisy_background" in by_name:
        return by_name["noisy_background"]
    plain = [row for row in rows if row.scenario not in ("barge_in", "noisy_background")]
    if summary.duration is None or not plain:
        return None
    nearest = min(plain, key=lambda row: _times(summary.duration, row.seconds))
    return nearest if _times(summary.duration, nearest.seconds) <= rule.length_factor else None


def _line_activity(summary: CallSummary) -> float:
    """Return the share of the caller's frames that were louder than silence; 0 if not measured."""
    shares = [
        levels.active_share for name, levels in summary.audio.items() if name in CALLER_STAGES
    ]
    return max(shares, default=0.0)


def _times(one: float | None, other: float) -> float:
    """Return by what factor two lengths differ, 1 and more."""
    if not one:
        return float("inf")
    return max(one / other, other / one)
