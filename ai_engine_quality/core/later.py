"""Values that are made when they are first asked for: a call's end need not wait for words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")


class Later(Generic[T]):
    """A value, or what makes it: pure, so that it doesn't matter who asks first, or asks twice."""

    __slots__ = ("_make", "_value")

    def __init__(self, make: Callable[[], T] | None, value: Any = None) -> None:
        """Make nothing yet.

        Args:
            make: Makes the value; None where it is there.
            value: The value, in that case.
        """
        self._make = make
        self._value = value

    @classmethod
    def of(cls, value: T) -> Self:
        """Return a value that is there."""
        return cls(None, value)

    def get(self) -> T:
        """Return the value."""
        make = self._make
        if make is not None:
            self._value = make()
            self._make = None  # in this order: another thread may ask
        value: T = self._value
        return value

    def __eq__(self, other: object) -> bool:
        """Return whether the values are equal."""
        return isinstance(other, Later) and self.get() == other.get()

    def __hash__(self) -> int:
        return hash(self.get())

    def __repr__(self) -> str:
        return f"Later.of({self.get()!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it be pickled and copied, as its value."""
        return Later, (None, self.get())
