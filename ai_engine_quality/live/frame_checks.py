"""What is wrong with single frames, measured in numpy for many frames of one format at once."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ai_engine_quality.core.agent_sound import FrameCheck

Samples = npt.NDArray[np.float32]

MIN_SPECTRUM_SECONDS = 0.01
"""Shorter frames have too few bins between 200 and 3,800 Hz for a flatness."""

SPEECH_BAND_HZ = (200.0, 3_800.0)
LOW_HZ = (125.0, 375.0)
WHOLE_HZ = (125.0, 4_000.0)
NARROW_HZ = 3_400.0
UPPER_HZ = (2_300.0, 4_000.0)

CLIPPED_AT = 32_100.0
"""Full scale: u-law's largest value is 32,124, A-law's 32,256, linear's 32,767."""

VALLEY_SHARE = 0.15
"""The quietest bins, whose power says how deep a spectrum's valleys are."""

CLICK = 8.0
"""Corners that are so many times as sharp as the mean one are clicks; glottal pulses reach 6."""

WRAP = 32_768.0
CLIPPED = 0.03
"""No sample of speech lies so far from the next: an overflow has wrapped around, unless so large a
share of the samples is clipped."""

HISS = 0.3
"""A frame as flat is noise, in which nothing wraps around."""

STRAIGHT = 1.0
"""Corners no sharper than this come from rounding: the samples lie on a line."""

STRAIGHT_RMS = 1_000.0
"""Only in frames so loud: the lines of quiet speech are short."""

STRAIGHT_RATE = 8_000
"""Hz: at higher rates straight lines are a usual way to come there, and aren't heard."""

EDGE_SAMPLES = 3
"""Samples before a frame that are needed to tell whether its first one jumps."""

GAIN = 2.0
"""Factor (6 dB) up to which a step between frames may be a mere change of gain: engines that level
their speech frame by frame make many, which are heard far less than splices and clicks."""

GAIN_CORNER = 1.5
"""A change of gain leaves no more than this of the step, against the corners within."""

_LEAST_CORNER = 8.0
_LEAST_CORNER_SHARE = 0.02
"""Corners within count as this sharp at least, and as this share of the level: quiet samples are
coarse, and a frame without any corner is a test signal."""


class _Spectrum(NamedTuple):
    """How the bins of a frame's spectrum are read."""

    window: Samples
    speech: slice
    whole: slice
    low: slice
    """Within ``whole``."""
    narrow: slice
    """Over 3,400 Hz, up to the end."""
    upper: slice
    octaves: Samples
    """Base-2 logarithm of the frequency of each bin of ``whole``."""
    scale: float
    """From the sum of one side's bins to the mean square of 16-bit samples."""
    valley: int


@lru_cache(maxsize=32)  # bounded: lengths come from outside
def _spectrum_of(samples: int, sample_rate: int) -> _Spectrum:
    frequencies = np.fft.rfftfreq(samples, 1 / sample_rate)
    window = np.hanning(samples).astype(np.float32)

    def bins(low: float, high: float) -> slice:
        first = np.searchsorted(frequencies, low, side="left")
        last = np.searchsorted(frequencies, high, side="right")
        return slice(int(first), int(last))

    speech, whole, low = bins(*SPEECH_BAND_HZ), bins(*WHOLE_HZ), bins(*LOW_HZ)
    return _Spectrum(
        window,
        speech,
        whole,
        slice(low.start - whole.start, low.stop - whole.start),
        bins(NARROW_HZ, sample_rate),
        bins(*UPPER_HZ),
        np.log2(frequencies[whole]).astype(np.float32),
        2.0 / (samples * float((window**2).sum())),
        int(VALLEY_SHARE * (speech.stop - speech.start)),
    )


def power_of(samples: Samples, sample_rate: int) -> Samples:
    """Return the power spectrum of each row of a (frames, samples) array: Hann window."""
    spectrum = np.fft.rfft(samples * _spectrum_of(samples.shape[-1], sample_rate).window, axis=-1)
    return np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float32)


def flatness(samples: Samples, sample_rate: int) -> npt.NDArray[np.float64]:
    """Return the spectral flatness, 0 to 1, of each row of a (frames, samples) array.

    Geometric over arithmetic mean of the power spectrum: Hann window, bins of 200 to 3,800 Hz.
    """
    return _flatness(
        power_of(samples, sample_rate)[:, _spectrum_of(samples.shape[-1], sample_rate).speech]
    )


def _flatness(power: Samples) -> npt.NDArray[np.float64]:
    sure = power + np.float32(1e-9)
    found = np.exp(np.log(sure).mean(axis=-1)) / sure.mean(axis=-1)
    return np.asarray(found, dtype=np.float64)


def check(
    samples: Samples, sample_rate: int, before: list[tuple[float, ...] | None]
) -> list[FrameCheck]:
    """Return what is wrong with each row of a (frames, samples) array.

    Args:
        samples: 16-bit values, one row for each frame.
        sample_rate: Hz.
        before: The last three samples before each row; None where they are not known.
    """
    how = _spectrum_of(samples.shape[-1], sample_rate)
    power = power_of(samples, sample_rate)
    speech = power[:, how.speech]
    quietest = np.partition(speech, how.valley, axis=-1)[:, how.valley]
    bins = how.speech.stop - how.speech.start
    whole = power[:, how.whole]
    steps = np.diff(samples, axis=-1)
    corners = np.diff(steps, axis=-1)
    sharp = np.sqrt(np.vecdot(corners, corners) / corners.shape[-1])
    flat = _flatness(speech)
    clipped = (np.abs(samples) >= CLIPPED_AT).mean(axis=-1)
    wraps = (np.abs(steps).max(axis=-1) > WRAP) & (clipped < CLIPPED)
    columns = (
        flat.tolist(),
        clipped.tolist(),
        samples.mean(axis=-1).tolist(),
        (quietest * (how.scale * bins)).tolist(),
        _held(samples, steps, corners, sample_rate).tolist(),
        ((wraps & (flat < HISS)) | _clicks(corners, sharp)).tolist(),
        _edges(samples, sharp, before),
        (whole[:, how.low].sum(axis=-1) * how.scale).tolist(),
        (whole.sum(axis=-1) * how.scale).tolist(),
        (whole @ how.octaves * how.scale).tolist(),
        (power[:, how.narrow].sum(axis=-1) * how.scale).tolist(),
        (power[:, how.upper].sum(axis=-1) * how.scale).tolist(),
    )
    return [FrameCheck(*row) for row in zip(*columns, strict=True)]


def _held(samples: Samples, steps: Samples, corners: Samples, sample_rate: int) -> Samples:
    """Return the share of samples that equal the one before, or lie on a line between others."""
    held: Samples = (steps == 0).mean(axis=-1)
    if sample_rate > STRAIGHT_RATE:
        return held
    loud = np.vecdot(samples, samples) >= samples.shape[-1] * STRAIGHT_RMS**2
    straight = (np.abs(corners) <= STRAIGHT).mean(axis=-1)
    return np.where(loud, np.maximum(held, straight), held)


def _clicks(corners: Samples, sharp: Samples) -> npt.NDArray[np.bool_]:
    """Return whether there is a click within each frame, not counting those at its edges."""
    within = np.abs(corners[:, EDGE_SAMPLES:-EDGE_SAMPLES]).max(axis=-1)
    return np.asarray(within > CLICK * np.maximum(sharp, 1.0))


def _edges(
    samples: Samples,
    sharp: Samples,
    before: list[tuple[float, ...] | None],
    *,
    levelled: bool = True,
) -> list[float | None]:
    """Return how sharp the step into each row is, against the corners within it.

    The smaller of two corners counts: where the last frame's line would have gone on to, and where
    the new frame's line comes from. Speech goes on from one side at least. Where both lines go on
    after a change of gain, there is no step.
    """
    known = [(0.0,) * EDGE_SAMPLES if tail is None else tail for tail in before]
    tails = np.array(known, dtype=np.float32)
    last, first = tails[:, 2], samples[:, 0]
    due, source = 2 * last - tails[:, 1], 2 * first - samples[:, 1]
    level = np.sqrt(np.vecdot(samples, samples) / samples.shape[-1])
    least = np.maximum(_LEAST_CORNER, _LEAST_CORNER_SHARE * level)
    within = np.maximum(sharp, least)
    found = np.minimum(np.abs(first - due), np.abs(last - source)) / within
    if levelled:
        found[_without_gain(last, due, first, source) <= GAIN_CORNER * within] = 0.0
    return [
        None if tail is None else value for tail, value in zip(before, found.tolist(), strict=True)
    ]


def _without_gain(last: Samples, due: Samples, first: Samples, source: Samples) -> Samples:
    """Return what is left of each step once the factor that explains most of it is taken out.

    Args:
        last: The last sample before each row.
        due: What would have come next.
        first: What came.
        source: What would have come before it.
    """
    factor = (first * due + source * last) / np.maximum(due * due + last * last, 1.0)
    factor = np.clip(factor, 1 / GAIN, GAIN)
    left = np.maximum(np.abs(first - factor * due), np.abs(source - factor * last))
    return np.asarray(left / np.maximum(factor, 1.0), dtype=np.float32)


def seam(samples: Samples) -> float:
    """Return how sharp the step is from a frame's end to its own beginning, as ``edge`` is."""
    row = samples.reshape(1, -1)
    corners = np.diff(row, n=2, axis=-1)
    sharp = np.sqrt(np.vecdot(corners, corners) / corners.shape[-1])
    end = tuple(row[0, -EDGE_SAMPLES:].tolist())
    return _edges(row, sharp, [end], levelled=False)[0] or 0.0
