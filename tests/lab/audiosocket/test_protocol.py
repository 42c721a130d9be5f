"""AudioSocket's packets: well-formed ones survive any chunking, all others are refused for good."""

import uuid
from itertools import pairwise

import numpy as np
import pytest
from ai_engine_lab.audiosocket.audio import SUPPORTED, AgentAudio, CallerAudio
from ai_engine_lab.audiosocket.protocol import (
    AUDIO_RATES,
    DIGITS,
    HANG_UP,
    Decoder,
    Kind,
    Packet,
    ProtocolError,
    ProtocolFault,
    digit,
    greeting,
)
from hypothesis import example, given
from hypothesis import strategies as st

CALL = uuid.UUID("40325ec2-5efd-4bd3-805f-53576e581d13")

audio = st.builds(
    lambda kind, samples: Packet(kind, samples * 2),
    st.sampled_from(sorted(AUDIO_RATES)),
    st.binary(min_size=1, max_size=400),
)
packets = st.one_of(
    audio,
    st.just(HANG_UP),
    st.builds(greeting, st.uuids()),
    st.builds(digit, st.sampled_from(DIGITS)),
    st.builds(lambda code: Packet(Kind.ERROR, code), st.binary(max_size=255)),
)


def decoded(chunks, *, finish=False):
    """The packets of a stream in chunks, and the fault that ended it, if any."""
    decoder, taken = Decoder(), []
    try:
        for chunk in chunks:
            decoder.feed(chunk)
            while (packet := decoder.take()) is not None:
                taken.append(packet)
        if finish:
            decoder.finish()
    except ProtocolError as error:
        return taken, error.fault
    return taken, None


def cut(data, places):
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def fault_of(data):
    return decoded([data])[1]


def test_the_wire_format_is_asterisks():
    """Kind, length in network order, payload: byte for byte what Asterisk sends and expects."""
    assert HANG_UP.encode() == b"\x00\x00\x00"
    assert greeting(CALL).encode() == b"\x01\x00\x10" + CALL.bytes
    assert digit("#").encode() == b"\x03\x00\x01#"
    assert Packet(Kind.SLIN8, bytes(320)).encode() == b"\x10\x01\x40" + bytes(320)
    assert Packet(Kind.SLIN16, bytes(640)).encode() == b"\x12\x02\x80" + bytes(640)
    assert Packet(Kind.ERROR, b"\x01").encode() == b"\xff\x00\x01\x01"


@given(st.lists(packets, max_size=8), st.lists(st.integers(0, 10_000), max_size=12))
def test_chunking_changes_nothing(sent, places):
    """However a valid stream is cut, the same packets come out, in order, and none is left over."""
    data = b"".join(packet.encode() for packet in sent)
    assert decoded(cut(data, places), finish=True) == (sent, None)


@given(st.binary(max_size=2_000), st.lists(st.integers(0, 2_000), max_size=12))
@example(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", [3])
@example(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [])
def test_garbage_is_judged_alike_in_any_chunks(data, places):
    """Arbitrary bytes give the same packets and the same fault, whole or in pieces."""
    assert decoded(cut(data, places), finish=True) == decoded([data], finish=True)


@given(st.binary(max_size=70_000))
def test_a_decoder_never_holds_more_than_a_packet(data):
    """Whatever arrives, at most one incomplete packet is kept, and nothing after a refusal."""
    decoder = Decoder()
    longest = 3 + max(2 * round(rate * 0.2) for rate in AUDIO_RATES.values())
    for at in range(0, len(data), 4_096):
        decoder.feed(data[at : at + 4_096])
        try:
            while decoder.take() is not None:
                pass
        except ProtocolError:
            assert decoder.pending == 0
        assert decoder.pending <= min(longest, 0xFFFF + 3)


def test_a_stream_cut_anywhere_is_noticed():
    """Truncated at every byte: whole packets are kept; in the middle of one it is a fault."""
    sent = [greeting(CALL), Packet(Kind.SLIN8, b"\1\2" * 160), digit("5"), HANG_UP]
    data = b"".join(packet.encode() for packet in sent)
    edges = [sum(len(packet.encode()) for packet in sent[:n]) for n in range(len(sent) + 1)]
    for end in range(len(data) + 1):
        taken, fault = decoded([data[:end]], finish=True)
        assert taken == [
            packet for packet, edge in zip(sent, edges[1:], strict=True) if edge <= end
        ]
        assert fault == (None if end in edges else ProtocolFault.TRUNCATED)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\x02", ProtocolFault.UNKNOWN_KIND),
        (b"\x19\x00\x02ab", ProtocolFault.UNKNOWN_KIND),
        (b"\x10\xff\xfe", ProtocolFault.OVERSIZED),
        (b"\x10\x0c\x82", ProtocolFault.OVERSIZED),
        (b"\x01\x00\x24", ProtocolFault.OVERSIZED),
        (b"\x01\x00\x0f", ProtocolFault.WRONG_LENGTH),
        (b"\x00\x00\x01", ProtocolFault.OVERSIZED),
        (b"\x03\x00\x00", ProtocolFault.WRONG_LENGTH),
        (b"\x03\x00\x02", ProtocolFault.OVERSIZED),
        (b"\x03\x00\x01\x00", ProtocolFault.NO_DIGIT),
        (b"\x03\x00\x01\xb2", ProtocolFault.NO_DIGIT),
        (b"\x10\x00\x00", ProtocolFault.WRONG_LENGTH),
        (b"\x10\x01\x3f", ProtocolFault.WRONG_LENGTH),
        (b"\xff\x01\x00", ProtocolFault.OVERSIZED),
    ],
)
def test_a_hostile_packet_is_refused_by_its_header(data, fault):
    """What can't be right is refused before its payload has come, with the reason."""
    assert fault_of(data) == fault


def test_a_refusal_is_for_good():
    """After a fault a decoder takes nothing more, however valid: it has lost its place."""
    decoder = Decoder()
    decoder.feed(HANG_UP.encode() + b"\x55" + HANG_UP.encode())
    assert decoder.take() == HANG_UP
    for _ in range(2):
        with pytest.raises(ProtocolError, match="unknown_kind: 0x55"):
            decoder.take()
        decoder.feed(HANG_UP.encode())
    with pytest.raises(ProtocolError):
        decoder.finish()


def test_a_packet_that_breaks_the_protocol_cannot_be_made():
    """What is sent keeps the same bounds as what is received."""
    for kind, payload in [(Kind.SLIN8, b"odd"), (Kind.DTMF, b"x"), (Kind.UUID, b""), (0x10, b"")]:
        with pytest.raises(ProtocolError):
            Packet(Kind(kind), payload)


def tone(hertz, seconds=1.0):
    at = np.arange(round(8_000 * seconds)) / 8_000
    return (8_000 * np.sin(2 * np.pi * hertz * at)).astype("<i2").tobytes()


@pytest.mark.parametrize("kind", sorted(SUPPORTED))
@pytest.mark.parametrize("hertz", [300, 1_000, 3_000])
def test_speech_survives_the_way_to_another_rate_and_back(kind, hertz):
    """A tone of the telephone band comes back as it was, a few milliseconds later."""
    sent = tone(hertz)
    agent, caller = AgentAudio(), CallerAudio()
    back = b"".join(
        frame
        for at in range(0, len(sent), 320)
        for frame in caller.frames(agent.packet(sent[at : at + 320], kind))
    )
    assert len(back) == len(sent)
    late = 0 if kind is Kind.SLIN8 else 32
    before = np.frombuffer(sent, "<i2").astype(float)[200 : 7_000 - late]
    after = np.frombuffer(back, "<i2").astype(float)[200 + late : 7_000]
    assert np.abs(after - before).max() < 100


def test_what_a_telephone_lacks_does_not_fold_back():
    """6 kHz in wideband audio is filtered out, not heard as 2 kHz."""
    at = np.arange(16_000) / 16_000
    wide = (8_000 * np.sin(2 * np.pi * 6_000 * at)).astype("<i2").tobytes()
    caller = CallerAudio()
    heard = b"".join(
        frame
        for start in range(0, len(wide), 640)
        for frame in caller.frames(Packet(Kind.SLIN16, wide[start : start + 640]))
    )
    assert np.abs(np.frombuffer(heard, "<i2").astype(float)[400:]).max() < 10


@given(st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_frames_are_whole_whatever_the_packets_size(sizes):
    """Packets of any size give 20 ms frames, every sample once and in order."""
    samples = b"".join(n.to_bytes(2, "little") for n in range(1, sum(sizes) + 1))
    caller, heard, at = CallerAudio(), [], 0
    for size in sizes:
        heard += caller.frames(Packet(Kind.SLIN8, samples[at : at + 2 * size]))
        at += 2 * size
    assert all(len(frame) == 320 for frame in heard)
    assert b"".join(heard) == samples[: len(samples) // 320 * 320]
