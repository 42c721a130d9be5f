"""What was heard, in the library's terms, and beside what the library said."""

from __future__ import annotations

import dataclasses
import json

import pytest
from ai_engine_lab.real_calls import report
from ai_engine_lab.real_calls.__main__ import measure_again
from ai_engine_lab.real_calls.costing import Cost
from ai_engine_lab.real_calls.judging import Said, compare, figures, said_of, summary_of
from ai_engine_lab.real_calls.report import Results
from ai_engine_lab.real_calls.scenario import Scenario
from ai_engine_lab.real_calls.truth import measure

import ai_engine_quality as aeq

SCENARIO = Scenario("made", "A made call", ())
SAID = Said(
    score=100, reason=None, latencies=(0.4,), unanswered=(), barge_ins=0, reactions=(),
    hole_seconds=0.0, lost=None, first_word=None, evidence="",
)  # fmt: skip


@pytest.fixture
def call(recorder, make_voice):
    """Return a function that makes a call of one answered turn, with a hole of so many seconds."""

    def make(hole=0.0, wait=0.8):
        sound = make_voice(6.0, 1)
        greeting = make_voice(3.0, 2)
        recorder.answer(-1, 100.5, greeting)
        recorder.hear(100.5, greeting)
        ended = recorder.words(0, 105.0)
        recorder.answer(0, ended + wait, sound)
        after = recorder.hear(ended + wait, sound[:24_000])
        recorder.hear(after + hole, sound[24_000:])
        return recorder.recording, measure(recorder.recording)

    return make


def test_a_healthy_call_is_due_an_excellent_score(call):
    """What was heard of a healthy call, told to the policy, is excellent."""
    recording, truth = call()
    assert compare(SCENARIO, recording, truth, SAID).due.band is aeq.Band.EXCELLENT


def test_holes_are_told_as_fillers(call):
    """Two seconds of holes are a hundred fillers in one run, and no good call."""
    recording, truth = call(hole=2.0)
    summary = summary_of(truth, recording)
    assert summary.underflows == pytest.approx(100, abs=2)
    assert summary.underflow_episodes == 1
    assert compare(SCENARIO, recording, truth, SAID).due.score < 60


@pytest.mark.parametrize(("said", "right"), [(59, True), (49, True), (70, False), (100, False)])
def test_a_score_is_right_within_ten_points(call, said, right):
    """A score is judged by that of the same policy of what was heard."""
    recording, truth = call(hole=2.0)
    one = compare(SCENARIO, recording, truth, dataclasses.replace(SAID, score=said))
    assert one.due.score == 54
    assert one.right is right
    assert one.difference == said - 54


def test_no_record_is_never_right(call):
    """A call that the library has no record of counts as wrong."""
    recording, truth = call()
    one = compare(SCENARIO, recording, truth, None)
    assert not one.right
    assert one.difference is None


def test_errors_are_told_minus_heard(call):
    """Latencies are compared turn by turn, and not at all where their number differs."""
    recording, truth = call()
    one = compare(SCENARIO, recording, truth, SAID)
    assert one.latency_errors == pytest.approx([-0.4], abs=0.04)
    other = dataclasses.replace(SAID, latencies=(0.4, 0.5))
    assert compare(SCENARIO, recording, truth, other).latency_errors == ()
    (latency, *_) = figures([one])
    assert latency.worst == pytest.approx(0.4, abs=0.04)


def test_what_was_said_is_read_from_the_record_file(tmp_path):
    """A record of the library's own gives its score, its latencies and its fillers as seconds."""
    monitor = aeq.QualityMonitor(records=aeq.RecordFile(tmp_path / "records.jsonl"), log=False)
    monitor.call_started("7.1", provider="deepgram")
    monitor.turn_response("7.1", 0.5)
    monitor.frames_sent("7.1", 500)
    monitor.underflow("7.1", 10)
    score = monitor.call_ended("7.1", duration=40.0)
    monitor.close()
    said = said_of(tmp_path / "records.jsonl")["7.1"]
    assert said.score == score.score
    assert said.latencies == (0.5,)
    assert said.hole_seconds == pytest.approx(0.2)
    assert said_of(tmp_path / "none.jsonl") == {}


def test_the_report_lays_both_beside_each_other(call, tmp_path):
    """The report, its pictures and its JSON name each call with what was heard and said."""
    recording, truth = call(hole=2.0)
    results = Results([compare(SCENARIO, recording, truth, SAID)])
    results.cost = Cost(2, 120.0, 3, without=9.0, with_library=9.045, spread=0.02)
    text = report.write(results, tmp_path).read_text()
    assert "| made: A made call |" in text
    assert "| 100 | 54 | wrong |" in text
    assert "+0.5 %" in text
    assert "<svg" in (tmp_path / "pictures" / "made.svg").read_text()
    stored = json.loads((tmp_path / "results.json").read_text())
    assert stored["calls"][0]["difference"] == 46
    assert "Asterisk is a stand-in." in text


def test_a_run_that_is_measured_again_keeps_what_only_the_run_knew(tmp_path):
    """Which Asterisk it was, and how late the rig's own clock was."""
    (tmp_path / "results.json").write_text('{"worst_loop_lag": 0.03, "asterisk": "22.8.0"}')
    again = measure_again([SCENARIO], tmp_path)
    assert (again.asterisk, again.worst_loop_lag) == ("22.8.0", 0.03)
    assert measure_again([SCENARIO], tmp_path / "elsewhere").asterisk == "a stand-in"
