"""Selections: which stored calls are meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_engine_quality.history.selection import SelectionError, parse_selection

DAY = 86_400.0


def test_a_file_alone_means_all_its_calls(make_calls):
    """A path without conditions selects every call, those without a start as well."""
    selection = parse_selection("records/calls.jsonl")
    assert selection.path == Path("records/calls.jsonl")
    assert all(selection.matches(call) for call in make_calls(3, started_at=None))


@pytest.mark.parametrize(
    "conditions",
    [
        "provider=deepgram",
        "provider=Deepgram",
        "pipeline=default",
        "policy=v3",
        "outcome=completed",
    ],
)
def test_names_select_by_what_is_stored(make_calls, conditions):
    """Provider and pipeline are normalised as observations are; other names are as stored."""
    selection = parse_selection(f"calls.jsonl?{conditions}")
    assert selection.matches(make_calls(1, pipeline="default", outcome="completed")[0])
    assert not parse_selection("calls.jsonl?provider=grok").matches(make_calls(1)[0])


def test_times_include_their_beginning_and_not_their_end(make_calls):
    """Since a time includes it, until a time does not, so that two weeks never share a call."""
    call = make_calls(1)[0]
    for conditions, meant in (
        ("since=2025-11-01", True),
        ("until=2025-11-01", False),
        ("since=2025-10-31&until=2025-11-01T00:00:01Z", True),
        ("since=2025-11-01T01:00%2B01:00", True),
        ("since=2025-11-01T01:00+01:00", True),
        ("since=2025-11-02", False),
    ):
        assert parse_selection(f"calls.jsonl?{conditions}").matches(call) == meant, conditions


def test_a_duration_is_before_now(make_calls):
    """A duration counts back from now; a call whose start isn't known has no time."""
    call = make_calls(1)[0]
    at = call.summary.started_at
    assert parse_selection("calls.jsonl?since=7d", lambda: at + 6 * DAY).matches(call)
    assert not parse_selection("calls.jsonl?since=7d", lambda: at + 8 * DAY).matches(call)
    assert not parse_selection("calls.jsonl?since=7d").matches(make_calls(1, started_at=None)[0])


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("calls.jsonl?provder=x", "choose of provider, pipeline"),
        ("calls.jsonl?since=yesterday", "write 2026-11-01"),
        ("calls.jsonl?provider=", "has no value"),
        ("calls.jsonl?provider=a&provider=b", "twice"),
        ("?provider=a", "names no file"),
    ],
)
def test_what_cannot_be_read_names_its_fix(text, fix):
    """A selection that can't be read is an error that says what to write."""
    with pytest.raises(SelectionError, match=fix):
        parse_selection(text)
