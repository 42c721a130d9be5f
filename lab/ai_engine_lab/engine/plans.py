"""The calls of the test matrix, as data: what happens in them, and which score is expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ai_engine_lab.basics.chance import chance
from ai_engine_lab.basics.matrix import load_matrix
from ai_engine_lab.engine.provider import (
    ELEVENLABS,
    GOOGLE_LIVE,
    GROK,
    LOCAL,
    PROVIDERS,
    ProviderModel,
)


@dataclass(frozen=True)
class Scenario:
    """What caller and agent do; durations in seconds, levels 16-bit RMS."""

    name: str
    title: str
    question_seconds: tuple[float, float]
    reply_seconds: tuple[float, float]
    greeting_seconds: float = 2.5
    thinking_seconds: tuple[float, float] = (0.2, 1.0)
    """Before a question, once the agent has finished."""
    demanding: bool = False
    """Whether the questions need thought (tools, a long context), so that answers take longer."""
    line_rms: float = 30.0
    """The caller's line while nobody speaks."""
    noise_bursts_per_second: float = 0.0
    """Noises on the caller's side (traffic, dishes, voices) that a voice detector may fall for."""
    noise_burst_seconds: tuple[float, float] = (0.0, 0.0)
    noise_burst_rms: tuple[float, float] = (0.0, 0.0)
    interrupts_after: float | None = None
    """The caller talks into every second answer, this long after it began."""


_TITLES: Final = load_matrix().scenarios

SIMPLE_QA: Final = Scenario(
    "simple_qa", _TITLES["simple_qa"], question_seconds=(1.5, 3.0), reply_seconds=(2.5, 4.0)
)
COMPLEX: Final = Scenario(
    "complex",
    _TITLES["complex"],
    question_seconds=(2.5, 4.5),
    reply_seconds=(3.5, 6.5),
    demanding=True,
)
NOISY: Final = Scenario(
    "noisy_background",
    _TITLES["noisy_background"],
    question_seconds=(1.5, 3.0),
    reply_seconds=(2.5, 4.0),
    line_rms=280.0,
    noise_bursts_per_second=0.25,
    noise_burst_seconds=(0.08, 0.35),
    noise_burst_rms=(600.0, 1_500.0),
)
BARGE_IN: Final = Scenario(
    "barge_in",
    _TITLES["barge_in"],
    question_seconds=(1.5, 2.5),
    reply_seconds=(5.0, 7.0),
    interrupts_after=1.8,
)
SCENARIOS: Final = {scenario.name: scenario for scenario in (SIMPLE_QA, COMPLEX, NOISY, BARGE_IN)}


@dataclass(frozen=True)
class MatrixRow:
    """A kind of call, how many of it the matrix holds, and the score that each must exceed."""

    provider: ProviderModel
    duration: float
    scenario: Scenario
    expected_above: int | None
    calls: int
    pipeline: str | None = None
    """Of a modular pipeline, its name; full agents have none."""


TEST_MATRIX: Final = tuple(
    MatrixRow(
        PROVIDERS[row.provider],
        row.seconds,
        SCENARIOS[row.scenario],
        expected_above=row.score_above,
        calls=row.calls,
    )
    for row in load_matrix().rows
)
"""The rows of `basics/matrix.toml`, where each is said how such a call goes."""

TRAFFIC_MIX: Final = (
    *TEST_MATRIX,
    MatrixRow(GOOGLE_LIVE, 60.0, COMPLEX, expected_above=None, calls=3),
    MatrixRow(GROK, 60.0, COMPLEX, expected_above=None, calls=2),
    MatrixRow(ELEVENLABS, 30.0, SIMPLE_QA, expected_above=None, calls=2),
    MatrixRow(LOCAL, 60.0, COMPLEX, expected_above=None, calls=3, pipeline="local_hybrid"),
    MatrixRow(LOCAL, 30.0, SIMPLE_QA, expected_above=None, calls=2, pipeline="local_only"),
)
"""The calls of endless traffic, each kind as often as it has calls: all providers and pipelines."""


@dataclass(frozen=True)
class PlannedCall:
    """A call that can be placed. `duration` in seconds: when the caller hangs up."""

    call_id: str
    provider: ProviderModel
    scenario: Scenario
    duration: float
    expected_above: int | None = None
    """The score that the call must exceed; None when nothing is expected of it."""
    pipeline: str | None = None


DEFAULT_SEED: Final = 20251026
"""Chosen before any result was seen: the engine's monitoring was planned on 26 October 2025."""

_FIRST_CALL_AT: Final = 1_761_532_800  # 27 October 2025, 02:40 UTC


def call_ids(seed: int = DEFAULT_SEED) -> Iterator[str]:
    """Call ids as Asterisk makes them: unix seconds, a dot, a number. Same seed, same ids."""
    rng = chance("call-ids", seed)
    second, number = _FIRST_CALL_AT + rng.randrange(3_600), 2_000 + rng.randrange(500)
    while True:
        yield f"{second}.{number}"
        second += rng.randint(2, 45)
        number += rng.randint(1, 3)  # every leg of a call takes a number


def plan_calls(
    rows: Iterable[MatrixRow] = TEST_MATRIX, seed: int = DEFAULT_SEED
) -> list[PlannedCall]:
    """The calls of some rows, in their order; by default the twenty of the test matrix."""
    ids = call_ids(seed)
    return [_planned(row, next(ids)) for row in rows for _ in range(row.calls)]


def endless_calls(
    rows: Iterable[MatrixRow] = TRAFFIC_MIX, seed: int = DEFAULT_SEED
) -> Iterator[PlannedCall]:
    """A random mix of the rows' calls, without end, and every row once at first.

    No id is one of `plan_calls` with that seed.
    """
    rows = tuple(rows)
    mix = [row for row in rows for _ in range(row.calls)]
    rng = chance("endless", seed)
    ids = call_ids(seed)
    for _ in mix:
        next(ids)
    for row in rng.sample(rows, len(rows)):
        yield _planned(row, next(ids))
    while True:
        yield _planned(rng.choice(mix), next(ids))


def _planned(row: MatrixRow, call_id: str) -> PlannedCall:
    return PlannedCall(
        call_id, row.provider, row.scenario, row.duration, row.expected_above, row.pipeline
    )
