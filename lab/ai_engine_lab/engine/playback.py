"""The agent's speech on its way out: a jitter buffer per segment, drained by a 20 ms pacer.

A segment is one uninterrupted utterance of the agent. The provider fills its buffer in bursts; the
pacer sends a frame every 20 ms. When the buffer runs dry inside a segment the pacer sends a filler
of silence instead, which is an underflow; neighbouring fillers form a run. Between segments nothing
is sent, so nothing is counted. A write that fails ends the segment: what was left of it is played
from a file, which is a fallback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from ai_engine_lab.basics.audio_formats import FRAME_BYTES, FRAME_SECONDS, SILENCE
from ai_engine_lab.engine.events import (
    BufferSampled,
    EndReason,
    FellBack,
    FrameSent,
    KeptAlive,
    Observer,
    SegmentEnded,
    SegmentHeard,
    SegmentKind,
    SegmentStarted,
)
from ai_engine_lab.engine.transport import Transport


@dataclass(frozen=True)
class PlaybackSettings:
    """How the jitter buffer works; durations in seconds."""

    warm_up_seconds: float = 0.06
    """Audio that must be buffered before a segment starts."""
    filler_limit_seconds: float = 0.4
    """Fillers in a row at most; a longer gap is left to the line's own comfort noise."""
    provider_timeout_seconds: float = 8.0
    """Without audio for so long inside a segment the provider is given up: a fallback."""
    keepalive_seconds: float = 1.0
    """Between two keepalives of an open segment."""
    keepalive_timeout_seconds: float = 2.5
    """A provider that is silent for longer inside a segment is noticed by the keepalive."""
    sample_seconds: float = 0.1
    """Between two looks at the buffer's depth."""


class JitterBuffer:
    """Linear audio between a provider's bursts and the pacer."""

    def __init__(self) -> None:
        self._data = bytearray()
        self.closed = False

    @property
    def frames(self) -> int:
        """Whole frames that wait to be sent."""
        return len(self._data) // FRAME_BYTES

    def put(self, linear: bytes) -> None:
        """Add a burst."""
        self._data += linear

    def take(self) -> bytes | None:
        """The next frame, or None. Once closed, an incomplete last frame is filled up."""
        if len(self._data) < FRAME_BYTES and not (self.closed and self._data):
            return None
        frame = bytes(self._data[:FRAME_BYTES])
        del self._data[:FRAME_BYTES]
        return frame.ljust(FRAME_BYTES, b"\0")

    def drain(self) -> bytes:
        """Everything that is left, and leave nothing."""
        rest = bytes(self._data)
        self._data.clear()
        return rest


class _Step(Enum):
    WAIT = auto()
    FILLER = auto()
    FINISHED = auto()
    GIVE_UP = auto()


class Segment:
    """One utterance of the agent while it is being played."""

    def __init__(self, kind: SegmentKind, settings: PlaybackSettings, now: float) -> None:
        self.kind = kind
        self.buffer = JitterBuffer()
        self.frames_sent = 0
        self.fillers = 0
        self.filler_episodes = 0
        self._settings = settings
        self.opened_at = now
        self._fed_at = now
        self._run = 0
        self._warm = False

    def feed(self, linear: bytes, now: float) -> None:
        """Buffer a burst of the provider that arrived at `now` (loop seconds)."""
        self.buffer.put(linear)
        self._fed_at = now

    def close(self) -> None:
        """The provider has no more for this segment."""
        self.buffer.closed = True

    def next_step(self, now: float) -> bytes | _Step:
        """A frame of speech to send at `now`, or what to do instead."""
        if not self._warm and not self._warmed_up():
            return self._starved(now) if not self.buffer.closed else _Step.FINISHED
        frame = self.buffer.take()
        if frame is not None:
            self._run = 0
            return frame
        return _Step.FINISHED if self.buffer.closed else self._starved(now)

    def count(self, *, filler: bool) -> None:
        """A frame went out."""
        if not filler:
            self.frames_sent += 1
            return
        self.fillers += 1
        self._run += 1
        self.filler_episodes += self._run == 1

    def report(self, end_reason: EndReason, now: float) -> SegmentEnded:
        """What became of it, at `now`."""
        lasted = now - self.opened_at
        return SegmentEnded(
            self.kind, self.frames_sent, self.fillers, self.filler_episodes, lasted, end_reason
        )

    def chunk_age(self, now: float) -> float:
        """Seconds since the provider's last burst; 0 once it has no more to give."""
        return 0.0 if self.buffer.closed else now - self._fed_at

    def _warmed_up(self) -> bool:
        buffered = self.buffer.frames * FRAME_SECONDS
        self._warm = buffered >= self._settings.warm_up_seconds - 1e-9 or self.buffer.closed
        return self._warm

    def _starved(self, now: float) -> _Step:
        if now - self._fed_at >= self._settings.provider_timeout_seconds:
            return _Step.GIVE_UP
        if (
            not self._warm
            or self._run * FRAME_SECONDS >= self._settings.filler_limit_seconds - 1e-9
        ):
            return _Step.WAIT
        return _Step.FILLER


class _Monitor:
    """Looks at an open segment now and then: its buffer's depth, and keepalives."""

    def __init__(self, segment: Segment, settings: PlaybackSettings, emit: Observer) -> None:
        self._segment = segment
        self._settings = settings
        self._emit = emit
        self._sample_at = segment.opened_at
        self._keepalive_at = segment.opened_at + settings.keepalive_seconds

    def tick(self, now: float) -> None:
        """The pacer is at `now`."""
        age = self._segment.chunk_age(now)
        if now >= self._sample_at:
            self._sample_at = now + self._settings.sample_seconds
            self._emit(BufferSampled(self._segment.buffer.frames, age))
        if now >= self._keepalive_at:
            self._keepalive_at = now + self._settings.keepalive_seconds
            self._emit(KeptAlive(timed_out=age > self._settings.keepalive_timeout_seconds))


def _as_it_is(frame: bytes) -> bytes:
    return frame


class Playback:
    """The agent's voice in one call: at most one segment at a time.

    `lay_out` puts a frame of speech into the order in which the wire carries it.
    """

    def __init__(
        self,
        transport: Transport,
        settings: PlaybackSettings,
        emit: Observer,
        lay_out: Callable[[bytes], bytes] = _as_it_is,
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._emit = emit
        self._lay_out = lay_out
        self._segment: Segment | None = None
        self._pacer: asyncio.Task[None] | None = None
        self._filing = False

    @property
    def speaking(self) -> bool:
        """Whether the caller hears the agent, or would if the provider kept up."""
        segment = self._segment
        return segment is not None and (segment.frames_sent > 0 or self._filing)

    def open(self, kind: SegmentKind) -> Segment:
        """Begin a segment and its pacer; the one before it must have ended."""
        if self._segment is not None:
            raise RuntimeError("a segment is still open: stop() it, or wait until finished()")
        loop = asyncio.get_running_loop()
        self._segment = Segment(kind, self._settings, loop.time())
        self._emit(SegmentStarted(kind))
        self._pacer = loop.create_task(self._pace(self._segment))
        return self._segment

    async def finished(self) -> None:
        """Wait until the open segment, if any, has been played."""
        if self._pacer is not None:
            await asyncio.wait({self._pacer})

    async def stop(self, reason: EndReason) -> None:
        """Stop at once and flush what is buffered; nothing happens when nothing plays."""
        segment, pacer = self._segment, self._pacer
        if segment is None or pacer is None:
            return
        pacer.cancel()
        await asyncio.wait({pacer})
        self._end(segment, reason)

    async def _pace(self, segment: Segment) -> None:
        loop = asyncio.get_running_loop()
        tick = loop.time()
        monitor = _Monitor(segment, self._settings, self._emit)
        while True:
            monitor.tick(loop.time())
            step = segment.next_step(loop.time())
            if step is _Step.FINISHED:
                return self._end(segment, "end-of-stream")
            if step is _Step.GIVE_UP:
                return await self._fall_back(segment, "keepalive-timeout", b"")
            if step is not _Step.WAIT:
                frame = self._lay_out(step) if isinstance(step, bytes) else SILENCE
                try:
                    await self._transport.send(frame)
                except OSError:
                    return await self._fall_back(segment, "transport-failure", frame)
                self._sent(segment, frame, filler=step is _Step.FILLER)
            # Late in a busy loop, it does not catch up in a burst: telephones have no room for it.
            tick = max(tick + FRAME_SECONDS, loop.time())
            await asyncio.sleep(tick - loop.time())

    def _sent(self, segment: Segment, frame: bytes, *, filler: bool) -> None:
        first = not filler and segment.frames_sent == 0
        segment.count(filler=filler)
        if first:
            self._emit(self._heard(segment))
        self._emit(FrameSent(frame, filler))

    def _heard(self, segment: Segment) -> SegmentHeard:
        return SegmentHeard(segment.kind, asyncio.get_running_loop().time() - segment.opened_at)

    async def _fall_back(self, segment: Segment, reason: EndReason, unsent: bytes) -> None:
        self._emit(FellBack(reason))
        self._filing = True
        if segment.frames_sent == 0:
            self._emit(self._heard(segment))
        if reason == "keepalive-timeout":
            segment.close()
        try:
            await self._play_rest(segment.buffer, unsent)
        finally:
            self._filing = False
        self._end(segment, reason)

    async def _play_rest(self, buffer: JitterBuffer, unsent: bytes) -> None:
        """Play what is buffered from a file, and what the provider adds until it has no more."""
        rest = unsent + buffer.drain()
        while rest or not buffer.closed:
            if rest:
                await self._transport.play_file(rest)
            else:
                await asyncio.sleep(FRAME_SECONDS)
            rest = buffer.drain()

    def _end(self, segment: Segment, reason: EndReason) -> None:
        if self._segment is not segment:
            return
        self._segment = self._pacer = None
        self._emit(segment.report(reason, asyncio.get_running_loop().time()))
