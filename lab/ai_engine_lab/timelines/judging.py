"""How well an ear hears generated calls whose truth is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ai_engine_lab.timelines.calls import Call, generate
from ai_engine_lab.timelines.conditions import MILD, TABLE, Condition
from ai_engine_quality.toolkit import Ear, Heard

TUNING_SEED: Final = 1_000
JUDGING_SEED: Final = 900_000
"""Calls from here on played no part in choosing any number of the ear's."""

MATCH_SECONDS: Final = 0.5
"""A value that is heard further off than this is a miss and a false one."""


def listen(call: Call) -> Heard:
    """Return what the ear hears of a call."""
    ear = Ear(call.started_at)
    for what, at, level, seconds in call.observations:
        if what == "caller":
            ear.caller(at, level, seconds)
        elif what == "agent":
            ear.agent(at, level, seconds)
        elif what == "audio_given":
            ear.audio_given(at, seconds, level)
        elif what == "agent_flushed":
            ear.agent_flushed(at)
        else:
            ear.answer_complete(at)
    return ear.freeze(call.ended_at)


@dataclass(slots=True)
class Tally:
    """True and heard values of one kind, matched in their order."""

    true: int = 0
    heard: int = 0
    errors: list[float] = field(default_factory=list)

    def add(self, true: Sequence[float], heard: Sequence[float]) -> None:
        """Match the values of one call."""
        self.true += len(true)
        self.heard += len(heard)
        self.errors.extend(matched(true, heard))

    @property
    def recall(self) -> float | None:
        """Share of the true ones that were heard."""
        return len(self.errors) / self.true if self.true else None

    @property
    def precision(self) -> float | None:
        """Share of the heard ones that are true."""
        return len(self.errors) / self.heard if self.heard else None

    @property
    def p95(self) -> float | None:
        """95th percentile of the errors of those that match, seconds."""
        return float(np.percentile(np.abs(self.errors), 95)) if self.errors else None

    @property
    def mean(self) -> float | None:
        """Mean of the same errors' sizes."""
        return float(np.mean(np.abs(self.errors))) if self.errors else None


def matched(true: Sequence[float], heard: Sequence[float]) -> list[float]:
    """Return the errors of the values that match: most first, then least error, in order."""
    best: list[list[tuple[int, float, tuple[float, ...]]]] = [
        [(0, 0.0, ())] * (len(heard) + 1) for _ in range(len(true) + 1)
    ]
    for row, value in enumerate(true, 1):
        for column, other in enumerate(heard, 1):
            options = [best[row - 1][column], best[row][column - 1]]
            error = other - value
            if abs(error) <= MATCH_SECONDS:
                count, cost, errors = best[row - 1][column - 1]
                options.append((count + 1, cost - abs(error), (*errors, error)))
            best[row][column] = max(options, key=lambda option: option[:2])
    return list(best[-1][-1][2])


@dataclass(slots=True)
class Judgement:
    """What some calls came to."""

    calls: int = 0
    refused: int = 0
    """Calls of which the ear says that it can't hear the caller."""
    latency: Tally = field(default_factory=Tally)
    unanswered: Tally = field(default_factory=Tally)
    reaction: Tally = field(default_factory=Tally)
    talk_over: Tally = field(default_factory=Tally)
    first_word: list[float] = field(default_factory=list)
    hole_seconds: list[float] = field(default_factory=list)
    """Errors of each call."""
    holes_true: int = 0
    holes_heard: int = 0
    holes_found: int = 0
    longest: list[float] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)
    voice: list[float] = field(default_factory=list)
    """Caller's voice that was heard too much, as a share."""
    worst: list[tuple[float, int, str]] = field(default_factory=list)

    def add(self, call: Call, heard: Heard) -> None:
        """Lay what was heard beside the truth."""
        truth = call.truth
        self.calls += 1
        if heard.cannot_hear is not None:
            self.refused += 1
        elif heard.latencies is not None:
            self.latency.add(truth.latencies, heard.latencies.exact)
            self.unanswered.add(truth.unanswered, _exact(heard.unanswered))
            self.reaction.add(truth.reactions, _exact(heard.reactions))
            self.talk_over.true += len(truth.talk_overs)
            self.talk_over.heard += heard.talk_overs or 0
            found = min(len(truth.talk_overs), heard.talk_overs or 0)
            self.talk_over.errors.extend([0.0] * found)
        if heard.first_word is not None:
            self.first_word.append(abs(heard.first_word - truth.first_word))
        self._holes(call, heard)
        if heard.lost is not None:
            self.lost.append(abs(heard.lost - truth.lost))
        if heard.answers is not None:
            self.answers.append(heard.answers - truth.answers)
        if heard.answers_cut is not None:
            self.cut.append(heard.answers_cut - truth.cut)
        if heard.caller_voice is not None and truth.caller_voice:
            self.voice.append(heard.caller_voice / truth.caller_voice - 1)

    def _holes(self, call: Call, heard: Heard) -> None:
        if heard.holes is None or heard.hole_seconds is None:
            return
        true = call.truth.holes
        self.holes_true += len(true)
        self.holes_heard += heard.holes
        self.holes_found += min(len(true), heard.holes)
        self.hole_seconds.append(abs(heard.hole_seconds - sum(true)))
        self.longest.append(abs((heard.longest_hole or 0.0) - max(true, default=0.0)))

    def row(self) -> dict[str, Any]:
        """Return the figures, rounded; None where there are none."""
        holes_true, holes_heard = self.holes_true, self.holes_heard
        return {
            "calls": self.calls,
            "can't hear": self.refused / self.calls if self.calls else None,
            "latency recall": _rounded(self.latency.recall, 3),
            "latency precision": _rounded(self.latency.precision, 3),
            "latency p95 error (s)": _rounded(self.latency.p95, 3),
            "unanswered recall": _rounded(self.unanswered.recall, 3),
            "unanswered precision": _rounded(self.unanswered.precision, 3),
            "reaction recall": _rounded(self.reaction.recall, 3),
            "reaction precision": _rounded(self.reaction.precision, 3),
            "reaction mean error (s)": _rounded(self.reaction.mean, 3),
            "holes recall": _rounded(self.holes_found / holes_true if holes_true else None, 3),
            "holes precision": _rounded(self.holes_found / holes_heard if holes_heard else None, 3),
            "holes error (s a call)": _rounded(_mean(self.hole_seconds), 3),
            "talk-over recall": _rounded(self.talk_over.recall, 3),
            "talk-over precision": _rounded(self.talk_over.precision, 3),
            "first word error (s)": _rounded(_mean(self.first_word), 3),
            "lost error (s a call)": _rounded(_mean(self.lost), 3),
        }


def _exact(values: Any) -> tuple[float, ...]:
    return () if values is None else tuple(values.exact)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def judge(condition: Condition, seeds: Iterable[int]) -> Judgement:
    """Return how well the ear hears calls under a condition."""
    judgement = Judgement()
    for seed in seeds:
        call = generate(condition, seed)
        judgement.add(call, listen(call))
    return judgement


def judge_mild(calls: int = 300, first: int = JUDGING_SEED) -> Judgement:
    """Return how well the ear hears mild calls, their conditions in turn."""
    judgement = Judgement()
    for place in range(calls):
        call = generate(MILD[place % len(MILD)], first + place)
        judgement.add(call, listen(call))
    return judgement


def table(calls: int = 40, first: int = JUDGING_SEED) -> list[dict[str, Any]]:
    """Return a row for each condition, and first one for all the mild ones."""
    rows = [{"condition": "mild, all", **judge_mild(300, first).row()}]
    for place, condition in enumerate(TABLE):
        seeds = range(first + 1_000 * (place + 1), first + 1_000 * (place + 1) + calls)
        rows.append({"condition": condition.name, **judge(condition, seeds).row()})
    return rows
