"""The values measured in one call, in bounded memory, and their percentiles.

The rule: the largest ``EXACT_LIMIT`` values are kept as they came; what is smaller goes into
fixed logarithmic bins. So up to 512 values every percentile is exact, up to 10,000 the 95th still
is, and beyond that it is at most 1 % too high and never too low: a bin stands for its upper edge,
so that binning can't turn a bad call into a better one. Nothing is random, and the order in which
values come never matters.
"""

from __future__ import annotations

import math
from array import array
from bisect import insort
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import NamedTuple, Self

EXACT_LIMIT = 512
"""Values that are kept exactly, for each kind of observation of a call."""

BIN_FLOOR = 1e-7
"""Values up to this (a tenth of a microsecond) share bin 1; bin 0 holds zeros."""

BIN_GROWTH = 1.01
"""Each bin is 1 % wider than the one below: the largest relative error of a binned value."""

MAX_BIN = 3_000
"""No value that an observation can have reaches a higher bin: its edge is over 9e5."""

FINE_BINS = 3
"""Bins on either side of the value that decides, which are never made one to save room."""

_LOG_GROWTH = math.log(BIN_GROWTH)

Bins = tuple[tuple[int, int], ...]
"""(bin, count) pairs, ascending."""


class Distribution(NamedTuple):
    """Values of one kind: ``exact`` ones, and ``others`` as (value, count) pairs."""

    exact: tuple[float, ...] = ()
    others: tuple[tuple[float, int], ...] = ()

    @classmethod
    def of(cls, exact: tuple[float, ...], bins: Bins) -> Self:
        """Return the exact values, and binned ones that are no larger than any of them."""
        if not bins:
            return cls(exact)
        top = min(exact, default=math.inf)
        return cls(exact, tuple((min(top, bin_edge(index)), count) for index, count in bins))

    @property
    def n(self) -> int:
        """How many values were observed."""
        exact = len(self.exact)
        return exact + sum(count for _, count in self.others) if self.others else exact

    def percentile(self, q: float, scale: Callable[[float], float] | None = None) -> float:
        """Return the ``q``-th percentile (0 to 100), as ``numpy.percentile`` interpolates.

        Args:
            q: Which one.
            scale: An ascending function: the percentile is that of what it makes of the values.

        Raises:
            ValueError: there are no values.
        """
        n = self.n
        if not n:
            raise ValueError("there are no values, and so no percentile; check n first")
        rank = q / 100 * (n - 1)
        below = int(rank)
        low, high = self._order_statistics(below, min(below + 1, n - 1))
        if scale is not None:
            low, high = scale(low), scale(high)
        return _interpolate(low, high, rank - below)

    def bins(self) -> Bins:
        """Return the values that are not exact, as (bin, count) pairs."""
        return tuple((bin_of(value), count) for value, count in self.others)

    def all(self) -> Iterator[float]:
        """Yield each value, those that are not exact as what their bin counts as."""
        yield from self.exact
        for value, count in self.others:
            yield from repeat(value, count)

    def plus(self, other: Distribution) -> Distribution:
        """Return both together."""
        return Distribution(self.exact + other.exact, self.others + other.others)

    def without(self, value: float) -> Distribution:
        """Return one less of an exact value; ValueError where there is none of it."""
        exact = list(self.exact)
        exact.remove(value)
        return Distribution(tuple(exact), self.others)

    def _order_statistics(self, first: int, second: int) -> tuple[float, float]:
        """Return the values at two ascending ranks, counted from 0."""
        if not self.others:
            ordered = sorted(self.exact)
            return ordered[first], ordered[second]
        found: list[float] = []
        seen = 0
        for value, count in sorted([*((value, 1) for value in self.exact), *self.others]):
            seen += count
            while len(found) < 2 and (first, second)[len(found)] < seen:
                found.append(value)
        return found[0], found[1]


def _interpolate(low: float, high: float, share: float) -> float:
    """Interpolate as numpy does, from the nearer end, so that results agree to the last bit."""
    step = high - low
    return high - step * (1 - share) if share >= 0.5 else low + step * share


def bin_of(value: float) -> int:
    """Return the bin that holds a value."""
    if value <= 0:
        return 0
    return 1 + max(0, math.ceil(math.log(value / BIN_FLOOR) / _LOG_GROWTH))


def bin_edge(index: int) -> float:
    """Return the upper edge of a bin: what its values count as."""
    return BIN_FLOOR * BIN_GROWTH ** (index - 1) if index else 0.0


def coarser(
    exact: tuple[float, ...], bins: Bins, *, keep: int, merge: int, around: float
) -> tuple[tuple[float, ...], Bins]:
    """Return the same values in less room: the largest ``keep`` exact, ascending, others in bins.

    Each ``merge`` bins become one, the highest of them; but not the few bins around the value that
    decides, ``around``, nor does a value get past them.
    """
    ordered = sorted(exact)
    small = ordered[: max(0, len(ordered) - keep)]
    lowest_fine = bin_of(around) - FINE_BINS
    counts: dict[int, int] = {}
    for index, count in [*bins, *((bin_of(value), 1) for value in small)]:
        highest = math.ceil(index / merge) * merge
        if index < lowest_fine:
            highest = min(highest, lowest_fine - 1)
        elif index <= lowest_fine + 2 * FINE_BINS:
            highest = index
        counts[highest] = counts.get(highest, 0) + count
    return tuple(ordered[len(small) :]), tuple(sorted(counts.items()))


class BoundedValues:
    """Collects values in bounded memory; ``freeze`` gives their ``Distribution``.

    ``exact`` is public because the observation path appends to it directly, up to the limit.
    """

    __slots__ = ("_bins", "_limit", "exact")

    def __init__(self, limit: int = EXACT_LIMIT) -> None:
        self._limit = limit
        self.exact = array("d")  # a third of what floats in a list take
        self._bins: dict[int, int] | None = None

    def add(self, value: float) -> None:
        """Take one value, which the caller has checked to be finite and not negative."""
        if self._bins is None:
            if len(self.exact) < self._limit:
                self.exact.append(value)
                return
            self._bins = {}
            self.exact[:] = array("d", sorted(self.exact))  # in place: others hold it too
        smallest = value
        if value > self.exact[0]:
            smallest = self.exact.pop(0)
            insort(self.exact, value)
        index = bin_of(smallest)
        self._bins[index] = self._bins.get(index, 0) + 1

    @property
    def has_room(self) -> bool:
        """Whether the next value will still be kept as it comes, in its order."""
        return len(self.exact) < self._limit and self._bins is None

    @property
    def n(self) -> int:
        """How many values were added."""
        return len(self.exact) + (sum(self._bins.values()) if self._bins else 0)

    @property
    def bins(self) -> Bins:
        """What did not stay exact."""
        return tuple(sorted(self._bins.items())) if self._bins else ()

    def freeze(self) -> Distribution:
        """Return what was collected so far."""
        return Distribution.of(tuple(self.exact), self.bins)
