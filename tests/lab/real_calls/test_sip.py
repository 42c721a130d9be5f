"""The SIP phone, against a peer that answers as Asterisk does."""

from __future__ import annotations

import asyncio
import contextlib
import struct

import numpy as np
import pytest
from ai_engine_lab.real_calls import sip
from ai_engine_lab.real_calls.real_asterisk import configuration
from ai_engine_lab.real_calls.scenario import LineFault
from ai_engine_lab.real_calls.sip import HOST, SipError, SipPhone
from ai_engine_lab.real_calls.sound import to_ulaw
from rig_parts import make_caller, until

KEPT = ("Via:", "From:", "Call-ID:", "CSeq:")
FRAME = np.full(160, 900, dtype=np.int16)
RTP = struct.pack("!BBHII", 0x80, 0, 7, 160, 0xABCD) + to_ulaw(FRAME)
SENDER_REPORT = struct.pack("!BBHIIIIII", 0x80, 200, 6, 0xABCD, 0x11112222, 0x33334444, 0, 1, 160)


class Peer(asyncio.DatagramProtocol):
    """One socket of Asterisk's: keeps what comes, and knows from where."""

    def __init__(self, answers=None):
        self.came = []
        self.sender = None
        self._answers = answers or (lambda _: ())

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, port=0, answers=None):
        loop = asyncio.get_running_loop()
        peer = cls(answers)
        peer.transport, _ = await loop.create_datagram_endpoint(
            lambda: peer, local_addr=(HOST, port)
        )
        peer.port = peer.transport.get_extra_info("sockname")[1]
        try:
            yield peer
        finally:
            peer.transport.close()

    def datagram_received(self, data, address):
        self.came.append(data)
        self.sender = address
        for answer in self._answers(data.decode(errors="replace")):
            self.transport.sendto(answer.encode(), address)


def reply(status, request, body=""):
    """Return an answer to a request, with the headers that it needs."""
    kept = [line for line in request.split("\r\n") if line.startswith(KEPT)]
    to = next(line for line in request.split("\r\n") if line.startswith("To:")) + ";tag=theirs"
    return "\r\n".join([f"SIP/2.0 {status}", *kept, to, f"Content-Length: {len(body)}", "", body])


@contextlib.asynccontextmanager
async def connected(who, on_hung_up=lambda: None):
    """Yield a phone in a call, and the peer's sockets for SIP, RTP and RTCP."""

    def answers(text):
        if text.startswith("INVITE"):
            yield reply("100 Trying", text)
            yield reply("200 OK", text, f"v=0\r\nm=audio {rtp.port} RTP/AVP 0\r\n")

    async with contextlib.AsyncExitStack() as sockets:
        rtp = await sockets.enter_async_context(Peer.at())
        rtcp = await sockets.enter_async_context(Peer.at(rtp.port + 1))
        peer = await sockets.enter_async_context(Peer.at(answers=answers))
        phone = SipPhone(who, peer.port, on_hung_up)
        await phone.open()
        try:
            yield phone, peer, rtp, rtcp
        finally:
            await phone.close()
            await asyncio.sleep(0)  # a closed transport lets its socket go in the next step


def test_a_call_is_made_heard_and_ended():
    """INVITE, ACK, audio both ways, BYE: each as RFC 3261 has it, with the other side's tag."""

    async def main():
        who = make_caller()
        async with connected(who) as (phone, peer, rtp, _):
            phone.bridge(who)
            await until(lambda: len(rtp.came) >= 3)
            rtp.transport.sendto(RTP, rtp.sender)
            await until(lambda: who.recording.heard)
            await phone.close()
            await until(lambda: len(peer.came) >= 3)
            return who, [one.decode() for one in peer.came], rtp.came

    who, requests, packets = asyncio.run(main())
    assert [one.split()[0] for one in requests] == ["INVITE", "ACK", "BYE"]
    assert "m=audio" in requests[0]
    assert all("To: <sip:s@127.0.0.1>;tag=theirs" in one for one in requests[1:])
    numbers = [struct.unpack("!H", one[2:4])[0] for one in packets]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert (who.phone.sent, who.phone.lost) == (1, 0)


def test_it_reports_what_it_lost(monkeypatch):
    """A receiver report: what was lost of whose packets, and when their own report came."""
    monkeypatch.setattr(sip, "REPORT_SECONDS", 0.05)

    async def main():
        who = make_caller(line=LineFault(loss=1.0))
        async with connected(who) as (phone, peer, rtp, rtcp):
            phone.bridge(who)
            port = int(peer.came[0].decode().partition("m=audio ")[2].split()[0])
            rtcp.transport.sendto(SENDER_REPORT, (HOST, port + 1))
            for _ in range(3):
                rtp.transport.sendto(RTP, (HOST, port))
            await until(lambda: who.phone.lost == 3)
            seen = len(rtcp.came)
            await until(lambda: len(rtcp.came) > seen + 1)
            return rtcp.came[-1], rtp.came

    report, sent = asyncio.run(main())
    assert report[1] == 201
    whose, lost, last, _, middle, _ = struct.unpack("!6I", report[8:32])
    assert (whose, lost, last, middle) == (0xABCD, 3, 7, 0x22223333)
    assert report[33] == 202  # RFC 3550: who it is goes with each report
    assert sent == []  # all of its own were lost, too


def test_the_other_side_may_hang_up():
    """A BYE is answered, told once, and not sent back."""

    async def main():
        told = []
        bye = (
            f"BYE sip:lab@{HOST} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:5060;branch=z9hG4bKx\r\n"
            f"From: <sip:s@{HOST}>;tag=theirs\r\nTo: <sip:lab@{HOST}>;tag=lab\r\n"
            "Call-ID: 1\r\nCSeq: 7 BYE\r\nContent-Length: 0\r\n\r\n"
        )
        async with connected(make_caller(), lambda: told.append(1)) as (_, peer, _, _):
            peer.transport.sendto(bye.encode(), peer.sender)
            await until(lambda: peer.came[-1].startswith(b"SIP/2.0 200"))
        return told, peer.came

    told, came = asyncio.run(main())
    assert told == [1]
    assert b"CSeq: 7 BYE" in came[-1]
    assert not any(one.startswith(b"BYE") for one in came)


def test_a_call_that_is_refused_says_why():
    """The other side's own words."""

    async def main():
        def busy(text):
            if text.startswith("INVITE"):
                yield reply("486 Busy Here", text)

        async with Peer.at(answers=busy) as peer:
            await SipPhone(make_caller(), peer.port, lambda: None).open()

    with pytest.raises(SipError, match=r"refused the call: SIP.2.0 486 Busy Here"):
        asyncio.run(main())


def test_asterisk_is_told_where_everything_is(tmp_path):
    """Its ports, the engine's application, and one folder for all that it writes."""
    files = configuration(tmp_path, ari=18_088, sip=15_060, rtp=20_000)
    assert "bindport = 18088" in files["http.conf"]
    assert "bind = 127.0.0.1:15060" in files["pjsip.conf"]
    assert "Stasis(asterisk-ai-voice-agent)" in files["extensions.conf"]
    assert files["asterisk.conf"].count(str(tmp_path)) == 6
