"""When each side spoke, by level, and the silence that the caller heard before each answer. Pure.

An engine's own latency begins where the engine notices that the caller's turn has ended. Where that
is late, the caller waits longer than the engine says. Raw frames of both directions tell: here the
wait is the time between the caller's last word and the agent's first, as far as the sampling of
frames resolves it. A talkspurt is ITU-T P.59's word for speech without a longer pause.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

PAUSE_SECONDS = 0.4
"""A shorter silence is a pause between words; longer ones end a talkspurt."""

MIN_WORDS_SECONDS = 0.3
"""A shorter sound of the caller's is a cough, a click or the agent's own echo, not a turn."""

MAX_STEP_SECONDS = 0.25
"""Frames measured further apart than this don't tell when speech began or ended."""

MAX_TALKSPURTS = 512
"""Talkspurts that are remembered per stage; what comes later in a very long call is not heard."""


class Span(NamedTuple):
    """A talkspurt: monotonic seconds of its first and last measured frame with speech."""

    start: float
    end: float


class Talkspurts:
    """The talkspurts at one stage, from the times of its measured frames that held speech.

    ``until`` and ``frames`` are public because the audio path sets them directly for each frame:
    where one comes more than 0.4 s after ``until``, ``begin`` is called first.
    """

    __slots__ = ("_spans", "_start", "frames", "until")

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._start: float | None = None
        self.until = float("-inf")
        """When the last frame with speech was seen, in monotonic seconds."""
        self.frames = 0
        """Frames with speech."""

    def begin(self, at: float) -> None:
        """Begin a talkspurt, and end the one before."""
        if self._start is not None and len(self._spans) < MAX_TALKSPURTS:
            self._spans.append(Span(self._start, max(self._start, self.until)))
        self._start = at

    def all(self) -> list[Span]:
        """Return every talkspurt, the one that goes on included."""
        if self._start is None or len(self._spans) == MAX_TALKSPURTS:
            return self._spans
        return [*self._spans, Span(self._start, max(self._start, self.until))]

    @property
    def known_until(self) -> float:
        """Until when every talkspurt is known, in monotonic seconds."""
        return self._spans[-1].end if len(self._spans) == MAX_TALKSPURTS else float("inf")

    @property
    def step(self) -> float | None:
        """Mean seconds between the frames of a talkspurt; None where they lie too far apart."""
        spans = self.all()
        steps = self.frames - len(spans)
        if steps <= 0:
            return None
        found = sum(span.end - span.start for span in spans) / steps
        return found if found <= MAX_STEP_SECONDS else None


def silences(caller: Talkspurts, agent: Iterable[Talkspurts]) -> tuple[list[float], float] | None:
    """Return the seconds of silence before each answer, and to how many seconds they are exact.

    An answer is a talkspurt of the agent after words of the caller. Where the caller still speaks
    when it begins there is no silence, and it isn't counted. Frames are seen every few, so that an
    end is seen early and a beginning late, by half a step each on average, which is taken off.

    Returns:
        None where either side was not measured often enough.
    """
    tracks = list(agent)
    steps = [caller.step, *(track.step for track in tracks)]
    known = [step for step in steps if step is not None]
    if not tracks or len(known) < len(steps):
        return None
    resolution = (known[0] + max(known[1:])) / 2
    until = min(caller.known_until, *(track.known_until for track in tracks))
    answers = sorted(span for track in tracks for span in track.all() if span.start <= until)
    waits = _waits(caller.all(), answers)
    return [max(0.0, wait - resolution) for wait in waits], resolution


def _waits(caller: list[Span], answers: list[Span]) -> Iterator[float]:
    place = 0
    silent_since = float("-inf")
    for answer in answers:
        words, last = 0.0, None
        while place < len(caller) and caller[place].start < answer.start:
            last = caller[place]
            words += max(0.0, last.end - max(last.start, silent_since))
            if last.end >= answer.start:
                break  # it goes on into the answer, and may be the words before the next one
            place += 1
        begins = answer.start - silent_since > PAUSE_SECONDS
        if begins and last is not None and last.end < answer.start and words >= MIN_WORDS_SECONDS:
            yield answer.start - last.end
        silent_since = max(silent_since, answer.end)
