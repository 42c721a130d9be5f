"""A month of calls, shortened to half a day; ``thirty_days.py`` beside this file runs the whole."""

from __future__ import annotations

import pytest
from thirty_days import DROPPED, HOUR, Simulation


@pytest.fixture(scope="module")
def simulation():
    """Return half a simulated day, which is over, in six periods."""
    simulation = Simulation(restarts=(1.5 * HOUR, 3 * HOUR))
    for _ in simulation.run(6, 2 * HOUR):
        pass
    return simulation


def test_every_call_is_scored_once_or_counted_as_not_scored(simulation):
    """Started is ended plus live, ended is scored plus not scored, and no call is told twice."""
    assert simulation.problems() == []
    assert simulation.outcome.started > 11_000
    assert simulation.outcome.unscored > 100
    assert simulation.counted(DROPPED) > 1_000


def test_restarts_lose_no_call(simulation):
    """Calls that are live when the engine stops end once, and the new one counts the others."""
    assert simulation.outcome.restarts == 2
    assert simulation.outcome.interrupted == simulation.outcome.live_at_restarts > 20


def test_two_scrapers_see_every_score(simulation):
    """Each of them, at its own pace: neither takes a score from the other."""
    assert simulation.outcome.overlooked == 0


def test_calls_that_never_end_expire(simulation):
    """Those that nobody ended expire after 4 hours, without a score; few are live at any time."""
    expired = simulation.registry.get_sample_value(
        "ai_agent_quality_dropped_total", {"reason": "expired_call"}
    )
    assert expired > 5
    assert max(held.live for held in simulation.outcome.periods) < 150


def test_memory_and_series_stand_still(simulation):
    """Once every label has reached its bound, hours of calls add nothing that stays."""
    periods = simulation.outcome.periods
    first, last = periods[-3], periods[-1]
    assert last.calls - first.calls > 3_500
    assert abs(last.series - first.series) < 0.05 * first.series  # what retained calls lost varies
    # A leak of a single object a call would be as many blocks as there were calls.
    assert abs(last.blocks - first.blocks) < 2_000
