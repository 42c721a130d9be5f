"""AVA in its own Compose: the files of ``examples/ava``, the merged configuration, its command.

Docker isn't needed: the real Compose merges the files, and the command that it would give the
container runs here, with the container's folders found in the engine's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ai_engine_lab.real_calls.composed import Composed
from services import compose_program

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "ava"
OVERRIDE = "docker-compose.override.yml"

AS_AVA_HAS_IT = """\
name: asterisk-ai-voice-agent
services:
  ai_engine:
    image: asterisk-ai-voice-agent-ai-engine:latest
    pull_policy: build
    build: {context: .}
    user: "appuser"
    network_mode: host
    volumes: [./src:/app/src, ./main.py:/app/main.py, ./config:/app/config, ./data:/app/data]
    env_file: [.env]
    environment: [PYTHONPATH=/app, PYTHONUNBUFFERED=1, HEALTH_BIND_HOST=0.0.0.0]
    restart: unless-stopped
  admin_ui:
    image: asterisk-ai-voice-agent-admin-ui:latest
    volumes: ["./:/app/project"]
"""
"""What of AVA's own file an override can get wrong: written anew, in its form."""

A_CALL = """\
import asyncio, sys
from src.engine import Engine

async def main():
    engine = Engine()
    session = engine.session_class("1.1", "1.1")
    await engine._save_session(session, new=True)
    await engine._cleanup_call("1.1")

asyncio.run(main())
library = sys.modules.get("ai_engine_quality")
print("library:", library and library.__file__)
print("the engine has run")
"""


@pytest.fixture
def ava(tmp_path: Path) -> Path:
    """Return a folder laid out as AVA's checkout, with an engine of doubles in it."""
    folder = tmp_path / "ava"
    (folder / "src").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "config").mkdir()
    (folder / "src" / "__init__.py").touch()
    double = Path(__file__).with_name("engine_2026.py").read_text()
    (folder / "src" / "engine.py").write_text(double)
    (folder / "main.py").write_text(A_CALL)
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## [7.5.4] - 2026-08-01\n")
    (folder / ".env").write_text("DEEPGRAM_API_KEY=none\n")
    (folder / "docker-compose.yml").write_text(AS_AVA_HAS_IT)
    return folder


@pytest.fixture
def install(ava: Path, tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """Return a function that runs ``install`` in AVA's folder, with a pip that fetches nothing."""
    pip = tmp_path / "python"

    def run(*, fails: bool = False) -> SimpleNamespace:
        pip.write_text(f'#!/bin/sh\necho "$@" >>"{tmp_path}/asked"\nexit {int(fails)}\n')
        pip.chmod(0o755)
        done = subprocess.run(
            ["/bin/sh", str(EXAMPLE / "install")],
            cwd=ava,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, "QUALITY_PYTHON": str(pip)},
        )
        asked = tmp_path / "asked"
        return SimpleNamespace(
            code=done.returncode,
            told=done.stdout + done.stderr,
            asked=asked.read_text().splitlines() if asked.exists() else [],
        )

    return run


def merged(ava: Path) -> dict[str, Any]:
    """Return the configuration of AVA's folder, as the real Compose understands it."""
    environ = {name: value for name, value in os.environ.items() if name != "COMPOSE_FILE"}
    done = subprocess.run(
        [str(compose_program()), "config", "--format", "json"],
        cwd=ava,
        capture_output=True,
        text=True,
        check=False,
        env=environ,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    (ava.parent / "merged.json").write_text(done.stdout)
    return found


def in_the_container(ava: Path, words: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the merged command, or another one as ``docker compose exec`` does, in AVA's folder."""
    merged(ava)
    composed = Composed.read(ava.parent / "merged.json")
    python = ava.parent / "bin" / "python"
    if not python.exists():
        python.parent.mkdir()
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
    variables = composed.variables(ava, ava / "data")
    return subprocess.run(
        words or list(composed.command),
        cwd=ava,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": f"{python.parent}:{os.environ['PATH']}", "HOME": str(ava), **variables},
    )


class TestTheMergedConfiguration:
    def test_what_is_ava_s_stays(self, ava: Path, install: Any) -> None:
        """Image, user, network, volumes and variables are AVA's; the other services are too."""
        before = merged(ava)["services"]
        assert install().code == 0
        after = merged(ava)["services"]
        assert after["admin_ui"] == before["admin_ui"]
        ours = {"command", "environment", "volumes"}
        engine, unchanged = after["ai_engine"], before["ai_engine"]
        assert {k: v for k, v in engine.items() if k not in ours} == {
            k: v for k, v in unchanged.items() if k not in ours
        }
        assert [mount for mount in unchanged["volumes"] if mount not in engine["volumes"]] == []
        changed = {
            name
            for name, value in engine["environment"].items()
            if unchanged["environment"].get(name) != value
        }
        assert changed == {"PYTHONPATH", "AI_ENGINE_QUALITY_RECORDS_PATH"}

    def test_the_library_is_mounted_read_only_and_records_lie_in_ava_s_data(
        self, ava: Path, install: Any
    ) -> None:
        """The container can't change it; it comes after the engine's own modules on the path."""
        install()
        engine = merged(ava)["services"]["ai_engine"]
        mounts = {mount["target"]: mount for mount in engine["volumes"]}
        library = mounts["/opt/ai_engine_quality"]
        assert (library["source"], library["read_only"]) == (str(ava / "quality"), True)
        assert mounts["/app/CHANGELOG.md"]["read_only"] is True
        assert engine["environment"]["PYTHONPATH"] == "/app:/opt/ai_engine_quality"
        records = engine["environment"]["AI_ENGINE_QUALITY_RECORDS_PATH"]
        assert records == "/app/data/quality-calls.jsonl"
        assert mounts["/app/data"]["source"] == str(ava / "data")

    def test_an_operator_s_own_override_stays(self, ava: Path, install: Any) -> None:
        """It isn't touched; ours is another file, and the line to put into .env joins the two."""
        own = "services:\n  ai_engine:\n    environment: {MINE: kept}\n"
        (ava / OVERRIDE).write_text(own)
        told = install().told
        assert (ava / OVERRIDE).read_text() == own
        (line,) = re.findall(r"^ +(COMPOSE_FILE=\S+)$", told, re.MULTILINE)
        with (ava / ".env").open("a") as env:
            env.write(line + "\n")
        engine = merged(ava)["services"]["ai_engine"]
        assert engine["environment"]["MINE"] == "kept"
        assert "ai_engine_quality" in engine["command"][2]
        assert "COMPOSE_FILE" not in install().told, "it is named already"


class TestTheCommand:
    def test_it_attaches_and_its_call_can_be_explained(self, ava: Path, install: Any) -> None:
        """The mounted library observes the engine, and its record lies on the host, in data/."""
        install()
        done = in_the_container(ava)
        assert done.returncode == 0, done.stderr
        assert f"library: {ava}/quality/ai_engine_quality/__init__.py" in done.stdout
        assert "quality_attached" in done.stderr
        (line,) = (ava / "data" / "quality-calls.jsonl").read_text().splitlines()
        assert json.loads(line)["summary"]["call_id"] == "1.1"
        words = ["python", "-m", "ai_engine_quality", "explain", "--last"]
        assert "Call 1.1" in in_the_container(ava, words).stdout

    @pytest.mark.parametrize("broken", ["", "raise ImportError('numpy is too old')"])
    def test_a_library_that_cannot_be_loaded_costs_no_call(
        self, ava: Path, install: Any, broken: str
    ) -> None:
        """The engine runs as AVA starts it, and its log says why nothing is scored."""
        install()
        library = ava / "quality" / "ai_engine_quality"
        shutil.rmtree(library)
        library.mkdir()
        (library / "__init__.py").write_text(broken or "from nowhere import nothing")
        done = in_the_container(ava)
        assert done.returncode == 0
        assert "the engine has run" in done.stdout
        assert "library: None" in done.stdout
        assert "ai-engine-quality: not attached" in done.stderr
        assert (broken[19:36] or "nowhere") in done.stderr


class TestInstall:
    def test_it_writes_what_a_wheel_has(self, ava: Path, install: Any) -> None:
        """The library and the stack's files, where an installed one has them; no byte code."""
        install()
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        forced = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
        quality = ava / "quality"
        for source, target in {"ai_engine_quality": "ai_engine_quality", **forced}.items():
            wanted = {
                str(path.relative_to(ROOT / source))
                for path in (ROOT / source).rglob("*")
                if path.is_file() and "__pycache__" not in path.parts
            }
            there = {str(path.relative_to(quality / target)) for path in files(quality / target)}
            assert wanted - there == set(), source
        assert not list(quality.rglob("__pycache__"))

    def test_the_command_line_s_packages_are_those_of_its_extra(self, install: Any) -> None:
        """By the host's pip, for the container's Python, into that folder and nowhere else."""
        (asked,) = install().asked
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        for package in project["optional-dependencies"]["cli"]:
            assert f" {package}" in asked
        for option in ("--target quality.new", "--python-version 3.11", "--only-binary=:all:"):
            assert option in asked

    def test_without_pip_calls_are_scored_all_the_same(self, ava: Path, install: Any) -> None:
        """Only the commands in the container are missing, and it says so."""
        done = install(fails=True)
        assert done.code == 0
        assert "pip failed" in done.told
        assert "quality_attached" in in_the_container(ava).stderr

    def test_another_user_can_read_it(self, ava: Path, install: Any) -> None:
        """The container's user isn't the one who installs, whatever that one's umask is."""
        before = os.umask(0o077)
        try:
            install()
        finally:
            os.umask(before)
        for path in [ava / OVERRIDE, ava / "quality", *(ava / "quality").rglob("*")]:
            wanted = 0o055 if path.is_dir() else 0o044
            assert path.stat().st_mode & wanted == wanted, path

    def test_again_it_replaces_the_library_and_keeps_the_one_in_use(
        self, ava: Path, install: Any
    ) -> None:
        """A running container has the old folder mounted; it stays until the next time."""
        install()
        (ava / "quality" / "of-before").touch()
        assert install().code == 0
        assert not (ava / "quality" / "of-before").exists()
        assert (ava / "quality.old" / "of-before").exists()
        assert install().code == 0
        assert not (ava / "quality.old" / "of-before").exists()

    def test_ava_s_updater_leaves_it_alone(self, ava: Path, install: Any) -> None:
        """Neither seen as a change nor removed by what an update may do, nor are the records."""
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]

        def run(*words: str) -> str:
            done = subprocess.run(
                [*git, *words], cwd=ava, capture_output=True, text=True, check=True
            )
            return done.stdout

        run("init", "--quiet")
        run("add", "-A")
        run("commit", "--quiet", "-m", "as cloned")
        install()
        install()
        (ava / "data" / "quality-calls.jsonl").write_text("{}\n")
        assert run("status", "--porcelain", "--untracked-files=all") == ""
        run("stash", "save", "-u", "as agent update does")
        run("clean", "-fd")
        for name in ("quality/ai_engine_quality", OVERRIDE, "data/quality-calls.jsonl"):
            assert (ava / name).exists(), name
        exclude = (ava / ".git" / "info" / "exclude").read_text().splitlines()
        assert exclude.count("/quality/") == 1

    def test_elsewhere_it_refuses_and_writes_nothing(self, ava: Path, install: Any) -> None:
        """In a folder that isn't AVA's it says where to run it."""
        (ava / "docker-compose.yml").write_text("services:\n  web: {image: nginx}\n")
        done = install()
        assert done.code == 1
        assert "run it in AVA's folder" in done.told
        assert not (ava / "quality").exists()
        assert not (ava / OVERRIDE).exists()


def files(folder: Path) -> list[Path]:
    """Return the files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]
