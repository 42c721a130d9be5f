"""Why a call scored too little: the fewest causes without which it would have met its row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ai_engine_quality import CallScore, Ceiling, FactorScore


class Cause(NamedTuple):
    """What kept a call, or a row, from its expectation."""

    name: str
    """A factor, a ceiling's rule, or one of the names in the modules that make causes."""
    text: str
    cost: float = 0.0
    """Points, where it has any: how bad it is beside others of its name."""


def causes_of_score(score: CallScore, expected_above: int) -> list[Cause]:
    """Return what would have to go for the call to exceed what is expected, the worst first.

    A factor goes with its points and with the ceilings that are its own; a ceiling over the whole
    call (it failed, say) stands for itself.
    """
    gone: list[str] = []
    left = [name for name, _ in _candidates(score)]
    while left and score.without(*gone) <= expected_above:
        worst = max(left, key=lambda name: (score.without(*gone, name), _cost(score, name)))
        left.remove(worst)
        gone.append(worst)
    texts = dict(_candidates(score))
    return [Cause(name, texts[name], _cost(score, name)) for name in gone]


def _candidates(score: CallScore) -> Iterable[tuple[str, str]]:
    """Yield each cause that the call has, with its evidence."""
    for factor in score.factors:
        own = [ceiling for ceiling in score.ceilings if ceiling.factor == factor.name]
        if factor.penalty or own:
            yield factor.name, _evidence(factor, own)
    for ceiling in score.ceilings:
        if ceiling.factor is None:
            yield ceiling.rule, ceiling.reason


def _evidence(factor: FactorScore, ceilings: list[Ceiling]) -> str:
    """Return a factor's evidence, with the lowest of its ceilings that adds something to it."""
    if not ceilings:
        return factor.evidence
    lowest = ceilings[0]
    why = "" if lowest.reason in factor.evidence else f" for {lowest.reason}"
    return f"{factor.evidence}; at most {lowest.ceiling}{why}"


def _cost(score: CallScore, name: str) -> float:
    """Return a factor's points; a ceiling over the whole call comes first."""
    return next((f.penalty for f in score.factors if f.name == name), 100.0)
