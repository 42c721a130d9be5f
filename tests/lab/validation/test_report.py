"""The report's text: complete, safe, and the same each time."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from ai_engine_lab.validation.judging import Expectation, judge
from ai_engine_lab.validation.measures import Measures
from ai_engine_lab.validation.ratings import agreement
from ai_engine_lab.validation.recommendations import recommend
from ai_engine_lab.validation.report import Report, Section, to_dict, to_html, to_markdown


@pytest.fixture
def report_of(matrix):
    """Return a function from calls to a report of them."""

    def of(calls, ratings=None, measured=None, **changes):
        judgement = judge(calls, matrix, measured)
        section = Section(
            name="calls",
            title="Real calls",
            about="Some calls.",
            judgement=judgement,
            golden=None,
            differences=(),
            recommendations=tuple(recommend(judgement, matrix)),
            **changes,
        )
        rated = None if ratings is None else agreement(calls, ratings)
        return Report(
            sections=(section,),
            matrix=matrix,
            command="ai-engine-quality validate",
            agreement=rated,
        )

    return of


class Page(HTMLParser):
    """What a browser would see: tags left open, what would be loaded, the text."""

    VOID = ("meta", "link", "br", "img", "hr", "input")

    def __init__(self, text):
        super().__init__()
        self.open, self.loads, self.text, self.tags = [], [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.loads += [
            value
            for name, value in attrs
            if name in ("src", "href", "xlink:href") and not value.startswith("#")
        ]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_data(self, data):
        self.text += data


def test_the_page_needs_nothing_else(report_of, placed):
    """It is well formed, loads nothing, runs nothing, and has its four plots inside."""
    page = Page(to_html(report_of(placed("measured"))))
    assert page.open == []
    assert page.loads == []
    assert "script" not in page.tags
    assert page.tags.count("svg") == 4


def test_reports_are_the_same_each_time(report_of, placed):
    """The same calls give the same text, plots included, to the last byte."""
    assert to_html(report_of(placed("healthy"))) == to_html(report_of(placed("healthy")))
    assert to_markdown(report_of(placed("healthy"))) == to_markdown(report_of(placed("healthy")))


def test_every_missed_row_is_there_with_its_causes(report_of, placed):
    """Of the measured profile each row that misses has a line for each of its causes."""
    report = report_of(placed("measured"))
    text = to_markdown(report)
    missed = [row for row in report.sections[0].judgement.rows if row.verdict is Expectation.MISSED]
    assert len(missed) == 6
    for row in missed:
        assert row.causes
        for found in row.causes:
            line = f"| {row.row.key} | {found.cause.name} | {found.calls} of {len(row.calls)} | "
            assert line in text


def test_strange_names_can_break_neither_page_nor_table(report_of, make_call):
    """A call id with markup, pipes or control characters is text, in Markdown as in HTML."""
    strange = '<script>alert("1")</script>|x\x1b[31m`'
    call = make_call(strange, turn_latencies=(9.0, 9.0, 9.0))
    report = report_of([call], {strange: 3.0})
    page = Page(to_html(report))
    assert "script" not in page.tags
    assert '<script>alert("1")</script>|x' in page.text
    lines = [line for line in to_markdown(report).splitlines() if "alert(" in line]
    assert len(lines) == 2, "one of the worst calls, and one of the rated"
    line = lines[0]
    assert "<script" not in line
    assert "\x1b" not in line
    assert len(re.findall(r"(?<!\\)\|", line)) == 5


@pytest.mark.parametrize("kind", [to_markdown, to_html])
def test_a_report_of_bare_numbers_says_what_is_unknown(report_of, make_call, kind):
    """Scores without their calls make a report without points or plots of turns, and it says so."""
    bare = replace(make_call(), score=None, provider=None, scenario=None, told_by=None)
    text = kind(report_of([bare], notes=("It tells the scores only.",), measured=Measures(calls=1)))
    for said in (
        "It tells the scores only.",
        "not known",
        "only its record can tell",
        "of no row",
        "but are in the numbers below",
        "By which policy they were scored is not told.",
    ):
        assert said in text
    assert "Points that a call loses" not in text


@pytest.mark.parametrize("kind", [to_markdown, to_html])
def test_a_report_of_nothing_is_one(report_of, kind):
    """Without any call there is still a report, which says that nothing could be judged."""
    assert "not everything could be judged" in kind(report_of([]))


def test_ratings_are_in_it_with_their_correlation(report_of, make_call):
    """People's ratings have a part of their own, with a warning where they are few."""
    calls = [make_call(f"1.{n}", turn_latencies=(0.4 + n,) * 3) for n in range(3)]
    text = to_markdown(report_of(calls, {"1.0": 5, "1.1": 3, "1.2": 1, "9.9": 1}))
    assert "correlation of score and rating is **1.00** over 3 calls" in text
    assert "With fewer than 10 calls it says next to nothing" in text
    assert "Ratings of calls that are not among the scored ones here: 1." in text


def test_it_goes_through_json(report_of, placed):
    """The report for programs is plain JSON, with every call and verdict."""
    found = json.loads(json.dumps(to_dict(report_of(placed("measured")))))
    (section,) = found["sections"]
    assert (found["verdict"], section["verdict"]) == ("missed", "missed")
    assert sum(len(row["calls"]) for row in section["rows"]) == 20
    assert [row["verdict"] for row in section["rows"]].count("missed") == 6
    assert len(section["baselines"]) == 4
