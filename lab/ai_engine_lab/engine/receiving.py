"""One utterance of the provider's as the engine receives it: read, checked, measured."""

from __future__ import annotations

from typing import Final

from ai_engine_lab.basics.audio_formats import decode, in_wrong_order, swapped
from ai_engine_lab.engine.events import AudioHeard, BurstArrived, ByteOrderCorrected, Observer
from ai_engine_lab.engine.provider import Provider

_LEAST_SECONDS: Final = 0.05
"""Before that a rate would be the quotient of two accidents."""


class Reception:
    """Takes the bursts of one utterance."""

    def __init__(self, provider: Provider, emit: Observer) -> None:
        self._provider = provider
        self._emit = emit
        self._reversed: bool | None = None
        self._began: float | None = None
        self._bytes = 0

    @property
    def begun(self) -> bool:
        """Whether any audio has come."""
        return self._began is not None

    def take(self, burst: bytes, now: float) -> bytes:
        """Read a burst that arrived at `now` (loop seconds) as the engine believes it to be."""
        believed = self._provider.believed
        read = self._in_order(burst)
        for at in range(0, len(read), believed.frame_bytes):
            self._emit(AudioHeard("provider_out", read[at : at + believed.frame_bytes], believed))
        linear = decode(read, believed)
        self._measure(burst, len(linear), now)
        return linear

    def _in_order(self, burst: bytes) -> bytes:
        """The burst, its bytes in order: the first one with sound in it tells for all."""
        if self._provider.believed.sample_bytes != 2:
            return burst
        if self._reversed is None and any(burst):
            self._reversed = in_wrong_order(burst)
            if self._reversed:
                self._emit(ByteOrderCorrected("auto"))
        return swapped(burst) if self._reversed else burst

    def _measure(self, burst: bytes, queued: int, now: float) -> None:
        """Measure the rate as bytes over time, as the real engine does: bursts come faster."""
        began = self._began = now if self._began is None else self._began
        self._bytes += len(burst)
        passed = now - began
        samples = self._bytes / self._provider.believed.sample_bytes
        rate = samples / passed if passed >= _LEAST_SECONDS else None
        self._emit(BurstArrived(len(burst), queued, rate))
