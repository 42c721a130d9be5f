"""Recommended alert thresholds."""

import pytest
from ai_engine_lab.validation.judging import judge
from ai_engine_lab.validation.measures import Measures
from ai_engine_lab.validation.recommendations import recommend


def high_latency(matrix, **measures):
    found = recommend(judge([], matrix, Measures(**measures)), matrix)
    return next(one for one in found if one.alert == "HighTurnResponseLatency")


@pytest.mark.parametrize(
    ("p95", "recommended", "why"),
    [
        (0.8, "2 s", "well above what is usual"),
        (1.6, "2 s", "well above what is usual"),
        (1.7, "3 s", "within a quarter of what is usual"),
        (2.0, "3 s", "within a quarter of what is usual"),
        (2.5, "2 s", "fire it, rightly; until they are fixed, 5 s is quiet"),
        (9.0, "2 s", "fire it, rightly; until they are fixed, nothing is quiet"),
        (None, "2 s", "nothing here speaks to it"),
    ],
)
def test_a_threshold_is_above_what_is_usual_and_never_hides_a_fault(matrix, p95, recommended, why):
    """It rises to the next edge where normal is close, and stays where the calls are too slow."""
    found = high_latency(matrix, turn_p95=p95)
    assert (found.shipped, found.recommended) == ("2 s", recommended)
    assert why in found.why


def test_where_no_higher_threshold_can_be_counted_it_says_so(matrix):
    """Close to the highest edge nothing is recommended, with the reason."""
    found = recommend(judge([], matrix, Measures(poor_share=0.29)), matrix)
    budget = next(one for one in found if one.alert == "QualityBudgetBurn")
    assert (budget.measured, budget.recommended) == ("29 %", "10 %")
    assert "nothing is quiet" in budget.why


def test_providers_are_looked_at_apart_where_the_alert_does(make_call, matrix):
    """A slow provider's threshold is not a fast one's."""
    calls = [
        make_call("1.1", turn_latencies=(0.5, 0.5)),
        make_call("1.2", provider="openai_realtime", turn_latencies=(1.9, 1.9)),
    ]
    found = {
        (one.alert, one.provider): one.recommended
        for one in recommend(judge(calls, matrix), matrix)
    }
    assert found["HighTurnResponseLatency", "deepgram"] == "2 s"
    assert found["HighTurnResponseLatency", "openai_realtime"] == "3 s"
    assert found["SlowBargeInReaction", None] == "0.8 s"
