"""Recordings as files."""

from __future__ import annotations

import wave

import pytest
from ai_engine_lab.real_calls.storing import load, save
from ai_engine_lab.real_calls.truth import measure


@pytest.fixture
def recording(recorder, make_voice):
    """Return a recording with words, an answer with a hole, and an event."""
    ended = recorder.words(0, 101.0)
    sound = make_voice(3.0, 1)
    recorder.answer(0, ended + 0.7, sound)
    after = recorder.hear(ended + 0.8, sound[:8_000])
    recorder.hear(after + 0.5, sound[8_000:])
    recorder.recording.note(102.0, "an event")
    return recorder.recording


def test_a_recording_comes_back_as_it_was(recording, tmp_path):
    """What is read from the file has the same frames, log and truth."""
    again = load(save(recording, tmp_path))
    assert measure(again) == measure(recording)
    assert again.events == [(102.0, "an event")]
    assert [piece.at for piece in again.heard] == [piece.at for piece in recording.heard]
    assert again.call_id == recording.call_id


def test_an_empty_recording_can_be_stored(recorder, tmp_path):
    """A call in which nothing happened is stored all the same."""
    assert measure(load(save(recorder.recording, tmp_path))).turns == ()


def test_a_call_can_be_listened_to(recording, tmp_path):
    """The wave file has both sides, and lasts as long as the call."""
    path = save(recording, tmp_path).with_suffix(".wav")
    with wave.open(str(path)) as stream:
        assert stream.getnchannels() == 2
        assert stream.getnframes() / stream.getframerate() == pytest.approx(40.5)
