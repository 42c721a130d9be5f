"""The latest values of something, in the order of their coming and sorted: bounded."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque


class Recent:
    """Keeps the latest values.

    Args:
        most: How many; the oldest one goes when another comes.
    """

    __slots__ = ("_in_order", "_most", "_sorted")

    def __init__(self, most: int) -> None:
        self._most = most
        self._in_order: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._sorted)

    def add(self, value: float) -> None:
        """Take another value."""
        if len(self._in_order) >= self._most:
            oldest = self._in_order.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._in_order.append(value)
        insort(self._sorted, value)

    def under(self, value: float) -> int:
        """Return how many are less."""
        return bisect_left(self._sorted, value)

    def up_to(self, value: float) -> int:
        """Return how many are less or equal."""
        return bisect_right(self._sorted, value)

    def middle(self) -> float:
        """Return the median, of two in the middle the upper one.

        Raises:
            IndexError: there are none.
        """
        return self._sorted[len(self._sorted) // 2]
