"""What runs when a call has ended: each hook gets the call's score, and none can break another."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from ai_engine_quality.core.result import CallScore

SLOW_SECONDS = 0.05
"""A hook runs in the loop that paces audio: longer than this is heard."""

MAX_SLOW_RUNS = 5
"""After so many slow runs a hook is not run any more."""

FORGIVEN_AFTER = 1_000
"""Fast runs in a row that make the slow ones forgotten: on a busy machine, five in a month are no
fault of the hook's."""


MAX_NESTED = 8
"""A hook may end another call, whose hooks end another: so deep, and then no hook is run."""


class CallEndHook(Protocol):
    """A plain function of the score. A coroutine function can't be one: nobody awaits it here."""

    def __call__(self, score: CallScore, /) -> object:
        """Do something with the score of a call that has ended."""


HookT = TypeVar("HookT", bound=CallEndHook)

Failed = Callable[[str, BaseException | None], None]
"""Told a hook's name and its exception; no exception: it was too slow."""


def hook_name(hook: object) -> str:
    """Return a hook's qualified name, for labels and logs."""
    try:
        name = getattr(hook, "__qualname__", None) or type(hook).__qualname__
        return f"{getattr(hook, '__module__', None) or 'unknown'}.{name}"
    except Exception:  # a foreign __getattribute__ can raise anything
        return f"unknown.{type(hook).__qualname__}"


class HookRunner:
    """The hooks of a monitor, in the order in which they were added."""

    def __init__(
        self,
        on_failure: Failed,
        *,
        max_slow_runs: float = MAX_SLOW_RUNS,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._on_failure = on_failure
        self._max_slow_runs = max_slow_runs
        self._timer = timer
        self._hooks: list[_Added] = []
        self._nesting = _Nesting()

    def add(self, hook: HookT) -> HookT:
        """Add a hook and return it, so that this serves as a decorator.

        Raises:
            TypeError: it can't be called with a score, or is a coroutine function.
            ValueError: it is there already.
        """
        if not callable(hook):
            raise TypeError(f"a call-end hook is a function of the score, not {hook!r}")
        if _is_coroutine_function(hook):
            raise TypeError(
                f"{hook_name(hook)} is a coroutine function, which nobody would await; make it a "
                "plain function that starts a task: loop.create_task(...)"
            )
        if not _takes_a_score(hook):
            raise TypeError(
                f"{hook_name(hook)} can't be called with a score; make it a function of one "
                "argument, the score"
            )
        if self._added(hook) is not None:
            raise ValueError(f"{hook_name(hook)} is a hook already; remove_hook() it first")
        self._hooks.append(_Added(hook))
        return hook

    def remove(self, hook: CallEndHook) -> None:
        """Remove a hook.

        Raises:
            ValueError: it isn't there.
        """
        added = self._added(hook)
        if added is None:
            raise ValueError(f"{hook_name(hook)} is not a hook of this monitor")
        self._hooks.remove(added)

    def _added(self, hook: object) -> _Added | None:
        return next((added for added in self._hooks if added.hook == hook), None)

    def run(self, score: CallScore) -> None:
        """Run every hook; one that raises is reported, and the others run all the same."""
        if not self._hooks:
            return
        if self._nesting.depth >= MAX_NESTED:
            self._refuse()
            return
        self._nesting.depth += 1
        try:
            self._run_each(score)
        finally:
            self._nesting.depth -= 1

    def _run_each(self, score: CallScore) -> None:
        for added in tuple(self._hooks):
            failure: BaseException | None = None
            began = self._timer()
            try:
                added.hook(score)
            except (KeyboardInterrupt, SystemExit):
                raise  # meant to end the process
            except BaseException as error:  # a CancelledError of some task of the hook's, say
                failure = error
            elapsed = self._timer() - began
            if failure is not None:
                self._on_failure(added.name, failure)
            if elapsed > SLOW_SECONDS:
                self._was_slow(added)
            elif added.slow_runs:
                added.was_fast()

    def _refuse(self) -> None:
        """Report hooks that end calls without end: the stack would, in the middle of a count."""
        for added in tuple(self._hooks):
            text = f"hooks ended calls within hooks, {MAX_NESTED} deep; start a task for them"
            self._on_failure(added.name, RecursionError(text))

    def _was_slow(self, added: _Added) -> None:
        added.slow_runs += 1
        added.fast_since = 0
        if added.slow_runs >= self._max_slow_runs and added in self._hooks:
            self._hooks.remove(added)
        self._on_failure(added.name, None)


class _Added:
    """A hook, from when it is added until it is removed: added again, it begins anew."""

    __slots__ = ("fast_since", "hook", "name", "slow_runs")

    def __init__(self, hook: CallEndHook) -> None:
        self.hook = hook
        self.name = hook_name(hook)
        self.slow_runs = 0
        self.fast_since = 0
        """Fast runs in a row since it was slow."""

    def was_fast(self) -> None:
        """Forget the slow runs after enough fast ones."""
        self.fast_since += 1
        if self.fast_since >= FORGIVEN_AFTER:
            self.slow_runs = self.fast_since = 0


class _Nesting(threading.local):
    """How many hooks this thread is within: calls may end in several threads."""

    depth = 0


def _takes_a_score(hook: Callable[..., object]) -> bool:
    """Return whether a hook can be called with one value; True where Python can't tell."""
    try:
        signature = inspect.signature(hook)
    except Exception:  # one in C that doesn't say, or a foreign __signature__
        return True
    try:
        signature.bind(None)
    except TypeError:
        return False
    return True


def _is_coroutine_function(hook: object) -> bool:
    call = getattr(hook, "__call__", None)  # noqa: B004  # the method itself, to look at its kind
    return inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(call)
