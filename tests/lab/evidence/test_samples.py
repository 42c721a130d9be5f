"""The committed samples: enough of them, over the whole range, and read as they were written."""

from collections import Counter

import pytest
from ai_engine_lab.evidence.impairments import CODEC, KINDS, MISREADINGS, SAMPLES_OF_KIND
from ai_engine_lab.evidence.passages import HELD_BACK, PASSAGES, SIDES, TUNING
from ai_engine_lab.evidence.samples import read_samples, write_samples

from ai_engine_quality.core.policy import DEFAULT_POLICY


def test_there_are_enough_over_the_whole_range(samples):
    """Over 200 on each side, every kind as often as planned, from clean down to noise."""
    for side in SIDES:
        mine = [sample for sample in samples if sample.side == side]
        assert len(mine) > 200
        kinds = Counter(sample.kind for sample in mine)
        assert kinds == {kind: PASSAGES * SAMPLES_OF_KIND[kind] for kind in KINDS}
        for field, low, high in (("pesq", 1.0, 4.55), ("visqol", 1.0, 5.0)):
            opinions = sorted(getattr(sample, field) for sample in mine)
            assert low <= opinions[0] < 1.1
            assert 4.2 < opinions[-1] <= high
            tenths = [opinions[len(opinions) * n // 10] for n in range(1, 10)]
            assert len(set(tenths)) == 9


def test_a_passage_is_on_one_side(samples):
    """No passage has samples on both sides."""
    sides = {}
    for sample in samples:
        sides.setdefault(sample.passage, set()).add(sample.side)
    assert all(len(found) == 1 for found in sides.values())
    assert set.union(*sides.values()) == {TUNING, HELD_BACK}


def test_every_misreading_comes_reported_and_unreported(samples):
    """Each way of misreading is there on both sides, noticed by the engine's check and not."""
    found = {(s.side, s.detail, s.summary.codec_misaligned) for s in samples if s.kind == CODEC}
    wanted = {
        (side, f"{way}, {word}", failed)
        for side in SIDES
        for way in MISREADINGS
        for word, failed in (("reported", 1), ("unreported", 0))
    }
    assert found == wanted


def test_what_is_written_is_read_again(samples, tmp_path):
    """The samples go through their file unchanged."""
    path = tmp_path / "samples.csv"
    write_samples(path, samples)
    assert read_samples(path) == samples


def test_a_file_with_other_columns_is_refused(tmp_path):
    """A CSV file that holds something else is an error that names the columns and the fix."""
    path = tmp_path / "samples.csv"
    path.write_text("passage,pesq\na,4.5\n")
    with pytest.raises(ValueError, match=r"must have the columns passage, .*measure anew"):
        read_samples(path)


def test_the_audio_part_is_all_that_is_left(samples):
    """Nothing but audio costs a sample anything, and a clean one keeps every point."""
    for sample in samples:
        factors = {factor.name: factor for factor in sample.scored(DEFAULT_POLICY).factors}
        assert factors["latency"].penalty == 0
        assert factors["latency"].observed
        assert not factors["barge_in"].observed
        if sample.kind == "clean":
            assert sample.audio_part(DEFAULT_POLICY) == 100
