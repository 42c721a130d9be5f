"""What the engine knows of a server that takes calls: AudioSocket's is one, given from outside."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from ai_engine_lab.engine.session import CallSession

CallerSide = Callable[[CallSession], Coroutine[Any, Any, None]]
"""The caller's end of a call: runs beside the session, and ends the call when it returns."""


class CallServer(Protocol):
    """Takes connections, and has a call on each."""

    @property
    def audio_transport(self) -> str:
        """Its name in `/health`, as the engine's metrics have it."""

    @property
    def port(self) -> int:
        """The port it listens on, once started."""

    @property
    def connections(self) -> int:
        """Connections that are open, with a call or not yet."""

    @property
    def endings(self) -> Mapping[str, int]:
        """How many connections ended in each way."""

    async def start(self) -> None:
        """Take connections; raises `OSError` when the port is taken."""

    async def stop(self) -> None:
        """Take no more connections, and close those that are open."""
