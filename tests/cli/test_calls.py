"""``calls``, and ``explain --worst`` and ``--last``: stored calls at hand."""

from __future__ import annotations

import contextlib
import json

import pytest
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

START = 1_761_532_800.0
"""27 October 2025, 02:40 UTC."""


@pytest.fixture
def stored(tmp_path):
    """Return a record file: a good call, a slow one a day later, an unscored one, a fair one."""
    path = tmp_path / "calls.jsonl"
    now = [START]
    quality = aeq.QualityMonitor(
        registry=CollectorRegistry(), log=False, records=path, wall_clock=lambda: now[0]
    )
    for call_id, provider, at, latencies in (
        ("1.good", "deepgram", 0, [0.4] * 20),
        ("1.slow", "openai_realtime", 86_400, [3.5] * 20),
        ("1.none", "deepgram", 90_000, []),
        ("1.fair", "deepgram", 93_600, [0.8, 0.9, 2.6]),
    ):
        now[0] = START + at
        quality.call_started(call_id, provider=provider)
        for seconds in latencies:
            quality.turn_response(call_id, seconds)
        if latencies:
            quality.frames_sent(call_id, 1_000)
        quality.call_ended(call_id, duration=60.0)
    quality.close()
    return path


def listed(run, *arguments):
    """Return the ids of the calls that are listed, in their order."""
    done = run("calls", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return [call["score"]["call_id"] for call in json.loads(done.output)]


def test_the_last_calls_come_newest_first(run, stored):
    """Without options the last calls are listed, scored or not."""
    assert listed(run, stored) == ["1.fair", "1.none", "1.slow", "1.good"]
    assert listed(run, stored, "-n", 2) == ["1.fair", "1.none"]


def test_the_worst_calls_come_lowest_first(run, stored):
    """With --worst those with the lowest scores are, and what has no score isn't."""
    assert listed(run, stored, "--worst") == ["1.slow", "1.fair", "1.good"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--provider", "OpenAI Realtime"), ["1.slow"]),
        (("--since", "2025-10-28"), ["1.fair", "1.none", "1.slow"]),
        (("--until", "2025-10-28T00:00+00:00"), ["1.good"]),
        (("--cause", "latency"), ["1.fair", "1.slow", "1.good"]),
        (("--cause", "too_little_evidence"), ["1.none"]),
    ],
)
def test_calls_are_chosen(run, stored, options, expected):
    """By provider, by time and by cause; names are normalised as the library does it."""
    if options == ("--cause", "latency"):
        expected = expected[:2]  # the good call lost nothing to it
    assert listed(run, stored, *options) == expected


@pytest.mark.parametrize("wrong", ["yesterday", "-3d"])
def test_a_time_that_is_none_is_an_error(run, stored, wrong):
    """What is no time ends with an error that shows some."""
    done = run("calls", stored, f"--since={wrong}")
    assert done.exit_code == 1
    assert "2026-11-01" in done.output


def test_the_table_fits_eighty_columns(run, stored):
    """Each row has score, band and what cost most; no line is wider than 80 columns."""
    done = run("calls", stored)
    assert max(map(len, done.output.splitlines())) <= 80
    (row,) = [line for line in done.output.splitlines() if "1.slow" in line]
    assert "28 Oct 02:40" in row
    assert "poor" in row
    assert "latency -" in row


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("provider", {"deepgram": 3, "openai_realtime": 1}),
        ("day", {"2025-10-27": 1, "2025-10-28": 3}),
        ("hour", {f"2025-10-2{h}:00": 1 for h in ("7 02", "8 02", "8 03", "8 04")}),
        ("cause", {"latency": 2, "nothing": 1, "too_little_evidence": 1}),
    ],
)
def test_calls_are_put_together(run, stored, by, groups):
    """By provider, day, hour or cause: how many, how good, and what costs them most."""
    done = run("calls", stored, "--by", by, "--json")
    rows = json.loads(done.output)
    assert {row[by]: row["calls"] for row in rows} == groups
    assert sum(row["scored"] for row in rows) == 3
    assert run("calls", stored, "--by", by).output.count("\n") >= len(groups) + 2


def test_a_group_in_numbers(run, stored):
    """Mean, poor calls and the points lost are of the group's scored calls alone."""
    rows = json.loads(run("calls", stored, "--by", "provider", "--json").output)
    (slow,) = [row for row in rows if row["provider"] == "openai_realtime"]
    assert (slow["scored"], slow["poor"], slow["mean"]) == (1, 1, slow["worst"])
    assert slow["costs_most"] == "latency"


@pytest.mark.parametrize("by", ["day", "provider"])
def test_calls_of_different_policies_are_said_to_be(run, tmp_path, by):
    """A mean that fell with a new policy is no worse day; JSON stays JSON."""
    both, one = tmp_path / "both.jsonl", tmp_path / "one.jsonl"
    call = aeq.CallSummary(call_id="c", started_at=1.76e9, turn_latencies=(0.9,) * 5, frames_sent=9)
    for path, versions in ((both, ("v1", "v3", "v1")), (one, ("v3", "v3"))):
        with contextlib.closing(aeq.RecordFile(path)) as file:
            for version in versions:
                file(aeq.score(call, aeq.Policy.load(version)))
    told = run("calls", both, "--by", by, "--json")
    assert "different policies, v1, v3" in told.stderr
    assert [row["calls"] for row in json.loads(told.stdout)] == [3]
    assert run("calls", one, "--by", by).stderr == ""


def test_no_such_call_is_exit_code_1(run, stored):
    """Where no call is left, the command says so and ends with 1."""
    for command in (("calls", stored), ("calls", stored, "--by", "day"), ("explain", "--worst")):
        more = ("--records", stored) if command[0] == "explain" else ()
        done = run(*command, *more, "--provider", "nobody")
        assert done.exit_code == 1
        assert "no such call" in done.output


def test_explain_finds_the_worst_and_the_last_call(run, stored):
    """``explain --worst`` and ``--last`` name their call, within the conditions."""
    explain = ("explain", "--records", stored)
    assert run(*explain, "--worst").output.startswith("Call 1.slow: ")
    assert run(*explain, "--last").output.startswith("Call 1.fair: ")
    worst = run(*explain, "--worst", "--provider", "deepgram")
    assert worst.output.startswith("Call 1.fair: ")


@pytest.mark.parametrize("arguments", [(), ("1.slow", "--worst"), ("--worst", "--last")])
def test_explain_takes_one_of_the_three(run, stored, arguments):
    """A call id, --worst or --last: none of them, or two, is wrong use."""
    assert run("explain", "--records", stored, *arguments).exit_code == 2


class TestTheRecordFile:
    def test_the_settings_name_it(self, run, stored, monkeypatch):
        """Where the settings name a record file, ``calls`` and ``explain`` read that one."""
        config = stored.parent / "quality.toml"
        config.write_text(f'[records]\npath = "{stored}"\n')
        monkeypatch.setenv("AI_ENGINE_QUALITY_CONFIG", str(config))
        assert "1.slow" in run("calls").output
        assert run("explain", "1.slow").exit_code == 0

    def test_the_environment_goes_before_the_file(self, run, stored, monkeypatch):
        """The variable of the path wins over the settings file, as it does in the engine."""
        config = stored.parent / "quality.toml"
        config.write_text('[records]\npath = "elsewhere.jsonl"\n')
        monkeypatch.setenv("AI_ENGINE_QUALITY_CONFIG", str(config))
        monkeypatch.setenv("AI_ENGINE_QUALITY_RECORDS_PATH", str(stored))
        assert run("explain", "1.slow").exit_code == 0

    def test_a_relative_path_may_be_beside_the_settings(self, run, stored, monkeypatch):
        """A path that isn't found from here is looked for beside the settings file."""
        config = stored.parent / "quality.toml"
        config.write_text(f'[records]\npath = "{stored.name}"\n')
        monkeypatch.setenv("AI_ENGINE_QUALITY_CONFIG", str(config))
        assert run("explain", "1.slow").exit_code == 0

    def test_settings_that_can_not_be_used_are_an_error(self, run, tmp_path, monkeypatch):
        """A mistake in the settings ends with the error that names it."""
        config = tmp_path / "quality.toml"
        config.write_text("[records]\nbytes = 3\n")
        monkeypatch.setenv("AI_ENGINE_QUALITY_CONFIG", str(config))
        done = run("calls")
        assert done.exit_code == 1
        assert "quality.toml" in done.output

    def test_an_option_goes_before_all(self, run, stored, monkeypatch):
        """What is named on the command line is read, whatever the settings say."""
        monkeypatch.setenv("AI_ENGINE_QUALITY_RECORDS_PATH", "elsewhere.jsonl")
        assert run("calls", stored).exit_code == 0
        assert run("explain", "1.slow", "--records", stored).exit_code == 0


class TestNamingTheRecordFile:
    """One way to name it serves every command that reads records."""

    COMMANDS = (
        ("calls",),
        ("explain", "--last"),
        ("report", "--output", "-"),
        ("rescore", "--policy", "v1"),
        ("tune",),
        ("compare", "?provider=deepgram", "?provider=openai_realtime"),
    )

    @pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
    def test_records_names_it_for_every_command(self, run, stored, monkeypatch, command):
        """``--records`` is read, and counts more than what the settings name."""
        monkeypatch.setenv("AI_ENGINE_QUALITY_RECORDS_PATH", "of-no-engine.jsonl")
        done = run(*command, "--records", stored)
        assert done.exit_code == 0, done.output

    @pytest.mark.parametrize("command", COMMANDS[3:5], ids=lambda command: command[0])
    def test_it_may_still_be_an_argument(self, run, stored, command):
        """The file is an argument or an option, and both mean the same."""
        assert run(*command, stored).output == run(*command, "--records", stored).output

    @pytest.mark.parametrize("command", [*COMMANDS[:1], *COMMANDS[2:5]], ids=lambda it: it[0])
    def test_it_is_named_once(self, run, stored, command):
        """Named in both ways, the command says so, and reads neither."""
        done = run(*command, stored, "--records", stored)
        assert done.exit_code == 2
        assert "name the record file once" in done.output

    def test_a_selection_with_a_file_needs_no_option(self, run, stored):
        """A file in the selection and one by ``--records`` are two, and the command says so."""
        done = run("compare", f"{stored}?provider=deepgram", "?", "--records", stored)
        assert done.exit_code == 2
        assert "name the record file once" in done.output

    @pytest.mark.parametrize("command", COMMANDS[:5], ids=lambda command: command[0])
    def test_a_missing_one_is_named_once_with_the_fix(self, run, command):
        """The error has the file's name once, and says how another one is named."""
        done = run(*command, "--records", "missing.jsonl")
        assert done.exit_code == 1
        assert done.output.count("missing.jsonl") == 1
        assert "--records" in done.output

    def test_an_empty_one_holds_no_call(self, run, tmp_path):
        """Only where calls were chosen, "such" ones are missing."""
        empty = tmp_path / "empty.jsonl"
        empty.touch()
        assert run("calls", empty).output == f"{empty} holds no call\n"
        assert run("calls", empty, "--provider", "x").output == f"{empty} holds no such call\n"


def test_the_list_of_commands_has_whole_sentences(run):
    """On 80 columns no command's line in ``--help`` is cut off."""
    lines = run("--help").output.splitlines()
    commands = lines[lines.index("Commands:") + 1 :]
    assert len(commands) > 10
    assert [line for line in commands if line.endswith("...")] == []
