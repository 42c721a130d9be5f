"""How certain a score is: a smoothed bootstrap over the call's turns."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_quality.history import certainty
from ai_engine_quality.history.records import to_line


def call(*latencies, **values):
    """Return the score of a call with these latencies and flawless audio."""
    given_values = {"frames_sent": 1_000, "underflows": 0, "duration": 60.0, **values}
    return aeq.score(aeq.CallSummary(call_id="1.1", turn_latencies=latencies, **given_values))


def test_it_says_how_sure_the_band_is():
    """The wording names the band, its share of the resamples, the interval and the turns."""
    found = aeq.how_certain(call(0.8, 1.1, 1.4, 0.9, 2.3, 1.2, 1.0, 1.7, 2.1))
    assert found.band == "fair"
    assert found.low < call(0.8, 1.1, 1.4, 0.9, 2.3, 1.2, 1.0, 1.7, 2.1).score < found.high
    share = int(found.sure * 100)
    assert str(found) == f"fair, {share} % sure; {found.low} to {found.high} by its 9 turns"
    assert 50 < share < 95


@given(st.data())
def test_scores_are_made_as_the_scoring_makes_them(summaries, data):
    """Given the call's own percentiles in place of drawn ones, its own score comes out."""
    found = aeq.score(data.draw(summaries))
    assume(found.score is not None)
    drawn = {
        name: np.full(certainty.RESAMPLES, found.factor(name).value)
        for name in ("latency", "barge_in")
        if found.factor(name).observed
    }
    scores = certainty._scores(found, aeq.DEFAULT_POLICY, drawn)
    assert set(scores.tolist()) == {float(found.score)}


@given(st.data())
def test_the_shares_add_up_and_the_interval_is_one(summaries, data):
    """Every call with a score and 3 turns has shares that add up to 1 and an interval in 0..100."""
    found = aeq.score(data.draw(summaries))
    sure = aeq.how_certain(found)
    assert (sure is None) == (found.score is None or found.turns < certainty.MIN_TURNS)
    if sure is not None:
        assert math.isclose(sum(sure.bands.values()), 1)
        assert 0 <= sure.low <= sure.high <= 100
        assert json.loads(json.dumps(sure.to_dict()))["sure"] == sure.bands[found.band]


def test_it_is_the_same_each_time_and_in_any_order():
    """The same turns in another order give the same certainty: the call seeds it."""
    turns = [0.8, 1.1, 1.4, 0.9, 2.3, 1.2]
    first = aeq.how_certain(call(*turns))
    assert aeq.how_certain(call(*turns)) == first
    assert aeq.how_certain(call(*reversed(turns))) == first


def test_more_turns_make_it_surer():
    """The same turns ten times over leave less doubt than once."""
    turns = (0.7, 0.8, 0.9, 0.95, 1.3)
    few, many = aeq.how_certain(call(*turns)), aeq.how_certain(call(*turns * 10))
    assert many.high - many.low < few.high - few.low


def test_turns_that_are_all_alike_leave_no_doubt():
    """Where each turn took as long, every resample is the call's own score."""
    found = aeq.how_certain(call(*[0.6] * 5))
    assert (found.sure, found.low, found.high) == (1.0, 98, 98)


def test_a_slower_turn_than_any_seen_is_possible():
    """The interval reaches below the call's own score, though its slowest turn was in it."""
    latencies = (0.5, 0.6, 0.7, 0.8, 0.9)
    assert aeq.how_certain(call(*latencies)).low < call(*latencies).score


def test_barge_ins_are_drawn_too():
    """Reactions that differ widen the interval; two of them are too few to draw from."""
    turns = [0.6] * 5
    few = aeq.how_certain(call(*turns, barge_in_reactions=(0.3, 1.1)))
    many = aeq.how_certain(call(*turns, barge_in_reactions=(0.3, 0.4, 1.1)))
    assert few.low == few.high
    assert many.low < many.high


@pytest.mark.no_cover
def test_a_very_long_call_is_no_burden():
    """A call of 100,000 turns, most of them in bins, is drawn from at most 2,000 at a time."""
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False)
    quality.call_started("1.1")
    handle = quality.call("1.1")
    for number in range(100_000):
        handle.turn_response(0.5 + (number % 100) / 100)
    found = aeq.how_certain(handle.call_ended())
    quality.close()
    assert found.turns == 100_000
    assert found.high - found.low <= 2


@pytest.mark.parametrize(
    "score", [call(0.8, 0.9), call(), aeq.score(aeq.CallSummary(call_id="1.1", duration=60.0))]
)
def test_without_turns_there_is_none(score):
    """A call without a score, or with fewer than 3 turns, has no certainty; none is made up."""
    assert aeq.how_certain(score) is None


def test_another_policy_is_refused():
    """A call scored by another policy is an error that says the fix."""
    other = aeq.DEFAULT_POLICY.with_changes({"ceilings": {"noise": 10}})
    with pytest.raises(ValueError, match=f"{other.version}; pass that policy, or score"):
        aeq.how_certain(call(0.8, 0.9, 1.0), other)


def test_it_is_in_the_record_where_it_is_asked_for(tmp_path):
    """By default a record has none; with the setting it has, and still reads as the same call."""
    score = call(0.8, 1.1, 1.4, 0.9, 2.3)
    assert "certainty" not in json.loads(to_line(score))
    settings = tmp_path / "quality.toml"
    path = tmp_path / "calls.jsonl"
    settings.write_text(f'[records]\npath = "{path}"\ncertainty = true\n')
    quality = aeq.QualityMonitor.from_settings(
        aeq.load_settings(settings, {}), registry=CollectorRegistry(), log=False
    )
    quality.call_started("1.1")
    for seconds in (0.8, 1.1, 1.4, 0.9, 2.3):
        quality.turn_response("1.1", seconds)
    ended = quality.call_ended("1.1", duration=60.0)
    quality.close()
    assert json.loads(path.read_text())["certainty"] == aeq.how_certain(ended).to_dict()
    assert list(aeq.read_records(path)) == [ended]


def test_a_call_of_another_policy_has_its_record_all_the_same():
    """A file that asks for certainty writes a call scored by another policy without it."""
    other = aeq.DEFAULT_POLICY.with_changes({"ceilings": {"noise": 10}})
    score = aeq.score(call(0.8, 1.1, 1.4).summary, other)
    stored = json.loads(to_line(score, certainty=True))
    assert stored["score"]["policy_version"] == other.version
    assert "certainty" not in stored


def coverage(turns, median, deviation, calls=200):
    """Return how often the interval holds the score of an endless call of the same kind."""
    chance = np.random.default_rng(turns)
    endless = call(*[median * math.exp(1.6449 * deviation)] * 600).score
    inside = 0
    for _ in range(calls):
        latencies = [median * math.exp(chance.normal(0, deviation)) for _ in range(turns)]
        found = aeq.how_certain(call(*latencies))
        inside += found.low <= endless <= found.high
    return inside / calls


@pytest.mark.no_cover
@pytest.mark.parametrize(("turns", "least", "most"), [(3, 58, 81), (5, 72, 92), (9, 83, 97)])
def test_the_interval_holds_the_endless_calls_score_as_often_as_documented(turns, least, most):
    """The shares that the module's docstring gives are those measured here, to within 6 in 100."""
    found = [
        100 * coverage(turns, median, deviation)
        for median in (0.6, 0.9, 1.5)
        for deviation in (0.3, 0.5)
    ]
    assert min(found) == pytest.approx(least, abs=6)
    assert max(found) == pytest.approx(most, abs=6)
    assert f"{least} to {most}" in " ".join(certainty.__doc__.split())
