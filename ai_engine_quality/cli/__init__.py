"""The command line, ``ai-engine-quality``: one module per command, each loaded when it is run.

Other distributions add commands by the entry point ``ai_engine_quality.commands``, as the lab does.
What such a command prints with is public here.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from ai_engine_quality._version import __version__
from ai_engine_quality.cli.output import (
    DEFAULT_RECORDS,
    WIDE,
    band_text,
    console,
    described,
    json_option,
    plain_table,
    points,
    print_json,
    program,
    progress,
    read_policy,
    records_option,
    stored_scores,
)
from ai_engine_quality.cli.selecting import settings_records
from ai_engine_quality.core.wording import printable

GROUP = "ai_engine_quality.commands"
"""The entry points by which a distribution adds commands."""

OWN = {
    "calls": "calls:calls",
    "compare": "compare:compare_command",
    "doctor": "doctor:doctor",
    "explain": "explain:explain",
    "export-dashboards": "export:export_dashboards",
    "export-rules": "export:export_rules",
    "listen": "listen:listen",
    "report": "report:report",
    "rescore": "rescore:rescore",
    "run": "run:run",
    "tune": "tune:tune",
}
"""The library's own commands: the module of each below this package, and its name there."""

IN_THE_LAB = ("demo", "evidence", "fault", "validate")
"""Commands of the second distribution, to say so where it isn't installed."""


class _Commands(click.Group):
    """Commands by name: the library's own, and those that other distributions add."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command's name, in alphabetical order."""
        del ctx
        return sorted({*OWN, *(point.name for point in _added())})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, loaded now; None where there is none of that name."""
        del ctx
        if cmd_name in OWN:
            module, _, name = OWN[cmd_name].partition(":")
            own: click.Command = getattr(import_module(f"{__name__}.{module}"), name)
            return own
        for point in _added():
            if point.name == cmd_name:
                added: click.Command = point.load()
                return added
        if cmd_name in IN_THE_LAB:
            raise click.UsageError(
                f"{cmd_name} is a command of the lab; from a checkout: pip install ./lab"
            )
        return None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; errors repeat what files hold, and none of it may steer the terminal."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = printable(error.message)  # type: ignore[misc]  # declared final only
            raise


def _added() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=GROUP))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ai-engine-quality")
def cli() -> None:
    """Quality scores, 0 to 100, for the calls of an AI voice agent."""


__all__ = [
    "DEFAULT_RECORDS",
    "WIDE",
    "band_text",
    "cli",
    "console",
    "described",
    "json_option",
    "plain_table",
    "points",
    "print_json",
    "program",
    "progress",
    "read_policy",
    "records_option",
    "settings_records",
    "stored_scores",
]
