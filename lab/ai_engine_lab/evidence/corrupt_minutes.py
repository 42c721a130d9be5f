"""Three corrupt seconds in a good minute: does the library find them?

    python -m ai_engine_lab.evidence.corrupt_minutes docs/data/corrupt-minutes.csv

Each talker speaks for a minute, at several levels and in several formats. In two places of it, one
after the other, three seconds are spoilt in each way; and there is the same minute without a fault.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ai_engine_lab.evidence.csv_rows import read_rows, write_rows
from ai_engine_lab.evidence.distortions import KINDS, Sent
from ai_engine_lab.evidence.hearing import listen
from ai_engine_lab.evidence.observing import STAGE
from ai_engine_lab.evidence.talkers import TALKERS, Speech, Talker, speech
from ai_engine_quality import score

MINUTE: Final = 60.0
CORRUPT: Final = 3.0
"""Seconds."""

RATE: Final = 8_000
FRAME: Final = RATE // 50
LEVELS: Final = (-4.0, 0.0, 4.0)
"""dB, against the usual level of speech."""

ENCODINGS: Final = ("slin16", "ulaw", "alaw")
PLACES: Final = 2
EARLIEST: Final = 10.0
LATEST: Final = 45.0
"""Seconds between which the corrupt passage begins."""

FAULTS: Final = (
    "bytes swapped",
    "u-law read as linear",
    "linear read as u-law",
    "u-law read as A-law",
    "white noise",
)
NOISE: Final = 5.0
"""dB by which white noise is under the speech."""

Samples = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeardMinute:
    """A minute, and what the library heard in it. Seconds."""

    talker: str
    fault: str
    """Empty where there is none."""
    level: float
    encoding: str
    begins: float
    """Where the corrupt passage begins; 0 where there is none."""
    found: bool
    """Whether the score was held by seconds of noise."""
    noisy: float
    """Seconds that were counted as noise."""
    first: float
    """When the first of them began, as told; 0 where there is none."""


def minutes(talkers: Iterable[Talker]) -> Iterator[HeardMinute]:
    """Yield every talker's minutes."""
    for number, talker in enumerate(talkers):
        said = _minute(speech(talker))
        for place in range(PLACES):
            turn = number + place
            rng = np.random.default_rng([number, place])
            begins = float(rng.uniform(EARLIEST, LATEST)) // 0.02 * 0.02
            gain = LEVELS[turn % len(LEVELS)]
            loud = np.clip(said * 10 ** (gain / 20), -32_768, 32_767)
            for fault in ("", *FAULTS):
                encoding = ENCODINGS[turn % len(ENCODINGS)]
                sent = Sent(
                    Speech(talker.name, talker, loud, RATE, None), fault, 0.0, RATE, encoding,
                    _spoilt(loud, fault, begins, rng),
                )  # fmt: skip
                yield _heard(sent, fault, gain, begins)


def _minute(passages: Iterable[Speech]) -> Samples:
    """Return a minute of speech: a talker's passages, again and again."""
    both = np.concatenate([passage.at(RATE) for passage in passages])
    return np.resize(both, round(MINUTE * RATE))


def _spoilt(samples: Samples, fault: str, begins: float, rng: np.random.Generator) -> Samples:
    if not fault:
        return samples
    start, length = round(begins * RATE), round(CORRUPT * RATE)
    # Bytes of u-law that are read as linear last half as long.
    part = KINDS[fault].distort(samples[start : start + 2 * length], RATE, NOISE, rng)
    return np.concatenate([samples[:start], part[:length], samples[start + length :]])


def _heard(sent: Sent, fault: str, level: float, begins: float) -> HeardMinute:
    summary = listen(sent)
    sound = summary.audio[STAGE].sound
    held = {ceiling.rule for ceiling in score(summary).ceilings}
    return HeardMinute(
        talker=sent.speech.talker.name,
        fault=fault,
        level=level,
        encoding=sent.encoding,
        begins=round(begins, 2) if fault else 0.0,
        found="noisy_seconds" in held,
        noisy=0.0 if sound is None else sound.noisy_seconds,
        first=0.0 if sound is None or sound.noisy_from is None else sound.noisy_from,
    )


_COLUMNS: Final = tuple(field.name for field in fields(HeardMinute))


def write(path: Path, found: Iterable[HeardMinute]) -> None:
    """Write the minutes, one row each."""
    write_rows(path, _COLUMNS, ({**asdict(one), "found": int(one.found)} for one in found))


def read(path: Path) -> list[HeardMinute]:
    """Read the minutes.

    Raises:
        ValueError: a column is missing, or is one too many.
    """
    return [
        HeardMinute(
            row["talker"], row["fault"], float(row["level"]), row["encoding"], float(row["begins"]),
            bool(int(row["found"])), float(row["noisy"]), float(row["first"]),
        )
        for row in read_rows(path, _COLUMNS)
    ]  # fmt: skip


if __name__ == "__main__":
    write(Path(sys.argv[1]), minutes(TALKERS))
