"""What docs/Integration.md says of the engine's attributes is what is wrapped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import ModuleType
from typing import Any

from ai_engine_quality.adapters.ava import engine_facts

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


def test_the_variable_for_the_version_is_named() -> None:
    """A deployment that can't be asked for its version finds what to set."""
    assert engine_facts.VERSION_VARIABLE in DOCUMENT
