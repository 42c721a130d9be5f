"""What calls of every framework have in common: a start, two tracks, an end, and who serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ai_engine_quality.adapters.pcm import Track
from ai_engine_quality.live.handle import CallHandle
from ai_engine_quality.monitor import QualityMonitor

STAGES = ("stt", "llm", "tts")
"""Whose services and models are named."""


class OneCall:
    """Tells one call's handle what a framework did. An adapter's call derives from it.

    Args:
        monitor: Whom to report to.
        call_id: The call's id.
        providers: Returns whose services take part, by stage of a turn: some are known late.
    """

    def __init__(
        self,
        monitor: QualityMonitor,
        call_id: str,
        providers: Callable[[], Mapping[str, str | None]],
    ) -> None:
        self._monitor = monitor
        self._providers = providers
        self.call_id = call_id
        self.clock: Callable[[], float] = monitor.frames.clock
        self._handle: CallHandle | None = None
        self._caller: Track | None = None
        self._agent: Track | None = None
        self._ended = False

    def begin(self) -> CallHandle | None:
        """Start the call, if nobody has: somebody is there."""
        if self._handle is None and not self._ended:
            self._monitor.call_started(self.call_id, *names(self._providers()))
            self._handle = handle = self._monitor.call(self.call_id)
            self._caller = Track(handle, "transport_in")
            self._agent = Track(handle, "transport_out")
        return self._handle

    def _tell_stage(self, stage: str, seconds: float, at: float | None = None) -> None:
        if self._handle is not None:
            self._handle.turn_stage(stage, seconds, self._providers().get(stage), at=at)

    def _end(self, outcome: str, *, failed: bool) -> None:
        """End the call, once: every end comes by here, and some come twice."""
        handle, self._handle, self._ended = self._handle, None, True
        if handle is not None:
            provider, pipeline = names(self._providers())
            handle.call_ended(provider=provider, pipeline=pipeline, outcome=outcome, failed=failed)


def names(providers: Mapping[str, str | None]) -> tuple[str | None, str | None]:
    """Return (provider, pipeline) of a call: who thinks, and all whose services take part."""
    known = [name for stage in STAGES if (name := providers.get(stage))]
    thinks = providers.get("llm") or (known[0] if known else None)
    if len(known) == 1 and providers.get("llm"):
        return thinks, "speech_to_speech"
    return thinks, "_".join(known) or None


def own_name(of: type, *suffixes: str) -> str:
    """Return whose a class is that is somebody's own: ``AcmeTTSService`` is ``Acme``'s."""
    name = of.__name__
    for suffix in suffixes:
        name = name.removesuffix(suffix)
    return name or of.__name__
