"""How well the score agrees with the measures: which samples are laid beside which measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ai_engine_lab.evidence.correlation import Correlation, correlation
from ai_engine_lab.evidence.passages import HELD_BACK, SIDES
from ai_engine_lab.evidence.samples import Sample
from ai_engine_quality import Policy

MEASURES: Final = {"PESQ": "pesq", "ViSQOL": "visqol"}
"""Each measure's title and the sample's field."""

UNSEEN: Final = ("16 kHz read as 8 kHz", "8 kHz read as 16 kHz")
"""Misreadings that stay speech, only too slow or too quick: nothing measured tells them."""

PESQ_FAILS: Final = "u-law read as linear"
"""Noise of half the length, which PESQ's time alignment was not made for: it likes some of it."""


def correlate(samples: Sequence[Sample], policy: Policy, measure: str) -> Correlation:
    """Return the rank correlation of the audio part of the score with a measure."""
    return correlation(
        [sample.audio_part(policy) for sample in samples],
        [getattr(sample, measure) for sample in samples],
        [sample.passage for sample in samples],
    )


def is_unseen(sample: Sample) -> bool:
    """Return whether something is wrong that no observation of the engine's can tell."""
    return any(way in sample.detail for way in UNSEEN)


def groups(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Return each side, and the held-back one without what can't be right by any knee."""
    groups = {side: [s for s in samples if s.side == side] for side in SIDES}
    seen = [s for s in groups[HELD_BACK] if not is_unseen(s)]
    judged = [s for s in seen if PESQ_FAILS not in s.detail]
    groups |= {f"{HELD_BACK}, no wrong rate": seen}
    return groups | {f"{HELD_BACK}, no wrong rate, no {PESQ_FAILS}": judged}
