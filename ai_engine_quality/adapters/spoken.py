"""How long a text is to say, in characters of an alphabet: a number, and never a word of it."""

from __future__ import annotations

DENSE = 0x2E80
"""From here on Unicode has scripts that write a syllable or a word in one sign: CJK, Hangul."""

DENSE_WEIGHT = 3
"""Letters that such a sign counts for: they are spoken at four to eight a second."""

DIGIT_WEIGHT = 4
"""Letters that a digit counts for: it is spoken as a word."""


def spoken_characters(text: str) -> int:
    """Return how long a text is to say; spaces in a row are one, and those around it none."""
    return spoken_piece(" ".join(text.split()))


def spoken_piece(text: str) -> int:
    """Return the same of a piece of a text, whose spaces part it from its neighbours."""
    dense = sum(ord(char) >= DENSE for char in text)
    digits = sum(char.isdigit() for char in text)
    return len(text) + (DENSE_WEIGHT - 1) * dense + (DIGIT_WEIGHT - 1) * digits
