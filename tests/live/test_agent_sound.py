"""What the agent sounds like: faults are found in its raw frames, and clean speech has none."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest
from ai_engine_lab.basics.audio_formats import AudioFormat, encode
from ai_engine_lab.engine.speech import load_speech, synthesise_speech
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_quality.core.agent_sound import AgentSound
from ai_engine_quality.live.frame_checks import check

STAGE = "transport_out"
SPEECH_SECONDS = 30


@functools.cache
def speech(source):
    """Return half a minute of an agent's speech, at 8 kHz and the usual level."""
    library = load_speech() if source == "prompts" else synthesise_speech()
    whole = np.frombuffer(b"".join(prompt.linear for prompt in library.agent), dtype="<i2")
    return np.resize(whole, SPEECH_SECONDS * 8_000).astype(np.float64)


def heard(samples, *, rate=8_000, encoding="slin16", characters=None, **sampling):
    """Return the score of a call of a minute in which the agent sent just these samples."""
    quality = aeq.QualityMonitor(
        registry=CollectorRegistry(), log=False, sampling=aeq.Sampling(**sampling)
    )
    quality.call_started("1.1")
    call = quality.call("1.1")
    for _ in range(20):
        call.turn_response(0.4)
    linear = np.clip(np.round(samples), -32_768, 32_767).astype("<i2").tobytes()
    data = encode(linear, AudioFormat("ulaw", 8_000)) if encoding == "ulaw" else linear
    size = rate // 50 * (1 if encoding == "ulaw" else 2)
    frames = [data[at : at + size] for at in range(0, len(data) - size + 1, size)]
    for frame in frames:
        call.audio(STAGE, frame, encoding=encoding, sample_rate=rate)
    call.frames_sent(len(frames))
    call.underflow(0)
    if characters is not None:
        call.words_spoken(characters)
    score = call.call_ended(duration=60.0)
    quality.close()
    return score


def rules(score):
    """Return the rules that hold a call."""
    return {ceiling.rule for ceiling in score.ceilings}


def rows(samples):
    """Return samples by frame, to be changed."""
    return samples.reshape(-1, 160).copy()


def with_passage(samples, start, seconds, spoil):
    """Return samples of which some seconds are spoilt."""
    out = samples.copy()
    at, end = start * 8_000, (start + seconds) * 8_000
    out[at:end] = spoil(out[at:end])
    return out


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

    @pytest.mark.parametrize("decibels", [3.0, 5.5])
    def test_an_engine_that_levels_it_frame_by_frame_makes_no_clicks(self, source, decibels):
        """A gain that steps up or down with each frame, as AVA's normaliser does, is no splice."""
        frames = rows(speech(source))
        frames[::2] *= 10 ** (-decibels / 20)
        assert "edges" not in rules(heard(frames.ravel()))


class TestFaults:
    @pytest.mark.parametrize("times", [2, 3, 4])
    def test_a_zero_order_hold_is_found(self, times):
        """Samples of a lower rate that are held are heard as at best fair."""
        held = np.repeat(speech("prompts")[::times], times)
        score = heard(held[: len(held) // 160 * 160])
        assert "held_samples" in rules(score)
        assert score.score < 75

    @pytest.mark.parametrize(("every", "words"), [(5, "one in (five|six)"), (12, "one in ")])
    def test_frames_that_come_again_are_found_and_counted(self, every, words):
        """One frame in so many is the one before again, and the explanation says so."""
        frames = rows(speech("prompts"))
        frames[1::every] = frames[0::every][: len(frames[1::every])]
        score = heard(frames.ravel())
        assert "repeated" in rules(score)
        assert re.search(f"{words}.* frames repeated", score.explain(full=True))

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

    def test_clicks_where_frames_meet_are_found(self):
        """A click at each frame's first samples comes each 20 ms, and is said so."""
        frames = rows(speech("prompts"))
        frames[:, :2] += 2_600
        score = heard(frames.ravel())
        assert "edges" in rules(score)
        said = re.search(r"clicks where frames meet, each (\d+) ms", score.explain(full=True))
        assert said is not None
        assert 20 <= int(said[1]) <= 60

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

    def test_three_corrupt_seconds_in_half_a_minute_are_found_and_timed(self):
        """The explanation says how many seconds are noise, and when the first was."""
        score = heard(with_passage(speech("prompts"), 17, 3, bytes_swapped))
        reasons = [c.reason for c in score.ceilings if c.rule == "noisy_seconds"]
        assert len(reasons) == 1
        assert any(f"noise in {n} of" in reasons[0] for n in (1, 2, 3, 4))
        assert any(f"first at 0:{n}" in reasons[0] for n in (16, 17, 18, 19))

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
        held = np.repeat(speech("prompts")[::3], 3)
        summary = heard(held[: len(held) // 160 * 160]).summary
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
    found = check(samples.astype(np.float32), rate, [None, (0.0, 0.0, 0.0), (1e4, -1e4, 1e4)])
    for one in found:
        assert all(np.isfinite(value) for value in one if value is not None)
        assert 0 <= one.flatness <= 1 + 1e-5
        assert 0 <= one.held <= 1
        assert min(one.valley, one.power, one.low, one.above, one.upper) >= 0
    assert (found[0].edge, found[1].edge is None) == (None, False)
