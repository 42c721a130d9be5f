"""Values in words, for evidence, reasons and explanations; and texts of others, made harmless."""

from __future__ import annotations

import math


def seconds(value: float) -> str:
    """Return a duration in words: ``0.82 s``, ``3.1 s``, ``6 s``."""
    return f"{value:.2f}".rstrip("0").rstrip(".") + " s"


def clock(at: float) -> str:
    """Return a time within a call, in minutes and seconds: ``0:17``."""
    return f"{int(at // 60)}:{int(at % 60):02}"


def percent(value: float) -> str:
    """Return a share in words: ``1.25 %``."""
    return f"{value * 100:.2f}".rstrip("0").rstrip(".") + " %"


def floor_percent(value: float) -> str:
    """Return a share in whole per cent, rounded down, so that only all of them are ``100 %``."""
    return f"{int(value * 100 + 1e-9)} %"


def echo(share: float) -> str:
    """Return how loud an echo of the agent's is: ``the agent's echo, 10 dB under its voice``."""
    return f"the agent's echo, {abs(20 * math.log10(share)):.0f} dB under its voice"


def plural(n: int, noun: str) -> str:
    """Return a count with its noun: ``1 turn``, ``1,200 turns``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def printable(text: str) -> str:
    """Return text with what could steer a terminal, or break an encoding, made visible."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)
