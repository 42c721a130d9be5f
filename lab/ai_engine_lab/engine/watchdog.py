"""The watchdog for callers who fall silent: it asks whether they are there, then hangs up.

Its clock runs only while it is the caller's turn to speak: not in the greeting, not while the agent
speaks, not while an answer is being made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ai_engine_lab.engine.events import NoInputNoticed, Observer, WatchdogChanged


@dataclass(frozen=True)
class WatchdogSettings:
    """How long a caller may be silent; seconds."""

    first_seconds: float = 30.0
    grace_seconds: float = 15.0
    """After the question, before the engine hangs up."""


class SilenceWatchdog:
    """One call's watchdog. `ask` has the agent ask; `hang_up` ends the call."""

    def __init__(
        self,
        settings: WatchdogSettings,
        emit: Observer,
        ask: Callable[[], None],
        hang_up: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._emit = emit
        self._ask = ask
        self._hang_up = hang_up
        self._asked = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Watch over a call that has begun; the clock waits for the end of the greeting."""
        self._emit(WatchdogChanged(active=True))

    def stop(self) -> None:
        """The call is over."""
        self.pause()
        self._emit(WatchdogChanged(active=False))

    def caller_speaks(self) -> None:
        """The caller is there."""
        self.pause()
        self._emit(NoInputNoticed("caller_resumed" if self._asked else "caller_activity"))
        self._asked = False

    def callers_turn(self) -> None:
        """It is the caller's turn to speak: the clock runs."""
        self.pause()
        seconds = self._settings.grace_seconds if self._asked else self._settings.first_seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._too_long)

    def pause(self) -> None:
        """It isn't the caller's turn."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_long(self) -> None:
        if self._asked:
            self._emit(NoInputNoticed("hangup"))
            self._hang_up()
            return
        self._asked = True
        self._emit(NoInputNoticed("check_in"))
        self.callers_turn()  # even if the question can't be put
        self._ask()
