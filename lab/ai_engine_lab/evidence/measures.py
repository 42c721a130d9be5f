"""How much worse a sample sounds than its original: PESQ and ViSQOL, each by its own package."""

from __future__ import annotations

import functools
import logging
from typing import Any, Final, NamedTuple

import numpy as np
from pesq import PesqError, pesq
from scipy.signal import resample_poly
from visqol import VisqolApi

from ai_engine_lab.basics.audio_formats import LINEAR_RATE, Samples

VISQOL_RATE: Final = 16_000
"""ViSQOL's speech mode takes nothing else."""

_LEAD_IN: Final = np.zeros(LINEAR_RATE // 4, dtype=np.int16)
"""A quarter of a second of silence at both ends, which P.862's time alignment expects."""


class Opinion(NamedTuple):
    """Mean opinion scores that listeners would give, by two measures."""

    pesq: float
    """MOS-LQO by ITU-T P.862 narrow band and P.862.1, 1.0 to 4.55."""
    visqol: float
    """MOS-LQO by ViSQOL 3 in speech mode, 1 to 5."""


def compare(original: Samples, heard: Samples) -> Opinion:
    """Return how close 8 kHz linear audio is to its original."""
    clean, degraded = (np.concatenate([_LEAD_IN, x, _LEAD_IN]) for x in (original, heard))
    return Opinion(_pesq(clean, degraded), _visqol(clean, degraded))


def _pesq(clean: Samples, degraded: Samples) -> float:
    """Return PESQ's opinion; the lowest there is where it finds no speech at all."""
    value = pesq(LINEAR_RATE, clean, degraded, "nb", on_error=PesqError.RETURN_VALUES)
    return round(float(max(1.0, value)), 3)


def _visqol(clean: Samples, degraded: Samples) -> float:
    wide = (_upsampled(samples) for samples in (clean, degraded))
    return round(float(_api().measure_from_arrays(*wide, VISQOL_RATE).moslqo), 3)


def _upsampled(samples: Samples) -> Any:
    return resample_poly(samples.astype(np.float64) / 32_768, VISQOL_RATE // LINEAR_RATE, 1)


@functools.cache
def _api() -> Any:
    """Return ViSQOL with the lattice mapping, which Google's own program uses by default."""
    logging.getLogger("visqol").setLevel(logging.ERROR)  # it warns of every change of duration
    api = VisqolApi()
    api.create(mode="speech", use_lattice_model=True)
    return api
