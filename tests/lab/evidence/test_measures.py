"""Samples measured anew where PESQ and ViSQOL are installed, as `make measures` does."""

import numpy as np
import pytest
from ai_engine_lab.evidence.impairments import CLEAN, CODEC, UNDERFLOW, impairments
from ai_engine_lab.evidence.line import original, play
from ai_engine_lab.evidence.observing import observe
from ai_engine_lab.evidence.passages import HELD_BACK

for needed in ("pesq", "visqol", "numba", "ai_edge_litert"):
    pytest.importorskip(needed)

from ai_engine_lab.evidence.measures import compare  # noqa: E402  # an extra


@pytest.mark.system("asterisk-core-sounds-en-wav")
@pytest.mark.parametrize("kind", [CLEAN, UNDERFLOW, CODEC])
def test_a_sample_measured_anew_is_the_committed_one(samples, spoken, kind):
    """The last sample of a kind in a held-back passage gives the numbers in the CSV again."""
    passage = next(p for p in spoken if p.side == HELD_BACK)
    (*_, impairment) = (one for one in impairments(passage) if one.kind == kind)
    played = play(passage, impairment)
    opinion = compare(original(passage), played.heard)
    stored = next(
        s
        for s in samples
        if (s.passage, s.detail) == (passage.name, impairment.detail) and s.kind == kind
    )
    assert opinion.pesq == pytest.approx(stored.pesq, abs=0.02)
    assert opinion.visqol == pytest.approx(stored.visqol, abs=0.02)
    again = observe("again", impairment, played)
    assert again.underflows == stored.summary.underflows
    for stage, levels in stored.summary.audio.items():
        assert again.audio[stage].rms == pytest.approx(levels.rms, rel=1e-3)
        assert again.audio[stage].flatness == pytest.approx(levels.flatness, rel=1e-3)


@pytest.mark.system("asterisk-core-sounds-en-wav")
def test_identical_speech_has_the_best_opinion(spoken):
    """Speech against itself gets the most that each measure gives; noise gets next to nothing."""
    clean = original(spoken[0])
    best = compare(clean, clean)
    assert best.pesq > 4.5
    assert best.visqol > 4.6
    noise = np.random.default_rng(1).normal(0, 5_000, clean.size).astype(np.int16)
    worst = compare(clean, noise)
    assert worst.pesq < 1.5
    assert worst.visqol < 1.5
