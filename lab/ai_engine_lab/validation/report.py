"""The report: everything that was found, as Markdown, as one HTML file with plots, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from ai_engine_lab.basics.matrix import Matrix
from ai_engine_lab.validation import plots
from ai_engine_lab.validation.calls import JudgedCall
from ai_engine_lab.validation.fault_findings import FaultFinding
from ai_engine_lab.validation.golden import UNKNOWN_POLICY, Difference, policy_of
from ai_engine_lab.validation.judging import Expectation, Judgement, RowVerdict, together
from ai_engine_lab.validation.measures import mean_points
from ai_engine_lab.validation.ratings import FEW_RATINGS, Agreement
from ai_engine_lab.validation.recommendations import Recommendation
from ai_engine_quality import DEFAULT_POLICY, Band
from ai_engine_quality.toolkit import FACTORS

WORST_CALLS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One set of calls: what was judged, and what follows from it."""

    name: str
    """``healthy``, ``measured`` or ``calls``."""
    title: str
    about: str
    """What the calls are, in a sentence or two."""
    judgement: Judgement
    golden: str | None
    """What it was compared with, in words; None: with nothing."""
    differences: tuple[Difference, ...]
    recommendations: tuple[Recommendation, ...]
    notes: tuple[str, ...] = ()
    decides: bool = True
    """Whether this section counts in the report's verdict."""

    @property
    def verdict(self) -> Expectation:
        """Whether its expectations hold, and nothing has got worse."""
        worse = [Expectation.MISSED] if self.differences else []
        return together([self.judgement.verdict, *worse])

    @property
    def worst(self) -> tuple[JudgedCall, ...]:
        """The calls with the lowest scores."""
        scored = [call for call in self.judgement.calls if call.points is not None]
        return tuple(sorted(scored, key=lambda call: (call.points, call.call_id))[:WORST_CALLS])

    @property
    def bands(self) -> dict[str, int]:
        """How many calls are in each band, and how many were not scored."""
        found = Counter(
            "not scored" if call.points is None else DEFAULT_POLICY.band(call.points).value
            for call in self.judgement.calls
        )
        return {name: found[name] for name in (*(band.value for band in Band), "not scored")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole validation."""

    sections: tuple[Section, ...]
    matrix: Matrix
    command: str
    """What makes this report."""
    faults: tuple[FaultFinding, ...] = ()
    agreement: Agreement | None = None
    real_calls: str | None = None
    """Markdown: what calls on the real engine showed."""

    @property
    def verdict(self) -> Expectation:
        """One verdict on the sections that decide."""
        return together(section.verdict for section in self.sections if section.decides)


def to_markdown(report: Report) -> str:
    """Return the report in Markdown."""
    return _environment().get_template("report.md.jinja").render(**_context(report))


def to_html(report: Report) -> str:
    """Return the report as one HTML file, which shows its plots offline."""
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            **_context(report),
            plots={
                section.name: list(plots.plots(section.judgement, report.matrix))
                for section in report.sections
            },
            ratings_plot=plots.ratings_plot(report.agreement)
            if report.agreement and report.agreement.calls
            else None,
        )
    )


def to_dict(report: Report) -> dict[str, Any]:
    """Return the report in plain JSON types."""
    return {
        "verdict": report.verdict,
        "sections": [_section_dict(section) for section in report.sections],
        "faults": [
            {
                "name": fault.name,
                "factors": fault.factors,
                "missed": _named(fault.missed),
                "worse_only": _named(fault.fell),
            }
            for fault in report.faults
        ],
        "ratings": None if report.agreement is None else asdict(report.agreement),
    }


def _named(rows: Sequence[tuple[str, Sequence[Any]]]) -> dict[str, list[str]]:
    return {key: [cause.name for cause in causes] for key, causes in rows}


def _section_dict(section: Section) -> dict[str, Any]:
    judgement = section.judgement
    return {
        "name": section.name,
        "about": section.about,
        "decides": section.decides,
        "verdict": section.verdict,
        "rows": [_row_dict(row) for row in judgement.rows],
        "baselines": [asdict(baseline) for baseline in judgement.baselines],
        "measures": asdict(judgement.measures),
        "bands": section.bands,
        "unmatched": [call.call_id for call in judgement.unmatched],
        "golden": section.golden,
        "worse": [
            {
                "row": found.row,
                "name": found.cause.name,
                "text": found.cause.text,
                "points": found.points,
            }
            for found in section.differences
        ],
        "recommendations": [asdict(found) for found in section.recommendations],
        "notes": section.notes,
    }


def _row_dict(row: RowVerdict) -> dict[str, Any]:
    return {
        "provider": row.row.provider,
        "scenario": row.row.scenario,
        "expected_above": row.row.score_above,
        "planned": row.row.calls,
        "verdict": row.verdict,
        "causes": [
            {"name": found.cause.name, "text": found.cause.text, "calls": found.calls}
            for found in row.causes
        ],
        "calls": [
            {
                "call_id": call.call.call_id,
                "score": call.call.points,
                "scenario_by": call.call.told_by,
                "met": call.met,
                "causes": [cause.name for cause in call.causes],
            }
            for call in row.calls
        ],
    }


def _context(report: Report) -> dict[str, Any]:
    return {
        "report": report,
        "factors": FACTORS,
        "mean_points": lambda row: mean_points([call.call for call in row.calls]),
        "scored_by": scored_by,
        "few_ratings": FEW_RATINGS,
        "weights": DEFAULT_POLICY.weights,
        "explained": explained,
        "scores": scores,
    }


def scores(row: RowVerdict) -> str:
    """Return the scores of a row's calls: all of a few, else their range and mean."""
    points = sorted(call.call.points for call in row.calls if call.call.points is not None)
    if not points:
        return "-"
    if len(points) <= 6:
        return ", ".join(map(str, points))
    return f"{points[0]} to {points[-1]}, mean {sum(points) / len(points):.1f}"


def scored_by(judgement: Judgement) -> str:
    """Return the policy that the calls were scored by, as a sentence."""
    policy = policy_of(judgement)
    if policy == UNKNOWN_POLICY:
        return "By which policy they were scored is not told."
    return f"Scored by policy {policy}."


def explained(call: JudgedCall) -> str:
    """Return why a call has its score."""
    return call.score.explain() if call.score else f"{call.points}; why, only its record can tell"


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ai_engine_lab.validation"),
        autoescape=select_autoescape(["html.jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _cell
    environment.filters["svg"] = Markup
    return environment


def _cell(text: object) -> str:
    """Return text that can stand in a cell of a Markdown table, whatever a call is named."""
    plain = "".join(char if char.isprintable() else "\ufffd" for char in str(text))
    return plain.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
