"""``explain``: why did this call get its score?"""

from __future__ import annotations

import json

import ai_engine_quality as aeq


def test_a_call_is_explained_in_full(run, records):
    """A call's score, its costliest factor, its worst turn and the counterfactual are printed."""
    result = run("explain", "100.2", "--records", records)
    assert result.exit_code == 0
    assert result.output.startswith("Call 100.2: 74, fair")
    assert "worst: turn 3, 2.6 s" in result.output
    assert "without turn 3: 92, excellent" in result.output


def test_an_unscored_call_says_why(run, records):
    """A call without a score is explained as not scored, with what was observed of it."""
    result = run("explain", "100.3", "--records", records)
    assert result.exit_code == 0
    assert "not scored" in result.output
    assert "too_little_evidence" in result.output


def test_an_unknown_call_is_exit_code_1_and_names_its_neighbours(run, records):
    """A call that isn't in the records ends with 1 and is told apart from its likes."""
    result = run("explain", "100.22", "--records", records)
    assert result.exit_code == 1
    assert "did you mean 100.2" in result.output


def test_a_missing_record_file_is_an_error_with_its_mend(run, tmp_path):
    """A record file that isn't there is an error that says how to name or make one."""
    result = run("explain", "100.2", "--records", tmp_path / "none.jsonl")
    assert result.exit_code == 1
    assert "demo" in result.output
    assert "Traceback" not in result.output


def test_json_is_the_record(run, records):
    """With --json the whole record comes out, and its summary scores the same again."""
    record = json.loads(run("explain", "100.2", "--records", records, "--json").output)
    assert record["score"]["score"] == 74
    assert aeq.score(aeq.CallSummary.from_dict(record["summary"])).score == 74


def test_another_policy_scores_the_call_again(run, records, tmp_path):
    """With --policy the call is scored by that policy, whose version is shown."""
    settings = tmp_path / "gentle.toml"
    settings.write_text("[policy.ceilings]\nlatency = [[9, 89]]\n")
    result = run("explain", "100.2", "--records", records, "--policy", settings)
    assert result.exit_code == 0
    assert "policy custom-" in result.output
    assert "Call 100.2: 77, good" in result.output


def test_a_wrong_policy_is_an_error_that_names_the_key(run, records, tmp_path):
    """A policy that can't be used ends with an error naming the file and the key."""
    settings = tmp_path / "wrong.toml"
    settings.write_text("[policy.weights]\nrms = 11\n")
    result = run("explain", "100.2", "--records", records, "--policy", settings)
    assert result.exit_code == 1
    assert "wrong.toml" in result.output
    assert "add up to 100" in result.output


def test_a_stored_name_cannot_steer_the_terminal(run, records):
    """Control characters in a record file are made visible, never sent to the terminal."""
    line = records.read_text().splitlines()[0]
    hostile = json.loads(line)
    hostile["summary"]["provider"] = "\x1b[2Jdeepgram"
    records.write_text(json.dumps(hostile) + "\n")
    result = run("explain", "100.1", "--records", records)
    assert "\x1b" not in result.output
    assert "\ufffd[2Jdeepgram" in result.output


def test_unreadable_lines_are_told_and_do_not_stop_the_rest(run, records):
    """A torn line is reported on stderr while the other calls are still found."""
    with records.open("a") as stream:
        stream.write('{"record":1,"sco')
    result = run("explain", "100.1", "--records", records)
    assert result.exit_code == 0
    assert "1 line is no record" in result.output
    assert "torn by a crash" in result.output


def test_it_says_how_certain_the_score_is(run, records):
    """The full explanation ends with the band's share of the resamples, and --json has all."""
    text = run("explain", "100.2", "--records", records).output
    stored = json.loads(run("explain", "100.2", "--records", records, "--json").output)
    sure = stored["certainty"]
    words = f"certainty: fair, {int(sure['sure'] * 100 + 1e-9)} % sure; {sure['low']} to "
    assert f"{words}{sure['high']} by its 3 turns" in text
    assert run("explain", "100.3", "--records", records).output.endswith("it takes a score\n")


def test_conditions_hold_for_a_named_call_too(run, records):
    """Where a provider is named, a call of another one is none of those that are looked through."""
    assert run("explain", "100.2", "--records", records, "--provider", "deepgram").exit_code == 0
    done = run("explain", "100.2", "--records", records, "--provider", "grok")
    assert (done.exit_code, "holds 0 such calls, and 100.2 is none" in done.output) == (1, True)
    assert run("explain", "100.2", "--records", records, "--since", "yesterday").exit_code == 1
