"""Starts a program with the library attached to the engine that it makes: ``run -- PROGRAM ARGS``.

The program takes this process's place, so that its arguments, streams, signals and exit code are
its own. All that is added is a folder on ``PYTHONPATH``, whose ``sitecustomize`` takes itself off
again, and a variable with the table of engines, which it removes. Where a command is known to drop
them on the way, that is said before it is started.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from ai_engine_quality.adapters import ava, livekit, pipecat, watched

ENGINES = (ava.ENGINE, livekit.ENGINE, pipecat.ENGINE)
"""One for each folder of an engine beside this file."""

FOLDER = str(Path(__file__).parent / "autoattach")

NOT_FOUND = 127
NOT_EXECUTABLE = 126
WRONG_USE = 2
"""Exit codes, as shells have them."""

PYTHON = re.compile(r"(python|pypy)[\d.]*")
ALONE = frozenset("EIS")
"""Python's options by which it reads no ``PYTHONPATH``, or runs no ``sitecustomize``."""
LAST = frozenset("cm")
"""Those after which the program's own arguments come."""
WITH_VALUE = frozenset("WX")

OTHER_USERS = ("sudo", "doas", "su", "runuser")
"""They take ``PYTHONPATH`` out of the environment."""

RUN = "python -m ai_engine_quality run --"

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
    if why := why_not_attached(command):
        print(f"ai-engine-quality: not attached: {why}", file=sys.stderr)  # noqa: T201  # as below
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(command[0], list(command), environment(environ))  # noqa: S606  # its very purpose
    except (FileNotFoundError, NotADirectoryError):
        _give_up(f"{command[0]}: not found", NOT_FOUND)
    except (OSError, ValueError) as error:
        _give_up(f"{command[0]}: can't be run: {error}", NOT_EXECUTABLE)


def why_not_attached(command: Sequence[str]) -> str | None:
    """Return why a command's Python can't be reached, with the fix; None where it may well be."""
    names = [os.path.basename(word) for word in command]  # noqa: PTH119  # words, of which some are paths
    python = next((at for at, name in enumerate(names) if PYTHON.fullmatch(name)), len(names))
    if names[0] in OTHER_USERS:
        return f"{names[0]} hands no PYTHONPATH on. Put run behind it: {names[0]} ... {RUN} PROGRAM"
    if names[0] == "env" and {"-i", "-", "--ignore-environment"} & set(names[1:python]):
        return f"env -i empties the environment. Put run behind it: env -i ... {RUN} PROGRAM"
    if option := _option_alone(command[python + 1 :]):
        return f"{names[python]} {option} doesn't run what attaches. Start it without that option"
    return None


def _option_alone(words: Sequence[str]) -> str | None:
    """Return the option among a Python's own by which it takes nothing from outside."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or word.startswith("--") or word == "-":
            return None
        for at, letter in enumerate(word[1:], 2):
            if letter in ALONE:
                return f"-{letter}"
            if letter in LAST:
                return None
            if letter in WITH_VALUE:
                if at == len(word):
                    next(rest, None)
                break
    return None


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
