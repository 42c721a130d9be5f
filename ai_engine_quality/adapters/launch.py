"""Starts a program with the library attached to the engine that it makes: ``run -- PROGRAM ARGS``.

The program takes this process's place, so that its arguments, streams, signals and exit code are
its own. All that is added is a folder on ``PYTHONPATH``, whose ``sitecustomize`` takes itself off
again, and a variable with the table of engines, which it removes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from ai_engine_quality.adapters import ava, watched

ENGINES = (ava.ENGINE,)
"""One for each folder of an engine beside this file."""

FOLDER = str(Path(__file__).parent / "autoattach")

NOT_FOUND = 127
NOT_EXECUTABLE = 126
WRONG_USE = 2
"""Exit codes, as shells have them."""

USAGE = """\
Usage: python -m ai_engine_quality run -- PROGRAM [ARGUMENT]...

Start an unmodified engine with the quality library attached: run -- python main.py
Settings: the file that AI_ENGINE_QUALITY_CONFIG names, and AI_ENGINE_QUALITY_* variables.
"""


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which Python attaches the library to an engine."""
    path = environ.get("PYTHONPATH")
    return {
        **environ,
        "PYTHONPATH": os.pathsep.join([FOLDER, path] if path else [FOLDER]),
        watched.VARIABLE: watched.encode(ENGINES),
    }


def launch(command: Sequence[str], environ: Mapping[str, str] = os.environ) -> NoReturn:
    """Become a program.

    Args:
        command: The program, which is looked up as a shell does, and its arguments.
        environ: Its environment.

    Raises:
        SystemExit: it isn't there, or can't be executed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(command[0], list(command), environment(environ))  # noqa: S606  # its very purpose
    except (FileNotFoundError, NotADirectoryError):
        _give_up(f"{command[0]}: not found", NOT_FOUND)
    except (OSError, ValueError) as error:
        _give_up(f"{command[0]}: can't be run: {error}", NOT_EXECUTABLE)


def _give_up(message: str, code: int) -> NoReturn:
    print(f"ai-engine-quality run: {message}", file=sys.stderr)  # noqa: T201  # where shells say so
    raise SystemExit(code)


def main(arguments: Sequence[str]) -> NoReturn:
    """Run the command without the command line's own extras.

    Args:
        arguments: What follows ``run``.

    Raises:
        SystemExit: there is no program to run, or help was asked for.
    """
    command = list(arguments)
    if command[:1] in (["-h"], ["--help"]):
        print(USAGE, end="")  # noqa: T201  # the answer
        raise SystemExit(0)
    if command[:1] == ["--"]:
        del command[0]
    if not command or command[0].startswith("-"):
        print(USAGE, end="", file=sys.stderr)  # noqa: T201  # as above
        raise SystemExit(WRONG_USE)
    launch(command)
