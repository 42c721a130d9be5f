"""What the agent sounds like: faults are found in its raw frames, and clean speech has none."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from agent_speech import SPEECH_SECONDS, STAGE, heard, speech
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_quality.core.agent_sound import AgentSound
from ai_engine_quality.live.frame_checks import EDGE_SAMPLES, check, flatness, jumps


def rules(score):
    """Return the rules that hold a call."""
    return {ceiling.rule for ceiling in score.ceilings}


def rows(samples):
    """Return samples by frame, to be changed."""
    return samples.reshape(-1, 160).copy()


def with_passage(samples, start, seconds, spoil):
    """Return samples of which some seconds are spoilt."""
    out = samples.copy()
    at, end = int(start * 8_000), int((start + seconds) * 8_000)
    out[at:end] = spoil(out[at:end])
    return out


def filtered(samples, hertz):
    """Return samples without what lies below a frequency: a Butterworth filter's six poles."""
    ratio = np.fft.rfftfreq(len(samples), 1 / 8_000) / hertz
    gain = ratio**6 / np.sqrt(1 + ratio**12)
    return np.fft.irfft(np.fft.rfft(samples) * gain, len(samples))


def band_noise(low, high, below):
    """Return noise between two frequencies, in Hz, so many dB under the speech."""
    n = len(speech("prompts"))
    hertz = np.fft.rfftfreq(n, 1 / 8_000)
    spectrum = np.fft.rfft(np.random.default_rng(2).normal(0, 1, n))
    noise = np.fft.irfft(spectrum * ((hertz >= low) & (hertz <= high)), n)
    return 2_600 * 10 ** (-below / 20) * noise / np.sqrt((noise**2).mean())


def bytes_swapped(samples):
    """Return what is heard where the byte order is wrong."""
    return samples.astype("<i2").byteswap().astype(np.float64)


@pytest.mark.parametrize("source", ["prompts", "synthesised"])
class TestCleanSpeech:
    @pytest.mark.parametrize("gain", [0.55, 1.0, 1.8])
    @pytest.mark.parametrize("encoding", ["slin16", "ulaw"])
    def test_it_costs_nothing_at_any_usual_level(self, source, encoding, gain):
        """Speech as it is, quiet to loud, linear or u-law, has no fault."""
        score = heard(gain * speech(source), encoding=encoding)
        assert score.score >= 98
        assert score.ceilings == ()

    @pytest.mark.parametrize("rate", [16_000, 24_000])
    def test_straight_lines_between_its_samples_are_not_heard(self, source, rate):
        """Engines come to higher rates by straight lines: what is heard is as before."""
        places = np.arange(0, len(speech(source)) - 1, 8_000 / rate)
        lines = np.interp(places, np.arange(len(speech(source))), speech(source))
        assert heard(lines, rate=rate).score >= 98

    def test_comfort_noise_and_breath_in_its_pauses_cost_nothing(self, source):
        """What engines send as silence, and what a talker does in it, is no noise."""
        frames = rows(speech(source))
        quiet = np.sqrt((frames**2).mean(axis=1)) < 100
        noise = np.random.default_rng(1).normal(0, 90, frames.shape)
        frames[quiet] += noise[quiet]
        assert heard(frames.ravel()).score >= 98

    def test_two_of_its_calls_never_differ(self, source):
        """The same frames give the same score."""
        first, again = heard(speech(source)), heard(speech(source))
        assert first.summary.audio == again.summary.audio

    @pytest.mark.parametrize("decibels", [3.0, 5.9])
    def test_an_engine_that_levels_it_frame_by_frame_makes_no_clicks(self, source, decibels):
        """A gain that steps up or down with each frame, as AVA's normaliser does, is no splice."""
        frames = rows(speech(source))
        frames[::2] *= 10 ** (-decibels / 20)
        assert "edges" not in rules(heard(frames.ravel()))

    def test_a_line_that_begins_at_300_hz_is_not_thin(self, source):
        """What a telephone line cuts off is no fault of the agent's voice."""
        assert "thin" not in rules(heard(filtered(speech(source), 300)))


class TestFaults:
    @pytest.mark.parametrize("times", [2, 3, 4])
    def test_a_zero_order_hold_is_found(self, times):
        """Samples of a lower rate that are held are heard as poor."""
        held = np.repeat(speech("prompts")[::times], times)
        score = heard(held[: len(held) // 160 * 160])
        assert "held_samples" in rules(score)
        assert score.score < 60

    @pytest.mark.parametrize("encoding", ["slin16", "ulaw"])
    @pytest.mark.parametrize("every", [2, 3, 4])
    def test_straight_lines_between_the_samples_of_a_lower_rate_are_found(self, every, encoding):
        """At 8 kHz they are heard, through u-law's rounding too, and their rate is said."""
        whole = speech("prompts")
        lines = np.interp(np.arange(len(whole)), np.arange(0, len(whole), every), whole[::every])
        score = heard(lines, encoding=encoding)
        assert "held_samples" in rules(score)
        assert score.summary.audio[STAGE].sound.fresh == pytest.approx(8_000 / every, rel=0.05)
        assert (
            f"{8 / every:.1f}"[:1] in re.search(r"(\d),\d+ new ones a second", score.explain())[1]
        )

    def test_the_fewer_samples_are_new_the_lower_is_the_ceiling(self):
        """Two, three and four times held are heard as worse and worse."""
        whole = speech("prompts")
        scores = [
            heard(np.repeat(whole[::times], times)[: len(whole) // 160 * 160]).score
            for times in (2, 3, 4)
        ]
        assert scores == sorted(set(scores), reverse=True)

    def test_a_rate_of_8_khz_in_wider_frames_is_no_fault(self):
        """Callers hear 8 kHz: each sample twice, at 16 kHz, takes nothing from them."""
        assert "held_samples" not in rules(heard(np.repeat(speech("prompts"), 2), rate=16_000))

    def test_frames_that_are_missing_leave_edges(self):
        """One frame in five is gone, and what follows comes at once."""
        frames = rows(speech("prompts"))
        score = heard(np.delete(frames, slice(4, None, 5), axis=0).ravel())
        assert "edges" in rules(score)
        assert score.score < 90

    def test_each_edge_is_looked_at(self):
        """A click at one edge in five, those that aren't looked into otherwise, is found."""
        frames = rows(speech("prompts"))
        frames[3::5, :2] += 4_000
        assert "edges" in rules(heard(frames.ravel()))

    def test_edges_are_not_known_where_only_some_frames_are_seen(self):
        """Two frames that don't follow each other say nothing of their edge."""
        frames = rows(speech("prompts"))
        frames[:, :2] += 2_600
        score = heard(frames.ravel(), level_every=2)
        assert score.summary.audio[STAGE].sound.edges is None

    def test_what_follows_a_hole_is_no_click(self):
        """Holes of silence have a rule of their own: their ends are not counted twice."""
        frames = rows(speech("prompts"))
        frames[::20] = 0
        assert heard(frames.ravel()).summary.audio[STAGE].sound.edges < 0.01

    @pytest.mark.parametrize(("hertz", "most"), [(500, 74), (900, 62)])
    def test_a_voice_without_its_low_part_is_thin_and_never_poor(self, hertz, most):
        """PESQ forgives what ViSQOL doesn't: the ceiling lies between."""
        score = heard(filtered(speech("prompts"), hertz))
        assert [c.ceiling for c in score.ceilings if c.rule == "thin"] == [most]
        assert "a thin voice" in score.explain(full=True)
        assert score.score >= 60

    def test_records_from_before_say_less_and_count_as_before(self):
        """Where a record doesn't say how many samples were new, held ones are fair at best."""
        held = np.repeat(speech("prompts")[::2], 2)
        plain = heard(held).summary.to_dict()
        for later in ("fresh", "low"):
            plain["audio"][STAGE]["sound"].pop(later)
        again = aeq.CallSummary.from_dict(plain)
        assert again.audio[STAGE].sound.fresh is None
        assert "held_samples" in rules(aeq.score(again))
        assert "thin" not in rules(aeq.score(again))

    @pytest.mark.parametrize(("every", "words"), [(5, "one in (five|six)"), (12, "one in ")])
    def test_frames_that_come_again_are_found_and_counted(self, every, words):
        """One frame in so many is the one before again, and the explanation says so."""
        frames = rows(speech("prompts"))
        frames[1::every] = frames[0::every][: len(frames[1::every])]
        score = heard(frames.ravel())
        assert "repeated" in rules(score)
        assert re.search(f"{words}.* frames repeated", score.explain(full=True))

    @pytest.mark.parametrize("encoding", ["slin16", "ulaw"])
    @pytest.mark.parametrize("size", [2, 3, 5, 10])
    def test_pieces_that_are_sent_twice_are_found(self, size, encoding):
        """Packets of several frames, of which each sixth comes again: up to 0.2 s later."""
        frames = rows(speech("prompts"))
        pieces = frames[: len(frames) // size * size].reshape(-1, size * 160)
        counts = np.where(np.arange(len(pieces)) % 6 == 3, 2, 1)
        score = heard(np.repeat(pieces, counts, axis=0).ravel(), encoding=encoding)
        assert "repeated" in rules(score)
        again = score.summary.audio[STAGE].sound.repeated / score.summary.audio[STAGE].active
        assert 0.08 <= again <= 1 / 6

    def test_a_tone_is_not_a_frame_that_comes_again(self):
        """A beep of 1,000 Hz has the same bytes in each frame, and nothing is wrong with it."""
        tone = 4_000 * np.sin(2 * np.pi * 1_000 * np.arange(8_000) / 8_000)
        score = heard(np.concatenate([speech("prompts"), tone]))
        assert score.summary.audio[STAGE].sound.repeated == 0
        assert score.score >= 98

    def test_silent_frames_that_nobody_reported_are_found(self):
        """One frame in 20 is digital silence in the midst of words."""
        frames = rows(speech("prompts"))
        frames[::20] = 0
        score = heard(frames.ravel())
        assert "cut_speech" in rules(score)
        assert score.score < 75

    def test_silent_frames_with_soft_edges_are_found(self):
        """The sound fades out of the frame before, within 2 ms, and into the frame after."""
        frames = rows(speech("prompts"))
        ramp = np.linspace(1, 0, 16)
        frames[20::20] = 0
        frames[19::20, -16:] *= ramp
        frames[21::20, :16] *= ramp[::-1]
        score = heard(frames.ravel())
        assert "cut_speech" in rules(score)
        assert score.score <= 84

    def test_short_pauses_between_softer_sounds_are_no_holes(self):
        """A voice that is silent for 0.1 s where its level is 4 dB lower, as it does of itself."""
        frames = rows(speech("prompts"))
        levels = np.sqrt((frames**2).mean(axis=1))
        speech_level = np.sqrt((levels[levels >= 200] ** 2).mean())
        softer = (levels >= 200) & (levels < 0.6 * speech_level)
        places = np.flatnonzero(softer[:-1] & softer[1:])[::6]
        ramp = np.linspace(0, 1, 16)
        frames[places, -16:] *= ramp[::-1]
        frames[places + 1, :16] *= ramp
        paused = np.insert(frames, np.repeat(places + 1, 5), 0, axis=0)
        assert len(places) >= 10
        assert heard(paused.ravel()).summary.audio[STAGE].sound.holes == 0

    def test_two_such_pauses_are_chance(self):
        """A clean voice may halt twice in mid-word; three times is a fault."""
        frames = rows(speech("prompts"))
        levels = np.sqrt((frames**2).mean(axis=1))
        speech_level = np.sqrt((levels[levels >= 200] ** 2).mean())
        loud = np.flatnonzero(levels > 1.1 * speech_level)
        loud = loud[np.isin(loud - 1, loud) & np.isin(loud + 1, loud)]
        places = loud[[len(loud) // 4, len(loud) // 2, 3 * len(loud) // 4]]
        ramp = np.linspace(0, 1, 16)
        for count, holes in ((2, 0), (3, 3)):
            spoilt = frames.copy()
            for place in places[:count]:
                spoilt[place] = 0
                spoilt[place - 1, -16:] *= ramp[::-1]
                spoilt[place + 1, :16] *= ramp
            assert heard(spoilt.ravel()).summary.audio[STAGE].sound.holes == holes

    def test_clicks_where_frames_meet_are_found(self):
        """A click at each frame's first samples comes each 20 ms, and is said so."""
        frames = rows(speech("prompts"))
        frames[:, :2] += 2_600
        score = heard(frames.ravel())
        assert "edges" in rules(score)
        said = re.search(r"clicks where frames meet, each (\d+) ms", score.explain(full=True))
        assert said is not None
        assert 20 <= int(said[1]) <= 80  # in quiet frames more, in loud ones fewer are heard

    def test_clicks_within_frames_are_found(self):
        """Twenty impulses a second are clicks."""
        chance = np.random.default_rng(3)
        samples = speech("prompts").copy()
        samples[chance.integers(0, len(samples), 20 * SPEECH_SECONDS)] += 12_000
        assert "clicks" in rules(heard(samples))

    @pytest.mark.parametrize(("below", "most"), [(25, 64), (15, 54), (5, 39)])
    def test_white_noise_is_found_and_graded(self, below, most):
        """The louder the noise under the speech, the lower the ceiling."""
        level = 2_600 * 10 ** (-below / 20)
        noise = np.random.default_rng(2).normal(0, level, len(speech("prompts")))
        score = heard(speech("prompts") + noise)
        assert "noise_level" in rules(score)
        assert score.score <= most

    @pytest.mark.parametrize("below", [5, 15])
    @pytest.mark.parametrize(
        ("low", "high", "words"),
        [(0, 900, "200 to 900"), (1_000, 2_000, "900 to 2,000"), (2_000, 3_800, "2,000 to 3,800")],
    )
    def test_noise_in_a_part_of_the_band_is_found_and_named(self, low, high, words, below):
        """Noise that leaves the valleys elsewhere deep is heard, and the explanation says where."""
        score = heard(speech("prompts") + band_noise(low, high, below))
        (reason,) = (c.reason for c in score.ceilings if c.rule == "noise_level")
        assert f"noise at {words} Hz in the agent's speech" in reason
        assert score.score <= (64 if below == 15 else 49)

    @pytest.mark.parametrize("low", [0, 1_000, 2_000])
    def test_noise_of_a_band_that_is_hardly_heard_costs_nothing(self, low):
        """At 35 dB under the speech it is as quiet as what clean recordings have."""
        assert not rules(heard(speech("prompts") + band_noise(low, low + 900, 35)))

    def test_a_thin_voice_has_no_noise_in_a_band(self):
        """Where a filter took most of the voice, its own noise seems louder than it is."""
        summary = heard(speech("prompts") + band_noise(1_000, 2_000, 15)).summary
        levels = summary.audio[STAGE]
        thin = replace(
            summary, audio={STAGE: replace(levels, sound=replace(levels.sound, low=2e-5))}
        )
        assert rules(aeq.score(thin)) == {"thin"}

    def test_a_long_track_tells_noise_of_its_bands_in_bounded_memory(self):
        """Of a track of five minutes as much is told as of half a minute."""
        noisy = speech("prompts") + band_noise(1_000, 2_000, 15)
        short, long = (heard(np.tile(noisy, times)).summary for times in (1, 10))
        noise = [each.audio[STAGE].sound.band_noise for each in (short, long)]
        assert noise[1] == pytest.approx(noise[0], rel=0.1)

    @pytest.mark.parametrize("encoding", ["slin16", "ulaw"])
    @pytest.mark.parametrize(("levels", "most"), [(1.3, 64), (0.8, 59), (0.3, 44)])
    def test_speech_that_was_clipped_and_made_quieter_is_found(self, levels, most, encoding):
        """Its waves are cut off at one height, which is under full scale."""
        top = levels * 2_600
        score = heard(speech("prompts").clip(-top, top), encoding=encoding)
        assert "then made quieter: flat tops" in score.explain(full=True)
        assert score.score <= most

    @pytest.mark.parametrize("offset", [0, 300, 1_500])
    def test_an_offset_is_no_flat_top(self, offset):
        """Speech beside an offset has the same tops as without one."""
        sound = heard(speech("prompts") + offset).summary.audio[STAGE].sound
        assert sound.flat < aeq.DEFAULT_POLICY.sound.flat_tops / 2

    def test_clipping_at_full_scale_is_told_once(self):
        """What is clipped at full scale is counted there, and no flat top under it."""
        sound = heard((8 * speech("prompts")).clip(-32_768, 32_767)).summary.audio[STAGE].sound
        assert sound.flat < aeq.DEFAULT_POLICY.sound.flat_tops

    def test_three_corrupt_seconds_in_half_a_minute_are_found_and_timed(self):
        """The explanation says how many seconds are noise, and when the first was."""
        score = heard(with_passage(speech("prompts"), 17, 3, bytes_swapped))
        reasons = [c.reason for c in score.ceilings if c.rule == "noisy_seconds"]
        assert len(reasons) == 1
        assert any(f"noise in {n} of" in reasons[0] for n in (1, 2, 3, 4))
        assert any(f"first at 0:{n}" in reasons[0] for n in (16, 17, 18, 19))

    @pytest.mark.parametrize("start", [4, 17.2, 17.6, 22.4, 25])
    def test_one_corrupt_second_is_found_wherever_it_begins(self, start):
        """A second of noise counts, and does not have to begin with a window."""
        score = heard(with_passage(speech("prompts"), start, 1, bytes_swapped))
        assert "noisy_seconds" in rules(score)

    def test_speech_without_anything_over_2_khz_sounds_dull(self):
        """What was limited to half of its band is at best good."""
        spectrum = np.fft.rfft(speech("prompts"))
        spectrum[len(spectrum) * 2 // 5 :] = 0
        score = heard(np.fft.irfft(spectrum))
        assert "narrow" in rules(score)

    @pytest.mark.parametrize(("factor", "words"), [(0.5, "half speed"), (2.0, "double speed")])
    def test_a_wrong_rate_is_found_by_the_text(self, factor, words):
        """So many characters a second nobody speaks: at most 20, and it says so."""
        voice = heard(speech("prompts")).summary.heard.agent_voice
        places = np.arange(0, len(speech("prompts")) - 1, factor)
        played = np.interp(places, np.arange(len(speech("prompts"))), speech("prompts"))
        score = heard(played, characters=round(16 * voice))
        assert score.score <= 20
        assert any(words in c.reason and "characters a second" in c.reason for c in score.ceilings)

    @pytest.mark.parametrize("pace", [13, 16, 20])
    def test_a_usual_pace_is_no_fault(self, pace):
        """Slow and quick talkers are left in peace."""
        voice = heard(speech("prompts")).summary.heard.agent_voice
        assert heard(speech("prompts"), characters=round(pace * voice)).score >= 98

    def test_text_that_was_told_in_part_only_is_no_pace(self):
        """Three characters a second are a text of which most was not told."""
        assert heard(speech("prompts"), characters=20).score >= 98

    @pytest.mark.parametrize("version", ["v1", "v2"])
    def test_earlier_policies_don_t_know_them(self, version):
        """A call keeps the score that an earlier policy gave it."""
        held = np.repeat(speech("prompts")[::3], 3)[: len(speech("prompts"))].clip(-2_000, 2_000)
        summary = heard(held[: len(held) // 160 * 160]).summary
        assert rules(aeq.score(summary)) >= {"held_samples", "clipping"}
        assert not rules(aeq.score(summary, aeq.Policy.load(version)))

    def test_what_was_heard_survives_storing(self):
        """A summary goes through plain types and back with every measurement."""
        summary = heard(with_passage(speech("prompts"), 17, 3, bytes_swapped)).summary
        again = aeq.CallSummary.from_dict(summary.to_dict())
        assert again == summary
        assert isinstance(again.audio[STAGE].sound, AgentSound)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(80, 960),
    st.sampled_from([8_000, 16_000, 24_000, 48_000]),
    st.integers(0, 2**32 - 1),
    st.floats(0, 40_000),
)
def test_any_samples_are_measured_within_bounds(many, rate, seed, level):
    """Whatever a frame holds, each measurement is finite and in its range."""
    samples = np.random.default_rng(seed).normal(0, level, (3, many)).clip(-32_768, 32_767)
    for one in check(samples.astype(np.float32), rate):
        assert all(value is None or np.isfinite(value).all() for value in one)
        assert 0 <= one.flatness <= 1 + 1e-5
        assert 0 <= one.held <= 1
        assert 0 <= one.fresh <= rate
        assert 0 <= one.flat <= 1
        assert min(one.valley, one.power, one.low, one.above, one.upper, *one.bands) >= 0


@settings(max_examples=60, deadline=None)
@given(st.integers(80, 400), st.floats(100, 8_000), st.floats(0, 6), st.floats(0.46, 2.1))
def test_a_gain_of_up_to_6_db_is_no_jump_and_a_click_is(many, level, phase, gain):
    """Where a line goes on, louder or softer, there is no jump; where it breaks off, there is."""
    size = EDGE_SAMPLES + many
    tone = level * np.sin(np.arange(size) / 9 + phase)
    frame, end = gain * tone[EDGE_SAMPLES:], tone[:EDGE_SAMPLES]
    clicked = frame.copy()
    clicked[:2] += 4 * level

    def jump(samples):
        row = samples.astype(np.float32).reshape(1, -1)
        rms = np.sqrt((row.astype(np.float64) ** 2).mean(axis=-1))
        return jumps(row, 8_000, rms, np.array([0]), end.astype(np.float32).reshape(1, -1))

    assert jump(frame) == []
    assert jump(clicked) == [0]


@pytest.mark.parametrize("seconds", [0.01, 0.015, 0.03, 0.04, 0.05, 0.06])
@pytest.mark.parametrize("source", ["prompts", "synthesised"])
class TestFramesOfAnyLength:
    def test_clean_speech_sounds_as_in_frames_of_20_ms(self, source, seconds):
        """Thresholds are of 20 ms: what is measured of a voice doesn't depend on its frames."""
        usual, other = (
            heard(speech(source), seconds=each).summary.audio[STAGE].sound
            for each in (0.02, seconds)
        )
        assert heard(speech(source), seconds=seconds).ceilings == ()
        assert other.clicks <= usual.clicks + 0.02
        assert abs(other.speed - usual.speed) < 0.5
        assert abs(other.below - usual.below) < 1.5
        assert abs(other.fall - usual.fall) < 1.5
        assert 0.9 < other.pitch / usual.pitch < 1.1

    def test_about_ten_pieces_of_a_second_are_looked_into(self, source, seconds):
        """So a hissing sound is no evidence in long frames that it isn't in short ones."""
        usual, other = (
            heard(speech(source), seconds=each).summary.audio[STAGE].sound.checked
            for each in (0.02, seconds)
        )
        assert 0.6 < other / usual < 2.2

    def test_a_passage_of_noise_is_found_as_long_as_it_is(self, source, seconds):
        """Of four corrupt seconds about half and more are counted."""
        found = heard(with_passage(speech(source), 10, 4, bytes_swapped), seconds=seconds)
        assert "noisy_seconds" in rules(found)
        assert 1.9 < found.summary.audio[STAGE].sound.noisy_seconds < 5.0

    def test_clicks_within_frames_are_found(self, source, seconds):
        """Eighty impulses a second are in every frame, and in most pieces of one."""
        samples = speech(source).copy()
        places = np.random.default_rng(4).integers(0, len(samples), 80 * SPEECH_SECONDS)
        samples[places] += 12_000
        assert "clicks" in rules(heard(samples, seconds=seconds))

    def test_the_noise_check_of_v1_reads_whole_frames(self, source, seconds):
        """v1 and v2 know flatness and clipping as of each tenth frame, whatever v3 looks into."""
        usual = heard(speech(source), seconds=seconds).summary.audio[STAGE]
        size = round(8_000 * seconds)
        frames = speech(source)[: len(speech(source)) // size * size].reshape(-1, size)
        loud = frames[::10][np.sqrt((frames[::10] ** 2).mean(axis=1)) >= 200]
        assert usual.flatness == pytest.approx(np.median(flatness(loud, 8_000)), rel=0.03)


def test_frames_of_another_length_amid_a_call_are_heard_on():
    """An engine that changes its frames, back and forth, is measured as before."""
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False)
    quality.call_started("1.1")
    call = quality.call("1.1")
    linear = speech("prompts").astype("<i2").tobytes()
    at = 0
    for number in range(800):
        size = (320, 960, 160, 640)[number // 7 % 4]
        call.audio(STAGE, linear[at : at + size], encoding="slin16", sample_rate=8_000)
        at += size
    sound = call.call_ended(duration=30.0).summary.audio[STAGE].sound
    quality.close()
    assert sound.checked > 60
    assert sound.clicks == 0
    assert sound.edges == 0


@pytest.mark.parametrize(("shape", "clicks"), [((1, -2, 1), False), ((1, 1, 1), True)])
def test_what_is_finer_than_callers_hear_is_no_click(shape, clicks):
    """Pulses are the sharper, the finer they are sampled: at 48 kHz their means count."""
    frame = 3_000 * np.sin(2 * np.pi * 300 * np.arange(960) / 48_000)
    frame[480:483] += 6_000 * np.array(shape)
    (found,) = check(frame[None].astype(np.float32), 48_000)
    assert found.click is clicks


@pytest.mark.parametrize(("low", "found"), [(0.00002, {"thin"}), (0.06, {"noisy_seconds"})])
def test_a_thin_voice_has_no_seconds_of_noise(low, found):
    """Without its low part a voice is as flat as noise, which has a twelfth of its power there."""
    summary = heard(speech("prompts")).summary
    levels = summary.audio[STAGE]
    sound = replace(levels.sound, noisy_seconds=4.0, noisy_from=3.0, low=low)
    call = replace(summary, audio={STAGE: replace(levels, sound=sound)})
    assert rules(aeq.score(call)) == found


@pytest.mark.parametrize("encoding", ["slin16", "ulaw"])
@pytest.mark.parametrize("begins", [0.0, 0.25, 0.6])
@pytest.mark.parametrize(
    "hertz",
    [
        (1_000,),
        (450,),
        (350, 800),
        pytest.param((440, 480), id="ringing, again each 0.05 s"),
        pytest.param((480, 620), id="busy, each 0.1 s"),
        pytest.param((350, 440), id="dial tone, each 0.1 s"),
        pytest.param((700, 1_200), id="like a key"),
        pytest.param((400, 505, 610), id="a chord, each 0.2 s"),
    ],
)
def test_a_beep_between_sentences_is_no_repeated_frame(hertz, begins, encoding):
    """Its frames are the same byte for byte, wherever in its period each of them begins."""
    samples = speech("prompts").copy()
    places = np.arange(2_400) / 8_000
    beep = 3_000 * sum(np.sin(2 * np.pi * (each * places + begins)) for each in hertz)
    for at in range(8_000, len(samples) - 8_000, 32_000):
        samples[at : at + 2_400] = beep
    assert "repeated" not in rules(heard(samples, encoding=encoding))


@pytest.mark.parametrize(("seconds", "said"), [(0.01, 10), (0.02, 20), (0.06, 60)])
def test_clicks_at_edges_are_told_by_how_often_they_come(seconds, said):
    """In frames of 60 ms a third as many come in a second, and so much less is heard of them."""
    size = round(8_000 * seconds)
    frames = speech("prompts")[: len(speech("prompts")) // size * size].reshape(-1, size).copy()
    frames[:, :2] += 6_000
    score = heard(frames.ravel(), seconds=seconds)
    edges = score.summary.audio[STAGE].sound.edges
    assert 0.6 < edges * max(1, seconds / 0.02) <= 1.0
    (reason,) = (c.reason for c in score.ceilings if c.rule == "edges")
    each = int(re.search(r"each (\d+) ms", reason)[1])
    assert said <= each < 1.7 * said


def test_voices_of_more_than_16_khz_are_sampled_finely_enough():
    """At 24 kHz, too, what is finer than callers hear is no click."""
    frame = 3_000 * np.sin(2 * np.pi * 300 * np.arange(480) / 24_000)
    frame[240:242] += (6_000, -6_000)
    (found,) = check(frame[None].astype(np.float32), 24_000)
    assert not found.click
