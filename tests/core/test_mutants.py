"""What only mutants of the core would break: each test here killed one that other tests let live.

``make mutants`` makes them; docs/Reliability.md argues those that no test can tell apart.
"""

from __future__ import annotations

import math

import pytest

import ai_engine_quality as aeq
from ai_engine_quality.core.call import CallAccumulator
from ai_engine_quality.core.distribution import BIN_FLOOR, FINE_BINS, bin_edge, bin_of, coarser
from ai_engine_quality.core.scoring import provisional_band


def call(**fields):
    """Return a call of a minute."""
    return aeq.CallSummary(call_id="1.1", **{"duration": 60.0, **fields})


def levels(frames, active, rms, spread):
    """Return the levels of a stage."""
    return aeq.StageLevels(frames=frames, active=active, rms=rms, spread_db=spread)


class TestSeveralKindsOfPlayback:
    def test_their_levels_are_one_track(self):
        """Frames add up, energies are weighted by frames, the longest kind has the spread."""
        stages = {
            "transport_out:stream": levels(300, 200, 1_000.0, 8.0),
            "transport_out:file": levels(100, 100, 4_000.0, 2.0),
        }
        rms = aeq.score(call(audio=stages)).factor("rms")
        assert (rms.n, rms.value) == (400, 0.0)
        assert (
            rms.evidence == "RMS 2449, spread 8.0 dB"
        )  # sqrt((200 * 1000**2 + 100 * 4000**2) / 300)

    def test_of_equally_long_kinds_the_wider_spread_counts(self):
        """A kind whose spread isn't known is not taken for one that is steady."""
        stages = {
            "transport_out:stream": levels(300, 200, 2_000.0, None),
            "transport_out:file": levels(300, 200, 2_000.0, 0.5),
        }
        assert aeq.score(call(audio=stages)).factor("rms").evidence == "RMS 2000, spread 0.5 dB"

    def test_silent_kinds_add_frames_only(self):
        """A kind in which nobody speaks makes the agent heard less, and no level lower."""
        stages = {
            "transport_out:stream": levels(300, 200, 2_000.0, None),
            "transport_out:file": levels(700, 0, None, None),
        }
        rms = aeq.score(call(audio=stages)).factor("rms")
        assert (rms.n, rms.evidence) == (1_000, "RMS 2000")

    def test_frames_without_a_level_weigh_nothing(self):
        """A stored kind whose level is missing pulls the others' level nowhere."""
        stages = {
            "transport_out:stream": levels(300, 200, 2_000.0, None),
            "transport_out:file": levels(300, 200, None, None),
        }
        assert aeq.score(call(audio=stages)).factor("rms").evidence == "RMS 2000"


class TestWords:
    @pytest.mark.parametrize(
        ("fields", "factor", "words"),
        [
            ({}, "latency", "not observed"),
            (
                {"underflows": 5, "underflow_episodes": 2, "frames_sent": 995},
                "underflow",
                "0.3 % effective: 5 fillers in 2 episodes to 995 agent frames",
            ),
            (
                {"underflows": 5, "frames_sent": 995},
                "underflow",
                "0.5 % effective: 5 fillers to 995 agent frames",
            ),
            (
                {"fallbacks": 2, "fallback_reasons": ("timeout", "pacing")},
                "fallback",
                "2 fallbacks: pacing, timeout",
            ),
            ({"fallbacks": 1}, "fallback", "1 fallback"),
            (
                {"turn_latencies": (4.0,), "unanswered": (4.0,)},
                "latency",
                "p95 4 s over 2 turns; worst: turn 1, 4 s; 1 unanswered",
            ),
        ],
    )
    def test_evidence_is_said_exactly(self, fields, factor, words):
        """Each word and number of the evidence is as it should be."""
        assert aeq.score(call(**fields)).factor(factor).evidence == words

    def test_estimated_frames_are_said_to_be_so(self):
        """Where nobody counted the frames, the evidence has the estimate, in seconds too."""
        rule = aeq.DEFAULT_POLICY.underflow
        spoken = rule.assumed_share * 60.0
        assert rule.assumed_min < spoken < rule.assumed_max
        words = aeq.score(call(underflows=5)).factor("underflow").evidence
        assert words.endswith(
            f"5 fillers to {spoken * 50:,.0f} agent frames, "
            f"estimated as {spoken:g} s of agent speech"
        )


class TestWithoutTheSlowestTurn:
    def test_a_call_without_a_score_has_no_better_one(self):
        """Where there is no score, there is no counterfactual, however slow a turn was."""
        policy = aeq.DEFAULT_POLICY.with_changes({"not_scored": {"min_weight": 50}})
        score = aeq.score(call(turn_latencies=(0.5, 4.0)), policy)
        assert (score.score, score.without_slowest_turn) == (None, None)

    def test_it_is_made_by_the_same_policy(self):
        """The score without the only measured turn is by the policy that scored the call."""
        policy = aeq.DEFAULT_POLICY.with_changes(
            {"knees": {"latency": [[0.1, 0], [0.2, 25], [5, 30]]}}
        )
        summary = call(turn_latencies=(4.0,), unanswered=(0.2,), underflows=0, frames_sent=900)
        better = aeq.score(summary, policy).without_slowest_turn
        assert better.score == aeq.score(summary.without_slowest_turn(), policy).score == 75

    def test_it_has_all_turns_of_a_very_long_call(self):
        """Of more turns than are kept exactly, those in bins count without the slowest one too."""
        live = CallAccumulator("1.1", started=0.0, started_at=0.0, provider=None, pipeline=None)
        for _ in range(600):
            live.turn_response(2.0)
        for _ in range(33):
            live.turn_response(4.0)
        live.underflow(0, 0)
        summary = live.freeze(duration=3_600.0)
        better = aeq.score(summary).without_slowest_turn
        assert better.score == aeq.score(summary.without_slowest_turn()).score == 74


class TestEdges:
    def test_the_provisional_band_is_that_of_the_score(self):
        """Live calls are banded as they would be scored, and not at all where they wouldn't be."""
        good = call(turn_latencies=(1.5,), underflows=0)
        assert provisional_band(good, aeq.DEFAULT_POLICY) is aeq.score(good).band is not None
        assert provisional_band(call(), aeq.DEFAULT_POLICY) is None

    def test_the_faintest_level_is_an_rms_of_1(self):
        """Down to an RMS of 1 levels differ, and below that they are as far off as 1."""
        low = aeq.DEFAULT_POLICY.speech_level.low
        for rms in (1.0, 0.5):
            stage = {"provider_out": levels(100, 100, rms, None)}
            value = aeq.score(call(audio=stage)).factor("rms").value
            assert value == pytest.approx(20 * math.log10(low))

    def test_bin_0_is_for_zeros_and_bin_1_for_the_floor(self):
        """Zeros stay zeros, and the floor's own bin is the first."""
        assert (bin_of(0.0), bin_edge(0)) == (0, 0.0)
        assert (bin_of(BIN_FLOOR), bin_of(BIN_FLOOR / 9), bin_edge(1)) == (1, 1, BIN_FLOOR)

    def test_bins_around_the_value_that_decides_stay_fine(self):
        """Those three on either side stay; lower ones stop just below, higher ones are merged."""
        middle = bin_of(1.0)
        first, last = middle - FINE_BINS, middle + FINE_BINS
        bins = tuple((index, 1) for index in range(first - 10, last + 11))
        _, found = coarser((), bins, keep=0, merge=10_000, around=1.0)
        fine = dict.fromkeys(range(first, last + 1), 1)
        assert dict(found) == {first - 1: 10, **fine, 10_000: 10}
