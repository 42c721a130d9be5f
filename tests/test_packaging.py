"""What is installed: a wheel with everything it needs, nothing it doesn't, and its types."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import textwrap
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

import ai_engine_quality as aeq

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
EXTRAS = ("click", "rich", "aiohttp", "jinja2", "matplotlib")
"""What only the command line, the reference engine and the validation use."""

COMMANDS = {
    *("calls", "compare", "doctor", "explain", "export-dashboards", "export-rules", "listen"),
    *("report", "rescore", "run", "tune"),
}
LAB_COMMANDS = {"demo", "evidence", "fault", "validate"}

BLOCKER = """
    import sys

    class Blocker:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {blocked!r}:
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

    sys.meta_path.insert(0, Blocker())
"""


def python(script, *, blocked=(), path=(), cwd=None):
    """Run a script where some modules can't be imported, with more places to import from."""
    parts = [
        BLOCKER.format(blocked=set(blocked)),
        f"    sys.path[:0] = {[str(p) for p in path]!r}\n",
    ]
    text = textwrap.dedent("".join(parts)) + textwrap.dedent(script)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=cwd,
    )


def pip(command, *arguments):
    """Run pip, quietly."""
    quiet = ["--quiet", "--disable-pip-version-check"]
    return subprocess.run(
        [sys.executable, "-m", "pip", command, *quiet, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def build_wheel(project, folder):
    """Build a project's wheel, as ``pip install`` would, and return its path."""
    built = pip(
        "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(project)
    )
    assert built.returncode == 0, built.stderr
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the package's wheel and return its path."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def labs_wheel(tmp_path_factory):
    """Build the lab's wheel, and return its path."""
    folder = tmp_path_factory.mktemp("lab")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT / "lab")]
    built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert built.returncode == 0, built.stderr
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def names(wheel):
    """Return the names of the files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def metadata(wheel, names):
    """Return the wheel's metadata."""
    (name,) = [name for name in names if name.endswith(".dist-info/METADATA")]
    with zipfile.ZipFile(wheel) as archive:
        return message_from_string(archive.read(name).decode())


def bytes_of_code(wheel):
    """Return how many bytes a wheel's Python files take in it."""
    with zipfile.ZipFile(wheel) as archive:
        return sum(e.compress_size for e in archive.infolist() if e.filename.endswith(".py"))


class TestTheWheel:
    def test_it_has_the_types_marker_and_the_policies(self, names):
        """Types and policies are installed with the code."""
        assert "ai_engine_quality/py.typed" in names
        assert "ai_engine_quality/policies/v1.toml" in names

    def test_it_has_every_file_of_the_package(self, names):
        """What is in the package's folder is in the wheel: nothing works only from a checkout."""
        package = ROOT / "ai_engine_quality"
        ours = {
            found.relative_to(ROOT).as_posix()
            for found in package.rglob("*")
            if found.is_file() and "__pycache__" not in found.parts
        }
        assert ours - set(names) == set()

    def test_it_has_nothing_else(self, names):
        """No tests, no docs, no caches: the package and its metadata."""
        tops = {name.partition("/")[0] for name in names}
        assert tops == {"ai_engine_quality", f"ai_engine_quality-{aeq.__version__}.dist-info"}
        assert [name for name in names if "test" in name.lower() or "__pycache__" in name] == []

    def test_it_is_far_smaller_than_with_the_lab_in_it(self, wheel, labs_wheel):
        """Its own code has at most 60 % of the bytes of both distributions' code together.

        The rules and dashboards, which `export-rules` and `export-dashboards` need, are no code.
        """
        library, lab = bytes_of_code(wheel), bytes_of_code(labs_wheel)
        assert library <= 0.60 * (library + lab)

    def test_it_holds_no_part_of_the_lab(self, names):
        """No stand-in engine, no AudioSocket, no validation and no evidence are in it."""
        lab = re.compile("reference|audiosocket|validation|evidence|golden|engine_lab|matrix")
        assert [name for name in names if lab.search(name)] == []

    def test_an_engine_installs_three_packages(self, metadata):
        """Without extras it requires prometheus-client, numpy and structlog, and nothing else."""
        requirements = [r for r in metadata.get_all("Requires-Dist") if "extra ==" not in r]
        found = {re.match(r"[\w.-]+", requirement)[0] for requirement in requirements}
        assert found == {"prometheus-client", "numpy", "structlog"}

    def test_the_extras_carry_the_rest(self, metadata):
        """The command line has an extra of its own; the lab's needs are the lab's."""
        extras = {}
        for requirement in metadata.get_all("Requires-Dist"):
            for extra in re.findall(r"extra == ['\"](\w+)['\"]", requirement):
                extras.setdefault(extra, set()).add(re.match(r"[\w.-]+", requirement)[0])
        assert extras == {
            "cli": {"click", "rich"},
            "pipecat": {"pipecat-ai"},
            "livekit": {"livekit-agents"},
        }

    def test_the_version_stands_in_one_place(self, metadata, wheel):
        """Wheel, metadata and ``__version__`` agree, and the version is written once."""
        assert metadata["Version"] == aeq.__version__
        assert wheel.name.split("-")[1] == aeq.__version__
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert "version" not in project
        assert project["dynamic"] == ["version"]
        quoted = re.compile(rf"[\"']{re.escape(aeq.__version__)}[\"']")
        files = [*(ROOT / "ai_engine_quality").rglob("*.py"), ROOT / "pyproject.toml"]
        assert [found.name for found in files if quoted.search(found.read_text())] == [
            "_version.py"
        ]

    def test_the_version_is_exposed(self, registry, quality):
        """``ai_agent_quality_info`` has the same version, and the policy's."""
        labels = {"version": aeq.__version__, "policy": quality.policy.version}
        assert registry.get_sample_value("ai_agent_quality_info", labels) == 1

    def test_it_has_the_command(self, wheel, names):
        """The command ``ai-engine-quality`` is an entry point."""
        (name,) = [name for name in names if name.endswith("entry_points.txt")]
        with zipfile.ZipFile(wheel) as archive:
            text = archive.read(name).decode()
        assert "ai-engine-quality = ai_engine_quality.__main__:main" in text

    def test_it_scores_a_call_on_its_own(self, wheel, tmp_path):
        """From the wheel alone, with none of the extras, a call is scored."""
        done = python(
            """
            import ai_engine_quality as aeq
            from prometheus_client import CollectorRegistry
            monitor = aeq.QualityMonitor(registry=CollectorRegistry(), log=False)
            monitor.call_started("call")
            monitor.turn_response("call", 0.4)
            monitor.audio("call", "provider_out", bytes(160), encoding="ulaw", sample_rate=8000)
            print(aeq.__file__, monitor.call_ended("call", duration=60.0).score)
            """,
            blocked=EXTRAS,
            path=[wheel],
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        place, score = done.stdout.split()
        assert place.startswith(str(wheel))
        assert int(score) == 89


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the sdist, and from it the wheel, as a release does; return both."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,), (made,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, made


class TestTheSourceDistribution:
    def test_it_has_every_file_of_the_project(self, built):
        """What git knows is in it, but for what only a checkout or a forge can use."""
        known = subprocess.run(
            [shutil.which("git"), "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout.split()
        with tarfile.open(built[0]) as archive:
            inside = {name.partition("/")[2] for name in archive.getnames()}
        missing = {name for name in set(known) - inside if (ROOT / name).exists()}
        assert {name.partition("/")[0] for name in missing} <= {".ci", ".github"}

    def test_it_has_nothing_else(self, built):
        """No cache, no secret, no record and no site that lies about in a checkout."""
        with tarfile.open(built[0]) as archive:
            inside = {name.partition("/")[2] for name in archive.getnames()}
        wrong = re.compile(r"(^|/)(__pycache__|node_modules|site|\.secrets|records|\.venv)(/|$)")
        assert [name for name in inside if wrong.search(name)] == []

    def test_its_wheel_is_the_checkouts_wheel(self, built, names):
        """The wheel that is built from the sdist has the same files as one from the checkout."""
        with zipfile.ZipFile(built[1]) as archive:
            assert sorted(archive.namelist()) == sorted(names)

    def test_the_wheel_can_be_installed_and_its_command_runs(self, built, tmp_path):
        """Installed where nothing else of the project is, it tells its version."""
        installed = subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--no-index",
                "--disable-pip-version-check",
                "--target",
                str(tmp_path / "lib"),
                str(built[1]),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert installed.returncode == 0, installed.stderr
        done = python(
            """
            import runpy, sys
            sys.argv = ["ai-engine-quality", "--version"]
            runpy.run_module("ai_engine_quality", run_name="__main__", alter_sys=True)
            """,
            path=[tmp_path / "lib"],
            cwd=tmp_path,
        )
        assert aeq.__version__ in done.stdout, done.stderr


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return two folders: the library installed alone, and with the lab beside it."""
    made = tmp_path_factory.mktemp("lab")
    lab = build_wheel(ROOT / "lab", made)

    def into(*wheels):
        folder = tmp_path_factory.mktemp("lib")
        arguments = ["--no-deps", "--no-index", "--target", str(folder), *map(str, wheels)]
        done = pip("install", *arguments)
        assert done.returncode == 0, done.stderr
        return folder

    return {"library": into(wheel), "both": into(wheel, lab)}


class TestBothDistributions:
    def commands(self, folder):
        """Return the commands that are there where only this folder's distributions are."""
        done = python(
            """
            import importlib.metadata, sys
            here = sys.path[0]
            def found(**wanted):
                told = importlib.metadata.distributions(path=[here])
                points = [point for distribution in told for point in distribution.entry_points]
                return importlib.metadata.EntryPoints(points).select(**wanted)
            importlib.metadata.entry_points = found
            from ai_engine_quality.cli import cli
            import click
            print(*cli.list_commands(click.Context(cli)))
            """,
            path=[folder],
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())

    def test_the_library_alone_has_its_own_commands(self, installed):
        """Without the lab, the commands are those that read what an engine has written."""
        assert self.commands(installed["library"]) == COMMANDS

    def test_with_the_lab_every_command_is_there(self, installed):
        """With both, the lab's commands join the same program."""
        assert self.commands(installed["both"]) == COMMANDS | LAB_COMMANDS


class TestImporting:
    def test_the_engine_needs_none_of_the_extras(self):
        """Importing the package, with every public name, works without click, rich, aiohttp."""
        done = python(
            """
            import ai_engine_quality as aeq
            for name in aeq.__all__:
                getattr(aeq, name)
            """,
            blocked=EXTRAS,
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_the_engine_imports_none_of_the_extras(self):
        """Where the extras are installed, an engine doesn't load them all the same.

        Rich aside: structlog itself loads it where it is installed.
        """
        done = python("import ai_engine_quality, sys; print(*sys.modules)")
        assert done.returncode == 0, done.stderr
        loaded = {name.partition(".")[0] for name in done.stdout.split()}
        assert (
            loaded & {"click", "aiohttp", "jinja2", "matplotlib", "pytest", "hypothesis"} == set()
        )
        assert {"prometheus_client", "numpy", "structlog"} <= loaded

    def test_nothing_happens_at_import(self, tmp_path):
        """Importing registers no metric, starts no thread, reads no setting and prints nothing."""
        done = python(
            """
            import os, threading
            os.environ["AI_ENGINE_QUALITY_CONFIG"] = "/nowhere/quality.toml"
            os.environ["AI_ENGINE_QUALITY_NONSENSE"] = "5"
            from prometheus_client import REGISTRY
            before = [family.name for family in REGISTRY.collect()]
            import ai_engine_quality
            assert [family.name for family in REGISTRY.collect()] == before
            assert threading.active_count() == 1
            """,
            cwd=tmp_path,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert list(tmp_path.iterdir()) == []

    def test_the_public_names_are_there(self):
        """``__all__`` has every promised name, none twice, and each of its names exists."""
        assert len(aeq.__all__) == len(set(aeq.__all__))
        assert [name for name in aeq.__all__ if not hasattr(aeq, name)] == []
        promised = {
            "QualityMonitor",
            "CallScore",
            "CallSummary",
            "Policy",
            "Band",
            "DEFAULT_POLICY",
            "score",
            "__version__",
        }
        assert promised <= set(aeq.__all__)


class TestTheCommand:
    def command(self, *arguments, blocked=()):
        return python(
            f"""
            import runpy, sys
            sys.argv = ["ai-engine-quality", *{arguments!r}]
            runpy.run_module("ai_engine_quality", run_name="__main__", alter_sys=True)
            """,
            blocked=blocked,
        )

    @pytest.mark.parametrize("missing", ["click", "rich"])
    def test_without_its_extra_it_says_what_to_install(self, missing):
        """Without click or rich, one line says what is missing and what to install."""
        done = self.command("--help", blocked=[missing])
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        assert missing in done.stderr
        assert "from a checkout: pip install '.[cli]'" in done.stderr

    def test_the_demo_without_aiohttp_says_what_to_install(self):
        """Without aiohttp the demo says so, in a line, and what to install."""
        done = self.command("demo", blocked=["aiohttp"])
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        assert "from a checkout: pip install . ./lab" in done.stdout + done.stderr

    @pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
    def test_a_validation_without_its_extra_says_what_to_install(self, missing):
        """Without what the report needs, validate says so in a line, and what to install."""
        done = self.command("validate", "--no-faults", blocked=[missing])
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert missing in done.stderr
        assert "from a checkout: pip install . './lab[validate]'" in done.stderr

    def test_other_missing_modules_are_not_hidden(self):
        """A module of the engine's own that is missing is no matter of an extra."""
        done = self.command("--help", blocked=["numpy"])
        assert done.returncode != 0
        assert "numpy" in done.stderr
        assert "from a checkout" not in done.stderr

    def test_with_its_extra_it_runs(self):
        """With its extra installed, the command tells its version."""
        done = self.command("--version")
        assert (done.returncode, done.stderr) == (0, "")
        assert aeq.__version__ in done.stdout


class TestTypes:
    def test_an_engines_uses_type_check(self):
        """``mypy --strict`` accepts an engine's typical uses, and refuses the wrong ones."""
        checked = subprocess.run(
            [
                sys.executable,
                "-m",
                "mypy",
                "--strict",
                "--config-file=",
                "--warn-unused-ignores",
                "--no-error-summary",
                "tests/typing/api.py",
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=ROOT,
        )
        assert (checked.returncode, checked.stdout) == (0, ""), checked.stdout + checked.stderr
