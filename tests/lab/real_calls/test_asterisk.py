"""The stand-in for Asterisk, asked by a real HTTP and WebSocket client, with real media sockets."""

from __future__ import annotations

import asyncio
import struct
import uuid

import aiohttp
import numpy as np
import pytest
from ai_engine_lab.real_calls.asterisk import Asterisk
from ai_engine_lab.real_calls.scenario import LineFault
from ai_engine_lab.real_calls.sound import from_ulaw, to_pcm, to_ulaw
from rig_parts import make_caller, until


class Engine:
    """Speaks to the stand-in as an engine does."""

    def __init__(self, asterisk, session, events):
        self.asterisk = asterisk
        self._session = session
        self._events = events

    async def ask(self, method, path, expected=200, **arguments):
        """Return the answer's body, None of an empty one."""
        url = f"http://127.0.0.1:{self.asterisk.port}/ari/{path}"
        async with self._session.request(method, url, **arguments) as response:
            assert response.status == expected, await response.text()
            return await response.json() if expected != 204 else None

    async def event(self, kind):
        """Return the next event, which must be of a kind."""
        event = await self._events.receive_json(timeout=5)
        assert event["type"] == kind
        return event


def with_engine(work):
    """Run a coroutine function with an engine that is connected to a fresh stand-in."""

    async def run():
        asterisk = Asterisk()
        await asterisk.start()
        try:
            async with aiohttp.ClientSession() as session:
                url = f"http://127.0.0.1:{asterisk.port}/ari/events?app=engine&api_key=lab:lab"
                async with session.ws_connect(url) as events:
                    await asyncio.wait_for(asterisk.ready.wait(), 5)
                    await work(Engine(asterisk, session, events))
        finally:
            await asterisk.stop()

    asyncio.run(run())


def test_a_call_enters_the_application_and_ends():
    """A placed call is told by StasisStart, can be answered and hung up, and then is gone."""

    async def work(engine):
        caller = make_caller()
        await engine.asterisk.place(caller)
        started = await engine.event("StasisStart")
        assert started["application"] == "engine"
        assert started["channel"]["id"] == "1.1"
        assert started["channel"]["name"].startswith("PJSIP/")
        await engine.ask("POST", "channels/1.1/answer", 204)
        assert (await engine.ask("GET", "channels/1.1"))["state"] == "Up"
        await engine.ask("DELETE", "channels/1.1", 204)
        assert (await engine.event("ChannelVarset"))["variable"] == "RTPAUDIOQOS"
        await engine.event("StasisEnd")
        await engine.event("ChannelDestroyed")
        await engine.ask("DELETE", "channels/1.1", 404)
        assert caller.hung_up.is_set()
        assert caller.recording.ended_by == "engine"

    with_engine(work)


def test_variables_are_kept_and_unknown_ones_are_told_as_asterisk_does():
    """A variable that was set is read again; another is 404 in Asterisk's words."""

    async def work(engine):
        await engine.asterisk.place(make_caller())
        path = "channels/1.1/variable"
        missing = await engine.ask("GET", path, 404, params={"variable": "X"})
        assert missing == {"message": "Provided variable was not found"}
        await engine.ask("POST", path, 204, json={"variable": "X", "value": "1"})
        assert await engine.ask("GET", path, params={"variable": "X"}) == {"value": "1"}

    with_engine(work)


def test_what_it_does_not_know_is_listed():
    """A request to a resource that isn't played is 404 and can be looked up."""

    async def work(engine):
        await engine.ask("GET", "mailboxes", 404)
        assert engine.asterisk.unknown == ["GET /ari/mailboxes"]

    with_engine(work)


def test_a_playback_is_told_as_finished():
    """A file that is played ends with PlaybackFinished, under the id that was given."""

    async def work(engine):
        caller = make_caller()
        await engine.asterisk.place(caller)
        await engine.event("StasisStart")
        body = {"media": "sound:hello", "playbackId": "p1"}
        assert (await engine.ask("POST", "channels/1.1/play", 201, json=body))["id"] == "p1"
        finished = await engine.event("PlaybackFinished")
        assert finished["playback"]["id"] == "p1"
        assert caller.recording.events[0][1] == "file played: sound:hello"

    with_engine(work)


async def bridged(engine, media_id):
    """Put the caller's channel and a media channel in one bridge."""
    bridge = (await engine.ask("POST", "bridges", json={"type": "mixing"}))["id"]
    for channel in ("1.1", media_id):
        await engine.ask("POST", f"bridges/{bridge}/addChannel", 204, json={"channel": channel})


def test_audiosocket_says_who_it_is_and_carries_both_ways():
    """It connects, sends its UUID and the caller's frames, and records the agent's."""

    async def work(engine):
        arrived = asyncio.get_running_loop().create_future()
        agent = np.arange(160, dtype=np.int16) * 50

        async def serve(reader, writer):
            messages = []
            for _ in range(4):
                kind, length = struct.unpack("!BH", await reader.readexactly(3))
                messages.append((kind, await reader.readexactly(length)))
            writer.write(struct.pack("!BH", 0x10, 320) + to_pcm(agent))
            await writer.drain()
            arrived.set_result(messages)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        caller = make_caller()
        await engine.asterisk.place(caller)
        await engine.event("StasisStart")
        identity = uuid.uuid4()
        endpoint = {"endpoint": f"AudioSocket/127.0.0.1:{port}/{identity}/c(slin)", "app": "engine"}
        media = await engine.ask("POST", "channels", params=endpoint)
        started = await engine.event("StasisStart")
        assert started["channel"]["name"] == f"AudioSocket/127.0.0.1:{port}-{identity}"
        await bridged(engine, media["id"])
        first, *frames = await asyncio.wait_for(arrived, 5)
        assert first == (0x01, identity.bytes)
        assert {(kind, len(payload)) for kind, payload in frames} == {(0x10, 320)}
        await until(lambda: caller.recording.heard)
        assert np.array_equal(caller.recording.heard[0].sound, agent)
        assert len(caller.recording.sent) >= 3
        await engine.asterisk.hang_up(engine.asterisk.channels["1.1"], by="caller")
        server.close()

    with_engine(work)


@pytest.mark.parametrize("loss", [0.0, 1.0])
def test_external_media_is_rtp_with_as_much_loss_as_asked_for(loss):
    """Packets of u-law go to the given host with a rising sequence; lost ones go nowhere."""

    async def work(engine):
        packets = []

        class Receiver(asyncio.DatagramProtocol):
            def datagram_received(self, data, address):
                packets.append((data, address))

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Receiver, ("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        caller = make_caller(line=LineFault(loss=loss))
        await engine.asterisk.place(caller)
        await engine.event("StasisStart")
        body = {"external_host": f"127.0.0.1:{port}", "format": "ulaw", "app": "engine"}
        media = await engine.ask("POST", "channels/externalMedia", json=body)
        started = await engine.event("StasisStart")
        assert started["channel"]["name"].startswith("UnicastRTP/")
        await bridged(engine, media["id"])
        await until(lambda: len(caller.recording.sent) >= 6)
        agent = np.full(160, 900, dtype=np.int16)
        if loss:
            assert packets == []
            line = engine.asterisk.channels[media["id"]].line
            line.datagram_received(bytes(12) + to_ulaw(agent), ("127.0.0.1", port))
            assert (caller.phone.lost, caller.phone.sent, caller.recording.heard) == (1, 1, [])
        else:
            numbers = [struct.unpack("!H", data[2:4])[0] for data, _ in packets]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert {len(data) for data, _ in packets} == {172}
            transport.sendto(packets[0][0][:12] + to_ulaw(agent), packets[0][1])
            await until(lambda: caller.recording.heard)
            assert np.array_equal(caller.recording.heard[0].sound, from_ulaw(to_ulaw(agent)))
        await engine.asterisk.hang_up(engine.asterisk.channels["1.1"], by="caller")
        transport.close()

    with_engine(work)
