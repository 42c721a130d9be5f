"""How often the one task looks at the calls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_engine_quality.adapters.timer import (
    LOOKS_PER_SECOND,
    SECONDS_BETWEEN_LOOKS,
    seconds_between_looks,
)


@pytest.mark.parametrize("calls", [0, 1, 90])
def test_few_calls_are_looked_at_five_times_a_second(calls: int) -> None:
    """Up to 90 calls at once nothing is spared."""
    assert seconds_between_looks(calls) == SECONDS_BETWEEN_LOOKS


@given(st.integers(1, 100_000))
def test_the_looks_of_all_calls_together_are_bounded(calls: int) -> None:
    """However many calls there are, 500 looks a second are not exceeded, and nearly used."""
    per_second = calls / seconds_between_looks(calls)
    assert per_second <= LOOKS_PER_SECOND * 1.000_001
    if calls > 1_000:
        assert per_second > LOOKS_PER_SECOND * 0.9
