"""Raw frames: decoding, levels, sampling, and noise told from speech, on real speech."""

from __future__ import annotations

import gc
import itertools
import math
import sys
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from ai_engine_lab.basics.audio_formats import AudioFormat, encode
from ai_engine_lab.engine.speech import frames_of, load_speech, synthesise_speech
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from telephone_samples import ALL_CODES, nearest, pcm
from two_sides import frames as frames_of_both

import ai_engine_quality as aeq
from ai_engine_quality.core.agent_sound import DEAD_RMS, SoundAccumulator
from ai_engine_quality.core.call import CallAccumulator, FrameFormat
from ai_engine_quality.core.ear import AGENT, CALLER
from ai_engine_quality.core.observations import ACTIVE_RMS
from ai_engine_quality.live.audio import FrameBatch
from ai_engine_quality.live.encodings import SAMPLE_RATES, decode, frame_rms
from ai_engine_quality.live.frame_checks import flatness

if sys.version_info < (3, 13):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop
else:
    audioop = None

EVERY_FRAME = aeq.Sampling(level_every=1, noise_every=1)
ONE_IN_FOUR = aeq.Sampling(level_every=4)


def heard(frames, *, stage="provider_out", encoding="slin16", rate=8_000, sampling=EVERY_FRAME):
    """Return the score of a call of a minute of which these raw frames were reported."""
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, sampling=sampling)
    quality.call_started("1.1")
    call = quality.call("1.1")
    for frame in frames:
        call.audio(stage, frame, encoding=encoding, sample_rate=rate)
    score = call.call_ended(duration=60.0)
    quality.close()
    return score


def levels(frames, **how):
    """Return what was measured of raw frames."""
    return heard(frames, **how).summary.audio[how.get("stage", "provider_out")]


def sine(amplitude, *, rate=8_000, hertz=1_000, offset=0.0):
    """Return a frame of 20 ms of a sine, as slin16."""
    return pcm(offset + amplitude * np.sin(2 * np.pi * hertz * np.arange(rate // 50) / rate))


def square(level):
    """Return a frame of 20 ms of slin16 at 8 kHz with exactly this RMS."""
    return pcm(np.tile([level, -level], 80))


def white(rms, many, seed=1):
    """Return frames of white noise at 8 kHz."""
    noise = np.random.default_rng(seed).normal(0, rms, (many, 160))
    return [pcm(row) for row in np.clip(noise, -32_768, 32_767)]


def ulaw_value(code):
    """Return the value of a u-law code, by G.711's own words: sign, segment, step."""
    bits = code ^ 0xFF
    sign, segment, step = bits >> 7, (bits >> 4) & 7, bits & 15
    magnitude = (2 * step + 33) * 2**segment - 33
    return -4 * magnitude if sign else 4 * magnitude


def alaw_value(code):
    """Return the value of an A-law code, by G.711's own words: sign, segment, step."""
    bits = code ^ 0x55
    sign, segment, step = bits >> 7, (bits >> 4) & 7, bits & 15
    magnitude = 2 * step + 1 if segment == 0 else (2 * step + 33) * 2 ** (segment - 1)
    return 8 * magnitude if sign else -8 * magnitude


def encode_at(level, samples, encoding):
    """Return so many samples of about this RMS, in an encoding."""
    if encoding == "slin16":
        return pcm(np.resize([level, -level], samples))
    return nearest(np.resize([level, -level], samples), encoding)


class TestDecoding:
    @pytest.mark.parametrize(("encoding", "value"), [("ulaw", ulaw_value), ("alaw", alaw_value)])
    def test_each_of_the_256_codes_has_the_value_of_g711(self, encoding, value):
        """Every code of u-law and A-law is the value that the Recommendation gives it."""
        assert decode(ALL_CODES, encoding).tolist() == [value(code) for code in range(256)]

    def test_linear_samples_are_little_endian(self):
        """Two bytes are one sample, the low byte first."""
        assert decode(b"\x01\x00\x00\x01\xff\xff\x00\x80", "slin16").tolist() == [
            1,
            256,
            -1,
            -32_768,
        ]

    if audioop is not None:

        @pytest.mark.parametrize("encoding", ["ulaw", "alaw"])
        def test_each_of_the_256_codes_is_what_audioop_says(self, encoding):
            """Every code decodes as by the standard library of Python before 3.13."""
            convert = audioop.ulaw2lin if encoding == "ulaw" else audioop.alaw2lin
            expected = np.frombuffer(convert(ALL_CODES, 2), dtype="<i2")
            assert decode(ALL_CODES, encoding).tolist() == expected.tolist()

        @pytest.mark.parametrize("rms", [1, 50, 200, 2_600, 20_000, 32_767])
        def test_a_frames_rms_is_what_audioop_says(self, rms):
            """The RMS of a frame is that of ``audioop.rms``, but for its rounding."""
            for frame in white(rms, 50):
                samples = decode(frame, "slin16")[np.newaxis]
                assert frame_rms(samples)[0] == pytest.approx(audioop.rms(frame, 2), abs=1)


class TestLevels:
    @pytest.mark.parametrize("rate", [8_000, 16_000, 24_000])
    @pytest.mark.parametrize("amplitude", [400.0, 3_677.0, 30_000.0])
    def test_a_sine_has_its_amplitude_over_the_root_of_2(self, rate, amplitude):
        """Whole periods of a sine have an RMS of amplitude / sqrt 2, at every rate."""
        measured = levels([sine(amplitude, rate=rate)], rate=rate)
        assert measured.rms == pytest.approx(amplitude / math.sqrt(2), rel=1e-3)
        assert (measured.frames, measured.active_seconds) == (1, pytest.approx(0.02))

    @pytest.mark.parametrize("encoding", ["ulaw", "alaw"])
    def test_a_constant_code_has_its_value(self, encoding):
        """A frame of one loud code has the level of that code's value."""
        measured = levels([b"\x00" * 160], encoding=encoding)
        assert measured.rms == pytest.approx(abs(decode(b"\x00", encoding)[0]))

    def test_a_talker_who_is_silent_most_of_the_time_has_the_same_level(self):
        """Seven silent frames in ten change nothing of a perfect talker's level."""
        talking = [square(2_600)] * 60
        mostly_silent = ([square(2_600)] * 3 + [square(12)] * 7) * 20
        measured = levels(mostly_silent)
        assert measured.rms == levels(talking).rms == pytest.approx(2_600)
        assert (measured.frames, measured.active) == (200, 60)
        assert heard(mostly_silent).factor("rms").penalty == 0

    @pytest.mark.parametrize(("level", "active"), [(199, 0), (200, 1), (201, 1)])
    def test_speech_begins_at_an_rms_of_200(self, level, active):
        """A frame under 200 is silence; 200 itself is speech."""
        assert levels([square(level)]).active == active

    def test_the_spread_is_read_from_groups_of_50_frames(self):
        """A speaker who rises by 12 dB every second has the spread that numpy gives."""
        group_levels = [500, 2_000, 8_000, 500, 2_000, 8_000, 500, 2_000]
        measured = levels([square(level) for level in group_levels for _ in range(50)])
        decibels = 20 * np.log10(group_levels)
        expected = np.percentile(decibels, 75) - np.percentile(decibels, 25)
        assert measured.spread_db == pytest.approx(expected, abs=1e-3)

    def test_a_constant_offset_is_measured(self):
        """The mean of the samples is the DC offset, sign included."""
        frames = [sine(3_000, offset=-5_452)] * 30
        assert levels(frames).dc == pytest.approx(-5_452, abs=1)

    def test_clipping_is_the_share_of_samples_at_full_scale(self):
        """A quarter of the samples at full scale is a clipping of 0.25."""
        frame = pcm(np.tile([32_767, 1_000, -1_000, 500], 40))
        assert levels([frame] * 20).clipped == pytest.approx(0.25)

    @pytest.mark.parametrize(("code", "encoding"), [(0x00, "ulaw"), (0x80, "ulaw"), (0x2A, "alaw")])
    def test_the_largest_code_of_a_telephone_line_is_full_scale(self, code, encoding):
        """The largest u-law and A-law values count as clipped."""
        assert levels([bytes([code]) * 160] * 20, encoding=encoding).clipped == 1.0

    def test_ordinary_audio_is_not_clipped(self):
        """A sine of half of full scale has no sample at full scale."""
        assert levels([sine(16_000)] * 20).clipped == 0


class TestFlatness:
    def test_it_is_the_ratio_of_the_means_of_the_power_spectrum(self):
        """Geometric over arithmetic mean of the bins of 200 to 3800 Hz, by a Hann window."""
        noise = np.random.default_rng(2).normal(0, 3_000, (5, 160))
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(160) / 159)
        power = np.abs(np.fft.rfft(noise * window, axis=1)) ** 2
        hertz = np.arange(81) * 50
        chosen = power[:, (hertz >= 200) & (hertz <= 3_800)]
        expected = np.exp(np.log(chosen).mean(axis=1)) / chosen.mean(axis=1)
        assert flatness(noise.astype(np.float32), 8_000) == pytest.approx(expected, rel=1e-3)

    @pytest.mark.parametrize("rate", [8_000, 16_000, 24_000])
    def test_a_tone_is_not_flat_and_white_noise_is(self, rate):
        """A sine lies near 0; white noise near e to the minus Euler's constant, 0.56."""
        tone = np.frombuffer(sine(5_000, rate=rate), dtype="<i2").astype(np.float32)
        noise = np.random.default_rng(3).normal(0, 5_000, (200, rate // 50)).astype(np.float32)
        assert flatness(tone[np.newaxis], rate)[0] < 0.01
        assert np.median(flatness(noise, rate)) == pytest.approx(0.56, abs=0.06)

    @pytest.mark.parametrize(("frames", "known"), [(19, False), (20, True)])
    def test_it_needs_20_active_frames(self, frames, known):
        """The median of fewer than 20 frames says nothing; silence is not among them."""
        measured = levels(white(3_000, frames) + [square(10)] * 30)
        assert (measured.flatness is not None) is known


class TestSampling:
    def test_each_frame_is_measured_by_default(self):
        """The ear needs the level of each frame: of 40, all are measured."""
        measured = levels([square(3_000)] * 40, sampling=None)
        assert (measured.frames, measured.active_seconds) == (40, pytest.approx(0.8))

    def test_one_in_four_stands_for_all_four_where_told(self):
        """Of 40 frames ten are measured, from the first on, and stand for all of their speech."""
        frames = [square(3_000 if number % 4 == 0 else 10) for number in range(40)]
        measured = levels(frames, sampling=ONE_IN_FOUR)
        assert (measured.frames, measured.active) == (10, 10)
        assert measured.rms == pytest.approx(3_000)
        assert measured.active_seconds == pytest.approx(0.8)

    def test_every_tenth_frame_is_taken_for_the_noise_check_by_default(self):
        """Only what lies in each tenth frame is in the DC offset and the clipping."""
        frames = [sine(2_000, offset=900 if number % 10 == 0 else 0) for number in range(400)]
        assert levels(frames, sampling=None).dc == pytest.approx(900, abs=1)

    def test_every_fifth_frame_is_looked_into_by_default(self):
        """Of 400 frames 80 are checked for what the agent sounds like."""
        assert levels([sine(2_000)] * 400, sampling=None).sound.checked == 80

    @pytest.mark.parametrize("frames", [1, 3, 4, 5, 39, 41, 1_000])
    def test_a_sample_of_any_number_of_frames_is_a_quarter(self, frames):
        """However many frames come, one in four is measured, the first of them included."""
        assert levels([square(3_000)] * frames, sampling=ONE_IN_FOUR).frames == math.ceil(
            frames / 4
        )

    def test_each_stage_is_sampled_by_its_own_count(self):
        """Frames of two stages that come in turns are each sampled one in four."""
        quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, sampling=ONE_IN_FOUR)
        quality.call_started("1.1")
        for _ in range(40):
            for stage in ("provider_out", "transport_in"):
                quality.audio("1.1", stage, square(3_000), encoding="slin16", sample_rate=8_000)
        audio = quality.call_ended("1.1", duration=60.0).summary.audio
        quality.close()
        assert {stage: measured.frames for stage, measured in audio.items()} == {
            "provider_out": 10,
            "transport_in": 10,
        }

    @pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "4", None])
    def test_a_wrong_sampling_is_refused_at_start_up(self, wrong):
        """A sampling that is no whole number over 0 is refused by its name."""
        with pytest.raises(ValueError, match="level_every"):
            aeq.QualityMonitor(
                registry=CollectorRegistry(), sampling=aeq.Sampling(level_every=wrong)
            )


class TestBatches:
    def test_calls_that_share_a_batch_keep_their_own_levels(self):
        """Frames of seven calls in three formats, in turns, go to their own call each."""
        formats = [("slin16", 8_000), ("slin16", 16_000), ("ulaw", 8_000)]
        quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, sampling=EVERY_FRAME)
        calls = {f"1.{number}": 400.0 * (number + 1) for number in range(7)}
        for call_id in calls:
            quality.call_started(call_id)
        for turn, (call_id, amplitude) in itertools.product(range(120), calls.items()):
            encoding, rate = formats[(turn + int(call_id[2:])) % 3]
            linear = sine(amplitude * math.sqrt(2))
            frame = encode(linear, AudioFormat(encoding, rate))
            quality.audio(call_id, "provider_out", frame, encoding=encoding, sample_rate=rate)
        for call_id, rms in calls.items():
            measured = quality.call_ended(call_id, duration=60.0).summary.audio["provider_out"]
            assert measured.frames == 120
            assert measured.rms == pytest.approx(rms, rel=0.02)
        quality.close()

    @pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data))])
    def test_a_frame_that_its_owner_writes_over_is_measured_as_it_was(self, kind):
        """A bytearray or memoryview is copied: engines use their buffers again."""
        quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, sampling=EVERY_FRAME)
        quality.call_started("1.1")
        frame = kind(square(3_000))
        quality.audio("1.1", "provider_out", frame, encoding="slin16", sample_rate=8_000)
        frame[:] = square(100)
        measured = quality.call_ended("1.1", duration=60.0).summary.audio["provider_out"]
        quality.close()
        assert (measured.active, measured.rms) == (1, pytest.approx(3_000))

    def test_frames_that_wait_are_measured_before_the_score(self):
        """A call that ends with a batch half full has all of its frames in its score."""
        assert levels([square(3_000)] * 10).frames == 10

    def test_a_call_that_ended_gets_no_more_frames(self):
        """Frames that come late change neither that call nor another."""
        quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, sampling=EVERY_FRAME)
        for call_id in ("1.1", "1.2"):
            quality.call_started(call_id)
        late = quality.call("1.1")
        quality.audio("1.2", "provider_out", square(1_000), encoding="slin16", sample_rate=8_000)
        quality.call_ended("1.1", duration=60.0)
        late.audio("provider_out", square(9_000), encoding="slin16", sample_rate=8_000)
        measured = quality.call_ended("1.2", duration=60.0).summary.audio["provider_out"]
        quality.close()
        assert (measured.frames, measured.rms) == (1, pytest.approx(1_000))


def long_speech(library):
    """Return 1,500 frames of the agent's prompts, one after the other."""
    frames = frames_of(library.agent)
    return list(itertools.islice(itertools.cycle(frames), 1_500))


SPEECH = {
    "prompts": long_speech(load_speech()),
    "synthesised": long_speech(synthesise_speech()),
}
"""Debian's telephone prompts (where they are not installed, synthesised), and a made-up voice."""


def is_noise(frames, **how):
    """Return whether frames, sampled by default, hold the call to 20 as noise."""
    return 20 in [ceiling.ceiling for ceiling in heard(frames, sampling=None, **how).ceilings]


@pytest.mark.parametrize("speech", SPEECH.values(), ids=SPEECH)
class TestNoiseOnSpeech:
    def test_clean_speech_is_not_noise(self, speech):
        """Telephone prompts are far from flat, and cost nothing."""
        call = heard(speech, sampling=None)
        assert call.summary.audio["provider_out"].flatness < 0.05
        assert call.factor("codec").observed is False
        assert call.factor("rms").penalty == 0
        assert not is_noise(speech)

    def test_speech_through_u_law_is_not_noise(self, speech):
        """Prompts as a telephone line carries them, read as what they are, are clean."""
        coded = [encode(frame, AudioFormat("ulaw", 8_000)) for frame in speech]
        assert not is_noise(coded, encoding="ulaw")

    def test_noisy_speech_is_flat_but_not_loud(self, speech):
        """Speech with white noise at 10 dB passes the flatness, and is saved by its level."""
        linear = np.frombuffer(b"".join(speech), dtype="<i2").astype(np.float64)
        loudness = math.sqrt((linear**2).mean())
        noise = np.random.default_rng(4).normal(0, loudness / math.sqrt(10), linear.size)
        noisy = [pcm(row) for row in (linear + noise).reshape(-1, 160)]
        measured = levels(noisy, sampling=None)
        assert measured.flatness >= 0.10
        assert measured.rms < 6_000
        assert not is_noise(noisy)

    def test_u_law_bytes_read_as_linear_are_noise(self, speech):
        """A codec that is wrong costs the codec's ten points and holds the call to 20."""
        coded = b"".join(encode(frame, AudioFormat("ulaw", 8_000)) for frame in speech)
        misread = [coded[at : at + 320] for at in range(0, len(coded), 320)]
        call = heard(misread, sampling=None)
        assert (call.factor("codec").penalty, call.factor("codec").value) == (10, 1)
        assert min(ceiling.ceiling for ceiling in call.ceilings) == 20
        assert call.summary.audio["provider_out"].rms > 10_000

    def test_byte_swapped_speech_is_noise(self, speech):
        """A byte order that is wrong costs the codec's ten points and holds the call to 20."""
        swapped = [np.frombuffer(frame, dtype="<i2").byteswap().tobytes() for frame in speech]
        call = heard(swapped, sampling=None)
        assert (call.factor("codec").penalty, call.factor("codec").value) == (10, 1)
        assert min(ceiling.ceiling for ceiling in call.ceilings) == 20

    def test_noise_of_the_caller_is_not_the_agents(self, speech):
        """Byte-swapped audio at the caller's stages costs nothing."""
        swapped = [np.frombuffer(frame, dtype="<i2").byteswap().tobytes() for frame in speech]
        assert not is_noise(swapped, stage="transport_in")


class TestComfortNoise:
    @pytest.mark.parametrize("rms", [50, 150])
    def test_comfort_noise_is_not_loud_enough_to_be_noise(self, rms):
        """White noise at the level of a quiet line is flat but no speech."""
        assert not is_noise(white(rms, 600))

    def test_noise_at_the_level_of_speech_is_noise(self):
        """Noise from the first to the last frame holds the call to 20, however loud it is."""
        assert is_noise(white(2_600, 600))

    def test_loud_white_noise_is_noise(self):
        """What is flat and loud is what the check is for."""
        assert is_noise(white(9_000, 600))

    def test_a_loud_tone_is_not_noise(self):
        """What is loud but not flat is no noise."""
        assert not is_noise([sine(20_000)] * 600)


NO_FRAMES = [
    ("frame_empty", b"", "ulaw", 8_000),
    ("frame_empty", b"", "slin16", 8_000),
    ("frame_odd_length", bytes(321), "slin16", 8_000),
    ("frame_oversized", bytes(1_601), "ulaw", 8_000),
    ("frame_oversized", bytes(3_202), "slin16", 8_000),
    ("frame_oversized", bytes(10_000_000), "slin16", 8_000),
    ("wrong_type", None, "ulaw", 8_000),
    ("wrong_type", "text", "ulaw", 8_000),
    ("wrong_type", [0] * 160, "ulaw", 8_000),
    ("wrong_type", np.zeros(160, dtype=np.int16), "slin16", 8_000),
    ("unknown_encoding", bytes(160), "opus", 8_000),
    ("unknown_encoding", bytes(160), "", 8_000),
    ("unknown_encoding", bytes(160), None, 8_000),
    ("unknown_encoding", bytes(160), ["ulaw"], 8_000),
    ("unknown_sample_rate", bytes(160), "ulaw", 11_024),
    ("unknown_sample_rate", bytes(160), "ulaw", "8000"),
    ("unknown_sample_rate", bytes(160), "ulaw", None),
    ("unknown_sample_rate", bytes(160), "ulaw", True),
]


class TestRefused:
    @pytest.mark.parametrize("earlier", [0, 1, 5])
    @pytest.mark.parametrize("wrong", NO_FRAMES, ids=lambda wrong: wrong[0])
    def test_what_is_no_frame_is_dropped_and_counted(self, quality, dropped, wrong, earlier):
        """Whatever isn't a frame of telephone audio is counted by its reason, first or later."""
        reason, frame, encoding, rate = wrong
        quality.call_started("1.1")
        for _ in range(earlier):
            quality.audio("1.1", "provider_out", square(900), encoding="slin16", sample_rate=8_000)
        quality.audio("1.1", "provider_out", frame, encoding=encoding, sample_rate=rate)
        assert dropped(reason) == 1
        heard_of = quality.call_ended("1.1").summary.audio.get("provider_out", aeq.StageLevels())
        assert heard_of.frames == earlier

    @pytest.mark.parametrize(
        ("stage", "reason"),
        [
            ("nowhere", "unknown_stage"),
            ("", "unknown_stage"),
            ("provider_out:x", "unknown_stage"),
            (None, "wrong_type"),
            (7, "wrong_type"),
        ],
    )
    def test_an_unknown_stage_is_dropped_and_counted(self, quality, dropped, stage, reason):
        """A frame from a stage that isn't one is counted by its reason."""
        quality.call_started("1.1")
        quality.audio("1.1", stage, square(900), encoding="slin16", sample_rate=8_000)
        assert dropped(reason) == 1
        assert quality.call_ended("1.1").summary.audio == {}

    @pytest.mark.parametrize(
        ("length", "encoding", "rate"),
        [
            (160, "ulaw", 8_000),
            (160, "alaw", 8_000),
            (320, "slin16", 8_000),
            (640, "slin16", 16_000),
            (960, "slin16", 24_000),
            (1_600, "ulaw", 8_000),
            (3_200, "slin16", 8_000),
            (9_600, "slin16", 24_000),
            (19_200, "slin16", 48_000),
            (1, "ulaw", 8_000),
        ],
    )
    def test_frames_of_up_to_200_ms_are_taken(self, quality, length, encoding, rate):
        """Any length up to 200 ms is a frame, in each encoding and at each rate."""
        quality.call_started("1.1")
        quality.audio("1.1", "provider_out", b"\x10" * length, encoding=encoding, sample_rate=rate)
        assert quality.call_ended("1.1").summary.audio["provider_out"].frames == 1


def at_ear(call):
    """Return when the frames were that a call's ear was given, and on whose side."""
    sides = {CALLER: "transport_in", AGENT: "transport_out"}
    pending = call.ear.pending.tolist()
    return [(at, sides[kind]) for at, kind in zip(pending[::4], pending[1::4], strict=True)]


class TestWhatTheEarIsGiven:
    @pytest.mark.parametrize("seconds", [0.01, 0.02, 0.03, 0.04, 0.06])
    @pytest.mark.parametrize("rate", SAMPLE_RATES)
    @pytest.mark.parametrize("encoding", ["ulaw", "alaw", "slin16"])
    def test_each_rate_and_length_is_heard(self, encoding, rate, seconds):
        """Frames of 10 to 60 ms, at 8 to 48 kHz, in each encoding, give the same 1.5 s of wait."""
        quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, clock=lambda: 100.0)
        quality.call_started("1.1")
        call = quality.call("1.1")
        count = round(seconds * rate)
        seconds = count / rate  # 10 ms aren't a whole number of samples at 11,025 Hz
        frames = {
            level: encode_at(level, count, encoding) for level in (0, 900, 1_500, 2_200, 2_600)
        }
        for place in range(round(7 / seconds)):
            at = 100.0 + (place + 1) * seconds
            loud = frames[(900, 1_500, 2_200, 2_600)[place % 4]]
            speaks = loud if 101 <= at < 103 else frames[0]
            answers = loud if 104.5 <= at < 106 else frames[0]
            for stage, frame in (("transport_in", speaks), ("transport_out", answers)):
                call.audio(stage, frame, encoding=encoding, sample_rate=rate, at=at)
        summary = call.call_ended(duration=7.0).summary
        quality.close()
        assert summary.is_heard("latency")
        assert summary.turn_latencies == pytest.approx((1.5,), abs=2 * seconds + 0.03)
        assert summary.heard.resolution == pytest.approx(seconds, abs=1e-3)

    def test_frames_of_two_formats_reach_the_ear_in_the_order_of_time(self):
        """A call's sides may differ in format: their frames wait together, and none overtakes."""
        batch = FrameBatch(clock=lambda: 0.0)
        sides = {
            "transport_in": FrameFormat("ulaw", 8_000, 160),
            "transport_out": FrameFormat("slin16", 16_000, 640),
        }
        call = CallAccumulator("1.1")
        for name, form in sides.items():
            batch.begin(call.stage(name), form)
        sent = [
            (place / 100, name)
            for place, name in enumerate(itertools.islice(itertools.cycle(sides), 61))
        ]
        for at, name in sent:
            batch.take(call.stage(name), bytes(sides[name].length), at)
        batch.measure()
        assert at_ear(call) == sent

    def test_a_measurement_amid_a_frame_costs_none(self):
        """A call's end within a signal handler, just before or after a frame, loses no frame."""
        batch = FrameBatch(clock=lambda: 0.0)
        stage = CallAccumulator("1.1").stage("provider_out")
        batch.begin(stage, FrameFormat("slin16", 8_000, 320))

        class Interrupted(list):
            def append(self, one):
                batch.measure()
                super().append(one)
                batch.measure()

        batch.waiting = Interrupted()
        for place in range(8):
            batch.take(stage, square(900), place * 0.02)
        batch.measure()
        assert stage.frames == 8

    def test_a_frame_that_comes_without_a_time_has_come_now(self, quality, clock):
        """Where nobody says when a frame crossed the edge, the monitor's clock does."""
        quality.call_started("1.1")
        call = quality.call("1.1")
        call.audio("transport_in", square(900), encoding="slin16", sample_rate=8_000)
        clock.advance(0.25)
        call.audio("transport_in", square(900), encoding="slin16", sample_rate=8_000)
        quality.frames.measure()
        started = call.accumulator.started
        assert [at - started for at, _ in at_ear(call.accumulator)] == [0.0, 0.25]


SLIN16, ULAW = ("slin16", 8_000), ("ulaw", 8_000)
RAW = {
    (form, level): encode_at(level, 160, form[0])
    for form in (SLIN16, ULAW)
    for level in (0, 3, 9, 60, 900, 1_500, 2_600)
}

steps = st.lists(
    st.tuples(
        st.sampled_from(["transport_in", "transport_out", "told", "given", "held"]),
        st.sampled_from(sorted(RAW)),
        st.sampled_from([0.0, 0.02, 0.02, 0.02, 0.04, 0.3, -0.3]),
        st.integers(1, 6),
    ),
    max_size=60,
)


def summary_of(told, *, capacity, level_every):
    """Return what is known of a call of which this was told, measured so many frames at once."""
    sampling = aeq.Sampling(level_every=level_every)
    now = [100.0]
    quality = aeq.QualityMonitor(
        registry=CollectorRegistry(), log=False, sampling=sampling, clock=lambda: now[0]
    )
    quality.frames.capacity = capacity
    quality.call_started("1.1")
    call = quality.call("1.1")
    for what, (form, level), later, times in told:
        for _ in range(times):
            now[0] += max(0.0, later)
            at = now[0] + min(0.0, later)
            if what == "told":
                call.audio_level("transport_in", float(level), at=at)
            elif what == "given":
                call.audio_given(0.2, 0.1)
            elif what == "held":
                call.answer_held()
                call.answer_resumed()
            else:
                frame = RAW[form, level]
                call.audio(what, frame, encoding=form[0], sample_rate=form[1], at=at)
    summary = call.call_ended(duration=60.0).summary
    quality.close()
    return summary.to_dict() | {"started_at": None}


@given(steps, st.integers(2, 300), st.sampled_from([1, 1, 2, 4]))
@settings(max_examples=60, deadline=None)
def test_a_call_is_the_same_however_many_frames_are_measured_at_once(told, capacity, level_every):
    """Frames of two formats, told levels and hints, in any order: as if each was measured alone."""
    alone = summary_of(told, capacity=1, level_every=level_every)
    assert summary_of(told, capacity=capacity, level_every=level_every) == alone


@given(st.lists(st.tuples(st.sampled_from(sorted(RAW)), st.integers(1, 12)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_digital_silence_taken_together_is_as_frame_by_frame(runs):
    """Holes, changes of level, and which frames are checked: as if each was looked at."""
    batch, stage = FrameBatch(clock=lambda: 0.0), CallAccumulator("1.1").stage("provider_out")
    expected, last, before, energy, active = SoundAccumulator(), 0.0, 0.0, 0.0, 0
    seen = checked = 0
    for (form, level), times in runs:
        frame = RAW[form, level]
        if stage.format is None or stage.format.encoding != form[0]:
            batch.begin(stage, FrameFormat(*form, len(frame)))
            last = before = 0.0  # frames of two formats don't meet
        samples = decode(frame, form[0])
        rms = float(frame_rms(samples[np.newaxis])[0])
        for _ in range(times):
            batch.take(stage, frame, 0.0)
            checked += rms >= ACTIVE_RMS and seen % 10 == 0
            seen += 1
            if rms >= ACTIVE_RMS:
                energy, active = energy + rms * rms, active + 1
            so_far = math.sqrt(energy / active) if active else 0.0
            expected.level(rms)
            if rms <= DEAD_RMS:
                if not expected.run:
                    expected.silence_begins(last, before, so_far)
                expected.run += 1
            elif expected.run:
                expected.sounds_again(abs(float(samples[0])), rms, so_far)
            last, before = abs(float(samples[-1])), rms
    batch.measure()
    if runs:
        found = stage.sound
        assert (found.silent, found.holes) == (expected.silent, expected.holes)
        assert (found.soft_silent, found.soft_holes) == (expected.soft_silent, expected.soft_holes)
        assert (found._changes, found._changes_of) == (expected._changes, expected._changes_of)
        assert (stage._noise_n, stage.last) == (checked, frame)


MINUTE = tuple((start, start + 2) for start in range(1, 60, 8))
ANSWERS = tuple((start, start + 3) for start in range(4, 60, 8))


@pytest.mark.no_cover
def test_a_live_call_takes_at_most_16_kb_in_its_first_minute():
    """With every raw frame of both sides and the hints of its answers, all of it included."""
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, clock=lambda: 0.0)
    levels = {8.0, 0.0, 60.0, 900.0, 1_500.0, 1_700.0, 2_000.0, 2_200.0}
    raw = {level: square(int(level)) for level in levels}
    minute = list(frames_of_both(60.0, MINUTE, ANSWERS))

    def have(*ids):
        for call_id in ids:
            quality.call_started(call_id, provider="deepgram", pipeline="default")
        calls = [quality.call(call_id) for call_id in ids]
        for (at, agent, level), call in itertools.product(minute, calls):
            stage = "transport_out" if agent else "transport_in"
            call.audio(stage, raw[level], encoding="slin16", sample_rate=8_000, at=at)
            if agent and round(at * 50) % 400 == 200:
                call.audio_given(3.0)
                call.answer_complete()
        quality.frames.measure()

    have("the first, which also makes what all calls share")
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        have(*(f"1761532874.{number}" for number in range(4)))
        gc.collect()
        assert (tracemalloc.get_traced_memory()[0] - before) / 4 <= 16_000
    finally:
        tracemalloc.stop()
    quality.close()


def test_the_recorded_prompts_are_used_where_they_are_installed():
    """Speech tests run on Debian's prompts where the machine has them."""
    installed = Path("/usr/share/asterisk/sounds/en_US_f_Allison").is_dir()
    assert load_speech().source == ("debian-prompts" if installed else "synthesised")
