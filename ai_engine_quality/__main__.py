"""``python -m ai_engine_quality`` and the command ``ai-engine-quality``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or say what it needs: the engine itself doesn't carry it."""
    if sys.argv[1:2] == ["run"]:  # an engine is started where the command line's extras aren't
        from ai_engine_quality.adapters import launch  # noqa: PLC0415  # the others don't need it

        launch.main(sys.argv[2:])
    try:
        from ai_engine_quality.cli import cli  # noqa: PLC0415  # its parts are an extra
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit(f"The command line needs {error.name}; from a checkout: pip install '.[cli]'")
    cli(prog_name="ai-engine-quality")


if __name__ == "__main__":
    main()
