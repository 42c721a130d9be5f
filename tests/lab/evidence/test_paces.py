"""Wrong speeds of voices whose text is known: what the policy makes of the stored samples."""

from __future__ import annotations

from pathlib import Path

import pytest
from ai_engine_lab.evidence.distortions import KINDS
from ai_engine_lab.evidence.paces import (
    FACTORS,
    beside_the_usual,
    known_talkers,
    own_speeds,
    passages_of,
    read_paces,
    write_paces,
)
from ai_engine_lab.evidence.talkers import FITTED, JUDGED

import ai_engine_quality as aeq

FILE = Path(__file__).parents[3] / "docs" / "data" / "pace-samples.csv"
POLICY = aeq.Policy.load("v3")
ENOUGH = POLICY.sound.usual_seconds


@pytest.fixture(scope="module")
def samples():
    """Return the samples that are committed."""
    return read_paces(FILE)


def found(call):
    """Return whether a call is held by a wrong speed."""
    return any(ceiling.rule == "wrong_speed" for ceiling in aeq.score(call, POLICY).ceilings)


def test_every_voice_is_there_at_each_of_its_speeds(samples):
    """Each voice has each of its passages at its own speeds, healthy and at wrong rates."""
    for talker in known_talkers():
        its = [s for s in samples if s.talker == talker.name]
        assert {s.own_speed for s in its} == set(own_speeds(talker))
        assert {s.passage for s in its} == set(range(passages_of(talker)))
        assert {s.factor for s in its} == {1.0, *FACTORS}
    assert {s.format.rpartition(" ")[0].rpartition(" ")[2] for s in samples} == {"8", "16", "24"}


def test_no_voice_of_the_outside_judges_is_in_it():
    """Debian's Russian prompts, the Italian voice Carlo and flite judge elsewhere."""
    for talker in known_talkers():
        words = f"{talker.name} {talker.source} {talker.voice} {talker.language}".lower()
        assert not any(word in words for word in ("ru_", "carlo", "flite", " ru", "kal_", "slt"))
    assert {talker.side for talker in known_talkers()} == {FITTED, JUDGED}


def test_what_was_heard_survives_the_file(samples, tmp_path):
    """Written again and read again, the samples are the same."""
    path = tmp_path / "again.csv"
    write_paces(path, samples)
    assert read_paces(path) == samples


@pytest.mark.parametrize("factor", FACTORS)
def test_beside_the_usual_pace_nine_in_ten_wrong_rates_are_found(samples, factor):
    """Of voices that played no part in choosing, at each wrong rate."""
    hits = [
        found(call)
        for sample, call in beside_the_usual(samples, POLICY)
        if sample.factor == factor and not sample.fitted and sample.voice >= ENOUGH
    ]
    assert len(hits) >= 80
    assert sum(hits) >= 0.9 * len(hits)


def test_what_is_usual_adds_no_false_alarm(samples):
    """No healthy sample is called wrong for straying from its voice's usual pace."""
    for sample, call in beside_the_usual(samples, POLICY):
        if sample.healthy:
            assert found(call) == found(sample.summary())


def test_the_wrong_rates_are_those_of_the_distortions():
    """Both sets of samples have the same wrong rates, so that their tables can be compared."""
    assert KINDS["rate"].strengths == FACTORS
