"""Percentiles in bounded memory: exact up to 512 values, at most 1 % off beyond."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_engine_quality.core.distribution import (
    EXACT_LIMIT,
    MAX_BIN,
    BoundedValues,
    Distribution,
    bin_edge,
    bin_of,
    coarser,
)


def drawn(kind, n):
    """Return n values of a kind of distribution, in seconds, the same every time."""
    chance = np.random.default_rng(n)
    if kind == "uniform":
        return chance.uniform(0, 5, n)
    if kind == "lognormal":
        return np.minimum(300, chance.lognormal(0, 0.8, n))
    if kind == "bimodal":
        return np.where(chance.random(n) < 0.9, chance.normal(0.8, 0.05, n), 9.0)
    if kind == "constant":
        return np.full(n, 1.234)
    return chance.uniform(0.0002, 0.002, n)  # milliseconds


KINDS = ("uniform", "lognormal", "bimodal", "constant", "tiny")
PERCENTILES = (0, 5, 25, 50, 75, 90, 95, 99, 100)


def collected(values, limit=EXACT_LIMIT):
    """Return the distribution of values that were added one by one."""
    bounded = BoundedValues(limit)
    for value in values:
        bounded.add(float(value))
    return bounded.freeze()


class TestExact:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("n", [1, 2, 3, 19, 20, 21, 100, 511, 512])
    def test_up_to_512_values_every_percentile_is_numpys(self, kind, n):
        """Up to 512 values each percentile equals ``numpy.percentile`` to the last bit."""
        values = drawn(kind, n)
        found = collected(values)
        assert [found.percentile(q) for q in PERCENTILES] == [
            float(np.percentile(values, q)) for q in PERCENTILES
        ]

    @given(
        values=st.lists(st.floats(0, 300), min_size=1, max_size=80),
        q=st.sampled_from(PERCENTILES) | st.floats(0, 100),
    )
    def test_any_few_values_have_numpys_percentiles(self, values, q):
        """Whatever the values, a percentile of few of them is that of numpy."""
        expected = float(np.percentile(values, q))
        assert collected(values).percentile(q) == pytest.approx(expected, rel=1e-12, abs=0)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("n", [513, 514, 5_000, 10_000])
    def test_the_95th_percentile_stays_exact_up_to_10_000(self, kind, n):
        """The largest 512 values stay exact, and with them the p95 of 10,000."""
        values = drawn(kind, n)
        assert collected(values).percentile(95) == float(np.percentile(values, 95))

    def test_no_values_have_no_percentile(self):
        """A percentile of nothing is an error that says what to check."""
        with pytest.raises(ValueError, match="no percentile; check n first"):
            Distribution().percentile(95)


class TestBeyond:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("n", [513, 514, 5_000, 20_000])
    @pytest.mark.parametrize("q", [50, 75, 95, 99])
    def test_beyond_512_values_a_percentile_is_at_most_1_percent_off(self, kind, n, q):
        """Each percentile is within 1 % of numpy's, and never below it."""
        values = drawn(kind, n)
        expected = float(np.percentile(values, q))
        found = collected(values).percentile(q)
        assert expected * (1 - 1e-12) <= found <= expected * 1.01 * (1 + 1e-12)

    @pytest.mark.parametrize("value", [0.0, 1e-6, 5e-5, 9.9e-5])
    def test_values_under_a_tenth_of_a_millisecond_are_at_most_1_percent_off_too(self, value):
        """The largest error is 1 % of the value, however small the value is."""
        found = collected([value] * 20_000).percentile(95)
        assert found == pytest.approx(value, rel=0.0101, abs=0)

    def test_memory_is_bounded(self):
        """50,000 different values are 512 exact ones and a bounded number of bins."""
        found = collected(drawn("lognormal", 50_000))
        assert (found.n, len(found.exact)) == (50_000, 512)
        assert len(found.others) < MAX_BIN

    @pytest.mark.parametrize("n", [100, 513, 2_000])
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_order_of_values_never_matters(self, kind, n):
        """Shuffled values have the same values, the same bins and the same percentiles."""
        values = drawn(kind, n)
        straight = collected(values)
        shuffled = collected(np.random.default_rng(n).permutation(values))
        assert sorted(straight.exact) == sorted(shuffled.exact)
        assert straight.others == shuffled.others
        assert straight.percentile(95) == shuffled.percentile(95)

    def test_ascending_and_descending_values_are_the_same_distribution(self):
        """The largest values stay exact whether they come first or last."""
        values = sorted(drawn("lognormal", 3_000))
        up, down = collected(values), collected(reversed(values))
        assert sorted(up.exact) == sorted(down.exact) == values[-512:]
        assert up.others == down.others

    def test_room_for_values_in_their_order_ends_with_the_limit(self):
        """``has_room`` says whether the next value is still kept as it comes."""
        bounded = BoundedValues(3)
        seen = []
        for value in (1.0, 3.0, 2.0, 4.0):
            seen.append(bounded.has_room)
            bounded.add(value)
        assert seen == [True, True, True, False]
        assert (bounded.n, list(bounded.exact)) == (4, [2.0, 3.0, 4.0])


class TestBins:
    @given(st.floats(1e-4, 40_000))
    def test_a_bin_stands_for_no_less_and_at_most_1_percent_more(self, value):
        """The edge of a value's bin is the value or up to 1 % above it."""
        assert value * (1 - 1e-9) <= bin_edge(bin_of(value)) <= value * 1.01 * (1 + 1e-9)

    @given(st.floats(0, 40_000), st.floats(0, 40_000))
    def test_bins_are_in_the_order_of_their_values(self, one, other):
        """A greater value never lies in a lower bin."""
        low, high = sorted((one, other))
        assert bin_of(low) <= bin_of(high)

    def test_the_largest_observation_has_a_bin(self):
        """A full-scale level, the largest value there is, lies below the last bin."""
        assert bin_of(32_768.0) < MAX_BIN


class TestTogether:
    @pytest.mark.parametrize("sizes", [(3, 4), (600, 5), (5, 600), (600, 700)])
    def test_two_distributions_add_up(self, sizes):
        """The sum of two distributions has all values of both."""
        parts = [drawn("lognormal", size) for size in sizes]
        both = collected(parts[0]).plus(collected(parts[1]))
        expected = float(np.percentile(np.concatenate(parts), 95))
        assert both.n == sum(sizes)
        assert expected * (1 - 1e-12) <= both.percentile(95) <= expected * 1.01

    def test_nothing_more_changes_nothing(self):
        """Adding no values gives the same distribution back."""
        one = collected([1.0, 2.0])
        assert one.plus(Distribution()) == one

    @pytest.mark.parametrize("merge", [1, 8, 128])
    @pytest.mark.parametrize("keep", [64, 300, 512])
    def test_a_coarser_one_keeps_its_largest_values_exactly(self, keep, merge):
        """The largest ``keep`` values stay, all are still counted, and p95 stays exact."""
        values = drawn("lognormal", 400)
        fine = collected(values)
        exact, bins = coarser(fine.exact, (), keep=keep, merge=merge, around=fine.percentile(95))
        coarse = Distribution.of(exact, bins)
        assert (coarse.n, coarse.exact) == (400, tuple(sorted(values)[-keep:]))
        assert coarse.percentile(95) == fine.percentile(95)

    def test_merged_bins_are_fewer_and_leave_what_decides_alone(self):
        """Bins made one save room, and the percentile around which they are fine stays as it is."""
        bounded = BoundedValues()
        for value in drawn("lognormal", 20_000):
            bounded.add(float(value))
        fine = bounded.freeze()
        exact, bins = coarser(
            tuple(bounded.exact), bounded.bins, keep=64, merge=64, around=fine.percentile(95)
        )
        coarse = Distribution.of(exact, bins)
        assert coarse.n == fine.n
        assert len(bins) < len(bounded.bins) / 10
        assert coarse.percentile(95) == pytest.approx(fine.percentile(95), rel=0.0101)
        assert coarse.percentile(100) == fine.percentile(100)

    def test_binned_values_count_as_their_upper_edge_but_no_more_than_exact_ones(self):
        """A bin's edge can exceed the smallest exact value, and is then taken down to it."""
        found = collected([3.0, 1.0, 1.0, 2.0], limit=2)
        assert found.others == ((bin_edge(bin_of(1.0)), 2),)
        close = collected([1.0, 1.0001], limit=1)
        assert close.others == ((1.0001, 1),)

    def test_binned_values_alone_count_as_their_upper_edges(self):
        """Where no value stayed exact, none takes a bin's edge down."""
        found = Distribution.of((), ((bin_of(1.0), 2), (bin_of(2.0), 1)))
        assert found.others == ((bin_edge(bin_of(1.0)), 2), (bin_edge(bin_of(2.0)), 1))
        assert (found.n, found.percentile(100)) == (3, bin_edge(bin_of(2.0)))

    def test_a_percentile_on_another_scale_is_that_of_the_values_on_it(self):
        """As if every value, exact or binned, had gone through the function first."""
        found = collected([100.0, 10.0, 10.0, 1_000.0], limit=2)
        values = [math.log10(value) for value in (found.others[0][0],) * 2 + found.exact]
        for q in (0, 25, 50, 75, 90, 100):
            assert found.percentile(q, math.log10) == pytest.approx(np.percentile(values, q))
        assert found.percentile(50, math.log10) == pytest.approx(1.5, abs=0.005)
