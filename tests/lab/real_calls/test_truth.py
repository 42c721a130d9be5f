"""The truth on recordings that were made with known holes, waits and losses."""

from __future__ import annotations

import numpy as np
import pytest
from ai_engine_lab.basics.audio_formats import to_int16
from ai_engine_lab.real_calls.recording import TimedSound
from ai_engine_lab.real_calls.sound import (
    FRAME,
    RATE,
    from_ulaw,
    resampled,
    silence,
    to_ulaw,
)
from ai_engine_lab.real_calls.truth import concealed, measure, play
from hypothesis import given, settings
from hypothesis import strategies as st

CLOSE = 0.03
"""Seconds: a frame, and what the windows of 20 ms add."""


def cut(sound, *places):
    """Return a sound in pieces, cut at seconds."""
    return np.split(sound, [round(place * RATE) for place in places])


def test_a_healthy_turn_is_its_wait_alone(recorder, make_voice):
    """Without faults the wait is that from the last word to the first sound, and nothing else."""
    ended = recorder.words(0, 101.0)
    sound = make_voice(3.0, 1)
    recorder.answer(0, ended + 0.7, sound)
    recorder.hear(ended + 0.8, sound)
    truth = measure(recorder.recording)
    assert truth.latencies == pytest.approx([0.8], abs=CLOSE)
    assert truth.unanswered == ()
    assert (truth.hole_seconds, truth.lost, truth.holes) == (0.0, 0.0, ())
    assert truth.first_word == pytest.approx(ended + 0.8 - 100.0, abs=CLOSE)
    assert truth.given == pytest.approx(3.0)


@given(
    place=st.floats(0.5, 2.4),
    hole=st.floats(0.1, 3.0),
    zeros=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_a_hole_is_found_wherever_it_is(make_recorder, make_voice, place, hole, zeros):
    """A hole is as long as it was made, whether no frames came or frames of digital silence."""
    recorder = make_recorder()
    sound = make_voice(3.0, round(1_000 * place))
    recorder.answer(-1, 101.0, sound)
    first, second = cut(sound, place // 0.02 * 0.02)
    hole = hole // 0.02 * 0.02
    after = recorder.hear(101.0, first)
    if zeros:
        recorder.hear(after, silence(hole))
    recorder.hear(after + hole, second)
    truth = measure(recorder.recording)
    missed = 0.0 if zeros or hole > 0.265 else 0.06  # what the phone's buffer hides of a short one
    assert truth.hole_seconds == pytest.approx(hole - missed, abs=CLOSE)
    assert truth.lost == 0.0


def test_a_pause_of_the_speaker_is_no_hole(recorder, make_voice, quiet):
    """Silence that was given is no hole, even where nothing is sent for it."""
    sound = np.concatenate([make_voice(1.0, 1), quiet(0.6), make_voice(1.0, 2)])
    recorder.answer(-1, 101.0, sound)
    recorder.hear(101.0, sound)
    assert measure(recorder.recording).holes == ()


def test_many_small_holes_are_told_together(recorder, make_voice):
    """Audio at 0.7 of real time has no long gap, and its gaps count all the same."""
    sound = make_voice(3.5, 1)
    recorder.answer(-1, 101.0, sound)
    for number, start in enumerate(range(0, len(sound), FRAME)):
        frame = sound[start : start + FRAME]
        recorder.recording.heard.append(TimedSound(101.0 + number * 0.02 / 0.7, frame))
    truth = measure(recorder.recording)
    assert truth.hole_seconds == pytest.approx(1.5 - 0.06, abs=0.05)
    assert len(truth.holes) == 1


@given(place=st.floats(0.5, 1.5), lost=st.floats(0.2, 1.2), seed=st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_audio_that_was_dropped_is_lost_and_no_hole(make_recorder, make_voice, place, lost, seed):
    """Audio that never came, with the rest close behind, is lost; no time passed without sound."""
    recorder = make_recorder()
    sound = make_voice(3.0, seed)
    recorder.answer(-1, 101.0, sound)
    first, _, rest = cut(sound, place // 0.02 * 0.02, (place + lost) // 0.02 * 0.02)
    recorder.hear(recorder.hear(101.0, first), rest)
    truth = measure(recorder.recording)
    made = 3.0 - (len(first) + len(rest)) / RATE
    assert truth.lost == pytest.approx(made, abs=CLOSE)
    assert truth.hole_seconds == pytest.approx(0.0, abs=CLOSE)


def test_an_answer_that_never_comes_is_unanswered_in_mid_call_too(recorder, make_voice):
    """A turn without an answer waited until the caller spoke again, or the call ended."""
    ended = recorder.words(0, 101.0)
    again = recorder.words(1, ended + 6.0)
    sound = make_voice(2.0, 1)
    recorder.answer(1, again + 1.0, sound)
    recorder.hear(again + 1.0, sound)
    last = recorder.words(2, again + 4.0)
    truth = measure(recorder.recording)
    assert truth.unanswered == pytest.approx([6.0, 140.0 - last], abs=CLOSE)
    assert truth.latencies == pytest.approx([1.0], abs=CLOSE)


def test_a_caller_whose_track_is_silent_asked_nothing(recorder):
    """Words that never left the microphone are no turn."""
    recorder.words(0, 101.0)
    recorder.recording.sent = [TimedSound(one.at, silence(0.02)) for one in recorder.recording.sent]
    assert measure(recorder.recording).turns == ()


@pytest.mark.parametrize("reaction", [0.1, 0.4, 1.2])
def test_the_reaction_is_from_the_first_word_to_silence(recorder, make_voice, reaction):
    """An interrupted agent's reaction is when its sound stopped, and nothing is lost by it."""
    sound = make_voice(6.0, 1)
    recorder.answer(-1, 101.0, sound, complete_at=None, withdrawn_at=103.0 + reaction)
    recorder.hear(101.0, cut(sound, 2.0 + reaction)[0])
    recorder.words(0, 103.0, seconds=2.0, kind="interruption")
    truth = measure(recorder.recording)
    assert truth.reactions == pytest.approx([reaction], abs=CLOSE)
    assert truth.lost == 0.0
    assert truth.unanswered == pytest.approx([140.0 - 104.98], abs=CLOSE)


def test_an_agent_that_speaks_on_has_no_reaction(recorder, make_voice):
    """Who is talked over gets no reaction, and both spoke for as long as they did."""
    sound = make_voice(6.0, 1)
    recorder.answer(-1, 101.0, sound)
    recorder.hear(101.0, sound)
    recorder.words(0, 103.0, seconds=2.0, kind="interruption")
    truth = measure(recorder.recording)
    assert [each.reaction for each in truth.barge_ins] == [None]
    assert truth.talked_over == pytest.approx(2.0, abs=CLOSE)
    assert truth.turns == ()


def test_what_was_not_heard_for_a_hang_up_is_not_lost(recorder, make_voice):
    """The rest of an answer that the caller hung up in was not lost."""
    sound = make_voice(5.0, 1)
    recorder.answer(-1, 137.0, sound)
    recorder.hear(137.0, cut(sound, 3.0)[0])
    truth = measure(recorder.recording)
    assert truth.lost == 0.0
    assert not truth.answers[0].cut_off


def test_an_answer_whose_provider_went_away_is_cut_off(recorder, make_voice):
    """A connection that closes in an answer cuts it off; what was given was played."""
    sound = make_voice(2.0, 1)
    recorder.answer(-1, 101.0, sound, complete_at=None, lost_at=103.0)
    recorder.hear(101.0, sound)
    truth = measure(recorder.recording)
    assert truth.answers[0].cut_off
    assert truth.lost == 0.0


def test_a_line_that_stands_still_is_a_hole_and_its_backlog_is_lost(recorder, make_voice):
    """After 1.5 s of nothing all frames come at once: a phone keeps 200 ms and drops the rest."""
    sound = make_voice(5.0, 1)
    recorder.answer(-1, 101.0, sound)
    before, during, after = cut(sound, 2.0, 3.5)
    recorder.hear(101.0, before)
    for start in range(0, len(during), FRAME):
        recorder.recording.heard.append(TimedSound(104.5, during[start : start + FRAME]))
    recorder.hear(104.5, after)
    truth = measure(recorder.recording)
    assert truth.stalls[0].seconds == pytest.approx(1.5, abs=0.05)
    assert truth.dropped_by_phone == pytest.approx(1.3, abs=0.1)
    assert truth.lost == pytest.approx(truth.dropped_by_phone, abs=CLOSE)


@given(jitter=st.lists(st.floats(0.0, 0.055), min_size=150, max_size=150))
@settings(max_examples=30, deadline=None)
def test_jitter_up_to_the_phones_delay_is_not_heard(make_recorder, make_voice, jitter):
    """Frames that come up to 55 ms late, in order, make no hole."""
    recorder = make_recorder()
    sound = make_voice(3.0, 7)
    recorder.answer(-1, 101.0, sound)
    last = 0.0
    for number, late in enumerate(jitter):
        last = max(last, 101.0 + number * 0.02 + late * (number > 0))
        frame = sound[number * FRAME : (number + 1) * FRAME]
        recorder.recording.heard.append(TimedSound(last, frame))
    truth = measure(recorder.recording)
    assert truth.hole_seconds == 0.0
    assert truth.lost == 0.0


@pytest.mark.parametrize(
    "change",
    [
        lambda sound: from_ulaw(to_ulaw(sound)),
        lambda sound: to_int16(sound * 0.12),
        lambda sound: to_int16(sound * 3.0),
        lambda sound: resampled(resampled(sound, 8_000, 24_000), 24_000, 8_000),
    ],
    ids=["u-law", "quieter", "louder", "resampled"],
)
def test_an_engine_may_change_the_sound(recorder, make_voice, change):
    """Audio is found again after transcoding, resampling and another gain."""
    sound = make_voice(3.0, 1)
    recorder.answer(-1, 101.0, sound)
    first, second = cut(change(sound), 1.0)
    recorder.hear(recorder.hear(101.0, first) + 0.5, second)
    truth = measure(recorder.recording)
    assert truth.lost == 0.0
    assert truth.hole_seconds == pytest.approx(0.5, abs=CLOSE)


def test_other_sound_is_not_taken_for_the_answer(recorder, make_voice):
    """What was never given isn't found in other speech: all of it is lost."""
    recorder.answer(-1, 101.0, make_voice(3.0, 1))
    recorder.hear(101.0, make_voice(3.0, 2))
    truth = measure(recorder.recording)
    assert truth.lost == pytest.approx(3.0)
    assert truth.answers[0].began is None


def test_noise_is_flat_and_clipping_is_seen(recorder, make_voice):
    """The agent's levels are those of what was heard."""
    recorder.hear(101.0, to_int16(make_voice(2.0, 1) * 30.0))
    truth = measure(recorder.recording)
    assert truth.agent.clipped > 0.3
    recorder.recording.heard.clear()
    recorder.hear(101.0, to_int16(np.random.default_rng(1).normal(0, 3_000, 16_000)))
    assert measure(recorder.recording).agent.flatness > 0.4


def test_an_empty_call_has_no_truth_to_tell(recorder):
    """A call without a single frame is measured all the same."""
    truth = measure(recorder.recording)
    assert truth.first_word is None
    assert truth.agent.rms is None
    assert truth.to_dict()["hole_seconds"] == 0


def test_a_phone_plays_what_comes_in_order(make_voice):
    """Frames are played one after the other, and a moment's sample is found again."""
    sound = make_voice(1.0, 1)
    frames = [TimedSound(10.0 + 0.02 * n, sound[n * FRAME : (n + 1) * FRAME]) for n in range(50)]
    played = play(frames)
    assert np.array_equal(played.samples, sound)
    assert played.time_of(0) == pytest.approx(10.0)
    assert played.end_of(len(sound)) == pytest.approx(11.0)


def test_an_answer_ends_before_the_next_one_begins(recorder, make_voice):
    """What is heard of an interrupted answer never reaches into the answer after it."""
    first, second = make_voice(4.0, 1), make_voice(2.0, 2)
    recorder.answer(-1, 101.0, first, complete_at=None, withdrawn_at=103.0)
    recorder.hear(101.0, first[: 2 * RATE])
    recorder.words(0, 102.9, seconds=1.0, kind="interruption")
    recorder.answer(0, 106.0, second)
    recorder.hear(106.0, second)
    truth = measure(recorder.recording)
    assert truth.answers[0].ended == pytest.approx(3.0, abs=CLOSE)
    assert truth.reactions == pytest.approx([0.1], abs=CLOSE)
    assert truth.hole_seconds == 0.0


def test_lost_packets_are_concealed(recorder, make_voice):
    """What the phone plays in the place of every tenth packet is no hole, and no audio is lost."""
    sound = make_voice(4.0, 1)
    recorder.answer(-1, 101.0, sound)
    for number, start in enumerate(range(0, len(sound), FRAME)):
        frame = TimedSound(101.0 + number * 0.02, sound[start : start + FRAME])
        lost = number % 10 == 5
        (recorder.recording.missed if lost else recorder.recording.heard).append(frame)
    truth = measure(recorder.recording)
    assert truth.hole_seconds == pytest.approx(0.0, abs=CLOSE)
    assert truth.lost == pytest.approx(0.0, abs=0.1)


def test_after_three_packets_in_a_row_a_phone_is_silent(recorder, make_voice):
    """Of ten that are lost in a row three are concealed, and the other 0.14 s are a hole."""
    sound = make_voice(4.0, 1)
    recorder.answer(-1, 101.0, sound)
    recording = recorder.recording
    for number, start in enumerate(range(0, len(sound), FRAME)):
        frame = TimedSound(101.0 + number * 0.02, sound[start : start + FRAME])
        (recording.missed if 100 <= number < 110 else recording.heard).append(frame)
    assert len(concealed(recording.heard, recording.missed)) == len(recording.heard) + 3
    assert measure(recording).lost == pytest.approx(0.14, abs=CLOSE)


def test_frames_that_nobody_sent_are_lost_audio_and_hardly_holes(recorder, make_voice):
    """Of every tenth frame of 20 ms that never came, the audio is lost; the phone waits."""
    sound = make_voice(4.0, 1)
    recorder.answer(-1, 101.0, sound)
    for number, start in enumerate(range(0, len(sound), FRAME)):
        if number % 10 != 5:
            frame = sound[start : start + FRAME]
            recorder.recording.heard.append(TimedSound(101.0 + number * 0.02, frame))
    truth = measure(recorder.recording)
    assert truth.lost == pytest.approx(0.4, abs=0.1)
    assert truth.hole_seconds == pytest.approx(0.4 - 0.06, abs=0.1)
