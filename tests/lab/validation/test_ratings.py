"""Scores beside people's ratings."""

from dataclasses import replace

import pytest
from ai_engine_lab.validation.calls import JudgedCall
from ai_engine_lab.validation.ratings import agreement
from hypothesis import given
from hypothesis import strategies as st


def calls_with(scores):
    return [
        JudgedCall(call_id=f"1.{n}", provider=None, points=points)
        for n, points in enumerate(scores)
    ]


def rho(scores, ratings):
    given_ratings = {f"1.{n}": float(rating) for n, rating in enumerate(ratings)}
    return agreement(calls_with(scores), given_ratings).rho


def test_the_published_example_is_reproduced():
    """The textbook example of IQ and hours of television has a rank correlation of -29/165."""
    iq = [86, 97, 99, 100, 101, 103, 106, 110, 112, 113]
    hours = [2, 20, 28, 27, 50, 29, 7, 17, 6, 12]
    assert rho(iq, hours) == pytest.approx(-29 / 165)


@given(scores=st.lists(st.integers(0, 100), min_size=2, max_size=30, unique=True))
def test_the_same_order_is_1_and_the_opposite_is_minus_1(scores):
    """Only order counts, not distance: any scale of ratings in the same order correlates fully."""
    assert rho(scores, [value**3 for value in scores]) == pytest.approx(1)
    assert rho(scores, [-value for value in scores]) == pytest.approx(-1)


@pytest.mark.parametrize(("scores", "ratings"), [([50], [3]), ([50, 60], [3, 3]), ([7, 7], [1, 2])])
def test_nothing_is_made_of_calls_that_do_not_differ(scores, ratings):
    """One call, or all alike, has no correlation."""
    assert rho(scores, ratings) is None


def test_only_calls_with_both_count():
    """Ratings of unknown or unscored calls are counted as such, and enter nothing."""
    calls = [*calls_with([50, 90]), replace(calls_with([1])[0], call_id="unscored", points=None)]
    found = agreement(calls, {"1.0": 1, "1.1": 5, "unscored": 3, "stranger": 2})
    assert (found.rho, len(found.calls), found.without_score) == (pytest.approx(1), 2, 2)


def test_the_largest_disagreement_comes_first():
    """A call that people liked and the score didn't heads the list, with both its ranks."""
    found = agreement(calls_with([95, 90, 85, 20]), {"1.0": 4, "1.1": 3, "1.2": 2, "1.3": 5})
    assert (found.calls[0].call_id, found.calls[0].score_rank, found.calls[0].rating_rank) == (
        "1.3",
        4,
        1,
    )
