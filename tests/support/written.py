"""The library logs in the background: what these tests look at has been written by then."""

from __future__ import annotations

from structlog.testing import CapturedCall, CapturingLogger

from ai_engine_quality.live import stopping
from ai_engine_quality.live.background import BackgroundWriter


def everything_written() -> None:
    """Wait until every background writer of this process has done what it was given."""
    for writer in tuple(stopping._writers):
        if isinstance(writer, BackgroundWriter):
            assert writer.flush(60)


class PatientLogger(CapturingLogger):
    """Remembers, in ``calls``, what it was told; to look at it waits for what is on its way."""

    def __init__(self) -> None:
        self.told: list[CapturedCall] = []

    @property
    def calls(self) -> list[CapturedCall]:
        """Return what was logged."""
        everything_written()
        return self.told

    def __getattr__(self, name: str):
        """Return a method that remembers what it is told."""
        return lambda *args, **kw: self.told.append(CapturedCall(name, args, kw))
