"""The score, sentence by sentence, and against a second implementation written from the text."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import ai_engine_quality as aeq
from ai_engine_quality.core.call import CallAccumulator

V1 = aeq.Policy.load("v1")
"""The numbers below are those of version one, which every stored call keeps."""

Levels = aeq.StageLevels

FAULTLESS = aeq.CallSummary(
    call_id="1761532874.2245",
    duration=60.0,
    turn_latencies=(0.4,) * 20,
    frames_sent=1_000,
    underflows=0,
    barge_ins=1,
    barge_in_reactions=(0.2,),
    codec_checks=20,
    codec_misaligned=0,
    audio={"provider_out": Levels(frames=300, active=280, rms=2_600.0)},
)
NOTHING = aeq.CallSummary(call_id="1761532874.2246", duration=60.0)
SPOKEN = Levels(frames=300, active=280, rms=2_600.0)
SILENT = Levels(frames=300, active=0)


def scored(**changes):
    """Return the score of a faultless call with some facts changed."""
    return aeq.score(replace(FAULTLESS, **changes), V1)


def bare(**facts):
    """Return the score of a call of a minute of which nothing else was observed."""
    return aeq.score(replace(NOTHING, **facts), V1)


def penalty(factor, **changes):
    """Return what one factor costs a call with some facts changed."""
    return scored(**changes).factor(factor).penalty


def ceilings(call):
    """Return the ceilings over a call, lowest first."""
    return [ceiling.ceiling for ceiling in call.ceilings]


def below(value):
    """Return the next smaller number."""
    return math.nextafter(value, -math.inf)


def above(value):
    """Return the next greater number."""
    return math.nextafter(value, math.inf)


class TestWholeCall:
    def test_a_faultless_call_has_all_points(self):
        """A call with every factor observed and no fault has 100 points and is excellent."""
        call = scored()
        assert (call.score, call.band, call.raw, call.coverage) == (100, "excellent", 100.0, 1.0)
        assert call.ceilings == ()

    def test_the_factors_are_six_with_the_weights_of_the_text(self):
        """The six factors have the weights 30, 20, 15, 15, 10 and 10."""
        weights = {factor.name: factor.weight for factor in scored().factors}
        assert weights == {
            "latency": 30,
            "underflow": 20,
            "fallback": 15,
            "barge_in": 15,
            "codec": 10,
            "rms": 10,
        }

    def test_the_worst_call_has_no_points_left(self):
        """Every factor at its full penalty adds up to exactly 100 points."""
        call = scored(
            turn_latencies=(9.0,) * 20,
            underflows=100,
            fallbacks=5,
            barge_in_reactions=(2.0,),
            codec_misaligned=20,
            audio={"provider_out": Levels(frames=300, active=280, rms=201.0)},
        )
        assert [factor.penalty for factor in call.factors] == [30, 20, 15, 15, 10, 10]
        assert (call.raw, call.score, call.band) == (0.0, 0, "poor")

    def test_the_result_names_its_call_its_policy_and_its_summary(self):
        """A score carries the call id, the version of its policy and the summary it was made of."""
        call = scored()
        assert (call.call_id, call.policy_version, call.summary) == (
            "1761532874.2245",
            "v1",
            FAULTLESS,
        )

    def test_the_same_summary_scores_the_same(self):
        """Scoring is a pure function: twice the same call is twice the same result."""
        assert scored(underflows=7) == scored(underflows=7)

    def test_a_factor_is_found_by_its_name(self):
        """``factor(name)`` returns that factor, and raises KeyError for a name that is none."""
        assert scored().factor("codec").name == "codec"
        with pytest.raises(KeyError):
            scored().factor("mood")

    @pytest.mark.parametrize(
        ("p95", "underflows", "least"), [(0.999, 0, 90), (1.99, 5, 75), (2.99, 10, 60)]
    )
    def test_the_text_of_each_band_is_reachable(self, p95, underflows, least):
        """Just under 1, 2 and 3 s with none, few and some underflows is 90, 75 and 60 or more."""
        assert scored(turn_latencies=(p95,) * 20, underflows=underflows).score >= least


class TestRounding:
    @pytest.mark.parametrize(
        ("failed_checks", "raw", "score", "band"),
        [(14, 89.6, 90, "excellent"), (15, 89.5, 90, "excellent"), (16, 89.4, 89, "good")],
    )
    def test_the_band_is_read_from_the_rounded_integer(self, failed_checks, raw, score, band):
        """89.6 rounds to 90 and is excellent: never "90, good"."""
        call = scored(
            barge_in_reactions=(0.8,), codec_checks=100, codec_misaligned=failed_checks
        )  # 9 points, and 1.4 to 1.6
        assert call.raw == pytest.approx(raw, abs=1e-9)
        assert (call.score, call.band) == (score, band)

    @pytest.mark.parametrize(("failed_checks", "score"), [(55, 73), (56, 72), (35, 75)])
    def test_a_half_rounds_up_to_even_and_to_odd_numbers(self, failed_checks, score):
        """72.5 is 73 and 74.5 is 75, where rounding to even would make 72 and 74."""
        call = scored(
            turn_latencies=(0.9,) * 20,  # 8 points
            barge_in_reactions=(0.8,),  # 9
            fallbacks=1,  # 5
            codec_checks=100,
            codec_misaligned=failed_checks,
        )
        assert call.score == score

    @pytest.mark.parametrize(
        ("score", "band"),
        [
            (100, "excellent"),
            (90, "excellent"),
            (89, "good"),
            (75, "good"),
            (74, "fair"),
            (60, "fair"),
            (59, "poor"),
            (0, "poor"),
        ],
    )
    def test_the_bands_begin_at_90_75_60_and_0(self, score, band):
        """Each integer score has the band that docs/Scoring.md gives it."""
        assert V1.band(score) == band


class TestLatency:
    @pytest.mark.parametrize(
        ("seconds", "points"),
        [
            (0.0, 0),
            (0.3, 0),
            (0.5, 0),
            (0.75, 5),
            (1.0, 10),
            (1.5, 15),
            (2.0, 20),
            (2.5, 23),
            (3.0, 26),
            (4.0, 28),
            (5.0, 30),
            (20.0, 30),
            (300.0, 30),
        ],
    )
    def test_the_ramp_has_the_knees_of_the_text(self, seconds, points):
        """0.5, 1, 2, 3 and 5 s cost 0, 10, 20, 26 and 30 points, linear in between."""
        assert penalty("latency", turn_latencies=(seconds,) * 20) == pytest.approx(points, abs=1e-9)

    def test_the_value_is_the_95th_percentile_of_the_turns(self):
        """Of 0.1, 0.2 ... 2.1 s the value scored is the twentieth: 2.0 s."""
        latencies = tuple(tenths / 10 for tenths in range(1, 22))
        assert scored(turn_latencies=latencies).factor("latency").value == pytest.approx(2.0)

    def test_the_percentile_lies_between_order_statistics(self):
        """Of two turns of 1 and 2 s the p95 is 1.95 s."""
        assert scored(turn_latencies=(2.0, 1.0)).factor("latency").value == pytest.approx(1.95)

    def test_an_unanswered_turn_counts_with_the_time_it_waited(self):
        """One answered turn of 1 s and one left after 2 s have the p95 of turns of 1 and 2 s."""
        factor = scored(turn_latencies=(1.0,), unanswered=(2.0,)).factor("latency")
        assert (factor.value, factor.n) == (pytest.approx(1.95), 2)

    def test_it_is_observed_where_a_turn_went_unanswered(self):
        """A call without a measured turn has its latency observed by an unanswered one."""
        factor = scored(turn_latencies=None, unanswered=(0.4,)).factor("latency")
        assert (factor.observed, factor.value, factor.n) == (True, 0.4, 1)

    @pytest.mark.parametrize("nothing", [None, ()])
    def test_it_is_unobserved_without_any_turn(self, nothing):
        """Neither a turn nor an unanswered one leaves latency unknown: no value and no points."""
        factor = scored(turn_latencies=nothing, turn_count=None).factor("latency")
        assert (factor.observed, factor.value, factor.penalty, factor.n) == (False, None, 0, 0)

    @pytest.mark.parametrize(
        ("seconds", "top"),
        [
            (below(1.0), None),
            (1.0, 89),
            (above(1.0), 89),
            (below(2.0), 89),
            (2.0, 74),
            (above(2.0), 74),
            (below(3.0), 74),
            (3.0, 59),
            (20.0, 59),
        ],
    )
    def test_the_ceilings_begin_exactly_at_1_2_and_3_seconds(self, seconds, top):
        """A p95 of 1, 2 and 3 s or more holds the call to 89, 74 and 59."""
        call = scored(turn_latencies=(seconds,) * 20)
        assert ceilings(call) == ([] if top is None else [top])

    def test_turns_of_20_seconds_are_poor(self):
        """A call whose every turn takes 20 s would keep 70 points, but is held to 59."""
        call = scored(turn_latencies=(20.0,) * 20)
        assert (call.raw, call.score, call.band) == (70.0, 59, "poor")

    @pytest.mark.parametrize(
        ("waited", "score"), [(below(5.0), 100), (5.0, 59), (above(5.0), 59), (60.0, 59)]
    )
    def test_a_turn_unanswered_for_5_seconds_makes_the_call_poor(self, waited, score):
        """One turn in 21 that never got a reply in 5 s or more holds the call to 59."""
        assert scored(unanswered=(waited,)).score == score

    def test_the_longest_of_the_unanswered_turns_decides(self):
        """A wait of 5 s holds the call to 59 wherever it stands among shorter ones."""
        assert ceilings(scored(turn_latencies=(0.4,) * 99, unanswered=(0.4, 5.0, 0.4))) == [59]

    def test_the_turns_of_the_result_include_unanswered_ones(self):
        """``turns`` says on how many turns of the caller latency was scored."""
        assert scored().turns == 20
        assert scored(unanswered=(0.4, 0.5)).turns == 22
        assert scored(turn_latencies=None, turn_count=None).turns == 0


class TestUnderflow:
    @pytest.mark.parametrize(
        ("fillers", "points"),
        [
            (0, 0),
            (25, 2),
            (50, 4),
            (75, 6),
            (100, 8),
            (200, 11.5),
            (300, 15),
            (400, 17.5),
            (500, 20),
            (5_000, 20),
        ],
    )
    def test_the_ramp_has_the_knees_of_the_text(self, fillers, points):
        """0.5, 1, 3 and 5 % cost 4, 8, 15 and 20 points, linear in between."""
        facts = {"underflows": fillers, "frames_sent": 10_000 - fillers}
        assert penalty("underflow", **facts) == pytest.approx(points, abs=1e-9)

    @pytest.mark.parametrize(
        ("fillers", "frames", "top"),
        [
            (5, 996, None),
            (5, 995, 89),
            (5, 994, 89),
            (125, 9_876, 89),
            (125, 9_875, 74),
            (125, 9_874, 74),
            (25, 976, 74),
            (25, 975, 59),
            (25, 974, 59),
        ],
    )
    def test_the_ceilings_begin_exactly_at_their_ratios(self, fillers, frames, top):
        """An effective ratio of 0.5, 1.25 and 2.5 % or more holds the call to 89, 74 and 59."""
        call = scored(underflows=fillers, frames_sent=frames)
        assert ceilings(call) == ([] if top is None else [top])
        assert call.score == min(top or 100, math.floor(call.raw + 0.5))

    def test_fillers_of_unknown_episodes_count_as_one_each(self):
        """20 fillers to 980 frames in unknown episodes have an effective ratio of 2 %."""
        factor = scored(underflows=20, frames_sent=980).factor("underflow")
        assert factor.value == pytest.approx(0.02, abs=1e-15)

    def test_known_episodes_count_twice_beside_the_ratio(self):
        """20 fillers in 5 episodes to 980 frames: (2 % + 2 * 0.5 %) / 3 = 1 %."""
        call = scored(underflows=20, underflow_episodes=5, frames_sent=980)
        assert call.factor("underflow").value == pytest.approx(0.01, abs=1e-15)
        assert call.factor("underflow").penalty == pytest.approx(8.0, abs=1e-9)

    def test_known_and_unknown_episodes_add_up(self):
        """10 fillers in 2 known episodes and 10 of unknown ones are 20 in 12: (2 % + 2.4 %) / 3."""
        live = CallAccumulator("1")
        live.add_frames_sent(980)
        live.underflow(10, 2)
        live.underflow(10, None)
        call = live.freeze(duration=60.0)
        assert (call.underflows, call.underflow_episodes) == (20, 12)
        assert aeq.score(call, V1).factor("underflow").value == pytest.approx(0.044 / 3, abs=1e-15)

    def test_scattered_fillers_cost_more_than_the_same_in_one_piece(self):
        """The same silence in one piece costs less than in gaps of a frame each."""
        together = penalty("underflow", underflows=20, underflow_episodes=1)
        assert together < penalty("underflow", underflows=20, underflow_episodes=20)

    @pytest.mark.parametrize("frames", [0, 10, 49])
    def test_a_ratio_is_never_read_from_fewer_than_50_frames(self, frames):
        """One filler among fewer than 50 frames is one in 50: 2 %."""
        factor = bare(underflows=1, frames_sent=frames).factor("underflow")
        assert factor.value == pytest.approx(0.02, abs=1e-15)

    @pytest.mark.parametrize(
        ("duration", "seconds"),
        [
            (60.0, 20),
            (30.0, 10),
            (29.0, 10),
            (12.0, 10),
            (1_799.0, 1_799 / 3),
            (1_800.0, 600),
            (9_000.0, 600),
        ],
    )
    def test_frames_nobody_counted_are_a_third_of_the_call(self, duration, seconds):
        """Unknown agent frames are estimated as a third of the call, 10 s to 10 min."""
        factor = scored(frames_sent=None, underflows=10, duration=duration).factor("underflow")
        assert factor.value == pytest.approx(10 / (10 + seconds * 50), rel=1e-12)

    def test_a_call_of_unknown_length_is_taken_for_the_shortest(self):
        """Without a length the estimate is the policy's least, were that nothing."""
        policy = V1.with_changes({"underflow": {"assumed_min": 0}})
        call = replace(NOTHING, duration=None, underflows=60)
        assert aeq.score(call, policy).factor("underflow").value == 1.0

    def test_the_evidence_says_that_frames_were_estimated(self):
        """Whoever reads the evidence learns that the frames were estimated, and only then."""
        assert "estimate" in scored(frames_sent=None, underflows=1).factor("underflow").evidence
        assert "estimate" not in scored(underflows=1).factor("underflow").evidence

    def test_the_evidence_names_episodes_only_where_they_are_known(self):
        """Known episodes stand beside the fillers; unknown ones aren't made up."""
        known = scored(underflows=20, underflow_episodes=5).factor("underflow").evidence
        assert "20 fillers in 5 episodes" in known
        assert "episode" not in scored(underflows=20).factor("underflow").evidence

    @pytest.mark.parametrize(
        ("frames", "fillers", "observed"),
        [(None, None, False), (0, None, True), (None, 0, True), (1_000, None, True)],
    )
    def test_a_count_of_0_is_a_report(self, frames, fillers, observed):
        """It is observed where frames or fillers were reported, were it a report of none."""
        factor = scored(frames_sent=frames, underflows=fillers).factor("underflow")
        assert factor.observed is observed
        assert factor.penalty == 0


class TestFallback:
    @pytest.mark.parametrize(
        ("count", "points"), [(None, 0), (1, 5), (2, 9), (3, 12), (4, 13.5), (5, 15), (50, 15)]
    )
    def test_the_ramp_has_the_knees_of_the_text(self, count, points):
        """1, 2, 3 and 5 fallbacks cost 5, 9, 12 and 15 points."""
        assert penalty("fallback", fallbacks=count) == pytest.approx(points, abs=1e-9)

    @pytest.mark.parametrize(
        ("count", "expected"), [(2, []), (3, [89]), (4, [89]), (5, [74]), (6, [74])]
    )
    def test_3_and_5_fallbacks_have_ceilings(self, count, expected):
        """3 fallbacks or more hold the call to 89, 5 or more to 74."""
        call = scored(fallbacks=count)
        assert ceilings(call) == expected
        assert call.score == min([math.floor(call.raw + 0.5), *expected])

    def test_it_is_charged_where_no_agent_audio_was_seen(self):
        """A fallback costs its points even where nobody reported the agent's audio."""
        factor = bare(fallbacks=1, turn_latencies=(0.4,) * 20).factor("fallback")
        assert (factor.observed, factor.penalty, factor.value) == (True, 5, 1)

    @pytest.mark.parametrize(
        ("facts", "observed"),
        [
            ({}, False),
            ({"frames_sent": 0}, False),
            ({"frames_sent": 1}, True),
            ({"audio": {"provider_out": Levels(frames=60, active=49, rms=2_600.0)}}, False),
            ({"audio": {"provider_out": Levels(frames=60, active=50, rms=2_600.0)}}, True),
            ({"audio": {"transport_out": Levels(frames=60, active=50, rms=2_600.0)}}, True),
            ({"audio": {"transport_out:file": Levels(frames=60, active=50, rms=999.0)}}, True),
            ({"audio": {"transport_in": SPOKEN, "provider_in": SPOKEN}}, False),
        ],
    )
    def test_no_fallback_is_known_only_where_agent_audio_was_seen(self, facts, observed):
        """Agent audio is a frame sent, or 50 active frames at a stage of the agent's own."""
        factor = bare(turn_latencies=(0.4,) * 20, **facts).factor("fallback")
        assert (factor.observed, factor.penalty) == (observed, 0)


class TestBargeIn:
    @pytest.mark.parametrize(
        ("seconds", "points"),
        [
            (0.0, 0),
            (0.3, 0),
            (0.4, 2),
            (0.5, 4),
            (0.65, 6.5),
            (0.8, 9),
            (1.0, 12),
            (1.2, 15),
            (300.0, 15),
        ],
    )
    def test_the_ramp_has_the_knees_of_the_text(self, seconds, points):
        """0.3, 0.5, 0.8 and 1.2 s cost 0, 4, 9 and 15 points, linear in between."""
        assert penalty("barge_in", barge_in_reactions=(seconds,)) == pytest.approx(points, abs=1e-9)

    def test_the_value_is_the_95th_percentile_of_the_reactions(self):
        """Of reactions of 0.2 and 1.2 s the p95 is 1.15 s."""
        factor = scored(barge_ins=2, barge_in_reactions=(1.2, 0.2)).factor("barge_in")
        assert (factor.value, factor.n) == (pytest.approx(1.15), 2)

    @pytest.mark.parametrize(
        ("seconds", "expected"), [(below(1.2), []), (1.2, [89]), (above(1.2), [89])]
    )
    def test_the_ceiling_begins_exactly_at_1_2_seconds(self, seconds, expected):
        """A p95 of 1.2 s or more holds the call to 89."""
        assert ceilings(scored(barge_in_reactions=(seconds,))) == expected

    @pytest.mark.parametrize("barge_ins", [None, 0, 5])
    def test_no_timed_reaction_is_neutral(self, barge_ins):
        """Neither "no barge-in" nor "no reaction time known" costs or earns anything."""
        call = scored(barge_ins=barge_ins, barge_in_reactions=None)
        assert call.factor("barge_in").observed is False
        assert (call.score, call.coverage) == (100, 0.85)

    @pytest.mark.parametrize(
        ("barge_ins", "words"),
        [(1, "1 barge-in"), (None, "1 barge-in"), (5, "1 of 5 barge-ins")],
    )
    def test_the_evidence_says_how_many_of_them_were_timed(self, barge_ins, words):
        """A reaction of one barge-in out of five is told as such."""
        factor = scored(barge_ins=barge_ins, barge_in_reactions=(0.2,)).factor("barge_in")
        assert factor.evidence.endswith(f"over {words}")

    def test_untimed_barge_ins_do_not_dilute_the_timed_ones(self):
        """One slow reaction among nine that nobody timed costs what it costs alone."""
        assert penalty("barge_in", barge_ins=10, barge_in_reactions=(0.8,)) == pytest.approx(9)


class TestCodec:
    @pytest.mark.parametrize(
        ("failed", "points"), [(0, 0), (1, 0.5), (5, 2.5), (10, 5), (20, 10), (None, 0)]
    )
    def test_the_share_of_failed_checks_is_charged_linearly(self, failed, points):
        """A tenth of the checks failed costs a point; all of them, ten."""
        assert penalty("codec", codec_misaligned=failed) == pytest.approx(points, abs=1e-9)

    def test_failed_checks_have_no_ceiling(self):
        """A failed check can be a deliberate bridge: it costs points but holds nothing."""
        call = scored(codec_misaligned=20)
        assert (call.ceilings, call.score, call.band) == ((), 90, "excellent")

    @pytest.mark.parametrize(
        ("failed", "details", "value", "words"),
        [
            (5, {}, 0.25, "5 of 20 checks failed"),
            (None, {}, 0.0, "0 of 20 checks failed"),
            (2, {"rate": 1, "byte-order": 1}, 0.1, "2 of 20 checks failed: byte-order, rate"),
            (21, {}, 1.0, "21 of 20 checks failed"),
        ],
    )
    def test_its_value_is_the_share_and_its_evidence_says_why(self, failed, details, value, words):
        """Failed checks, of how many, and the reasons by name; never more than all of them."""
        factor = scored(codec_misaligned=failed, codec_details=details).factor("codec")
        assert (factor.value, factor.n, factor.evidence) == (value, 20, words)

    @pytest.mark.parametrize("checks", [None, 0])
    def test_unchecked_is_unobserved(self, checks):
        """Only a real check counts: without one the factor is unknown."""
        call = scored(codec_checks=checks, codec_misaligned=None)
        assert (call.factor("codec").observed, call.coverage) == (False, 0.9)


NOISE = Levels(frames=300, active=280, rms=18_604.0, flatness=0.51, dc=-5_452.0, clipped=0.029)


class TestNoise:
    def test_noise_costs_the_codec_points_and_holds_the_call_to_20(self):
        """A track measured as noise is a codec share of 1, and a ceiling of 20."""
        call = scored(audio={"provider_out": NOISE})
        assert (call.factor("codec").value, call.factor("codec").penalty) == (1, 10)
        assert min(ceilings(call)) == 20
        assert (call.score, call.band) == (20, "poor")

    @pytest.mark.parametrize(
        ("flatness", "rms", "noise"),
        [
            (0.10, 6_000.0, True),
            (below(0.10), 6_000.0, False),
            (0.10, below(6_000.0), False),
            (0.25, 2_600.0, False),
            (0.012, 20_000.0, False),
            (0.57, 15_000.0, True),
            (None, 20_000.0, False),
        ],
    )
    def test_it_must_be_both_flat_and_loud(self, flatness, rms, noise):
        """Noise is a median flatness of 0.10 or more and an RMS of 6000 or more, never one only."""
        track = Levels(frames=300, active=280, rms=rms, flatness=flatness)
        assert (20 in ceilings(scored(audio={"provider_out": track}))) is noise

    def test_it_observes_the_codec_without_any_check(self):
        """Noise is found whether or not the engine ever checked its formats."""
        call = scored(codec_checks=None, codec_misaligned=None, audio={"provider_out": NOISE})
        assert (call.factor("codec").observed, call.factor("codec").penalty) == (True, 10)

    @pytest.mark.parametrize(("checks", "n"), [(None, 1), (1, 1), (20, 20)])
    def test_the_codecs_evidence_is_the_noise_that_was_measured(self, checks, n):
        """Flatness and RMS are said, whether or not there were checks; it counts as one itself."""
        factor = scored(codec_checks=checks, audio={"provider_out": NOISE}).factor("codec")
        words = "noise instead of speech: flatness 0.51, RMS 18604"
        assert (factor.n, factor.evidence) == (n, words)

    def test_it_costs_as_much_as_if_all_checks_had_failed(self):
        """Also where a policy's codec knees do not end with a share of 1."""
        policy = V1.with_changes({"knees": {"codec": [[0, 0], [2, 10]]}})
        failed = replace(FAULTLESS, codec_misaligned=20)
        noisy = replace(FAULTLESS, audio={"provider_out": NOISE})
        points = [aeq.score(call, policy).factor("codec").penalty for call in (failed, noisy)]
        assert points == [5.0, 5.0]

    def test_it_outweighs_checks_that_passed(self):
        """None of the engine's own counters sees noise, so passed checks don't excuse it."""
        assert penalty("codec", codec_misaligned=0, audio={"provider_out": NOISE}) == 10

    def test_a_clean_check_alone_observes_nothing(self):
        """A track that was found clean leaves an unchecked codec unknown."""
        clean = Levels(frames=300, active=280, rms=2_600.0, flatness=0.012)
        call = scored(codec_checks=None, codec_misaligned=None, audio={"provider_out": clean})
        assert call.factor("codec").observed is False

    @pytest.mark.parametrize("stage", ["transport_in", "provider_in"])
    def test_a_noisy_caller_costs_nothing(self, stage):
        """The caller's microphone is not the agent's fault."""
        call = scored(audio={"provider_out": SPOKEN, stage: NOISE})
        assert (call.score, call.ceilings) == (100, ())

    def test_the_order_of_the_stages_does_not_matter(self):
        """A noisy and a clean way to the caller score alike, whichever was heard first."""
        clean = Levels(frames=300, active=280, rms=2_600.0, flatness=0.012)
        first = scored(audio={"transport_out:file": NOISE, "transport_out:stream": clean})
        second = scored(audio={"transport_out:stream": clean, "transport_out:file": NOISE})
        assert first.score == second.score

    def test_the_order_of_equally_flat_stages_does_not_matter(self):
        """Two equally flat ways to the caller, a loud and a quiet one, score alike in any order."""
        loud = Levels(frames=300, active=280, rms=9_000.0, flatness=0.3)
        quiet = Levels(frames=300, active=280, rms=3_000.0, flatness=0.3)
        first = scored(audio={"transport_out:file": loud, "transport_out:stream": quiet})
        second = scored(audio={"transport_out:stream": quiet, "transport_out:file": loud})
        assert first.score == second.score


V2 = aeq.Policy.load("v2")


def clipped(share, active=280, flatness=0.012):
    """Return the levels of a stage of whose samples such a share is at full scale."""
    return Levels(frames=300, active=active, rms=2_600.0, flatness=flatness, clipped=share)


def clipping_ceiling(audio, policy=V2):
    """Return the ceiling of clipping over a call with such audio, or None."""
    found = aeq.score(replace(FAULTLESS, audio=audio), policy).ceilings
    return next((ceiling.ceiling for ceiling in found if ceiling.rule == "clipping"), None)


class TestClipping:
    @pytest.mark.parametrize(
        ("share", "top"),
        [(None, None), (0.0, None), (below(0.0017), None), (0.0017, 89), (0.031, 69), (1.0, 24)],
    )
    def test_clipped_samples_hold_the_call_from_v2_on(self, share, top):
        """The share of the agent's samples at full scale has v2's ceilings, and none in v1."""
        audio = {"provider_out": clipped(share)}
        assert clipping_ceiling(audio) == top
        assert clipping_ceiling(audio, V1) is None

    def test_a_distorted_caller_costs_nothing(self):
        """The caller's microphone is not the agent's fault."""
        assert clipping_ceiling({"provider_out": clipped(0.0), "provider_in": clipped(1.0)}) is None

    def test_it_is_read_nearest_to_the_caller_where_frames_were_checked(self):
        """What was played decides, not what the provider sent; but unchecked frames say nothing."""
        sent = clipped(0.031)
        assert clipping_ceiling({"provider_out": sent, "transport_out": clipped(0.0)}) is None
        unchecked = clipped(1.0, flatness=None)
        assert clipping_ceiling({"provider_out": sent, "transport_out": unchecked}) == 69

    def test_of_several_kinds_of_playback_the_longest_decides(self):
        """The kind with most speech is what the caller heard most of."""
        long, short = clipped(0.031, active=280), clipped(1.0, active=50)
        first = {"transport_out:stream": long, "transport_out:file": short}
        assert clipping_ceiling(first) == clipping_ceiling(dict(reversed(first.items()))) == 69


def level(rms, spread=None, *, frames=300, active=280):
    """Return what a score makes of an agent of such a level."""
    track = Levels(frames=frames, active=active, rms=rms, spread_db=spread)
    return scored(audio={"provider_out": track})


class TestRms:
    @pytest.mark.parametrize("rms", [1_300.0, 1_301.0, 2_600.0, 5_199.0, 5_200.0])
    def test_a_level_within_6_db_of_2600_costs_nothing(self, rms):
        """1300 to 5200, both included, is where speech should be."""
        assert level(rms).factor("rms").penalty == 0

    @pytest.mark.parametrize(
        ("decibels", "points"), [(0.6, 0.5), (3, 2.5), (6, 5), (9, 7.5), (12, 10), (15, 10)]
    )
    @pytest.mark.parametrize("edge", [1_300.0, 5_200.0])
    def test_the_distance_from_there_is_charged_by_the_decibel(self, decibels, points, edge):
        """6 dB too quiet or too loud cost 5 points, 12 dB and more cost 10."""
        outside = edge * 10 ** (decibels / 20 if edge > 2_600 else -decibels / 20)
        assert level(outside).factor("rms").penalty == pytest.approx(points, abs=1e-9)
        assert level(outside).factor("rms").value == pytest.approx(decibels, abs=1e-9)

    @pytest.mark.parametrize(
        ("spread", "points"),
        [(None, 0), (0.0, 0), (6.0, 0), (9.0, 2.5), (12.0, 5), (15.0, 7.5), (18.0, 10), (40.0, 10)],
    )
    def test_the_spread_is_charged_by_the_decibel(self, spread, points):
        """A spread of 6, 12 and 18 dB costs 0, 5 and 10 points; an unknown one nothing."""
        assert level(2_600.0, spread).factor("rms").penalty == pytest.approx(points, abs=1e-9)

    def test_an_unknown_spread_costs_nothing_by_any_policy(self):
        """A policy may charge the least spread, and still takes an unknown one for none."""
        policy = V1.with_changes({"knees": {"rms_spread": [[0, 0], [10, 10]]}})
        assert aeq.score(FAULTLESS, policy).factor("rms").penalty == 0

    @pytest.mark.parametrize(
        ("rms", "spread", "words"),
        [
            (2_600.0, None, "RMS 2600"),
            (5_200.0, 3.04, "RMS 5200, spread 3.0 dB"),
            (650.0, None, "RMS 650, 6.0 dB too quiet"),
            (10_400.0, 7.0, "RMS 10400, 6.0 dB too loud, spread 7.0 dB"),
        ],
    )
    def test_the_evidence_says_the_level_and_what_is_wrong_with_it(self, rms, spread, words):
        """The level always, by how much it is too quiet or too loud, and a spread that is known."""
        assert level(rms, spread).factor("rms").evidence == words

    def test_an_agent_nearly_never_heard_has_no_level_that_is_wrong(self):
        """Its value is 0 dB, since there is no level; the evidence says what costs the points."""
        factor = level(2_600.0, active=3).factor("rms")
        assert factor.value == 0.0
        assert factor.evidence == "the agent is nearly never heard: 1 % of its frames"

    def test_level_and_spread_share_the_budget(self):
        """3 dB too quiet and 12 dB of spread cost 2.5 + 5 points; far out in both, only 10."""
        quiet = 1_300.0 * 10 ** (-3 / 20)
        assert level(quiet, 12.0).factor("rms").penalty == pytest.approx(7.5, abs=1e-9)
        assert level(201.0, 40.0).factor("rms").penalty == 10

    @pytest.mark.parametrize(("spread", "expected"), [(18.0, [89]), (17.9, [])])
    def test_its_full_penalty_has_a_ceiling(self, spread, expected):
        """At its full penalty rms holds the call to 89; a little below, to nothing."""
        assert ceilings(level(2_600.0, spread)) == expected

    def test_a_full_penalty_is_no_longer_excellent(self):
        """A call with nothing wrong but its level reads 89, good, and not 90."""
        assert (level(201.0).score, level(201.0).band) == (89, "good")

    @pytest.mark.parametrize(("frames", "observed"), [(0, False), (49, False), (50, True)])
    def test_it_is_observed_from_50_measured_frames_on(self, frames, observed):
        """Fewer than 50 agent frames say nothing of its level."""
        assert level(300.0, frames=frames, active=frames).factor("rms").observed is observed

    @pytest.mark.parametrize(
        ("frames", "active", "points"),
        [(300, 0, 10), (300, 5, 10), (300, 6, 0), (50, 0, 10), (50, 1, 0), (1_000, 19, 10)],
    )
    def test_an_agent_that_is_nearly_never_active_has_the_full_penalty(
        self, frames, active, points
    ):
        """Under 2 % of active frames is not neutral: all ten points."""
        call = level(2_600.0 if active else None, frames=frames, active=active)
        assert call.factor("rms").penalty == points

    @pytest.mark.parametrize("stage", ["transport_out", "transport_out:stream"])
    def test_the_last_stage_before_the_caller_is_the_one_that_counts(self, stage):
        """What was played to the caller decides, not what the provider sent."""
        quiet = Levels(frames=300, active=280, rms=650.0)
        assert penalty("rms", audio={"provider_out": quiet, stage: SPOKEN}) == 0
        assert penalty("rms", audio={stage: quiet, "provider_out": SPOKEN}) > 5

    def test_a_last_stage_with_too_few_frames_leaves_it_to_the_one_before(self):
        """49 measured frames at transport_out can't be judged: provider_out is."""
        few = Levels(frames=49, active=49, rms=300.0)
        assert penalty("rms", audio={"provider_out": SPOKEN, "transport_out": few}) == 0

    @pytest.mark.parametrize("stage", ["transport_in", "provider_in"])
    @pytest.mark.parametrize("heard", [SILENT, Levels(frames=300, active=280, rms=210.0)])
    def test_the_callers_level_costs_nothing(self, stage, heard):
        """A caller who whispers, or is silent, costs the agent nothing."""
        assert scored(audio={"provider_out": SPOKEN, stage: heard}).score == 100
        assert scored(audio={stage: heard}).factor("rms").observed is False

    def test_kinds_of_playback_score_alike_in_any_order(self):
        """Two kinds of playback of equal length score alike, whichever was heard first."""
        steady = Levels(frames=300, active=280, rms=2_600.0, spread_db=3.0)
        uneven = Levels(frames=300, active=280, rms=2_600.0, spread_db=18.0)
        first = scored(audio={"transport_out:file": steady, "transport_out:stream": uneven})
        second = scored(audio={"transport_out:stream": uneven, "transport_out:file": steady})
        assert first.score == second.score


class TestUnobservedCeilings:
    def test_unobserved_latency_holds_the_call_to_89(self):
        """Excellent claims low latency, so a call without a turn can't be it."""
        call = scored(turn_latencies=None, turn_count=None)
        assert (call.score, call.band, call.coverage) == (89, "good", 0.7)

    def test_unobserved_underflow_holds_the_call_to_89(self):
        """Excellent claims no underflow, so a call whose frames nobody counted can't be it."""
        call = scored(frames_sent=None, underflows=None)
        assert (call.score, call.band, call.coverage) == (89, "good", 0.8)

    @pytest.mark.parametrize(
        ("facts", "coverage"),
        [
            ({"barge_in_reactions": None}, 0.85),
            ({"codec_checks": None, "codec_misaligned": None}, 0.9),
            ({"audio": {}}, 0.9),
        ],
    )
    def test_other_unobserved_factors_only_lower_the_coverage(self, facts, coverage):
        """An unobserved factor costs nothing and earns nothing; the coverage tells."""
        call = scored(**facts)
        assert (call.score, call.coverage, call.ceilings) == (100, coverage, ())


CALLER_SPOKE = Levels(frames=600, active=150, rms=1_800.0)


class TestIgnoredCaller:
    def test_a_caller_who_spoke_in_vain_makes_the_call_poor(self):
        """Three seconds of speech in a call of 30 s without one measured turn: 59 at most."""
        call = bare(duration=30.0, frames_sent=500, audio={"transport_in": CALLER_SPOKE})
        assert (call.score, call.band) == (59, "poor")

    @pytest.mark.parametrize(
        ("facts", "held"),
        [
            ({}, True),
            ({"duration": below(30.0)}, False),
            ({"audio": {"transport_in": Levels(frames=600, active=149, rms=1_800.0)}}, False),
            ({"audio": {"provider_in": CALLER_SPOKE}}, True),
            ({"audio": {"provider_out": CALLER_SPOKE}}, False),
            ({"turn_latencies": (0.4,)}, False),
            ({"unanswered": (0.4,)}, True),
        ],
    )
    def test_each_of_its_conditions_counts(self, facts, held):
        """Speech of 3 s at a caller stage, a call of 30 s, and no turn measured: all three."""
        heard = {"duration": 30.0, "frames_sent": 500, "audio": {"transport_in": CALLER_SPOKE}}
        assert (59 in ceilings(bare(**{**heard, **facts}))) is held

    @pytest.mark.parametrize(("seconds", "held"), [(3.0, True), (below(3.0), False)])
    def test_sampled_frames_stand_for_the_speech_they_were_taken_from(self, seconds, held):
        """Where only every fourth frame was measured, the speech is as long as all four."""
        sampled = Levels(frames=150, active=38, rms=1_800.0, active_seconds=seconds)
        call = bare(frames_sent=500, audio={"transport_in": sampled})
        assert (59 in ceilings(call)) is held


class TestCeilingsOfZero:
    def test_a_failed_call_has_no_points(self):
        """Where the engine reports that the call failed, nothing else counts."""
        call = scored(failed=True)
        assert (call.score, call.band, call.raw) == (0, "poor", 100.0)

    def test_a_failed_call_is_scored_even_where_nothing_was_observed(self):
        """A failure comes before every reason not to score."""
        call = bare(failed=True, duration=1.0)
        assert (call.score, call.unscored_reason, call.coverage) == (0, None, 0)

    @pytest.mark.parametrize(
        ("facts", "score"),
        [
            ({"frames_sent": 0}, 0),
            ({"frames_sent": 0, "duration": 10.0}, 0),
            ({"frames_sent": 0, "duration": below(10.0)}, None),
            ({"frames_sent": None, "underflows": 0}, 89),
            ({"frames_sent": 1}, 89),
            ({"frames_sent": 0, "turn_latencies": (0.4,) * 20}, 100),
            ({"frames_sent": 0, "fallbacks": 1}, 89),
            ({"frames_sent": 0, "unanswered": (0.4,)}, 0),
        ],
    )
    def test_an_agent_that_sent_no_frame_was_never_heard(self, facts, score):
        """Frames reported to be 0, no turn, no fallback, 10 s or more: 0; unknown frames: not."""
        assert bare(**facts).score == score

    @pytest.mark.parametrize(
        ("track", "score"),
        [
            (Levels(frames=50, active=0), 0),
            (Levels(frames=49, active=0), 89),
            (Levels(frames=100, active=1, rms=2_600.0), 0),
            (Levels(frames=100, active=2, rms=2_600.0), 89),
        ],
    )
    def test_an_agent_measured_to_be_silent_was_never_heard(self, track, score):
        """50 measured frames of which under 2 % are active, with no turn: 0."""
        assert bare(frames_sent=500, audio={"provider_out": track}).score == score

    @pytest.mark.parametrize("saved", [{"turn_latencies": (0.4,) * 20}, {"fallbacks": 1}])
    def test_a_silent_track_is_not_never_heard_where_something_else_was(self, saved):
        """A turn or a fallback proves that the agent was heard: the level costs its points only."""
        call = bare(frames_sent=500, audio={"provider_out": SILENT}, **saved)
        assert 0 not in ceilings(call)
        assert call.factor("rms").penalty == 10

    def test_a_silent_caller_does_not_silence_the_agent(self):
        """Silence at the caller's stages says nothing of the agent."""
        silent = {"transport_in": SILENT, "provider_in": SILENT}
        assert bare(frames_sent=500, audio=silent).score == 89

    def test_a_call_under_10_seconds_may_end_before_the_agent_speaks(self):
        """A silent track of a call of 9.9 s is no agent that was never heard."""
        call = bare(duration=9.9, frames_sent=0, audio={"provider_out": SILENT})
        assert (call.score, 0 in ceilings(call)) == (None, False)


class TestWrongUse:
    def test_a_versions_name_is_no_policy(self):
        """The error says how to load one."""
        with pytest.raises(TypeError, match=r"^policy must be .*Policy\.load\('v3'\), not 'v1'$"):
            aeq.score(NOTHING, "v1")

    def test_a_stored_call_is_no_summary(self):
        """The error says how to read one."""
        with pytest.raises(TypeError, match=r"^summary must be .*from_dict\(stored\), not {"):
            aeq.score(NOTHING.to_dict())

    @pytest.mark.parametrize("field", ["turn_latencies", "unanswered", "barge_in_reactions"])
    @pytest.mark.parametrize("value", [math.nan, math.inf, -0.1])
    def test_what_are_no_seconds_are_never_scored(self, field, value):
        """Not a number, infinite, under 0: as in a stored call, the error names the field."""
        with pytest.raises(aeq.SummaryError, match=f"^{field} must be seconds of 0 or more, not "):
            aeq.score(replace(NOTHING, **{field: (0.4, value)}))

    @pytest.mark.parametrize("field", ["frames_sent", "underflows", "fallbacks", "duration"])
    @pytest.mark.parametrize("value", [math.nan, math.inf, -1, "3"])
    def test_what_is_no_number_is_never_scored(self, field, value):
        """Unchecked, fewer frames than none read as 89, good."""
        with pytest.raises(aeq.SummaryError, match=f"^{field} must be .* of 0 or more, not "):
            aeq.score(replace(NOTHING, **{field: value}))

    @pytest.mark.parametrize("field", ["frames", "active", "rms", "spread_db", "flatness"])
    def test_no_level_is_never_scored(self, field):
        """The error names the stage."""
        levels = aeq.StageLevels(**{"frames": 100, "active": 100, "rms": 2000.0, field: math.nan})
        with pytest.raises(aeq.SummaryError, match=rf"^audio\.provider_out\.{field} must be .*nan"):
            aeq.score(replace(NOTHING, audio={"provider_out": levels}))

    def test_a_number_of_numpys_is_one(self):
        """Whoever keeps calls in arrays needn't convert them."""
        call = replace(NOTHING, frames_sent=np.int64(1000), turn_latencies=(np.float32(0.4),))
        assert aeq.score(call).score == 100


class TestGates:
    @pytest.mark.parametrize(
        ("facts", "rule", "ceiling", "reason", "factor"),
        [
            ({"turn_latencies": (2.0,) * 20}, "latency", 74, "p95 >= 2 s", "latency"),
            (
                {"underflows": 25, "frames_sent": 975},
                "underflow",
                59,
                "underflow >= 2.5 %",
                "underflow",
            ),
            ({"fallbacks": 5}, "fallback", 74, "5 fallbacks or more", "fallback"),
            ({"barge_in_reactions": (1.2,)}, "barge_in", 89, "barge-in p95 >= 1.2 s", "barge_in"),
            (
                {"turn_latencies": None, "turn_count": None},
                "latency_unobserved",
                89,
                "latency not being observed",
                "latency",
            ),
            (
                {"frames_sent": None, "underflows": None},
                "underflow_unobserved",
                89,
                "underflow not being observed",
                "underflow",
            ),
            (
                {"audio": {"provider_out": SILENT}},
                "rms_full_penalty",
                89,
                "rms at its full penalty",
                "rms",
            ),
            (
                {"unanswered": (5.0,)},
                "unanswered",
                59,
                "a turn unanswered for 5 s or more",
                "latency",
            ),
            (
                {
                    "turn_latencies": None,
                    "turn_count": None,
                    "audio": {"transport_in": CALLER_SPOKE},
                },
                "caller_ignored",
                59,
                "a caller who spoke without one measured turn",
                "latency",
            ),
            (
                {"audio": {"provider_out": NOISE}},
                "noise",
                20,
                "noise instead of speech: flatness 0.51, RMS 18604",
                "codec",
            ),
            (
                {"audio": {"provider_out": clipped(0.031)}},
                "clipping",
                69,
                "3.1 % of the samples clipped",
                "rms",
            ),
            ({"failed": True}, "call_failed", 0, "the engine's report that the call failed", None),
            (
                {"turn_latencies": None, "turn_count": None, "frames_sent": 0},
                "never_heard",
                0,
                "an agent that was never heard",
                None,
            ),
        ],
    )
    def test_each_ceiling_says_its_rule_its_reason_and_its_factor(
        self, facts, rule, ceiling, reason, factor
    ):
        """Metrics and explanations go by them: the policy's own name, and why, in words."""
        policy = V2 if rule == "clipping" else V1
        found = aeq.score(replace(FAULTLESS, **facts), policy).ceilings
        assert (rule, ceiling, reason, factor) in found

    def test_a_faultless_call_has_none_by_v2_either(self):
        """Nothing holds a call in which nothing was wrong."""
        assert aeq.score(FAULTLESS, V2).ceilings == ()

    @pytest.mark.parametrize(
        "turns", [{"turn_count": 3}, {"turn_count": 0, "turn_latencies": (1,)}]
    )
    def test_turns_are_measured_where_they_were_counted_or_timed(self, turns):
        """Whoever stored either has a caller who was answered and an agent who was heard."""
        audio = {"transport_in": CALLER_SPOKE}
        rules = {ceiling.rule for ceiling in bare(frames_sent=0, audio=audio, **turns).ceilings}
        assert not rules & {"caller_ignored", "never_heard"}

    @pytest.mark.parametrize(("duration", "held"), [(None, False), (1.0, True)])
    def test_a_call_of_unknown_length_is_not_a_long_one(self, duration, held):
        """Ceilings of calls from a length on, were it a second, need a length that is known."""
        policy = V1.with_changes(
            {"caller_ignored": {"call_seconds": 1}, "never_heard": {"call_seconds": 1}}
        )
        audio = {"transport_in": CALLER_SPOKE}
        call = replace(NOTHING, duration=duration, frames_sent=0, audio=audio)
        rules = {ceiling.rule for ceiling in aeq.score(call, policy).ceilings}
        assert [name in rules for name in ("caller_ignored", "never_heard")] == [held, held]

    def test_a_caller_who_was_not_measured_did_not_speak(self):
        """Where no stage of the caller's was seen, nobody was ignored, however little is enough."""
        policy = V1.with_changes({"caller_ignored": {"speech_seconds": 0.5}})
        call = replace(NOTHING, frames_sent=500)
        rules = {ceiling.rule for ceiling in aeq.score(call, policy).ceilings}
        assert "caller_ignored" not in rules


class TestNotScored:
    @pytest.mark.parametrize(
        ("facts", "reason"),
        [
            ({"duration": 0.0}, "abandoned"),
            ({"duration": below(10.0)}, "abandoned"),
            ({"duration": 10.0}, "no_conversation"),
            ({"duration": 5.0, "frames_sent": 100}, "no_conversation"),
            ({"duration": below(30.0), "frames_sent": 100}, "no_conversation"),
            ({"duration": 30.0, "frames_sent": 100}, None),
            ({"duration": 30.0}, "too_little_evidence"),
            ({"duration": 5.0, "turn_latencies": (0.4,)}, None),
            ({"duration": 5.0, "unanswered": (0.4,)}, None),
        ],
    )
    def test_the_first_reason_that_applies_is_given(self, facts, reason):
        """Abandoned, then no conversation, then too little evidence: each at its own boundary."""
        call = bare(**facts)
        assert call.unscored_reason == reason
        assert (call.score is None, call.band is None) == (reason is not None,) * 2

    @pytest.mark.parametrize(
        ("facts", "coverage", "enough"),
        [
            ({}, 0.0, False),
            ({"barge_in_reactions": (0.2,)}, 0.15, False),
            ({"codec_checks": 1, "codec_misaligned": 0}, 0.1, False),
            ({"fallbacks": 1}, 0.15, False),
            ({"underflows": 0}, 0.2, True),
            ({"codec_checks": 1, "barge_in_reactions": (0.2,)}, 0.25, True),
            ({"codec_checks": 1, "audio": {"provider_out": Levels(50, 40, 2_600.0)}}, 0.2, True),
        ],
    )
    def test_20_of_the_100_points_must_be_observed(self, facts, coverage, enough):
        """Observed factors that carry under 20 points are too little evidence; 20 are enough."""
        call = bare(**facts)
        assert call.coverage == pytest.approx(coverage)
        assert call.unscored_reason == (None if enough else "too_little_evidence")

    @pytest.mark.parametrize("duration", [0.0, 5.0, 15.0, 60.0, 9_000.0])
    def test_no_data_reads_neither_as_100_nor_as_0(self, duration):
        """A call of which nothing was observed has no score at all, however long it was."""
        call = bare(duration=duration)
        assert (call.score, call.band, call.coverage) == (None, None, 0.0)


# The second implementation: plain, slow, written from the text of docs/Scoring.md.

BANDS = {"excellent": (90, 100), "good": (75, 89), "fair": (60, 74), "poor": (0, 59)}
WEIGHTS = {"latency": 30, "underflow": 20, "fallback": 15, "barge_in": 15, "codec": 10, "rms": 10}
AGENT = (
    "transport_out:stream",
    "transport_out",
    "provider_out",
)  # the last before the caller first
CALLER = ("transport_in", "provider_in")


def ramp(value, knees):
    """Return the points at a value, linear between (value, points) knees."""
    return float(np.interp(value, [x for x, _ in knees], [y for _, y in knees]))


def steps(value, thresholds):
    """Return the ceilings of (threshold, ceiling) pairs that a value reaches."""
    return [ceiling for threshold, ceiling in thresholds if value >= threshold]


def oracle_latency(call):
    """Return the points for latency, or None, and the ceilings that come with it."""
    waits = call.unanswered or ()
    values = (call.turn_latencies or ()) + waits
    tops = [59] if max(waits, default=0) >= 5 else []
    caller = max((call.audio[s].active * 0.02 for s in CALLER if s in call.audio), default=0)
    if caller >= 3 and call.duration >= 30 and not call.turn_latencies:
        tops.append(59)
    if not values:
        return None, [*tops, 89]
    p95 = float(np.percentile(values, 95))
    points = ramp(p95, [(0.5, 0), (1, 10), (2, 20), (3, 26), (5, 30)])
    return points, tops + steps(p95, [(1, 89), (2, 74), (3, 59)])


def oracle_ratio(call):
    """Return the effective underflow ratio, or None where neither frames nor fillers are known."""
    if call.frames_sent is None and call.underflows is None:
        return None
    fillers = call.underflows or 0
    episodes = fillers if call.underflow_episodes is None else call.underflow_episodes
    frames = call.frames_sent
    if frames is None:
        frames = Fraction(min(600.0, max(10.0, call.duration / 3))) * 50
    everything = max(50, fillers + frames)
    return float((Fraction(fillers) / everything + 2 * Fraction(episodes) / everything) / 3)


def oracle_underflow(call):
    """Return the points for underflow, or None, and its ceilings."""
    value = oracle_ratio(call)
    if value is None:
        return None, [89]
    points = ramp(value, [(0, 0), (0.005, 4), (0.01, 8), (0.03, 15), (0.05, 20)])
    return points, steps(value, [(0.005, 89), (0.0125, 74), (0.025, 59)])


def oracle_fallback(call):
    """Return the points for fallbacks, or None, and their ceilings."""
    audible = any(call.audio[stage].active >= 50 for stage in AGENT if stage in call.audio)
    if call.fallbacks is None and not call.frames_sent and not audible:
        return None, []
    count = call.fallbacks or 0
    points = ramp(count, [(0, 0), (1, 5), (2, 9), (3, 12), (5, 15)])
    return points, steps(count, [(3, 89), (5, 74)])


def oracle_barge_in(call):
    """Return the points for barge-ins, or None, and their ceiling."""
    if not call.barge_in_reactions:
        return None, []
    p95 = float(np.percentile(call.barge_in_reactions, 95))
    points = ramp(p95, [(0.3, 0), (0.5, 4), (0.8, 9), (1.2, 15)])
    return points, steps(p95, [(1.2, 89)])


def oracle_codec(call):
    """Return the points for the codec, or None, and the ceiling of noise."""
    checked = [
        call.audio[s] for s in AGENT if s in call.audio and call.audio[s].flatness is not None
    ]
    if checked and checked[0].flatness >= 0.10 and checked[0].rms >= 6_000:
        return 10.0, [20]
    return (10 * call.codec_misaligned / call.codec_checks if call.codec_checks else None), []


def oracle_track(call):
    """Return the agent's levels nearest to the caller with at least 50 frames, or None."""
    tracks = [call.audio[s] for s in AGENT if s in call.audio and call.audio[s].frames >= 50]
    return tracks[0] if tracks else None


def oracle_rms(call):
    """Return the points for the agent's level, or None, and the ceilings that come with it."""
    track = oracle_track(call)
    if track is None:
        return None, []
    if track.active < 0.02 * track.frames:
        return 10.0, [89]
    decibels = max(20 * math.log10(1_300 / track.rms), 20 * math.log10(track.rms / 5_200), 0)
    points = ramp(decibels, [(0, 0), (6, 5), (12, 10)])
    points = min(10.0, points + ramp(track.spread_db or 0, [(6, 0), (12, 5), (18, 10)]))
    return points, [89] if points >= 10 else []


def oracle_zero(call):
    """Return whether the call failed, or its agent was never heard."""
    track = oracle_track(call)
    silent = track is not None and track.active < 0.02 * track.frames
    unheard = call.frames_sent == 0 or silent
    excused = call.turn_latencies or call.fallbacks or call.duration < 10
    return call.failed or (unheard and not excused)


def oracle_reason(call, weight):
    """Return why a call without a ceiling of 0 isn't scored, or None."""
    if weight == 0 and call.duration < 10:
        return "abandoned"
    if not call.turn_latencies and not call.unanswered and call.duration < 30:
        return "no_conversation"
    return "too_little_evidence" if weight < 20 else None


def oracle(call):
    """Return (points by factor, lowest ceiling or 100, reason) by the text of docs/Scoring.md."""
    found = {
        "latency": oracle_latency(call),
        "underflow": oracle_underflow(call),
        "fallback": oracle_fallback(call),
        "barge_in": oracle_barge_in(call),
        "codec": oracle_codec(call),
        "rms": oracle_rms(call),
    }
    points = {name: cost for name, (cost, _) in found.items()}
    lowest = min([100, *(top for _, tops in found.values() for top in tops)])
    if oracle_zero(call):
        return points, 0, None
    weight = sum(WEIGHTS[name] for name, cost in points.items() if cost is not None)
    return points, lowest, oracle_reason(call, weight)


def on_an_edge(call):
    """Return whether the last bit of a logarithm or an estimate decides about a ceiling."""
    track, ratio = oracle_track(call), oracle_ratio(call)
    edges = (0.005, 0.0125, 0.025)
    near = ratio is not None and any(0 < abs(ratio - edge) < 1e-9 for edge in edges)
    level_near = track is not None and track.rms and abs(track.rms / 1_300 - 10**-0.6) < 1e-9
    return near or level_near


class TestAgainstTheText:
    @pytest.mark.no_cover
    @settings(max_examples=800)
    @given(data=st.data())
    def test_every_call_scores_as_the_text_says(self, summaries, data):
        """Points, ceiling, reason, score, band and coverage are those of a second implementation.

        It stands above, and was written from the text of docs/Scoring.md, not from the package.
        """
        call = data.draw(summaries)
        assume(not on_an_edge(call))
        points, lowest, reason = oracle(call)
        result = aeq.score(call, V1)
        for factor in result.factors:
            assert factor.observed is (points[factor.name] is not None), factor
            assert factor.penalty == pytest.approx(points[factor.name] or 0, abs=1e-9), factor
        raw = 100 - sum(cost or 0 for cost in points.values())
        assert result.raw == pytest.approx(raw, abs=1e-6)
        assert min([100, *ceilings(result)]) == lowest
        assert result.unscored_reason == reason
        observed = sum(WEIGHTS[name] for name, cost in points.items() if cost is not None)
        assert result.coverage == pytest.approx(observed / 100)
        if reason is not None:
            assert (result.score, result.band) == (None, None)
            return
        least, most = (math.floor(min(raw + off, lowest) + 0.5) for off in (-1e-9, 1e-9))
        assert max(0, least) <= result.score <= max(0, most)
        low, high = BANDS[result.band]
        assert low <= result.score <= high


class TestRefusedNumbers:
    @pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf, -0.1, 300.1])
    @pytest.mark.parametrize("observation", ["turn_response", "unanswered", "barge_in"])
    def test_a_broken_clock_is_never_scored(self, quality, observation, broken):
        """NaN, infinities, negatives and values over 300 s never reach a score."""
        quality.call_started("1.1")
        getattr(quality, observation)("1.1", broken)
        call = quality.call_ended("1.1", duration=60.0)
        assert not call.factor("latency").observed
        assert not call.factor("barge_in").observed
