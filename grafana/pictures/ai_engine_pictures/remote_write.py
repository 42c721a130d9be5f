"""Prometheus' remote-write request: the protobuf message `WriteRequest`, in snappy's block format.

The message has four fields of three kinds, so it is written here by hand rather than by code that
protoc generates. https://prometheus.io/docs/specs/prw/remote_write_spec/
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import cramjam

Labels = tuple[tuple[str, str], ...]

_BYTES: Final = 2
"""Wire type: a length, then so many bytes."""
_LAST_SEVEN: Final = 0x7F


def write_request(series: Iterable[tuple[Labels, list[tuple[float, float]]]]) -> bytes:
    """Return the body of a request that stores samples (unix seconds, value) of series."""
    message = b"".join(_field(1, _time_series(labels, samples)) for labels, samples in series)
    return bytes(cramjam.snappy.compress_raw(message))


def _time_series(labels: Labels, samples: list[tuple[float, float]]) -> bytes:
    named = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in labels
    )
    return named + b"".join(_field(2, _sample(at, value)) for at, value in samples)


def _sample(at: float, value: float) -> bytes:
    return b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(round(at * 1_000))


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | _BYTES]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > _LAST_SEVEN:
        out.append(number & _LAST_SEVEN | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
