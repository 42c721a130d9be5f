"""The report's page and its Markdown: harmless whatever they hold, and readable in a browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree.ElementTree import tostring

import pytest
from browser import laid_out
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from some_calls import HOSTILE, write_week

import ai_engine_quality as aeq
from ai_engine_quality.core.course import MAX_SPOKEN
from ai_engine_quality.report.digest import digest
from ai_engine_quality.report.markdown import markdown
from ai_engine_quality.report.markup import tag
from ai_engine_quality.report.page import page

ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "main", "section", "article", "header"),
    *("h1", "h2", "h3", "p", "span", "b", "div", "ul", "li", "table", "thead", "tbody", "tr"),
    *("th", "td", "details", "summary", "pre"),
}


@pytest.fixture(scope="module")
def week(tmp_path_factory):
    """Return a week's record file, with a call id that would harm a careless page."""
    return write_week(tmp_path_factory.mktemp("week") / "calls.jsonl")


def elements(text):
    """Return (name, attributes) of every element of a page."""
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, name, attributes):
            found.append((name, dict(attributes)))

    Reader().feed(text)
    return found


class TestTheCommand:
    def test_it_writes_a_page(self, run, week, tmp_path):
        """By default HTML, with every call counted, and the command says where."""
        done = run("report", week, "-o", tmp_path / "week.html", "--title", "Week 44")
        assert (done.exit_code, "300 calls" in done.output) == (0, True)
        text = (tmp_path / "week.html").read_text()
        assert "<title>Week 44</title>" in text
        assert "Providers side by side" in text

    def test_markdown_by_the_name_and_on_standard_output(self, run, week, tmp_path):
        """A name that ends in .md, and standard output, get Markdown with the same calls."""
        assert run("report", week, "-o", tmp_path / "week.md").exit_code == 0
        printed = run("report", week, "-o", "-").output
        assert (tmp_path / "week.md").read_text() == printed
        assert printed.startswith("# Call quality\n")
        assert printed.count("\n### ") == 10

    def test_conditions_choose_the_calls(self, run, week):
        """A report can be of one provider alone."""
        found = json.loads(run("report", week, "--provider", "deepgram", "--json").output)
        assert list(found["providers"]) == ["deepgram"]
        assert 0 < found["all"]["calls"] < 300

    def test_without_a_call_there_is_no_report(self, run, week, tmp_path):
        """Exit code 1, and no file."""
        output = tmp_path / "none.html"
        assert run("report", week, "--provider", "nobody", "-o", output).exit_code == 1
        assert not output.exists()

    def test_a_file_that_can_not_be_written_is_an_error(self, run, week, tmp_path):
        """The error names the file and the option."""
        done = run("report", week, "-o", tmp_path / "no" / "such.html")
        assert done.exit_code == 1
        assert "--output" in done.output


class TestItIsHarmless:
    def test_a_hostile_name_stays_text(self, run, week, tmp_path):
        """A call id made of markup is shown as it is, and makes no element."""
        run("report", week, "-o", tmp_path / "week.html", "--worst", 300)
        text = (tmp_path / "week.html").read_text()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert {name for name, _ in elements(text)} <= ALLOWED

    @given(data=st.data(), name=st.text(max_size=40))
    def test_whatever_names_are_the_elements_are_the_same(self, summaries, data, name):
        """Of any calls with any title, the page has only its own elements, and loads nothing."""
        calls = [aeq.score(s) for s in data.draw(st.lists(summaries, min_size=1, max_size=4))]
        text = page(digest(calls, 4), name)
        for element, attributes in elements(text):
            assert element in ALLOWED
            assert not {"src", "href", "srcset", "action"} & attributes.keys()
            assert not [key for key in attributes if key.startswith("on")]
        assert "url(" not in text
        assert "@import" not in text
        assert "default-src 'none'" in text

    @given(text=st.text(), value=st.text())
    def test_a_tree_escapes_what_it_is_given(self, text, value):
        """Text and attributes come out of an element as they went in."""
        written = tostring(tag("p", text, title=value), encoding="unicode", method="html")
        read = []

        class Reader(HTMLParser):
            def handle_starttag(self, name, attributes):
                read.append((name, dict(attributes)["title"]))

            def handle_data(self, data):
                read.append(data)

        Reader().feed(written)
        clean = text.replace("\r\n", "\n").replace("\r", "\n")
        assert [part for part in read if isinstance(part, tuple)] == [("p", value)]
        assert "".join(p for p in read if isinstance(p, str)).replace("\r", "\n") == clean

    def test_markdown_stays_text_too(self, run, week):
        """A hostile call id makes no markup in Markdown: no HTML, no further cell, no emphasis."""
        text = run("report", week, "-o", "-", "--worst", 300).output
        (heading,) = [
            token.content
            for token in MarkdownIt().parse(text)
            if token.type == "inline" and "alert" in token.content and token.level == 1
        ][:1]
        rendered = MarkdownIt().render(heading)
        assert "<script>" not in rendered
        assert "<em>" not in rendered
        shown = re.sub(r"<[^>]*>", "", rendered)
        assert "&lt;script&gt;alert(1)" in shown
        assert HOSTILE[-3:] in shown

    @given(text=st.text())
    def test_what_no_file_can_hold_is_made_visible(self, text):
        """Half a character, or one that steers a terminal, is replaced: a report can be written."""
        found = digest([aeq.score(aeq.CallSummary(call_id=f"x\ud800\x1b{text}"))], 1)
        for written in (page(found, text + "\udfff"), markdown(found, text + "\udfff")):
            written.encode()
            assert "\x1b" not in written

    def test_the_same_calls_make_the_same_report(self, week):
        """Neither the hour of writing nor chance is in it: it can be compared."""
        calls = [c for c in aeq.read_records(week) if isinstance(c, aeq.CallScore)]
        found = digest(calls, 5)
        assert page(found, "x") == page(digest(calls, 5), "x")
        assert markdown(found, "x") == markdown(digest(calls, 5), "x")


COURSE = {
    "agent": (1.0, 10.0, 30.0, 55.0),
    "hole": (40.0, 42.0),
    "caller": (12.0, 20.0),
    "wait": (20.0, 30.0),
    "stall": (57.0, 58.0),
}


@pytest.fixture(scope="module")
def timed():
    """Return a call of a hundred seconds of which it is known when what happened."""
    heard = aeq.HeardCall(factors=("latency",), course=COURSE)
    return aeq.score(
        aeq.CallSummary(
            call_id="1.1", duration=100.0, turn_latencies=(10.0, 0.5, 0.5), frames_sent=2_000,
            underflows=0, heard=heard,
        )
    )  # fmt: skip


class TestTimelines:
    def test_each_stretch_is_where_it_was(self, timed):
        """A box's place and width are the stretch's share of the call; its title says the rest."""
        boxes = {
            attributes["title"]: attributes["style"]
            for name, attributes in elements(page(digest([timed], 1), "x"))
            if name == "div" and attributes.get("style", "").startswith("left:")
        }
        assert len(boxes) == 6
        assert boxes["0:20 caller waits, 10 s"].startswith("left:20.000%;width:10.000%;")
        assert boxes["0:40 hole in its speech, 2 s"].startswith("left:40.000%;width:2.000%;")
        assert boxes["0:57 nothing comes from the caller, 1 s"].startswith("left:57.000%;")

    def test_words_say_when(self, timed):
        """Markdown names the times of long waits and of what went wrong, in their order."""
        text = markdown(digest([timed], 1), "x")
        (line,) = [line for line in text.splitlines() if line.startswith("* when: ")]
        assert line == (
            "* when: 0:20 the caller waited 10 s; 0:40 a hole in the agent's speech of 2 s; "
            "0:57 nothing from the caller for 1 s"
        )

    def test_a_call_without_times_has_sums(self, run, week, tmp_path):
        """As told, or recorded by an earlier version: no line pretends to know when."""
        run("report", week, "-o", tmp_path / "week.html")
        text = (tmp_path / "week.html").read_text()
        assert 'class="course"' not in text
        assert 'class="strip"' in text

    def test_a_long_call_says_where_its_speech_ends(self, timed):
        """What isn't kept isn't drawn as silence: the page says until when it is."""
        times = tuple(float(n) for n in range(2 * MAX_SPOKEN))
        heard = replace(timed.summary.heard, course={"agent": times})
        long = aeq.score(replace(timed.summary, duration=4_000.0, heard=heard))
        assert "speech is kept until 3:59" in page(digest([long], 1), "x")


@pytest.mark.slow
@pytest.mark.system("chromium")
@pytest.mark.parametrize("width", [1_280, 800])
class TestInABrowser:
    def test_a_timeline_is_true_in_pixels(self, timed, tmp_path, width):
        """Ten seconds of a hundred are a tenth of the line, wherever they are, and in its time."""
        output = tmp_path / "timed.html"
        output.write_text(page(digest([timed], 1), "x"))
        line = laid_out(output, tmp_path, width, ".track")["boxes"][0]
        boxes = laid_out(output, tmp_path, width, ".track div")["boxes"]
        (wait,) = [box for box in boxes if "caller waits" in box["title"]]
        assert wait["width"] == pytest.approx(line["width"] / 10, abs=1.0)
        assert wait["left"] - line["left"] == pytest.approx(line["width"] / 5, abs=1.0)
        assert all(box["right"] <= line["right"] + 1 for box in boxes)

    def test_nothing_sticks_out_and_nothing_is_loaded(self, run, week, tmp_path, width):
        """At this width a real browser shows each part within the window, and asks nobody."""
        output = tmp_path / "week.html"
        run("report", week, "-o", output)
        found = laid_out(output, tmp_path, width, "section, .tile, .call, h3, .row, td")
        assert found["requests"] == 0
        assert found["wide"] <= found["inner"]
        assert len(found["boxes"]) > 60
        for box in found["boxes"]:
            assert box["width"] > 20, box
            assert box["height"] > 10, box
            assert box["left"] >= 0, box
            assert box["right"] <= found["inner"], box

    def test_the_charts_are_as_high_as_their_numbers(self, run, week, tmp_path, width):
        """Boxes of turns are as high as their waits: twice the seconds, twice the pixels."""
        output = tmp_path / "week.html"
        run("report", week, "-o", output, "--worst", 1)
        turns = laid_out(output, tmp_path, width, ".turn")["boxes"]
        boxes = laid_out(output, tmp_path, width, ".turn .box")["boxes"]
        seconds = [float(re.search(r"([\d.]+) s$", turn["title"])[1]) for turn in turns]
        assert len(seconds) == len(boxes) > 2
        scale = boxes[0]["height"] / seconds[0]
        for box, wait in zip(boxes, seconds, strict=True):
            assert box["height"] == pytest.approx(scale * wait, abs=1.0)
