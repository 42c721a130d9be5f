"""``rescore``: what would the stored calls get under other thresholds?"""

from __future__ import annotations

import json


def test_the_same_policy_changes_nothing(run, records):
    """Scored again by the policy that they were scored with, no stored call changes."""
    result = run("rescore", records, "--policy", "v1")
    assert result.exit_code == 0
    assert "No call's score changes." in result.output
    assert "mean score" in result.output


def test_another_policy_shows_what_changes(run, records, tmp_path):
    """Under other thresholds the changed calls are listed with both scores and the new reason."""
    settings = tmp_path / "strict.toml"
    settings.write_text("[policy.ceilings]\nlatency = [[0.1, 50]]\n")
    result = run("rescore", records, "--policy", settings)
    assert result.exit_code == 0
    assert "2 scores change" in result.output
    assert "held to 50" in result.output


def test_json_counts_bands_before_and_after(run, records, tmp_path):
    """With --json the means and bands of both sides come out, and each change with its reason."""
    settings = tmp_path / "strict.toml"
    settings.write_text("[policy.ceilings]\nlatency = [[0.1, 50]]\n")
    data = json.loads(run("rescore", records, "--policy", settings, "--json").output)
    assert data["calls"] == 3
    assert data["before"] == {
        "mean": 87.0,
        "bands": {"excellent": 1, "fair": 1, "not scored": 1},
    }
    assert data["after"] == {"mean": 50.0, "bands": {"poor": 2, "not scored": 1}}
    assert {change["call_id"] for change in data["changed"]} == {"100.1", "100.2"}


def test_an_empty_file_is_exit_code_1(run, tmp_path):
    """A file without calls ends with 1, since a comparison of nothing is none."""
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    result = run("rescore", empty, "--policy", "v1")
    assert result.exit_code == 1
    assert "holds no call" in result.output


def test_an_unknown_version_names_the_known_ones(run, records):
    """A policy version that doesn't exist is an error that lists those that do."""
    result = run("rescore", records, "--policy", "v99")
    assert result.exit_code == 1
    assert "v1" in result.output


def test_no_policy_is_wrong_use(run, records):
    """Without a policy to compare with, the command ends with 2, as wrong use does."""
    assert run("rescore", records).exit_code == 2
