"""When things happened within a call: who spoke, who waited, what went wrong. Pure, bounded.

Of a very long call the first stretches are kept. They explain a call to people; no score needs
them.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection
from enum import IntEnum
from typing import Final

MAX_SPOKEN: Final = 120
"""Stretches of speech and waiting that are kept: some 40 turns, or 6 minutes."""

MAX_FAULTS: Final = 40
"""Stretches of anything else, so that a long call's faults are kept when its speech isn't."""

STEPS_A_SECOND: Final = 20
"""How finely times are kept: to 0.05 s, which a line of minutes can't show, in few digits."""

PAUSE_SECONDS: Final = 0.7
"""Words of one side with a shorter pause between them are one stretch."""


MIN_HOLE_SECONDS: Final = 0.1
"""Shorter holes are counted, but a line of minutes can't show them; there may be hundreds."""


class Kind(IntEnum):
    """What a stretch of a call is. The names of all but the last are those in records."""

    AGENT = 0
    CALLER = 1
    WAIT = 2
    UNANSWERED = 3
    BARGE_IN = 4
    TALK_OVER = 5
    HOLE = 6
    STALL = 7
    BLIND_HOLE = 8
    """A hole, as far as can be told where nobody says what the provider gave."""


SPOKEN: Final = frozenset({Kind.AGENT, Kind.CALLER, Kind.WAIT})
HOLES: Final = frozenset({Kind.HOLE, Kind.BLIND_HOLE})
OF_THE_CALLER: Final = frozenset(
    {Kind.CALLER, Kind.WAIT, Kind.UNANSWERED, Kind.BARGE_IN, Kind.TALK_OVER}
)
"""What can't be known where the caller's voice can't be told."""

KINDS: Final = tuple(kind.name.lower() for kind in Kind if kind is not Kind.BLIND_HOLE)
"""As records name them."""


_NAMES: Final = (*KINDS, "hole")
"""By kind."""


class Course:
    """The stretches of one call, in the order in which they were known."""

    __slots__ = ("_faults", "_last_caller", "_spoken", "_stretches")

    def __init__(self) -> None:
        self._stretches = array("d")
        """Kind, from when, until when."""
        self._spoken = self._faults = 0
        self._last_caller = -1
        """Where the caller's last stretch is; a pause doesn't end it."""

    def note(self, kind: Kind, since: float, until: float) -> None:
        """Keep a stretch, in monotonic seconds; one too many is left out."""
        if not since < until:
            return
        if kind in SPOKEN:
            if kind is Kind.CALLER and self._goes_on(since, until):
                return
            if self._spoken >= MAX_SPOKEN:
                return
            self._spoken += 1
            if kind is Kind.CALLER:
                self._last_caller = len(self._stretches)
        elif self._faults >= MAX_FAULTS or (kind in HOLES and until - since < MIN_HOLE_SECONDS):
            return
        else:
            self._faults += 1
        self._stretches.extend((kind, since, until))

    def _goes_on(self, since: float, until: float) -> bool:
        at = self._last_caller
        if at < 0 or since - self._stretches[at + 2] > PAUSE_SECONDS:
            return False
        self._stretches[at + 2] = max(until, self._stretches[at + 2])
        return True

    def freeze(
        self, started_at: float, without: Collection[Kind] = ()
    ) -> dict[str, tuple[float, ...]]:
        """Return each kind's stretches as starts and ends in turn.

        Args:
            started_at: When the call began, in monotonic seconds; what is returned counts from it.
            without: Kinds to leave out.

        Returns:
            By the kind's name; seconds, in steps of 0.05.
        """
        found: dict[str, list[float]] = {}
        names: list[list[float] | None] = [
            None if kind in without else found.setdefault(_NAMES[kind], []) for kind in Kind
        ]
        values = iter(self._stretches)
        for number, since, until in zip(values, values, values, strict=True):
            times = names[int(number)]
            if times is not None:
                times.append(round((since - started_at) * STEPS_A_SECOND) / STEPS_A_SECOND)
                times.append(round((until - started_at) * STEPS_A_SECOND) / STEPS_A_SECOND)
        return {
            name: tuple(times if min(times) >= 0 else [max(0.0, at) for at in times])
            for name, times in found.items()
            if times
        }
