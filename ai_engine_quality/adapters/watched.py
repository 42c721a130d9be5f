"""What ``run`` must know of an engine to attach to it. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

VARIABLE = "_AI_ENGINE_QUALITY_WATCHED"
"""Takes the table from ``run`` to the program's Python, which removes it from its environment."""


class WatchedEngine(NamedTuple):
    """A class that an adapter attaches to, once an object of it is made."""

    adapter: str
    """The module whose ``attach`` is called."""
    module: str
    """The module that defines the class, by the name under which the program imports it."""
    name: str
    """The class."""
    parts: tuple[str, ...]
    """Attributes that the engine has, and another program's class of that name has not."""
    in_children: bool = False
    """Whether engines are made in processes that the program starts, one for each call."""


IN_CHILDREN = "*"
"""Stands before a class's name in the table where its engines are made in child processes."""


def encode(engines: Iterable[WatchedEngine]) -> str:
    """Return the engines as text: words, and a semicolon between two engines."""
    return ";".join(
        " ".join(
            (
                engine.adapter,
                engine.module,
                (IN_CHILDREN if engine.in_children else "") + engine.name,
                *engine.parts,
            )
        )
        for engine in engines
    )
