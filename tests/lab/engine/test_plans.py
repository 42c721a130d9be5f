"""The calls that are placed: the test matrix, their ids, and endless traffic."""

import re
from collections import Counter
from itertools import islice

from ai_engine_lab.engine import (
    PROVIDERS,
    TEST_MATRIX,
    TRAFFIC_MIX,
    call_ids,
    endless_calls,
    plan_calls,
)


def test_the_matrix_has_twenty_calls_in_six_rows():
    """Providers, lengths, scenarios and expected scores are the plan's, twenty calls in all."""
    rows = [
        (row.provider.name, row.duration, row.scenario.name, row.expected_above, row.calls)
        for row in TEST_MATRIX
    ]
    assert rows == [
        ("deepgram", 30.0, "simple_qa", 90, 4),
        ("deepgram", 60.0, "complex", 85, 4),
        ("openai_realtime", 30.0, "simple_qa", 90, 4),
        ("openai_realtime", 60.0, "complex", 85, 3),
        ("deepgram", 30.0, "noisy_background", 75, 2),
        ("openai_realtime", 30.0, "barge_in", 80, 3),
    ]
    assert len(plan_calls()) == 20


def test_call_ids_are_like_asterisks():
    """Unix seconds, a dot, a number; the same seed gives the same ids, another gives others."""
    ids = list(islice(call_ids(1), 1_000))
    assert all(re.fullmatch(r"1[67]\d{8}\.\d{4,}", call_id) for call_id in ids)
    assert len(set(ids)) == 1_000
    assert ids == list(islice(call_ids(1), 1_000))
    assert ids != list(islice(call_ids(2), 1_000))


def test_endless_traffic_mixes_the_rows_and_repeats_no_call():
    """Traffic after the matrix has every kind of call, in new calls, the same for the same seed."""
    calls = list(islice(endless_calls(), 500))
    kinds = Counter((call.provider.name, call.scenario.name) for call in calls)
    assert len(kinds) == len(TRAFFIC_MIX)
    assert {call.provider.name for call in calls[: len(TRAFFIC_MIX)]} == PROVIDERS.keys()
    assert {call.pipeline for call in calls} == {None, "local_hybrid", "local_only"}
    assert not {call.call_id for call in calls} & {call.call_id for call in plan_calls()}
    assert calls == list(islice(endless_calls(), 500))
