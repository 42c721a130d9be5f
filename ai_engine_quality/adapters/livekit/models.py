"""Which models a session speaks with, and whose they are."""

from __future__ import annotations

from typing import Any

from ai_engine_quality.adapters.one_call import own_name

_PLUGINS = "livekit.plugins."


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
    return own_name(of, "STT", "LLM", "TTS", "RealtimeModel")


def _text(model: object, name: str) -> str | None:
    try:
        told: Any = getattr(model, name, None)
    except Exception:  # a property of somebody's own
        return None
    return told if isinstance(told, str) and told and told != "unknown" else None
