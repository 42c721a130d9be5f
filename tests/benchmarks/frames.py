"""A raw frame through ``audio()``, in place at 1,000 calls, against ``audioop.rms``.

``audioop`` left Python in 3.13: run this with an older one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
from paired import Ratio, measure
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

CALLS = 1_000
FRAMES = 40
"""Frames of each call in a round: a multiple of 4 and of 10, so that every round samples alike."""

FORMATS = (("ulaw", 8_000), ("slin16", 8_000), ("slin16", 16_000), ("slin16", 24_000))


def ratios() -> Iterator[Ratio]:
    """Yield the cost of a frame for each format, as sampled by default and at full rate."""
    for encoding, rate in FORMATS:
        yield _ratio(encoding, rate, aeq.Sampling(), goal=0.9)
    for encoding, rate in FORMATS:
        yield _ratio(encoding, rate, aeq.Sampling(level_every=1), goal=None)
    yield _ratio("slin16", 8_000, aeq.Sampling(), goal=0.9, both_sides=True)


def _ratio(
    encoding: str,
    rate: int,
    sampling: aeq.Sampling,
    goal: float | None,
    *,
    both_sides: bool = False,
) -> Ratio:
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, sampling=sampling)
    calls = [_started(quality, f"1761532874.{number}") for number in range(CALLS)]
    frames = _speech_like(encoding, rate)

    if both_sides:  # so each measured frame's time is kept, to hear how long answers take
        for call in calls:
            call.audio("transport_in", frames[0], encoding=encoding, sample_rate=rate)

    def measured() -> None:
        # Frame by frame over all calls, as a loop with 1,000 calls would: nothing stays cached.
        for number in range(FRAMES):
            for position, call in enumerate(calls):
                frame = frames[(position + number) % len(frames)]
                call.audio("provider_out", frame, encoding=encoding, sample_rate=rate)
        quality.frames.measure()

    rms = _ulaw_rms if encoding == "ulaw" else _linear_rms

    def yardstick() -> None:
        for number in range(FRAMES):
            for position in range(CALLS):
                rms(frames[(position + number) % len(frames)])

    every = "every frame" if sampling.level_every == 1 else "sampled by default"
    every += ", both sides heard" if both_sides else ""
    pieces = CALLS * FRAMES
    result = measure(
        f"a frame, {encoding} at {rate // 1000} kHz, {every}",
        measured,
        "audioop.rms",
        yardstick,
        pieces=pieces,
        yardstick_pieces=pieces,
        rounds=5,
        goal=goal,
    )
    quality.close()
    return result


def _started(quality: aeq.QualityMonitor, call_id: str) -> aeq.CallHandle:
    quality.call_started(call_id, provider="deepgram")
    return quality.call(call_id)


def _linear_rms(frame: bytes) -> int:
    return audioop.rms(frame, 2)


def _ulaw_rms(frame: bytes) -> int:
    return audioop.rms(audioop.ulaw2lin(frame, 2), 2)


def _speech_like(encoding: str, rate: int, many: int = 4_001) -> list[bytes]:
    """Return frames of noise with a speaker's level, each a bytes object of its own."""
    samples = np.random.default_rng(1).normal(0, 2_600, (many, rate // 50)).astype("<i2")
    encode: Callable[[bytes], bytes] = lambda data: (  # noqa: E731  # one of two, below
        audioop.lin2ulaw(data, 2) if encoding == "ulaw" else data
    )
    return [encode(row.tobytes()) for row in samples]
