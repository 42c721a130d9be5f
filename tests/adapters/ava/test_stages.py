"""Where a slow turn's time went on the AVA engine: Deepgram's reports, pipelines, models, tools."""

# ruff: noqa: ARG002  # arguments of the engine's, there for their names

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import engine_2026
import pytest
from engine_doubles import AUDIO, CALL, Double

import ai_engine_quality as aeq


class DeepgramProvider:
    """Has the method that is handed each of Deepgram's messages."""

    websocket = SimpleNamespace(closed=False)

    def _extract_request_session_ids(self, payload: Any) -> tuple[str | None, str | None]:
        return None, None


class OpenAIRealtimeProvider:
    """One model that takes speech and gives speech."""

    websocket = SimpleNamespace(closed=False)


class Model:
    """A pipeline's model, which thinks for as long as a test says."""

    def __init__(self, think: Callable[[], None]) -> None:
        self.think = think

    async def generate(self, call_id: str, transcript: str) -> str:
        self.think()
        return "An answer."

    async def generate_stream(self, call_id: str, transcript: str) -> AsyncIterator[str]:
        yield "An answer. "


class Voice:
    """A pipeline's voice."""

    async def synthesize(self, call_id: str, text: str) -> AsyncIterator[bytes]:
        yield b"\xff" * 160


@pytest.fixture
def double(attached: Any, clock: Any) -> Double:
    """Return today's engine, observed, on the test's own clock."""
    made: Double = attached(engine_2026.Engine())
    made.keep_time_by(clock)
    return made


async def turn(double: Double, clock: Any, seconds: float) -> None:
    """Let the engine measure a turn, and the timer see it."""
    session = double.engine.session_store.sessions[CALL]
    session.turn_latencies_ms.append(seconds * 1000)
    double.poll()
    clock.advance(3.0)


def told(summary: aeq.CallSummary) -> dict[str, tuple[float, str | None]]:
    """Return (seconds, whose) of the slowest turn's stages."""
    number, _ = summary.slowest_turn() or (0, 0.0)
    stages = [each for each in summary.turn_stages or () if each.turn == number]
    return {each.stage: (round(each.seconds, 3), each.provider) for each in stages}


REPORT = {
    "type": "LatencyReport",
    "stt_latency": 0.12,
    "ttt_text_latency": 2.4,
    "tts_latency": 0.2,
    "total_latency": 2.9,
}


def test_deepgram_s_report_is_the_call_s(double: Double, clock: Any) -> None:
    """Its messages name no call; they are those of the call that the provider serves."""
    other = "1761532874.9999"
    provider = DeepgramProvider()

    async def main() -> aeq.CallScore:
        for call_id, serves in ((CALL, provider), (other, DeepgramProvider())):
            await double.call(call_id, provider_name="deepgram")
            double.engine._call_providers[call_id] = serves
            double.poll(call_id)
        await double.said("AgentAudio", **AUDIO)
        await turn(double, clock, 2.9)
        assert provider._extract_request_session_ids({**REPORT, "ttt_tool_latency": "soon"}) == (
            None,
            None,
        )
        assert not double.so_far(other).turn_stages
        return await double.hang_up()

    score = asyncio.run(main())
    assert told(score.summary) == {"stt": (0.12, None), "llm": (2.4, None), "tts": (0.2, None)}
    assert "worst: turn 1, 2.9 s: LLM 2.4 s" in score.explain()


def test_a_provider_is_left_as_it_was(double: Double) -> None:
    """Once the call is over, nothing of the library is on what served it."""
    provider = DeepgramProvider()

    async def main() -> None:
        await double.call()
        double.engine._call_providers[CALL] = provider
        double.poll()
        assert "_extract_request_session_ids" in vars(provider)
        await double.hang_up()

    asyncio.run(main())
    assert vars(provider) == {}


@pytest.mark.parametrize("overlapped", [False, True], ids=["serial", "overlapped"])
def test_a_pipeline_s_stages_are_its_adapters(double: Double, clock: Any, overlapped: bool) -> None:
    """The pause until the model is asked, the model until the voice has its text, and the voice."""
    model = Model(lambda: clock.advance(1.8))
    pipeline = SimpleNamespace(
        llm_adapter=model, tts_adapter=Voice(), llm_key="openai_llm", tts_key="eleven_tts"
    )

    async def main() -> aeq.CallScore:
        await double.call(pipeline_name="hybrid")
        double.engine.pipeline_orchestrator = SimpleNamespace(_assignments={CALL: pipeline})
        double.poll()
        [_ async for _ in pipeline.tts_adapter.synthesize(CALL, "Hello.")]  # a greeting
        double.engine._last_transcript_ts[CALL] = clock.now
        clock.advance(0.5)
        if overlapped:
            tokens = model.generate_stream(CALL, "words")
            async for _ in tokens:
                clock.advance(1.8)
        else:
            await model.generate(CALL, "words")
        [_ async for _ in pipeline.tts_adapter.synthesize(CALL, "An answer.")]
        clock.advance(0.3)
        await turn(double, clock, 2.1)
        return await double.hang_up()

    score = asyncio.run(main())
    assert told(score.summary) == {
        "end_of_turn": (0.5, None),
        "llm": (1.8, "openai"),
        "tts": (0.3, "eleven"),
    }
    assert vars(model).keys() == {"think"}
    assert not vars(pipeline.tts_adapter)


def test_a_speech_to_speech_model_is_one_stage_less_its_tools(double: Double, clock: Any) -> None:
    """The engine has its time; tools ran in it, two of them at once."""

    async def main() -> aeq.CallScore:
        session = await double.call(provider_name="openai_realtime")
        session.tool_calls = []
        double.engine._call_providers[CALL] = OpenAIRealtimeProvider()
        double.poll()
        clock.advance(4.0)
        ended = datetime.fromtimestamp(clock.now - 0.5, UTC).isoformat()
        session.tool_calls += [
            {"timestamp": ended, "duration_ms": 1500.0},
            {"timestamp": ended, "duration_ms": 1200.0},
            {"timestamp": "yesterday", "duration_ms": 900.0},
        ]
        await double.said("AgentAudio", **AUDIO)
        await turn(double, clock, 3.4)
        return await double.hang_up()

    assert told(asyncio.run(main()).summary) == {"tool": (1.5, None), "llm": (1.9, None)}


def test_who_tells_nothing_has_no_stages(double: Double, clock: Any) -> None:
    """Of a provider that is a whole agent the parts are unknown, and none is invented."""

    class ElevenLabsAgentProvider:
        websocket = SimpleNamespace(closed=False)

    async def main() -> aeq.CallScore:
        await double.call()
        double.engine._call_providers[CALL] = ElevenLabsAgentProvider()
        double.poll()
        await turn(double, clock, 3.4)
        return await double.hang_up()

    score = asyncio.run(main())
    assert score.summary.turn_stages is None
    assert "worst: turn 1, 3.4 s" in score.explain()
