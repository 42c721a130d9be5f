"""What tests of the rig's lines and phones share."""

from __future__ import annotations

import asyncio

import pytest
from ai_engine_lab.real_calls.caller import Caller
from ai_engine_lab.real_calls.recording import CallRecording
from ai_engine_lab.real_calls.scenario import Scenario


def make_caller(**facts):
    """Return a caller who says nothing."""
    scenario = Scenario("made", "made", (), **facts)
    return Caller(scenario, CallRecording("1.1", "made", "deepgram", "audiosocket", 0.0), seed=1)


async def until(condition):
    """Wait for what nothing tells of: looked at every 10 ms, for five seconds."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came")
