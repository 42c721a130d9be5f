"""The values measured in one call, in bounded memory, and their percentiles.

The rule: the largest :data:`EXACT_LIMIT` values are kept as they came; what is smaller goes into
fixed logarithmic bins. So up to 512 values every percentile is exact, up to 10,000 the 95th still
is, and beyond that it is at most 1 % too high and never too low: a bin stands for its upper edge,
so that binning can't turn a bad call into a better one. Nothing is random, and the order in which
values come never matters.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

EXACT_LIMIT = 512
"""Values that are kept exactly, for each kind of observation of a call."""

BIN_FLOOR = 1e-4
"""Values up to this (0.1 ms) share bin 0."""

BIN_GROWTH = 1.01
"""Each bin is 1 % wider than the one below: the largest relative error of a binned value."""

MAX_BIN = 3_000
"""No value that an observation can have reaches a higher bin: its edge is over 9e8."""

_LOG_GROWTH = math.log(BIN_GROWTH)

Bins = tuple[tuple[int, int], ...]
"""(bin, count) pairs, ascending."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Values of one kind: ``exact`` ones, and counts of smaller ones in logarithmic ``bins``."""

    exact: tuple[float, ...] = ()
    bins: Bins = ()

    @property
    def n(self) -> int:
        """How many values were observed."""
        return len(self.exact) + sum(count for _, count in self.bins)

    def percentile(self, q: float) -> float:
        """Return the ``q``-th percentile (0 to 100), as ``numpy.percentile`` interpolates.

        Raises:
            ValueError: there are no values.
        """
        n = self.n
        if not n:
            raise ValueError("no values have no percentile; check n first")
        rank = q / 100 * (n - 1)
        below = min(int(rank), n - 1)
        low, high = self._order_statistics(below, min(below + 1, n - 1))
        return _interpolate(low, high, rank - below)

    def plus(self, other: Distribution) -> Distribution:
        """Return both together."""
        if not other.exact and not other.bins:
            return self
        merged = dict(self.bins)
        for index, count in other.bins:
            merged[index] = merged.get(index, 0) + count
        return Distribution(self.exact + other.exact, tuple(sorted(merged.items())))

    def coarser(self, keep: int, merge: int = 1) -> Distribution:
        """Return the same values with only the largest ``keep`` of them exact, ascending.

        Each ``merge`` bins of the others become one, the highest of them.
        """
        ordered = sorted(self.exact)
        small = ordered[: max(0, len(ordered) - keep)]
        merged: dict[int, int] = {}
        for index, count in [*self.bins, *((bin_of(value), 1) for value in small)]:
            highest = math.ceil(index / merge) * merge
            merged[highest] = merged.get(highest, 0) + count
        return Distribution(tuple(ordered[len(small) :]), tuple(sorted(merged.items())))

    def mapped(self, function: Callable[[float], float]) -> Distribution:
        """Return the exact values, and each bin's edge as often as it counts, transformed."""
        binned = [function(value) for value, n in self._edges() for _ in range(n)]
        return Distribution(tuple(map(function, self.exact)) + tuple(binned))

    def _edges(self) -> list[tuple[float, int]]:
        return [(bin_edge(index), count) for index, count in self.bins]

    def values(self) -> list[tuple[float, int]]:
        """Return (value, count) pairs, ascending; a bin appears as its upper edge."""
        return sorted([*((value, 1) for value in self.exact), *self._edges()])

    def _order_statistics(self, first: int, second: int) -> tuple[float, float]:
        """Return the values at two ascending ranks, counted from 0."""
        if not self.bins:
            ordered = sorted(self.exact)
            return ordered[first], ordered[second]
        found: list[float] = []
        seen = 0
        for value, count in self.values():
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
    return max(0, math.ceil(math.log(value / BIN_FLOOR) / _LOG_GROWTH)) if value > 0 else 0


def bin_edge(index: int) -> float:
    """Return the upper edge of a bin: what its values count as."""
    return BIN_FLOOR * BIN_GROWTH**index


class BoundedValues:
    """Collects values in bounded memory; :meth:`freeze` gives their :class:`Distribution`.

    ``exact`` is public because the observation path appends to it directly, up to the limit.
    """

    __slots__ = ("_bins", "_limit", "exact")

    def __init__(self, limit: int = EXACT_LIMIT) -> None:
        self._limit = limit
        self.exact: list[float] = []
        self._bins: dict[int, int] | None = None

    def add(self, value: float) -> None:
        """Take one value, which the caller has checked to be finite and not negative."""
        if self._bins is None:
            if len(self.exact) < self._limit:
                self.exact.append(value)
                return
            self._bins = {}
            self.exact.sort()
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

    def freeze(self) -> Distribution:
        """Return what was collected so far."""
        bins = tuple(sorted(self._bins.items())) if self._bins else ()
        return Distribution(tuple(self.exact), bins)


def histogram(edges: Sequence[float], values: Iterable[float]) -> list[int]:
    """Count values into buckets, each up to and including its edge; the last one has no edge."""
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[bisect_left(edges, value)] += 1
    return counts
