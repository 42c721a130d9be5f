"""What goes wrong in each sample: drawn over the whole range, the same on every machine."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import Final

import numpy as np

from ai_engine_lab.basics.audio_formats import (
    LINEAR,
    AudioFormat,
    amplified,
    decode,
    encode,
    swapped,
)
from ai_engine_lab.basics.chance import chance
from ai_engine_lab.engine.provider import Delivery
from ai_engine_lab.evidence.passages import Passage
from ai_engine_quality import toolkit

CLEAN: Final = "clean"
UNDERFLOW: Final = "underflow"
FALLBACK: Final = "fallback"
CODEC: Final = "codec"
LEVEL: Final = "level"
CLIPPING: Final = "clipping"
COMBINED: Final = "combined"
KINDS: Final = (CLEAN, UNDERFLOW, FALLBACK, CODEC, LEVEL, CLIPPING, COMBINED)

SAMPLES_OF_KIND: Final = {
    CLEAN: 1,
    UNDERFLOW: 7,
    FALLBACK: 4,
    CODEC: 4,
    LEVEL: 3,
    CLIPPING: 3,
    COMBINED: 6,
}
"""Samples of each kind per passage."""

_ULAW: Final = AudioFormat("ulaw", LINEAR.sample_rate)
_WIDE: Final = AudioFormat("slin16", 2 * LINEAR.sample_rate)

_AMPLE: Final = Delivery(pace=4.0)
_FILLER_SHARES: Final = (0.005, 0.35)
"""Least and greatest share of fillers; the worst real calls had 35 %."""
_STALL_SECONDS: Final = 0.2
_QUIET_DB: Final = (-30.0, -3.0)
_LOUD_DB: Final = (2.0, 8.0)
"""Louder, mostly without clipping."""
_CLIPPED_DB: Final = (9.0, 27.0)
"""So much too loud that full scale cuts the peaks off."""


@dataclass(frozen=True)
class Impairment:
    """What is wrong with one sample, as settings of the mechanism."""

    kind: str
    detail: str = ""
    delivery: Delivery = _AMPLE
    burst_seconds: float = 0.1
    """Audio in one of the provider's bursts."""
    seams: int = 0
    """Prompts whose stream breaks off, so that a file plays the rest."""
    gain_db: float = 0.0
    misreading: str | None = None
    """How the engine misreads the provider's audio: a key of :data:`MISREADINGS`."""
    reported: bool = False
    """Whether the engine's own check of formats noticed."""

    def spoken(self, linear: bytes) -> bytes:
        """Return what the engine makes of a prompt's linear audio, in linear audio."""
        if self.gain_db:
            linear = amplified(linear, 10 ** (self.gain_db / 20))
        return MISREADINGS[self.misreading](linear) if self.misreading else linear


def impairments(passage: Passage) -> Iterator[Impairment]:
    """Yield what is done to a passage, one sample after the other."""
    rng = chance("evidence", passage.name)
    number = int(passage.name.rpartition("-")[2]) - 1
    yield Impairment(CLEAN)
    yield from (_underflow(rng, n) for n in range(SAMPLES_OF_KIND[UNDERFLOW]))
    yield from (_fallback(seams) for seams in range(1, SAMPLES_OF_KIND[FALLBACK] + 1))
    yield from _codec(number)
    quiet = (rng.uniform(*_QUIET_DB) for _ in range(SAMPLES_OF_KIND[LEVEL] - 1))
    yield from (_gain(LEVEL, db) for db in (*quiet, rng.uniform(*_LOUD_DB)))
    clipped = (_stratum(rng, *_CLIPPED_DB, n, SAMPLES_OF_KIND[CLIPPING]) for n in range(3))
    yield from (_gain(CLIPPING, db) for db in clipped)
    yield from (_combined(rng, n) for n in range(SAMPLES_OF_KIND[COMBINED]))


def _stratum(rng: random.Random, low: float, high: float, part: int, parts: int) -> float:
    """Return a value from one of so many equal parts of a range."""
    return low + (high - low) * (part + rng.random()) / parts


def _underflow(rng: random.Random, part: int) -> Impairment:
    low, high = (math.log(share) for share in _FILLER_SHARES)
    share = math.exp(_stratum(rng, low, high, part, SAMPLES_OF_KIND[UNDERFLOW]))
    way = rng.choice(("scattered", "in bursts", "stalls"))
    detail = f"{way}, about {share:.1%}"
    if way == "stalls":
        stalls = share / (1 - share) / _STALL_SECONDS
        delivery = Delivery(pace=1.002, stalls_per_second=stalls, stall_seconds=_STALL_SECONDS)
        return Impairment(UNDERFLOW, detail, delivery)
    burst_seconds = 0.02 if way == "scattered" else 0.2
    return Impairment(UNDERFLOW, detail, Delivery(pace=1 - share, jitter=0.1), burst_seconds)


def _fallback(seams: int) -> Impairment:
    return Impairment(FALLBACK, f"{seams}", seams=seams)


def _codec(number: int) -> Iterator[Impairment]:
    """Yield this passage's turn of the misreadings; each comes reported and unreported."""
    count = SAMPLES_OF_KIND[CODEC]
    ways = ((way, reported) for reported in (True, False) for way in MISREADINGS)
    for way, reported in islice(cycle(list(ways)), number * count, (number + 1) * count):
        detail = f"{way}, {'reported' if reported else 'unreported'}"
        yield Impairment(CODEC, detail, misreading=way, reported=reported)


def _gain(kind: str, decibels: float) -> Impairment:
    return Impairment(kind, f"{decibels:+.1f} dB", gain_db=decibels)


def _combined(rng: random.Random, part: int) -> Impairment:
    """Return two or three impairments at once; always fillers, which bad calls always have."""
    both = _underflow(rng, part)
    details = [both.detail]
    others = rng.sample((FALLBACK, CODEC, LEVEL, CLIPPING), k=rng.choice((1, 2)))
    if FALLBACK in others:
        both = replace(both, seams=rng.randint(1, 4))
        details.append(f"fallbacks {both.seams}")
    if CODEC in others:
        way, reported = rng.choice(tuple(MISREADINGS)), rng.random() < 0.5
        both = replace(both, misreading=way, reported=reported)
        details.append(f"{way}, {'reported' if reported else 'unreported'}")
    if LEVEL in others or CLIPPING in others:
        limits = _CLIPPED_DB if CLIPPING in others else _QUIET_DB
        both = replace(both, gain_db=rng.uniform(*limits))
        details.append(f"{both.gain_db:+.1f} dB")
    return replace(both, kind=COMBINED, detail="; ".join(details))


def _ulaw(linear: bytes) -> bytes:
    return encode(linear, _ULAW)


def _alaw(linear: bytes) -> bytes:
    """Return A-law bytes: the nearest of the 256 values of ITU-T G.711."""
    values = toolkit.decode(bytes(range(256)), "alaw")
    order = np.argsort(values)
    samples = np.frombuffer(linear, dtype="<i2").astype(np.float32)
    between = (values[order][1:] + values[order][:-1]) / 2
    return order[np.searchsorted(between, samples)].astype(np.uint8).tobytes()


def _read(data: bytes, encoding: str) -> bytes:
    return toolkit.decode(data, encoding).astype("<i2").tobytes()


ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "slin16": bytes,
    "ulaw": _ulaw,
    "alaw": _alaw,
}
"""From linear audio to the bytes of each encoding."""

MISREADINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "u-law read as A-law": lambda linear: _read(_ulaw(linear), "alaw"),
    "A-law read as u-law": lambda linear: _read(_alaw(linear), "ulaw"),
    "u-law read as linear": lambda linear: _read(_ulaw(linear)[: len(linear) // 4 * 2], "slin16"),
    "linear read as u-law": lambda linear: _read(linear, "ulaw"),
    "bytes swapped": swapped,
    "16 kHz read as 8 kHz": lambda linear: encode(linear, _WIDE),
    "8 kHz read as 16 kHz": lambda linear: decode(linear, _WIDE),
}
"""Each way to misread a provider's audio: from its linear audio to what the caller hears."""
