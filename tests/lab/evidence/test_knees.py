"""Where the evidence puts knees and ceilings, and that policy v2 is just that."""

import math
from dataclasses import replace

import pytest
from ai_engine_lab.evidence import knees
from ai_engine_lab.evidence.passages import HELD_BACK, TUNING
from hypothesis import given
from hypothesis import strategies as st

from ai_engine_quality.core.policy import DEFAULT_POLICY, Policy, versions

V1 = Policy.load("v1")
V2 = Policy.load("v2")


@pytest.mark.parametrize(("r", "opinion"), [(90, 4.34), (75, 3.82), (60, 3.10), (100, 4.5)])
def test_the_bands_edges_are_the_opinions_they_claim(r, opinion):
    """G.107's relation gives the MOS that the bands' edges are said to have."""
    assert knees.mos(r) == pytest.approx(opinion, abs=0.01)


@given(st.floats(1.0, 5.0))
def test_a_rating_is_its_opinions_inverse(opinion):
    """From opinion to rating and back is the same opinion, where the relation has it at all."""
    r = knees.rating(opinion)
    assert 6.5 <= r <= 100
    if knees.mos(6.5) <= opinion <= 4.5:
        assert knees.mos(r) == pytest.approx(opinion, abs=1e-6)


def test_a_known_curve_is_found_again():
    """Samples that lose 100 points of R per unit have knees and ceilings just where they should."""
    values = [n / 1000 for n in range(801)]
    heard = knees._Heard([(v, knees.mos(90 - 100 * v)) for v in values])
    for place, points in heard.knees([0, 5, 10, 20]):
        assert place == pytest.approx(points / 100, abs=0.01)
    tops = heard.ceilings()
    assert [score for _, score in tops] == list(knees.SCORES)
    for place, score in tops:
        assert place == pytest.approx((90 - score - 0.5) / 100, abs=0.01)
    assert heard.rating_at(0.25) == pytest.approx(65, abs=0.1)


def test_one_lucky_sample_moves_nothing_up():
    """Ratings never rise with the fault, whatever a single sample says."""
    heard = knees._Heard([(0.0, 4.4), (0.1, 3.0), (0.2, 4.0), (0.3, 2.0)])
    ratings = [heard.rating_at(n / 100) for n in range(31)]
    assert ratings == sorted(ratings, reverse=True)
    assert heard.rating_at(0.1) == pytest.approx(knees.rating(3.5))


def test_v2_is_what_the_tuning_samples_propose(samples):
    """Every number in which v2 differs from v1 comes out of the fit, and none is left out."""
    changes = knees.proposed(samples, Policy.load("v1"))
    fitted = Policy.load("v1").with_changes({"version": "fitted", **changes})
    assert replace(fitted, version="v2") == V2


def test_held_back_samples_play_no_part(samples):
    """Whatever the held-back samples say, the proposal is the same; the tuning ones decide."""

    def turned(side):
        return [
            replace(s, pesq=5.5 - s.pesq, visqol=6 - s.visqol) if s.side == side else s
            for s in samples
        ]

    proposed = knees.proposed(samples, DEFAULT_POLICY)
    assert knees.proposed(turned(HELD_BACK), DEFAULT_POLICY) == proposed
    assert knees.proposed(turned(TUNING), DEFAULT_POLICY) != proposed


class TestPolicyV2:
    def test_the_default_has_its_audio(self):
        """v3, which a monitor uses that is told nothing, has v2's knees and audio ceilings."""
        assert versions() == ["v1", "v2", "v3"]
        assert Policy.load("v3") == DEFAULT_POLICY
        assert DEFAULT_POLICY.knees == V2.knees
        for name in ("underflow", "fallback", "clipping", "rms_full_penalty", "noise"):
            assert getattr(DEFAULT_POLICY.ceilings, name) == getattr(V2.ceilings, name)

    def test_weights_and_conversation_are_v1s(self):
        """The product's weights and bands, latency, barge-in and noise are not moved."""
        for name in ("weights", "bands", "noise", "percentile", "not_scored", "underflow"):
            assert getattr(V2, name) == getattr(V1, name)
        for name in ("latency", "barge_in", "codec"):
            assert getattr(V2.knees, name) == getattr(V1.knees, name)
        assert V2.ceilings.latency == V1.ceilings.latency

    def test_v1_knows_no_clipping(self, samples):
        """By v1 no sample is held for clipping, and v1 in plain types has no such key."""
        assert "clipping" not in V1.to_dict()["ceilings"]
        rules = {ceiling.rule for s in samples for ceiling in s.scored(V1).ceilings}
        assert "noise" in rules
        assert "clipping" not in rules

    def test_v2_goes_through_plain_types(self):
        """A policy with ceilings on clipping is read again from what it writes."""
        assert Policy.from_dict(V2.to_dict()) == V2
        assert V2.to_dict()["ceilings"]["clipping"][0] == [0.0017, 89]

    def test_any_policy_can_have_ceilings_on_clipping(self):
        """An operator's own changes can add them to v1."""
        changed = V1.with_changes({"ceilings": {"clipping": [[0.01, 80]]}})
        assert changed.ceilings.clipping == ((0.01, 80),)

    @given(more=st.floats(0, 1), share=st.floats(0, 1))
    def test_more_clipping_never_helps(self, samples, share, more):
        """A call that is clipped more has no better score by v2, and its ceiling says how much."""
        sample = next(s for s in samples if s.kind == "clean")

        def scored(clipped):
            (stage, levels), *_ = sample.summary.audio.items()
            audio = {stage: replace(levels, clipped=clipped)}
            return replace(sample, summary=replace(sample.summary, audio=audio)).scored(V2)

        less, worse = scored(share), scored(share + more * (1 - share))
        assert worse.score <= less.score
        found = [ceiling for ceiling in worse.ceilings if ceiling.rule == "clipping"]
        if found:
            assert found[0].factor == "rms"
            assert "of the samples clipped" in worse.explain()
            assert worse.score <= found[0].ceiling

    @given(fillers=st.integers(0, 2_000), more=st.integers(0, 500))
    def test_more_fillers_never_help(self, samples, fillers, more):
        """By v2, too, more fillers never raise a score, and one costs something."""
        sample = next(s for s in samples if s.kind == "clean")

        def points(count):
            summary = replace(
                sample.summary, frames_sent=1_000, underflows=count, underflow_episodes=None
            )
            return replace(sample, summary=summary).audio_part(V2)

        assert points(fillers + more) <= points(fillers)
        assert points(1) < points(0)
        assert not math.isnan(points(fillers))
