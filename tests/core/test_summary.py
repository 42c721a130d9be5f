"""What is kept of a call: its accumulator, its summary, and the way through JSON and back."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ai_engine_quality as aeq
from ai_engine_quality.core.call import CallAccumulator
from ai_engine_quality.core.observations import Rejected

CALL = {"call_id": "1761532874.2245"}


def frozen(observe=None, **names):
    """Return the summary of a call of a minute that was observed by a function."""
    live = CallAccumulator("1.1", **names)
    if observe:
        observe(live)
    return live.freeze(duration=60.0)


def heard(levels, stage="provider_out"):
    """Return what was measured at a stage of so many frames' RMS levels."""

    def observe(live):
        for rms in levels:
            live.audio_level(stage, rms)

    return frozen(observe).audio[stage]


class TestUnreported:
    def test_what_nobody_reported_is_none(self):
        """A call without observations has None in every field of them, and never 0."""
        call = frozen()
        for name in (
            "turn_latencies",
            "turn_count",
            "frames_sent",
            "underflows",
            "underflow_episodes",
            "fallbacks",
            "barge_ins",
            "barge_in_reactions",
            "unanswered",
            "codec_checks",
            "codec_misaligned",
            "provider",
            "pipeline",
            "outcome",
        ):
            assert getattr(call, name) is None, name
        assert call.audio == {}
        assert call.failed is False

    @pytest.mark.parametrize(
        ("observe", "expected"),
        [
            (lambda live: live.add_frames_sent(0), {"frames_sent": 0, "underflows": None}),
            (lambda live: live.underflow(0, None), {"underflows": 0, "underflow_episodes": None}),
            (lambda live: live.underflow(0, 0), {"underflows": 0, "underflow_episodes": 0}),
            (lambda live: live.barge_in(None), {"barge_ins": 1, "barge_in_reactions": None}),
            (lambda live: live.codec_alignment(True, ""), {"codec_misaligned": 0}),
        ],
    )
    def test_a_report_of_0_is_a_report(self, observe, expected):
        """A count of 0 that somebody reported stays 0, and what it doesn't say stays None."""
        call = frozen(observe)
        assert {name: getattr(call, name) for name in expected} == expected


class TestAccumulator:
    def test_counts_add_up(self):
        """Frames, fillers, fallbacks, barge-ins and checks are summed over their reports."""

        def observe(live):
            for _ in range(3):
                live.add_frames_sent(50)
                live.underflow(4, 2)
                live.fallback("timeout")
                live.barge_in(0.2)
                live.codec_alignment(aligned=False, detail="ulaw")
            live.codec_alignment(aligned=True, detail="")

        call = frozen(observe)
        assert (call.frames_sent, call.underflows, call.underflow_episodes) == (150, 12, 6)
        assert (call.fallbacks, call.barge_ins) == (3, 3)
        assert (call.codec_checks, call.codec_misaligned) == (4, 3)
        assert (call.fallback_reasons, call.codec_details) == ({"timeout": 3}, {"ulaw": 3})

    def test_values_stay_in_the_order_in_which_they_came(self):
        """Up to 512 turns keep their order, so that the worst one can be named."""

        def observe(live):
            for seconds in (0.9, 0.3, 2.0):
                live.turn_response(seconds)
                live.unanswered(seconds + 5)

        call = frozen(observe)
        assert call.turn_latencies == (0.9, 0.3, 2.0)
        assert (call.turn_count, call.unanswered) == (3, (5.9, 5.3, 7.0))

    def test_more_episodes_than_fillers_are_refused(self):
        """One filler can't come in two episodes: such a report is refused, and nothing counted."""
        live = CallAccumulator("1.1")
        with pytest.raises(Rejected):
            live.underflow(1, 2)
        assert live.freeze(duration=1.0).underflows is None

    @pytest.mark.parametrize("turns", [511, 512, 513, 514, 5_000])
    def test_the_slowest_turns_are_named_however_many_there_are(self, turns):
        """The three slowest turns keep their numbers where the others lost their order."""
        slow = {1: 9.0, turns // 2: 8.0, turns: 7.0}

        def observe(live):
            for number in range(1, turns + 1):
                live.turn_response(slow.get(number, 0.5))

        call = frozen(observe)
        assert call.slowest_turns() == ((1, 9.0), (turns // 2, 8.0), (turns, 7.0))
        assert call.turn_count == turns

    def test_a_long_call_is_kept_in_bounded_room(self):
        """20,000 turns, reactions, waits and levels are some hundred values and bins each."""
        chance = np.random.default_rng(1).uniform(0, 300, 20_000).tolist()

        def observe(live):
            for seconds in chance:
                live.turn_response(seconds)
                live.barge_in(seconds)
                live.unanswered(seconds)
                live.audio_level("provider_out", 200 + seconds)

        call = frozen(observe)
        assert call.turn_count == call.barge_ins == call.audio["provider_out"].frames == 20_000
        assert len(json.dumps(call.to_dict())) < 100_000

    def test_reasons_are_kept_in_a_bounded_number_of_kinds(self):
        """A hundred different reasons are few kinds, and all are counted."""

        def observe(live):
            for number in range(100):
                live.fallback(f"reason-{number}")

        call = frozen(observe)
        assert len(call.fallback_reasons) <= 8
        assert (sum(call.fallback_reasons.values()), call.fallbacks) == (100, 100)

    def test_stages_are_bounded(self):
        """A ninth stage of one call is refused."""
        live = CallAccumulator("1.1")
        for number in range(8):
            live.audio_level(f"transport_out:{number}", 1_000.0)
        with pytest.raises(Rejected):
            live.audio_level("transport_out:9", 1_000.0)
        live.audio_level("transport_out:1", 1_000.0)
        assert live.freeze(duration=1.0).audio["transport_out:1"].frames == 2


class TestLevels:
    def test_silence_does_not_count(self):
        """Frames under RMS 200 are measured but are no speech; 200 itself is."""
        levels = heard([199.99, 200.0, 0.0, 2_600.0])
        assert (levels.frames, levels.active) == (4, 2)

    def test_energies_are_averaged_not_levels(self):
        """Frames of 1000 and 3000 have the mean energy of 2236, not the mean level of 2000."""
        assert heard([1_000.0, 3_000.0]).rms == pytest.approx(math.sqrt(5_000_000))

    def test_a_talker_who_is_mostly_silent_has_the_level_of_his_speech(self):
        """Being silent 70 % of the time changes nothing of a talker's level."""
        talking = heard([2_600.0] * 90)
        mostly_silent = heard(([2_600.0] * 3 + [20.0] * 7) * 30)
        assert mostly_silent.rms == talking.rms == pytest.approx(2_600.0)
        assert mostly_silent.active_share == pytest.approx(0.3)

    def test_nothing_but_silence_has_no_level(self):
        """A stage of silence has frames, no active ones, and no level."""
        levels = heard([10.0] * 60)
        assert (levels.frames, levels.active, levels.rms, levels.spread_db) == (60, 0, None, None)

    @pytest.mark.parametrize(("frames", "known"), [(199, False), (200, True)])
    def test_a_spread_needs_four_groups_of_50(self, frames, known):
        """199 active frames have no spread; 200 have."""
        assert (heard([2_600.0] * frames).spread_db is not None) is known

    def test_the_spread_is_the_inter_quartile_range_in_decibels(self):
        """Successive groups of 50 frames at four levels have the IQR of these, as by numpy."""
        group_levels = [1_000.0, 4_000.0, 2_000.0, 8_000.0, 500.0]
        levels = heard([rms for rms in group_levels for _ in range(50)])
        decibels = 20 * np.log10(group_levels)
        expected = np.percentile(decibels, 75) - np.percentile(decibels, 25)
        assert levels.spread_db == pytest.approx(expected)

    def test_silence_between_does_not_break_a_group(self):
        """Groups are of active frames: pauses within them change no spread."""
        speech = [rms for rms in (1_000.0, 4_000.0, 2_000.0, 8_000.0) for _ in range(50)]
        with_pauses = [rms for frame in speech for rms in (frame, 5.0)]
        assert heard(with_pauses).spread_db == heard(speech).spread_db

    def test_a_steady_talker_has_no_spread(self):
        """Equal levels differ by 0 dB."""
        assert heard([2_600.0] * 400).spread_db == pytest.approx(0.0)

    @pytest.mark.parametrize(
        ("levels", "seconds"),
        [
            (aeq.StageLevels(frames=200, active=150), 3.0),
            (aeq.StageLevels(frames=50, active=38, active_seconds=3.04), 3.04),
        ],
    )
    def test_speech_is_20_ms_a_frame_unless_told_otherwise(self, levels, seconds):
        """Active frames are 20 ms each; sampled ones say how much speech they stand for."""
        assert levels.speech_seconds == pytest.approx(seconds)


class TestSummary:
    def test_every_field_is_there(self):
        """A summary has every field that records and other engines rely on."""
        names = {field.name for field in fields(aeq.CallSummary)}
        assert names >= {
            "call_id",
            "provider",
            "pipeline",
            "outcome",
            "failed",
            "started_at",
            "duration",
            "turn_latencies",
            "turn_count",
            "frames_sent",
            "underflows",
            "underflow_episodes",
            "fallbacks",
            "barge_ins",
            "barge_in_reactions",
            "unanswered",
            "codec_checks",
            "codec_misaligned",
            "audio",
            "heard",
            "agent_characters",
            "packets_sent",
            "packets_lost",
        }
        levels = {field.name for field in fields(aeq.StageLevels)}
        assert levels >= {"frames", "active", "rms", "spread_db", "clipped", "dc", "flatness"}

    def test_it_is_frozen(self):
        """Nobody changes a summary after the call."""
        call = aeq.CallSummary(**CALL)
        with pytest.raises(AttributeError):
            call.frames_sent = 1

    def test_lists_become_tuples(self):
        """Values given as a list are kept as a tuple, so that nobody changes them."""
        call = aeq.CallSummary(**CALL, turn_latencies=[0.5, 0.6], unanswered=[6.0])
        assert (call.turn_latencies, call.unanswered) == ((0.5, 0.6), (6.0,))

    def test_turns_are_counted_where_nobody_did(self):
        """The number of turns is that of the latencies, unless it was given."""
        assert aeq.CallSummary(**CALL, turn_latencies=[0.5, 0.6]).turn_count == 2
        assert aeq.CallSummary(**CALL).turn_count is None

    def test_the_slowest_turns_are_numbered_from_1(self):
        """The slowest turns come first; of equal ones, the earlier."""
        call = aeq.CallSummary(**CALL, turn_latencies=(0.5, 2.0, 0.7, 2.0, 0.9))
        assert call.slowest_turns(3) == ((2, 2.0), (4, 2.0), (5, 0.9))
        assert aeq.CallSummary(**CALL).slowest_turns() == ()

    def test_without_its_slowest_turn_a_call_has_one_less(self):
        """Leaving out the slowest turn leaves the others as they were."""
        call = aeq.CallSummary(**CALL, turn_latencies=(0.5, 2.0, 0.7))
        shorter = call.without_slowest_turn()
        assert (shorter.turn_latencies, shorter.turn_count) == ((0.5, 0.7), 2)
        assert aeq.CallSummary(**CALL).without_slowest_turn() == aeq.CallSummary(**CALL)

    def test_a_call_of_one_turn_has_none_without_it(self):
        """Without its only turn a call has no measured latency at all."""
        shorter = aeq.CallSummary(**CALL, turn_latencies=(0.5,)).without_slowest_turn()
        assert not aeq.score(shorter).factor("latency").observed

    def test_a_compacted_call_is_the_same_call_in_less_room(self):
        """Only the largest values stay exact; counts, slowest turns and p95 within 1 % stay."""
        latencies = tuple(np.random.default_rng(1).lognormal(0, 0.5, 400).tolist())
        call = aeq.CallSummary(**CALL, turn_latencies=latencies, duration=600.0)
        small = call.compacted(64, 16, 95)
        assert len(json.dumps(small.to_dict())) < len(json.dumps(call.to_dict()))
        assert (small.turn_count, small.slowest_turns()) == (400, call.slowest_turns())
        whole, compact = (aeq.score(c).factor("latency").value for c in (call, small))
        assert compact == pytest.approx(whole, rel=0.0101)


HEARD_COUNTS = ("answers", "answers_cut", "holes", "talk_overs", "stalls", "told_turns")
HEARD_SECONDS = (
    "resolution", "first_word", "caller_voice", "agent_voice", "hole_seconds", "longest_hole",
    "talk_over_seconds", "given", "lost", "thrown_away", "longest_stall", "told_latency",
)  # fmt: skip  # a table


class TestStored:
    @given(data=st.data())
    def test_a_summary_goes_through_json_and_back(self, summaries, data):
        """What was stored as JSON is read as an equal summary with an equal score."""
        call = data.draw(summaries)
        stored = json.dumps(call.to_dict(), allow_nan=False)
        again = aeq.CallSummary.from_dict(json.loads(stored))
        assert again == call
        assert aeq.score(again) == aeq.score(call)

    @pytest.mark.parametrize("turns", [1, 511, 512, 513, 5_000])
    def test_a_long_call_goes_through_json_and_back(self, turns):
        """Binned values and worst turns are stored with the call, and score the same."""
        seconds = np.random.default_rng(turns).lognormal(0, 0.5, turns).tolist()

        def observe(live):
            for value in seconds:
                live.turn_response(min(300.0, value))

        call = frozen(observe, provider="deepgram", started_at=1_761_532_874.5)
        again = aeq.CallSummary.from_dict(json.loads(json.dumps(call.to_dict())))
        assert again == call
        assert aeq.score(again) == aeq.score(call)

    def test_only_the_call_id_is_needed(self):
        """A field that is missing was not reported."""
        assert aeq.CallSummary.from_dict(CALL) == aeq.CallSummary(**CALL)

    @pytest.mark.parametrize("data", [None, [], "call", 7])
    def test_what_is_no_object_is_refused(self, data):
        """A summary is read from an object with fields and from nothing else."""
        with pytest.raises(aeq.SummaryError, match=r"^a stored call must be a table"):
            aeq.CallSummary.from_dict(data)

    def test_a_call_without_an_id_is_refused(self):
        """Every summary names its call."""
        with pytest.raises(aeq.SummaryError, match="call_id"):
            aeq.CallSummary.from_dict({})

    def test_an_unknown_field_is_refused(self):
        """A field that no summary has is named."""
        with pytest.raises(aeq.SummaryError, match="mood"):
            aeq.CallSummary.from_dict({**CALL, "mood": 1})

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("call_id", 7),
            ("call_id", ""),
            ("provider", 7),
            ("failed", "no"),
            ("failed", 0),
            ("started_at", "now"),
            ("duration", -1),
            ("duration", math.inf),
            ("duration", math.nan),
            ("turn_latencies", "0.5"),
            ("turn_latencies", 0.5),
            ("turn_latencies", [-0.1]),
            ("turn_latencies", ["0.5"]),
            ("turn_latencies", [True]),
            ("turn_latencies", [math.nan]),
            ("turn_count", -1),
            ("turn_count", 1.5),
            ("frames_sent", True),
            ("frames_sent", -1),
            ("underflows", "3"),
            ("fallbacks", -1),
            ("codec_checks", 0.5),
            ("unanswered", {"0": 6.0}),
            ("audio", []),
            ("audio", {"provider_out": 7}),
            ("fallback_reasons", {"a": -1}),
            ("audio", {"provider_out": {"mood": 1}}),
            ("audio", {"provider_out": {"frames": -1}}),
            ("audio", {"provider_out": {"clipped": 1.1}}),
            ("binned", {"mood": []}),
            ("audio", {"provider_out": {"flatness": "flat"}}),
            ("binned", {"turn_latencies": [[1]]}),
            ("binned", {"turn_latencies": [[9_999, 1]]}),
            ("worst_turns", [[1]]),
            ("worst_turns", [[1, -1]]),
            ("heard", "latency"),
            ("heard", {"factors": "latency"}),
            ("heard", {"holes": 0.5}),
            ("heard", {"first_word": -1}),
            ("heard", {"caller_dead": 1}),
            ("heard", {"mood": 1}),
            ("agent_characters", "the words"),
            ("packets_lost", 0.5),
            ("packets_sent", -1),
        ],
    )
    def test_a_wrong_value_is_named(self, field, value):
        """A field that holds something else than it should is refused by its name."""
        with pytest.raises(aeq.SummaryError, match=field):
            aeq.CallSummary.from_dict({**CALL, field: value})

    @pytest.mark.parametrize("field", ["duration", "started_at", "turn_latencies"])
    def test_a_number_too_long_for_a_float_is_refused(self, field):
        """JSON can hold a whole number of 400 digits; such a field is named, as any wrong one."""
        huge = [10**400] if field == "turn_latencies" else 10**400
        with pytest.raises(aeq.SummaryError, match=field):
            aeq.CallSummary.from_dict({**CALL, field: huge})

    def test_a_stage_may_be_stored_in_part(self):
        """What is missing or null of a stage's levels was not measured."""
        stage = {"frames": None, "active": None, "rms": None}
        call = aeq.CallSummary.from_dict({**CALL, "audio": {"provider_out": stage}})
        assert call.audio == {"provider_out": aeq.StageLevels()}
        assert (call.audio["provider_out"].frames, call.audio["provider_out"].active) == (0, 0)

    def test_what_was_heard_goes_through_json_and_back(self):
        """Each field of what an ear knows is stored, and read as it was."""
        values = dict.fromkeys(HEARD_SECONDS, 0.5) | dict.fromkeys(HEARD_COUNTS, 2)
        known = aeq.HeardCall(
            factors=("latency", "underflow"),
            cannot_hear="the caller's voice can't be told from the noise",
            caller_dead=False,
            agent_heard=True,
            ended_in_answer=True,
            echo=0.3,
            **values,
        )
        assert all(getattr(known, field.name) is not None for field in fields(known))
        call = aeq.CallSummary(**CALL, heard=known)
        again = aeq.CallSummary.from_dict(json.loads(json.dumps(call.to_dict())))
        assert again == call
        assert again.is_heard("underflow")
        assert not again.is_heard("barge_in")

    @pytest.mark.parametrize(
        ("number", "seconds"),
        [("holes", "hole_seconds"), ("holes", "longest_hole"), ("stalls", "longest_stall")],
    )
    def test_none_at_all_lasts_no_second(self, number, seconds):
        """A record leaves the seconds out where the number is 0; an unknown number has none."""
        heard = aeq.CallSummary.from_dict({**CALL, "heard": {number: 0}}).heard
        assert getattr(heard, seconds) == 0.0
        heard = aeq.CallSummary.from_dict({**CALL, "heard": {number: None}}).heard
        assert getattr(heard, seconds) is None

    def test_an_earlier_versions_record_is_read(self):
        """A call that has the silences of the former listener, and no ear, is what it was."""
        stored = {**CALL, "silence_heard": {"median": 4.8, "turns": 5, "resolution": 0.08}}
        call = aeq.CallSummary.from_dict({**stored, "turn_latencies": [0.3] * 5})
        assert call.silence_heard == aeq.HeardSilence(4.8, 5, 0.08)
        assert (call.heard, call.late_clock()) == (None, aeq.LateClock(4.8, 0.3, 5))
        assert aeq.score(call).factor("latency").clock == "told"

    def test_null_is_not_reported(self):
        """A field stored as null reads as one that nobody reported."""
        data = {field.name: None for field in fields(aeq.CallSummary) if field.name != "call_id"}
        assert aeq.CallSummary.from_dict({**CALL, **data}) == aeq.CallSummary(**CALL)


class TestOrder:
    @pytest.mark.parametrize("factor", ["fallback", "codec"])
    def test_the_order_of_reasons_changes_nothing(self, factor):
        """Two calls with the same reasons in another order score and read the same."""

        def seen(words):
            def observe(live):
                live.add_frames_sent(1_000)
                for word in words:
                    live.fallback(word)
                    live.codec_alignment(aligned=False, detail=word)

            return aeq.score(frozen(observe)).factor(factor)

        assert seen(["timeout", "stall"]) == seen(["stall", "timeout"])

    def test_shuffled_turns_score_the_same(self):
        """Only the number of the worst turn depends on the order of the turns."""
        latencies = tuple(np.random.default_rng(3).lognormal(0, 0.5, 200).tolist())
        call = aeq.CallSummary(**CALL, turn_latencies=latencies, duration=600.0, frames_sent=900)
        straight = aeq.score(call)
        shuffled = aeq.score(replace(call, turn_latencies=tuple(sorted(latencies))))
        assert (shuffled.score, shuffled.raw, shuffled.ceilings) == (
            straight.score,
            straight.raw,
            straight.ceilings,
        )
