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
from ai_engine_lab.real_calls.lines import RTP_HEADER, RtpMedia
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


class SipPhone(RtpMedia):
    """One caller's phone, and its call."""

    def __init__(self, caller: Caller, sip_port: int, on_hung_up: Callable[[], None]) -> None:
        super().__init__(random.Random(caller.scenario.name))  # noqa: S311  # which are lost
        self._phone = caller.phone
        self._asterisk = (HOST, sip_port)
        self._on_hung_up = on_hung_up
        self._call_id = f"{random.getrandbits(40):010x}@lab"
        self._to_tag = ""
        self._answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._over = False
        self._reporter: asyncio.Task[None] | None = None
        self._sockets: list[asyncio.DatagramTransport] = []
        self._their_ssrc = self._their_sequence = 0
        self._their_report: tuple[int, float] | None = None
        """The middle of the last sender report's time, and when it came."""

    async def open(self) -> None:
        """Call the extension ``s``, and wait until it answers.

        Raises:
            SipError: it doesn't.
        """
        self._sip = await self._socket(self._take_sip)
        await self._open_media()
        self._request("INVITE", 1, _offer(_port_of(self._rtp)))
        try:
            self._media = await asyncio.wait_for(self._answered, ANSWER_SECONDS)
        except TimeoutError:
            raise SipError("Asterisk did not answer the call; its log is in --out") from None
        finally:
            if not self._to_tag:  # there is no call
                self._abandon()
        self._request("ACK", 1)
        self._reporter = asyncio.create_task(self._report())

    async def _open_media(self) -> None:
        for port in random.sample(_PORTS, 100):
            with contextlib.suppress(OSError):
                self._rtp = await self._socket(self._take_rtp, port)
                self._rtcp = await self._socket(self._take_rtcp, port + 1)
                return
        raise SipError("no two ports are free for the call's audio; end other calls")

    async def _socket(
        self, take: Callable[[bytes], None], port: int = 0
    ) -> asyncio.DatagramTransport:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(take), local_addr=(HOST, port)
        )
        self._sockets.append(transport)
        return transport

    async def send(self, frame: sound.Sound) -> None:
        """Send one packet, unless it is lost."""
        packet = self.next_packet(frame)
        if packet is not None:
            self._rtp.sendto(packet, (HOST, self._media))

    async def close(self) -> None:
        """Hang up, unless the other side has."""
        await super().close()
        if self._reporter is not None:
            self._reporter.cancel()
        if not self._over:
            self._over = True
            self._request("BYE", 2)
        self._abandon()

    def _abandon(self) -> None:
        for transport in self._sockets:
            transport.close()

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
            self._answered.set_exception(
                SipError(f"Asterisk refused the call: {first}; its log, in --out, says why")
            )
            return
        self._to_tag = ";tag=" + str(headers["To"]).partition(";tag=")[2]
        media = next(line for line in body.splitlines() if line.startswith("m=audio "))
        self._answered.set_result(int(media.split()[1]))

    def _take_rtp(self, data: bytes) -> None:
        if len(data) > RTP_HEADER.size:
            _, _, self._their_sequence, _, self._their_ssrc = RTP_HEADER.unpack_from(data)
        self.deliver(data)

    def _take_rtcp(self, data: bytes) -> None:
        if len(data) >= 14 and data[1] == SENDER_REPORT:  # up to its time
            self._their_report = struct.unpack_from("!I", data, 10)[0], time.monotonic()

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
        block = (self._their_ssrc, self._phone.lost, self._their_sequence, 0, middle, since)
        name = struct.pack("!BB", 1, len(_NAME)) + _NAME + bytes(3)
        return (
            struct.pack("!BBHI6I", 0x81, RECEIVER_REPORT, 7, self.ssrc, *block)
            + struct.pack("!BBHI", 0x81, DESCRIPTION, 3, self.ssrc)
            + name
        )


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, _: object) -> None:
        self._take(data)

    def error_received(self, _: Exception) -> None:
        """Ignore that the other side has closed its port: calls end so."""


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
