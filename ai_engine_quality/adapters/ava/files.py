"""Files that Asterisk plays to the caller, beside the engine's streams.

Every one of them is an ARI command of the engine's, in either generation: answers and greetings as
files (``downstream_mode``, pipelines, after a fallback), farewells, prompts for a caller who is
silent. What the caller hears while nobody speaks isn't the agent: music on hold is another command,
tones are no files, and the rest is told apart below.
"""

from __future__ import annotations

import re
from typing import Any

from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.ava.context import EngineContext

_PLAY = re.compile(r"(channels|bridges)/([^/]+)/play")

SILENT_MEDIA = ("tone:", "sound:silence")
"""Tones, and the silence by which the engine makes Asterisk's RTP flow."""

CONNECTION_AUDIO = "connection-audio-"
"""How ids of what the caller hears until the agent is ready begin."""


class FileObserver:
    """Reports each file that is played to a caller in the agent's place."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    def commanded(
        self, _note: object, answer: object, method: str, resource: str, data: Any, params: Any
    ) -> None:
        """Take a command that Asterisk has answered; nearly all are about something else."""
        found = _PLAY.fullmatch(resource) if method == "POST" else None
        if found is None or not (isinstance(answer, dict) and answer.get("id")):
            return
        given = {**(params or {}), **(data or {})}
        if str(given.get("media", "")).startswith(SILENT_MEDIA):
            return
        if str(given.get("playbackId", "")).startswith(CONNECTION_AUDIO):
            return
        call = self._call_of(*found.groups())
        if call is not None and call.transferred_at is None and self._has_somebody(call):
            call.handle.file_played()

    def _call_of(self, kind: str, asterisk_id: str) -> ObservedCall | None:
        """Return the call whose caller hears what is played there; other legs are other people."""
        name = "caller_channel_id" if kind == "channels" else "bridge_id"
        for call in self._context.calls.values():
            if getattr(call.session, name, None) == asterisk_id:
                return call
        return None

    def _has_somebody(self, call: ObservedCall) -> bool:
        """Return whether an agent is in the call: before, a file asks the caller to hold on."""
        engine = self._context.engine
        if not hasattr(engine, "_call_providers"):  # October 2025 asks nobody to hold on
            return True
        pipelines = getattr(engine, "_pipeline_tasks", None) or {}
        return self._context.provider(call.call_id) is not None or call.call_id in pipelines
