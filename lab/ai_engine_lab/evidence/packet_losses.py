"""How bad lost packets sound: what the ceiling ``packet_loss`` rests on.

    python -m ai_engine_lab.evidence.packet_losses docs/data/packet-losses.csv

measures it anew, in two minutes, with ``pip install './lab[measuring]'``. Each talker's passages
lose packets of 20 ms at random, and the phone plays the one before again, quieter each time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from ai_engine_lab.basics.audio_formats import to_int16
from ai_engine_lab.evidence.csv_rows import read_rows, write_rows
from ai_engine_lab.evidence.distortions import KINDS
from ai_engine_lab.evidence.knees import ceilings_of
from ai_engine_lab.evidence.talkers import FITTED, TALKERS, Talker, speech

SHARES: Final = (0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)
"""Of the packets that are lost."""

RATE: Final = 8_000

BEST: Final = 93.2
BPL: Final = 25.1
"""What G.107 says of a call that nothing is wrong with, and G.113 (Appendix I) of how robust G.711
with concealment is against packets lost at random."""


@dataclass(frozen=True, slots=True)
class LossySample:
    """A passage that lost packets, and how it sounds: mean opinion scores."""

    talker: str
    side: str
    passage: int
    share: float
    """Share (0 to 1) of packets that were to be lost."""
    pesq: float
    visqol: float

    @property
    def heard_as(self) -> float:
        """The mean of both."""
        return (self.pesq + self.visqol) / 2


def e_model(share: float) -> float:
    """Return the rating R of G.711 with concealment that loses a share (0 to 1) of its packets."""
    per_cent = 100 * share
    return BEST - 95 * per_cent / (per_cent + BPL)


def proposed_packet_loss(samples: Iterable[LossySample]) -> list[list[float]]:
    """Return the ceilings that the fitted voices propose, as (share, highest score)."""
    return ceilings_of([(one.share, one.heard_as) for one in samples if one.side == FITTED])


def measured(talkers: Sequence[Talker], *, workers: int = 2) -> Iterator[LossySample]:
    """Yield every talker's samples."""
    with ProcessPoolExecutor(workers) as pool:
        for found in pool.map(_of_talker, talkers):
            yield from found


def _of_talker(talker: Talker) -> list[LossySample]:
    from ai_engine_lab.evidence.measures import compare  # noqa: PLC0415  # an extra

    found = []
    for number, passage in enumerate(speech(talker), start=1):
        clean = passage.at(RATE)
        for place, share in enumerate(SHARES):
            rng = np.random.default_rng([TALKERS.index(talker), number, place])
            lossy = KINDS["concealed losses"].distort(clean, RATE, share, rng)
            opinion = compare(to_int16(clean[: len(lossy)]), to_int16(lossy))
            found.append(LossySample(talker.name, talker.side, number, share, *opinion))
    return found


_COLUMNS: Final = tuple(field.name for field in fields(LossySample))


def write(path: Path, samples: Iterable[LossySample]) -> None:
    """Write the samples, one row each."""
    write_rows(path, _COLUMNS, map(asdict, samples))


def read(path: Path) -> list[LossySample]:
    """Read the samples.

    Raises:
        ValueError: a column is missing, or is one too many.
    """
    return [
        LossySample(
            row["talker"], row["side"], int(row["passage"]), float(row["share"]),
            float(row["pesq"]), float(row["visqol"]),
        )
        for row in read_rows(path, _COLUMNS)
    ]  # fmt: skip


if __name__ == "__main__":
    write(Path(sys.argv[1]), measured(TALKERS))
