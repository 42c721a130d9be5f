"""One caller's AudioSocket connection: the way between a socket and a call's session.

It reads packets within bounds (of time, size and rate), and is the call's `Transport` to the other
side. Nothing in it waits for the peer to read: who reads too slowly loses the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Never

from ai_engine_lab.audiosocket.audio import SUPPORTED, AgentAudio, CallerAudio
from ai_engine_lab.audiosocket.protocol import (
    AUDIO_RATES,
    HANG_UP,
    Decoder,
    Kind,
    Packet,
    ProtocolError,
    ProtocolFault,
)
from ai_engine_lab.basics.audio_formats import FRAME_BYTES, FRAME_SECONDS
from ai_engine_lab.engine.events import Outcome
from ai_engine_lab.engine.plans import SIMPLE_QA, Scenario
from ai_engine_lab.engine.provider import DEEPGRAM, ProviderModel
from ai_engine_lab.engine.session import CallSession
from ai_engine_lab.engine.transport import TransportError

_log = logging.getLogger(__name__)

READ_BYTES: Final = 4_096
"""Read at once at most, so that a flood on one connection leaves the loop to the others."""
_DIGIT_SECONDS: Final = 0.04
"""A key can't be pressed for less, so that more digits than this allows are a flood too."""


@dataclass(frozen=True)
class AudioSocketSettings:
    """Where to listen for AudioSocket, what to answer with, and what to bear; seconds of the loop.

    The defaults suit a loop in real time. There is no authentication in AudioSocket: whoever
    reaches the port is a caller, so keep it on the loopback interface.
    """

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes any free port; Asterisk's examples use 9092."""
    provider: ProviderModel = DEEPGRAM
    pipeline: str | None = None
    scenario: Scenario = SIMPLE_QA
    """How long the agent's greeting and answers are."""
    call_id: Callable[[uuid.UUID], str] = str
    """The id of the call that a connection's UUID stands for."""
    max_connections: int = 200
    max_call_seconds: float = 3_600.0
    """After so long the agent hangs up."""
    uuid_timeout_seconds: float = 5.0
    """The first packet must be there by then."""
    idle_timeout_seconds: float = 10.0
    """Without a whole packet for so long the connection is taken for half open."""
    max_lead_seconds: float = 5.0
    """Audio that may arrive ahead of time (after a stall, say); more is a flood."""
    max_unsent_bytes: int = 32_768
    """Audio that may wait for a slow reader, beside what the system's socket holds."""
    linger_seconds: float = 1.0
    """After the agent's hang-up, how long the peer may take to close its side."""


class ConnectionEnding(StrEnum):
    """How a connection ended."""

    CALLER = "caller_hang_up"
    CLOSED = "closed"
    ENGINE = "engine_hang_up"
    PEER_ERROR = "peer_error"
    RESET = "reset"
    IDLE = "idle"
    SLOW_READER = "slow_reader"
    FLOOD = "flood"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    UNSUPPORTED_RATE = "unsupported_rate"
    NO_UUID = "no_uuid"
    UUID_TIMEOUT = "uuid_timeout"
    DUPLICATE = "duplicate_uuid"
    TOO_MANY = "too_many_connections"
    FAILED = "failed"


_SILENT_AFTER_SECONDS: Final = 0.2
"""Without audio for so long a line is silent, rather than late."""

_SILENCE: Final = bytes(FRAME_BYTES)

_ORDERLY: Final = frozenset({ConnectionEnding.CALLER, ConnectionEnding.CLOSED})


class _Refused(Exception):  # noqa: N818 - a way out, not an error
    """The connection must end, and why."""

    def __init__(self, ending: ConnectionEnding) -> None:
        super().__init__(ending)
        self.ending = ending


@dataclass
class _Lead:
    """How far what arrived is ahead of time, in seconds."""

    ahead: float = 0.0
    at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    def add(self, seconds: float) -> float:
        now = asyncio.get_running_loop().time()
        self.ahead = max(0.0, self.ahead - (now - self.at)) + seconds
        self.at = now
        return self.ahead


class Connection:
    """A connection, from its first packet to its end; to the session it is a `Transport`."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        settings: AudioSocketSettings,
    ) -> None:
        self.ending: ConnectionEnding | None = None
        self._reader = reader
        self._writer = writer
        self._settings = settings
        self._decoder = Decoder()
        self._kind = Kind.SLIN8
        self._caller = CallerAudio()
        self._agent = AgentAudio()
        self._lead = _Lead()
        self._heard_until = 0.0
        """Time of the loop up to which the session has heard the caller, or silence."""
        _tune(writer)

    # From the caller.

    async def identify(self) -> uuid.UUID | None:
        """The UUID that the first packet must be; None where it isn't, and the connection ends."""
        try:
            packet = await self._packet(
                self._settings.uuid_timeout_seconds, ConnectionEnding.UUID_TIMEOUT
            )
            if packet is not None and packet.kind is Kind.UUID:
                return uuid.UUID(bytes=packet.payload)
            self.end(ConnectionEnding.CLOSED if packet is None else ConnectionEnding.NO_UUID)
        except _Refused as refused:
            self.end(refused.ending)
        return None

    async def relay(self, session: CallSession) -> None:
        """Let the session hear the caller until the connection ends, and tell it how that was."""
        limit = asyncio.get_running_loop().call_later(
            self._settings.max_call_seconds, session.hang_up, "agent_hangup"
        )
        silence = asyncio.create_task(self._hear_silence(session))
        try:
            await self._hear_all(session)
        except _Refused as refused:
            self.end(refused.ending)
        except Exception:
            _log.exception("an AudioSocket connection failed")
            self.end(ConnectionEnding.FAILED)
        finally:
            limit.cancel()
            silence.cancel()
        outcome, failed = _outcome(self.ending)
        session.hang_up(outcome, failed=failed)

    async def _hear_all(self, session: CallSession) -> None:
        while self.ending is None:
            packet = await self._packet(self._settings.idle_timeout_seconds, ConnectionEnding.IDLE)
            if packet is None:
                return self.end(ConnectionEnding.CLOSED)
            self._hear(packet, session)
        return None

    async def _hear_silence(self, session: CallSession) -> None:
        """Let the session hear silence while nothing comes: some lines send none of theirs."""
        loop = asyncio.get_running_loop()
        self._heard_until = loop.time()
        while self.ending is None:
            await asyncio.sleep(FRAME_SECONDS)
            while loop.time() - self._heard_until > _SILENT_AFTER_SECONDS:
                session.hear(_SILENCE)
                self._heard_until += FRAME_SECONDS

    def _hear(self, packet: Packet, session: CallSession) -> None:
        match packet.kind:
            case Kind.HANG_UP:
                self.end(ConnectionEnding.CALLER)
            case Kind.ERROR:
                self.end(ConnectionEnding.PEER_ERROR)
            case Kind.UUID:
                self.end(ConnectionEnding.MALFORMED)  # once is enough
            case Kind.DTMF:
                self._keep_time(_DIGIT_SECONDS)
                session.press(packet.payload.decode("ascii"))
            case _:
                self._hear_audio(packet, session)

    def _hear_audio(self, packet: Packet, session: CallSession) -> None:
        if packet.kind not in SUPPORTED:
            raise _Refused(ConnectionEnding.UNSUPPORTED_RATE)
        self._keep_time(packet.seconds)
        if packet.kind is not self._kind:
            self._kind = packet.kind
            session.wire_rate(AUDIO_RATES[packet.kind])
        now = asyncio.get_running_loop().time()
        self._heard_until = max(self._heard_until + packet.seconds, now)
        for frame in self._caller.frames(packet):
            session.hear(frame)

    def _keep_time(self, seconds: float) -> None:
        if self._lead.add(seconds) > self._settings.max_lead_seconds:
            raise _Refused(ConnectionEnding.FLOOD)

    async def _packet(self, timeout: float, late: ConnectionEnding) -> Packet | None:  # noqa: ASYNC109
        """The next packet, whole within `timeout` seconds; None at the stream's orderly end."""
        try:
            async with asyncio.timeout(timeout):
                return await self._read_packet()
        except TimeoutError:
            raise _Refused(late) from None
        except ProtocolError as error:
            cut = error.fault is ProtocolFault.TRUNCATED
            raise _Refused(
                ConnectionEnding.TRUNCATED if cut else ConnectionEnding.MALFORMED
            ) from None
        except OSError:
            raise _Refused(ConnectionEnding.RESET) from None

    async def _read_packet(self) -> Packet | None:
        while (packet := self._decoder.take()) is None:
            chunk = await self._reader.read(READ_BYTES)
            if not chunk:
                self._decoder.finish()
                return None
            self._decoder.feed(chunk)
        return packet

    # To the caller.

    async def send(self, frame: bytes) -> None:
        """Write one linear frame as the caller's kind of audio; never waits for the peer."""
        if self.ending is not None:
            await _for_the_end()
        transport = self._writer.transport
        if transport.is_closing():
            raise TransportError("the connection is gone")
        if transport.get_write_buffer_size() > self._settings.max_unsent_bytes:
            self.end(ConnectionEnding.SLOW_READER)
            raise TransportError("the caller's side reads too slowly")
        self._writer.write(self._agent.packet(frame, self._kind).encode())

    async def play_file(self, linear: bytes) -> None:
        """There is no other way to this caller: the audio goes through the stream, in its time."""
        for at in range(0, len(linear), FRAME_BYTES):
            await self.send(linear[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0"))
            await asyncio.sleep(FRAME_SECONDS)

    # The end.

    def end(self, ending: ConnectionEnding) -> None:
        """End it for a reason; the first one counts. A slow reader is cut off at once."""
        if self.ending is None:
            self.ending = ending
        if ending is ConnectionEnding.SLOW_READER:
            self._writer.transport.abort()  # which the reading side notices

    async def close(self) -> None:
        """Say goodbye where anyone listens, and close; the engine hangs up unless it has ended."""
        self.end(ConnectionEnding.ENGINE)
        try:
            async with asyncio.timeout(self._settings.linger_seconds):
                await self._say_goodbye()
        except (OSError, TimeoutError):
            pass
        finally:
            # Whatever could not be written by now never will be.
            self._writer.transport.abort()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()

    async def _say_goodbye(self) -> None:
        if self.ending in {
            ConnectionEnding.CALLER,
            ConnectionEnding.CLOSED,
            ConnectionEnding.RESET,
            ConnectionEnding.SLOW_READER,
        }:
            return
        self._writer.write(self._goodbye().encode())
        if self._writer.can_write_eof():
            self._writer.write_eof()
        # Closed with unread audio in its socket, the system would reset the connection, and the
        # goodbye might be lost: so read on until the peer closes too.
        while await self._reader.read(READ_BYTES):
            pass

    def _goodbye(self) -> Packet:
        if self.ending is ConnectionEnding.ENGINE or self.ending is None:
            return HANG_UP
        return Packet(Kind.ERROR, self.ending.encode("ascii"))


def _outcome(ending: ConnectionEnding | None) -> tuple[Outcome, bool]:
    """What a connection's ending is for the call, and whether the call has failed by it."""
    if ending in _ORDERLY:
        return "caller_hangup", False
    if ending is ConnectionEnding.FAILED:
        return "failed", True
    # Asterisk hangs up by closing its socket. With a frame of the agent's unread there the system
    # makes that a reset: the connection is lost, but it is not held against the call.
    return "connection_lost", ending is not ConnectionEnding.RESET


async def _for_the_end() -> Never:
    """Wait to be stopped: the call ends already, and nobody hears what is left of a segment."""
    await asyncio.Event().wait()
    raise AssertionError


def _tune(writer: asyncio.StreamWriter) -> None:
    connected: socket.socket = writer.get_extra_info("socket")
    # Already reset, the socket may refuse; reading will tell.
    with contextlib.suppress(OSError):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # With the system's large default, minutes of speech would pass before a slow reader showed.
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
