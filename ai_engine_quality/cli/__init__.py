"""The command line, ``ai-engine-quality``: one module per command."""

from typing import Any

import click

from ai_engine_quality._version import __version__
from ai_engine_quality.cli.compare import compare_command
from ai_engine_quality.cli.demo import demo
from ai_engine_quality.cli.doctor import doctor
from ai_engine_quality.cli.evidence import evidence
from ai_engine_quality.cli.explain import explain
from ai_engine_quality.cli.fault import fault
from ai_engine_quality.cli.listen import listen
from ai_engine_quality.cli.rescore import rescore
from ai_engine_quality.cli.run import run
from ai_engine_quality.cli.tune import tune
from ai_engine_quality.cli.validate import validate
from ai_engine_quality.wording import printable


class _Commands(click.Group):
    """Errors repeat what files and arguments hold; none of it may steer the terminal."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = printable(error.message)  # type: ignore[misc]  # declared final only
            raise


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ai-engine-quality")
def cli() -> None:
    """Quality scores, 0 to 100, for the calls of an AI voice agent."""


cli.add_command(compare_command)
cli.add_command(demo)
cli.add_command(doctor)
cli.add_command(evidence)
cli.add_command(explain)
cli.add_command(fault)
cli.add_command(listen)
cli.add_command(rescore)
cli.add_command(run)
cli.add_command(tune)
cli.add_command(validate)

__all__ = ["cli"]
