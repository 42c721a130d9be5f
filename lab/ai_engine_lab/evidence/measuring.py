"""Measures every sample: plays it, observes it, and compares it with its original."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from ai_engine_lab.evidence.impairments import impairments
from ai_engine_lab.evidence.line import original, play
from ai_engine_lab.evidence.measures import compare
from ai_engine_lab.evidence.observing import observe
from ai_engine_lab.evidence.passages import Passage
from ai_engine_lab.evidence.samples import Sample


def samples_of_passage(passage: Passage) -> list[Sample]:
    """Return a passage's samples, each with another impairment."""
    clean = original(passage)
    found = []
    for number, impairment in enumerate(impairments(passage), start=1):
        played = play(passage, impairment)
        opinion = compare(clean, played.heard)
        summary = observe(f"{passage.name}-{number}", impairment, played)
        found.append(
            Sample(
                passage.name,
                passage.side,
                impairment.kind,
                impairment.detail,
                opinion.pesq,
                opinion.visqol,
                summary,
            )
        )
    return found


def measure(
    chosen: Iterable[Passage], *, workers: int = 1, tell: Callable[[], None] = lambda: None
) -> Iterator[Sample]:
    """Yield the samples of all passages in order; ``tell`` is called after each passage."""
    with ProcessPoolExecutor(workers) as pool:
        for samples in pool.map(samples_of_passage, chosen):
            yield from samples
            tell()
