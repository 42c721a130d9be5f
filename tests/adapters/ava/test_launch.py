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

WANTED = " or ".join(f"{each.module}.{each.name}" for each in launch.ENGINES)

NO_ENGINE = (
    f"ai-engine-quality: not attached: -c made no engine ({WANTED}). If it starts the "
    "engine in another process, put `python -m ai_engine_quality run --` right before that "
    "command\n"
)

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
    printed, told = done.stderr.split("\n", 1)
    assert (done.returncode, printed) == (7, "printed")
    assert told.startswith("ai-engine-quality: not attached: program.py made no engine")
    assert told.count("\n") == 1
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
    assert "quality" not in done.stdout
    assert said in done.stderr
    assert done.stderr.endswith(NO_ENGINE)


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


LAUNCHER = """\
#!{python}
import os, sys
command = [{python!r}, *sys.argv[1:]]
{how}
"""

LAUNCHERS = {
    "execv": "os.execv(command[0], command)",
    "execl": "os.execl(command[0], *command)",
    "execvp, on PATH": "os.environ['PATH'] = '/nowhere:' + os.path.dirname(command[0])\n"
    "os.execvp(os.path.basename(command[0]), command)",
    "execve, its own copy": "os.execvpe(command[0], command, env=dict(os.environ, X='y'))",
    "execve, by bytes": "os.execve(command[0], command, dict(os.environb))",
    "execve, all but empty": "os.execve(command[0], command, {'LANG': 'C'})",
    "a child that executes": "if os.fork(): sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))\n"
    "os.execv(command[0], command)",
    "one that asks before": "import importlib.util; sys.path.insert(0, os.getcwd())\n"
    "importlib.util.find_spec('src.engine'); os.execv(command[0], command)",
    "with a sitecustomize in front": "os.environ['PYTHONPATH'] = os.getcwd() + '/hides'\n"
    "os.execl(command[0], *command)",
    "twice": "again = command.pop(1) if command[1] == 'again' else None\n"
    "os.execv(command[0], command if again is None else [command[0], sys.argv[0], *command[1:]])",
}
"""How launchers have a program take their place; opentelemetry-instrument has the last but one."""


@pytest.mark.parametrize("how", LAUNCHERS)
def test_a_launcher_may_start_the_engine(engine_folder: Path, how: str) -> None:
    """Whichever `os.exec*` it ends in, and with whatever environment: the engine is attached."""
    launcher = engine_folder / "launcher"
    launcher.write_text(LAUNCHER.format(python=sys.executable, how=LAUNCHERS[how]))
    launcher.chmod(0o755)
    (engine_folder / "hides").mkdir()
    (engine_folder / "hides" / "sitecustomize.py").write_text("print('instrumented')\n")
    done = run("./launcher", *(["again"] if how == "twice" else []), "main.py", cwd=engine_folder)
    assert "1.0" in done.stdout.splitlines(), done.stderr
    assert ("instrumented" in done.stdout) is (how == "with a sitecustomize in front")
    assert "not attached" not in done.stderr or "child" in how


@pytest.mark.parametrize(
    "words",
    [
        ["env", "A=b", "{python}", "main.py"],
        ["nice", "-n", "1", "{python}", "main.py"],
        ["sh", "-c", "'{python}' main.py"],
        ["sh", "-c", "exec env A=b nice '{python}' main.py"],
        ["./main.py"],
    ],
    ids=lambda words: words[0] + str(len(words)),
)
def test_programs_that_are_no_python_may_start_the_engine(
    engine_folder: Path, words: list[str]
) -> None:
    """env, nice, a shell, or the line at the top of the engine's own program."""
    main = engine_folder / "main.py"
    main.write_text(f"#!{sys.executable}\n{main.read_text()}")
    main.chmod(0o755)
    done = run(*(word.format(python=sys.executable) for word in words), cwd=engine_folder)
    assert "1.0" in done.stdout.splitlines(), done.stderr
    assert "not attached" not in done.stderr


def test_an_engine_that_starts_itself_anew_is_attached_again(engine_folder: Path) -> None:
    """It takes its own place by `exec`, after it was attached; but what it forks isn't touched."""
    child = "import os; print('child', sorted(n for n in os.environ if 'WATCHED' in n))"
    main = engine_folder / "main.py"
    main.write_text(
        f"{ENGINE_PROGRAM}\nimport os\nprint(end='', flush=True)\n"
        "if not os.environ.get('AGAIN') and os.fork() == 0:\n"
        f"    os.execl(sys.executable, sys.executable, '-c', {child!r})\n"
        "if not os.environ.get('AGAIN'):\n"
        "    os.wait()\n"
        "    os.environ['AGAIN'] = 'yes'\n"
        "    os.execl(sys.executable, sys.executable, *sys.argv)\n"
    )
    done = run(sys.executable, "main.py", cwd=engine_folder)
    assert done.returncode == 0, done.stderr
    own = [line for line in done.stdout.splitlines() if line in ("1.0", "child []")]
    assert own == ["1.0", "child []", "1.0"]


def test_an_exec_that_fails_leaves_the_environment(tmp_path: Path) -> None:
    """The launcher gets the error that it would have had, and may go on as before."""
    program = """\
import os
before = dict(os.environ)
for attempt in (
    lambda: os.execv("/nowhere/at/all", ["x"]),
    lambda: os.execve("/nowhere/at/all", ["x"], {}),
    lambda: os.execve("/nowhere/at/all", ["x"], {"A": 1}),
    lambda: os.execvp("nothing-of-this-name", ["x"]),
):
    try:
        attempt()
    except Exception as error:
        print(type(error).__name__)
print(dict(os.environ) == before)
"""
    done = run(sys.executable, "-c", program, cwd=tmp_path)
    bare = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == bare.stdout
    assert done.stdout.splitlines()[-1] == "True"


BEFORE_USE = {
    "found and not imported": "import importlib.util; importlib.util.find_spec('src.engine')",
    "found, then imported": "import importlib.util as u; print(u.find_spec('src.engine').origin)",
    "loaded again": "import importlib, src.engine; importlib.reload(src.engine)",
    "imported again": "import src.engine; del sys.modules['src.engine']",
    "its import failed at first": "import builtins; was = builtins.__build_class__\n"
    "def fails(*a, **k): raise RuntimeError\n"
    "builtins.__build_class__ = fails\n"
    "try: import src.engine\n"
    "except RuntimeError: builtins.__build_class__ = was",
    "its loader has slots": "import importlib.machinery as m\n"
    "class Slots:\n"
    "    __slots__ = ('path',)\n"
    "    def create_module(self, spec): return None\n"
    "    def exec_module(self, module):\n"
    "        print('loader', module.__spec__.loader is self, module.__loader__ is self)\n"
    "        exec(compile(open(self.path).read(), self.path, 'exec'), module.__dict__)\n"
    "class Finder:\n"
    "    @classmethod\n"
    "    def find_spec(cls, name, path, target=None):\n"
    "        if name == 'src.engine':\n"
    "            loader = Slots(); loader.path = 'src/engine.py'\n"
    "            return m.ModuleSpec(name, loader)\n"
    "sys.meta_path.insert(1, Finder)",
    "its loader is copied": "import copy, importlib.util\n"
    "copy.copy(importlib.util.find_spec('src.engine').loader)",
}


@pytest.mark.parametrize("what", BEFORE_USE)
def test_whatever_was_done_to_the_module_before(engine_folder: Path, what: str) -> None:
    """An engine that is made in the end is attached, and its loader is its own."""
    main = engine_folder / "main.py"
    main.write_text(f"import sys\n{BEFORE_USE[what]}\n{main.read_text()}")
    done = run(sys.executable, "main.py", cwd=engine_folder)
    assert done.returncode == 0, done.stderr
    assert "1.0" in done.stdout.splitlines()
    assert "not attached" not in done.stderr
    assert "False" not in done.stdout


def test_a_constructor_that_a_class_inherits_is_watched(engine_folder: Path) -> None:
    """The class of the name may have all of its code from another."""
    source = engine_folder / "src" / "engine.py"
    source.write_text(f"{source.read_text()}\nclass Base(Engine): ...\n\nclass Engine(Base): ...\n")
    done = run(sys.executable, "main.py", cwd=engine_folder)
    assert "1.0" in done.stdout.splitlines(), done.stderr


def test_an_engine_that_is_the_main_program_is_told_of(engine_folder: Path) -> None:
    """`python -m src.engine` can't be watched: it runs, and one line says how to start it."""
    source = engine_folder / "src" / "engine.py"
    source.write_text(f"{source.read_text()}\nprint(__name__)\n")
    done = run(sys.executable, "-m", "src.engine", cwd=engine_folder)
    assert (done.returncode, done.stdout) == (0, "__main__\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith("ai-engine-quality: not attached: src.engine is run as the main program")
    assert line.endswith("Start it by a program that imports it: python main.py")


def test_a_loader_that_can_not_be_watched_is_told_of(engine_folder: Path) -> None:
    """The import goes as it would have, and the line names the other way in."""
    main = engine_folder / "main.py"
    main.write_text(
        "import sys, importlib.machinery as m\n"
        "class Spec(m.ModuleSpec):\n"
        "    loader = property(lambda self: self.theirs, lambda self, new: self.take(new))\n"
        "    def take(self, new):\n"
        "        if hasattr(self, 'theirs'): raise AttributeError('for good')\n"
        "        self.theirs = new\n"
        "class Finder:\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path, target=None):\n"
        "        if name == 'src.engine':\n"
        "            loader = m.SourceFileLoader(name, 'src/engine.py')\n"
        "            return Spec(name, loader, origin='src/engine.py')\n"
        "sys.meta_path.insert(1, Finder)\n" + main.read_text()
    )
    done = run(sys.executable, "main.py", cwd=engine_folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["[]", "None"]
    (line,) = done.stderr.splitlines()
    assert "(for good). Call ai_engine_quality.attach(engine)" in line


@pytest.mark.parametrize("closed", ["sys.stderr = None", "sys.stderr.close()", "os.close(2)"])
def test_without_a_stderr_the_engine_runs_all_the_same(engine_folder: Path, closed: str) -> None:
    """A service may have none: nothing is printed elsewhere, and nothing is raised."""
    main = engine_folder / "main.py"
    main.write_text(f"import os, sys\n{closed}\n{main.read_text()}")
    environ = {"AI_ENGINE_QUALITY_EXPIRE_AFTER": "soon"}  # so that there is something to say
    done = run(sys.executable, "main.py", cwd=engine_folder, environ=environ)
    assert (done.returncode, done.stdout.split()) == (0, ["[]", "None"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["python3", "-I", "main.py"], "python3 -I doesn't run what attaches"),
        (["nice", "/opt/venv/bin/python3.12", "-uS", "main.py"], "python3.12 -S doesn't"),
        (["python", "-W", "error", "-X", "dev", "-BE", "main.py"], "python -E doesn't"),
        (["sudo", "-u", "voice", "python", "main.py"], "sudo hands no PYTHONPATH on"),
        (["env", "-i", "python", "main.py"], "env -i empties the environment"),
        (["python", "main.py", "-I"], None),
        (["python", "-m", "program", "-E"], None),
        (["python", "-Wignore::EncodingWarning", "-c", "print()", "-S"], None),
        (["python", "-WE", "main.py"], None),
        (["python", "-", "-I"], None),
        (["python"], None),
        (["env", "A=b", "python", "main.py", "-i"], None),
        (["./start.sh", "sudo"], None),
        (["sh", "-c", "sudo"], None),
    ],
)
def test_what_keeps_python_from_attaching_is_told_before(
    words: list[str], said: str | None
) -> None:
    """Options and programs that drop what `run` adds are named, and nothing else is."""
    why = launch.why_not_attached(words)
    assert (why is None) if said is None else (why or "").startswith(said)


def test_it_is_told_on_stderr_and_the_program_runs(engine_folder: Path) -> None:
    """One line, before the program's own."""
    done = run(sys.executable, "-I", "-c", "print('runs')", cwd=engine_folder)
    assert (done.returncode, done.stdout) == (0, "runs\n")
    assert done.stderr.startswith("ai-engine-quality: not attached: ")
    assert done.stderr.endswith(" -I doesn't run what attaches. Start it without that option\n")


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
