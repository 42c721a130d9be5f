"""``run -- PROGRAM ARGS``: start an unmodified engine with the library attached."""

from __future__ import annotations

import click

from ai_engine_quality.adapters.launch import launch


@click.command(
    short_help="Start an engine with the library attached.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- PROGRAM")
def run(command: tuple[str, ...]) -> None:
    """Start an unmodified engine with the library attached: run -- python main.py.

    The program takes this command's place: its arguments, signals, streams and exit code are its
    own. Where it isn't the engine, nothing happens to it. Settings come from the file that
    AI_ENGINE_QUALITY_CONFIG names and from AI_ENGINE_QUALITY_* variables; one that can't be used is
    told on stderr, and the engine runs without the library.
    """
    launch(command)
