"""What kind of engine this is: its modules, its version, its transport, what its sessions keep."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

from ai_engine_quality.adapters.watched import WatchedEngine

ENGINE = WatchedEngine(
    adapter="ai_engine_quality.adapters.ava",
    module="src.engine",
    name="Engine",
    parts=("session_store", "conversation_coordinator", "streaming_playback_manager"),
)
"""How ``run`` finds it."""

VERSION_VARIABLE = "AI_ENGINE_VERSION"
"""Names the engine's version where it can't be read: its container holds no changelog."""

_VERSION = re.compile(r"^## \[v?(\d+\.\d+[^\]]*)\]")
_COMMIT = re.compile(r"[0-9a-f]{40}")
CHANGELOG_LINES = 2_000


def modules(engine: Any) -> Iterator[ModuleType]:
    """Yield the modules that define the engine's class and its bases, the nearest first."""
    for cls in type(engine).__mro__:
        module = sys.modules.get(cls.__module__)
        if module is not None and cls is not object:
            yield module


def module_attribute(engine: Any, name: str) -> Any:
    """Return a global of the engine's module, or None."""
    for module in modules(engine):
        if (found := getattr(module, name, None)) is not None:
            return found
    return None


def session_has(engine: Any, attribute: str) -> bool | None:
    """Return whether the engine's sessions have a field; None where their class isn't known."""
    session = module_attribute(engine, "CallSession")
    fields = getattr(session, "__dataclass_fields__", None)
    return None if fields is None else attribute in fields


def fillers_are_counted(engine: Any) -> bool:
    """Return whether the engine plays, and counts, a filler where an answer's audio is missing.

    Today's engine waits ``provider_grace_ms`` for it first, and plays none when the last frame is
    ``max_filler_idle_ms`` ago: with a grace of 500 ms, as its examples have it, and 400 ms, it
    plays none ever. That of October 2025 waited 60 ms at most. Over a WebSocket nothing plays any.
    """
    if audio_transport(engine) == "websocket":
        return False
    manager = getattr(engine, "streaming_playback_manager", None)
    idle = getattr(manager, "max_filler_idle_ms", None)
    grace = getattr(manager, "provider_grace_ms", None)
    if not isinstance(idle, (int, float)) or not isinstance(grace, (int, float)):
        return True
    return grace < idle


def plays_files(engine: Any) -> bool:
    """Return whether the engine plays answers from files, so that no frame of them passes it.

    That of October 2025 has the setting too, and streams whatever it says.
    """
    mode = getattr(getattr(engine, "config", None), "downstream_mode", None)
    return mode == "file" and session_has(engine, "turn_latencies_ms") is not False


def audio_transport(engine: Any) -> str:
    """Return ``audiosocket``, ``websocket``, or ``rtp``: ``externalmedia`` to the engine."""
    transport = str(getattr(getattr(engine, "config", None), "audio_transport", None) or "unknown")
    return {"externalmedia": "rtp"}.get(transport.lower(), transport.lower())


def version(engine: Any) -> str:
    """Return the engine's version: the variable, the changelog, or the commit; else ``unknown``."""
    if named := os.environ.get(VERSION_VARIABLE, "").strip():
        return named
    for root in _roots(engine):
        try:
            if found := _released(root / "CHANGELOG.md") or _commit(root / ".git"):
                return found
        except (OSError, UnicodeDecodeError):
            continue
    return "unknown"


def _roots(engine: Any) -> Iterator[Path]:
    """Yield the folder that holds the engine's package."""
    for module in modules(engine):
        if file := getattr(module, "__file__", None):
            yield Path(file).resolve().parent.parent


def _released(changelog: Path) -> str | None:
    """Return the latest released version that a changelog names."""
    if not changelog.is_file():
        return None
    with changelog.open(encoding="utf-8") as lines:
        for line in islice(lines, CHANGELOG_LINES):
            if match := _VERSION.match(line):
                return match[1]
    return None


def _commit(git: Path) -> str | None:
    """Return the short name of the commit that is checked out."""
    if not (head := git / "HEAD").is_file():
        return None
    name = head.read_text(encoding="utf-8").strip()
    if name.startswith("ref: "):
        reference = git / name.removeprefix("ref: ")
        name = reference.read_text(encoding="utf-8").strip() if reference.is_file() else ""
    return name[:8] if _COMMIT.fullmatch(name) else None
