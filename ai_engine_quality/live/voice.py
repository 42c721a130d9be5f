"""The pitch of a voice and where its first formant lies, from spectra that were taken anyway.

Both tell a wrong sample rate, which moves them by its own factor. The autocorrelation of a frame is
the transform of its power spectrum, of which the bins up to 1 kHz are enough. Divided by that of
the window, as P. Boersma does ("Accurate short-term analysis of the fundamental frequency and the
harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17, 1993), its peaks lie at the period
and at multiples of it. These spectra are of frames that were not padded, so a frame's end meets its
beginning: the window's autocorrelation counts both ways round.

The first formant of most vowels lies at 300 to 800 Hz, and the mean spectrum of speech has its peak
at about 500 Hz (D. Byrne and others, "An international comparison of long-term average speech
spectra", J. Acoust. Soc. Am. 96, 1994): the levels on either side of it are compared.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Spectra = npt.NDArray[np.float32]

PITCH_HZ = (100.0, 500.0)
"""Where the pitch is looked for; a frame of 20 ms holds two periods of the lowest."""

HARMONICS_HZ = (75.0, 1_000.0)
"""Bins that are used for it: over an offset and hum, and up to the second harmonic at least."""

PERIODS = 80
"""Periods that are tried, 2 % apart."""

PERIODIC = 0.6
"""Autocorrelation at the period from which on a frame is periodic: Boersma asks for 0.45 of longer
frames."""

SHORTEST = 0.85
"""The shortest period counts of those whose peak is so high beside the highest."""

LEAST_SECONDS = 0.015
"""Shorter frames don't tell the pitch."""

BELOW_HZ, FORMANT_HZ, OVER_HZ = (250.0, 400.0), (400.0, 600.0), (800.0, 1_000.0)

FLOOR = 0.01
"""Bins that are quieter than this share of the mean one count as that: 20 dB under it."""

_TO_DB = 10.0 / np.log(10.0)


class _Reading(NamedTuple):
    """How spectra of one format are read."""

    harmonics: slice
    autocorrelation: Spectra
    """A (bins, periods) array: what each bin adds to the autocorrelation at each period."""
    pitches: Spectra
    """Hz of each period that may have a peak: all but the first and the last."""
    bands: slice
    """Bins from the lowest to the highest band."""
    sides: Spectra
    """A (bins, 2) array: from logarithms of powers to the two differences of levels, dB."""
    whole: int
    """So many bins lie under 4 kHz."""


@lru_cache(maxsize=32)  # bounded: lengths come from outside
def _reading_of(samples: int, sample_rate: int) -> _Reading:
    hertz = np.fft.rfftfreq(samples, 1 / sample_rate)
    harmonics = bins(hertz, *HARMONICS_HZ)
    periods = np.geomspace(1 / PITCH_HZ[1], 1 / PITCH_HZ[0], PERIODS)
    window = np.abs(np.fft.rfft(np.hanning(samples), 2 * samples)) ** 2
    of_window = np.fft.irfft(window)[: samples + 1]
    lags = np.array((periods * sample_rate, samples - periods * sample_rate))
    expected = np.interp(lags, np.arange(samples + 1), of_window / of_window[0]).sum(axis=0)
    waves = np.cos(2 * np.pi * hertz[harmonics, None] * periods) / expected
    bands = bins(hertz, BELOW_HZ[0], OVER_HZ[1])
    below, formant, over = (_mean(hertz[bands], *band) for band in (BELOW_HZ, FORMANT_HZ, OVER_HZ))
    sides = _TO_DB * np.array((below - formant, formant - over)).T
    return _Reading(
        harmonics,
        waves.astype(np.float32),
        (1 / periods[1:-1]).astype(np.float32),
        bands,
        sides.astype(np.float32),
        int((hertz < 4_000.0).sum()),
    )


def bins(hertz: npt.NDArray[np.floating], low: float, high: float) -> slice:
    """Return which bins lie within a band, its limits included."""
    inside = np.flatnonzero((hertz >= low) & (hertz <= high))
    return slice(int(inside[0]), int(inside[-1]) + 1)


def _mean(hertz: npt.NDArray[np.floating], low: float, high: float) -> npt.NDArray[np.float64]:
    """Return what each bin weighs in the mean of those of a band."""
    inside = (hertz >= low) & (hertz <= high)
    return np.asarray(inside / inside.sum())


def voices(
    power: Spectra, samples: int, sample_rate: int
) -> tuple[list[float] | list[None], list[float], list[float]]:
    """Return the pitch of each frame, Hz, and how loud it is beside the first formant, dB.

    Args:
        power: A (frames, bins) array: power spectra under a Hann window.
        samples: How many a frame has.
        sample_rate: Hz.

    Returns:
        Pitches, 0 where a frame has none, all None where frames are too short for one; the mean
        level of the bins at 250 to 400 Hz less that of those at 400 to 600; and the latter less
        that of those at 800 to 1,000.
    """
    if samples < LEAST_SECONDS * sample_rate:
        nothing = [0.0] * len(power)
        return [None] * len(power), nothing, nothing
    how = _reading_of(samples, sample_rate)
    floor = FLOOR * power[:, : how.whole].mean(axis=-1, keepdims=True) + np.float32(1e-9)
    below, fall = (np.log(power[:, how.bands] + floor) @ how.sides).T.tolist()
    return _pitches(power[:, how.harmonics], how).tolist(), below, fall


def _pitches(harmonics: Spectra, how: _Reading) -> Spectra:
    whole = harmonics.sum(axis=-1, keepdims=True) + np.float32(1e-9)
    found = (harmonics @ how.autocorrelation) / whole
    inner = found[:, 1:-1]
    peaks = np.where((inner >= found[:, :-2]) & (inner >= found[:, 2:]), inner, np.float32(0))
    highest = peaks.max(axis=-1)
    shortest = (peaks >= SHORTEST * highest[:, None]).argmax(axis=-1)
    return np.where(highest >= PERIODIC, how.pitches[shortest], np.float32(0))
