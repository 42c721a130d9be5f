"""What happens in a generated call: who speaks when, and what goes wrong. From a seed.

Times are seconds from the call's start. A call is a greeting and some exchanges; each exchange may
have one thing that goes wrong, so that its truth stays plain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ai_engine_lab.timelines.voices import Voice, voices

HAPPENINGS: Final = {
    "nothing": 0.40,
    "slow": 0.10,
    "unanswered": 0.08,
    "barge_in": 0.16,
    "hole": 0.14,
    "talk_over": 0.05,
    "cut": 0.03,
    "lost": 0.04,
}
"""What an exchange has, and how often."""


@dataclass(slots=True)
class Hole:
    """A silence in an answer: after so many seconds of its audio, for so long."""

    after: float
    seconds: float
    filled: bool
    """With frames of zeros; else no frames are sent."""


@dataclass(slots=True)
class Answer:
    """What the agent says, from when it is sent."""

    starts: float
    voice: Voice
    holes: list[Hole] = field(default_factory=list)
    skipped: tuple[float, float] | None = None
    """Audio, from and to, that is given and never sent."""
    stops: float | None = None
    """When the engine stops sending it."""
    kind: str = "answer"


@dataclass(slots=True)
class Words:
    """What the caller says, from when."""

    starts: float
    voice: Voice
    gain: float = 1.0
    kind: str = "turn"


@dataclass(slots=True)
class Script:
    """A whole call."""

    answers: list[Answer]
    words: list[Words]
    seconds: float
    waits: list[tuple[Words, Answer]]
    """Turns and their answers."""
    unanswered: list[tuple[Words, Answer | None]]
    """Turns that got no answer, and the one that came at last."""
    barge_ins: list[tuple[Words, Answer]]
    loudness: float = 1.0
    """The caller's voice, against that of the prompts."""


class Writer:
    """Writes the script of one call.

    Args:
        chance: All that is left to chance.
        late_greeting: Whether the agent takes 5 to 11 s to greet.
        into_ends: Whether callers don't wait for an answer's end: they speak 0.1 to 0.8 s before.
        real: Whether prompts may be used where they are installed.
    """

    def __init__(
        self,
        chance: np.random.Generator,
        *,
        late_greeting: bool = False,
        into_ends: bool = False,
        real: bool = True,
    ) -> None:
        self._chance = chance
        self._now = float(chance.uniform(5, 11) if late_greeting else chance.uniform(0.3, 2))
        self._hung_up = False
        self._into_ends = into_ends
        self._words_end: float | None = None
        self._script = Script([], [], 0.0, [], [], [])
        self._script.loudness = self._uniform(0.5, 1.5)
        known = voices(real=real)
        self._short = [voice for voice in known if 0.45 <= voice.ends - voice.starts <= 4]
        self._long = [voice for voice in known if 1.5 <= voice.ends - voice.starts <= 9]
        self._very_long = [voice for voice in known if voice.ends - voice.starts >= 5]
        self._tiny = [voice for voice in known if 0.3 <= voice.ends - voice.starts <= 0.42]

    def write(self) -> Script:
        """Return a call of a greeting and 3 to 7 exchanges."""
        self._say(self._answer(self._pick(self._long)))
        names = list(HAPPENINGS)
        shares = np.array(list(HAPPENINGS.values()))
        for _ in range(int(self._chance.integers(3, 8))):
            self._now += self._uniform(0.4, 2.5)
            happening = names[int(self._chance.choice(len(names), p=shares / shares.sum()))]
            getattr(self, f"_{happening}")()
            if self._hung_up:
                break
        self._script.seconds = self._now + self._uniform(0.3, 2.0)
        return self._script

    def _uniform(self, low: float, high: float) -> float:
        return float(self._chance.uniform(low, high))

    def _gain(self) -> float:
        """Return how loud the caller speaks this time: one voice, 3 dB apart at most."""
        return self._script.loudness * self._uniform(0.85, 1.2)

    def _pick(self, among: list[Voice]) -> Voice:
        return among[int(self._chance.integers(len(among)))]

    def _answer(self, voice: Voice) -> Answer:
        return Answer(self._now, voice)

    def _say(self, answer: Answer) -> Answer:
        """Let the agent say it to its end."""
        self._script.answers.append(answer)
        held = sum(hole.seconds for hole in answer.holes)
        skipped = answer.skipped[1] - answer.skipped[0] if answer.skipped else 0.0
        end = answer.starts + answer.voice.seconds + held - skipped
        self._now = end if answer.stops is None else min(end, answer.stops)
        self._words_end = None
        if answer.stops is None:
            self._words_end = end - answer.voice.seconds + answer.voice.ends
        return answer

    def _ask(self) -> Words:
        """Let the caller ask."""
        voice = self._pick(self._long if self._into_ends else self._short)
        if self._into_ends and self._words_end is not None:
            self._now = self._words_end - voice.starts - self._uniform(0.1, 0.8)
        self._words_end = None
        words = Words(self._now, voice, self._gain())
        self._script.words.append(words)
        self._now += words.voice.ends
        return words

    def _reply(self, low: float, high: float, answer: Answer | None = None) -> Answer:
        """Let the caller ask and the agent answer after a while."""
        words = self._ask()
        self._now += self._uniform(low, high)
        answer = answer or self._answer(self._pick(self._long))
        answer.starts = self._now
        self._script.waits.append((words, self._say(answer)))
        return answer

    def _nothing(self) -> None:
        self._reply(0.25, 1.8)

    def _slow(self) -> None:
        self._reply(2.5, 7.0)

    def _unanswered(self) -> None:
        words = self._ask()
        self._now += self._uniform(3.5, 9.0)
        if self._chance.random() < 0.2:  # the caller hangs up
            self._script.unanswered.append((words, None))
            self._hung_up = True
            return
        self._script.unanswered.append((words, self._reply(0.3, 1.5)))

    def _barge_in(self) -> None:
        """The caller speaks over the agent, which stops after its reaction time."""
        answer = self._answer(self._pick(self._very_long))
        self._reply(0.3, 1.5, answer)
        into = self._uniform(1.0, answer.voice.ends - 2.0)
        reaction = self._uniform(0.15, 1.2)
        long_enough = [voice for voice in self._short if voice.ends > reaction + 0.4]
        words = Words(answer.starts + into, self._pick(long_enough), self._gain())
        words.kind = "barge_in"
        self._script.words.append(words)
        answer.stops = words.starts + words.voice.starts + reaction
        self._script.barge_ins.append((words, answer))
        self._now = words.starts + words.voice.ends + self._uniform(0.3, 1.5)
        following = self._answer(self._pick(self._long))
        self._script.waits.append((words, self._say(following)))

    def _hole(self) -> None:
        """The provider is late with audio, once or a few times."""
        answer = self._answer(self._pick(self._very_long))
        filled = bool(self._chance.random() < 0.5)
        room = answer.voice.ends - 1.0
        places = sorted(self._uniform(0.5, room) for _ in range(int(self._chance.integers(1, 5))))
        for place in places:
            if not answer.holes or place - answer.holes[-1].after > 0.6:
                answer.holes.append(Hole(place, self._uniform(0.06, 1.2), filled))
        self._reply(0.3, 1.5, answer)

    def _talk_over(self) -> None:
        """The caller speaks over the agent, which does not stop."""
        answer = self._answer(self._pick([v for v in self._very_long if v.seconds > 7]))
        self._reply(0.3, 1.5, answer)
        talk = [voice for voice in self._long if 2.6 < voice.ends < answer.voice.ends - 3.5]
        words = Words(answer.starts + self._uniform(0.8, 2.0), self._pick(talk), self._gain())
        words.kind = "talk_over"
        self._script.words.append(words)

    def _cut(self) -> None:
        """The agent falls silent in mid-answer, and nobody knows why."""
        answer = self._answer(self._pick(self._very_long))
        answer.kind = "cut"
        starts = self._reply(0.3, 1.5, answer).starts
        answer.stops = self._now = starts + self._uniform(1.0, answer.voice.ends - 2.0)
        self._now += 0.8

    def _lost(self) -> None:
        """Some of the answer's audio is dropped on its way."""
        answer = self._answer(self._pick(self._very_long))
        begin = self._uniform(0.8, answer.voice.ends - 2.5)
        answer.skipped = (begin, begin + self._uniform(0.5, 1.5))
        self._reply(0.3, 1.5, answer)

    def quieter(self, decibels: float) -> None:
        """Let the caller be quieter, and all else as it is."""
        gain = 10 ** (-decibels / 20)
        self._script.loudness *= gain
        for words in self._script.words:
            words.gain *= gain

    def back_channels(self) -> None:
        """Add "mm-hm" to some answers that nobody interrupts."""
        busy = {id(answer) for _, answer in self._script.barge_ins}
        overs = [words.starts for words in self._script.words if words.kind == "talk_over"]
        for answer in self._script.answers:
            end = answer.starts + answer.voice.seconds
            if id(answer) in busy or answer.kind == "cut" or answer.voice.seconds < 3.5:
                continue
            if any(answer.starts < start < end for start in overs) or answer.holes:
                continue
            words = Words(
                answer.starts + self._uniform(0.5, 1.0), self._pick(self._tiny), 0.6 * self._gain()
            )
            words.kind = "back_channel"
            self._script.words.append(words)
