"""Whether the provider of one call is still connected, by its own socket.

Deepgram, OpenAI, ElevenLabs and the others hold one WebSocket for a call. Where it closes, the
engine hears of it from Google and from the local server alone; Deepgram and ElevenLabs don't come
back, OpenAI and Grok try to, and the local server for up to 20 s.
"""

from __future__ import annotations

from typing import Any

NORMAL_CLOSURE = 1000
"""The code of a WebSocket whose far end had finished: RFC 6455, section 7.4.1."""

LOST_SECONDS = 2.0
"""Who is back sooner wasn't missed: OpenAI's first attempt comes at once, the next after 0.5 s."""

DEAD_AIR_SECONDS = 5.0
"""An agent that has said goodbye may close its side: the caller then hangs up sooner than this."""

_MISSING: Any = object()


class CallProvider:
    """What was last seen of the socket of a call's provider."""

    __slots__ = ("_closed_at", "_excused", "_lost_socket", "_socket", "lost")

    def __init__(self) -> None:
        self._socket: Any = None
        """The one that was last seen open."""
        self._closed_at: float | None = None
        self._excused = False
        self._lost_socket: Any = None
        self.lost = False
        """Whether it was reported as lost, and has not come back."""

    def look(self, provider: Any, now: float, *, excused: bool) -> None:
        """Look at the provider's socket.

        Args:
            provider: The one that serves the call at the moment.
            now: Monotonic seconds.
            excused: Whether the engine, or the agent, has chosen to end the call.
        """
        socket = _socket(provider)
        if socket is _MISSING:
            return
        if _is_open(socket):
            self._socket, self._closed_at, self._excused = socket, None, False
        elif self._socket is not None and self._closed_at is None:
            self._closed_at, self._excused = now, excused

    def lose(self) -> None:
        """Take note that it was reported as lost."""
        self.lost, self._lost_socket = True, self._socket

    @property
    def is_back(self) -> bool:
        """Whether it was lost and has another socket, which was open when last looked at."""
        is_open = self._socket is not None and self._closed_at is None
        return self.lost and is_open and self._socket is not self._lost_socket

    def let_go(self) -> None:
        """Take note that the engine has parted from the provider by itself."""
        self._socket = self._closed_at = None

    def is_gone(self, now: float, dead_for: float, *, hung_up: bool) -> bool:
        """Return whether the provider was lost, as far as is known now.

        Args:
            now: Monotonic seconds.
            dead_for: Seconds since the agent was last heard.
            hung_up: Whether the call ends now, so that nobody can come back.
        """
        if self._closed_at is None or self._excused:
            return False
        closed_for = now - self._closed_at
        if getattr(self._socket, "close_code", NORMAL_CLOSURE) in (NORMAL_CLOSURE, None):
            return min(closed_for, dead_for) >= DEAD_AIR_SECONDS
        return hung_up or closed_for >= LOST_SECONDS


def _socket(provider: Any) -> Any:
    """Return a provider's socket, None where it has none now, ``_MISSING`` where it never has."""
    found = getattr(provider, "websocket", _MISSING)
    return getattr(provider, "_ws", _MISSING) if found is _MISSING else found


def _is_open(socket: Any) -> bool:
    """Return whether a WebSocket is open, by either generation of the ``websockets`` package."""
    if socket is None:
        return False
    state = getattr(getattr(socket, "state", None), "name", None)
    if isinstance(state, str):
        return state in ("OPEN", "CONNECTING")
    return getattr(socket, "closed", False) is not True
