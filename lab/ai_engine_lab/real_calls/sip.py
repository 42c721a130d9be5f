"""A SIP phone that calls a real Asterisk: RFC 3261 over UDP, RTP of u-law, and reports by RTCP.

As little of each as a phone on the same machine needs: no authentication, nothing sent again. It
loses as many packets as its scenario says, in either direction, and reports those that it lost
every 5 s, as any phone does (RFC 3550).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
import time
from collections.abc import Callable
from email.message import Message
from email.parser import Parser
from typing import Final

from ai_engine_lab.real_calls import sound
from ai_engine_lab.real_calls.caller import Caller
from ai_engine_lab.real_calls.lines import RTP_HEADER, Line
from ai_engine_lab.real_calls.phone import REPORT_SECONDS

HOST: Final = "127.0.0.1"
ANSWER_SECONDS: Final = 10.0
SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
DESCRIPTION: Final = 202
_NAME: Final = b"lab"
_PORTS: Final = range(20_000, 30_000, 2)
_ECHOED: Final = ("Via", "From", "To", "Call-ID", "CSeq")
"""Headers of a request that its answer has too."""


class SipError(Exception):
    """Asterisk did not take the call, and why."""


class SipPhone(Line):
    """One caller's phone, and its call."""

    def __init__(self, caller: Caller, sip_port: int, on_hung_up: Callable[[], None]) -> None:
        super().__init__()
        self._who = caller
        self._asterisk = (HOST, sip_port)
        self._on_hung_up = on_hung_up
        self._random = random.Random(caller.scenario.name)  # noqa: S311  # which packets are lost
        self._call_id = f"{random.getrandbits(40):010x}@lab"
        self._to_tag = ""
        self._answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._over = False
        self._reporter: asyncio.Task[None] | None = None
        self._ssrc, self._sequence, self._timestamp = random.getrandbits(31), 1, 0
        self._their_ssrc = self._their_sequence = 0
        self._their_report: tuple[int, float] | None = None
        """The middle of the last sender report's time, and when it came."""

    async def open(self) -> None:
        """Call the extension ``s``, and wait until it answers.

        Raises:
            SipError: it doesn't.
        """
        self._sip = await _socket(self._take_sip)
        await self._open_media()
        self._request("INVITE", 1, _offer(_port_of(self._rtp)))
        try:
            self._media = await asyncio.wait_for(asyncio.shield(self._answered), ANSWER_SECONDS)
        except TimeoutError:
            raise SipError(f"Asterisk at {self._asterisk} did not answer the call") from None
        self._request("ACK", 1)
        self._reporter = asyncio.create_task(self._report())

    async def _open_media(self) -> None:
        for port in random.sample(_PORTS, 100):
            with contextlib.suppress(OSError):
                self._rtp = await _socket(self._take_rtp, port)
                self._rtcp = await _socket(self._take_rtcp, port + 1)
                return
        raise SipError("no two ports are free for the call's audio")

    async def send(self, frame: sound.Sound) -> None:
        """Send one packet, unless it is lost."""
        header = RTP_HEADER.pack(0x80, 0, self._sequence & 0xFFFF, self._timestamp, self._ssrc)
        self._sequence += 1
        self._timestamp += len(frame)
        if not self._is_lost():
            self._rtp.sendto(header + sound.to_ulaw(frame), (HOST, self._media))

    async def close(self) -> None:
        """Hang up, unless the other side has."""
        await super().close()
        if self._reporter is not None:
            self._reporter.cancel()
        if not self._over:
            self._over = True
            self._request("BYE", 2)

    # --- what comes -----------------------------------------------------------------------------

    def _take_sip(self, data: bytes) -> None:
        head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
        first, _, rest = head.partition("\r\n")
        headers = Parser().parsestr(rest, headersonly=True)
        if first.startswith("BYE "):
            self._over = True
            self._accept(headers)
            self._on_hung_up()
        elif first.startswith("SIP/2.0 ") and str(headers["CSeq"]).endswith("INVITE"):
            self._take_answer(first, headers, body)

    def _take_answer(self, first: str, headers: Message, body: str) -> None:
        status = int(first.split()[1])
        if status < 200 or self._answered.done():
            return
        if status >= 300:
            self._answered.set_exception(SipError(f"Asterisk refused the call: {first}"))
            return
        self._to_tag = ";tag=" + str(headers["To"]).partition(";tag=")[2]
        media = next(line for line in body.splitlines() if line.startswith("m=audio "))
        self._answered.set_result(int(media.split()[1]))

    def _take_rtp(self, data: bytes) -> None:
        if self._caller is None or len(data) <= RTP_HEADER.size:
            return
        _, _, self._their_sequence, _, self._their_ssrc = RTP_HEADER.unpack_from(data)
        take = self._caller.miss if self._is_lost() else self._caller.hear
        take(time.monotonic(), sound.from_ulaw(data[RTP_HEADER.size :]))

    def _take_rtcp(self, data: bytes) -> None:
        if len(data) >= 14 and data[1] == SENDER_REPORT:  # up to its time
            self._their_report = struct.unpack_from("!I", data, 10)[0], time.monotonic()

    def _is_lost(self) -> bool:
        return self._random.random() < self._who.scenario.line.loss

    # --- what is sent ---------------------------------------------------------------------------

    def _request(self, method: str, number: int, body: str = "") -> None:
        port = _port_of(self._sip)
        lines = [
            f"{method} sip:s@{HOST}:{self._asterisk[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {HOST}:{port};branch=z9hG4bK{random.getrandbits(40):010x};rport",
            "Max-Forwards: 70",
            f"From: <sip:lab@{HOST}>;tag=lab",
            f"To: <sip:s@{HOST}>{self._to_tag}",
            f"Call-ID: {self._call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:lab@{HOST}:{port}>",
            *(["Content-Type: application/sdp"] if body else []),
        ]
        self._send_sip(lines, body)

    def _accept(self, headers: Message) -> None:
        self._send_sip(["SIP/2.0 200 OK", *(f"{name}: {headers[name]}" for name in _ECHOED)])

    def _send_sip(self, lines: list[str], body: str = "") -> None:
        message = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        self._sip.sendto(message.encode(), self._asterisk)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            self._rtcp.sendto(self._receiver_report(), (HOST, self._media + 1))

    def _receiver_report(self) -> bytes:
        middle, came = self._their_report or (0, time.monotonic())
        since = int((time.monotonic() - came) * 65_536)
        lost = self._who.phone.lost
        block = (self._their_ssrc, lost, self._their_sequence, 0, middle, since)
        name = struct.pack("!BB", 1, len(_NAME)) + _NAME + bytes(3)
        return (
            struct.pack("!BBHI6I", 0x81, RECEIVER_REPORT, 7, self._ssrc, *block)
            + struct.pack("!BBHI", 0x81, DESCRIPTION, 3, self._ssrc)
            + name
        )


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, _: object) -> None:
        self._take(data)

    def error_received(self, _: Exception) -> None:
        """Ignore that the other side has closed its port: calls end so."""


async def _socket(take: Callable[[bytes], None], port: int = 0) -> asyncio.DatagramTransport:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(take), local_addr=(HOST, port)
    )
    return transport


def _port_of(transport: asyncio.DatagramTransport) -> int:
    return int(transport.get_extra_info("sockname")[1])


def _offer(port: int) -> str:
    """Return what a phone offers: u-law, in packets of 20 ms (RFC 4566)."""
    return "\r\n".join(
        [
            "v=0", f"o=- 1 1 IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0",
            f"m=audio {port} RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=ptime:20", "",
        ]
    )  # fmt: skip
