"""What the Makefile runs: its list of targets, and how packages are installed."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from debian import BRINGS, needs
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
DEMO_ROOTS = ("ai_engine_quality[cli]", "ai_engine_lab", "pip", "hatchling", "editables")


class TestHelp:
    def said(self, *arguments):
        done = subprocess.run(
            ["make", "--no-print-directory", *arguments],  # noqa: S607 - whichever make there is
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        return done.stdout

    def test_make_alone_says_what_can_be_made(self):
        """Without a target, nothing is made: the list is printed."""
        assert self.said() == self.said("help")

    def test_every_target_with_words_is_listed_with_them(self):
        """Each target that has a ``##`` is in the list, with what stands there."""
        listed = dict(re.findall(r"^  make ([\w-]+) +(.+)$", self.said("help"), re.MULTILINE))
        assert listed == dict(re.findall(r"^([\w-]+):.*?## (.+)$", MAKEFILE, re.MULTILINE))
        assert {"help", "demo", "test", "unit", "lint", "docs", "lock", "pictures"} <= set(listed)

    def test_every_target_without_words_is_a_step_of_another(self):
        """A target that the list leaves out is one that another target needs."""
        phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)", MAKEFILE, re.MULTILINE)[1]
        names = set(phony.replace("\\\n", " ").split())
        listed = set(re.findall(r"^([\w-]+):.*?## ", MAKEFILE, re.MULTILINE))
        assert listed <= names
        for name in names - listed:
            assert re.search(rf"(^[^#\n]*:[^#\n]*|MAKE.*|\\\n.*) {name}\b", MAKEFILE, re.MULTILINE)


APT = """\
#!/bin/sh
echo "apt-get $*" >>"$HERE/said"
[ "$1" = install ] || exit 0
"$ROOT/usr/sbin/policy-rc.d" prometheus start; echo "policy $?" >>"$HERE/said"
touch "$ROOT/etc/init.d/prometheus" "$ROOT/lib/systemd/system/prometheus.service"
[ ! -e "$HERE/fails" ]
"""
"""An apt-get that says what it is asked, asks whether a service may start, and brings one."""

DPKG_QUERY = """\
#!/bin/sh
for last in "$@"; do :; done
[ "$last" != there ] || echo installed
"""
"""Knows one package as installed: there."""

SAYS = '#!/bin/sh\necho "$(basename "$0") $*" >>"$HERE/said"\n'


@pytest.fixture
def machine(tmp_path):
    """Return a function that runs need-debian on a machine of its own, and gives what happened.

    The programs that would change this machine are replaced by ones that say what they are asked.
    """
    root = tmp_path / "root"
    for folder in ("usr/sbin", "etc/init.d", "lib/systemd/system"):
        (root / folder).mkdir(parents=True)
    (root / "etc" / "init.d" / "cron").touch()
    programs = tmp_path / "bin"
    programs.mkdir()
    said = tmp_path / "said"
    for name, text in {
        "apt-get": APT,
        "systemctl": SAYS,
        "update-rc.d": SAYS,
        "sudo": '#!/bin/sh\nshift\nexec "$@"\n',
        "dpkg-query": DPKG_QUERY,
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)

    def run(*arguments):
        environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HERE": str(tmp_path),
            "ROOT": str(root),
            "NEED_DEBIAN_ROOT": str(root),
        }
        done = subprocess.run(
            ["/bin/sh", str(ROOT / "tools" / "need-debian"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        return done, said.read_text().splitlines() if said.exists() else []

    return run


class TestDebianPackages:
    def test_what_is_installed_is_named_before(self, machine):
        """The packages' names are printed, and those that are there already are left alone."""
        done, said = machine("there", "prometheus", "--", "false")
        assert done.returncode == 0
        assert done.stderr == (
            "installing Debian packages, and starting no service of theirs: prometheus\n"
        )
        assert "apt-get install -y -qq --no-install-recommends prometheus" in said

    def test_nothing_is_installed_where_the_check_passes(self, machine):
        """Where all is there, nothing is said or done."""
        done, said = machine("prometheus", "--", "true")
        assert (done.returncode, done.stderr, said) == (0, "", [])

    def test_no_service_is_started_now_or_at_the_next_boot(self, machine, tmp_path):
        """While packages are installed no service may start; a new one is disabled, others not."""
        _, said = machine("prometheus", "--", "false")
        assert "policy 101" in said
        assert "systemctl disable prometheus" in said
        assert "update-rc.d prometheus disable" in said
        assert not [line for line in said if "cron" in line]
        assert list((tmp_path / "root" / "usr" / "sbin").iterdir()) == []

    @pytest.mark.parametrize("fails", [False, True])
    def test_the_machines_own_policy_comes_back(self, machine, tmp_path, fails):
        """A policy for services that was there before is there again, whatever apt-get does."""
        own = tmp_path / "root" / "usr" / "sbin" / "policy-rc.d"
        own.write_text("#!/bin/sh\nexit 0\n")
        own.chmod(0o755)
        if fails:
            (tmp_path / "fails").touch()
        done, said = machine("prometheus", "--", "false")
        assert (done.returncode == 0) is not fails
        assert "policy 101" in said
        assert own.read_text() == "#!/bin/sh\nexit 0\n"
        assert list(own.parent.iterdir()) == [own]

    @pytest.mark.parametrize(
        ("option", "code", "words"),
        [
            ([], 1, "please run: sudo apt-get install prometheus"),
            (["--optional"], 0, "going on without"),
        ],
    )
    def test_what_can_not_be_installed_is_said(self, machine, tmp_path, option, code, words):
        """Without the package, the command to run is named; an optional one ends well."""
        (tmp_path / "fails").touch()
        done, _ = machine(*option, "prometheus", "--", "false")
        assert (done.returncode, words in done.stderr) == (code, True)


class TestTestsThatNeedPackages:
    @pytest.mark.parametrize("package", BRINGS)
    @pytest.mark.parametrize(
        ("ci", "outcome"), [("", pytest.skip), ("false", pytest.skip), ("true", pytest.fail)]
    )
    def test_without_its_package_a_test_is_skipped_or_in_ci_fails(
        self, monkeypatch, tmp_path, package, ci, outcome
    ):
        """The reason is the command that installs what is missing."""
        monkeypatch.setenv("CI", ci)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setitem(BRINGS, package, (*BRINGS[package], "what-nobody-has"))
        with pytest.raises(outcome.Exception, match=f"apt-get install .* {package}$"):
            needs(package)

    def installed_before(self, target):
        """Return the packages that a target's prerequisites install, and theirs."""
        packages, waiting, seen = set(), [target], set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            for needs_, recipe in re.findall(
                rf"^{re.escape(name)}:([^#\n]*).*\n((?:\t.*\n)*)", MAKEFILE, re.MULTILINE
            ):
                waiting += needs_.split()
                for listed in re.findall(r"need-debian (?:--optional )?(.*?) --", recipe):
                    packages |= set(listed.split())
        return packages

    def test_make_test_installs_each_of_them(self):
        """What a test needs is installed before the tests run, by what `make test` depends on."""
        assert set(BRINGS) <= self.installed_before("test")
        assert "pngquant" in self.installed_before("pictures") - self.installed_before("test")

    def test_each_module_that_asks_for_a_program_is_marked(self):
        """A module that runs a program of a package says which: `make unit` leaves it out."""
        asks = re.compile(r"\bprogram\(|\brunning_prometheus\(|\bStack\(")
        files = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
        asking = [path for path in files if asks.search(path.read_text())]
        assert len(asking) > 8
        assert [p.name for p in asking if "pytest.mark.system(" not in p.read_text()] == []


class TestTheDemosPackages:
    def needed(self):
        """Return every package that the command line, the lab and their build need here."""
        found, waiting = set(), [Requirement(f"{name}") for name in DEMO_ROOTS]
        while waiting:
            wanted = waiting.pop()
            name = canonicalize_name(wanted.name)
            if (name, *sorted(wanted.extras)) in found:
                continue
            found.add((name, *sorted(wanted.extras)))
            for text in metadata.distribution(name).requires or []:
                of = Requirement(text)
                extras = wanted.extras or {""}
                if of.marker is None or any(of.marker.evaluate({"extra": e}) for e in extras):
                    waiting.append(of)
        return {name for name, *_ in found} - {"ai-engine-quality", "ai-engine-lab"}

    def test_they_are_all_that_the_demo_needs(self):
        """The list has each package that the demo's environment needs, and each is locked."""
        listed = (ROOT / "tools" / "demo-packages").read_text().splitlines()[1:]
        locked = re.findall(
            r"^([\w.-]+)==", (ROOT / "tools" / "requirements.lock").read_text(), re.MULTILINE
        )
        assert self.needed() <= set(listed) <= set(locked)
        assert len(listed) < len(locked) / 2


class TestMutants:
    """`make mutants`, by what pyproject.toml says."""

    @pytest.fixture
    def chosen(self):
        return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]

    def test_what_is_changed_and_what_tests_it_are_there(self, chosen):
        """A module that was moved or renamed would silently be left out."""
        tests = chosen["pytest_add_cli_args_test_selection"]
        for path in (*chosen["only_mutate"], *tests, *chosen["also_copy"]):
            assert (ROOT / path).is_file(), path

    def test_all_that_decides_a_score_is_changed(self, chosen):
        """The modules that scoring is made of, however they are cut, and the ear's."""
        core = {path.stem for path in (ROOT / "ai_engine_quality" / "core").glob("*.py")}
        aside = {
            "__init__", "agent_sound", "course", "durations", "observations", "reading", "result",
            "summary", "twins", "units", "wording",
        }  # fmt: skip
        assert core - aside == {
            Path(path).stem for path in chosen["only_mutate"] if "/core/" in path
        }
