"""What PESQ and ViSQOL say of each distorted sample, and a model without the original.

To measure takes half an hour, so that the opinions stand in a file of their own: what the library
measures can be observed again without them.
"""

from __future__ import annotations

import csv
import functools
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ai_engine_lab.basics.audio_formats import Samples, to_int16
from ai_engine_lab.evidence.csv_rows import read_rows
from ai_engine_lab.evidence.distortions import sent
from ai_engine_lab.evidence.talkers import TALKERS, Talker, resampled, speech

_COLUMNS: Final = ("sample", "pesq", "visqol", "dnsmos")
MODEL_RATE: Final = 16_000
THIRD_OF: Final = 3
"""The third witness hears one sample in so many: it costs as much as both others."""


class Opinions(NamedTuple):
    """Mean opinion scores of one sample."""

    pesq: float
    visqol: float
    dnsmos: float | None
    """Without the original, by DNSMOS; None where it was not asked."""


def measured(talkers: Iterable[Talker], *, workers: int = 2) -> Iterator[tuple[str, Opinions]]:
    """Yield each sample's name and opinions."""
    with ProcessPoolExecutor(workers) as pool:
        for found in pool.map(_of_talker, talkers):
            yield from found


def _of_talker(talker: Talker) -> list[tuple[str, Opinions]]:
    from ai_engine_lab.evidence.measures import compare  # noqa: PLC0415  # an extra

    found: list[tuple[str, Opinions]] = []
    for passage in speech(talker):
        clean = to_int16(passage.at(8_000))
        for sample in sent(passage):
            heard = to_int16(sample.at_the_telephone())
            opinion = compare(clean, heard)
            third = _without_original(heard) if len(found) % THIRD_OF == 0 else None
            found.append((sample.name, Opinions(*opinion, third)))
    return found


def _without_original(heard: Samples) -> float | None:
    model = _model()
    if model is None:
        return None
    wide = resampled(heard.astype(np.float64) / 32_768, 8_000, MODEL_RATE)
    found = model.run(np.clip(wide, -1, 1).astype(np.float32), MODEL_RATE)
    return round(float(found["ovrl_mos"]), 3)


@functools.cache
def _model() -> Any:
    """Return DNSMOS, whose weights ship in its package."""
    try:
        from speechmos import dnsmos  # noqa: PLC0415  # an optional witness
    except ImportError:
        return None
    return dnsmos


def write_opinions(path: Path, opinions: Iterable[tuple[str, Opinions]]) -> None:
    """Write the opinions, one row each, as they come."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for name, opinion in opinions:
            rows.writerow((name, *("" if value is None else value for value in opinion)))
            stream.flush()


def read_opinions(path: Path) -> Mapping[str, Opinions]:
    """Read the opinions, by the samples' names.

    Raises:
        ValueError: a column is missing, or is one too many.
    """
    return {row["sample"]: opinions_of(row) for row in read_rows(path, _COLUMNS)}


def opinions_of(row: Mapping[str, str]) -> Opinions:
    """Return the opinions of a row that has their columns."""
    third = float(row["dnsmos"]) if row["dnsmos"] else None
    return Opinions(float(row["pesq"]), float(row["visqol"]), third)


if __name__ == "__main__":
    write_opinions(Path(sys.argv[1]), measured(TALKERS))
