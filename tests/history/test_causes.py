"""What cost a call its points: the factors, and the ceiling that held it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ai_engine_quality as aeq
from ai_engine_quality.core.policy import FACTORS
from ai_engine_quality.history.causes import CEILING, NOTHING, has_cause, main_cause, points_lost


def scored(**observed):
    return aeq.score(aeq.CallSummary(call_id="1.1", frames_sent=1_000, duration=60.0, **observed))


@given(data=st.data())
def test_what_was_lost_adds_up_to_what_is_missing(summaries, data):
    """Of every scored call, points lost and score make 100, but for rounding and tiny costs."""
    call = aeq.score(data.draw(summaries))
    lost = points_lost(call)
    if call.score is None:
        assert lost == ()
    else:
        assert sum(cause.points for cause in lost) == pytest.approx(100 - call.score, abs=0.9)
        assert [cause.points for cause in lost] == sorted((c.points for c in lost), reverse=True)
        names = [cause.name for cause in lost]
        assert len(set(names)) == len(names)
        assert sum(name.startswith(CEILING) for name in names) <= 1
        assert {name for name in names if not name.startswith(CEILING)} <= set(FACTORS)


def test_the_ceiling_that_held_a_call_is_its_main_cause():
    """An unanswered turn costs few points, and holds the call: it is the cause."""
    call = scored(turn_latencies=(0.4,) * 30, unanswered=(9.0,), underflows=0)
    assert main_cause(call) == "unanswered"
    assert has_cause(call, "unanswered")
    assert any(cause.name == "ceiling_unanswered" for cause in points_lost(call))


def test_else_the_costliest_factor_is():
    """Without a ceiling under the points that are left, the factor that cost most is named."""
    call = scored(turn_latencies=(0.9,) * 10, underflows=0, barge_in_reactions=(0.4,), barge_ins=1)
    assert call.deciding_ceiling is None
    assert main_cause(call) == "latency"
    assert has_cause(call, "barge_in")
    assert not has_cause(call, "codec")


def test_a_perfect_call_has_none():
    """A call of 100 points has lost nothing, and can be asked for by that name."""
    call = scored(turn_latencies=(0.4,) * 10, underflows=0)
    assert (call.score, points_lost(call), main_cause(call)) == (100, (), NOTHING)
    assert has_cause(call, NOTHING)


def test_a_call_without_a_score_has_its_reason():
    """Why it isn't scored is its cause; points it has lost none."""
    call = aeq.score(aeq.CallSummary(call_id="1.1", duration=4.0))
    assert (call.score, points_lost(call), main_cause(call)) == (None, (), "abandoned")
    assert has_cause(call, "abandoned")
