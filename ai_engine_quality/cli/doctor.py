"""``doctor``: is everything there, from the engine's metrics to the pager?"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from ai_engine_quality import palette
from ai_engine_quality.cli.output import console, json_option, print_json
from ai_engine_quality.core.wording import plural, printable
from ai_engine_quality.doctor.alertmanager_api import Access
from ai_engine_quality.doctor.checks import Stack, examine
from ai_engine_quality.doctor.results import CheckResult, CheckStatus
from ai_engine_quality.stack.files import dashboards as shipped_dashboards

BROKEN = 1
"""Exit code: a check failed. Warnings are no failures, unless --strict."""
COLUMNS = 80
"""What every line fits in, on every terminal and in every mail."""
INDENT = 4

_STYLES = {
    CheckStatus.OK: palette.FINE,
    CheckStatus.WARNING: palette.ORANGE,
    CheckStatus.FAILED: f"bold {palette.BROKEN}",
    CheckStatus.SKIPPED: "dim",
}


@click.command(short_help="Check a running stack, from metrics to notifications.")
@click.option(
    "--engine",
    metavar="URL",
    default="http://127.0.0.1:15000",
    show_default=True,
    help="Where the engine shows its /metrics.",
)
@click.option(
    "--prometheus",
    metavar="URL",
    default="http://127.0.0.1:9090",
    show_default=True,
    help="Where Prometheus answers queries.",
)
@click.option(
    "--dashboards",
    type=click.Path(path_type=Path, file_okay=False),
    help="Whose queries are asked: a folder. Without it, those that come with the library.",
)
@click.option(
    "--alertmanager",
    metavar="URL",
    multiple=True,
    help="Ask this one, in place of those that Prometheus names. Can be repeated.",
)
@click.option(
    "--alertmanager-password-file",
    type=click.Path(path_type=Path),
    help="Its password, of the user monitoring. Without it: where make up writes it. It is sent "
    "only to an Alertmanager on this machine, or to one that --alertmanager names as well.",
)
@click.option("--strict", is_flag=True, help="Warnings and skipped checks fail too.")
@click.option("--verbose", "-v", is_flag=True, help="All that was found, uncut, below each check.")
@json_option
def doctor(
    *,
    engine: str,
    prometheus: str,
    dashboards: Path | None,
    alertmanager: tuple[str, ...],
    alertmanager_password_file: Path | None,
    strict: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Check a live monitoring stack: a line a check, how to fix what is wrong, and a verdict.

    Exit code 0: all is well, or worth a look at most. 1: something is broken.
    """
    access = Access(alertmanager, alertmanager_password_file)
    stack = Stack(engine, prometheus, dashboards or shipped_dashboards(), access)
    findings = list(examine(stack))
    healthy = {CheckStatus.OK}
    if not strict:
        healthy |= {CheckStatus.WARNING, CheckStatus.SKIPPED}
    well = all(finding.verdict in healthy for finding in findings)
    if as_json:
        print_json({"ok": well, "checks": [finding.to_dict() for finding in findings]})
    else:
        _print(findings, verbose=verbose, well=well)
    if not well:
        raise click.exceptions.Exit(BROKEN)


def _print(findings: Sequence[CheckResult], *, verbose: bool, well: bool) -> None:
    out = console()
    widest = max(len(finding.check) for finding in findings)
    for finding in findings:
        head = f"{finding.verdict.value:7}"
        rest = f"  {finding.check:{widest}}  {finding.found}"
        line = printable(rest) if verbose else _cut(printable(rest), COLUMNS - len(head))
        out.print(Text(head, style=_STYLES[finding.verdict]) + Text(line), soft_wrap=True)
        if verbose:
            for detail in finding.details:
                out.print(Text(printable(f"{' ' * (widest + 11)}{detail}")), soft_wrap=True)
    for finding in findings:
        if finding.fix:
            out.print()
            _paragraph(f"{finding.check}: {finding.found}", 0, verbose=verbose)
            _paragraph(f"fix: {finding.fix}", INDENT, verbose=True)
    out.print()
    out.print(_verdict(findings, well=well), soft_wrap=True)
    if not verbose and any(finding.details for finding in findings if finding.fix):
        out.print("--verbose says all that was found.")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def _paragraph(text: str, indent: int, *, verbose: bool) -> None:
    """Print words within the columns; a long first line is told in full by --verbose."""
    space = " " * indent
    for line in textwrap.wrap(
        printable(text),
        COLUMNS,
        initial_indent=space,
        subsequent_indent=space or " " * INDENT,
        break_on_hyphens=False,
        max_lines=None if verbose else 3,
        placeholder=" …",
    ):
        console().print(Text(line), soft_wrap=True)


def _verdict(findings: Sequence[CheckResult], *, well: bool) -> Text:
    counts = Counter(finding.verdict for finding in findings)
    failures, warnings = counts[CheckStatus.FAILED], counts[CheckStatus.WARNING]
    parts = [f"{counts[CheckStatus.OK]} of {plural(len(findings), 'check')} ok"]
    if failures:
        parts.append(f"{failures} failed")
    if warnings:
        parts.append(plural(warnings, "warning"))
    if skipped := counts[CheckStatus.SKIPPED]:
        parts.append(f"{skipped} skipped")
    head = "The stack works" if well else "The stack is broken"
    style = _STYLES[CheckStatus.FAILED if not well else CheckStatus.OK]
    return Text(head, style=style) + Text(f": {', '.join(parts)}.")
