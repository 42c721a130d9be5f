"""What is wrong with single frames, measured in numpy for many frames of one format at once."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ai_engine_quality.core.agent_sound import BAND_EDGES_HZ, FrameCheck
from ai_engine_quality.live.voice import bins, voices

Samples = npt.NDArray[np.float32]
Levels = npt.NDArray[np.floating]

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

NOISE_BANDS_HZ = tuple(pairwise(BAND_EDGES_HZ))
"""Each has valleys of its own: noise of less than the whole width leaves those elsewhere deep."""

NEAR_PEAK = 0.97
FLAT_SECONDS = 0.00025
"""A frame's top is flat where samples lie so near its peak for so long. Speech that isn't clipped
is there for 0.2 ms at most: a tone of 300 Hz stays so near its own peak for 0.26 ms."""

CLICK = 8.0
"""Corners that are so many times as sharp as the mean one are clicks; glottal pulses reach 6."""

CLICK_RATE = 16_000
"""Hz: what is sampled more finely is taken in means, so that it comes to this at most. Callers hear
nothing as fine, and the finer a voice's own pulses are sampled, the sharper they are:
clicks were seen in 5 % of the frames of a fitted voice at 48 kHz and in 8 % of another at 24, and
in 2 % and none at 16."""

WRAP = 32_768.0
CLIPPED = 0.03
"""No sample of speech lies so far from the next: an overflow has wrapped around, unless so large a
share of the samples is clipped."""

HISS = 0.3
"""A frame as flat is noise, in which nothing wraps around."""

STRAIGHT = 0.2
"""Corners come at each second, third or fourth sample, and what is left between them has less than
this share of their power: the samples lie on lines. Rounding by G.711 leaves 0.1, speech 0.3."""

STRAIGHT_RATE = 8_000
"""Hz: at higher rates straight lines are a usual way to come there, and aren't heard."""

JUMP = 3.0
NEARBY_SECONDS = 0.01
"""A step between two frames that is so many times as sharp as the corners in what follows at once
is a jump: where a sound bursts out, its corners are as sharp."""

EDGE_SAMPLES = 3
"""Samples at either end of a frame at which a corner is no click within it; and those before a
frame by which it is told whether its first one jumps."""

GAIN = 2.2
"""Factor (nearly 7 dB) up to which a step between frames may be a mere change of gain: engines that
level their speech frame by frame, by up to 6 dB, make many, which are heard far less than splices
and clicks. What such a factor leaves of a step must be a jump too."""

CLICK_SAMPLES = 6
CLICK_CORNERS = 0.8
"""No gain explains a step after which the line goes back within so many samples: by two corners,
each as sharp as this share of the step."""

LEAST_CORNER = 8.0
JUMP_CORNER_SHARE = 0.06
SEAM_CORNER_SHARE = 0.02
"""Corners within count as this sharp at least, and as this share of the level: quiet samples are
coarse, and a frame without any corner is a test signal."""


TONE_BINS = 2
TONE_SHARE = 0.999
"""A frame with so much of its power, but for an offset, in so few bins holds periods of a tone
or two. It was not sent twice where it comes again: a beep of 1 kHz does, each 20 ms, wherever in
its period it began. Rounding by G.711 takes 0.0002 of it; no repeated frame of the evidence's
voices is as pure."""


TONES_BINS = 12
TONES_SHARE = 0.999
"""A frame with so much of its power in so few bins, under a Hann window, holds up to three tones: a
ringing or busy tone comes again in 0.05 or 0.1 s, sample for sample. Of loud frames of speech a
tenth is as pure."""


class _Band(NamedTuple):
    """A part of a spectrum, whose valley is found as the whole one's is."""

    bins: slice
    valley: int
    scale: float


class _Spectrum(NamedTuple):
    """How the bins of a frame's spectrum are read."""

    window: Samples
    speech: slice
    parts: Samples
    """What each bin adds to ``low``, ``power``, ``octaves``, ``above`` and ``upper``."""
    valley: int
    """So many of the speech's bins are quieter than the valley."""
    valley_scale: float
    """From that bin's power to that of a whole spectrum as quiet."""
    bands: tuple[_Band, ...]
    """The parts of it that have valleys of their own."""


@lru_cache(maxsize=32)  # bounded: lengths come from outside
def _spectrum_of(samples: int, sample_rate: int) -> _Spectrum:
    hertz = np.fft.rfftfreq(samples, 1 / sample_rate)
    window = np.hanning(samples).astype(np.float32)
    scale = 2.0 / (samples * float((window**2).sum()))  # to the mean square of 16-bit samples

    def within(low: float, high: float) -> npt.NDArray[np.bool_]:
        return np.asarray((hertz >= low) & (hertz <= high))

    speech, whole = bins(hertz, *SPEECH_BAND_HZ), within(*WHOLE_HZ)
    size = speech.stop - speech.start
    octaves = whole * np.log2(np.maximum(hertz, 1.0))
    parts = (within(*LOW_HZ), whole, octaves, within(NARROW_HZ, sample_rate), within(*UPPER_HZ))
    return _Spectrum(
        window,
        speech,
        (scale * np.array(parts)).T.astype(np.float32),
        int(VALLEY_SHARE * size),
        scale * size,
        tuple(_band(bins(hertz, *edges), scale) for edges in NOISE_BANDS_HZ),
    )


def _band(inside: slice, scale: float) -> _Band:
    size = inside.stop - inside.start
    return _Band(inside, int(VALLEY_SHARE * size), scale * size)


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


def noise(samples: Samples, sample_rate: int) -> list[tuple[float, float, float]]:
    """Return the flatness, the share at full scale and the mean of each row, as ``check`` does."""
    return list(
        zip(
            flatness(samples, sample_rate).tolist(),
            _clipped(samples).tolist(),
            samples.mean(axis=-1).tolist(),
            strict=True,
        )
    )


def _clipped(samples: Samples) -> npt.NDArray[np.float64]:
    return np.asarray((np.abs(samples) >= CLIPPED_AT).mean(axis=-1))


def _flat(samples: Samples, sample_rate: int) -> npt.NDArray[np.float64]:
    """Return the share of each row's samples with which a flat top under full scale begins.

    An offset is no top; where it is larger than the wave upon it, nothing is told.
    """
    offset = samples.mean(axis=-1, keepdims=True)
    size = np.abs(samples - offset)
    peak = size.max(axis=-1, keepdims=True)
    under = (peak > np.abs(offset)) & (peak + np.abs(offset) < CLIPPED_AT)
    near = (size >= NEAR_PEAK * peak) & under
    longer = round(FLAT_SECONDS * sample_rate)
    flat = near[:, longer:].copy()
    for earlier in range(longer):
        flat &= near[:, earlier : earlier - longer]
    return np.asarray(flat.mean(axis=-1))


def check(samples: Samples, sample_rate: int) -> list[FrameCheck]:
    """Return what is wrong with each row of a (frames, samples) array.

    Args:
        samples: 16-bit values, one row for each frame.
        sample_rate: Hz.
    """
    how = _spectrum_of(samples.shape[-1], sample_rate)
    power = power_of(samples, sample_rate)
    speech = power[:, how.speech]
    quietest = np.partition(speech, how.valley, axis=-1)[:, how.valley]
    valleys = [
        band.scale * np.partition(power[:, band.bins], band.valley, axis=-1)[:, band.valley]
        for band in how.bands
    ]
    steps = np.diff(samples, axis=-1)
    corners = np.diff(steps, axis=-1)
    flat = _flatness(speech)
    clipped = _clipped(samples)
    wraps = (np.abs(steps).max(axis=-1) > WRAP) & (clipped < CLIPPED)
    held = _held(steps, corners, sample_rate)
    clicks = _clicks(_coarse_corners(samples, corners, sample_rate))
    columns = (
        flat.tolist(),
        clipped.tolist(),
        samples.mean(axis=-1).tolist(),
        (quietest * how.valley_scale).tolist(),
        held.tolist(),
        ((1 - held) * sample_rate).tolist(),
        ((wraps & (flat < HISS)) | clicks).tolist(),
        *(power @ how.parts).T.tolist(),
        *voices(power, samples.shape[-1], sample_rate),
        np.stack(valleys, axis=-1).tolist(),
        _flat(samples, sample_rate).tolist(),
    )
    return [FrameCheck(*row) for row in zip(*columns, strict=True)]


def _held(steps: Samples, corners: Samples, sample_rate: int) -> Samples:
    """Return the share of samples that equal the one before, or lie on a line between others."""
    held: Samples = (steps == 0) @ np.ones(steps.shape[-1], np.float32) / steps.shape[-1]
    return held if sample_rate > STRAIGHT_RATE else np.maximum(held, _straight(corners))


def _straight(corners: Samples) -> Samples:
    """Return the share of each row's samples that lie on lines between the others.

    Lines between each second, third or fourth sample have their corners there, and none between.
    """
    power = (corners * corners) @ _by_place(corners.shape[-1])
    found = np.zeros(len(corners), dtype=np.float32)
    for every, first in ((2, 0), (3, 2), (4, 5)):
        parts = np.sort(power[:, first : first + every], axis=-1)
        found[parts[:, -2] < STRAIGHT * parts[:, -1]] = 1 - 1 / every
    return found


@lru_cache(maxsize=32)
def _by_place(length: int) -> Samples:
    """Return which of so many values lie at each place of two, of three and of four."""
    number = np.arange(length)
    places = [number % every == place for every in (2, 3, 4) for place in range(every)]
    return np.array(places, dtype=np.float32).T


def _coarse_corners(samples: Samples, corners: Samples, sample_rate: int) -> Samples:
    """Return corners that are no finer than clicks are looked for."""
    every = -(-sample_rate // CLICK_RATE)
    if every < 2:
        return corners
    whole = samples[:, : samples.shape[-1] // every * every]
    return np.diff(whole.reshape(len(samples), -1, every).mean(axis=-1), n=2, axis=-1)


def _clicks(corners: Samples) -> npt.NDArray[np.bool_]:
    """Return whether there is a click within each frame, not counting those at its edges."""
    within = np.abs(corners[:, EDGE_SAMPLES:-EDGE_SAMPLES]).max(axis=-1)
    sharp = np.sqrt(np.vecdot(corners, corners) / corners.shape[-1])
    return np.asarray(within > CLICK * np.maximum(sharp, 1.0))


def jumps(
    samples: Samples, sample_rate: int, level: Levels, rows: npt.NDArray[np.intp], ends: Samples
) -> list[int]:
    """Return into which of the rows of a (frames, samples) array the step is a jump, by number.

    Args:
        samples: 16-bit values, one row for each frame.
        sample_rate: Hz.
        level: The RMS of each row.
        rows: Which rows are asked for.
        ends: The samples before each of those, as a (rows, ``EDGE_SAMPLES``) array.
    """
    step = _step(samples[rows, :2], ends)
    least = _least_corner(level[rows], JUMP_CORNER_SHARE)
    near = np.flatnonzero(step.size > JUMP * least)  # few: only their corners are looked at
    nearby = int(sample_rate * NEARBY_SECONDS)
    within = np.maximum(_sharp(samples[rows[near], :nearby]), least[near])
    high = step.size[near] > JUMP * within
    return [
        place
        for place, corner in zip(near[high].tolist(), within[high].tolist(), strict=True)
        if _without_gain(*(float(part[place]) for part in step[1:])) > JUMP * corner
        or _begins_with_click(samples[rows[place]], float(step.size[place]))
    ]


class _Step(NamedTuple):
    """Steps from one frame to the next."""

    size: Samples
    """The smaller of two corners: where the last frame's line would have gone on to, and where the
    new frame's line comes from. Speech goes on from one side at least."""
    last: Samples
    """The last sample before."""
    due: Samples
    """What would have come next."""
    first: Samples
    """What came."""
    source: Samples
    """What would have come before it."""


def _step(samples: Samples, ends: Samples) -> _Step:
    """Return the steps from ends into rows of samples."""
    last, first = ends[:, -1], samples[:, 0]
    due, source = 2 * last - ends[:, -2], 2 * first - samples[:, 1]
    size = np.minimum(np.abs(first - due), np.abs(last - source))
    return _Step(size, last, due, first, source)


def _least_corner(level: Levels, share: float) -> Levels:
    return np.asarray(np.maximum(LEAST_CORNER, share * level))


def _sharp(samples: Samples) -> Samples:
    """Return how sharp the corners within each row are in the mean: its root of squares."""
    corners = np.diff(samples, n=2, axis=-1)
    return np.asarray(np.sqrt(np.vecdot(corners, corners) / corners.shape[-1]))


def _without_gain(last: float, due: float, first: float, source: float) -> float:
    """Return what is left of a step once the factor that explains most of it is taken out."""
    factor = (first * due + source * last) / max(due * due + last * last, 1.0)
    factor = min(max(factor, 1 / GAIN), GAIN)
    left = max(abs(first - factor * due), abs(source - factor * last))
    return left / max(factor, 1.0)


def _begins_with_click(frame: Samples, step: float) -> bool:
    """Return whether a frame's first samples lie beside its line, and not only after a gain.

    Two successive corners are then as sharp as the step to the frame, there and back again.
    """
    corners = np.diff(frame[:CLICK_SAMPLES], n=2).tolist()
    return any(
        one * next_one < 0.0 and min(abs(one), abs(next_one)) >= CLICK_CORNERS * step
        for one, next_one in pairwise(corners)
    )


def seam(samples: Samples) -> float:
    """Return how sharp the step is from a frame's end to its own beginning; 0 for a tone."""
    power = np.abs(np.fft.rfft(samples))[1:] ** 2
    if np.sort(power)[-TONE_BINS:].sum() >= TONE_SHARE * power.sum():
        return 0.0
    row = samples.reshape(1, -1)
    step = _step(row, row[:, -EDGE_SAMPLES:])
    least = _least_corner(np.sqrt(np.vecdot(row, row) / row.shape[-1]), SEAM_CORNER_SHARE)
    return float((step.size / np.maximum(_sharp(row), least))[0])


def is_tones(samples: Samples, sample_rate: int) -> bool:
    """Return whether a frame holds but a few tones: it wasn't sent twice where it comes again."""
    power = np.sort(power_of(samples, sample_rate))
    return bool(power[-TONES_BINS:].sum() >= TONES_SHARE * power.sum())
