"""The measured samples: one row of a CSV file each, from which any policy can be judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ai_engine_lab.evidence.csv_rows import read_rows, write_rows
from ai_engine_lab.evidence.observing import QUICK_TURNS, STAGE
from ai_engine_quality import CallScore, CallSummary, Policy, StageLevels, score


@dataclass(frozen=True)
class Sample:
    """What was done to a passage, what the scorer saw of it, and how it sounds."""

    passage: str
    side: str
    kind: str
    detail: str
    pesq: float
    visqol: float
    summary: CallSummary

    def scored(self, policy: Policy) -> CallScore:
        """Return the score of a call that sounds so, and in which nothing else is wrong."""
        return score(self.summary, policy)

    def audio_part(self, policy: Policy) -> int:
        """Return the audio part of the score: what is left of 100.

        Raises:
            ValueError: the policy doesn't score such a call at all.
        """
        points = self.scored(policy).score
        if points is None:
            raise ValueError(f"policy {policy.version} does not score {self.summary.call_id}")
        return points


_FACTS: Final = ("passage", "side", "kind", "detail")
_OPINIONS: Final = ("pesq", "visqol")
_COUNTS: Final = (
    "frames_sent",
    "underflows",
    "underflow_episodes",
    "fallbacks",
    "codec_checks",
    "codec_misaligned",
)
_LEVELS: Final = tuple(f.name for f in dataclasses.fields(StageLevels) if f.name != "sound")
"""What is wrong with the samples themselves has a file of its own: :mod:`hearing`."""
_COLUMNS: Final = (*_FACTS, *_OPINIONS, "duration", *_COUNTS, *_LEVELS)


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Write the samples, one row each."""
    write_rows(path, _COLUMNS, map(_row, samples))


def read_samples(path: Path) -> list[Sample]:
    """Read the samples.

    Raises:
        ValueError: a column is missing, or is one too many.
    """
    rows = read_rows(path, _COLUMNS)
    return [_sample(row, number) for number, row in enumerate(rows, start=1)]


def _row(sample: Sample) -> dict[str, Any]:
    levels = sample.summary.audio.get(STAGE, StageLevels())
    values = {name: getattr(sample, name) for name in (*_FACTS, *_OPINIONS)}
    values |= {name: getattr(sample.summary, name) for name in ("duration", *_COUNTS)}
    values |= {name: getattr(levels, name) for name in _LEVELS}
    return {name: _shortened(value) for name, value in values.items()}


def _shortened(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _sample(row: dict[str, str], number: int) -> Sample:
    levels = StageLevels(**{name: _number(row[name], name) for name in _LEVELS})
    counts = {name: None if row[name] == "" else int(row[name]) for name in _COUNTS}
    summary = CallSummary(
        call_id=f"sample-{number}",
        duration=float(row["duration"]),
        turn_latencies=QUICK_TURNS,
        audio={STAGE: levels} if levels.frames else {},
        **counts,  # type: ignore[arg-type]  # the counts of a summary are optional integers
    )
    facts = {name: row[name] for name in _FACTS}
    opinions = {name: float(row[name]) for name in _OPINIONS}
    return Sample(**facts, **opinions, summary=summary)  # type: ignore[arg-type]  # as declared


def _number(text: str, name: str) -> Any:
    if text == "":
        return None
    return int(text) if name in ("frames", "active") else float(text)
