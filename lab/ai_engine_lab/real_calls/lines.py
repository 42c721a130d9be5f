"""The media between the stand-in for Asterisk and the engine: AudioSocket by TCP, RTP by UDP.

Either line sends the caller's frames every 20 ms by an absolute schedule, and records what arrives
when it arrives. AudioSocket: docs.asterisk.org, "AudioSocket" (kind, length, payload). RTP: RFC
3550, with payload type 0, G.711 u-law.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import random
import struct
import time
import uuid
from collections.abc import Callable
from typing import Final

from ai_engine_lab.real_calls import sound
from ai_engine_lab.real_calls.caller import Caller
from ai_engine_lab.real_calls.scenario import LineFault

KIND_HANGUP: Final = 0x00
KIND_UUID: Final = 0x01
KIND_AUDIO: Final = 0x10
"""Signed linear, 8 kHz, 16 bit."""

RTP_HEADER: Final = struct.Struct("!BBHII")


class Line(abc.ABC):
    """A media channel; it carries one caller's frames once both are in a bridge."""

    def __init__(self) -> None:
        self._caller: Caller | None = None
        self._sender: asyncio.Task[None] | None = None
        self.stalled = False
        """Whether it has stood still on purpose."""

    @abc.abstractmethod
    async def open(self) -> None:
        """Connect to the engine."""

    @abc.abstractmethod
    async def send(self, frame: sound.Sound) -> None:
        """Send one frame of the caller's."""

    def bridge(self, caller: Caller) -> None:
        """Begin to carry a caller's frames; a second time does nothing."""
        if self._caller is None:
            self._caller = caller
            caller.recording.connected_at = time.monotonic()
            self._sender = asyncio.create_task(self._send_frames(caller))

    async def close(self) -> None:
        """Stop."""
        if self._sender is not None and self._sender is not asyncio.current_task():
            self._sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._sender

    async def _send_frames(self, caller: Caller) -> None:
        begun = time.monotonic()
        number = 0
        while not caller.hung_up.is_set():
            due = begun + number * sound.FRAME_SECONDS
            now = time.monotonic()
            if now < due:
                await asyncio.sleep(due - now)
                now = time.monotonic()
            recording = caller.recording
            if not self.stalled:
                recording.worst_send_lag = max(recording.worst_send_lag, now - due)
            await self.before_frame(caller, now - begun)
            await self.send(caller.speak(due))
            number += 1

    async def before_frame(self, caller: Caller, seconds: float) -> None:  # noqa: B027  # most don't
        """Do what a fault of the line does before a frame.

        Args:
            caller: Whose line it is.
            seconds: Since the first frame.
        """


class AudioSocketLine(Line):
    """AudioSocket: this side connects, the engine listens."""

    def __init__(self, host: str, port: int, identity: uuid.UUID) -> None:
        super().__init__()
        self.on_closed: Callable[[], None] = lambda: None
        """Called when the engine closes the connection."""
        self._address = (host, port)
        self._identity = identity
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._receiver: asyncio.Task[None] | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def open(self) -> None:
        """Connect, and say which channel it is."""
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        self._writer.write(_message(KIND_UUID, self._identity.bytes))
        self._receiver = asyncio.create_task(self._receive(self._reader))

    async def send(self, frame: sound.Sound) -> None:
        """Send one frame."""
        if self._writer is None or self._writer.is_closing():
            return
        self._writer.write(_message(KIND_AUDIO, sound.to_pcm(frame)))
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def before_frame(self, caller: Caller, seconds: float) -> None:
        """Stand still for a while, in both directions, where the scenario says so."""
        fault = caller.scenario.line
        if fault.stall_at is None or self.stalled or seconds < fault.stall_at:
            return
        self.stalled = True
        caller.recording.note(time.monotonic(), f"line stands still for {fault.seconds:g} s")
        self._flowing.clear()
        await asyncio.sleep(fault.seconds)
        self._flowing.set()

    async def close(self) -> None:
        """Hang up, and close."""
        await super().close()
        if self._writer is not None and not self._writer.is_closing():
            with contextlib.suppress(ConnectionError):
                self._writer.write(_message(KIND_HANGUP, b""))
                self._writer.close()
        if self._receiver is not None and self._receiver is not asyncio.current_task():
            self._receiver.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._receiver

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                kind, length = struct.unpack("!BH", await reader.readexactly(3))
                payload = await reader.readexactly(length) if length else b""
                await self._flowing.wait()
                if kind == KIND_AUDIO and self._caller is not None:
                    self._caller.hear(time.monotonic(), sound.from_pcm(payload))
                elif kind == KIND_HANGUP:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        self.on_closed()


def _message(kind: int, payload: bytes) -> bytes:
    return struct.pack("!BH", kind, len(payload)) + payload


class RtpMedia(Line):
    """A line whose frames travel as RTP of u-law, of which its scenario may lose some."""

    def __init__(self, which_are_lost: random.Random) -> None:
        super().__init__()
        self.ssrc = random.getrandbits(32)
        self._sequence = random.getrandbits(15)
        self._timestamp = random.getrandbits(30)
        self._random = which_are_lost

    def next_packet(self, frame: sound.Sound) -> bytes | None:
        """Return the packet of a frame of the caller's; None where it is lost on its way."""
        header = RTP_HEADER.pack(0x80, 0, self._sequence, self._timestamp, self.ssrc)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + len(frame)) & 0xFFFFFFFF
        return None if self._is_lost() else header + sound.to_ulaw(frame)

    def deliver(self, packet: bytes) -> None:
        """Let the caller hear a packet, or miss it."""
        if self._caller is None or len(packet) <= RTP_HEADER.size:
            return
        take = self._caller.miss if self._is_lost() else self._caller.hear
        take(time.monotonic(), sound.from_ulaw(packet[RTP_HEADER.size :]))

    def _is_lost(self) -> bool:
        fault = self._caller.scenario.line if self._caller else LineFault()
        return self._random.random() < fault.loss


class RtpLine(RtpMedia, asyncio.DatagramProtocol):
    """External media: this side learns nothing by signalling, it sends to where ARI was told."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(random.Random(port))  # noqa: S311  # which packets are lost
        self._address = (host, port)
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        """Take a local port."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, remote_addr=self._address
        )

    async def send(self, frame: sound.Sound) -> None:
        """Send one packet, unless it is lost."""
        packet = self.next_packet(frame)
        if self._transport is not None and packet is not None:
            self._transport.sendto(packet)

    def datagram_received(self, data: bytes, _: tuple[str, int]) -> None:
        """Take a packet of the engine's, unless it is lost on the way to the phone."""
        self.deliver(data)

    def error_received(self, exc: Exception) -> None:
        """Ignore that the engine has closed its port: calls end so."""

    async def close(self) -> None:
        """Give the port back."""
        await super().close()
        if self._transport is not None:
            self._transport.close()
