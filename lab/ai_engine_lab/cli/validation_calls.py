"""Where ``validate`` gets its calls: placed on the reference engine, recorded, or scraped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import click

from ai_engine_lab.basics.matrix import Matrix
from ai_engine_lab.validation.calls import JudgedCall
from ai_engine_lab.validation.from_prometheus import read_prometheus
from ai_engine_lab.validation.matching import by_recognition, by_sheet
from ai_engine_lab.validation.measures import Measures
from ai_engine_lab.validation.sheets import SheetLine
from ai_engine_quality.cli import stored_scores
from ai_engine_quality.toolkit import Prometheus, plural, printable

UNUSABLE = 2
"""Exit code: what was given can't be used; the same as of wrong use, and not that of a miss."""


@dataclass(frozen=True, slots=True)
class Window:
    """The last so much time."""

    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """Calls from a source, and what the source can say about them."""

    calls: Sequence[JudgedCall]
    about: str
    notes: tuple[str, ...] = ()
    measured: Measures | None = None
    """What it knows of them together, where it can't tell them one by one."""


class UnusableInput(click.ClickException):
    """An error whose exit code is not that of a missed expectation."""

    exit_code = UNUSABLE


def fail(message: str) -> NoReturn:
    """End the command: what was given can't be used."""
    raise UnusableInput(printable(message))


def reference_engine() -> Any:
    """Return the reference engine, which needs an extra."""
    try:
        from ai_engine_lab import engine as found  # noqa: PLC0415
    except ImportError as error:
        fail(str(error))
    return found


def placed(
    profile: str, seed: int | None, faults: Sequence[str], advance: Callable[[], None]
) -> Found:
    """Place the matrix's calls on the reference engine; ``advance`` is called after each."""
    reference = reference_engine()
    from ai_engine_lab.engine import virtual_run  # noqa: PLC0415
    from ai_engine_lab.validation import placed as on_reference  # noqa: PLC0415

    try:
        planned = [reference.PlannedFault.parse(text) for text in faults]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fault") from error
    calls = on_reference.place_matrix(
        profile=reference.PROFILES[profile],
        seed=reference.DEFAULT_SEED if seed is None else seed,
        faults=[
            replace(fault, seconds=fault.seconds or virtual_run.FAULT_SECONDS) for fault in planned
        ],
        on_progress=lambda _: advance(),
    )
    about = f"{_PROFILES[profile]} Speech: {_SPEECH[reference.load_speech().source]}."
    if planned:
        about += f" With the fault {', '.join(fault.name for fault in planned)}."
    return Found(calls, about)


_PROFILES = {
    "healthy": "Twenty calls on an engine that does as it should. The profile is tuned to meet the "
    "matrix: that it does shows that the chain works, not that the score is right.",
    "measured": "The same twenty calls on an engine whose latencies and underflows are drawn from "
    "records of real calls of October 2025 to July 2026. The matrix expects a healthy deployment, "
    "so it is known to miss; what it misses, and why, is what this part is for.",
}

_SPEECH = {
    "debian-prompts": "telephone prompts of Debian's asterisk-core-sounds-en-wav",
    "synthesised": "synthesised",
}


def recorded(path: Path, window: Window | None) -> Found:
    """Read the calls of a record file; of a call that is there twice the later one."""
    try:
        stored = list(stored_scores(path))
    except click.ClickException as error:
        fail(error.message)
    if not stored:
        fail(f"{path} holds no call; name the record file that the engine writes")
    when, notes = "", []
    if window is not None:
        when = f" of the last {window.text}"
        start = time.time() - window.seconds
        if undated := sum(call.summary.started_at is None for call in stored):
            notes.append(f"{plural(undated, 'call')} had no date and were left out.")
        stored = [call for call in stored if (call.summary.started_at or 0.0) >= start]
        if not stored:
            fail(f"{path} holds no call{when}; ask for a longer --since")
    latest = {call.call_id: call for call in stored}
    about = f"{plural(len(latest), 'call')}{when} in the record file `{path}`."
    return Found([JudgedCall.of(call) for call in latest.values()], about, tuple(notes))


def scraped(url: str, window: Window) -> Found:
    """Read the calls whose score a Prometheus has."""
    told = read_prometheus(Prometheus(url), window.seconds, time.time())
    if not told.calls:
        fail(
            f"{url} holds no call's score of the last {window.text}; does it scrape the engine "
            "(its Status > Targets page says), and does the engine show per-call series?"
        )
    calls = plural(len(told.calls), "call")
    about = f"{calls} of the last {window.text} whose score {url} has scraped."
    return Found(told.calls, about, told.notes, told.measures)


def matched(found: Found, sheet: dict[str, SheetLine] | None, matrix: Matrix) -> Found:
    """Return the calls with their scenarios: as a sheet has them, or as they are recognised."""
    if sheet is None:
        calls = by_recognition(found.calls, matrix)
        return replace(found, calls=calls, notes=(*found.notes, _recognition_note(calls)))
    calls = by_sheet(found.calls, sheet)
    notes = [*found.notes, *_sheet_notes(len(sheet), len(calls), len(found.calls))]
    if found.measured is None:
        return replace(found, calls=calls, notes=tuple(notes))
    notes.append("But for the scores, the baselines are about all calls of that time.")
    measured = found.measured.with_scores_of(calls)
    return replace(found, calls=calls, notes=tuple(notes), measured=measured)


def _recognition_note(calls: Sequence[JudgedCall]) -> str:
    recognised = sum(call.told_by is not None for call in calls)
    if all(call.score is None for call in calls):
        return (
            "No --sheet says which calls were test calls, and of what; scores alone can't tell, so "
            "no call was held against a row."
        )
    return (
        f"No --sheet says which calls were test calls, and of what. The scenario of {recognised} "
        f"of {plural(len(calls), 'call')} was recognised by what was measured (barge-ins, the "
        "caller's line, length), which can be wrong."
    )


def _sheet_notes(lines: int, found: int, all_calls: int) -> Iterator[str]:
    if lines > found:
        yield f"{lines - found} of the sheet's {plural(lines, 'call')} are not among those found."
    if all_calls > found:
        yield f"{plural(all_calls - found, 'other call')} are not on the sheet, and were left out."
