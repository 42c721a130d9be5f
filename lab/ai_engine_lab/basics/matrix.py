"""The test matrix as data: its rows, the baselines over them, and how real calls are recognised."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of call, and what is expected of each call of it."""

    provider: str
    scenario: str
    title: str
    """The scenario in words."""
    seconds: float
    """How long a call of it lasts."""
    score_above: int
    """The score that each call must exceed."""
    calls: int
    """How many of the matrix's calls are of this kind."""
    fewest_turns: int
    """With fewer turns of the caller the scenario did not take place."""
    fewest_barge_ins: int = 0

    @property
    def key(self) -> str:
        """Name it uniquely: ``deepgram simple_qa``."""
        return f"{self.provider} {self.scenario}"


@dataclass(frozen=True, slots=True)
class Baselines:
    """What holds over all calls; seconds, underflows in a call, points."""

    turn_p95_below: float
    underflows_below: float
    barge_in_p95_below: float
    mean_score_above: float


@dataclass(frozen=True, slots=True)
class Recognition:
    """How a call's scenario is told from what was measured."""

    barge_ins: int
    caller_active_share: float
    length_factor: float


@dataclass(frozen=True, slots=True)
class AlertThreshold:
    """An alert's threshold, and the values that it can have."""

    name: str
    measure: str
    """The field of :class:`~ai_engine_lab.validation.measures.Measures` that it looks at."""
    threshold: float
    unit: str
    edges: tuple[float, ...]
    by_provider: bool


@dataclass(frozen=True, slots=True)
class Matrix:
    """The whole matrix."""

    rows: tuple[Row, ...]
    scenarios: Mapping[str, str]
    """Name to title."""
    baselines: Baselines
    recognition: Recognition
    shortest_share: float
    """Of the row's length; a call shorter than that was cut off."""
    tolerance_points: float
    """By how many points a row may differ from its golden run."""
    alerts: tuple[AlertThreshold, ...]

    def row(self, provider: str | None, scenario: str | None) -> Row | None:
        """Return the row of a provider and scenario, or None."""
        for row in self.rows:
            if (row.provider, row.scenario) == (provider, scenario):
                return row
        return None

    def rows_of(self, provider: str | None) -> tuple[Row, ...]:
        """Return the rows of a provider."""
        return tuple(row for row in self.rows if row.provider == provider)


@functools.cache
def load_matrix() -> Matrix:
    """Return the matrix that ships with the package."""
    text = (resources.files(__package__) / "matrix.toml").read_text(encoding="utf-8")
    return _read(tomllib.loads(text))


def _read(data: Mapping[str, Any]) -> Matrix:
    titles = data["scenarios"]
    return Matrix(
        rows=tuple(Row(title=titles[row["scenario"]], **row) for row in data["rows"]),
        scenarios=titles,
        baselines=Baselines(**data["baselines"]),
        recognition=Recognition(**data["recognition"]),
        shortest_share=data["validity"]["shortest_share"],
        tolerance_points=data["golden"]["tolerance_points"],
        alerts=tuple(
            AlertThreshold(**{**alert, "edges": tuple(alert["edges"])}) for alert in data["alerts"]
        ),
    )
