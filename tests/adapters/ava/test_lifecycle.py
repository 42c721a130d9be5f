"""Calls from start to end: scored once, by what is known at the end, or by their expiry."""

# ruff: noqa: ARG001  # doubles take what the originals take

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from engine_doubles import AUDIO, CALL

import ai_engine_quality as aeq


def test_a_call_is_scored_once_however_it_is_cleaned_up(
    generation: ModuleType, attached: Any, dropped: Callable[[str], float]
) -> None:
    """Concurrent and repeated clean-ups, and a session that is removed again, end it once."""

    async def main() -> list[aeq.CallScore]:
        double = attached(generation.Engine())
        session = await double.call()
        engine = double.engine
        await asyncio.gather(*(engine._cleanup_call(session.call_id) for _ in range(3)))
        await engine.session_store.upsert_call(session)
        await engine.session_store.remove_call(session.call_id)
        await engine._cleanup_call(session.call_id)
        return double.scores

    scores = asyncio.run(main())
    assert [score.call_id for score in scores] == [CALL]
    assert dropped("call_ended") == 0


def test_who_answered_is_read_until_the_end(generation: ModuleType, attached: Any) -> None:
    """At the start the provider is a default; it is followed, and final at the end."""

    async def main() -> tuple[aeq.CallSummary, aeq.CallSummary]:
        double = attached(generation.Engine())
        session = await double.call(provider_name="local")
        session.provider_name, session.pipeline_name = "pipeline", "hybrid"  # while it plays
        double.poll()
        playing = double.so_far()
        session.provider_name = "OpenAI Realtime"
        return playing, (await double.hang_up()).summary

    playing, ended = asyncio.run(main())
    assert (playing.provider, playing.pipeline) == ("local", "hybrid")
    assert (ended.provider, ended.pipeline) == ("openai_realtime", "hybrid")


@pytest.mark.parametrize(
    ("fields", "outcome", "failed"),
    [
        ({}, "completed", False),
        ({"call_outcome": "caller_hangup"}, "caller_hangup", False),
        ({"call_outcome": "no_input_timeout"}, "no_input_timeout", False),
        ({"transfer_destination": "sales"}, "transferred", False),
        ({"error_message": "provider_start_failed: no key for 5551234567"}, "failed", True),
    ],
)
def test_the_outcome_is_the_engines_word(
    today: ModuleType, attached: Any, fields: dict[str, str], outcome: str, failed: bool
) -> None:
    """An error message means that the call failed; its text, which may hold anything, stays out."""

    async def main() -> aeq.CallScore:
        double = attached(today.Engine())
        await double.call(**fields)
        return await double.hang_up()

    summary = asyncio.run(main()).summary
    assert (summary.outcome, summary.failed) == (outcome, failed)
    assert "5551234567" not in str(summary.to_dict())


def test_a_cleanup_that_skips_the_end_leaves_the_call_to_its_expiry(
    generation: ModuleType,
    attached: Any,
    clock: Any,
    quality: aeq.QualityMonitor,
    dropped: Callable[[str], float],
) -> None:
    """An exception before the session is removed: the call expires, is scored, and forgotten."""

    async def main() -> list[aeq.CallScore]:
        engine = generation.Engine()
        double = attached(engine)

        async def fault(session: Any) -> None:
            raise OSError("the mail server is gone")

        engine._before_removal = fault
        session = await double.call()
        with pytest.raises(OSError, match="mail server"):
            await engine._cleanup_call(session.call_id)
        assert double.scores == []
        clock.advance(4 * 3600.0)
        quality.expire_calls()
        double.poll()
        assert list(double.context.calls) == []
        await engine.session_store.remove_call(session.call_id)
        return double.scores

    (score,) = asyncio.run(main())
    assert score.summary.outcome == "expired"
    assert dropped("expired_call") == 1


def test_a_transferred_call_ends_for_the_agent_when_it_is_handed_on(
    today: ModuleType, attached: Any, clock: Any
) -> None:
    """What a person says for the next half hour is neither the agent's silence nor its length."""

    async def main() -> tuple[aeq.CallScore, int]:
        double = attached(today.Engine())
        double.context.now = clock
        session = await double.call()
        clock.advance(20.0)
        session.transfer_active = True
        double.poll()
        clock.advance(1800.0)
        for _ in range(100):
            session.audio_diagnostics["transport_in"] = {"rms": 2_000}
            double.poll()
        double.context.wall = lambda: 10_000.0
        session.last_user_speech_end_ts = 9_000.0
        heard = len(double.so_far().audio)
        return await double.hang_up(), heard

    score, heard = asyncio.run(main())
    summary = score.summary
    assert (summary.outcome, summary.duration, heard) == ("transferred", 20.0, 0)
    assert summary.unanswered is None


def test_a_transfer_that_fails_gives_the_call_back_to_the_agent(
    today: ModuleType, attached: Any, clock: Any
) -> None:
    """Where nobody took the call, it is the agent's until it ends."""

    async def main() -> aeq.CallScore:
        double = attached(today.Engine())
        double.context.now = clock
        session = await double.call()
        clock.advance(5.0)
        session.transfer_active = True
        double.poll()
        clock.advance(5.0)
        session.transfer_active = False
        double.poll()
        clock.advance(5.0)
        return await double.hang_up()

    assert asyncio.run(main()).summary.duration == 15.0


def test_a_call_ends_when_it_is_hung_up_and_not_when_the_engine_has_cleaned_up(
    generation: ModuleType, attached: Any, clock: Any
) -> None:
    """Mail and web hooks after the call take time, which is nobody's wait."""

    async def main() -> aeq.CallScore:
        engine = generation.Engine()
        double = attached(engine)
        double.context.now = clock

        async def mail(session: Any) -> None:
            clock.advance(12.0)
            double.poll()

        engine._before_removal = mail
        await double.call()
        clock.advance(30.0)
        return await double.hang_up()

    assert asyncio.run(main()).summary.duration == 30.0


def test_a_cleanup_that_is_none_is_taken_back(today: ModuleType, attached: Any, clock: Any) -> None:
    """The end of a helper's leg runs the same method, which finds that the call goes on."""

    async def main() -> aeq.CallScore:
        engine = today.Engine()
        double = attached(engine)
        double.context.now = clock
        await double.call(audiosocket_channel_id="AudioSocket-1")
        clock.advance(10.0)
        await engine._cleanup_call("AudioSocket-1")  # no session under this name: not the end
        clock.advance(10.0)
        return await double.hang_up()

    assert asyncio.run(main()).summary.duration == 20.0


def test_only_calls_that_began_are_observed(
    generation: ModuleType, attached: Any, dropped: Callable[[str], float]
) -> None:
    """What happens before a start, after an end or to strangers isn't even counted as dropped."""

    async def main() -> None:
        double = attached(generation.Engine())
        engine = double.engine
        await double.call("1.1")
        await double.hang_up("1.1")
        for call_id in ("1.1", "9.9"):
            double.stream(call_id, frames_sent=10)
            await double.said("AgentAudio", call_id, **AUDIO)
            await double.said("AgentAudioDone", call_id)
            manager = engine.streaming_playback_manager
            await manager._record_fallback(call_id, "transport-failure")
            await manager._cleanup_stream(call_id, "stream:1")
            engine._resolve_stream_targets(SimpleNamespace(call_id=call_id), "deepgram")
            engine.session_store.sessions[call_id] = engine.session_class(call_id, call_id)
            await engine.interrupt(call_id, 0.2)
            await engine.session_store.remove_call(call_id)
        await engine.on_provider_event({"type": "UserStoppedSpeaking"})
        assert len(double.scores) == 1

    asyncio.run(main())
    assert [dropped(reason.value) for reason in aeq.DropReason if dropped(reason.value)] == []


def test_a_call_that_the_monitor_refuses_is_not_observed(
    today: ModuleType, attached: Any, dropped: Callable[[str], float]
) -> None:
    """A call id that no label can carry is dropped once, and costs nothing any more."""

    async def main() -> None:
        double = attached(today.Engine())
        await double.call("bad\nid")
        assert list(double.context.calls) == []

    asyncio.run(main())
    assert dropped("bad_call_id") == 1


def test_a_fallback_count_is_read_at_the_end_where_the_hook_is_gone(
    generation: ModuleType, attached: Any
) -> None:
    """Its reasons are unknown then, and said to be."""

    async def main() -> aeq.CallScore:
        engine = generation.Engine()
        engine.streaming_playback_manager._record_fallback = None
        double = attached(engine)
        session = await double.call()
        session.streaming_fallback_count = 3
        return await double.hang_up()

    summary = asyncio.run(main()).summary
    assert (summary.fallbacks, summary.fallback_reasons) == (3, {"unknown": 3})
