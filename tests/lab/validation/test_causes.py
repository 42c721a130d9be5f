"""Why a call scored too little."""

from __future__ import annotations

from ai_engine_lab.validation.causes import causes_of_score
from hypothesis import given
from hypothesis import strategies as st

import ai_engine_quality as aeq


def names(call, expected_above):
    return [cause.name for cause in causes_of_score(call.score, expected_above)]


def test_a_cause_that_suffices_is_the_only_one(make_call):
    """A call that would have met its row without one factor names that factor alone."""
    call = make_call(turn_latencies=(0.8, 0.9, 3.4), barge_ins=1, barge_in_reactions=(0.55,))
    assert call.points == 59
    assert names(call, 85) == ["latency"]


def test_two_causes_are_named_where_it_takes_both(make_call):
    """Where no single factor's going suffices, the fewest are named, the worst first."""
    call = make_call(turn_latencies=(1.8, 1.8, 1.9), underflows=40, underflow_episodes=20)
    assert names(call, 90) == ["underflow", "latency"]


def test_a_ceiling_goes_with_its_factor(make_call):
    """Noise is a ceiling of the codec's: the codec is the cause, with the ceiling in words."""
    levels = aeq.StageLevels(frames=200, active=200, rms=15_000.0, flatness=0.5, noise_rms=15_000.0)
    call = make_call(audio={"provider_out": levels})
    cause = causes_of_score(call.score, 75)[0]
    assert cause.name == "codec"
    assert "at most 20" in cause.text


def test_a_ceiling_over_the_whole_call_stands_for_itself(make_call):
    """A call that failed has that as its cause, not what it lost besides."""
    call = make_call(failed=True)
    assert call.points == 0
    assert names(call, 75) == ["call_failed"]


def test_a_call_that_met_its_row_has_no_cause(make_call):
    """Nothing is named where nothing is missed."""
    assert names(make_call(), 90) == []


@given(data=st.data(), expected=st.integers(0, 100))
def test_without_its_causes_any_call_meets_its_row(summaries, data, expected):
    """Without the named causes a call exceeds what is expected, if it ever can; no fewer do."""
    score = aeq.score(data.draw(summaries), aeq.DEFAULT_POLICY)
    found = [cause.name for cause in causes_of_score(score, expected)]
    everything = {f.name for f in score.factors} | {g.rule for g in score.ceilings if not g.factor}
    assert len(found) == len(set(found))
    assert score.without(*found) > expected or score.without(*everything) <= expected
    for some in range(len(found)):
        assert score.without(*found[:some]) <= expected
