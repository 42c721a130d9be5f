"""The engine's verdict on the audio formats of provider and transport."""

from __future__ import annotations

from typing import Any

from ai_engine_quality.adapters.ava.context import EngineContext


class FormatObserver:
    """Reports each comparison of formats."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    def formats_compared(
        self, _note: object, targets: object, session: Any, provider_name: object
    ) -> None:
        """Report the verdict that the engine has just written into the session."""
        call = self._context.call(session.call_id)
        aligned = getattr(session, "codec_alignment_ok", None)
        if call is not None and isinstance(aligned, bool):
            detail = "" if aligned else self._difference(call.call_id, targets, provider_name)
            call.handle.codec_alignment(aligned, detail)

    def _difference(self, call_id: str, targets: object, provider_name: object) -> str:
        """Return the formats that differ, as code words: ``mulaw@8000>slin@8000``."""
        own = self._context.provider(call_id)
        provider = own or self._context.providers().get(provider_name)
        config = getattr(provider, "config", None)
        encoding = getattr(config, "target_encoding", None)
        rate = getattr(config, "target_sample_rate_hz", None)
        if not (encoding and rate and isinstance(targets, tuple) and len(targets) >= 2):
            return "misaligned"
        return f"{encoding}@{rate}>{targets[0]}@{targets[1]}".lower()
