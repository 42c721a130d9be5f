"""The workflow for GitHub: valid, and what ``.ci/run`` does."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
STEPS = yaml.safe_load(WORKFLOW.read_text())["jobs"]["test"]["steps"]


def test_it_is_valid():
    """The published schema of GitHub's workflows accepts it."""
    done = subprocess.run(
        [
            sys.executable, "-m", "check_jsonschema",
            "--builtin-schema", "vendor.github-workflows", str(WORKFLOW),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_does_what_the_ci_does():
    """Its last step is .ci/run, and nothing else in it tests anything."""
    assert STEPS[-1] == {"run": ".ci/run"}
    assert not [
        step for step in STEPS[:-1] if re.search(r"make \w|pytest|ruff", step.get("run", ""))
    ]


def test_actions_of_others_are_pinned():
    """Each is named by a whole commit, since a tag can be moved."""
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name) for name in used)


def test_it_runs_on_every_python_that_is_claimed():
    """Each Python of the classifiers has its image; Debian bookworm's own is 3.11."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    claimed = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    images = yaml.safe_load(WORKFLOW.read_text())["jobs"]["test"]["strategy"]["matrix"]["image"]
    tried = ["3.11" if name == "debian:bookworm" else name.split(":")[1][:4] for name in images]
    assert sorted(tried) == sorted(claimed)
