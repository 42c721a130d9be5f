"""What cost a call its points: each factor, and the ceiling that held it. Pure."""

from __future__ import annotations

from typing import NamedTuple

from ai_engine_quality.core.result import CallScore

CEILING = "ceiling_"
"""Before the name of a ceiling's rule, where it stands among factors."""
NOTHING = "nothing"
LEAST_POINTS = 0.05
"""Fewer points than this are none: the score is a whole number, and a cost is shown to a tenth."""


class Cause(NamedTuple):
    """Why a call has lost points."""

    name: str
    """A factor, or ``ceiling_`` and the rule of the ceiling that held the call."""
    points: float


def points_lost(call: CallScore) -> tuple[Cause, ...]:
    """Return what cost a call points, most first; empty where it has no score or lost nothing.

    Factors and ceiling add up to what is missing from 100, rounding excepted.
    """
    if call.score is None:
        return ()
    found = [Cause(factor.name, factor.penalty) for factor in call.factors]
    if held := call.deciding_ceiling:
        found.append(Cause(CEILING + held.rule, call.raw - held.ceiling))
    lost = [cause for cause in found if cause.points >= LEAST_POINTS]
    return tuple(sorted(lost, key=lambda cause: -cause.points))


def main_cause(call: CallScore) -> str:
    """Return why a call has its score, in a word.

    That is the ceiling that held it, else the factor that cost most, else ``nothing``; of a call
    without a score the reason for that.
    """
    if call.score is None:
        return call.unscored_reason or "not scored"
    if held := call.deciding_ceiling:
        return held.rule
    lost = points_lost(call)
    return lost[0].name if lost else NOTHING


def has_cause(call: CallScore, name: str) -> bool:
    """Return whether a factor, a ceiling's rule or a reason without a score is a call's cause."""
    return (
        name in {cause.name for cause in points_lost(call)}
        or any(name == top.rule and top.ceiling < 100 for top in call.ceilings)
        or name == call.unscored_reason
        or (name == NOTHING and main_cause(call) == NOTHING)
    )
