"""Attaches the quality library to an engine that ``ai-engine-quality run`` started.

Python runs this when it starts, in whatever program, so it uses the standard library only, costs
next to nothing where the program isn't the engine, and never raises. It first puts things back as
if it had not been there: this folder leaves the path, for this process and for those that it
starts, and another ``sitecustomize`` runs if there is one.
"""

from __future__ import annotations

import importlib
import os
import sys

TYPE_CHECKING = False  # typing would take longer to import than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

ENGINE_MODULE = "src.engine"
ENGINE_CLASS = "Engine"

ENGINE_PARTS = ("session_store", "conversation_coordinator", "streaming_playback_manager")
"""What the engine has and another program's class of that name has not."""


def _say(message: str) -> None:
    """Tell the operator; the engine's log isn't set up yet, or isn't ours to use."""
    print(f"ai-engine-quality: {message}", file=sys.stderr)  # noqa: T201  # as above


def _leave_the_path() -> None:
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # as with typing
    sys.path[:] = [entry for entry in sys.path if entry != folder]
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if rest := os.pathsep.join(entry for entry in path if entry != folder):
        os.environ["PYTHONPATH"] = rest
    else:
        os.environ.pop("PYTHONPATH", None)


def _run_the_other_sitecustomize() -> None:
    """Run the one that this one has hidden, as Python would have: it may be missing or raise."""
    own = sys.modules.pop("sitecustomize", None)
    try:
        importlib.import_module("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            _say(f"another sitecustomize failed: {error!r}")
    except Exception as error:  # it isn't ours; Python itself goes on after it
        _say(f"another sitecustomize failed: {error!r}")
    if own is not None:
        sys.modules.setdefault("sitecustomize", own)


class _EngineFinder:
    """Waits for the engine's module to be imported; everything else passes."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the engine's spec, with a loader that calls back once; None for all else."""
        if fullname != ENGINE_MODULE:
            return None
        from importlib.util import find_spec  # noqa: PLC0415  # only engines pay for it

        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            _after_loading(spec.loader, _watch_constructor)
        return spec


def _after_loading(loader: Any, done: Callable[[ModuleType], None]) -> None:
    """Call ``done`` with the module that a loader has executed; the loader is as before then."""
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        del loader.exec_module
        execute(module)
        try:
            done(module)
        except Exception as error:
            _say(f"not attached: {error!r}")

    loader.exec_module = exec_module


def _watch_constructor(module: Any) -> None:
    """Attach the library to each engine once it is made."""
    from functools import wraps  # noqa: PLC0415  # only engines pay for it

    engine: Any = getattr(module, ENGINE_CLASS, None)
    if not isinstance(engine, type):
        return
    construct = vars(engine).get("__init__")
    if construct is None:
        return

    @wraps(construct)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        construct(self, *args, **kwargs)
        if all(hasattr(self, part) for part in ENGINE_PARTS):
            _attach(self)

    type.__setattr__(engine, "__init__", made)


def _attach(engine: Any) -> None:
    """Attach the library; whatever goes wrong, the engine runs as it would have."""
    try:
        from ai_engine_quality.adapters import attach  # noqa: PLC0415  # only engines pay for it

        attach(engine)
    except ModuleNotFoundError as error:
        _say(f"not attached: {error}, for {sys.executable}; install ai_engine_quality there")
    except Exception as error:
        _say(f"not attached: {error}")


try:
    _leave_the_path()
    sys.meta_path.insert(0, _EngineFinder())
    _run_the_other_sitecustomize()
except Exception as error:
    _say(f"not attached: {error!r}")
