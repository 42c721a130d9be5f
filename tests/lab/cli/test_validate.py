"""``validate``: real calls held against the matrix, and the command's answers to wrong use."""

from __future__ import annotations

import json
import time

import pytest
from ai_engine_lab.engine import TEST_MATRIX, plan_calls
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

BARGE_INS = {"barge_in": 3}


@pytest.fixture
def files(tmp_path):
    """Return the options that send the report's files elsewhere."""
    return ["--markdown", tmp_path / "report.md", "--html", tmp_path / "report.html"]


@pytest.fixture
def have_calls(tmp_path):
    """Return a function that has the matrix's twenty calls, and returns record file and sheet."""

    def have(latency=0.4, ended_ago=60.0):
        records, sheet = tmp_path / "calls.jsonl", tmp_path / "sheet.csv"
        quality = aeq.QualityMonitor(
            registry=CollectorRegistry(),
            log=False,
            records=records,
            wall_clock=lambda: time.time() - ended_ago,
        )
        lines = ["call_id,scenario"]
        for plan in plan_calls(TEST_MATRIX):
            quality.call_started(plan.call_id, provider=plan.provider.name)
            call = quality.call(plan.call_id)
            for _ in range(5):
                call.turn_response(latency)
            call.frames_sent(800)
            call.underflow(0)
            for _ in range(BARGE_INS.get(plan.scenario.name, 0)):
                call.barge_in(reaction=0.25)
            call.call_ended(duration=plan.duration)
            lines.append(f"{plan.call_id},{plan.scenario.name}")
        quality.close()
        sheet.write_text("\n".join(lines) + "\n")
        return records, sheet

    return have


def test_on_eighty_columns_reasons_stand_below_the_table(run, files, have_calls, monkeypatch):
    """Nothing is cut: a row is one line with its scores, and why it was missed follows."""
    monkeypatch.setenv("COLUMNS", "80")
    records, sheet = have_calls(latency=4.0)
    output = run("validate", "--records", records, "--sheet", sheet, *files).output
    table = output.partition("Report:")[0]
    assert "\N{HORIZONTAL ELLIPSIS}" not in table
    assert max(map(len, table.splitlines())) <= 80
    assert "openai_realtime, 30 s Barge-in test: latency" in table


def test_good_calls_meet_every_row_and_end_with_0(run, files, have_calls):
    """Twenty good calls, with a sheet that says what they were, hold every expectation."""
    records, sheet = have_calls()
    done = run("validate", "--records", records, "--sheet", sheet, *files)
    assert done.exit_code == 0, done.output
    assert done.output.count(" met") == 6 + 4
    text = files[1].read_text()
    assert "**Every expectation that counts holds.**" in text
    assert f"--records {records} --sheet {sheet}`" in text, "the command that made it, as it was"
    assert files[3].read_text().startswith("<!doctype html>")


def test_slow_calls_miss_and_end_with_1(run, files, have_calls):
    """Twenty calls with turns of 2.5 s miss every row for their latency."""
    records, sheet = have_calls(latency=2.5)
    done = run("validate", "--records", records, "--sheet", sheet, "--json", *files)
    assert done.exit_code == 1
    (section,) = json.loads(done.stdout)["sections"]
    assert [row["verdict"] for row in section["rows"]] == ["missed"] * 6
    assert {cause["name"] for row in section["rows"] for cause in row["causes"]} == {"latency"}


def test_what_cannot_be_judged_ends_with_3(run, files, have_calls):
    """Without a sheet nobody can tell the noisy calls: nothing is missed, and not all decided."""
    records, _ = have_calls()
    done = run("validate", "--records", records, *files)
    assert done.exit_code == 3, done.output
    assert "which can be wrong" in done.output
    assert "Nothing was missed, but not everything could be judged" in files[1].read_text()


def test_ratings_are_joined(run, files, have_calls, tmp_path):
    """A CSV of ratings adds the rank correlation to the report."""
    records, sheet = have_calls()
    ratings = tmp_path / "ratings.csv"
    ids = [line.split(",")[0] for line in sheet.read_text().splitlines()[1:]]
    ratings.write_text("call_id,rating\n" + "".join(f"{one},{n}\n" for n, one in enumerate(ids)))
    options = ["--records", records, "--sheet", sheet, "--ratings", ratings, "--json"]
    done = run("validate", *options, *files)
    found = json.loads(done.stdout)["ratings"]
    assert len(found["calls"]) == 20
    assert found["rho"] is None, "all twenty have the same score"


def test_since_leaves_older_calls_out(run, files, have_calls):
    """Calls of two days ago are not among those of the last day; the error says the fix."""
    records, sheet = have_calls(ended_ago=172_800.0)
    options = ["--records", records, "--sheet", sheet]
    old = run("validate", *options, "--since", "24h", *files)
    assert (old.exit_code, "ask for a longer --since" in old.output) == (2, True)
    assert run("validate", *options, "--since", "3d", *files).exit_code == 0


def test_a_golden_baseline_of_ones_own_is_written_and_held_against(
    run, files, have_calls, tmp_path
):
    """Calls that still meet every row, but got worse than one's own baseline, end with 1."""
    records, sheet = have_calls()
    real = ["--records", records, "--sheet", sheet]
    assert run("validate", *real, "--write-golden", tmp_path / "golden", *files).exit_code == 0
    golden = ["--golden", tmp_path / "golden" / "calls.json"]
    assert run("validate", *real, *golden, *files).exit_code == 0
    records.unlink()
    have_calls(latency=0.8)
    done = run("validate", *real, *golden, *files)
    assert done.exit_code == 1
    assert "worse than golden: deepgram simple_qa: latency costs a call 6.0" in done.output


def test_a_broken_line_costs_no_report(run, files, have_calls):
    """A line that is no record is left out and told; the others are judged."""
    records, sheet = have_calls()
    records.write_text('{"torn\n' + records.read_text())
    done = run("validate", "--records", records, "--sheet", sheet, *files)
    assert done.exit_code == 0
    assert "1 line is no record and was left out; the first is line 1" in done.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--records", "none.jsonl"], "Name the record file"),
        (["--records", "none.jsonl", "--prometheus", "http://x"], "not both"),
        (["--prometheus", "nonsense"], "name a running Prometheus, such as http://127.0.0.1:9090"),
        (["--prometheus", "http://127.0.0.1:9"], "can't be reached"),
        (["--records", "r.jsonl", "--since", "soon"], "write 90s, 3m or 1h"),
        (["--since", "1h"], "is about real calls"),
        (["--sheet", "s.csv"], "is about real calls"),
        (["--ratings", "s.csv"], "is about real calls"),
        (["--records", "r.jsonl", "--fault", "jitter"], "about the reference engine"),
        (["--golden", "g.json"], "add --profile healthy"),
        (["--profile", "healthy", "--golden", "none.json"], "--write-golden makes such a file"),
        (["--profile", "healthy", "--fault", "gremlins"], "gremlins"),
        (["--records", "r.jsonl", "--sheet", "none.csv"], "none.csv can't be read"),
        (["--records", "r.jsonl", "--ratings", "none.csv"], "none.csv can't be read"),
        (["--real-calls", "none.md"], "none.md can't be read"),
    ],
)
def test_wrong_use_ends_with_2_and_says_the_mend(run, files, options, said):
    """What can't be used is an error of its own exit code, without a traceback, with the fix."""
    done = run("validate", *options, *files)
    assert done.exit_code == 2
    assert said in done.output
    assert not isinstance(done.exception, Exception)
    assert not files[1].exists()


def test_an_empty_record_file_is_told(run, files, tmp_path):
    """A record file without a call is an error, and no perfect report."""
    (tmp_path / "empty.jsonl").touch()
    done = run("validate", "--records", tmp_path / "empty.jsonl", *files)
    assert (done.exit_code, "holds no call" in done.output) == (2, True)


def test_a_report_that_cannot_be_written_is_told(run, have_calls, tmp_path):
    """Where a report's folder is a file, the error names the file."""
    records, _ = have_calls()
    (tmp_path / "taken").touch()
    files = ["--markdown", tmp_path / "taken" / "r.md", "--html", tmp_path / "r.html"]
    done = run("validate", "--records", records, *files)
    assert (done.exit_code, "can't be written" in done.output) == (2, True)


def test_a_fault_makes_the_command_end_with_1(run, files):
    """An agent too quiet costs each row so few points that golden is needed to find it in all."""
    done = run("validate", "--profile", "healthy", "--fault", "quiet_agent", "--json", *files)
    assert done.exit_code == 1
    (section,) = json.loads(done.stdout)["sections"]
    assert [row["verdict"] for row in section["rows"]].count("met") >= 4
    fell = {(worse["row"], worse["name"]) for worse in section["worse"]}
    rows = {row for row, _ in fell}
    assert len(rows) == 6
    assert fell >= {(row, name) for row in rows for name in ("rms", "mean_score")}


def test_calls_of_no_row_are_told_to_be_left_out(run, files, have_calls):
    """A scenario that the call's provider has no row of is in no row and in no number."""
    records, sheet = have_calls()
    first = sheet.read_text().splitlines()[1]
    sheet.write_text("call_id,scenario\n" + first.replace("simple_qa", "barge_in"))
    done = run("validate", "--records", records, "--sheet", sheet, *files)
    assert done.exit_code == 3
    text = files[1].read_text()
    assert "1 calls are of no row" in text
    assert "and are in no number here" in text
