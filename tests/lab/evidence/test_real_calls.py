"""Real calls, judged by those who ran the engine, through the score."""

import pytest
from ai_engine_lab.engine.measured import measured_calls
from ai_engine_lab.evidence.real_calls import (
    ORDER,
    disagreements,
    ranking,
    scored_calls,
    summary_of,
)

from ai_engine_quality.core.policy import Policy

V1, V2 = Policy.load("v1"), Policy.load("v2")


def record(call_id):
    (found,) = [call for call in measured_calls() if call.call_id == call_id]
    return found


def test_only_what_was_recorded_is_observed():
    """Fillers are no agent frames, and what a record lacks stays unreported."""
    starved = summary_of(record("1761431178.2099"))
    assert (starved.frames_sent, starved.underflows) == (300 - 106, 106)
    assert starved.underflow_episodes is None
    assert starved.turn_latencies is None
    quick = summary_of(record("1783042727.500"))
    assert (quick.underflows, quick.frames_sent, quick.fallbacks) == (None, None, None)
    assert quick.turn_latencies == pytest.approx([0.93] * 8)


def test_a_recorded_mean_and_worst_are_kept():
    """The turns of a call have the recorded mean, number and worst one."""
    found = summary_of(record("1781983621.117")).turn_latencies
    assert (len(found), max(found)) == (6, 1.529)
    assert sum(found) / len(found) == pytest.approx(0.759)


@pytest.mark.parametrize("policy", [V1, V2], ids=["v1", "v2"])
def test_no_bad_call_outranks_a_good_one(policy):
    """By neither version a worse verdict has the better score, though v1 ties some of them."""
    calls = scored_calls(policy)
    for worse, verdict in enumerate(ORDER):
        for better in ORDER[worse + 1 :]:
            found = ranking(calls, better, verdict)
            assert found.pairs > 0
            assert found.agreeing + found.tied == found.pairs


def test_by_v2_every_good_call_outranks_every_bad_one():
    """v2 puts all good calls over all bad ones; v1 leaves nine of 42 pairs tied."""
    assert ranking(scored_calls(V2), "good", "bad") == (42, 0, 42)
    assert ranking(scored_calls(V1), "good", "bad") == (33, 9, 42)


def test_every_disagreement_is_listed():
    """A pair is a disagreement just where the better verdict has no better score."""
    calls = scored_calls(V1)
    listed = {(b.score.call_id, w.score.call_id) for b, w in disagreements(calls)}
    wanted = {
        (b.score.call_id, w.score.call_id)
        for b in calls
        for w in calls
        if b.verdict
        and w.verdict
        and ORDER.index(b.verdict) > ORDER.index(w.verdict)
        and b.points <= w.points
    }
    assert listed == wanted
    assert len(wanted) == 21
