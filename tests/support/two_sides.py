"""Calls made by hand for the ear: who speaks when, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator

FRAME = 0.02

LEVELS = (1500, 2200, 900, 1700, 60, 2000)
"""Speech varies, and falls almost silent between its sounds; a sound that doesn't is noise."""

Spans = tuple[tuple[float, float], ...]


def level(spans: Spans, at: float, place: int, line: float) -> float:
    """Return the level of a frame: of speech, which begins and ends loud, or of the line."""
    for start, end in spans:
        if start - 1e-9 <= at < end - 1e-9:
            edge = at < start + 0.07 or at >= end - 0.07
            return 1500.0 if edge else float(LEVELS[place // 3 % len(LEVELS)])
    return line


def frames(
    until: float, caller: Spans, agent: Spans, *, missing: Spans = (), line: float = 8.0
) -> Iterator[tuple[float, bool, float]]:
    """Yield (at, whether it is the agent's, level) of each frame of 20 ms, in order.

    Args:
        until: Seconds.
        caller: When the caller speaks.
        agent: When the agent does; its line is silent otherwise.
        missing: When nothing is sent at all.
        line: Level of the caller's line where nobody speaks.
    """
    for place in range(round(until / FRAME)):
        at = place * FRAME
        yield at + FRAME, False, level(caller, at, place, line)
        if not any(start - 1e-9 <= at < end - 1e-9 for start, end in missing):
            yield at + FRAME, True, level(agent, at, place, 0.0)
