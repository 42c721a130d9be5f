"""A voice engine in plain asyncio that reports its calls by the library's explicit API."""
# ruff: noqa: INP001  # a script, and no package

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import ai_engine_quality as aeq

# Frames of 20 ms of 16-bit audio at 8 kHz, as a provider would send them.
FRAMES = [level.to_bytes(2, "little") * 160 for level in range(2_000, 3_250, 50)]


async def think(turn: int) -> AsyncIterator[bytes]:
    """Stand in for speech recognition, a language model and a voice: half a second of audio."""
    await asyncio.sleep(0.1 * turn)
    for frame in FRAMES:
        yield frame


class Engine:
    """Answers calls. Everything that it reports is one line beside what it does anyway."""

    def __init__(self) -> None:
        self.quality = aeq.QualityMonitor(log=False)
        self.quality.on_call_end(lambda score: print(score.explain()))  # noqa: T201  # an example

    async def serve(self, call_id: str, turns: int = 3) -> None:
        """Be in one call, from its start to its end, whatever happens in between."""
        self.quality.call_started(call_id, provider="example", pipeline="default")
        call = self.quality.call(call_id)  # without the id: the fast path
        failed = True
        try:
            call.codec_alignment(aligned=True)
            for turn in range(1, turns + 1):
                await self.answer(call, turn)
            call.barge_in(reaction=0.21)
            failed = False
        finally:
            call.call_ended(outcome="failed" if failed else "completed", failed=failed)

    async def answer(self, call: aeq.CallHandle, turn: int) -> None:
        """Answer the caller, who has just stopped speaking."""
        stopped, frames = time.monotonic(), 0
        async for frame in think(turn):
            if not frames:
                call.turn_response(time.monotonic() - stopped)
            call.audio("transport_out", frame, encoding="slin16", sample_rate=8000)
            frames += 1
            await asyncio.sleep(0.002)  # a real one paces: a frame every 20 ms
        call.frames_sent(frames)
        call.underflow(0, episodes=0)


if __name__ == "__main__":
    asyncio.run(Engine().serve("1761532874.2245"))
