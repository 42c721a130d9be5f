"""What a scored call is: :class:`CallScore`, its factors, and the ceilings over it. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ai_engine_quality.core import explanation, reading
from ai_engine_quality.core.policy import FACTORS, Band
from ai_engine_quality.core.reading import SummaryError
from ai_engine_quality.core.summary import CallSummary
from ai_engine_quality.core.wording import floor_percent


class FactorScore(NamedTuple):
    """What one factor cost, and what it was read from."""

    name: str
    weight: float
    """Most points it can cost."""
    penalty: float
    """Points it cost; 0 where it was not observed."""
    value: float | None
    """What was scored, in the factor's own unit: seconds (latency, barge_in), effective ratio
    (underflow), count (fallback), share (codec), dB outside the speech level (rms)."""
    n: int
    """How many observations it was read from."""
    observed: bool
    evidence: str
    """The value with its context, in words."""


class Counterfactual(NamedTuple):
    """What the score would have been without one cause."""

    without: str
    """The cause: ``turn 7``."""
    score: int
    band: Band


class Gate(NamedTuple):
    """A ceiling that applies to the call."""

    rule: str
    """The policy's name for it."""
    ceiling: int
    """The highest score that the call can have."""
    reason: str
    """Why it applies, in words."""
    factor: str | None
    """The factor it belongs to; None where the whole call is meant."""


class Standing(NamedTuple):
    """Where a call's score stands among the calls of its provider that ended before it."""

    provider: str
    calls: int
    """How many calls those are: the last 500 at most."""
    worse_than: float
    """Share (0 to 1) of them that scored higher."""
    better_than: float
    """Share (0 to 1) of them that scored lower."""

    def __str__(self) -> str:
        """Return it in words: ``worse than 93 % of the last 500 deepgram calls``."""
        worse = self.worse_than >= self.better_than
        share = self.worse_than if worse else self.better_than
        others = f"the last {self.calls} {self.provider} calls"
        if share < 0.01:
            return f"no better and no worse than {others}"
        return f"{'worse' if worse else 'better'} than {floor_percent(share)} of {others}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallScore:
    """One call's quality, 0 to 100, with everything that explains it.

    ``score`` and ``band`` are None where the call was not scored; ``unscored_reason`` says why.
    """

    call_id: str
    score: int | None
    raw: float
    """100 less the penalties, before ceilings and rounding. Means nothing where score is None."""
    band: Band | None
    factors: tuple[FactorScore, ...]
    gates: tuple[Gate, ...]
    """Every ceiling that applies, lowest first."""
    coverage: float
    """Share (0 to 1) of the 100 points of weight whose factor was observed."""
    turns: int
    """Turns of the caller that latency was scored on, unanswered ones included."""
    unscored_reason: str | None
    policy_version: str
    summary: CallSummary
    without_slowest_turn: Counterfactual | None = None
    """The score without the call's slowest turn, where that would be higher."""
    standing: Standing | None = None
    """Where it stands among its provider's calls in this process; of a monitor's scores only."""

    def factor(self, name: str) -> FactorScore:
        """Return a factor by its name; KeyError where there is none of that name.

        One that the call's policy doesn't know yet wasn't observed, and weighs nothing.
        """
        for factor in self.factors:
            if factor.name == name:
                return factor
        if name not in FACTORS:
            raise KeyError(name)
        return FactorScore(name, 0.0, 0.0, None, 0, False, f"not in policy {self.policy_version}")

    @property
    def held_by(self) -> Gate | None:
        """The lowest ceiling, where it is what decides the score."""
        lowest = self.gates[0] if self.gates else None
        return lowest if lowest and lowest.ceiling < self.raw else None

    def explain(self, *, full: bool = False) -> str:
        """Return why the call has this score: in one line, or in full."""
        return explanation.in_full(self) if full else explanation.in_one_line(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; :meth:`from_dict` gives an equal score back."""
        standing = {"standing": self.standing._asdict()} if self.standing else {}
        return {
            "call_id": self.call_id,
            "score": self.score,
            "raw": self.raw,
            "band": self.band.value if self.band else None,
            "factors": [factor._asdict() for factor in self.factors],
            "gates": [gate._asdict() for gate in self.gates],
            "coverage": self.coverage,
            "turns": self.turns,
            "unscored_reason": self.unscored_reason,
            "policy_version": self.policy_version,
            "without_slowest_turn": self.without_slowest_turn
            and self.without_slowest_turn._asdict(),
            **standing,
            "summary": self.summary.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CallScore:
        """Read a stored score.

        Raises:
            SummaryError: a field is missing, unknown or of a wrong type.
        """
        with reading.reported_as(SummaryError):
            stored = cls(**reading.fields("", data, _READERS, optional=("standing",)))
        if (stored.score is None) != (stored.band is None):
            raise SummaryError(f"band must be there where score is, not {stored.band!r}")
        names = [factor.name for factor in stored.factors]
        if not names or names != [name for name in FACTORS if name in names]:
            raise SummaryError(f"factors must be of {', '.join(FACTORS)}, each once, in this order")
        return stored


def _band(name: str, value: object) -> Band:
    if value not in list(Band):
        raise SummaryError(f"{name} must be one of {', '.join(Band)}, not {value!r}")
    return Band(str(value))


def _summary(name: str, value: object) -> CallSummary:
    return CallSummary.from_dict(reading.entries(name, value))


def _factor(name: str, value: object) -> FactorScore:
    return FactorScore(**reading.fields(name, value, _FACTOR_READERS, optional=False))


def _gate(name: str, value: object) -> Gate:
    return Gate(**reading.fields(name, value, _GATE_READERS, optional=False))


def _standing(name: str, value: object) -> Standing:
    return Standing(**reading.fields(name, value, _STANDING_READERS, optional=False))


def _counterfactual(name: str, value: object) -> Counterfactual:
    return Counterfactual(**reading.fields(name, value, _CHANGE_READERS, optional=False))


_FACTOR_READERS: dict[str, reading.Reader] = {
    "name": reading.text,
    "weight": reading.not_negative,
    "penalty": reading.not_negative,
    "value": reading.optional(reading.not_negative),
    "n": reading.count,
    "observed": reading.flag,
    "evidence": reading.text,
}

_GATE_READERS: dict[str, reading.Reader] = {
    "rule": reading.text,
    "ceiling": reading.points,
    "reason": reading.text,
    "factor": reading.optional(reading.text),
}

_CHANGE_READERS: dict[str, reading.Reader] = {
    "without": reading.text,
    "score": reading.points,
    "band": _band,
}

_STANDING_READERS: dict[str, reading.Reader] = {
    "provider": reading.text,
    "calls": reading.count,
    "worse_than": reading.share,
    "better_than": reading.share,
}

_READERS: dict[str, reading.Reader] = {
    "call_id": reading.text,
    "score": reading.optional(reading.points),
    "raw": reading.real,
    "band": reading.optional(_band),
    "factors": reading.many(_factor),
    "gates": reading.many(_gate),
    "coverage": reading.share,
    "turns": reading.count,
    "unscored_reason": reading.optional(reading.text),
    "policy_version": reading.text,
    "without_slowest_turn": reading.optional(_counterfactual),
    "standing": reading.optional(_standing),
    "summary": _summary,
}
