"""Chance that repeats itself: every part of every call has a source of its own, made from a key."""

from __future__ import annotations

import random


def chance(*key: object) -> random.Random:
    """A source of chance that gives the same for the same key, on every machine."""
    return random.Random(":".join(map(str, key)))  # noqa: S311 - reproducible is the point
