"""Keeps ``docs/Evidence.md`` true: its tables stand between marks, made from the samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ai_engine_lab.evidence import tables
from ai_engine_lab.evidence.passages import HELD_BACK, TUNING
from ai_engine_lab.evidence.samples import Sample
from ai_engine_lab.ranks import spearman
from ai_engine_quality import DEFAULT_POLICY, Policy

OTHER_POLICY: Final = "v2"
"""The version that the evidence proposes; the document sets it beside the default."""

GOAL: Final = 0.9
"""Rank correlation that was asked for."""


def blocks(samples: Sequence[Sample]) -> dict[str, str]:
    """Return each table of the document by the name in its marks."""
    old, new = DEFAULT_POLICY, Policy.load(OTHER_POLICY)
    both = (old, new)
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
    }


def _headline(samples: Sequence[Sample], policies: Sequence[Policy]) -> str:
    """Return the correlations on held-back prompts in a sentence each."""
    held_back = [title for title in tables.groups(samples) if title.startswith(HELD_BACK)]
    lines = [
        f"The goal was a rank correlation of {GOAL:g} with both measures. On held-back prompts:",
        "",
    ]
    for title in held_back:
        chosen = tables.groups(samples)[title]
        for policy in policies:
            found = {
                measure: spearman(
                    [sample.audio_part(policy) for sample in chosen],
                    [getattr(sample, field) for sample in chosen],
                )
                for measure, field in tables.MEASURES.items()
            }
            text = ", ".join(f"{value:.3f} with {measure}" for measure, value in found.items())
            verdict = "reached" if min(found.values()) >= GOAL else "missed"
            lines.append(f"* {title}, policy {policy.version}: {text} ({verdict})")
    return "\n".join(lines)


def with_blocks(text: str, made: dict[str, str]) -> str:
    """Return a document's text with each table in its place.

    Raises:
        ValueError: the document has no place for one of them.
    """
    for name, table in made.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(
                f"no place for the table: put {begin} and {end} where it belongs, once"
            )
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return text
