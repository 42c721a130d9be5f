"""``doctor``: is everything there, from the engine's metrics to the pager?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich import box
from rich.table import Table
from rich.text import Text

from ai_engine_quality.cli.output import console, json_option, print_json
from ai_engine_quality.core.wording import printable
from ai_engine_quality.doctor.checks import Stack, examine
from ai_engine_quality.doctor.results import CheckResult, CheckStatus
from ai_engine_quality.palette import GREEN, ORANGE, VERMILLION

BROKEN = 1
"""Exit code: a check failed. Warnings are no failures, unless --strict."""

_STYLES = {
    CheckStatus.OK: GREEN,
    CheckStatus.WARNING: ORANGE,
    CheckStatus.FAILED: f"bold {VERMILLION}",
    CheckStatus.SKIPPED: "dim",
}


@click.command()
@click.option("--engine", default="http://127.0.0.1:15000", show_default=True)
@click.option("--prometheus", default="http://127.0.0.1:9090", show_default=True)
@click.option(
    "--dashboards",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("grafana/dashboards"),
    show_default=True,
    help="Whose queries are asked.",
)
@click.option("--strict", is_flag=True, help="Warnings and skipped checks fail too.")
@json_option
def doctor(*, engine: str, prometheus: str, dashboards: Path, strict: bool, as_json: bool) -> None:
    """Check a live monitoring stack, and say how to fix what isn't right.

    Exit code 0: all is well, or worth a look at most. 1: something is broken.
    """
    findings = list(examine(Stack(engine, prometheus, dashboards)))
    healthy = {CheckStatus.OK}
    if not strict:
        healthy |= {CheckStatus.WARNING, CheckStatus.SKIPPED}
    well = all(finding.verdict in healthy for finding in findings)
    if as_json:
        print_json({"ok": well, "checks": [finding.to_dict() for finding in findings]})
    else:
        _print(findings)
    if not well:
        raise click.exceptions.Exit(BROKEN)


def _print(findings: Sequence[CheckResult]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("found")
    table.add_column("fix")
    for finding in findings:
        table.add_row(
            finding.check,
            Text(finding.verdict.value, style=_STYLES[finding.verdict]),
            printable(finding.found),
            printable(finding.fix),
        )
    console().print(table)
