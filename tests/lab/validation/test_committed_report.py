"""The report in the documents is what the command makes."""

from pathlib import Path

import pytest
from ai_engine_lab.engine import DEFAULT_SEED, FAULTS_OF_A_CALL
from click.testing import CliRunner

from ai_engine_quality.cli import cli

PLACED = "ai_engine_lab.validation.placed"
ROOT = Path(__file__).parents[3]
COMMITTED = ROOT / "docs" / "Validation-Report.md"


@pytest.fixture
def remade(placed, with_fault, monkeypatch, tmp_path):
    """Run the command as ``make validate`` does, with the calls that other tests placed too."""
    for name in (None, *FAULTS_OF_A_CALL):
        with_fault(name)  # while these still are placed by the real functions

    def place_matrix(*, profile, seed, faults, on_progress):
        assert (seed, faults) == (DEFAULT_SEED, [])
        del on_progress
        return placed(profile.name)

    def fault_calls(fault, seed):
        assert seed == DEFAULT_SEED
        return with_fault(fault.name if fault else None)

    monkeypatch.setattr(f"{PLACED}.place_matrix", place_matrix)
    monkeypatch.setattr(f"{PLACED}.fault_calls", fault_calls)
    monkeypatch.chdir(ROOT)
    files = {name: tmp_path / f"report.{name}" for name in ("markdown", "html")}
    outputs = [str(x) for name, path in files.items() for x in (f"--{name}", path)]
    done = CliRunner().invoke(
        cli, ["validate", "--real-calls", "docs/data/real-calls.md", *outputs]
    )
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done, files["markdown"].read_text()


@pytest.mark.system("asterisk-core-sounds-en-wav")
def test_the_committed_report_is_the_one_that_make_validate_makes(remade):
    """Made anew, the report is the committed one to the last character: no number is stale."""
    _, text = remade
    assert text == COMMITTED.read_text(), "`make validate` remakes it"


def test_the_healthy_profile_decides(remade):
    """All six rows of the healthy profile are met, so that the command ends with 0."""
    done, text = remade
    assert done.exit_code == 0
    assert "| Reference engine, profile healthy | met | 6 of 6 | 20 of 20 |" in text
    assert "| Reference engine, profile measured | missed |" in text
