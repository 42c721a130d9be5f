"""Turns, interruptions and endings on the real engine."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import AsyncIterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import ai_engine_quality as aeq


def test_a_turn_is_measured_from_the_callers_words_to_the_first_agent_audio(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """From the session's list where the engine keeps one, from the provider's events elsewhere."""

    async def main() -> tuple[aeq.CallScore, list[float]]:
        line = real.Line(monitor)
        await line.call(call_id)
        waited = []
        for pause in (0.3, 0.6):
            said = time.monotonic()
            await line.caller_says(call_id)
            await asyncio.sleep(pause)
            waited.append(time.monotonic() - said)  # a busy machine sleeps longer
            await line.answer(call_id, 1.0)
        return await line.hang_up(call_id), waited

    score, waited = asyncio.run(main())
    assert score.summary.turn_latencies == pytest.approx(waited, abs=0.2)
    assert score.summary.clock_starts_late


def test_calls_at_the_same_time_keep_their_observations_apart(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """Six calls on one engine, each with its own pace and length."""
    pauses = [0.2, 0.4, 0.6, 0.8, 1.0, 1.2]

    async def one(line: Any, number: int, pause: float) -> None:
        name = f"{call_id}{number}"
        await line.call(name)
        await line.event(name, "transcript", text="Hello?")
        await asyncio.sleep(pause)
        await line.answer(name, 0.5 + pause)
        await line.engine._cleanup_call(name)

    async def main() -> tuple[list[aeq.CallScore], dict[str, int]]:
        line = real.Line(monitor)
        await asyncio.gather(*(one(line, *entry) for entry in enumerate(pauses)))
        return sorted(line.scores, key=lambda score: score.call_id), line.asterisk.sent_to

    scores, sent = asyncio.run(main())
    for score, pause in zip(scores, pauses, strict=True):
        assert score.summary.turn_latencies == pytest.approx((pause,), abs=0.3)
        out = [levels.frames for name, levels in score.summary.audio.items() if "out:" in name]
        assert sum(out) == sent[f"connection-{score.call_id}"] > 20


def test_a_turn_nobody_answers_counts_with_the_time_until_the_hang_up(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """The wait ends when the engine begins to clean up, not when it has finished."""

    async def main() -> aeq.CallScore:
        line = real.Line(monitor)
        await line.call(call_id)
        await line.answer(call_id, 1.0)
        await line.caller_says(call_id)
        await asyncio.sleep(2.5)
        return await line.hang_up(call_id)

    (waited,) = asyncio.run(main()).summary.unanswered
    assert waited == pytest.approx(2.5, abs=0.15)


def test_an_answered_turn_a_farewell_and_a_transfer_leave_nobody_waiting(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """Nobody waits who was answered, who hung up after their own goodbye, or who was handed on."""

    async def one(number: int, *, wait: float, **session: Any) -> aeq.CallScore:
        line = real.Line(monitor)
        live = await line.call(f"{call_id}{number}")
        await line.caller_says(live.call_id)
        await line.answer(live.call_id, 0.5)
        await line.caller_says(live.call_id, "Goodbye")
        for name, value in session.items():
            setattr(live, name, value)
        await asyncio.sleep(wait)
        score = await line.hang_up(live.call_id)
        monitor.remove_hook(line.scores.append)
        line.attachment.detach()
        return score

    async def main() -> list[aeq.CallScore]:
        return [await one(1, wait=0.5), await one(2, wait=4.6, transfer_active=True)]

    farewell, transferred = asyncio.run(main())
    assert farewell.summary.unanswered is None
    assert transferred.summary.unanswered is None
    assert transferred.summary.outcome == "transferred"
    # The timer sees the transfer two seconds later at most; the call goes on for longer than that.
    assert transferred.summary.duration < farewell.summary.duration + 2.5


def test_an_interruption_is_reported_with_the_reaction_that_the_engine_timed(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """The real detector hears the caller over the agent and puts its time into the histogram."""

    async def main() -> tuple[aeq.CallScore, float]:
        line = real.Line(monitor, transport="externalmedia")
        session = await line.call(call_id)
        if real.TODAY:  # the detector of pipelines: full agents have their own
            line.engine._pipeline_forced[call_id] = True
            line.engine._pipeline_queues[call_id] = asyncio.Queue()
        await line.audio(call_id, real.ulaw(3.0), pace=0.1)
        session.tts_playing, session.audio_capture_enabled = True, False
        session.tts_started_ts = time.time() - 10
        before = _reactions(real, call_id)
        for _ in range(40):
            await line.hears(session, real.speech(0.02, rms=6_000, rate=16_000))
            await asyncio.sleep(0.02)
        after = _reactions(real, call_id)
        assert after[1] == before[1] + 1
        return await line.hang_up(call_id), after[0] - before[0]

    score, timed = asyncio.run(main())
    assert score.summary.barge_ins == 1
    assert score.summary.barge_in_reactions == pytest.approx((timed,), abs=1e-6)


def _reactions(real: ModuleType, call_id: str) -> tuple[float, float]:
    """Return the sum and the count of the engine's own histogram."""
    found = [0.0, 0.0]
    for family in real.engine_module._BARGE_REACTION_SECONDS.collect():
        for sample in family.samples:
            if sample.labels.get("call_id", call_id) == call_id:
                found[0] += sample.value if sample.name.endswith("_sum") else 0.0
                found[1] += sample.value if sample.name.endswith("_count") else 0.0
    return found[0], found[1]


def test_a_provider_that_interrupts_has_no_reaction_time(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """Nobody timed it, so that it counts without a time, and one that is ignored doesn't count."""
    if not real.TODAY:
        pytest.skip("providers of October 2025 don't tell the engine of interruptions")

    async def main() -> aeq.CallScore:
        line = real.Line(monitor)
        session = await line.call(call_id)
        await line.audio(call_id, real.ulaw(2.0), pace=0.1)
        session.media_rx_confirmed = False
        await line.event(call_id, "ProviderBargeIn", event="speech_started")
        session.media_rx_confirmed = True
        await line.event(call_id, "ProviderBargeIn", event="speech_started")
        return await line.hang_up(call_id)

    summary = asyncio.run(main()).summary
    assert summary.barge_ins == 1
    assert summary.barge_in_reactions is None


def line_module(line: Any) -> Any:
    """Return the module that made a line, which knows how to speak."""
    return sys.modules[type(line).__module__]


# Each provider's own class, fed with what its service sends.


async def _deepgram(line: Any, call_id: str) -> None:
    messages: asyncio.Queue[Any] = asyncio.Queue()

    class Socket:
        closed = False
        state = SimpleNamespace(name="OPEN")

        async def __aiter__(self) -> AsyncIterator[Any]:
            while (message := await messages.get()) is not None:
                yield message

        async def send(self, _message: str) -> None:
            pass

    provider = line.provider("deepgram", call_id)
    provider.call_id, provider.websocket = call_id, Socket()
    listening = asyncio.ensure_future(provider._receive_loop())
    messages.put_nowait(json.dumps({"type": "ConversationText", "role": "user", "content": "Hi"}))
    await asyncio.sleep(0.4)
    for _ in range(5):
        messages.put_nowait(line_module(line).ulaw(0.2))
        await asyncio.sleep(0.1)
    messages.put_nowait(json.dumps({"type": "AgentAudioDone"}))
    messages.put_nowait(None)
    await listening


async def _realtime(line: Any, call_id: str, name: str) -> None:
    provider = line.provider(name, call_id)
    provider._call_id = call_id
    provider.websocket = SimpleNamespace(
        closed=False, state=SimpleNamespace(name="OPEN"), send=_nothing, close=_nothing
    )
    await provider._handle_event({"type": "input_audio_buffer.speech_stopped"})
    await asyncio.sleep(0.4)
    await provider._handle_event({"type": "response.created", "response": {"id": "r1"}})
    sound = base64.b64encode(line_module(line).speech(0.4, rate=24_000)).decode()
    await provider._handle_event({"type": "response.audio.delta", "delta": sound})
    await asyncio.sleep(0.5)
    await provider._handle_event({"type": "response.done", "response": {"id": "r1"}})
    await asyncio.sleep(0.2)


async def _nothing(*_args: Any, **_options: Any) -> None:
    """Send nothing anywhere."""


async def _openai(line: Any, call_id: str) -> None:
    await _realtime(line, call_id, "openai_realtime")


async def _grok(line: Any, call_id: str) -> None:
    await _realtime(line, call_id, "grok")


async def _elevenlabs(line: Any, call_id: str) -> None:
    provider = line.provider("elevenlabs_agent", call_id)
    provider._call_id = call_id
    await provider._handle_user_transcript({"user_transcription_event": {"user_transcript": "Hi"}})
    await asyncio.sleep(0.4)
    sound = base64.b64encode(line_module(line).speech(0.4, rate=16_000)).decode()
    await provider._handle_audio({"audio_event": {"audio_base_64": sound}})
    await asyncio.sleep(0.4)


async def _google(line: Any, call_id: str) -> None:
    provider = line.provider("google_live", call_id)
    provider._call_id = call_id
    await provider._handle_server_content({"serverContent": {"inputTranscription": {"text": "Hi"}}})
    await asyncio.sleep(0.4)
    sound = base64.b64encode(line_module(line).speech(0.4, rate=24_000)).decode()
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": sound}}
    await provider._handle_server_content({"serverContent": {"modelTurn": {"parts": [part]}}})
    await asyncio.sleep(0.4)


PROVIDERS = {
    "deepgram": _deepgram,
    "openai_realtime": _openai,
    "grok": _grok,
    "elevenlabs_agent": _elevenlabs,
    "google_live": _google,
}


@pytest.mark.parametrize("name", PROVIDERS)
def test_each_full_agents_turn_is_measured_once(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str, name: str
) -> None:
    """The provider's own code runs; a turn that it and the engine both record counts once."""

    async def main() -> aeq.CallScore | None:
        line = real.Line(monitor, providers=tuple(PROVIDERS))
        session = await line.call(call_id)
        if name not in line.engine.providers:
            return None
        session.provider_name = name
        await PROVIDERS[name](line, call_id)
        return await line.hang_up(call_id)

    score = asyncio.run(main())
    if score is None:
        pytest.skip("this engine has no such provider")
    assert score.summary.turn_latencies == pytest.approx((0.4,), abs=0.15)


def test_a_pipelines_turn_is_measured(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """A modular pipeline's latency goes to its own call, though its histogram names none."""

    async def main() -> tuple[aeq.CallScore, list[float]]:
        line = real.Line(monitor)
        session = await line.call(call_id)
        await line.call(f"{call_id}9")
        await line.pipeline(session, think=0.5)
        await asyncio.sleep(3.5)
        other = monitor.call(f"{call_id}9").accumulator.turns.exact
        return await line.hang_up(call_id), list(other)

    score, others = asyncio.run(main())
    assert score.summary.turn_latencies
    assert 0.4 <= score.summary.turn_latencies[0] <= 3.5
    assert others == []
