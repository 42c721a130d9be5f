"""Attaches the quality library to an engine that ``ai-engine-quality run`` started.

Python runs this when it starts, in whatever program, so it uses the standard library only, costs
next to nothing where the program isn't an engine, and never raises. It first puts things back as
if it had not been there: this folder leaves the path and the table of engines the environment, for
this process and for those that it starts, and another ``sitecustomize`` runs if there is one.

A launcher, such as ``opentelemetry-instrument`` or ``poetry run``, is no engine itself: it has
another program take its place by ``exec``. That program is asked for the same. Where nothing was
attached in the end, one line on stderr says why, and what to do.

It knows no engine: ``watched.py`` says what the table holds, and each adapter what stands in it.
"""

from __future__ import annotations

import atexit
import importlib
import os
import sys

TYPE_CHECKING = False  # typing would take longer to import than all the rest
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

VARIABLE = "_AI_ENGINE_QUALITY_WATCHED"
"""The same as in ``watched.py``, which can't be imported here: all the library would come along."""

IN_CHILDREN = "*"
"""Likewise: the engines of such a class are made in processes that the program starts."""

CHILD = "child;"
"""Stands before the table in such a process, which need not make an engine."""

FOLDER = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # as with typing

RUN = "python -m ai_engine_quality run --"


class _Request:
    """What ``run`` asked for, and what has become of it in this process."""

    def __init__(self, table: str) -> None:
        self.answered = table.startswith(CHILD)
        """Whether an engine was attached here, or it was said why not, or none need be."""
        self.table = table = table.removeprefix(CHILD)
        engines = [words.split() for words in table.split(";") if words]
        self.engines = {module: [adapter, *rest] for adapter, module, *rest in engines}
        """By module, the words of each engine that is watched: adapter, class, parts."""
        self.process = os.getpid()

    def report(self, message: str) -> None:
        """Inform the operator; the engine's log isn't set up yet, or isn't ours to use."""
        self.answered = True
        _report(message)

    def added_to(self, environ: Mapping[Any, Any]) -> dict[str, str]:
        """Return an environment in which Python runs this first, before whatever is there."""
        found = {os.fsdecode(name): os.fsdecode(value) for name, value in environ.items()}
        path = found.get("PYTHONPATH")
        found["PYTHONPATH"] = os.pathsep.join([FOLDER, path] if path else [FOLDER])
        found[VARIABLE] = self.table
        return found

    def hand_to_children(self) -> None:
        """Have the processes that this program starts asked for the same, for they make engines."""
        self.answered = True
        found = self.added_to(os.environ)
        os.environ["PYTHONPATH"] = found["PYTHONPATH"]
        os.environ[VARIABLE] = CHILD + self.table

    @property
    def goes_on(self) -> bool:
        """Whether a program that takes this process's place is the one that ``run`` was for.

        A process that an engine forks isn't; one that a supervisor forks may well be.
        """
        return not self.answered or os.getpid() == self.process

    def say_at_exit(self) -> None:
        """Say that there was no engine: nobody may think that calls are being scored."""
        if self.answered or os.getpid() != self.process:
            return
        program = sys.argv[0] if sys.argv and sys.argv[0] else "this program"
        wanted = " or ".join(
            f"{module}.{words[1].removeprefix(IN_CHILDREN)}"
            for module, words in self.engines.items()
        )
        self.report(
            f"not attached: {program} made no engine ({wanted}). If it starts the engine in "
            f"another process, put `{RUN}` right before that command"
        )


def _report(message: str) -> None:
    """Print a line on stderr, if there is one: a service may have closed it."""
    try:
        if sys.stderr is not None:
            print(f"ai-engine-quality: {message}", file=sys.stderr, flush=True)  # noqa: T201
    except (OSError, ValueError):
        return


def _leave_the_path() -> None:
    sys.path[:] = [entry for entry in sys.path if entry != FOLDER]
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if rest := os.pathsep.join(entry for entry in path if entry != FOLDER):
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
            _report(f"another sitecustomize failed: {error!r}")
    except Exception as error:  # it isn't ours; Python itself goes on after it
        _report(f"another sitecustomize failed: {error!r}")
    if own is not None:
        sys.modules.setdefault("sitecustomize", own)


def _ask_again_after_exec(request: _Request) -> None:
    """Hand the request on to whatever takes this process's place; all of ``os.exec*`` end here."""
    execv, execve = os.execv, os.execve

    def handing_on(path: Any, argv: Any) -> Any:
        if not request.goes_on:
            return execv(path, argv)
        before = {name: os.environ.get(name) for name in ("PYTHONPATH", VARIABLE)}
        # By the environment itself: it may hold what os.environ doesn't know of.
        os.environ.update({name: request.added_to(os.environ)[name] for name in before})
        try:
            return execv(path, argv)
        finally:  # it failed: another folder of PATH is tried next, say
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    def handing_on_by(path: Any, argv: Any, env: Any) -> Any:
        if request.goes_on:
            try:
                env = request.added_to(env)
            except Exception:
                return execve(path, argv, env)  # which says what is wrong with it
        return execve(path, argv, env)

    for name, original, ours in (("execv", execv, handing_on), ("execve", execve, handing_on_by)):
        ours.__name__, ours.__doc__ = name, original.__doc__
        setattr(os, name, ours)
    if execve in os.supports_fd:
        os.supports_fd.add(handing_on_by)


class _EngineFinder:
    """Finds an engine's module as the others do, and has it watched; everything else passes.

    It stays: who asks where a module is need not import it, and who imports it may reload it.
    """

    def __init__(self, request: _Request) -> None:
        self._request = request

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return an engine's spec with a loader that watches; None for all else."""
        if fullname not in self._request.engines:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find and find(fullname, path, target)
            if spec is not None:
                self._watch(spec)
                return spec
        return None

    def _watch(self, spec: ModuleSpec) -> None:
        loader: Any = spec.loader
        try:
            if not hasattr(loader, "exec_module"):
                raise TypeError(f"{loader!r} has no exec_module")  # noqa: TRY301  # told below
            spec.loader = _WatchingLoader(loader, self._request)  # type: ignore[assignment]  # like one
        except Exception as error:
            self._request.report(
                f"not attached: {spec.name} is loaded in a way that can't be watched ({error}). "
                "Call ai_engine_quality.attach(engine) where the engine is made"
            )


class _WatchingLoader:
    """A loader that takes part once, and is gone from the module before its code runs."""

    __slots__ = ("_loader", "_request")

    def __init__(self, loader: Any, request: _Request) -> None:
        self._loader = loader
        self._request = request

    def __getattr__(self, name: str) -> Any:
        if name in _WatchingLoader.__slots__:  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        """Execute a module by its own loader, and watch the engine's class in it."""
        spec = getattr(module, "__spec__", None)
        if spec is not None and spec.loader is self:
            spec.loader = self._loader
        if getattr(module, "__loader__", None) is self:
            module.__loader__ = self._loader
        self._loader.exec_module(module)
        try:
            _watch_constructor(module, self._request)
        except Exception as error:
            self._request.report(f"not attached: {error!r}")

    def get_code(self, fullname: str) -> Any:
        """Return the module's code; whoever asks for that runs it without an import."""
        self._request.report(
            f"not attached: {fullname} is run as the main program, as `python -m {fullname}` does, "
            "and can't be watched there. Start it by a program that imports it: python main.py"
        )
        return self._loader.get_code(fullname)


def _watch_constructor(module: ModuleType, request: _Request) -> None:
    """Attach the library to each engine once it is made."""
    from functools import wraps  # noqa: PLC0415  # only engines pay for it

    adapter, name, *parts = request.engines[module.__name__]
    if name.startswith(IN_CHILDREN):
        name = name.removeprefix(IN_CHILDREN)
        request.hand_to_children()
        # Now: later, a loop would stand still for it.
        getattr(importlib.import_module(adapter), "prepare", lambda: None)()
    engine: Any = getattr(module, name, None)
    construct = getattr(engine, "__init__", None)
    if not isinstance(engine, type) or construct is None or construct is object.__init__:
        return

    @wraps(construct)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        construct(self, *args, **kwargs)
        _attach(adapter, self, parts, request)

    type.__setattr__(engine, "__init__", made)


def _attach(adapter: str, engine: Any, parts: Sequence[str], request: _Request) -> None:
    """Attach the library; whatever goes wrong, the engine runs as it would have."""
    try:
        if not all(hasattr(engine, part) for part in parts):
            return  # another program's class of that name
        attachment = importlib.import_module(adapter).attach(engine)
        request.answered = True
        report = getattr(attachment, "report", None)
        calls = report and report().get("calls")
        if calls and not calls.live:
            request.report(f"attached, but no call can be scored: {calls.why_not}")
    except ModuleNotFoundError as error:
        where = f"for {sys.executable}; install ai_engine_quality there"
        request.report(f"not attached: {error}, {where}")
    except Exception as error:
        request.report(f"not attached: {error}")


try:
    _leave_the_path()
    if _table := os.environ.pop(VARIABLE, ""):
        _asked = _Request(_table)
        sys.meta_path.insert(0, _EngineFinder(_asked))
        _ask_again_after_exec(_asked)
        atexit.register(_asked.say_at_exit)
    _run_the_other_sitecustomize()
except Exception as error:
    _report(f"not attached: {error!r}")
