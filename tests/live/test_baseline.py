"""Where a call stands among its provider's earlier ones, in this process."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_quality.live.baseline import CALLS, MAX_PROVIDERS, MIN_CALLS, Baseline

ids = (f"100.{number}" for number in range(10**9))


def end(quality, latency, provider="deepgram"):
    """Place a call whose turns all take as long, and return its score."""
    call_id = next(ids)
    quality.call_started(call_id, provider=provider)
    call = quality.call(call_id)
    for _ in range(5):
        call.turn_response(latency)
    call.frames_sent(1_000)
    call.underflow(0)
    return call.call_ended(duration=60.0)


@given(st.lists(st.integers(0, 100), min_size=MIN_CALLS + 1, max_size=700))
def test_the_shares_are_those_of_the_last_500_calls(scores):
    """Both shares are what counting through the last 500 earlier scores gives."""
    baseline = Baseline()
    found = [baseline.place("deepgram", score) for score in scores][-1]
    before = scores[:-1][-CALLS:]
    assert found == (
        "deepgram",
        len(before),
        round(sum(other > scores[-1] for other in before) / len(before), 4),
        round(sum(other < scores[-1] for other in before) / len(before), 4),
    )


def test_fewer_than_twenty_calls_are_no_baseline():
    """The first twenty calls of a provider have no standing; the next one has."""
    baseline = Baseline()
    assert {baseline.place("deepgram", 90) for _ in range(MIN_CALLS)} == {None}
    assert baseline.place("deepgram", 80).calls == MIN_CALLS
    assert baseline.place("openai_realtime", 80) is None


def test_memory_is_bounded():
    """Beyond 50 providers none is added, and none keeps more than 500 scores."""
    baseline = Baseline()
    for number in range(MAX_PROVIDERS + 5):
        for score in range(CALLS + 30):
            found = baseline.place(f"provider_{number}", score % 101)
        assert (found is None) == (number >= MAX_PROVIDERS)
    assert found is None
    kept = list(baseline._scores.values())
    assert len(kept) == MAX_PROVIDERS
    assert {(len(one._in_order), len(one._sorted)) for one in kept} == {(CALLS, CALLS)}


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        ((500, 0.934, 0.05), "worse than 93 % of the last 500 deepgram calls"),
        ((40, 0.1, 0.9), "better than 90 % of the last 40 deepgram calls"),
        ((500, 0.998, 0.0), "worse than 99 % of the last 500 deepgram calls"),
        ((30, 0.0, 0.0), "no better and no worse than the last 30 deepgram calls"),
    ],
)
def test_it_is_said_in_words(standing, words):
    """The wording takes the larger side, and rounds down, so that 100 % means all."""
    assert str(aeq.Standing("deepgram", *standing)) == words


def test_it_is_on_the_event_the_record_and_the_log(tmp_path, logger):
    """A bad call's hook, its record and its log line say that it is worse than the others."""
    path = tmp_path / "calls.jsonl"
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), logger=logger, records=path)
    told = []
    quality.add_hook(told.append)
    for _ in range(MIN_CALLS):
        assert end(quality, 0.4).standing is None
    bad = end(quality, 4.0)
    quality.close()
    words = "worse than 100 % of the last 20 deepgram calls"
    assert str(bad.standing) == words
    assert told[-1].standing == bad.standing
    assert told[-1].to_dict()["standing"]["worse_than"] == 1.0
    assert words in bad.explain(full=True)
    assert logger.calls[-1].kwargs["standing"] == words
    assert "standing" not in logger.calls[0].kwargs
    stored = [json.loads(line) for line in path.read_text().splitlines()]
    assert "standing" not in stored[0]["score"]
    assert list(aeq.read_records(path))[-1] == bad


def test_calls_without_a_score_or_a_provider_do_not_count(quality):
    """Calls that can't be scored are no part of a baseline; unknown providers have none."""
    for _ in range(30):
        quality.call_started(call_id := next(ids), provider="deepgram")
        assert quality.call_ended(call_id, duration=1.0).score is None
        assert end(quality, 0.4, provider=None).standing is None
    assert end(quality, 0.4).standing is None


def test_a_compacted_record_keeps_its_standing(tmp_path):
    """A call too long for one record as it is has its standing in the record all the same."""
    path = tmp_path / "calls.jsonl"
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, records=path)
    for _ in range(MIN_CALLS):
        end(quality, 0.4)
    quality.call_started("long", provider="deepgram")
    for number in range(2_000):
        quality.turn_response("long", 0.5 + number / 999)
    long = quality.call_ended("long", duration=9_000.0)
    quality.close()
    assert list(aeq.read_records(path))[-1].standing == long.standing is not None
