"""The diagnosis cards, read strictly: which fault, and which panels show the way to it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ai_engine_lab.engine import FAULTS, parse_duration

CARDS: Final = Path(__file__).parent.parent / "cards.toml"
MOST_STEPS: Final = 3
"""From the alert to the cause; more would take longer than two minutes."""


@dataclass(frozen=True)
class Incident:
    """A fault in the pictures' history; seconds since it began."""

    fault: str
    engine: str
    begins: float
    seconds: float
    provider: str | None = None
    """Whose calls are slow; None: the fault is the engine's own, and hits all of them."""

    @property
    def ends(self) -> float:
        """When it is over."""
        return self.begins + self.seconds


@dataclass(frozen=True)
class Step:
    """What to look at, and on which dashboard."""

    dashboard: str
    """Its uid."""
    panels: tuple[str, ...]
    """Their titles."""
    says: str
    """What to see there, in a sentence."""


@dataclass(frozen=True)
class Card:
    """From an alert to its cause."""

    name: str
    title: str
    incident: Incident
    seen_at: float
    """When the picture is taken; seconds since the history began."""
    steps: tuple[Step, ...]
    alone: bool = True
    """Whether it shows the engine with the fault alone; else all of them."""


def read_cards(path: Path = CARDS) -> list[Card]:
    """Return the cards.

    Raises:
        ValueError: a card is wrong; the message names it and what to change.
    """
    with path.open("rb") as file:
        document = tomllib.load(file)
    return [_card(name, table) for name, table in document["cards"].items()]


def _card(name: str, table: dict[str, Any]) -> Card:
    try:
        incident = Incident(
            fault=table["fault"],
            engine=table["engine"],
            begins=parse_duration(table["begins"]),
            seconds=parse_duration(table["lasts"]),
            provider=table.get("provider"),
        )
        card = Card(
            name=name,
            title=table["title"],
            incident=incident,
            seen_at=incident.begins + parse_duration(table["seen_after"]),
            steps=tuple(
                Step(step["dashboard"], tuple(step["panels"]), step["says"])
                for step in table["steps"]
            ),
            alone=table.get("alone", True),
        )
    except KeyError as error:
        raise ValueError(
            f"card {name}: {error.args[0]} is missing; add it to {CARDS.name}"
        ) from error
    if incident.fault not in FAULTS:
        raise ValueError(
            f"card {name}: no fault {incident.fault!r}; choose one of {', '.join(FAULTS)}"
        )
    if not 1 <= len(card.steps) <= MOST_STEPS:
        raise ValueError(f"card {name}: {len(card.steps)} steps; make it 1 to {MOST_STEPS}")
    return card
