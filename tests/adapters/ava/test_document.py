"""What docs/Integration.md says of the engine's attributes is what is wrapped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ai_engine_quality.adapters.ava import engine_facts, methods
from ai_engine_quality.adapters.ava.methods import EngineMethod

DOCUMENT = (Path(__file__).parents[3] / "docs" / "Integration.md").read_text()


def test_every_attribute_that_is_wrapped_stands_in_the_table(
    generation: ModuleType, attached: Any
) -> None:
    """Nobody has to read the source to know what is touched."""

    async def main() -> list[str]:
        engine = generation.Engine()
        double = attached(engine)
        await engine._load_providers()
        return [wrap.name for wrap in double.observer.wraps._wraps]

    names = asyncio.run(main())
    table = [line for line in DOCUMENT.splitlines() if line.startswith("| `") or "| OpenAI" in line]
    assert len(names) >= 8
    assert [name for name in names if not any(name in line for line in table)] == []
    for name in ("_BARGE_REACTION_SECONDS", "_TURN_RESPONSE_SECONDS", "audio_diagnostics"):
        assert any(name in line for line in table)


@pytest.mark.parametrize(
    "method", [each for each in vars(methods).values() if isinstance(each, EngineMethod)], ids=str
)
def test_each_method_stands_beside_the_factor_that_it_serves(method: EngineMethod) -> None:
    """The adapter's table of methods and the document's say the same of a method."""
    rows = [line.split("|") for line in DOCUMENT.splitlines() if line.startswith("|")]
    factors = {row[3].strip() for row in rows if len(row) > 4 and f"{method}`" in row[1]}
    assert {"calls": "all"}.get(method.factor, method.factor) in factors


def test_the_variable_for_the_version_is_named() -> None:
    """A deployment that can't be asked for its version finds what to set."""
    assert engine_facts.VERSION_VARIABLE in DOCUMENT
