"""Calls, rows and baselines held against the matrix."""

from dataclasses import replace

import pytest
from ai_engine_lab.validation.calls import ToldBy
from ai_engine_lab.validation.judging import Expectation, judge
from ai_engine_lab.validation.measures import Measures


def row_of(judgement, key):
    return next(row for row in judgement.rows if row.row.key == key)


def simple(make_call, matrix, *changes):
    """Judge Deepgram calls of 30 s; return their row."""
    calls = [make_call(f"1.{n}", **change) for n, change in enumerate(changes)]
    return row_of(judge(calls, matrix), "deepgram simple_qa")


def cause_names(row):
    return [found.cause.name for found in row.causes]


def test_a_row_is_met_when_every_call_exceeds_its_score(make_call, matrix):
    """Four calls over 90, as many as planned, meet the row."""
    row = simple(make_call, matrix, {}, {}, {}, {})
    assert (row.verdict, row.causes) == (Expectation.MET, ())


def test_one_call_at_the_expected_score_misses(make_call, matrix):
    """The score must be over the expected one: a call that has just 90 misses its row."""
    row = simple(make_call, matrix, {}, {}, {}, {"turn_latencies": (1.0 - 1e-9,) * 3})
    assert row.calls[3].call.points == 90
    assert row.verdict is Expectation.MISSED
    assert [(found.cause.name, found.calls) for found in row.causes] == [("latency", 1)]


def test_too_few_calls_are_undecided(make_call, matrix):
    """Three good calls of four planned are no proof, and no call at all is none either."""
    assert simple(make_call, matrix, {}, {}, {}).verdict is Expectation.UNDECIDED
    assert simple(make_call, matrix).verdict is Expectation.UNDECIDED


def test_a_miss_outweighs_missing_calls(make_call, matrix):
    """A bad call misses its row, however few there are."""
    row = simple(make_call, matrix, {"turn_latencies": (4.0, 4.0, 4.0)})
    assert row.verdict is Expectation.MISSED


def test_a_call_without_a_score_misses(make_call, matrix):
    """A test call that could not be scored does not show what its row expects."""
    unobserved = {"turn_latencies": None, "frames_sent": None, "underflows": None}
    row = simple(make_call, matrix, {}, {}, {}, unobserved)
    assert row.verdict is Expectation.MISSED
    assert "not_scored" in cause_names(row)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"duration": 14.9}, "cut_short"),
        ({"turn_latencies": (0.4,)}, "few_turns"),
    ],
)
def test_a_scenario_that_did_not_take_place_misses(make_call, matrix, changes, cause):
    """A call that ended early, or hardly had a turn, misses whatever its score."""
    row = simple(make_call, matrix, {}, {}, {}, changes)
    assert row.calls[3].call.points > 90
    assert (row.verdict, cause_names(row)) == (Expectation.MISSED, [cause])


def test_a_barge_in_test_without_a_barge_in_misses(make_call, matrix):
    """Nobody interrupted the agent, so nothing was tested."""
    call = make_call(scenario="barge_in", provider="openai_realtime")
    row = row_of(judge([call], matrix), "openai_realtime barge_in")
    assert cause_names(row) == ["no_barge_in"]


def test_recognised_calls_need_not_be_test_calls(make_call, matrix):
    """A real call that was only recognised may be as short as its caller likes."""
    call = make_call(duration=16.0, turn_latencies=(0.4,), told_by=ToldBy.RECOGNISED)
    assert row_of(judge([call], matrix), "deepgram simple_qa").missed == ()


def test_a_row_is_held_to_the_baselines_of_its_own_calls(make_call, matrix):
    """Late barge-ins cost 15 points at most, too few to miss 80: the baseline finds them."""
    late = {"barge_ins": 3, "barge_in_reactions": (1.1, 1.2, 1.2), "provider": "openai_realtime"}
    calls = [make_call(f"1.{n}", "barge_in", **late) for n in range(3)]
    row = row_of(judge(calls, matrix), "openai_realtime barge_in")
    assert all(call.met for call in row.calls)
    assert (row.verdict, cause_names(row)) == (Expectation.MISSED, ["barge_in"])


def test_a_row_is_not_held_to_the_mean_of_all(make_call, matrix):
    """A noisy row expects 75: a mean of 80 in it is well enough."""
    noisy = {"turn_latencies": (1.4, 1.4, 1.4), "fallbacks": 1, "scenario": "noisy_background"}
    row = row_of(
        judge([make_call(f"1.{n}", **noisy) for n in range(2)], matrix), "deepgram noisy_background"
    )
    assert 75 < row.measures.mean_score < 85
    assert row.verdict is Expectation.MET


def test_the_evidence_is_that_of_the_worst_call(make_call, matrix):
    """Of several calls with the same cause the one that lost most for it is shown."""
    row = simple(make_call, matrix, {"turn_latencies": (2.2,) * 3}, {"turn_latencies": (7.7,) * 3})
    assert "7.7 s" in row.causes[0].cause.text
    assert row.causes[0].calls == 2


def test_calls_of_no_row_are_in_no_number(make_call, matrix):
    """Another provider's bad call moves no baseline, and is told."""
    calls = [make_call("1.1"), make_call("1.2", provider="grok", turn_latencies=(9.0, 9.0))]
    judgement = judge(calls, matrix)
    assert [call.call_id for call in judgement.unmatched] == ["1.2"]
    assert (judgement.measures.calls, judgement.measures.turn_p95 < 1) == (1, True)


def test_unknown_is_not_met(make_call, matrix):
    """A baseline that nothing speaks to is undecided, and so is the whole."""
    judgement = judge([make_call(f"1.{n}") for n in range(4)], matrix)
    verdicts = {found.name: found.verdict for found in judgement.baselines}
    assert verdicts == {
        "latency": Expectation.MET,
        "underflow": Expectation.MET,
        "barge_in": Expectation.UNDECIDED,
        "mean_score": Expectation.MET,
    }
    assert judgement.verdict is Expectation.UNDECIDED
    assert judge([], matrix).verdict is Expectation.UNDECIDED


@pytest.mark.parametrize(
    ("measures", "missed"),
    [
        ({"turn_p95": 1.5}, "latency"),
        ({"underflows": 2.0}, "underflow"),
        ({"barge_in_p95": 0.5}, "barge_in"),
        ({"mean_score": 85.0}, "mean_score"),
    ],
)
def test_a_value_on_the_limit_misses_its_baseline(matrix, measures, missed):
    """The targets are strict: under, or over, and not at."""
    good = Measures(calls=20, turn_p95=1.499, underflows=1.99, barge_in_p95=0.499, mean_score=85.01)
    assert all(b.verdict is Expectation.MET for b in judge([], matrix, good).baselines)
    found = judge([], matrix, replace(good, **measures)).baselines
    assert [b.name for b in found if b.verdict is Expectation.MISSED] == [missed]


def test_a_bare_number_misses_without_its_reasons(make_call, matrix):
    """Where a source has scores alone, a low one misses, and why is said to be unknown."""
    call = replace(make_call(), score=None, points=50)
    row = row_of(judge([call], matrix), "deepgram simple_qa")
    assert cause_names(row) == ["unknown"]
