"""Between AudioSocket's audio packets, of any rate and size, and the engine's linear 20 ms frames.

Rates that are whole multiples of the engine's 8 kHz are taken. The low-pass filter in between keeps
its state from packet to packet, so that no frame begins with a click; it delays by 2 ms.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ai_engine_lab.audiosocket.protocol import AUDIO_RATES, Kind, Packet
from ai_engine_lab.basics.audio_formats import FRAME_BYTES, LINEAR_RATE, samples_of

Signal = NDArray[np.float64]

SUPPORTED: Final = frozenset(kind for kind, rate in AUDIO_RATES.items() if rate % LINEAR_RATE == 0)
"""Kinds of audio that the engine takes."""

_REACH: Final = 16
"""Samples at 8 kHz that the filter looks to either side: 2 ms."""


class CallerAudio:
    """What the caller says: packets in, linear 20 ms frames out."""

    def __init__(self) -> None:
        self._kind = Kind.SLIN8
        self._waiting = bytearray()
        self._past = np.zeros(0)

    def frames(self, packet: Packet) -> list[bytes]:
        """The whole frames that are there with this packet."""
        if packet.kind is not self._kind:
            self._change(packet.kind)
        self._waiting += packet.payload
        size = FRAME_BYTES * _factor(self._kind)
        whole = len(self._waiting) // size * size
        linear = self._linear(bytes(self._waiting[:whole]))
        del self._waiting[:whole]
        return [linear[at : at + FRAME_BYTES] for at in range(0, len(linear), FRAME_BYTES)]

    def _change(self, kind: Kind) -> None:
        self._kind = kind
        self._waiting.clear()
        self._past = np.zeros(2 * _REACH * _factor(kind))

    def _linear(self, wire: bytes) -> bytes:
        factor = _factor(self._kind)
        if factor == 1 or not wire:
            return wire
        samples = np.concatenate([self._past, samples_of(wire).astype(np.float64)])
        self._past = samples[-self._past.size :]
        taps = _low_pass(factor)
        return _rounded(sliding_window_view(samples, taps.size)[::factor] @ taps)


class AgentAudio:
    """What the agent says: linear 20 ms frames in, packets out."""

    def __init__(self) -> None:
        self._past = np.zeros(2 * _REACH)

    def packet(self, frame: bytes, kind: Kind) -> Packet:
        """One frame as a packet of this kind."""
        samples = np.concatenate([self._past, samples_of(frame).astype(np.float64)])
        self._past = samples[-self._past.size :]
        factor = _factor(kind)
        if factor == 1:
            return Packet(kind, frame)
        windows = sliding_window_view(samples, 2 * _REACH + 1)
        return Packet(kind, _rounded((windows @ _phases(factor)).ravel()))


def _factor(kind: Kind) -> int:
    return AUDIO_RATES[kind] // LINEAR_RATE


def _rounded(samples: Signal) -> bytes:
    return bytes(np.clip(np.round(samples), -32_768, 32_767).astype("<i2"))


@functools.cache
def _low_pass(factor: int) -> Signal:
    """A windowed sinc that passes telephone speech (to 3.4 kHz) at `factor` times 8 kHz."""
    at = np.arange(-_REACH * factor, _REACH * factor + 1) / factor
    taps = np.sinc(at * 0.95) * np.kaiser(at.size, 6.0)
    return np.asarray(taps / taps.sum(), dtype=np.float64)


@functools.cache
def _phases(factor: int) -> Signal:
    """The filter's taps by output phase: a window of input times this gives `factor` samples."""
    taps = np.pad(_low_pass(factor), (0, factor))
    latest_last = np.arange(2 * _REACH, -1, -1)[:, None] * factor
    table = taps[latest_last + np.arange(factor)]
    return np.asarray(table / table.sum(axis=0), dtype=np.float64)
