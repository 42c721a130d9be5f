"""Attaches the quality library to an engine that ``ai-engine-quality run`` started.

Python runs this when it starts, in whatever program, so it uses the standard library only, costs
next to nothing where the program isn't an engine, and never raises. It first puts things back as
if it had not been there: this folder leaves the path and the table of engines the environment, for
this process and for those that it starts, and another ``sitecustomize`` runs if there is one.

It knows no engine: ``watched.py`` says what the table holds, and each adapter what stands in it.
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

VARIABLE = "_AI_ENGINE_QUALITY_WATCHED"
"""The same as in ``watched.py``, which can't be imported here: all the library would come along."""


def _report(message: str) -> None:
    """Inform the operator; the engine's log isn't set up yet, or isn't ours to use."""
    print(f"ai-engine-quality: {message}", file=sys.stderr)  # noqa: T201  # as above


def _leave_the_path() -> None:
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # as with typing
    sys.path[:] = [entry for entry in sys.path if entry != folder]
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if rest := os.pathsep.join(entry for entry in path if entry != folder):
        os.environ["PYTHONPATH"] = rest
    else:
        os.environ.pop("PYTHONPATH", None)


def _take_the_table() -> dict[str, list[str]]:
    """Return, by module, the words of each engine that is watched: adapter, class, parts."""
    engines = [words.split() for words in os.environ.pop(VARIABLE, "").split(";") if words]
    return {module: [adapter, *rest] for adapter, module, *rest in engines}


def _run_the_other_sitecustomize() -> None:
    """Run the one that this one has hidden, as Python would have: it may be missing or raise."""
    own = sys.modules.pop("sitecustomize", None)
    try:
        importlib.import_module("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            _report(f"another sitecustomize failed: {error!r}")
    except Exception as error:  # it isn't ours; Python itself goes on after it
        _report(f"another sitecustomize failed: {error!r}")
    if own is not None:
        sys.modules.setdefault("sitecustomize", own)


class _EngineFinder:
    """Waits for an engine's module to be imported; everything else passes."""

    def __init__(self, engines: dict[str, list[str]]) -> None:
        self._engines = engines

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return an engine's spec, with a loader that calls back once; None for all else."""
        engine = self._engines.pop(fullname, None)
        if engine is None:
            return None
        from importlib.util import find_spec  # noqa: PLC0415  # only engines pay for it

        if not self._engines:
            sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is not None and spec.loader is not None:
            _after_loading(spec.loader, lambda module: _watch_constructor(module, *engine))
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
            _report(f"not attached: {error!r}")

    loader.exec_module = exec_module


def _watch_constructor(module: Any, adapter: str, name: str, *parts: str) -> None:
    """Attach the library to each engine once it is made."""
    from functools import wraps  # noqa: PLC0415  # only engines pay for it

    engine: Any = getattr(module, name, None)
    if not isinstance(engine, type):
        return
    construct = vars(engine).get("__init__")
    if construct is None:
        return

    @wraps(construct)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        construct(self, *args, **kwargs)
        if all(hasattr(self, part) for part in parts):
            _attach(adapter, self)

    type.__setattr__(engine, "__init__", made)


def _attach(adapter: str, engine: Any) -> None:
    """Attach the library; whatever goes wrong, the engine runs as it would have."""
    try:
        importlib.import_module(adapter).attach(engine)
    except ModuleNotFoundError as error:
        _report(f"not attached: {error}, for {sys.executable}; install ai_engine_quality there")
    except Exception as error:
        _report(f"not attached: {error}")


try:
    _leave_the_path()
    if _engines := _take_the_table():
        sys.meta_path.insert(0, _EngineFinder(_engines))
    _run_the_other_sitecustomize()
except Exception as error:
    _report(f"not attached: {error!r}")
