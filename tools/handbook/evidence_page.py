"""The tables of docs/Evidence.md, made from the measured samples."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ai_engine_lab.basics.ranks import spearman
from ai_engine_lab.evidence.agreement import MEASURES, groups
from ai_engine_lab.evidence.passages import HELD_BACK, TUNING
from ai_engine_lab.evidence.samples import Sample, read_samples

from ai_engine_quality import Policy
from handbook import ear_tables, pace_tables, sound_tables
from handbook import evidence_tables as tables

SAMPLES: Final = Path(__file__).parent.parent.parent / "docs" / "data" / "evidence-samples.csv"

COMPARED: Final = ("v1", "v2")
"""The version before the evidence, and the one that it proposes; v3 takes its knees over."""

GOAL: Final = 0.9
"""Rank correlation that was asked for."""


@functools.cache
def measured_samples() -> tuple[Sample, ...]:
    """Return the samples that are committed."""
    return tuple(read_samples(SAMPLES))


def policies() -> tuple[Policy, Policy]:
    """Return the policy before the evidence, and the one that the evidence proposes."""
    before, proposed = map(Policy.load, COMPARED)
    return before, proposed


def parts(samples: Sequence[Sample] | None = None) -> dict[str, str]:
    """Return the page's generated parts, by their marks; of other samples, if given."""
    samples = measured_samples() if samples is None else samples
    old, new = both = policies()
    tuning = [sample for sample in samples if sample.side == TUNING]
    return {
        "headline": _headline(samples, both),
        "correlations": tables.correlations(samples, both),
        "agreement": tables.agreement(samples),
        "kinds": tables.correlations_by_kind(samples, both),
        "fillers": tables.by_fillers(tuning, both),
        "fallbacks": tables.by_fallbacks(tuning, both),
        "gain": tables.by_gain(tuning, both),
        "misreadings": tables.by_misreading(tuning, both),
        "escaped": tables.escaped(samples, old),
        "policy": tables.policy_changes(old, new),
        "rankings": tables.rankings(both),
        "real calls": tables.real_calls(both),
        "disagreements": "\n\n".join(
            f"Policy {policy.version}:\n\n{tables.real_disagreements(policy)}" for policy in both
        ),
        "published": tables.published(old),
        **sound_tables.parts(new, Policy.load("v3")),
        **pace_tables.parts(Policy.load("v3")),
        **ear_tables.parts(),
    }


def _headline(samples: Sequence[Sample], policies: Sequence[Policy]) -> str:
    """Return the correlations on held-back prompts in a sentence each."""
    held_back = [title for title in groups(samples) if title.startswith(HELD_BACK)]
    lines = [
        f"The goal was a rank correlation of {GOAL:g} with both measures. On held-back prompts:",
        "",
    ]
    for title in held_back:
        chosen = groups(samples)[title]
        for policy in policies:
            found = {
                measure: spearman(
                    [sample.audio_part(policy) for sample in chosen],
                    [getattr(sample, field) for sample in chosen],
                )
                for measure, field in MEASURES.items()
            }
            text = ", ".join(f"{value:.3f} with {measure}" for measure, value in found.items())
            verdict = "reached" if min(found.values()) >= GOAL else "missed"
            lines.append(f"* {title}, policy {policy.version}: {text} ({verdict})")
    return "\n".join(lines)
