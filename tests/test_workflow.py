"""The files beside the code: workflows, hooks and the lock file are valid, pinned, and agree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FORGE = ROOT / ".github"
WORKFLOW = FORGE / "workflows" / "ci.yml"
STEPS = yaml.safe_load(WORKFLOW.read_text())["jobs"]["test"]["steps"]
JOBS = [
    job
    for path in sorted((FORGE / "workflows").glob("*.yml"))
    for job in yaml.safe_load(path.read_text())["jobs"].values()
]


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.github-workflows", "workflows/ci.yml"),
        ("vendor.github-workflows", "workflows/publish.yml"),
        ("vendor.github-workflows", "workflows/frameworks.yml"),
        ("vendor.dependabot", "dependabot.yml"),
    ],
)
def test_it_is_valid(schema, path):
    """The published schema of GitHub's workflows, and that of dependabot's file, accept it."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    done = subprocess.run(
        [*command, str(FORGE / path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_does_what_the_ci_does():
    """Its last step is .ci/run, and nothing else in it tests anything."""
    assert STEPS[-1] == {"run": ".ci/run"}
    assert not [
        step for step in STEPS[:-1] if re.search(r"make \w|pytest|ruff", step.get("run", ""))
    ]


def test_actions_of_others_are_pinned():
    """Each is named by a whole commit, since a tag can be moved."""
    used = [step["uses"] for job in JOBS for step in job["steps"] if "uses" in step]
    assert len(used) >= 4
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name) for name in used)


def test_images_are_pinned():
    """Each image is named by its digest, since a tag can be moved."""
    images = yaml.safe_load(WORKFLOW.read_text())["jobs"]["test"]["strategy"]["matrix"]["image"]
    images += [job["container"] for job in JOBS if "container" in job]
    images.remove("${{ matrix.image }}")
    assert len(images) >= 4
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", image) for image in images)


def test_it_runs_on_every_python_that_is_claimed():
    """Each Python of the classifiers has its image; Debian bookworm's own is 3.11."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    claimed = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    images = yaml.safe_load(WORKFLOW.read_text())["jobs"]["test"]["strategy"]["matrix"]["image"]
    tried = ["3.11" if name.startswith("debian:bookworm") else name[7:11] for name in images]
    assert sorted(tried) == sorted(claimed)


def test_publishing_needs_no_password():
    """A release alone publishes, by an identity token, and with attestations."""
    publish = yaml.safe_load((FORGE / "workflows" / "publish.yml").read_text())
    assert publish[True] == {"release": {"types": ["published"]}}  # YAML's "on"
    job = publish["jobs"]["publish"]
    assert job["permissions"] == {"id-token": "write"}
    assert job["steps"][-1]["with"] == {"attestations": True}
    assert "password" not in str(job)


class TestTheLockFile:
    LINES = (ROOT / "tools" / "requirements.lock").read_text().splitlines()

    def locked(self):
        """Return the versions that are locked, by package; one may have several, by Python."""
        found = {}
        for line in self.LINES:
            if match := re.match(r"([\w.-]+)==([\w.!+-]+)", line):
                found.setdefault(canonicalize_name(match[1]), []).append(match[2])
        return found

    def wanted(self):
        library = tomllib.loads((ROOT / "pyproject.toml").read_text())
        lab = tomllib.loads((ROOT / "lab" / "pyproject.toml").read_text())["project"]
        project, groups = library["project"], library["dependency-groups"]
        listed = [*project["dependencies"], *project["optional-dependencies"]["cli"]]
        for extra in ("validate", "evidence"):
            listed += lab["optional-dependencies"][extra]
        for entry in groups["dev"]:
            listed += groups[entry["include-group"]]
        return [Requirement(item) for item in [*listed, *lab["dependencies"]]]

    def test_it_holds_what_is_asked_for(self):
        """Every requirement of both distributions and of the tests is locked, within its range."""
        locked = self.locked()
        for requirement in self.wanted():
            if requirement.name.startswith("ai_engine"):
                continue
            versions = locked[canonicalize_name(requirement.name)]
            assert all(requirement.specifier.contains(version) for version in versions)

    def test_every_package_has_its_hashes(self):
        """Each line that names a version goes on with hashes."""
        named = [line for line in self.LINES if "==" in line]
        assert len(named) > 50
        assert all(line.endswith("\\") for line in named)

    def test_it_names_no_index(self):
        """It holds no address: whoever installs uses their own index."""
        assert not [line for line in self.LINES if "://" in line or line.startswith("--index")]

    def test_ci_installs_nothing_without_a_hash(self):
        """Whatever `make test` has pip install is checked by its hash, or is this checkout.

        Nor is anything fetched to build it. What npm brings is checked by its own lock file.
        """
        makefile = (ROOT / "Makefile").read_text()
        rules = dict(re.findall(r"^([\w$()/.-]+):([^=\n]*(?:\n\t.*)*)", makefile, re.MULTILINE))
        reached, waiting = {}, ["test"]
        while waiting:
            name = waiting.pop()
            if name in rules and name not in reached:
                reached[name] = rules[name]
                waiting += rules[name].split("\n")[0].partition("##")[0].split()
        recipes = "\n".join(reached.values())
        assert "tools/make-venv" in recipes
        assert not re.search(r"pip\S* install|install-group", recipes)
        installs = re.findall(
            r"^[^#\n]*-m pip install.*", (ROOT / "tools/make-venv").read_text(), re.MULTILINE
        )
        hashed = [line for line in installs if "--require-hashes" in line]
        ours = [line for line in installs if "--no-deps --no-build-isolation --editable ." in line]
        assert (len(hashed), len(ours), len(installs)) == (1, 1, 2)
        assert re.findall(r"npm (?!ci)\w+ ", recipes.replace("npm >/dev/null", "")) == []
