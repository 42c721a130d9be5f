"""On a terminal of 80 columns the tables are whole: no name is cut, no line is wider."""

from __future__ import annotations

import re

import pytest

import ai_engine_quality as aeq

COLUMNS = 80


@pytest.fixture
def stored(write, make_calls, monkeypatch):
    """Return a record file of two providers, one of them slow, on a narrow terminal."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    return write(make_calls(150, 1.5, provider="openai_realtime") + make_calls(150, 4.0))


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["tune", "{}"], ["CriticalTurnResponseLatency", "HighTurnResponseLatency"]),
        (["compare", "{}?provider=deepgram", "{}?provider=openai_realtime"], ["underflow"]),
        (["rescore", "{}", "--policy", "v1"], ["excellent", "mean score"]),
        (["calls", "{}", "--worst"], ["deepgram", "latency -30"]),
        (["calls", "{}", "--by", "provider"], ["openai_realtime", "costs most"]),
    ],
)
def test_a_table_fits(run, stored, words, names):
    """Every line of a table has at most 80 columns, and the names in it are whole."""
    result = run(*(word.format(stored) for word in words))
    assert result.exit_code == 0, result.output
    lines = [line for line in result.output.splitlines() if str(stored) not in line]
    assert max(map(len, lines)) <= COLUMNS
    assert "\N{HORIZONTAL ELLIPSIS}" not in result.output
    for name in names:
        assert name in result.output


def test_a_call_is_one_line(run, write, make_calls, monkeypatch):
    """One with an id of Asterisk's, the longest provider's name and the longest band's."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    call = make_calls(1, 0.5, provider="openai_realtime")[0]
    named = call.summary.to_dict() | {"call_id": "1761533462.2302"}
    stored = aeq.score(aeq.CallSummary.from_dict(named))
    result = run("calls", write([stored]))
    row = r"^\d\d \w+ \d\d:\d\d +1761533462\.2302 +openai_realtime +\d+ excellent +\S"
    assert re.search(row, result.output, re.MULTILINE), result.output
