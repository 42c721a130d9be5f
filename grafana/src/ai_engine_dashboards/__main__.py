"""Write the dashboards: `python -m ai_engine_dashboards CLASSIC CURRENT`, two folders."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from ai_engine_dashboards import (
    audio_quality,
    call_drill_down,
    call_quality,
    conversation_flow,
    provider_performance,
    system_overview,
)
from ai_engine_dashboards.current_schema import resource

DASHBOARDS: Final = (
    system_overview,
    call_quality,
    provider_performance,
    audio_quality,
    conversation_flow,
    call_drill_down,
)


def files() -> Iterator[tuple[str, str]]:
    """Yield the name and text of each file, in the classic model."""
    for module in DASHBOARDS:
        dashboard = module.build()
        text = json.dumps(dashboard, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False)
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        yield f"{name}.json", text + "\n"


def current_files() -> Iterator[tuple[str, str]]:
    """Yield the same in Grafana's current schema."""
    for name, text in files():
        found = resource(json.loads(text))
        yield name, json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main(classic: str, current: str) -> None:
    """Write all of them, each model into a folder of its own."""
    for folder, made in ((classic, files()), (current, current_files())):
        for name, text in made:
            (Path(folder) / name).write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
