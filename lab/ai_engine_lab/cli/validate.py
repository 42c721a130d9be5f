"""``validate``: the test matrix, placed on the reference engine or judged on real calls."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.text import Text

from ai_engine_lab.basics.matrix import load_matrix
from ai_engine_lab.cli import validation_calls
from ai_engine_lab.cli.validation_calls import Found, Window, fail, reference_engine
from ai_engine_lab.validation.fault_findings import FaultFinding, find
from ai_engine_lab.validation.golden import (
    Golden,
    GoldenError,
    differences,
    golden_text,
    read_golden,
    shipped,
)
from ai_engine_lab.validation.judging import Expectation, judge
from ai_engine_lab.validation.ratings import agreement
from ai_engine_lab.validation.recommendations import recommend
from ai_engine_lab.validation.sheets import SheetError, read_ratings, read_sheet
from ai_engine_quality.cli import (
    WIDE,
    console,
    json_option,
    plain_table,
    print_json,
    progress,
)
from ai_engine_quality.palette import BROKEN, FINE
from ai_engine_quality.toolkit import Unreachable, parse_duration, printable

if TYPE_CHECKING:
    from ai_engine_lab.validation.report import Report, Section

EXIT_CODES = {Expectation.MET: 0, Expectation.MISSED: 1, Expectation.UNDECIDED: 3}
VERDICT_STYLES = {
    Expectation.MET: FINE,
    Expectation.MISSED: f"bold {BROKEN}",
    Expectation.UNDECIDED: "dim",
}

DEFAULT_WINDOW = Window("24h", 86_400.0)
"""Of a Prometheus; a record file is read as a whole."""

OUTPUTS = ("markdown", "html", "write_golden", "as_json")
"""Options that don't change what a report says."""

file_option = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Compare test calls with what is expected of them.")
@click.option("--records", type=file_option, help="Judge the calls of this record file.")
@click.option("--prometheus", metavar="URL", help="Judge the calls that this Prometheus has seen.")
@click.option("--since", metavar="TIME", help="Real calls: the last so much time, e.g. 24h or 7d.")
@click.option("--sheet", type=file_option, help="Real calls: a CSV of call_id,scenario[,provider].")
@click.option(
    "--profile",
    type=click.Choice(["healthy", "measured", "both"]),
    default="both",
    show_default=True,
    help="Of the reference engine. With both, the healthy one decides the exit code.",
)
@click.option("--seed", type=int, help="Of the reference engine: other calls than the usual ones.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[@AFTER]",
    help="Place the calls with a fault, e.g. jitter; may be repeated.",
)
@click.option("--no-faults", is_flag=True, help="Leave out the part that injects every fault.")
@click.option("--ratings", type=file_option, help="People's ratings: a CSV of call_id,rating.")
@click.option(
    "--real-calls",
    type=file_option,
    metavar="FILE",
    help="What `make real-calls` found (its summary.md): the first part of the Markdown report.",
)
@click.option("--golden", type=file_option, help="Compare with this golden run.")
@click.option(
    "--write-golden",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write what was measured as a golden run.",
)
@click.option(
    "--markdown", type=file_option, default=Path("Validation-Report.md"), show_default=True
)
@click.option("--html", type=file_option, default=Path("Validation-Report.html"), show_default=True)
@json_option
@click.pass_context
def validate(context: click.Context, /, **options: Any) -> None:
    """Hold calls against the test matrix and its four baselines, and write a report.

    Without --records or --prometheus the twenty calls are placed on the reference engine, in
    virtual time. Real calls belong to a row by provider and scenario: a --sheet says which calls
    are test calls and of what; without one, scenarios are recognised by what was measured.

    Exit code 0: every expectation holds. 1: one was missed, or a row is worse than its golden
    run. 3: nothing was missed, but not everything could be judged. 2: something that was given
    can't be used.
    """
    run = _Validation(_Options(**options), _command(context))
    try:
        report = run.report()
        run.write(report)
    except (SheetError, GoldenError) as error:
        fail(str(error))
    except Unreachable as error:
        fail(f"{error}; name a running Prometheus, such as http://127.0.0.1:9090")
    except ImportError as error:
        fail(f"{error}; a report needs, from a checkout: pip install . './lab[validate]'")
    context.exit(EXIT_CODES[report.verdict])


@dataclass(frozen=True)
class _Options:
    """What the command was told."""

    records: Path | None
    prometheus: str | None
    since: str | None
    sheet: Path | None
    profile: str
    seed: int | None
    faults: tuple[str, ...]
    no_faults: bool
    ratings: Path | None
    real_calls: Path | None
    golden: Path | None
    write_golden: Path | None
    markdown: Path
    html: Path
    as_json: bool

    @property
    def real(self) -> bool:
        """Whether real calls are judged."""
        return self.records is not None or self.prometheus is not None

    def check(self) -> None:
        """Refuse what does not go together."""
        if self.records is not None and self.prometheus is not None:
            raise click.UsageError("--records or --prometheus, not both")
        for name in ("since", "sheet", "ratings"):
            if getattr(self, name) is not None and not self.real:
                raise click.UsageError(f"--{name} is about real calls: --records or --prometheus")
        if self.real and (self.faults or self.seed is not None):
            raise click.UsageError("--fault and --seed are about the reference engine")
        if self.golden is not None and not self.real and self.profile == "both":
            raise click.UsageError("--golden is about one set of calls: add --profile healthy")


class _Validation:
    """One run of the command."""

    def __init__(self, options: _Options, command: str) -> None:
        options.check()
        self._options = options
        self._command = command
        self._matrix = load_matrix()
        self._out = console(stderr=options.as_json)
        self._window = _window(options.since)

    def report(self) -> Report:
        from ai_engine_lab.validation.report import Report  # noqa: PLC0415  # needs an extra

        options = self._options
        ratings = read_ratings(options.ratings) if options.ratings else None
        real_calls = _text_of(options.real_calls) if options.real_calls else None
        sections = (self._real_section(),) if options.real else tuple(self._reference_sections())
        return Report(
            sections=sections,
            matrix=self._matrix,
            command=self._command,
            faults=tuple(self._fault_findings()) if self._shows_faults else (),
            real_calls=real_calls,
            agreement=None if ratings is None else agreement(sections[0].judgement.calls, ratings),
        )

    def write(self, report: Report) -> None:
        """Write the files, and print what is in them in short."""
        from ai_engine_lab.validation import report as reports  # noqa: PLC0415  # needs an extra

        options = self._options
        for path, text in (
            (options.markdown, reports.to_markdown(report)),
            (options.html, reports.to_html(report)),
        ):
            _write(path, text)
        if options.write_golden is not None:
            for section in report.sections:
                text = golden_text(section.judgement)
                _write(options.write_golden / f"{section.name}.json", text)
        if options.as_json:
            print_json(reports.to_dict(report))
            return
        for section in report.sections:
            _print_section(self._out, section)
        self._out.print(f"Report: {options.markdown} and {options.html}", soft_wrap=True)

    # The reference engine.

    @property
    def _shows_faults(self) -> bool:
        options = self._options
        return not (
            options.real or options.no_faults or options.faults or options.profile != "both"
        )

    def _reference_sections(self) -> Iterator[Section]:
        profiles = ["healthy", "measured"]
        if self._options.profile != "both":
            profiles = [self._options.profile]
        for name in profiles:
            golden, compared = self._reference_golden(name)
            found = self._placed(name)
            yield self._section(
                name,
                f"Reference engine, profile {name}",
                found,
                golden,
                compared,
                decides=name == "healthy" or len(profiles) == 1,
            )

    def _placed(self, name: str) -> Found:
        options = self._options
        total = sum(row.calls for row in self._matrix.rows)
        with progress(self._out, f"placing calls, {name}", total) as advance:
            return validation_calls.placed(name, options.seed, options.faults, advance)

    def _reference_golden(self, name: str) -> tuple[Golden | None, str]:
        if self._options.golden is not None:
            return read_golden(self._options.golden), f"`{self._options.golden}`"
        if self._options.seed is not None:
            return None, ""
        return shipped(name), f"the golden run that ships, `validation/golden/{name}.json`"

    def _fault_findings(self) -> Iterator[FaultFinding]:
        reference = reference_engine()
        from ai_engine_lab.validation.placed import fault_calls  # noqa: PLC0415

        seed = reference.DEFAULT_SEED if self._options.seed is None else self._options.seed
        with progress(self._out, "injecting faults", len(reference.FAULTS_OF_A_CALL)) as advance:
            without = fault_calls(None, seed)
            for fault in reference.FAULTS_OF_A_CALL.values():
                told = (fault.name, fault.title, fault.factors)
                yield find(told, fault_calls(fault, seed), without, self._matrix)
                advance()

    # Real calls.

    def _real_section(self) -> Section:
        options = self._options
        golden = read_golden(options.golden) if options.golden else None
        sheet = read_sheet(options.sheet, self._matrix) if options.sheet else None
        if options.records is not None:
            found = validation_calls.recorded(options.records, self._window)
        else:
            window = self._window or DEFAULT_WINDOW
            found = validation_calls.scraped(options.prometheus or "", window)
        found = validation_calls.matched(found, sheet, self._matrix)
        return self._section(
            "calls", "Real calls", found, golden, f"`{options.golden}`", decides=True
        )

    def _section(
        self,
        name: str,
        title: str,
        found: Found,
        golden: Golden | None,
        compared: str,
        *,
        decides: bool,
    ) -> Section:
        from ai_engine_lab.validation.report import Section  # noqa: PLC0415  # needs an extra

        matrix = self._matrix
        judgement = judge(found.calls, matrix, found.measured)
        worse = differences(judgement, golden, matrix.tolerance_points) if golden else ()
        return Section(
            name=name,
            title=title,
            about=found.about,
            judgement=judgement,
            golden=compared if golden else None,
            differences=tuple(worse),
            recommendations=tuple(recommend(judgement, matrix)),
            notes=found.notes,
            decides=decides,
        )


def _window(text: str | None) -> Window | None:
    try:
        return None if text is None else Window(text, parse_duration(text))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from error


def _command(context: click.Context) -> str:
    """Return the command as it was given, without what only says where results go."""
    words = ["ai-engine-quality", "validate"]
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in OUTPUTS or context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value, option = context.params[name], parameter.opts[0]
        if value is True:
            words.append(option)
        else:
            for item in value if isinstance(value, tuple) else (value,):
                words += [option, str(item)]
    return printable(shlex.join(words)).replace("`", "'")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"--real-calls: {path} can't be read ({error}); `make real-calls` writes it")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{path} can't be written ({error.strerror}); name another file")


def _print_section(out: Console, section: Section) -> None:
    wide = out.width >= WIDE
    table = plain_table("provider", "scenario", "expected", "calls", "scores", "")
    table.title = section.title
    if wide:
        table.add_column("why")
    below: list[str] = []
    from ai_engine_lab.validation.report import scores  # noqa: PLC0415  # needs an extra

    for row in section.judgement.rows:
        scenario = f"{row.row.seconds:g} s {row.row.title}"
        why = ", ".join(f"{found.cause.name} ({found.calls})" for found in row.causes)
        if why and not wide:
            below.append(f"{row.row.provider}, {scenario}: {why}")
        table.add_row(
            row.row.provider,
            scenario,
            f"> {row.row.score_above}",
            f"{len(row.calls)} of {row.row.calls}",
            scores(row),
            _verdict(row.verdict),
            *([why] if wide else []),
        )
    out.print(table)
    out.print()
    for reason in below:
        out.print(reason)
    if below:
        out.print()
    for baseline in section.judgement.baselines:
        line = Text(f"{baseline.title} {baseline.target}: {baseline.measured}, ")
        out.print(line.append(_verdict(baseline.verdict)))
    for found in section.differences:
        out.print(f"worse than golden: {found.row}: {found.cause.text}")
    for note in section.notes:
        out.print(printable(note), soft_wrap=True)
    out.print()


def _verdict(verdict: Expectation) -> Text:
    return Text(verdict.value, style=VERDICT_STYLES[verdict])
