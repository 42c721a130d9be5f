"""Copies of a watched object, and what is pickled of it, are what they would be without us."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from ai_engine_quality.adapters.wraps import Wraps


class Store:
    """Holds sessions, as a part of an engine does."""

    def __init__(self) -> None:
        self.sessions = {"1.1": "session"}

    async def remove(self, call_id: str) -> str | None:
        """Return the session that was removed."""
        return self.sessions.pop(call_id, None)

    def count(self) -> int:
        """Return how many there are."""
        return len(self.sessions)


class WithSlots(Store):
    """Has a slot beside its attributes, so that its state is a pair."""

    __slots__ = ("beside",)

    def __init__(self) -> None:
        super().__init__()
        self.beside = "a slot"


class WithState(Store):
    """Says itself what is kept of it."""

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "kept": True}


class WithOddState(Store):
    """Keeps something that is no dict."""

    def __getstate__(self) -> list[str]:
        return list(self.sessions)

    def __setstate__(self, state: list[str]) -> None:
        self.sessions = dict.fromkeys(state, "session")


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "in a list": lambda store: copy.deepcopy([store, store])[0],
    **{
        f"pickle {protocol}": lambda store, protocol=protocol: pickle.loads(  # noqa: S301  # ours
            pickle.dumps(store, protocol)
        )
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
}


def watched(store: Store) -> tuple[Wraps, list[Any]]:
    """Watch both methods of a store."""
    seen: list[Any] = []
    wraps = Wraps(seen.append)
    wraps.set(store, "remove", ("call_id",), coroutine=True, before=seen.append)
    wraps.set(store, "count", (), coroutine=False, before=lambda: seen.append("count"))
    return wraps, seen


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("kind", [Store, WithSlots, WithState, WithOddState])
def test_a_copy_acts_on_itself_and_is_not_watched(kind: type[Store], how: str) -> None:
    """Its methods are its class's: neither the original nor what watches that hears of a call."""
    store = kind()
    _, seen = watched(store)
    twin = COPIES[how](store)
    twin.sessions = {"2.2": "another", "3.3": "third"}
    assert asyncio.run(twin.remove("2.2")) == "another"
    assert asyncio.run(twin.remove("1.1")) is None
    assert twin.count() == 1
    assert (store.sessions, seen) == ({"1.1": "session"}, [])
    assert {"remove", "count", "__getstate__"} & set(vars(twin)) == set()
    assert vars(twin).get("kept", False) is (kind is WithState)
    assert getattr(twin, "beside", "a slot") == "a slot"


def test_the_original_is_watched_as_before() -> None:
    """Copying it changes nothing of it."""
    store = Store()
    wraps, seen = watched(store)
    copy.deepcopy(store)
    assert inspect.iscoroutinefunction(store.remove)
    assert asyncio.run(store.remove("1.1")) == "session"
    assert (store.count(), seen) == (0, ["1.1", "count"])
    assert wraps.restore() == ()
    assert set(vars(store)) == {"sessions"}


def test_a_method_of_the_objects_own_is_in_the_copy() -> None:
    """What stood on the object itself before it was watched stands on the copy."""
    store = Store()
    store.count = lambda: 7  # type: ignore[method-assign]
    _, seen = watched(store)
    assert (copy.copy(store).count(), seen) == (7, [])


def test_two_watchers_of_one_object_leave_one_by_one() -> None:
    """The first that leaves takes its own wrap; a copy has neither, before and after."""
    store = Store()
    first, _ = watched(store)
    second, _ = watched(store)
    assert vars(copy.copy(store)).keys() == {"sessions"}
    second.restore()
    assert vars(copy.copy(store)).keys() == {"sessions"}
    first.restore()
    assert vars(store).keys() == {"sessions"}


def test_an_object_with_a_state_of_its_own_is_left_alone() -> None:
    """Whoever has set what is kept of one object decides it."""
    store = Store()
    vars(store)["__getstate__"] = own = lambda: {"sessions": {}}
    wraps, _ = watched(store)
    assert vars(store)["__getstate__"] is own
    assert copy.copy(store).count() == 0
    wraps.restore()
    assert vars(store)["__getstate__"] is own
