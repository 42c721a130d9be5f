"""One live call, observed directly: what is kept of it, to the last digit."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from two_sides import FRAME, frames

import ai_engine_quality as aeq
from ai_engine_quality.core.agent_sound import FrameCheck
from ai_engine_quality.core.call import CallAccumulator, StageAccumulator
from ai_engine_quality.core.distribution import BoundedValues


def stage_of(*levels, seconds=0.02):
    """Return a stage at which frames of these levels were measured."""
    stage = StageAccumulator(agent=True)
    for rms in levels:
        stage.add_level(rms, seconds)
    return stage


def found(**measured):
    """Return the check of a frame in which nothing else is wrong."""
    usual = dict.fromkeys(FrameCheck._fields, 0.0)
    return FrameCheck(**{**usual, "click": False, "bands": (0.0, 0.0, 0.0), **measured})


def checked(*checks):
    """Return the levels of a stage after these noise checks."""
    stage = StageAccumulator(agent=True)
    for rms, flatness, clipped, dc in checks:
        stage.add_check(rms, found(flatness=flatness, clipped=clipped, dc=dc))
    return stage.freeze()


CALLER = ((1, 2), (6, 7), (12, 13))
AGENT = ((3, 5), (9, 11), (16, 18))
WAITED = pytest.approx((1.0, 2.0, 3.0), abs=2 * FRAME + 0.001)


def seen(sides, *, until=20.0, given=(), told=(), **how):
    """Return a live call at whose stages there was speech in (from, to) seconds.

    Args:
        sides: Stage to spans of speech.
        until: Seconds that the call lasted.
        given: Hints, (at, seconds): an answer of so many seconds is handed over, and complete.
        told: Latencies that the engine tells.
        how: Options of ``frames``.
    """
    live = CallAccumulator("1.1")
    for seconds in told:
        live.turn_response(seconds)
    hints = list(given)
    found = []
    for name, spans in sides.items():
        agent = name.startswith(("transport_out", "provider_out"))
        both = ((), spans) if agent else (spans, ())
        found += [
            (at, name, rms)
            for at, of, rms in frames(until, *both, **how)
            if of is agent and (rms or ":" not in name)  # what plays nothing sends nothing
        ]
    for at, name, rms in sorted(found, key=lambda one: one[0]):
        while hints and hints[0][0] <= at:
            live.audio_given(*hints.pop(0), 0.0)
            live.answer_complete(at)
        live.audio_level(name, rms, FRAME, at)
    return live


def heard(sides, *, until=20.0, **how):
    """Return the summary of such a call."""
    return seen(sides, until=until, **how).freeze(duration=until)


class TestNames:
    def test_a_call_keeps_what_it_was_started_and_ended_with(self):
        """Names, times and outcome go into the summary as they were given."""
        live = CallAccumulator(
            "1.1", started=5.0, started_at=7.0, provider="deepgram", pipeline="default"
        )
        assert live.freeze(duration=9.0, outcome="completed", failed=True) == aeq.CallSummary(
            call_id="1.1",
            provider="deepgram",
            pipeline="default",
            outcome="completed",
            failed=True,
            started_at=7.0,
            duration=9.0,
        )
        assert live.started == 5.0

    def test_a_call_starts_at_0_where_nobody_says_when(self):
        """Without a clock a call has begun at 0, and has no time of day."""
        live = CallAccumulator("1.1")
        assert (live.started, live.started_at) == (0.0, None)


class TestProgress:
    @pytest.mark.parametrize(
        "observe",
        [
            lambda live: live.turn_response(0.8),
            lambda live: live.unanswered(6.0),
            lambda live: live.add_frames_sent(1),
            lambda live: live.underflow(1, None),
            lambda live: live.fallback("timeout"),
            lambda live: live.barge_in(None),
            lambda live: live.codec_alignment(aligned=True, detail=""),
            lambda live: live.audio_level("provider_out", 20.0),
        ],
        ids=["turn", "wait", "frames", "filler", "fallback", "barge-in", "codec", "level"],
    )
    def test_it_changes_with_each_observation(self, observe):
        """One more observation of any kind, the first one too, is a progress; asking is none."""
        live = CallAccumulator("1.1")
        seen = [live.progress()]
        assert live.progress() == seen[0]
        for _ in range(2):
            observe(live)
            seen.append(live.progress())
        assert len(set(seen)) == 3


class TestTurns:
    def test_three_slowest_turns_are_kept_and_earlier_ones_first(self):
        """Beyond 512 turns three are named, and of equally slow ones those that came first."""
        live = CallAccumulator("1.1")
        for number in range(1, 1_001):
            live.turn_response(4.0 if number in {200, 100, 600, 700} else 0.5)
        worst = live.freeze(duration=3_600.0).worst_turns
        assert worst == ((100, 4.0), (200, 4.0), (600, 4.0))


class TestReasons:
    def test_seven_reasons_are_named_and_the_rest_are_other(self):
        """The first seven kinds keep their names and go on counting; later ones are ``other``."""
        live = CallAccumulator("1.1")
        for number in (*range(9), 0, 6, 8):
            live.fallback(f"reason-{number}")
        assert live.freeze(duration=60.0).fallback_reasons == {
            "reason-0": 2,
            **{f"reason-{n}": 1 for n in range(1, 6)},
            "reason-6": 2,
            "other": 3,
        }


class TestLevels:
    def test_what_was_measured_is_exact(self):
        """The faintest speech has its own level; seconds add up, rounded to microseconds."""
        assert stage_of(200.0, 199.0, 200.0, seconds=1 / 3).freeze() == aeq.StageLevels(
            frames=3, active=2, rms=200.0, spread_db=None, active_seconds=0.666667
        )

    def test_the_spread_is_that_of_the_energies_of_groups(self):
        """Each 50 frames are one level, by their mean energy, to which no other group adds."""
        pairs = [(200.0, 220.0), (300.0, 900.0), (1_000.0, 1_100.0), (2_000.0, 7_000.0)]
        first, second, third, fourth = (
            10 * math.log10((low * low + high * high) / 2) for low, high in pairs
        )
        spread = stage_of(*(rms for pair in pairs for rms in pair * 25)).freeze().spread_db
        expected = (third + (fourth - third) / 4) - (first + (second - first) * 3 / 4)
        assert spread == pytest.approx(expected, abs=1e-6)

    def test_the_spread_of_a_very_long_call_is_that_of_its_levels(self):
        """Beyond 512 groups the lower quartile is the upper edge of the bin of its RMS."""
        levels = BoundedValues()
        for rms in [300.0] * 600 + [3_000.0] * 600:
            levels.add(rms)
        low, high = (levels.freeze().percentile(q) for q in (25, 75))
        spread = stage_of(*[300.0] * 30_000, *[3_000.0] * 30_000).freeze().spread_db
        assert spread == pytest.approx(20 * math.log10(high / low), abs=1e-6)
        assert 300.0 < low < 303.0

    def test_a_level_without_a_time_is_a_level_all_the_same(self):
        """What nobody says the time of is measured, and tells the ear nothing."""
        at_ear = []
        stage = StageAccumulator(agent=True)
        stage.ear = SimpleNamespace(agent=lambda *values: at_ear.append(values))
        stage.add_level(2_600.0, 0.02)
        stage.add_level(2_600.0, 0.02, 1.0)
        assert (stage.active, at_ear) == (2, [(1.0, 2_600.0, 0.02)])


class TestNoise:
    def test_checks_are_averaged(self):
        """Clipping and DC are means over the checked frames, the level that of their energies."""
        levels = checked((300.0, 0.1, 0.25, 100.0), (400.0, 0.2, 0.5, -300.0))
        assert (levels.clipped, levels.dc) == (0.375, -100.0)
        assert levels.noise_rms == 353.553  # of 300 and 400, by their energies
        assert (levels.flatness, levels.frames) == (None, 0)

    def test_the_flatness_is_the_median(self):
        """Of 20 frames it lies between the tenth and the eleventh, in whatever order they came."""
        values = [*range(10, 20), *range(10)]
        assert checked(*((300.0, n / 32, 0.0, 0.0) for n in values)).flatness == 9.5 / 32

    def test_nothing_is_flatter_than_flat(self):
        """The ratio of two equal means, which rounding has put over 1, is 1."""
        assert checked(*[(300.0, 1.000_000_1, 0.0, 0.0)] * 20).flatness == 1.0


class TestListening:
    @pytest.mark.parametrize(
        ("names", "hearing"),
        [
            (("transport_in",), {"transport_in"}),
            (("provider_in", "provider_out"), {"provider_in", "provider_out"}),
            (("provider_out", "transport_out"), {"transport_out"}),
            (("transport_out", "provider_out"), {"transport_out"}),
            (("provider_in", "transport_in", "provider_out"), {"transport_in", "provider_out"}),
            (
                ("provider_out", "transport_out:stream", "transport_out:file", "transport_in"),
                {"transport_out:stream", "transport_out:file", "transport_in"},
            ),
        ],
        # A set has another order in each process, and a test must not have another name.
        ids=lambda stages: "+".join(sorted(stages) if isinstance(stages, set) else stages),
    )
    def test_it_hears_each_side_as_near_to_the_caller_as_there_are_frames(self, names, hearing):
        """The transport's stage takes the provider's place, whichever is seen first.

        Each kind of playback has a stage of its own, and all of them reach the caller.
        """
        live = CallAccumulator("1.1")
        for name in names:
            live.stage(name)
        assert {name for name, stage in live.stages.items() if stage.ear is not None} == hearing

    def test_a_call_whose_audio_nobody_sees_has_no_ear(self):
        """Turns, fillers and fallbacks alone make none, and take its memory from nobody."""
        live = CallAccumulator("1.1")
        live.turn_response(0.5)
        live.underflow(1, None)
        live.answer_complete(1.0)
        assert live.ear is None
        assert live.freeze(duration=60.0).heard is None

    def test_a_frame_in_no_format_is_no_frame_of_a_stage_that_had_none(self, quality, dropped):
        """A stage of which only levels are known takes no byte for a frame like the one before."""
        quality.call_started("1.1")
        call = quality.call("1.1")
        call.audio_level("transport_in", 2_600.0)
        call.audio("provider_out", b"\x10" * 160, encoding="ulaw", sample_rate=8_000)
        call.audio("transport_in", b"\x10", encoding=None, sample_rate=None)
        assert dropped("unknown_encoding") == 1


class TestHeardBeforeTold:
    @pytest.mark.parametrize(
        "sides",
        [
            {"transport_in": CALLER, "transport_out": AGENT},
            {"provider_in": CALLER, "provider_out": AGENT},
            {"transport_in": CALLER, "provider_out": AGENT[:1], "transport_out": AGENT},
            {"provider_in": CALLER[:1], "transport_in": CALLER, "provider_out": AGENT},
        ],
        ids=["transport", "provider", "agent at both", "caller at both"],
    )
    def test_waits_are_those_that_the_caller_had(self, sides):
        """An engine that tells a quarter of a second is scored by the 1, 2 and 3 s of silence."""
        found = heard(sides, told=(0.25, 0.25, 0.25))
        assert found.turn_latencies == WAITED
        assert found.turn_count == 3
        assert found.is_heard("latency")
        assert (found.heard.told_latency, found.heard.told_turns) == (0.25, 3)
        latency = aeq.score(found).factor("latency")
        assert latency.clock == "heard"
        assert "s, heard, over 3 turns" in latency.evidence

    def test_two_ways_to_the_caller_are_heard_as_one(self):
        """Answers that a stream plays, and one that a file does, are all answers."""
        found = heard(
            {
                "provider_out": AGENT,
                "transport_in": CALLER,
                "transport_out:stream": AGENT[:2],
                "transport_out:file": AGENT[2:],
            }
        )
        assert found.turn_latencies == WAITED

    def test_a_turn_without_an_answer_is_found(self):
        """Words after which nothing came count with all that they waited, told or not."""
        found = heard({"transport_in": CALLER, "transport_out": AGENT[:2]}, told=(0.25, 0.25))
        assert found.unanswered == pytest.approx((7.0,), abs=0.03)
        assert 59 in {ceiling.ceiling for ceiling in aeq.score(found).ceilings}

    def test_the_reaction_to_a_barge_in_is_timed(self):
        """From the caller's first word over the agent until it is silent; told ones don't serve."""
        live = seen(
            {"transport_in": ((1, 2), (4, 6)), "transport_out": ((2.5, 4.6), (7, 8))},
            given=((2.4, 5.0), (6.9, 1.0)),
        )
        live.barge_in(0.01)
        live.barge_in(None)
        found = live.freeze(duration=20.0)
        assert found.barge_in_reactions == pytest.approx((0.6,), abs=0.05)
        assert found.barge_ins == 1
        assert aeq.score(found).factor("barge_in").clock == "heard"

    def test_holes_in_answers_are_found_where_it_is_known_what_was_given(self):
        """What is missing of an answer counts as fillers, whatever the engine says of them."""
        live = seen(
            {"transport_in": ((1, 2),), "transport_out": ((3, 8),)},
            given=((2.9, 4.6),),
            missing=((5, 5.4),),
        )
        live.underflow(0, 0)
        live.add_frames_sent(1_000)
        found = live.freeze(duration=20.0)
        assert found.is_heard("underflow")
        assert (found.underflows, found.underflow_episodes) == (20, 1)
        underflow = aeq.score(found).factor("underflow")
        assert underflow.clock == "heard"
        assert "heard: 1 hole of 0.4 s in all" in underflow.evidence

    def test_a_whole_answer_has_no_hole(self):
        """With hints, none is a finding too; without them only what was seen to be missing is."""
        sides = {"transport_in": ((1, 2),), "transport_out": ((3, 6),)}
        hinted, blind = heard(sides, given=((2.9, 3.0),)), heard(sides)
        assert (hinted.underflows, hinted.underflow_episodes) == (0, 0)
        assert hinted.is_heard("underflow")
        assert not blind.is_heard("underflow")
        assert blind.underflows is None

    def test_a_reaction_is_heard_without_hints(self):
        """Frames of both sides suffice: who breaks off amid the caller's words was stopped."""
        live = seen({"transport_in": ((4, 6),), "transport_out": ((1, 4.8), (7, 9))})
        live.barge_in(0.05)
        live.barge_in(None)
        found = live.freeze(duration=20.0)
        assert found.barge_in_reactions == pytest.approx((0.8,), abs=0.05)
        assert found.barge_ins == 2
        assert aeq.score(found).factor("barge_in").clock == "heard"

    def test_what_was_told_stands_where_no_reaction_is_heard_without_hints(self):
        """An ear that can't tell a stop from an end denies no barge-in that the engine tells."""
        live = seen({"transport_in": CALLER, "transport_out": AGENT})
        live.barge_in(0.4)
        found = live.freeze(duration=20.0)
        assert found.barge_in_reactions == (0.4,)
        assert aeq.score(found).factor("barge_in").clock == "told"

    def test_fallbacks_and_formats_are_told(self):
        """What no ear can know stays as the engine tells it, and says so."""
        live = seen({"transport_in": CALLER, "transport_out": AGENT})
        live.fallback("timeout")
        live.codec_alignment(aligned=True, detail="")
        score = aeq.score(live.freeze(duration=20.0))
        assert score.factor("fallback").clock == score.factor("codec").clock == "told"
        assert score.factor("rms").clock == "heard"


class TestToldWhereItCannotBeHeard:
    def told(self, found, reason):
        """Assert that a call's latencies are as the engine told them, and that it says why."""
        assert found.turn_latencies == (0.25, 0.5)
        assert not found.is_heard("latency")
        assert reason in found.heard.cannot_hear
        assert aeq.score(found).factor("latency").clock == "told"

    def test_frames_that_came_faster_than_they_last(self):
        """A track that was handed over at once has no times, and what was told serves."""
        live = CallAccumulator("1.1")
        for seconds in (0.25, 0.5):
            live.turn_response(seconds)
        for at, agent, rms in frames(20.0, CALLER, AGENT):
            live.audio_level("transport_out" if agent else "transport_in", rms, FRAME, at / 4)
        self.told(live.freeze(duration=20.0), "faster than they last")

    def test_a_caller_whose_voice_cannot_be_told_from_the_noise(self):
        """Where the line is as loud as the voice, what was told serves."""
        live = seen(
            {"transport_in": CALLER, "transport_out": AGENT}, told=(0.25, 0.5), line=1_400.0
        )
        self.told(live.freeze(duration=20.0), "noise")

    def test_one_side_alone(self):
        """Where nobody sees the caller's frames, what was told serves."""
        self.told(heard({"transport_out": AGENT}, told=(0.25, 0.5)), "was not seen")

    def test_a_caller_who_says_nothing(self):
        """Where no word of the caller's was heard, there is nothing that an answer answers."""
        found = heard({"transport_in": (), "transport_out": AGENT}, told=(0.25, 0.5))
        assert found.turn_latencies == (0.25, 0.5)
        assert not found.is_heard("latency")
