"""Write the dashboards: `python -m ai_engine_dashboards FOLDER`."""

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

DASHBOARDS: Final = (
    system_overview,
    call_quality,
    provider_performance,
    audio_quality,
    conversation_flow,
    call_drill_down,
)


def files() -> Iterator[tuple[str, str]]:
    """Yield the name and text of each file."""
    for module in DASHBOARDS:
        dashboard = module.build()
        text = json.dumps(dashboard, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False)
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        yield f"{name}.json", text + "\n"


def main(folder: str) -> None:
    """Write all of them into a folder."""
    for name, text in files():
        (Path(folder) / name).write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
