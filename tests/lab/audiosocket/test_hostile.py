"""Hostile, broken and lost AudioSocket connections: each ends its own call, and no other."""

import asyncio
import contextlib
import socket
import uuid

import pytest
from ai_engine_lab.audiosocket.client import AudioSocketClient, call_engine
from ai_engine_lab.audiosocket.connection import AudioSocketSettings, ConnectionEnding
from ai_engine_lab.audiosocket.protocol import HANG_UP, Kind, Packet, digit, greeting
from ai_engine_lab.audiosocket.server import take_calls
from ai_engine_lab.engine import VIRTUAL, EngineLoop, ReferenceEngine
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

HOST = "127.0.0.1"
GOOD = uuid.UUID("40325ec2-5efd-4bd3-805f-53576e581d13")
BAD = uuid.UUID("7f3b0d0e-6c35-4b4e-9d53-2f0e4d0a9a11")
HELLO = greeting(BAD).encode()
FRAME = Packet(Kind.SLIN8, bytes(320)).encode()


def beside_a_good_call(attack, *, duration=14.0, **options):
    """Run ``attack(port)`` during a good call; return the endings, the bad call's score, or None.

    The good call must come through as if it were alone.
    """
    loop = EngineLoop(VIRTUAL, epoch=1_761_532_800.0)
    scores = {}

    async def main():
        registry = CollectorRegistry()
        quality = aeq.QualityMonitor(
            registry=registry, clock=loop.time, wall_clock=loop.wall_time, log=False
        )
        quality.add_hook(lambda score: scores.update({score.call_id: score}))
        engine = ReferenceEngine(quality=quality, registry=registry, port=0)
        server = await take_calls(engine, AudioSocketSettings(**options))
        good = asyncio.create_task(call_engine(HOST, server.port, call_id=GOOD, duration=duration))
        await asyncio.sleep(3)
        await attack(server.port)
        heard = await good
        async with asyncio.timeout(120):
            while server.connections:  # noqa: ASYNC110 - the server has no event for this
                await asyncio.sleep(0.1)
        assert engine.active_calls == 0
        assert registry.get_sample_value("ai_agent_audiosocket_active_connections") == 0
        await engine.stop()
        quality.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return heard, server.endings

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        heard, endings = runner.run(main())
    summary = scores[str(GOOD)].summary
    assert (summary.outcome, summary.failed) == ("caller_hangup", False)
    assert (summary.underflows, summary.fallbacks) == (0, None)
    assert heard.seconds == pytest.approx(duration, abs=0.05)
    assert not heard.engine_hung_up
    endings[ConnectionEnding.CALLER] -= 1
    return +endings, scores.get(str(BAD))


def sending(*pieces, pause=0.0):
    """An attack: connect, send the pieces, and wait until the other side has closed."""

    async def attack(port):
        reader, writer = await asyncio.open_connection(HOST, port)
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(pause)
            attack.answer = await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    attack.answer = b""
    return attack


def error(reason):
    return Packet(Kind.ERROR, reason.encode()).encode()


@pytest.mark.parametrize(
    ("data", "ending"),
    [
        (b"GET / HTTP/1.1\r\nHost: engine\r\n\r\n", ConnectionEnding.MALFORMED),
        (b"\x01\x00\x24" + str(BAD).encode(), ConnectionEnding.MALFORMED),
        (FRAME, ConnectionEnding.NO_UUID),
        (HANG_UP.encode(), ConnectionEnding.NO_UUID),
        (digit("1").encode(), ConnectionEnding.NO_UUID),
    ],
)
def test_a_wrong_first_packet_never_becomes_a_call(data, ending):
    """Only a UUID opens a call; all else is answered with an error, counted and closed."""
    attack = sending(data)
    endings, score = beside_a_good_call(attack)
    assert endings == {ending: 1}
    assert attack.answer == error(ending)
    assert score is None


@pytest.mark.parametrize(
    ("data", "ending"),
    [
        (b"\x77\x00\x00", ConnectionEnding.MALFORMED),
        (b"\x10\xff\xff" + bytes(65_535), ConnectionEnding.MALFORMED),
        (b"\x10\x00\x00", ConnectionEnding.MALFORMED),
        (b"\x03\x00\x01\xff", ConnectionEnding.MALFORMED),
        (HELLO, ConnectionEnding.MALFORMED),
        (Packet(Kind.SLIN44, bytes(1_764)).encode(), ConnectionEnding.UNSUPPORTED_RATE),
        (FRAME * 400, ConnectionEnding.FLOOD),
        (digit("5").encode() * 400, ConnectionEnding.FLOOD),
    ],
)
def test_a_hostile_packet_ends_its_call_as_failed(data, ending):
    """A call that turns hostile gets an outcome and a score record; its neighbour is unharmed."""
    endings, score = beside_a_good_call(sending(HELLO, FRAME, data, pause=1.0))
    assert endings == {ending: 1}
    assert (score.summary.outcome, score.summary.failed) == ("connection_lost", True)


def test_a_stream_that_ends_in_a_packet_is_truncated():
    """Half a packet, then the end: the call has failed."""

    async def attack(port):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(HELLO + FRAME + FRAME[:100])
        await asyncio.sleep(2)
        writer.write_eof()
        await reader.read()
        writer.close()
        await writer.wait_closed()

    endings, score = beside_a_good_call(attack)
    assert endings == {ConnectionEnding.TRUNCATED: 1}
    assert (score.summary.outcome, score.summary.failed) == ("connection_lost", True)


def test_a_connection_without_a_word_is_closed():
    """No UUID within its time: closed, counted, never a call."""
    attack = sending()
    endings, score = beside_a_good_call(attack)
    assert endings == {ConnectionEnding.UUID_TIMEOUT: 1}
    assert attack.answer == error(ConnectionEnding.UUID_TIMEOUT)
    assert score is None


def test_a_packet_that_trickles_in_is_not_waited_for():
    """A byte every second keeps no connection open: the packet as a whole has a time."""
    endings, _ = beside_a_good_call(
        sending(*(bytes([byte]) for byte in HELLO), pause=1.0), duration=30.0
    )
    assert endings == {ConnectionEnding.UUID_TIMEOUT: 1}


def test_a_half_open_connection_ends_its_call():
    """Nothing comes any more, not even an end: after the idle timeout the call has failed."""
    endings, score = beside_a_good_call(sending(HELLO, FRAME))
    assert endings == {ConnectionEnding.IDLE: 1}
    assert (score.summary.outcome, score.summary.failed) == ("connection_lost", True)
    assert score.summary.duration == pytest.approx(10.0, abs=0.1)


def test_a_reset_ends_its_call():
    """A connection that is reset is lost; it is not held against the engine."""

    async def attack(port):
        client = await AudioSocketClient.connect(HOST, port, BAD)
        client.say(bytes(320))
        await asyncio.sleep(2)
        client.abort()  # with the agent's greeting unread: a reset

    endings, score = beside_a_good_call(attack)
    assert endings == {ConnectionEnding.RESET: 1}
    assert (score.summary.outcome, score.summary.failed) == ("connection_lost", False)


def test_a_slow_reader_loses_its_call():
    """Who doesn't read what the agent says is cut off, before much of it is held."""

    async def attack(port):
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(deaf, (HOST, port))
        with contextlib.suppress(ConnectionError), deaf:
            await loop.sock_sendall(deaf, HELLO)
            while True:
                await loop.sock_sendall(deaf, FRAME)
                await asyncio.sleep(0.02)

    endings, score = beside_a_good_call(attack, max_unsent_bytes=4_096)
    assert endings == {ConnectionEnding.SLOW_READER: 1}
    assert (score.summary.outcome, score.summary.failed) == ("connection_lost", True)
    assert score.summary.fallbacks == 1


def test_a_uuid_in_use_is_refused():
    """A second connection with a call's UUID gets an error; the call goes on."""
    attack = sending(greeting(GOOD).encode(), FRAME)
    endings, _ = beside_a_good_call(attack)
    assert endings == {ConnectionEnding.DUPLICATE: 1}
    assert attack.answer == error(ConnectionEnding.DUPLICATE)


def test_connections_are_bounded():
    """Beyond the bound connections are closed at once; those that are there stay."""

    async def attack(port):
        crowd = [await asyncio.open_connection(HOST, port) for _ in range(12)]
        await asyncio.sleep(1)
        for _, writer in crowd:
            writer.close()
        for _, writer in crowd:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    endings, _ = beside_a_good_call(attack, max_connections=5)
    assert endings == {ConnectionEnding.TOO_MANY: 8, ConnectionEnding.CLOSED: 4}


def test_a_fault_in_the_engine_ends_that_connection_only(monkeypatch, caplog):
    """What nobody thought of is logged with its traceback, and ends one call."""
    monkeypatch.setattr(
        "ai_engine_lab.engine.session.CallSession.press",
        lambda _session, _key: 1 / 0,
    )
    endings, _ = beside_a_good_call(sending(HELLO, digit("1").encode()))
    assert endings == {ConnectionEnding.FAILED: 1}
    assert "ZeroDivisionError" in caplog.text


pieces = st.lists(
    st.binary(max_size=300)
    | st.sampled_from([FRAME, FRAME[:7], digit("1").encode(), b"\x10\x01", HELLO, b"\x12\x02\x80"]),
    max_size=6,
)


@settings(max_examples=12)
@given(st.lists(pieces, min_size=1, max_size=6), st.booleans())
def test_no_garbage_harms_a_neighbour(attacks, known):
    """Whatever several connections send after a UUID or without one, a good call beside is good."""

    async def attack(port):
        await asyncio.gather(
            *(
                sending(*([greeting(uuid.uuid4()).encode()] if known else []), *parts, pause=0.1)(
                    port
                )
                for parts in attacks
            )
        )

    endings, _ = beside_a_good_call(attack)
    assert endings.total() == len(attacks)
