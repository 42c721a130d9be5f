"""Samples as telephone frames hold them."""

from __future__ import annotations

import numpy as np

from ai_engine_quality.live.encodings import decode

ALL_CODES = bytes(range(256))
"""Of G.711."""


def pcm(samples):
    """Return samples as little-endian 16-bit bytes."""
    return np.asarray(samples).round().astype("<i2").tobytes()


def nearest(values, encoding):
    """Return samples of about these values, in an encoding."""
    if encoding == "slin16":
        return pcm(values)
    codes = np.abs(decode(ALL_CODES, encoding)[:, np.newaxis] - values).argmin(axis=0)
    return codes.astype(np.uint8).tobytes()
