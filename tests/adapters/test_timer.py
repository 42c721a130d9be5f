"""How often the one task polls the calls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_engine_quality.adapters.timer import (
    POLLS_PER_SECOND,
    SECONDS_BETWEEN_POLLS,
    seconds_between_polls,
)


@pytest.mark.parametrize("calls", [0, 1, 90])
def test_few_calls_are_polled_five_times_a_second(calls: int) -> None:
    """Up to 90 calls at once nothing is spared."""
    assert seconds_between_polls(calls) == SECONDS_BETWEEN_POLLS


@given(st.integers(1, 100_000))
def test_the_polls_of_all_calls_together_are_bounded(calls: int) -> None:
    """However many calls there are, 500 polls a second are not exceeded, and nearly used."""
    per_second = calls / seconds_between_polls(calls)
    assert per_second <= POLLS_PER_SECOND * 1.000_001
    if calls > 1_000:
        assert per_second > POLLS_PER_SECOND * 0.9
