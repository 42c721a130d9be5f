"""A telephone at the end of an AudioSocket, as Asterisk would be: to test an engine, or to load it.

`AudioSocketClient` speaks and hears linear frames; `call_engine` has a simulated caller hold a
whole conversation over it, with real speech.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from dataclasses import dataclass
from typing import Final, Self

from ai_engine_lab.audiosocket.audio import AgentAudio, CallerAudio
from ai_engine_lab.audiosocket.protocol import (
    AUDIO_RATES,
    HANG_UP,
    Decoder,
    Kind,
    Packet,
    digit,
    greeting,
)
from ai_engine_lab.basics.audio_formats import FRAME_BYTES, rms
from ai_engine_lab.basics.chance import chance
from ai_engine_lab.engine.caller import SimulatedCaller
from ai_engine_lab.engine.plans import DEFAULT_SEED, SIMPLE_QA, Scenario
from ai_engine_lab.engine.speech import ACTIVE_RMS, SpeechLibrary, load_speech

_READ_BYTES: Final = 4_096


class AudioSocketClient:
    """One connection to an AudioSocket server; close it, or use it as a context manager."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: Kind = Kind.SLIN8
    ) -> None:
        self.kinds: set[Kind] = set()
        """The kinds of packets that came."""
        self.error: bytes | None = None
        """What the other side called its error, if it sent one."""
        self._reader = reader
        self._writer = writer
        self._kind = kind
        self._decoder = Decoder()
        # The engine's names for the two directions are those of the other end.
        self._mouth = AgentAudio()
        self._ear = CallerAudio()
        self._heard: list[bytes] = []

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        call_id: uuid.UUID | None = None,
        kind: Kind = Kind.SLIN8,
    ) -> Self:
        """Connect, and say which call it is; without a UUID, a new one."""
        reader, writer = await asyncio.open_connection(host, port)
        client = cls(reader, writer, kind)
        client.send(greeting(call_id or uuid.uuid4()))
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def send(self, packet: Packet) -> None:
        """Send any packet."""
        self.send_raw(packet.encode())

    def send_raw(self, data: bytes) -> None:
        """Send any bytes, be they AudioSocket or not."""
        self._writer.write(data)

    def say(self, frame: bytes) -> None:
        """Send a linear 20 ms frame, in this client's kind of audio."""
        self.send(self._mouth.packet(frame, self._kind))

    def press(self, key: str) -> None:
        """Press a key of the telephone."""
        self.send(digit(key))

    def hang_up(self) -> None:
        """Say that the call is over."""
        self.send(HANG_UP)

    async def hear(self) -> bytes | None:
        """The next linear 20 ms frame; None once the other side has hung up or gone."""
        while not self._heard:
            packet = await self._packet()
            if packet is None or packet.kind is Kind.HANG_UP:
                return None
            if packet.kind is Kind.ERROR:
                self.error = packet.payload
                return None
            if packet.kind in AUDIO_RATES:
                self._heard = self._ear.frames(packet)
        return self._heard.pop(0)

    async def close(self) -> None:
        """Close the connection; what can't be written by now is dropped."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._writer.transport.abort()

    async def _packet(self) -> Packet | None:
        while (packet := self._decoder.take()) is None:
            chunk = await self._reader.read(_READ_BYTES)
            if not chunk:
                self._decoder.finish()
                return None
            self._decoder.feed(chunk)
        self.kinds.add(packet.kind)
        return packet


@dataclass(frozen=True)
class HeardCall:
    """What a caller saw of a call."""

    call_id: uuid.UUID
    seconds: float
    """On the loop's clock."""
    frames: int
    """20 ms frames that came back."""
    speech_frames: int
    """Those of them that are loud enough to be speech."""
    kinds: frozenset[Kind]
    engine_hung_up: bool
    """Whether the other side ended the call, not this one."""
    error: bytes | None
    """What the other side called its error."""


async def call_engine(
    host: str,
    port: int,
    *,
    scenario: Scenario = SIMPLE_QA,
    duration: float = 30.0,
    call_id: uuid.UUID | None = None,
    kind: Kind = Kind.SLIN8,
    speech: SpeechLibrary | None = None,
    seed: int = DEFAULT_SEED,
) -> HeardCall:
    """Call an engine and talk with it for `duration` seconds; run many at once to load it.

    Raises `OSError` when there is no connection, or none any more.
    """
    number = call_id or uuid.uuid4()
    async with await AudioSocketClient.connect(host, port, number, kind) as client:
        caller = SimulatedCaller(
            scenario,
            duration,
            (speech or load_speech()).caller,
            chance(seed, number, "caller"),
            client.say,
        )
        return await _Conversation(client, caller, number).run()


class _Conversation:
    """A simulated caller on a client."""

    def __init__(
        self, client: AudioSocketClient, caller: SimulatedCaller, call_id: uuid.UUID
    ) -> None:
        self._client = client
        self._caller = caller
        self._call_id = call_id
        self._frames = 0
        self._speech = 0

    async def run(self) -> HeardCall:
        """Talk until one side ends the call."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        listening = loop.create_task(self._listen())
        talking = loop.create_task(self._caller.talk())
        try:
            await asyncio.wait({listening, talking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            engine_hung_up = listening.done()
            for task in (listening, talking):
                task.cancel()
            ended = await asyncio.gather(listening, talking, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error
        if not engine_hung_up:
            self._client.hang_up()
        return HeardCall(
            call_id=self._call_id,
            seconds=loop.time() - began,
            frames=self._frames,
            speech_frames=self._speech,
            kinds=frozenset(self._client.kinds),
            engine_hung_up=engine_hung_up,
            error=self._client.error,
        )

    async def _listen(self) -> None:
        while (frame := await self._client.hear()) is not None:
            self._frames += 1
            self._speech += len(frame) == FRAME_BYTES and rms(frame) >= ACTIVE_RMS
            self._caller.hear(frame)
