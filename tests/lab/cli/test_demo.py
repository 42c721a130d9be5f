"""``demo``: twenty calls, their scores, and the gauge."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from services import serving_demo

ROOT = Path(__file__).parents[3]

_WIDE = {**os.environ, "COLUMNS": "220"}

_ROW = re.compile(
    r"^ +(?P<call>\d+\.\d+) +\w+ +\d+ s .+? +(?P<score>\d+) +(?:excellent|good|fair|poor)"
    r" +> (?P<expected>\d+) met +(?P<explained>\d+), \w+: ",
    re.MULTILINE,
)


def _demo(*arguments: str, cwd) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ai_engine_quality", "demo", "--port", "0", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=_WIDE)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """Return one run of the demo as it is run by default, and the folder it ran in."""
    folder = tmp_path_factory.mktemp("demo")
    return _demo(cwd=folder), folder


def test_twenty_calls_are_scored_with_band_and_reason(healthy):
    """Twenty rows have a call id, a score over what was expected, a band and a reason."""
    done, _ = healthy
    assert done.returncode == 0, done.stderr
    rows = list(_ROW.finditer(done.stdout))
    assert len(rows) == 20
    for row in rows:
        assert int(row["score"]) > int(row["expected"])
        assert row["score"] == row["explained"]


def test_the_gauge_is_printed_as_metrics_has_it(healthy):
    """The printed exposition has one sample for each call of the table, with the same score."""
    done, _ = healthy
    table = {row["call"]: row["score"] for row in _ROW.finditer(done.stdout)}
    sample = r'^ai_agent_call_quality_score\{call_id="([\d.]+)"\} (\d+)'
    gauge = re.findall(sample, done.stdout, re.MULTILINE)
    assert len(gauge) == 20
    assert dict(gauge) == table


def test_it_says_which_speech_it_used(healthy):
    """The source of the speech is told, since synthesised speech proves less than real."""
    done, _ = healthy
    assert re.search(r"^Speech: (telephone prompts|synthesised)", done.stdout, re.MULTILINE)


def test_explain_answers_the_question_that_the_demo_asks(healthy):
    """The command that the demo prints for its worst call explains just that call."""
    done, folder = healthy
    asked = re.search(r"why did the worst call get (\d+)\? python (.+)", done.stdout, re.IGNORECASE)
    assert asked is not None
    again = subprocess.run(
        [sys.executable, *asked[2].split()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.match(rf"Call [\d.]+: {asked[1]}, ", again.stdout)


def test_json_has_every_call_and_the_exposition(tmp_path):
    """With --json, stdout is one JSON document with the twenty records and the gauge's lines."""
    done = _demo("--json", cwd=tmp_path)
    data = json.loads(done.stdout)
    assert len(data["calls"]) == 20
    assert all(call["as_expected"] and call["explanation"] for call in data["calls"])
    assert sum(line.startswith("ai_agent_call_quality_score{") for line in data["metrics"]) == 20


def test_the_measured_profile_is_not_dressed_up(tmp_path):
    """With real latencies some calls miss the matrix; it says so, and ends with 0 all the same."""
    done = _demo("--profile", "measured", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" missed") == 15, "the README gives this number"
    assert "those of real calls" in done.stdout


def test_a_taken_port_is_an_error_with_its_mend(tmp_path):
    """A port that something else listens on is an error that names --port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = _demo("--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert done.returncode == 1
    assert "choose another --port" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_keeps_metrics_up_until_interrupted(tmp_path):
    """With --serve the metrics and health pages answer after the table, and Ctrl-C ends with 0."""
    with serving_demo(tmp_path) as serving:
        url = serving.split()[1].rstrip(",")
        metrics = urllib.request.urlopen(url, timeout=10).read().decode()
        health = urllib.request.urlopen(url.replace("/metrics", "/health"), timeout=10)
    assert metrics.count("\nai_agent_call_quality_score{") == 20
    assert json.load(health)["status"] == "healthy"


def test_its_table_fits_eighty_columns(tmp_path):
    """On a terminal of 80 columns each call of the table is one line, and none is wider."""
    command = [sys.executable, "-m", "ai_engine_quality", "demo", "--port", "0"]
    narrow = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env=narrow
    )
    table = done.stdout.partition("Calls, scored")[2].partition("calls as expected")[0]
    rows = re.findall(r"^\d+\.\d+ +\w+ +\S.* \d+ \w+ +> \d+ met *$", table, re.MULTILINE)
    assert len(rows) == 20
    assert max(map(len, table.splitlines())) <= 80


def test_an_interrupted_demo_says_so_and_ends_with_130(tmp_path):
    """Ctrl-C before the calls are through is told, and a shell can see it."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "ai_engine_quality", "demo", "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_WIDE,
    ) as demo:
        for line in iter(demo.stdout.readline, ""):
            if line.startswith("Placing "):
                break
        demo.send_signal(signal.SIGINT)
        said, errors = demo.communicate(timeout=120)
    assert demo.returncode == 130, errors
    assert "Interrupted" in errors
    assert "Traceback" not in errors
    assert "calls as expected" not in said


def test_serve_prints_a_line_for_each_call(tmp_path):
    """After the table every call that ends has its line: when, which, whose, and why."""
    command = [sys.executable, "-u", "-m", "ai_engine_quality", "demo", "--port", "0", "--serve"]
    with subprocess.Popen(
        [*command, "--speed", "virtual"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=_WIDE
    ) as demo:
        lines = iter(demo.stdout.readline, "")
        serving = next(line for line in lines if line.startswith("Serving "))
        first = next(lines)
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=120)
    assert "virtual time, as fast as this machine can" in serving
    assert re.match(r"\d\d:\d\d:\d\d  [\d.]+  \w+  (\d+, \w+: |not scored: )", first)
    assert demo.returncode == 0


def test_what_the_handbook_compares_is_what_compare_says(healthy, tmp_path):
    """docs/History.md has both profiles side by side, line for line as the command does."""
    _, folder = healthy
    shutil.copy(folder / "records" / "calls.jsonl", tmp_path / "healthy.jsonl")
    _demo("--profile", "measured", "--records", "measured.jsonl", cwd=tmp_path)
    command = [sys.executable, "-m", "ai_engine_quality", "compare"]
    done = subprocess.run(
        [*command, "healthy.jsonl", "measured.jsonl"],
        cwd=tmp_path, capture_output=True, text=True, check=True, env=_WIDE,
    )  # fmt: skip
    said = {" ".join(line.split()) for line in done.stdout.splitlines()}
    shown = (ROOT / "docs" / "History.md").read_text().partition("    A: healthy.jsonl")[2]
    lines = f"A: healthy.jsonl{shown.partition('(These files')[0]}".splitlines()
    told = [" ".join(line.split()) for line in lines]
    assert len(told) > 8
    assert [line for line in told if line not in said | {"", "..."}] == []
