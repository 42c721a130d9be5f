"""The golden run, and what has got worse since."""

from dataclasses import replace

import pytest
from ai_engine_lab.validation.golden import (
    Golden,
    GoldenError,
    differences,
    golden_text,
    read_golden,
    shipped,
)
from ai_engine_lab.validation.judging import judge


def found(judgement, golden, tolerance=2):
    return [(d.row, d.cause.name) for d in differences(judgement, golden, tolerance)]


@pytest.mark.parametrize("profile", ["healthy", "measured"])
def test_the_shipped_baseline_is_what_is_measured(placed, matrix, profile):
    """Placed again, the twenty calls have just the numbers that ship: nothing better or worse."""
    assert Golden.of(judge(placed(profile), matrix)) == shipped(profile)


def test_a_baseline_survives_its_file(placed, matrix, tmp_path):
    """Written and read again it is the same, and nothing differs from it."""
    judgement = judge(placed("healthy"), matrix)
    path = tmp_path / "golden.json"
    path.write_text(golden_text(judgement))
    assert read_golden(path) == Golden.of(judgement)
    assert found(judgement, read_golden(path), tolerance=0) == []


def test_a_row_that_got_worse_is_found_with_its_factor(make_call, matrix):
    """A row whose calls lose more for latency has fallen in latency and in its mean score."""
    before = judge([make_call(f"1.{n}") for n in range(4)], matrix)
    after = judge([make_call(f"1.{n}", turn_latencies=(0.8,) * 3) for n in range(4)], matrix)
    assert found(after, Golden.of(before)) == [
        ("deepgram simple_qa", "latency"),
        ("deepgram simple_qa", "mean_score"),
    ]
    assert found(before, Golden.of(after)) == [], "better is no regression"


def test_small_changes_are_none(make_call, matrix):
    """Two points are tolerated, and more is not."""
    before = judge([make_call()], matrix)
    points = before.rows[0].measures.mean_score
    row = Golden.of(before).rows["deepgram simple_qa"]
    for fell, expected in ((2.0, []), (2.1, [("deepgram simple_qa", "mean_score")])):
        golden = Golden("v1", {"deepgram simple_qa": replace(row, mean_score=points + fell)})
        assert found(before, golden) == expected


def test_rows_on_one_side_only_are_not_compared(make_call, matrix):
    """A row without calls, then or now, has got neither better nor worse."""
    judgement = judge([make_call()], matrix)
    assert found(judgement, Golden("v1", {}), tolerance=0) == []
    assert found(judge([], matrix), Golden.of(judgement), tolerance=0) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is no golden run"),
        ("[]", "is no golden run"),
        ('{"policy": "v1"}', "rows is missing"),
        ('{"policy": "v1", "rows": {"a b": {"calls": 1}}}', "mean_score is missing"),
        ('{"policy": 1, "rows": {}}', "policy must be text"),
        ('{"policy": "v1", "rows": []}', "rows must be a table"),
    ],
)
def test_a_file_that_is_no_baseline_is_refused(tmp_path, content, said):
    """What is wrong is said, and how to make such a file."""
    path = tmp_path / "golden.json"
    path.write_text(content)
    with pytest.raises(GoldenError, match=f"{said}.*--write-golden"):
        read_golden(path)


def test_a_baseline_that_is_not_there_is_named(tmp_path):
    """A missing file is an error that says what makes one."""
    with pytest.raises(GoldenError, match=r"golden\.json can't be read.*--write-golden"):
        read_golden(tmp_path / "golden.json")
