"""Wraps attributes of single objects, and takes every wrap back. Knows nothing of any engine.

Rule: the wrapped method can't tell. Its result, exception or cancellation passes unchanged, and an
asynchronous wrapper awaits the original and nothing else. What an observer raises is reported, and
goes no further. A copy of an object, or what is pickled of it, has no wrap: else its method would
act on the original.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ai_engine_quality.adapters.notes import MOST_WAITING, Noted, Taker

Before = Callable[..., Any]
"""Called with the named leading arguments; what it returns is handed to the other observer."""

After = Callable[..., object]
"""Called with what ``Before`` returned, the result, and the named leading arguments; not called
where the original raised or was cancelled."""


class Observers(NamedTuple):
    """Who watches a method. Who only wants to be told a moment later is ``noted``, by itself."""

    before: Before | None = None
    after: After | None = None
    noted: Noted | None = None


_NOTHING: Any = object()

_STATE = "__getstate__"
"""What ``copy`` and ``pickle`` ask an object for, by whichever protocol."""


class CannotWrap(Exception):  # noqa: N818  # an answer to a probe, which the report repeats
    """An attribute isn't what it should be; the message says how it differs."""


class _Wrap:
    """One wrapped attribute: what stood there before, and what watches it now."""

    def __init__(
        self,
        owner: Any,
        name: str,
        arguments: Sequence[str] | None,
        observers: Observers,
        on_error: Callable[[Exception], None],
    ) -> None:
        self.owner = owner
        self.name = name
        self.own_before = vars(owner).get(name, _NOTHING)
        self.wrapper: Callable[..., Any] = _NOTHING
        self._arguments = None if arguments is None else tuple(arguments)
        self._count = -1 if arguments is None else len(arguments)
        self._before, self._after = observers.before, observers.after
        self._noted = observers.noted
        self._taker: Taker | None = None
        self._on_error = on_error

    def mute(self) -> None:
        """Go on passing calls through, and observe no more."""
        self._before = self._after = None
        if self._taker is not None:
            self._taker.take = None

    def take_back(self) -> bool:
        """Mute it, and put back what stood there; return False where somebody has wrapped it."""
        self.mute()
        _StateWithoutWraps.leave(self)
        if vars(self.owner).get(self.name, _NOTHING) is not self.wrapper:
            return False
        if self.own_before is _NOTHING:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, self.own_before)
        return True

    def before(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Observe a call that is about to happen."""
        observe = self._before
        if observe is None:
            return None
        try:
            return observe(*self._leading(args, kwargs))
        except Exception as error:
            self._on_error(error)
            return None

    def after(
        self, note: Any, result: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        """Observe a call that has returned."""
        if self._after is None:
            return
        try:
            self._after(note, result, *self._leading(args, kwargs))
        except Exception as error:
            self._on_error(error)

    def _leading(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        if self._arguments is None:
            return args, kwargs
        given = len(args)
        if given == self._count:  # the usual case
            return args
        return tuple(
            args[index] if index < given else kwargs.get(name)
            for index, name in enumerate(self._arguments)
        )

    def around(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return the original with this watching it."""
        coroutine = inspect.iscoroutinefunction(original)
        if self._noted is not None:
            return self._noting(original, self._noted, coroutine=coroutine)
        before, after = self.before, self.after

        @functools.wraps(original)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            note = before(args, kwargs)
            result = await original(*args, **kwargs)
            after(note, result, args, kwargs)
            return result

        @functools.wraps(original)
        def synchronous(*args: Any, **kwargs: Any) -> Any:
            note = before(args, kwargs)
            result = original(*args, **kwargs)
            after(note, result, args, kwargs)
            return result

        return asynchronous if coroutine else synchronous

    def _noting(
        self, original: Callable[..., Any], how: Noted, *, coroutine: bool
    ) -> Callable[..., Any]:
        """Return the original with each call of it noted, by as little as can be for each frame.

        What is done is written out twice: a call of a function would take half as much again.
        """
        taker = self._taker = Taker(how.take)
        notes, but_for, names = how.notes, how.but_for, self._arguments or ()
        waiting, now, most = notes.waiting, notes.now, MOST_WAITING
        leading, count = self._leading, self._count
        place = names.index(how.argument) if but_for else 0

        @functools.wraps(original)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            try:
                wanted = args[place] not in but_for
            except Exception:  # it is named, or is nothing that a set can hold
                wanted = True
            if wanted:
                what = args if len(args) == count else leading(args, kwargs)
                waiting.append((taker, now(), what))
                if len(waiting) >= most:
                    notes.flush()
            return await original(*args, **kwargs)

        @functools.wraps(original)
        def synchronous(*args: Any, **kwargs: Any) -> Any:
            try:
                wanted = args[place] not in but_for
            except Exception:  # as above
                wanted = True
            if wanted:
                what = args if len(args) == count else leading(args, kwargs)
                waiting.append((taker, now(), what))
                if len(waiting) >= most:
                    notes.flush()
            return original(*args, **kwargs)

        return asynchronous if coroutine else synchronous


class _StateWithoutWraps:
    """Stands on a watched object as ``__getstate__``: a copy is what it would be without wraps.

    A copy that had them would call the original's methods, and none could be pickled.
    """

    def __init__(self, owner: Any) -> None:
        self._usual: Callable[[], Any] = getattr(owner, _STATE)
        self.wraps: list[_Wrap] = []

    @classmethod
    def join(cls, wrap: _Wrap) -> None:
        """Leave a wrap out of the state of its object, from now on."""
        found = vars(wrap.owner).get(_STATE)
        if found is None:
            found = cls(wrap.owner)
            setattr(wrap.owner, _STATE, found)
        if isinstance(found, cls):  # else the object has one of its own, which we leave alone
            found.wraps.append(wrap)

    @classmethod
    def leave(cls, wrap: _Wrap) -> None:
        """Forget a wrap that is taken back, and go with the last one."""
        found = vars(wrap.owner).get(_STATE)
        if isinstance(found, cls) and wrap in found.wraps:
            found.wraps.remove(wrap)
            if not found.wraps:
                delattr(wrap.owner, _STATE)

    def __call__(self) -> Any:
        """Return what the object's own ``__getstate__`` does, less what was set on the object."""
        state = self._usual()
        if isinstance(state, tuple) and state:  # of a class that has slots too
            return (self._cleaned(state[0]), *state[1:])
        return self._cleaned(state)

    def _cleaned(self, attributes: Any) -> Any:
        if not isinstance(attributes, dict):
            return attributes
        cleaned = {name: value for name, value in attributes.items() if value is not self}
        for wrap in reversed(self.wraps):  # one may stand on another
            if cleaned.get(wrap.name) is wrap.wrapper:
                del cleaned[wrap.name]
                if wrap.own_before is not _NOTHING:
                    cleaned[wrap.name] = wrap.own_before
        return cleaned


class RemainingWrap(NamedTuple):
    """A wrap that could not be taken back, because somebody wrapped it in turn."""

    owner: str
    name: str

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"


class Wraps:
    """Every wrap of one attachment, in the order in which they were set."""

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        """Begin without a wrap; ``on_error`` gets what an observer raised."""
        self._on_error = on_error
        self._wraps: list[_Wrap] = []

    def set(
        self,
        owner: Any,
        name: str,
        arguments: Sequence[str] | None,
        *,
        coroutine: bool,
        before: Before | None = None,
        after: After | None = None,
        noted: Noted | None = None,
    ) -> None:
        """Watch a method of one object.

        Args:
            owner: The object; its class is left alone.
            name: The method's name.
            arguments: Names of the leading arguments, which the observers get; None hands them
                all positional arguments as a tuple, and the others as a mapping.
            coroutine: Whether it should be an ``async def``.
            before: Called when it is called.
            after: Called when it has returned.
            noted: Instead of both: how each call of it is noted.

        Raises:
            CannotWrap: it isn't there, isn't what it should be, or can't be replaced.
        """
        original = _probed(owner, name, arguments, coroutine=coroutine)
        observers = Observers(before, after, noted)
        wrap = _Wrap(owner, name, arguments, observers, self._on_error)
        wrap.wrapper = wrap.around(original)
        try:
            setattr(owner, name, wrap.wrapper)
        except Exception as error:
            raise CannotWrap(f"{_named(owner, name)} can't be replaced: {error}") from error
        with contextlib.suppress(Exception):  # an object that can't be copied either
            _StateWithoutWraps.join(wrap)
        self._wraps.append(wrap)

    def has(self, owner: Any, name: str) -> bool:
        """Return whether a method of an object is watched already."""
        return any(wrap.owner is owner and wrap.name == name for wrap in self._wraps)

    def restore(self) -> tuple[RemainingWrap, ...]:
        """Take every wrap back, the latest first; return those that stay, muted.

        A wrap that somebody has wrapped since stays in place, since taking it away would take
        theirs with it. It only passes calls through from now on.
        """
        left = []
        while self._wraps:
            wrap = self._wraps.pop()
            if not wrap.take_back():
                left.append(RemainingWrap(type(wrap.owner).__name__, wrap.name))
        return tuple(left)

    def leave(self, owner: Any, name: str) -> None:
        """Watch a method of an object no more, and forget the object: it served one call."""
        for wrap in [each for each in self._wraps if each.owner is owner and each.name == name]:
            self._wraps.remove(wrap)
            wrap.take_back()


def _named(owner: Any, name: str) -> str:
    return f"{type(owner).__name__}.{name}"


def _probed(
    owner: Any, name: str, arguments: Sequence[str] | None, *, coroutine: bool
) -> Callable[..., Any]:
    """Return the method, where it is what it should be."""
    if not hasattr(owner, "__dict__"):
        raise CannotWrap(f"{type(owner).__name__} has no attributes of its own")
    original = getattr(owner, name, None)
    if original is None:
        raise CannotWrap(f"{type(owner).__name__} has no {name}")
    if not callable(original):
        raise CannotWrap(f"{_named(owner, name)} is not a method")
    if inspect.iscoroutinefunction(original) is not coroutine:
        kind = "an async" if coroutine else "a plain"
        raise CannotWrap(f"{_named(owner, name)} is not {kind} method")
    if arguments is not None:
        _check_arguments(owner, name, original, arguments)
    return original  # type: ignore[no-any-return]  # callable, as asked above


def _check_arguments(
    owner: Any, name: str, original: Callable[..., Any], arguments: Sequence[str]
) -> None:
    try:
        parameters = list(inspect.signature(original).parameters.values())
    except (TypeError, ValueError) as error:
        raise CannotWrap(f"{_named(owner, name)} has no signature to check: {error}") from error
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = [parameter.name for parameter in parameters if parameter.kind in positional]
    if found[: len(arguments)] != list(arguments):
        raise CannotWrap(
            f"{_named(owner, name)} takes ({', '.join(found)}), not ({', '.join(arguments)}, ...)"
        )
