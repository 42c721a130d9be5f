"""Agent audio that a provider handed over: how long it lasts, and how much of it is silent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from telephone_samples import nearest

import ai_engine_quality as aeq
from ai_engine_quality.core.answer_audio import SILENT_RMS
from ai_engine_quality.core.observations import DropReason, Rejected
from ai_engine_quality.live.encodings import SAMPLE_RATES, decode, frame_bytes, frame_rms
from ai_engine_quality.live.given_sound import only_piece, pieces_of, silent_seconds

chunks = st.lists(
    st.tuples(
        st.sampled_from(["ulaw", "alaw", "slin16"]),
        st.sampled_from([8_000, 16_000, 24_000, 48_000]),
        st.lists(st.integers(0, 1_300), min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=5,
)


@given(chunks, st.integers(0, 99))
def test_frames_are_silent_by_their_level_and_by_nothing_else(chunks, seed):
    """Noise, or one loud sample in silence, of several formats at once: by each frame's RMS."""
    random = np.random.default_rng(seed)
    pieces, expected = [], []
    for encoding, rate, sizes in chunks:
        data = b""
        for size in sizes:
            values = random.normal(0, size / 20, rate // 50)
            if size % 2:
                values[:] = 0
                values[size % len(values)] = size if size % 3 else -size
            data += nearest(values, encoding)
        levels = frame_rms(decode(data, encoding).reshape(len(sizes), -1))
        pieces += pieces_of(data, encoding, rate)
        expected.append(0.02 * np.count_nonzero(levels < SILENT_RMS))
    assert silent_seconds(pieces) == pytest.approx(expected)


@given(
    st.sampled_from(["mulaw", "alaw", "linear16"]),
    st.sampled_from(SAMPLE_RATES),
    st.integers(0, 60_000),
)
def test_every_sample_counts_whatever_the_length(encoding, rate, samples):
    """Chunks of any length are cut into pieces of 0.2 s at most, and nothing is left out."""
    size = frame_bytes(encoding, rate, 1.0) // rate
    pieces = list(pieces_of(bytes(samples * size), encoding, rate))
    assert sum(piece.seconds for piece in pieces) == pytest.approx(samples / rate)
    assert all(0.0 < piece.seconds <= 0.2 for piece in pieces)
    assert all(len(piece.data) % piece.frames == 0 for piece in pieces)
    if encoding == "linear16":  # digital silence; of u-law and A-law code 0 is loud
        assert sum(silent_seconds(pieces)) == pytest.approx(samples / rate)
    else:
        assert sum(silent_seconds(pieces)) == 0.0


@given(
    st.sampled_from(["mulaw", "alaw", "linear16"]),
    st.sampled_from(SAMPLE_RATES),
    st.integers(0, 25_000),
    st.booleans(),
)
def test_the_short_way_finds_the_same_piece(encoding, rate, length, usual):
    """A chunk of up to 0.2 s, odd bytes included, is cut as any other, or is left to that way."""
    chunk = bytes(length % (rate * 2 // 10) + 1 if usual else length)
    found, pieces = only_piece(chunk, encoding, rate), list(pieces_of(chunk, encoding, rate))
    assert found is None or [found] == pieces
    if usual and encoding != "linear16":
        assert [found] == pieces


@pytest.mark.parametrize(
    ("sound", "encoding", "rate"),
    [
        (bytearray(160), "ulaw", 8_000),
        (b"", "ulaw", 8_000),
        (b"\0", "slin16", 8_000),
        (bytes(160), "opus", 8_000),
        (bytes(160), ["ulaw"], 8_000),
        (bytes(160), "ulaw", 8_000.0),
        (bytes(160), "ulaw", 7_999),
    ],
)
def test_what_is_unusual_is_left_to_the_long_way(sound, encoding, rate):
    """There it is copied, or rejected with its reason."""
    assert only_piece(sound, encoding, rate) is None


@pytest.mark.parametrize("milliseconds", [1, 10, 25, 50])
def test_a_chunk_that_is_no_multiple_of_20_ms_is_looked_at_in_equal_frames(milliseconds):
    """Frameworks hand over 10 ms at a time, and others what they like."""
    (piece,) = pieces_of(bytes(16 * milliseconds), "slin16", 8_000)
    assert piece.frames == max(1, round(milliseconds / 20))
    assert silent_seconds([piece]) == [pytest.approx(milliseconds / 1_000)]


@pytest.mark.parametrize(
    ("sound", "encoding", "rate", "reason"),
    [
        ("text", "ulaw", 8_000, DropReason.WRONG_TYPE),
        (b"\xff", "opus", 8_000, DropReason.UNKNOWN_ENCODING),
        (b"\xff", None, 8_000, DropReason.UNKNOWN_ENCODING),
        (b"\xff", "ulaw", 7_999, DropReason.UNKNOWN_SAMPLE_RATE),
        (b"\xff", "ulaw", True, DropReason.UNKNOWN_SAMPLE_RATE),
        (bytes(8_000 * 301), "ulaw", 8_000, DropReason.OUT_OF_RANGE),
    ],
)
def test_what_is_no_telephone_audio_is_rejected(sound, encoding, rate, reason):
    """With the reason, before any of it is taken."""
    with pytest.raises(Rejected) as rejected:
        pieces_of(sound, encoding, rate)
    assert rejected.value.reason is reason


def as_frame(call, stage, frame):
    """Report a frame as it is."""
    call.audio(stage, frame, encoding="slin16", sample_rate=8_000)


def as_level(call, stage, frame):
    """Report only its level."""
    call.audio_level(stage, float(frame_rms(decode(frame, "slin16")[None])[0]))


def heard(tell, report=as_frame):
    """Return what is heard of an answer of 2 s, with a pause in it, and a hole where it is sent."""
    now = [100.0]
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, clock=lambda: now[0])
    quality.call_started("1.1")
    call = quality.call("1.1")
    tone = (3_000 * np.sin(np.arange(160) * 0.7)).astype("<i2").tobytes()
    voice = [tone] * 40 + [bytes(320)] * 20 + [tone] * 40
    for first in range(0, 100, 5):
        tell(call, b"".join(voice[first : first + 5]), 100.0 + first / 100)
    call.answer_complete(at=101.0)
    sent = dict(zip([*range(10, 30), *range(60, 140)], voice, strict=True))
    for number in range(400):
        now[0] = 100.0 + number * 0.02
        report(call, "transport_in", bytes(320))
        if number in sent:
            report(call, "transport_out", sent[number])
    summary = quality.call_ended("1.1", duration=8.0).summary
    quality.close()
    return summary.heard


def as_seconds(call, chunk, at):
    """Tell how long given audio lasts, and is silent."""
    frames = [chunk[first : first + 320] for first in range(0, len(chunk), 320)]
    silent = sum(frame == bytes(320) for frame in frames) * 0.02
    call.audio_given(len(chunk) / 16_000, silent, at=at)


def as_sound(call, chunk, at):
    """Tell the same as sound."""
    call.sound_given(chunk, encoding="slin16", sample_rate=8_000, at=at)


@pytest.mark.parametrize("tell", [as_seconds, as_sound])
def test_it_is_in_order_with_levels_that_were_measured_elsewhere(tell):
    """A call without raw frames: what was given does not come behind what was played of it."""
    found = heard(tell, as_level)
    assert found == heard(tell)
    assert found.lost == pytest.approx(0.0, abs=0.1)


def test_hints_do_not_wait_for_the_frames_of_another_call():
    """A call of which only levels are known, beside one whose raw frames wait to be measured."""

    def beside_another(call, chunk, at):
        other = call._monitor.call("other")
        if not other.live:
            call._monitor.call_started("other")
        as_frame(call._monitor.call("other"), "transport_in", bytes(320))
        as_seconds(call, chunk, at)

    assert heard(beside_another, as_level) == heard(as_seconds)


def test_it_is_heard_as_what_was_measured_elsewhere_is():
    """The same answer, told as seconds and as sound: the same pause, hole and losses."""
    told, measured = heard(as_seconds), heard(as_sound)
    assert measured == told
    assert measured.given == pytest.approx(2.0)
    assert measured.hole_seconds == pytest.approx(0.6, abs=0.03)


def test_what_waits_is_bounded_and_counted():
    """A minute of audio, handed over at once, never waits as a whole."""
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False)
    quality.call_started("1.1")
    quality.sound_given("1.1", bytes(320), encoding="slin16", sample_rate=8_000)
    assert quality.frames.waiting_bytes == 320
    quality.sound_given("1.1", bytes(16_000 * 60), encoding="slin16", sample_rate=8_000)
    assert 0 < quality.frames.waiting_bytes <= quality.frames.capacity * 3_200
    quality.audio("1.1", "transport_out", bytes(320), encoding="slin16", sample_rate=8_000)
    assert quality.call_ended("1.1", duration=61.0).summary.heard.given == pytest.approx(60.02)
    quality.close()
