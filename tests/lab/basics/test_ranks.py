"""Ranks, and their correlation."""

import math

import pytest
from ai_engine_lab.basics.ranks import ranks, spearman
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

few_values = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=40)


@given(few_values)
def test_it_is_spearmans_with_ties(pairs):
    """The value is that of ``scipy.stats.spearmanr``, ties included."""
    first, second = zip(*pairs, strict=True)
    assume(len(set(first)) > 1 and len(set(second)) > 1)
    assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic)


def test_only_the_order_counts():
    """Any rising change of scale leaves it as it is; a falling one turns its sign."""
    values = [3.0, 1.0, 2.0, 5.0, 4.0]
    others = [2.0, 1.0, 3.0, 5.0, 4.0]
    found = spearman(values, others)
    assert spearman([math.exp(v) for v in values], others) == pytest.approx(found)
    assert spearman([-v for v in values], others) == pytest.approx(-found)


def test_nothing_is_known_of_a_constant():
    """Where one side is all the same there is no rank correlation: not 0, and not 1."""
    assert math.isnan(spearman([1, 1, 1], [1, 2, 3]))


def test_equal_values_share_their_ranks():
    """Two equal values in places 2 and 3 have rank 2.5 each."""
    assert list(ranks([1.0, 5.0, 5.0, 9.0])) == [1, 2.5, 2.5, 4]


@given(st.lists(st.integers(-5, 5), max_size=40))
def test_ranks_are_those_of_scipy(values):
    """Any values, many of them equal, have the ranks that ``scipy.stats.rankdata`` gives."""
    assert list(ranks(values)) == list(rankdata(values))
