"""How long a text is to say, in characters of an alphabet: a number, and never a word of it."""

from __future__ import annotations

SIGNS = (
    (0x2E80, 0x2FDF, 2.0),
    (0x3041, 0x30FF, 1.0),
    (0x3400, 0x9FFF, 2.0),
    (0xAC00, 0xD7A3, 1.5),
    (0xF900, 0xFAFF, 2.0),
    (0x20000, 0x3FFFF, 2.0),
)
"""Where Unicode has signs for words (Chinese, of which 5 are spoken a second, and Japanese kanji),
and, with less, for syllables (kana, Hangul); and for how many letters more than one a sign counts.

Per second 7.8 syllables are spoken in Japanese, of which a kana is one, and 6 to 7 in Korean:
F. Pellegrino and others, "A cross-language perspective on speech information rate", Language 87,
2011, and C. Coupe and others, Science Advances 5, 2019. Of letters they are 14 to 17.
"""

DIGIT_WEIGHT = 4
"""Letters that a digit counts for: it is spoken as a word."""


def spoken_characters(text: str) -> int:
    """Return how long a text is to say; spaces in a row are one, and those around it none."""
    return spoken_piece(" ".join(text.split()))


def spoken_piece(text: str) -> int:
    """Return the same of a piece of a text, whose spaces part it from its neighbours."""
    digits = sum(char.isdigit() for char in text)
    more = sum(_more(code) for char in text if (code := ord(char)) >= SIGNS[0][0])
    return len(text) + (DIGIT_WEIGHT - 1) * digits + round(more)


def _more(code: int) -> float:
    return next((more for first, last, more in SIGNS if first <= code <= last), 0.0)
