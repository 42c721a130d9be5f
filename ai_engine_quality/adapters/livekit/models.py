"""Which models a session speaks with, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STAGES = ("stt", "llm", "tts")

_PLUGINS = "livekit.plugins."
_SUFFIXES = ("STT", "LLM", "TTS", "RealtimeModel")


def provider(model: object) -> str | None:
    """Return whose a model is: the plugin's name, else what it says itself, else its class's."""
    if model is None:
        return None
    of = type(model)
    if of.__module__.startswith(_PLUGINS):
        name = of.__module__[len(_PLUGINS) :].split(".")[0]
        return f"{name}_realtime" if "realtime" in of.__module__ else name
    told = _text(model, "provider")
    if told is not None:
        return told
    name = of.__name__
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name or of.__name__


def _text(model: object, name: str) -> str | None:
    try:
        told: Any = getattr(model, name, None)
    except Exception:  # a property of somebody's own
        return None
    return told if isinstance(told, str) and told and told != "unknown" else None


def names(providers: Mapping[str, str | None]) -> tuple[str | None, str | None]:
    """Return (provider, pipeline) of a call: who thinks, and all whose models take part."""
    known = [providers[stage] for stage in STAGES if providers.get(stage)]
    thinks = providers.get("llm") or (known[0] if known else None)
    if known == [providers.get("llm")]:
        return thinks, "speech_to_speech"
    return thinks, "_".join(name for name in known if name) or None
