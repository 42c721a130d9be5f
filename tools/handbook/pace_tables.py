"""Wrong speeds of voices whose text is known: the tables of docs/Evidence.md."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from ai_engine_lab.evidence.paces import (
    FACTORS,
    OWN_SPEEDS,
    PaceSample,
    beside_the_usual,
    healthy_by_voice,
    known_talkers,
    read_paces,
    usual_for,
)

from ai_engine_quality import CallSummary, Policy, score
from handbook.marks import table

SAMPLES: Final = Path(__file__).parent.parent.parent / "docs" / "data" / "pace-samples.csv"

USUAL_SPEEDS: Final = (0.85, 1.15)
"""Voices that are told to talk slower or quicker than so are no usual agents."""

_SECONDS: Final = (3.0, 5.0, 8.0, 15.0, 60.0)


class Judged(NamedTuple):
    """A sample, and whether it is found without and with the provider's usual pace."""

    sample: PaceSample
    by_text: bool
    beside_usual: bool


@functools.cache
def pace_samples() -> tuple[PaceSample, ...]:
    """Return the samples that are committed."""
    return tuple(read_paces(SAMPLES))


def parts(policy: Policy) -> dict[str, str]:
    """Return the section's generated parts, by their marks."""
    samples = pace_samples()
    found = judge(samples, policy)
    return {
        "pace-samples": _samples(samples),
        "pace-found": _found(found),
        "pace-healthy": _healthy(found),
        "pace-spread": _spread(samples, policy),
        "pace-line": _line(samples, policy),
        "pace-alone": _alone(samples, policy),
    }


def is_found(call: CallSummary, policy: Policy, rule: str = "wrong_speed") -> bool:
    """Return whether a call is held by a wrong speed."""
    return any(ceiling.rule == rule for ceiling in score(call, policy).ceilings)


def judge(samples: Iterable[PaceSample], policy: Policy) -> list[Judged]:
    """Return what is found of the samples with as much of the voice as a pace needs."""
    return [
        Judged(sample, is_found(sample.summary(), policy), is_found(call, policy))
        for sample, call in beside_the_usual(samples, policy)
        if sample.voice >= policy.sound.usual_seconds
    ]


def shares(found: Sequence[Judged], chosen: Callable[[PaceSample], bool]) -> list[tuple[int, int]]:
    """Return found and all of the judged and of the fitted voices, by text and beside the usual."""
    out = []
    for usual in (False, True):
        for fitted in (False, True):
            picked = [one for one in found if one.sample.fitted is fitted and chosen(one.sample)]
            hits = sum(one.beside_usual if usual else one.by_text for one in picked)
            out.append((hits, len(picked)))
    return out


def _row(
    title: str, found: Sequence[Judged], chosen: Callable[[PaceSample], bool]
) -> tuple[str, ...]:
    return (title, *(f"{hits} of {n}" for hits, n in shares(found, chosen)))


_HEALTHY: Final = "nothing wrong: false alarms"

_HEADER: Final = (
    "by its text, judged voices",
    "fitted voices",
    "beside its usual pace, judged voices",
    "fitted voices",
)


def _found(found: Sequence[Judged]) -> str:
    rows = [
        _row(f"{factor:g} times the rate", found, lambda s, factor=factor: s.factor == factor)  # type: ignore[misc]  # mypy infers no default's type
        for factor in FACTORS
    ]
    low, high = USUAL_SPEEDS
    rows.append(_row(_HEALTHY, found, lambda s: s.healthy and low <= s.own_speed <= high))
    return table(("speech at", *_HEADER), rows, right=True)


def _healthy(found: Sequence[Judged]) -> str:
    rows = [
        _row(f"{own:g} times", found, lambda s, own=own: s.healthy and s.own_speed == own)  # type: ignore[misc]  # as above
        for own in OWN_SPEEDS
    ]
    return table(("told to talk at", *_HEADER), rows, right=True)


def _samples(samples: Sequence[PaceSample]) -> str:
    talkers = {sample.talker for sample in samples}
    languages = {talker.language for talker in known_talkers() if talker.name in talkers}
    healthy = [sample for sample in samples if sample.healthy]
    usual = [sample.pace for sample in healthy if sample.own_speed == 1.0]
    judged = {sample.talker for sample in samples if not sample.fitted}
    formats = Counter(sample.format.rpartition(" at ")[2] for sample in samples)
    at_rates = ", ".join(f"{n} at {rate}" for rate, n in sorted(formats.items(), reverse=True))
    return (
        f"{len(samples)} samples of {len(talkers)} voices ({len(judged)} of them judge) in "
        f"{len(languages)} languages, {at_rates}; {len(healthy)} of them are healthy. Those run at "
        f"{min(usual):.1f} to {max(usual):.1f} characters a second where the voice talks at its "
        "usual speed."
    )


def _spread(samples: Sequence[PaceSample], policy: Policy) -> str:
    moved: dict[bool, list[tuple[float, float, float]]] = {False: [], True: []}
    for sample, call in beside_the_usual(samples, policy):
        if sample.factor in (1.0, 1.5) and call.usual_pace and call.usual_speed is not None:
            octaves = math.log2(sample.pace / call.usual_pace)
            seems = math.nan if sample.speed is None else sample.speed - call.usual_speed
            moved[sample.healthy].append((sample.voice, octaves, seems))
    rows = []
    for low, high in pairwise(_SECONDS):
        cells = [f"{low:g} to {high:g} s"]
        for healthy in (True, False):
            chosen = [one for one in moved[healthy] if low <= one[0] < high]
            paces = [octaves for _, octaves, _ in chosen]
            seen = [seems for _, _, seems in chosen if not math.isnan(seems)]
            cells += [str(len(chosen)), _range(paces), _range(seen)]
        rows.append(tuple(cells))
    header = (
        "voice",
        "healthy",
        "pace (octaves)",
        "seeming speed (octaves)",
        "at 1.5 times the rate",
        "pace (octaves)",
        "seeming speed (octaves)",
    )
    return table(header, rows, right=True)


def _range(values: Sequence[float]) -> str:
    return f"{min(values):+.2f} to {max(values):+.2f}" if values else "-"


class Moved(NamedTuple):
    """How far a sample is from something usual, in octaves by both witnesses."""

    sample: PaceSample
    pace: float
    seems: float

    def both(self, weight: float) -> float:
        """Return how far it is in the direction of its pace, with a weight for the spectrum."""
        return (1 if self.pace > 0 else -1) * (self.pace + weight * self.seems)


WEIGHTS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
LIVELIER: Final = 1.36
"""A voice may be so many times as quick as usual, by its own settings, and healthy."""


def _moved(samples: Sequence[PaceSample], seconds: float) -> list[Moved]:
    """Return the wrong rates beside their voice's usual, and healthy ones beside other speeds."""
    healthy = healthy_by_voice(samples)
    found = []
    for sample in samples:
        if sample.speed is None or sample.voice < seconds:
            continue
        for (talker, own), others in healthy.items():
            near = max(own, sample.own_speed) <= LIVELIER * min(own, sample.own_speed)
            same = own == sample.own_speed
            if talker == sample.talker and (same or (near and sample.healthy)):
                pace, speed = usual_for(sample, others)
                if speed is not None:
                    octaves = math.log2(sample.pace / pace)
                    found.append(Moved(sample, octaves, sample.speed - speed))
    return found


def _threshold(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(share * len(values))]


def _line(samples: Sequence[PaceSample], policy: Policy) -> str:
    """Return what lines through both witnesses find and falsely find, weight by weight."""
    moved = _moved(samples, policy.sound.usual_seconds)
    rows = []
    for weight in WEIGHTS:
        faults = [m for m in moved if m.sample.factor in (0.667, 1.5)]
        line = _threshold([m.both(weight) for m in faults if m.sample.fitted], 0.02)
        cells = [f"{weight:g}", f"{line:.2f}"]
        for healthy in (False, True):
            judged = [
                m.both(weight) >= line
                for m in (moved if healthy else faults)
                if m.sample.healthy is healthy and not m.sample.fitted
            ]
            cells.append(f"{sum(judged)} of {len(judged)}")
        rows.append(tuple(cells))
    header = (
        "weight of the spectrum",
        "line (octaves)",
        "0.67 and 1.5 times found, judged voices",
        "false alarms, judged voices",
    )
    return table(header, rows, right=True)


def _alone(samples: Sequence[PaceSample], policy: Policy) -> str:
    """Return what the voice alone tells, where no text is known."""
    low, high = USUAL_SPEEDS
    rows = []
    for factor in (*FACTORS, 1.0):
        cells = [_HEALTHY if factor == 1.0 else f"{factor:g} times the rate"]
        for fitted in (False, True):
            hits = [
                is_found(replace(s.summary(), agent_characters=None), policy, "seems_wrong_speed")
                for s in samples
                if s.factor == factor and s.fitted is fitted and low <= s.own_speed <= high
            ]
            cells.append(f"{sum(hits)} of {len(hits)}")
        rows.append(tuple(cells))
    return table(("speech at", "without text, judged voices", "fitted voices"), rows, right=True)
