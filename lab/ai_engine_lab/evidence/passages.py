"""What is said: passages of real telephone speech, half of them held back.

A prompt belongs to one side only, by a fixed rule on its name, so that no prompt of a held-back
passage played a part in choosing a knee.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ai_engine_lab.basics.audio_formats import FRAME_SECONDS, SILENCE
from ai_engine_lab.engine.speech import AGENT_LEVEL, PROMPT_DIRECTORY, Prompt, recorded_prompts

TUNING: Final = "tuning"
HELD_BACK: Final = "held back"
SIDES: Final = (TUNING, HELD_BACK)

PASSAGES: Final = 16
"""Passages on each side."""
PASSAGE_SECONDS: Final = 8.0
"""A passage is at least so long: P.862 was made for samples of 8 to 12 s."""
PROMPT_SECONDS: Final = (0.8, 2.6)
"""Prompts used: shorter ones are single words, longer ones would be a passage of their own."""
PAUSE_SECONDS: Final = 0.3

_NO_SPEECH: Final = frozenset(
    {"ascending-2tone", "descending-2tone", "beep", "beeperr", "tt-monkeys"}
)


@dataclass(frozen=True)
class Passage:
    """Some prompts, one after the other: what the agent says in one sample."""

    name: str
    side: str
    prompts: tuple[Prompt, ...]

    @property
    def linear(self) -> bytes:
        """The clean original: slin16 at 8 kHz, with the pauses between its prompts."""
        return _pause().join(prompt.linear for prompt in self.prompts)


def side_of(prompt: str) -> str:
    """Return the side on which a prompt is, by the parity of a digest of its name."""
    return SIDES[hashlib.sha256(prompt.encode()).digest()[0] % 2]


def passages(directory: Path = PROMPT_DIRECTORY) -> list[Passage]:
    """Return the passages of both sides.

    Raises:
        FileNotFoundError: the prompts are not installed.
    """
    names = sorted(
        (path.stem for path in directory.glob("*.wav") if path.stem not in _NO_SPEECH),
        key=lambda name: hashlib.sha256(name.encode()).hexdigest(),  # families of prompts mix
    )
    found = [passage for side in SIDES for passage in _of_side(directory, names, side)]
    if len(found) < PASSAGES * len(SIDES):
        raise FileNotFoundError(
            f"{directory} has speech for {len(found)} passages, and {PASSAGES * len(SIDES)} are "
            "needed: sudo apt-get install asterisk-core-sounds-en-wav"
        )
    return found


def _of_side(directory: Path, names: list[str], side: str) -> Iterator[Passage]:
    """Yield passages of whole prompts until there are enough."""
    shortest, longest = PROMPT_SECONDS
    chosen: list[Prompt] = []
    made = 0
    for prompt in recorded_prompts(
        directory, (n for n in names if side_of(n) == side), AGENT_LEVEL
    ):
        if not shortest <= prompt.seconds <= longest:
            continue
        chosen.append(prompt)
        if sum(p.seconds + PAUSE_SECONDS for p in chosen) >= PASSAGE_SECONDS:
            made += 1
            yield Passage(f"{side.replace(' ', '-')}-{made:02}", side, tuple(chosen))
            chosen = []
        if made == PASSAGES:
            return


def _pause() -> bytes:
    return SILENCE * round(PAUSE_SECONDS / FRAME_SECONDS)
