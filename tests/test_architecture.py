"""The architecture holds: a pure core, data that flows one way, one module per dependency."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "ai_engine_quality"

PROMISED_CORE = {"observations", "policy", "call", "summary", "scoring", "result"}
"""Observations, policy, summary and score, and what lies between them."""

IMPURE = {
    "aiohttp",
    "asyncio",
    "click",
    "concurrent",
    "datetime",
    "logging",
    "multiprocessing",
    "numpy",
    "os",
    "pathlib",
    "prometheus_client",
    "queue",
    "random",
    "rich",
    "secrets",
    "socket",
    "structlog",
    "subprocess",
    "sys",
    "threading",
    "time",
    "uuid",
    "warnings",
}
"""What has a clock, chance, threads, input or output."""

IMPURE_CALLS = {"open", "print", "input", "__import__", "eval", "exec", "breakpoint"}


def contracts():
    """Return the import linter's contracts, as they stand in pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text()
    return tomllib.loads(text)["tool"]["importlinter"]["contracts"]


def core():
    """Return the names of the core's modules: every file of its folder."""
    return {path.stem for path in (ROOT / PACKAGE / "core").glob("*.py")} - {"__init__"}


def parsed(path):
    return ast.parse(path.read_text(), str(path))


def imports(tree):
    """Return every module that is imported, at any depth: in functions and for types as well."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def lint_imports(folder):
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as run; run()",
            "--no-cache",
            "--no-logo",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "lab")])},
    )


class TestContracts:
    def test_every_contract_is_kept(self):
        """All of the import linter's contracts in pyproject.toml are kept."""
        linted = lint_imports(ROOT)
        assert linted.returncode == 0, linted.stdout + linted.stderr
        assert f"{len(contracts())} kept, 0 broken" in linted.stdout
        assert len(contracts()) >= 3

    @pytest.mark.parametrize(
        ("module", "line"),
        [
            ("core/scoring", "def now():\n    import time\n    return time.time()"),
            ("core/observations", "import logging"),
            ("core/summary", f"from {PACKAGE}.core.scoring import score"),
            ("core/result", f"import typing\nif typing.TYPE_CHECKING:\n    import {PACKAGE}.live"),
            ("live/hooks", f"from {PACKAGE}.sinks import log"),
            ("sinks/log", "import prometheus_client"),
            ("sinks/records", f"from {PACKAGE}.live import handle"),
            ("monitor", f"from {PACKAGE}.adapters import attach"),
            ("../lab/ai_engine_lab/basics/ranks", f"from {PACKAGE}.core import scoring"),
            ("../lab/ai_engine_lab/basics/ranks", "from ai_engine_lab.engine import load"),
            ("../lab/ai_engine_lab/engine/reference", "import ai_engine_lab.audiosocket.server"),
            ("../lab/ai_engine_lab/validation/ratings", "import ai_engine_lab.evidence.samples"),
            ("../lab/ai_engine_lab/engine/voice", "import ai_engine_lab.engine.session"),
        ],
    )
    def test_a_breach_is_noticed(self, tmp_path, module, line):
        """The contracts are real: each of these lines, once added, breaks one."""
        shutil.copy(ROOT / "pyproject.toml", tmp_path)
        for package in (PACKAGE, "lab"):
            shutil.copytree(
                ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
            )
        with (tmp_path / PACKAGE / f"{module}.py").open("a") as stream:
            stream.write(f"\n\n{line}\n")
        linted = lint_imports(tmp_path)
        assert linted.returncode == 1, linted.stdout + linted.stderr
        assert "BROKEN" in linted.stdout


class TestTheCore:
    def test_it_has_the_promised_modules(self):
        """Observations, policy, summary and score are all of the core."""
        assert core() >= PROMISED_CORE
        assert [
            name for name in core() if not (ROOT / PACKAGE / "core" / f"{name}.py").is_file()
        ] == []

    @pytest.mark.parametrize("module", sorted(core()))
    def test_it_imports_nothing_impure(self, module):
        """No clock, chance, thread, log, metric or numpy: not even in a function, or for types."""
        found = imports(parsed(ROOT / PACKAGE / "core" / f"{module}.py"))
        assert {name for name in found if name.partition(".")[0] in IMPURE} == set()
        assert "importlib.import_module" not in found

    @pytest.mark.parametrize("module", sorted(core()))
    def test_it_does_no_input_or_output_itself(self, module):
        """Nothing in the core opens, prints or evaluates, nor imports by another way."""
        calls = {
            node.func.id
            for node in ast.walk(parsed(ROOT / PACKAGE / "core" / f"{module}.py"))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert calls & IMPURE_CALLS == set()

    @pytest.mark.parametrize("module", sorted(core()))
    def test_it_imports_only_itself(self, module):
        """Of this package the core imports its own modules only, so that it is pure throughout."""
        found = imports(parsed(ROOT / PACKAGE / "core" / f"{module}.py"))
        ours = {name for name in found if name.partition(".")[0] == PACKAGE}
        assert {name for name in ours if not name.startswith(f"{PACKAGE}.core")} == set()

    def test_it_scores_with_python_alone(self, tmp_path):
        """The core's modules and the policies score a call, with no package installed at all."""
        folder = tmp_path / PACKAGE
        shutil.copytree(ROOT / PACKAGE / "policies", folder / "policies")
        (folder / "__init__.py").touch()
        shutil.copytree(ROOT / PACKAGE / "core", folder / "core")
        script = f"""
            import sys

            class Blocker:
                def find_spec(self, name, path=None, target=None):
                    if name in ("asyncio", "logging", "socket"):
                        raise ModuleNotFoundError(name)

            sys.meta_path.insert(0, Blocker())
            sys.path.insert(0, {str(tmp_path)!r})
            from {PACKAGE}.core.scoring import score
            from {PACKAGE}.core.summary import CallSummary
            summary = CallSummary(call_id="call", turn_latencies=(0.4,), underflows=0, duration=60)
            print(score(summary).explain())
        """
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", textwrap.dedent(script)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("100, excellent")


class TestTheShell:
    def test_only_the_prometheus_sink_imports_prometheus_client(self):
        """Of what runs in an engine, only the Prometheus sink loads prometheus_client."""
        users = {
            path.relative_to(ROOT / PACKAGE).as_posix()
            for path in (ROOT / PACKAGE).rglob("*.py")
            if any(name.partition(".")[0] == "prometheus_client" for name in imports(parsed(path)))
        }
        # The monitor names a registry's type; the doctor reads an exposition, in no engine.
        others = {name for name in users if name.partition("/")[0] not in ("monitor.py", "doctor")}
        assert {Path(name).parent.as_posix() for name in others} == {"sinks/prometheus"}

    def test_only_the_adapters_know_an_engine(self):
        """No module of the library imports an engine; its private names are the adapters'."""
        knowing = {
            path.relative_to(ROOT / PACKAGE).as_posix()
            for path in (ROOT / PACKAGE).rglob("*.py")
            if any(name.partition(".")[0] in ("ai_engine", "src") for name in imports(parsed(path)))
        }
        assert {name for name in knowing if not name.startswith("adapters/")} == set()

    def test_the_sinks_do_not_know_each_other(self):
        """Each sink is a module, or a folder of them, that imports no other sink."""
        folder = ROOT / PACKAGE / "sinks"
        files = {path: path.relative_to(folder).parts[0] for path in folder.rglob("*.py")}
        sinks = {name.removesuffix(".py") for name in files.values()} - {"__init__"}
        assert sinks >= {"prometheus", "log", "records"}
        for path, name in files.items():
            others = {f"{PACKAGE}.sinks.{other}" for other in sinks - {name.removesuffix(".py")}}
            assert imports(parsed(path)) & others == set()
