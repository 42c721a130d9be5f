"""Points along a ramp, ceilings in steps, and the integer that both make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ai_engine_quality as aeq
from ai_engine_quality.core.arithmetic import points_under, ramp, raw_score, step


class TestRampsAndSteps:
    @pytest.mark.parametrize(
        ("value", "points"), [(-1, 0), (1, 0), (2, 5), (3, 10), (4, 10), (99, 10)]
    )
    def test_a_ramp_is_linear_between_its_knees_and_flat_outside(self, value, points):
        """Between two knees points rise evenly; before the first and after the last they stay."""
        assert ramp(((1, 0), (3, 10)), value) == points

    def test_a_ramp_goes_exactly_through_its_knees(self):
        """At a knee points are the knee's to the last bit: a full penalty's ceiling asks for it."""
        knees = [[5.95, 0], [16.14, 2.4], [17.74, 10]]
        assert [ramp(knees, value) for value, _ in knees] == [0, 2.4, 10]
        policy = aeq.DEFAULT_POLICY.with_changes({"knees": {"rms_spread": knees}})
        levels = aeq.StageLevels(frames=300, active=280, rms=2_600.0, spread_db=17.74)
        call = aeq.CallSummary(call_id="1", duration=60.0, audio={"provider_out": levels})
        assert "rms_full_penalty" in {ceiling.rule for ceiling in aeq.score(call, policy).ceilings}

    @pytest.mark.parametrize(
        ("value", "reached"),
        [(0.9, None), (1, (1, 89)), (1.9, (1, 89)), (2, (2, 74)), (9, (2, 74))],
    )
    def test_a_step_applies_from_its_threshold_on(self, value, reached):
        """The last threshold that a value reaches is the one that counts."""
        assert step(((1, 89), (2, 74)), value) == reached


class TestTheScore:
    @pytest.mark.parametrize(
        ("ceilings", "raw", "score"),
        [
            ([], 72.5, 73),
            ([], 74.5, 75),
            ([], 72.49, 72),
            ([89, 74], 90.0, 74),
            ([89], 60.5, 61),
            ([0], 99.0, 0),
            ([], 120.0, 100),
            ([], 100.9, 100),
            ([], -5.0, 0),
        ],
    )
    def test_it_is_the_lowest_of_all_rounded_half_up(self, ceilings, raw, score):
        """The lowest of raw and the ceilings counts, a half goes up, and 0 to 100 are the ends."""
        assert points_under(ceilings, raw) == score

    def test_raw_scores_have_nine_digits(self):
        """What lies beyond the ninth digit is dust of adding floats, and is rounded away."""
        assert raw_score([0.12345678949]) == 99.876543211

    @given(st.permutations([0.1, 0.2, 8.318181818, 21.32, 1e-12, 12.0]))
    def test_the_order_of_the_penalties_never_shows(self, penalties):
        """However the penalties are ordered, they leave the same raw score, to the last bit."""
        assert raw_score(penalties) == raw_score(sorted(penalties)) == 58.061818182
