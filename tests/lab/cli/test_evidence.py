"""``evidence``: how well the score agrees with listening."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "docs" / "data" / "evidence-samples.csv"


@pytest.fixture
def few(tmp_path):
    """Return a file with the samples of four passages, two of each side."""
    lines = SAMPLES.read_text().splitlines(keepends=True)
    path = tmp_path / "samples.csv"
    names = ("tuning-01,", "tuning-02,", "held-back-01,", "held-back-02,")
    path.write_text("".join([lines[0], *(line for line in lines if line.startswith(names))]))
    return path


def test_it_judges_every_policy_that_ships(run, few):
    """Without options each version is there, with both measures, values and intervals."""
    result = run("evidence", "--samples", few, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert {row["policy"] for row in found} == {"v1", "v2", "v3"}
    assert {row["measure"] for row in found} == {"PESQ", "ViSQOL"}
    for row in found:
        assert row["low"] <= row["value"] <= row["high"]
    assert {row["n"] for row in found if row["prompts"] == "tuning"} == {56}


def test_it_judges_a_policy_of_ones_own(run, few, tmp_path):
    """A settings file's policy is judged; one that charges fillers nothing agrees less."""
    blind = tmp_path / "quality.toml"
    blind.write_text(
        "[policy.knees]\nunderflow = [[0.9, 0], [1, 20]]\n"
        "[policy.ceilings]\nunderflow = [[1, 89]]\n"
    )
    both = ("--policy", "v1", "--policy", blind)
    result = run("evidence", "--samples", few, "--json", *both)
    rows = [row for row in json.loads(result.output) if row["prompts"] == "held back"]
    values = {(row["policy"], row["measure"]): row["value"] for row in rows}
    (mine,) = {policy for policy, _ in values} - {"v1"}
    assert mine.startswith("custom-")
    assert values[mine, "PESQ"] < values["v1", "PESQ"]


def test_the_table_names_what_it_shows(run, few):
    """For people there is a table, with a line for each selection of samples."""
    result = run("evidence", "--samples", few, "--policy", "v2")
    assert result.exit_code == 0, result.output
    assert "112 samples" in result.output
    for text in ("held back, no wrong rate", "PESQ", "ViSQOL", "rank correlation"):
        assert text in result.output


def test_the_fit_is_a_settings_files_policy(run, few, tmp_path):
    """What --fit prints can be pasted into a settings file, and then is a policy."""
    result = run("evidence", "--samples", few, "--fit")
    assert result.exit_code == 0, result.output
    pasted = tmp_path / "quality.toml"
    pasted.write_text(result.output)
    judged = run("evidence", "--samples", few, "--policy", pasted)
    assert judged.exit_code == 0, judged.output


def test_missing_samples_are_an_error_with_the_mend(run, tmp_path):
    """A file that isn't there: one line, which says what to do."""
    result = run("evidence", "--samples", tmp_path / "none.csv")
    assert result.exit_code == 1
    assert "--measure" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [("scipy", (), "evidence"), ("pesq", ["--measure"], "measuring")],
)
def test_a_missing_extra_is_named(run, few, monkeypatch, *, missing, arguments, extra):
    """Without what it needs, a line names the extra to install, and nothing is written."""
    monkeypatch.setitem(sys.modules, missing, None)
    before = few.read_text()
    result = run("evidence", "--samples", few, *arguments)
    assert result.exit_code == 1
    assert missing in result.output
    assert f"from a checkout: pip install . './lab[{extra}]'" in result.output
    assert few.read_text() == before
