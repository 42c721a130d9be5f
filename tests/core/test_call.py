"""One live call, observed directly: what is kept of it, to the last digit."""

from __future__ import annotations

import math

import pytest
from ai_engine_quality.core.talkspurts import Talkspurts

import ai_engine_quality as aeq
from ai_engine_quality.core.call import CallAccumulator, FrameFormat, StageAccumulator
from ai_engine_quality.core.distribution import BoundedValues

RAW = FrameFormat("ulaw", 8_000, 160)
STEP = 0.0625
"""Seconds between measured frames: a power of two, so that times add up exactly."""


def stage_of(*levels, seconds=0.02):
    """Return a stage at which frames of these levels were measured."""
    stage = StageAccumulator(agent=True)
    for rms in levels:
        stage.add_level(rms, seconds)
    return stage


def checked(*checks):
    """Return the levels of a stage after these noise checks."""
    stage = StageAccumulator(agent=True)
    for check in checks:
        stage.add_noise_check(*check)
    return stage.freeze()


def raw_sides(*names):
    """Return a call with raw frames at these stages."""
    live = CallAccumulator("1.1")
    for name in names:
        live.stage(name).format = RAW
    live.listen()
    return live


def heard(sides, **how):
    """Return what was heard of a call at whose stages there was speech in (from, to) seconds."""
    live = raw_sides(*sides)
    for name, spoken in sides.items():
        for at in (number * STEP for number in range(int(20 / STEP))):
            speaks = any(start <= at < end for start, end in spoken)
            live.stage(name).add_level(2_600.0 if speaks else 20.0, STEP, at)
    return live.freeze(duration=20.0, **how).silence_heard


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
        assert spread == pytest.approx(expected, abs=1e-9)

    def test_the_spread_of_a_very_long_call_is_that_of_its_levels(self):
        """Beyond 512 groups the lower quartile is the upper edge of the bin of its RMS."""
        levels = BoundedValues()
        for rms in [300.0] * 600 + [3_000.0] * 600:
            levels.add(rms)
        low, high = (levels.freeze().percentile(q) for q in (25, 75))
        spread = stage_of(*[300.0] * 30_000, *[3_000.0] * 30_000).freeze().spread_db
        assert spread == pytest.approx(20 * math.log10(high / low), abs=1e-9)
        assert 300.0 < low < 303.0

    @pytest.mark.parametrize(("speech", "at"), [(Talkspurts(), None), (None, 1.0)])
    def test_a_level_without_a_time_is_a_level_all_the_same(self, speech, at):
        """What was measured elsewhere counts where raw frames are heard, but tells no time."""
        stage = StageAccumulator(agent=True)
        stage.speech = speech
        stage.add_level(2_600.0, 0.02, at)
        assert (stage.active, stage.speech and stage.speech.all()) == (1, speech and [])


class TestNoise:
    def test_checks_are_averaged(self):
        """Clipping and DC are means over the checked frames, the level that of their energies."""
        levels = checked((300.0, 0.1, 0.25, 100.0), (400.0, 0.2, 0.5, -300.0))
        assert (levels.clipped, levels.dc) == (0.375, -100.0)
        assert levels.noise_rms == math.sqrt((300.0**2 + 400.0**2) / 2)
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
        ("names", "listens"),
        [
            ((), False),
            (("provider_out", "transport_out"), False),
            (("transport_in", "provider_in"), False),
            (("transport_in", "provider_out"), True),
            (("provider_in", "transport_out:file", "provider_out"), True),
        ],
    )
    def test_it_begins_with_raw_frames_of_both_sides(self, names, listens):
        """When each side speaks is kept where raw frames of the caller and the agent are seen."""
        stages = raw_sides(*names).stages or {}
        assert [stage.speech is not None for stage in stages.values()] == [listens] * len(names)

    def test_levels_measured_elsewhere_are_not_raw_frames(self):
        """A side of which only levels are known is not heard, and makes the other not heard."""
        live = raw_sides("provider_out")
        live.audio_level("transport_in", 2_600.0)
        live.listen()
        assert [stage.speech for stage in live.stages.values()] == [None, None]

    def test_a_stage_that_comes_later_takes_nothing_from_the_others(self):
        """What was heard at the first stages stays when raw frames of another one are seen."""
        live = raw_sides("transport_in", "provider_out")
        before = live.stage("transport_in").speech
        live.stage("transport_out").format = RAW
        live.listen()
        assert live.stage("transport_in").speech is before
        assert live.stage("transport_out").speech is not None

    def test_a_frame_in_no_format_is_no_frame_of_a_stage_that_had_none(self, quality, dropped):
        """A stage of which only levels are known takes no byte for a frame like the one before."""
        quality.call_started("1.1")
        call = quality.call("1.1")
        call.audio_level("transport_in", 2_600.0)
        call.audio("provider_out", b"\x10" * 160, encoding="ulaw", sample_rate=8_000)
        call.audio("transport_in", b"\x10", encoding=None, sample_rate=None)
        assert dropped("unknown_encoding") == 1


class TestSilenceHeard:
    CALLER = ((1, 2), (6, 7), (12, 13))
    AGENT = ((3, 5), (9 + STEP, 11), (16, 18))
    WAITED = aeq.HeardSilence(median=2.062, turns=3, resolution=0.062)  # 1, 2 + STEP and 3 s; STEP

    @pytest.mark.parametrize(
        "sides",
        [
            {"transport_in": CALLER, "transport_out": AGENT},
            {"provider_in": CALLER, "provider_out": AGENT},
            {"provider_in": CALLER[:1], "transport_in": CALLER, "provider_out": AGENT},
            {"transport_in": CALLER, "provider_out": AGENT[:1], "transport_out": AGENT},
            {
                "transport_in": CALLER,
                "transport_out:stream": AGENT[:2],
                "transport_out:file": AGENT[2:],
                "provider_out": CALLER,
            },
        ],
        ids=["transport", "provider", "caller at both", "agent at both", "two ways to the caller"],
    )
    def test_it_is_heard_as_near_to_the_caller_as_there_are_frames(self, sides):
        """The transport's frames tell where there are any, else the provider's; in milliseconds."""
        assert heard(sides) == self.WAITED

    @pytest.mark.parametrize(
        "sides",
        [
            {},
            {"transport_in": CALLER},
            {"transport_in": CALLER, "transport_out": ()},
            {"transport_in": CALLER, "transport_out": ((1.5, 2.5), (6.5, 7.5))},
        ],
        ids=["no frames", "no agent", "a silent agent", "an agent who interrupts"],
    )
    def test_where_nobody_waited_nothing_is_heard(self, sides):
        """Without an answer after a silence there is no wait, of 0 s or otherwise."""
        assert heard(sides) is None

    def test_it_is_left_out_on_request(self):
        """Who only wants a score needs no silences, and gets the summary without them."""
        sides = {"transport_in": self.CALLER, "transport_out": self.AGENT}
        assert heard(sides, listened=False) is None
