"""How bad lost packets sound, and the ceilings that follow from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ai_engine_lab.evidence.packet_losses import (
    SHARES,
    e_model,
    proposed_packet_loss,
    read,
    write,
)
from ai_engine_lab.evidence.talkers import TALKERS

import ai_engine_quality as aeq

DATA = Path(__file__).parents[3] / "docs" / "data" / "packet-losses.csv"


def test_the_ceilings_are_those_that_the_fitted_voices_propose():
    """v3 has what is measured; and the other voices would have proposed the same."""
    samples = read(DATA)
    steps = [list(step) for step in aeq.Policy.load("v3").ceilings.packet_loss]
    assert proposed_packet_loss(samples) == steps
    turned = {"fitted": "judged", "judged": "fitted"}
    others = [type(one)(one.talker, turned[one.side], *_rest(one)) for one in samples]
    assert proposed_packet_loss(others) == steps


def _rest(sample):
    return sample.passage, sample.share, sample.pesq, sample.visqol


def test_every_voice_lost_every_share():
    """Two passages of each voice, at each share."""
    samples = read(DATA)
    assert len(samples) == 2 * len(TALKERS) * len(SHARES)
    assert {(one.talker, one.share) for one in samples} == {
        (talker.name, share) for talker in TALKERS for share in SHARES
    }


@pytest.mark.parametrize(("share", "rating"), [(0.0, 93.2), (0.01, 89.6), (0.05, 77.4)])
def test_the_e_model_says(share, rating):
    """R = 93.2 - 95 p / (p + 25.1), with p in per cent: G.107, and G.113 for G.711 with PLC."""
    assert e_model(share) == pytest.approx(rating, abs=0.05)


def test_samples_come_back_from_their_file(tmp_path):
    """What is written is what is read."""
    samples = read(DATA)[:5]
    write(tmp_path / "again.csv", samples)
    assert read(tmp_path / "again.csv") == samples
