"""How sure a rank correlation is."""

import pytest
from ai_engine_lab.evidence.correlation import correlation


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
