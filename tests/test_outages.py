"""What operators reported, as an engine hands it over: no outage unseen, no good call blamed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from prometheus_client import generate_latest

import ai_engine_quality as aeq

FRAME = 0.02


def levels(call, clock, stage, rms, seconds):
    """Let one side's level go up and down as syllables do, frame by frame."""
    for frame in range(round(seconds / FRAME)):
        syllable = abs(math.sin(math.pi * FRAME * frame * 4))
        call.audio_level(stage, rms * (0.5 + syllable))
        clock.advance(FRAME)


def spoken(seconds, seed=1):
    """Return raw 20 ms frames of a voice-like tone with pauses, RMS of about 2,000."""
    rng = np.random.default_rng(seed)
    at = np.arange(int(seconds * 8_000)) / 8_000
    tone = sum(np.sin(2 * np.pi * 140 * k * at + rng.uniform(0, 6)) / k for k in range(1, 12))
    syllables = 0.5 + 0.5 * np.sign(np.sin(2 * np.pi * 3.1 * at))
    samples = (2_600 * tone * syllables).clip(-32_768, 32_767).astype("<i2")
    return [samples[i : i + 160].tobytes() for i in range(0, len(samples) - 159, 160)]


def test_a_caller_who_spoke_and_got_nothing_is_ignored_in_a_short_call(quality, clock):
    """Six seconds of words, a greeting and nothing else in 25 s: poor, not unscored."""
    quality.call_started("1.1")
    call = quality.call("1.1")
    call.frames_sent(150)
    levels(call, clock, "transport_in", 2_000.0, 6.0)
    score = call.call_ended(duration=25.0)
    assert (score.score, score.band) == (59, "poor")
    assert score.ceilings[0].rule == "caller_ignored"


def test_the_same_with_pauses_and_a_greeting_that_was_heard(quality, clock):
    """Both sides by frame: the greeting, then words in vain, then a caller who waited and left."""
    quality.call_started("1.1")
    call = quality.call("1.1")
    for stage, rms, seconds in (
        ("transport_out", 2_000.0, 3.0),
        ("transport_in", 20.0, 1.0),
        ("transport_in", 2_000.0, 2.0),
        ("transport_in", 20.0, 0.5),
        ("transport_in", 1_800.0, 4.0),
        ("transport_in", 20.0, 12.0),
    ):
        levels(call, clock, stage, rms, seconds)
    score = call.call_ended()
    assert score.band == "poor"
    assert score.summary.unanswered[0] == pytest.approx(12.0, abs=0.1)


def test_a_caller_of_whom_nothing_arrives_is_unheard(quality, clock):
    """The agent greets, the caller's track is digital silence for a minute: poor."""
    quality.call_started("1.1")
    call = quality.call("1.1")
    call.frames_sent(150)
    for _ in range(round(58 / FRAME)):
        call.audio_level("transport_in", 8.0)
        clock.advance(FRAME)
    score = call.call_ended(duration=60.0)
    assert (score.score, score.band) == (59, "poor")
    assert score.ceilings[0].rule == "caller_unheard"


def test_an_unsettled_call_with_many_barge_ins_is_not_excellent(quality):
    """Ten quick turns and 30 barge-ins that nobody timed: they are said, and it isn't excellent."""
    quality.call_started("1.1")
    call = quality.call("1.1")
    call.frames_sent(2_000)
    call.underflow(0)
    for _ in range(10):
        call.turn_response(0.6)
    for _ in range(30):
        call.barge_in(None)
    score = call.call_ended(duration=90.0)
    assert "30 barge-ins, none timed" in score.explain()
    assert score.score < 90


def test_a_mailbox_is_not_scored(quality, clock, registry):
    """Twelve seconds of a mailbox speaking: no score, counted as voicemail."""
    quality.call_started("1.1")
    call = quality.call("1.1")
    call.frames_sent(200)
    levels(call, clock, "transport_in", 2_000.0, 12.0)
    score = call.call_ended(outcome="voicemail")
    assert (score.score, score.unscored_reason) == (None, "voicemail")
    counted = registry.get_sample_value("ai_agent_calls_unscored_total", {"reason": "voicemail"})
    assert counted == 1


def test_a_call_without_an_end_has_no_score_no_cost_and_no_duration(clock, registry):
    """After 4 h it expires, and is told as what it is: nobody knows how long it lasted."""
    costs = {"deepgram": aeq.CallCost(0.1, "USD")}
    with_costs = aeq.QualityMonitor(registry=registry, clock=clock, log=False, costs=costs)
    seen = []
    with_costs.add_hook(seen.append)
    with_costs.call_started("1.1", provider="deepgram")
    with_costs.turn_response("1.1", 0.5)
    clock.advance(4 * 3_600.0)
    generate_latest(registry)
    (score,) = seen
    assert (score.unscored_reason, score.summary.duration) == ("expired", None)
    labels = {"provider": "deepgram", "currency": "USD"}
    assert registry.get_sample_value("ai_agent_call_cost_total", labels) == 0
    assert "its end never came" in score.explain()
    with_costs.close()


def test_bridged_formats_cost_a_healthy_call_nothing(quality, clock):
    """Each check fails on purpose, and the frames that were measured are clean speech."""
    quality.call_started("1.1")
    call = quality.call("1.1")
    call.underflow(0)
    call.turn_response(0.4)
    for frame in spoken(20.0):
        call.audio("transport_out", frame, encoding="slin16", sample_rate=8_000)
        clock.advance(FRAME)
    call.frames_sent(1_000)
    for _ in range(5):
        call.codec_alignment(False, "mulaw@8000>slin@8000")
    score = call.call_ended(duration=60.0)
    assert score.factor("codec").penalty == 0
    assert score.factor("codec").evidence.startswith("bridged")


def test_values_that_were_dropped_are_said(quality):
    """A clock in the wrong unit loses every turn: the call says so."""
    quality.call_started("1.1")
    for _ in range(4):
        quality.turn_response("1.1", 820.0)  # milliseconds
    score = quality.call_ended("1.1", duration=60.0)
    assert score.explain().endswith("4 turns were reported and dropped: out_of_range")


def test_a_provider_that_comes_back_has_not_failed_the_call(quality, clock):
    """Lost and back: by being told, by a turn, or by audio that it gives."""
    comebacks = (
        lambda call: call.provider_back(),
        lambda call: call.turn_response(0.5),
        lambda call: call.audio_given(0.4),
    )
    for number, comes_back in enumerate(comebacks):
        quality.call_started(f"1.{number}")
        call = quality.call(f"1.{number}")
        call.turn_response(0.4)
        call.provider_lost()
        clock.advance(1.0)
        comes_back(call)
        clock.advance(1.0)
        assert call.call_ended(duration=60.0).summary.provider_lost is False
    quality.call_started("1.9")
    quality.turn_response("1.9", 0.4)
    quality.provider_lost("1.9")
    assert quality.call_ended("1.9", duration=60.0, outcome="caller_hangup").score == 0


def test_a_hang_up_after_the_first_words_blames_nobody(quality, clock):
    """A call that ends in the greeting stays unscored: no conversation, and no ceiling."""
    quality.call_started("1.1")
    call = quality.call("1.1")
    call.frames_sent(70)
    clock.advance(1.98)
    score = call.call_ended()
    assert (score.score, score.unscored_reason) == (None, "no_conversation")


def test_a_hang_up_in_the_greeting_loses_nothing(quality, clock):
    """What was given and not played yet isn't lost, though the engine tells the end late."""
    quality.call_started("1.1")
    call = quality.call("1.1")
    call.audio_given(12.0)
    for frame in range(200):
        silent = frame > 150  # the caller hangs up in a pause of it
        call.audio_level("transport_out", 10.0 if silent else 2_000.0)
        call.audio_level("transport_in", 20.0)
        clock.advance(FRAME)
    clock.advance(3.0)  # the engine cleans up
    score = call.call_ended()
    assert (score.score, score.unscored_reason) == (None, "no_conversation")
    assert score.summary.heard.lost == 0
