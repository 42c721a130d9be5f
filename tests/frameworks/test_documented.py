"""The documents' lines for Pipecat and LiveKit, run on the frameworks as they stand there."""

from __future__ import annotations

import asyncio
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from placed import PlacedCall
from scripted import Turn

import ai_engine_quality as aeq

PAGE = Path(__file__).parents[2] / "docs" / "Integration.md"


def names_of(first_words: str) -> dict[str, Any]:
    """Run the block of the page in which some words stand; return the names that it makes."""
    blocks = re.findall(r"```py\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    (block,) = [block for block in blocks if first_words in block]
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102  # the page's own lines are what is tested
    return names


@pytest.mark.skipif(not find_spec("pipecat"), reason="Pipecat isn't installed")
def test_the_lines_for_pipecat_score_a_call() -> None:
    """A pipeline's call is scored under the id that was given."""
    from pipecat_line import make_pipeline  # noqa: PLC0415  # not everybody has Pipecat

    call = PlacedCall([Turn()])

    async def place() -> None:
        bot = names_of("observe_pipecat")["bot"]
        running = asyncio.ensure_future(bot(make_pipeline(call.caller), call.monitor))
        await call.caller.done.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(place())
    call.monitor.close()
    assert call.score.call_id == "your-own-id"
    assert len(call.score.summary.turn_latencies or ()) == 1


@pytest.mark.skipif(not find_spec("livekit"), reason="LiveKit isn't installed")
def test_the_lines_for_livekit_score_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session's call is scored, by the monitor of the process."""
    from livekit_line import Earpiece, Microphone, ScriptedAgent, make_session  # noqa: PLC0415

    call = PlacedCall([Turn()])
    shared = aeq.adapters.shared_monitor.shared_monitor
    monkeypatch.setattr(shared, "_make", lambda: call.monitor)

    async def place() -> None:
        session = make_session()
        session.input.audio = Microphone(call.caller)
        session.output.audio = Earpiece(call.caller, 24_000)
        await names_of("observe_livekit")["serve"](session, ScriptedAgent(call.caller, 24_000))
        await call.caller.done.wait()
        await session.aclose()

    asyncio.run(place())
    shared.leave()
    assert len(call.score.summary.turn_latencies or ()) == 1
