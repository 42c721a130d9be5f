"""What is measured over several calls together."""

import numpy as np
import pytest
from ai_engine_lab.validation.measures import Measures, measure


def test_percentiles_are_over_all_turns_of_all_calls(make_call):
    """The p95 is that of the pooled turns, unanswered ones included, not of the calls' own p95."""
    calls = [
        make_call(turn_latencies=(0.4,) * 12),
        make_call(turn_latencies=(0.9, 1.4, 2.0), unanswered=(6.0,)),
    ]
    found = measure(calls)
    assert found.turn_p95 == pytest.approx(np.percentile([0.4] * 12 + [0.9, 1.4, 2.0, 6.0], 95))
    assert found.turns == 16


def test_underflows_are_episodes_where_these_are_known(make_call):
    """30 fillers in a row are one underflow; where nobody counted episodes each filler is one."""
    known = make_call(underflows=30, underflow_episodes=1)
    unknown = make_call(underflows=5)
    assert (measure([known]).underflows, measure([known]).underflow_unit) == (1, "episodes")
    assert (measure([unknown]).underflows, measure([unknown]).underflow_unit) == (5, "fillers")
    both = measure([known, unknown])
    assert (both.underflows, both.underflow_unit) == (3, "episodes; fillers in 1 of 2 calls")


def test_a_call_without_fillers_has_no_episodes_either(make_call):
    """A reported 0 is a 0, and in episodes."""
    found = measure([make_call(underflows=0)])
    assert (found.underflows, found.underflow_unit) == (0, "episodes")


def test_what_nobody_told_is_unknown(make_call):
    """Calls that report neither fillers, turns nor barge-ins leave these unknown, never 0."""
    found = measure([make_call(turn_latencies=None, frames_sent=None, underflows=None)])
    assert (found.turn_p95, found.underflows, found.barge_in_p95, found.filler_share) == (None,) * 4
    assert measure([]) == Measures()


def test_scores_are_those_of_scored_calls(make_call):
    """Calls without a score are in no mean."""
    unscored = make_call(duration=2.0, turn_latencies=None, frames_sent=None, underflows=None)
    good, poor = make_call(), make_call(turn_latencies=(4.0, 4.0))
    found = measure([good, poor, unscored])
    assert (found.calls, found.scored, found.poor_share) == (3, 2, 0.5)
    assert found.mean_score == (good.points + poor.points) / 2


def test_fillers_are_a_share_of_all_frames(make_call):
    """100 fillers beside 900 frames of speech are 10 % of what was played."""
    assert measure([make_call(frames_sent=900, underflows=100)]).filler_share == 0.1
