"""Rank correlation, and how sure it is."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from ai_engine_quality.evidence.correlation import correlation, spearman

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


def test_samples_of_one_passage_count_as_one():
    """Ten copies of a passage's samples make the interval no narrower than the passage alone."""
    first, second = list(range(12)), [0, 2, 1, 3, 5, 4, 9, 7, 8, 6, 11, 10]
    names = [str(number // 2) for number in range(12)]
    once = correlation(first, second, names)
    copied = correlation(first * 10, second * 10, names * 10)
    assert copied.high - copied.low == pytest.approx(once.high - once.low, abs=0.02)
    alone = correlation(first * 10, second * 10, [str(n) for n in range(120)])
    assert alone.high - alone.low < (once.high - once.low) / 2
    assert once.low < once.value < once.high
    assert (once.n, copied.n) == (12, 120)


def test_it_repeats_itself():
    """The same samples give the same interval, in any run."""
    rows = ([1, 2, 3, 4], [1, 3, 2, 4], ["a", "b", "c", "d"])
    assert correlation(*rows) == correlation(*rows)


@pytest.mark.parametrize("rows", [([], [], []), ([1], [1, 2], ["a", "b"]), ([1, 2], [1, 2], ["a"])])
def test_rows_that_do_not_match_are_refused(rows):
    """No values, or unequally many, are an error that says how many there were."""
    with pytest.raises(ValueError, match="equally many"):
        correlation(*rows)
