"""`run -- PROGRAM`: an engine with the library attached, and any other program as it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from ai_engine_quality.adapters import launch
from ai_engine_quality.cli.run import run as command

pytestmark = pytest.mark.slow

DOUBLE = Path(__file__).with_name("engine_2026.py")

RUN = (sys.executable, "-m", "ai_engine_quality", "run", "--")

PROGRAM = """\
import json, os, sys
print(json.dumps({
    "arguments": sys.argv[1:], "stdin": sys.stdin.read(), "process": os.getpid(),
    "path": os.environ.get("PYTHONPATH"), "folders": [p for p in sys.path if "autoattach" in p],
    "variables": [name for name in os.environ if "AI_ENGINE_QUALITY" in name],
    "numpy": "numpy" in sys.modules, "file": sys.modules["sitecustomize"].__file__,
}))
print("printed", file=sys.stderr)
sys.exit(7)
"""

ENGINE_PROGRAM = """\
import asyncio, sys
from src.engine import Engine

async def main():
    engine = Engine()
    print(sorted(name for name in vars(engine) if name.startswith(("_cleanup", "on_"))))
    session = engine.session_class("1.1", "1.1")
    await engine._save_session(session, new=True)
    await engine._cleanup_call("1.1")

asyncio.run(main())
from prometheus_client import REGISTRY
started = REGISTRY.get_sample_value("ai_agent_calls_started_total", {"provider": "local"})
sys.stdout.write(f"\\n{started}\\n")  # in one piece: the log is written by another thread
"""


def run(
    *words: str,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a program by ``run``."""
    return subprocess.run(
        [*RUN, *words],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=60,
        env={**os.environ, **(environ or {})},
    )


@pytest.fixture
def engine_folder(tmp_path: Path) -> Path:
    """Return a folder with an engine of doubles, laid out as the real one, and its program."""
    package = tmp_path / "src"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "engine.py").write_text(DOUBLE.read_text())
    (tmp_path / "main.py").write_text(ENGINE_PROGRAM)
    return tmp_path


def test_another_program_is_run_as_it_is(tmp_path: Path) -> None:
    """Arguments, streams, exit code and environment pass; nothing of ours is imported or left."""
    (tmp_path / "program.py").write_text(PROGRAM)
    others = tmp_path / "others"
    others.mkdir()
    done = run(
        sys.executable,
        "program.py",
        "--flag",
        "two words",
        "--",
        "-x",
        cwd=tmp_path,
        stdin="spoken",
        environ={"PYTHONPATH": str(others)},
    )
    assert (done.returncode, done.stderr) == (7, "printed\n")
    printed = json.loads(done.stdout)
    assert printed["arguments"] == ["--flag", "two words", "--", "-x"]
    assert (printed["stdin"], printed["path"], printed["folders"]) == ("spoken", str(others), [])
    assert printed["variables"] == []
    assert printed["numpy"] is False


def test_no_process_stays_between(tmp_path: Path) -> None:
    """The program has the process id that was started, and signals reach it directly."""
    program = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(60)"
    with subprocess.Popen(
        [*RUN, sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as started:
        assert started.stdout is not None
        assert int(started.stdout.readline()) == started.pid
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=30) == -signal.SIGTERM


def test_an_unmodified_engine_is_attached(engine_folder: Path) -> None:
    """Its own program makes it; the library is there once it is made, and observes its calls."""
    done = run(sys.executable, "main.py", cwd=engine_folder)
    assert done.returncode == 0, done.stderr
    assert "['_cleanup_call', 'on_provider_event']" in done.stdout
    assert "quality_attached" in done.stdout + done.stderr
    assert "1.0" in done.stdout.splitlines()


def test_an_engine_with_the_line_in_its_constructor_is_attached_once(engine_folder: Path) -> None:
    """Both ways in together are one attachment."""
    source = engine_folder / "src" / "engine.py"
    source.write_text(
        source.read_text().replace(
            "        self._last_transcript_ts: dict[str, float] = {}\n",
            "        self._last_transcript_ts: dict[str, float] = {}\n"
            "        __import__('ai_engine_quality.adapters').adapters.attach(self)\n",
        )
    )
    done = run(sys.executable, "main.py", cwd=engine_folder)
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).count("quality_attached") == 1
    assert "1.0" in done.stdout.splitlines()


def test_a_setting_that_cannot_be_used_does_not_stop_the_engine(engine_folder: Path) -> None:
    """The engine runs without the library; stderr names the setting."""
    environ = {"AI_ENGINE_QUALITY_EXPIRE_AFTER": "soon"}
    done = run(sys.executable, "main.py", cwd=engine_folder, environ=environ)
    assert done.returncode == 0
    assert done.stdout.split() == ["[]", "None"]
    assert done.stderr.startswith("ai-engine-quality: not attached: AI_ENGINE_QUALITY_EXPIRE_AFTER")


def test_settings_come_from_the_file_and_the_environment(
    engine_folder: Path, tmp_path: Path
) -> None:
    """A record file that the settings name has the call."""
    records = tmp_path / "records.jsonl"
    settings = tmp_path / "quality.toml"
    settings.write_text(f'[records]\npath = "{records}"\n')
    environ = {"AI_ENGINE_QUALITY_CONFIG": str(settings), "AI_ENGINE_QUALITY_LOG": "false"}
    done = run(sys.executable, "main.py", cwd=engine_folder, environ=environ)
    assert done.returncode == 0, done.stderr
    assert json.loads(records.read_text())["summary"]["call_id"] == "1.1"


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("class Engine:\n    def __init__(self):\n        self.cylinders = 4\n", ""),
        ("Engine = 'a name'\n", ""),
        ("class Engine:\n    pass\n", ""),
        ("raise ValueError('theirs')\n", "ValueError: theirs"),
    ],
)
def test_another_engine_is_not_ours(engine_folder: Path, module: str, said: str) -> None:
    """A class of the same name in a module of the same name is left alone, whatever it is."""
    (engine_folder / "src" / "engine.py").write_text(module)
    program = "from src.engine import Engine; print(Engine() if callable(Engine) else Engine)"
    done = run(sys.executable, "-c", program, cwd=engine_folder)
    assert done.returncode == (1 if said else 0)
    assert "ai-engine-quality:" not in done.stderr
    assert "quality" not in done.stdout
    assert said in done.stderr


def test_processes_that_the_program_starts_are_not_touched(tmp_path: Path) -> None:
    """Only the first Python is: its children find the environment as it was."""
    child = "import os, sys; print(os.environ.get('PYTHONPATH'), 'sitecustomize' in sys.modules)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    bare = subprocess.run(
        [sys.executable, "-c", child], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert run(sys.executable, "-c", program, cwd=tmp_path).stdout == bare.stdout


def test_a_shell_script_may_start_the_engine(engine_folder: Path) -> None:
    """The first Python that it starts is the one that is watched."""
    script = engine_folder / "start.sh"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} main.py\n")
    script.chmod(0o755)
    done = run("./start.sh", cwd=engine_folder)
    assert "1.0" in done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize(
    ("other", "said"),
    [("print('theirs')\n", ""), ("1 / 0\n", "another sitecustomize failed: ZeroDivisionError")],
)
def test_another_sitecustomize_runs_too(tmp_path: Path, other: str, said: str) -> None:
    """The one that ours hides, with its fault reported and survived as Python would."""
    (tmp_path / "sitecustomize.py").write_text(other)
    done = run(
        sys.executable,
        "-c",
        "print('program')",
        environ={"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
    )
    assert done.returncode == 0
    theirs = [] if said else ["theirs", "theirs"]  # once in `run` itself, once in the program
    assert done.stdout.splitlines() == [*theirs, "program"]
    assert said in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["no-such-program-anywhere"], 127, "no-such-program-anywhere: not found"),
        (["{folder}"], 126, "can't be run"),
        (["{folder}/plain.txt"], 126, "can't be run"),
        ([], 2, "Usage:"),
        (["--unknown"], 2, "Usage:"),
    ],
)
def test_what_cannot_be_run_is_told_as_shells_do(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    """Not found is 127, not executable 126, wrong use 2; and nothing is printed on stdout."""
    (tmp_path / "plain.txt").write_text("no program")
    filled = [word.format(folder=tmp_path) for word in words]
    done = run(*filled)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_help_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    """It says how to use it, and where settings come from."""
    with pytest.raises(SystemExit) as stopped:
        launch.main(["--help"])
    assert stopped.value.code == 0
    assert "AI_ENGINE_QUALITY_CONFIG" in capsys.readouterr().out


def test_the_commands_own_line_runs_a_program_too(tmp_path: Path) -> None:
    """The same by the command line, options of the program included."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from ai_engine_quality.cli.run import run; run()",
            "--",
            sys.executable,
            "-c",
            "import sys; print(sys.argv[1:])",
            "--json",
            "-h",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (0, "['--json', '-h']\n")
    helped = CliRunner().invoke(command, ["--help"])
    assert helped.exit_code == 0
    assert "python main.py" in helped.output
