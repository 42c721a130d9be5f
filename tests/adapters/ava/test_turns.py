"""Turns and interruptions, from wherever each generation of the engine keeps them."""

# ruff: noqa: ARG001  # doubles take what the originals take

from __future__ import annotations

import asyncio
import gc
import weakref
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from engine_doubles import AUDIO, CALL

import ai_engine_quality as aeq


def test_latencies_are_picked_up_from_the_session(today: ModuleType, attached: Any) -> None:
    """By the timer while the call lasts, and what is left at its end."""

    async def main() -> tuple[aeq.CallSummary, aeq.CallSummary]:
        double = attached(today.Engine())
        session = await double.call()
        session.turn_latencies_ms += [820.0]
        double.poll()
        early = double.so_far()
        session.turn_latencies_ms += [1_500.0]
        return early, (await double.hang_up()).summary

    early, summary = asyncio.run(main())
    assert early.turn_latencies == (0.82,)
    assert summary.turn_latencies == (0.82, 1.5)


def test_a_turn_recorded_by_both_provider_and_engine_counts_once(
    today: ModuleType, attached: Any, clock: Any
) -> None:
    """Nearly the same latency, at nearly the same time, is one turn; later, it is another."""

    async def main() -> aeq.CallSummary:
        double = attached(today.Engine())
        double.keep_time_by(clock)
        session = await double.call()
        for new, pause in (
            ([700.0, 704.0], 0.2),  # both in one poll
            ([], 5.0),
            ([900.0], 0.2),
            ([907.0], 5.0),  # the other in the next poll
            ([907.0], 0.2),  # long after: another turn, as slow as the last
            ([1_400.0], 5.0),
        ):
            session.turn_latencies_ms += new
            double.poll()
            clock.advance(pause)
            double.poll()
        session.turn_latencies_ms += [500.0, 505.0, 510.0]  # while the timer stood still
        clock.advance(3.0)
        return (await double.hang_up()).summary

    latencies = asyncio.run(main()).turn_latencies
    assert latencies == (0.7, 0.9, 0.907, 1.4, 0.5, 0.505, 0.51)


def test_without_a_list_turns_are_measured_between_events(
    october: ModuleType, attached: Any, clock: Any
) -> None:
    """From the caller's last words to the first audio of an answer; the greeting is none."""

    async def main() -> aeq.CallSummary:
        double = attached(october.Engine())
        await double.engine._load_providers()
        double.keep_time_by(clock)
        await double.call()
        double.engine.providers["deepgram"].call_id = CALL
        await double.said("AgentAudio", **AUDIO)  # the greeting
        await double.said("AgentAudioDone")
        await double.said("ConversationText", None, role="user", content="Hello?")
        clock.advance(0.4)
        await double.said("UserStoppedSpeaking", None)
        await double.said("ConversationText", None, role="assistant", content="One moment.")
        clock.advance(0.9)
        await double.said("AgentAudio", data=b"")
        await double.said("AgentAudio", **AUDIO)
        clock.advance(0.5)
        await double.said("AgentAudio", **AUDIO)
        await double.said("AgentAudioDone")
        await double.said("transcript", text="...")
        await double.said("transcript", text="Thank you")
        clock.advance(1.2)
        await double.said("AgentAudio", **AUDIO)
        return (await double.hang_up()).summary

    assert asyncio.run(main()).turn_latencies == pytest.approx((0.9, 1.2))


def test_events_that_name_no_call_belong_to_the_only_one(
    october: ModuleType, attached: Any, clock: Any
) -> None:
    """The provider has one call at a time; where that can't be told, nothing is measured."""

    async def main() -> list[int]:
        double = attached(october.Engine())
        double.keep_time_by(clock)
        await double.call("1.1")
        await double.call("2.2")
        double.engine.providers = {
            "one": SimpleNamespace(call_id="1.1"),
            "two": SimpleNamespace(call_id="2.2"),
        }
        await double.said("UserStoppedSpeaking", None)
        for call_id in ("1.1", "2.2"):
            await double.said("AgentAudio", call_id, **AUDIO)
        return [len(double.so_far(call_id).turn_latencies or ()) for call_id in ("1.1", "2.2")]

    assert asyncio.run(main()) == [0, 0]


def test_providers_that_the_engine_has_replaced_are_let_go(
    october: ModuleType, attached: Any
) -> None:
    """When the engine makes its providers anew, nothing keeps the former ones, or their wraps."""

    async def main() -> list[Any]:
        double = attached(october.Engine())
        former: list[weakref.ref[Any]] = []
        for _ in range(3):
            await double.engine._load_providers()
            former.append(weakref.ref(double.engine.providers["openai_realtime"]))
        assert "_handle_event" in vars(double.engine.providers["openai_realtime"])
        gc.collect()
        return [reference() for reference in former[:-1]]

    assert asyncio.run(main()) == [None, None]


def test_a_realtime_provider_is_heard_by_its_own_events(
    october: ModuleType, attached: Any, clock: Any
) -> None:
    """It is made when the engine starts, and tells when the caller has stopped speaking."""

    async def main() -> aeq.CallSummary:
        double = attached(october.Engine())
        double.keep_time_by(clock)
        await double.engine._load_providers()
        await double.call()
        provider = double.engine.providers["openai_realtime"]
        provider._call_id = CALL
        await provider._handle_event({"type": "input_audio_buffer.speech_started"})
        await provider._handle_event({"type": "input_audio_buffer.speech_stopped"})
        clock.advance(0.8)
        await double.said("AgentAudio", **AUDIO)
        wrapped = provider._handle_event
        double.observer.realtime.listen()
        assert provider._handle_event == wrapped
        double.attachment.detach()
        assert "_handle_event" not in vars(provider)
        return double.so_far()

    assert asyncio.run(main()).turn_latencies == pytest.approx((0.8,))


def test_a_pipelines_latency_finds_its_call_by_the_transcript(
    october: ModuleType, attached: Any, clock: Any
) -> None:
    """The histogram names no call; the time of the last transcript tells whose it was."""

    async def main() -> tuple[aeq.CallSummary, aeq.CallSummary]:
        double = attached(october.Engine())
        double.keep_time_by(clock)
        await double.call("1.1")
        await double.call("2.2")
        double.engine._last_transcript_ts.update({"1.1": clock() - 3.0, "2.2": clock() - 1.1})
        child = october._TURN_RESPONSE_SECONDS.labels("hybrid", "local")
        child.observe(1.1)
        child.observe(2.2)  # nobody's: an engine that isn't ours, or a broken clock
        october._TURN_RESPONSE_SECONDS.labels(pipeline="hybrid", provider="local").observe(3.0)
        return double.so_far("1.1"), double.so_far("2.2")

    first, second = asyncio.run(main())
    assert (first.turn_latencies, second.turn_latencies) == ((3.0,), (1.1,))


def test_a_turn_nobody_answered_counts_with_its_wait(
    generation: ModuleType, attached: Any, clock: Any
) -> None:
    """From the caller's last words, or the agent's last audio if later, until the hang-up."""

    async def main(said: float, heard: float) -> tuple[float, ...] | None:
        double = attached(generation.Engine())
        double.keep_time_by(clock)
        session = await double.call(f"{said}")
        double.stream(session.call_id, frames_sent=9, last_real_emit_ts=clock() + heard)
        double.poll(session.call_id)
        session.last_response_start_ts = clock() - 5.0
        session.last_user_speech_end_ts = clock() + said
        clock.advance(10.0)
        waits = (await double.hang_up(session.call_id)).summary.unanswered
        double.attachment.detach()
        return waits

    assert asyncio.run(main(said=3.0, heard=1.0)) == pytest.approx((7.0,))
    assert asyncio.run(main(said=3.5, heard=6.0)) == pytest.approx((4.0,))
    assert asyncio.run(main(said=8.5, heard=1.0)) is None  # a goodbye
    assert asyncio.run(main(said=-6.0, heard=1.0)) is None  # answered since


def test_a_wait_that_only_the_provider_knows_is_found(
    today: ModuleType, attached: Any, clock: Any
) -> None:
    """The engine drops the provider while it cleans up, so that it is asked when that begins."""

    async def main(answered: bool) -> tuple[float, ...] | None:
        engine = today.Engine()
        double = attached(engine)
        double.keep_time_by(clock)
        session = await double.call(f"call-{answered}")

        async def drop(session: Any) -> None:
            engine._call_providers.clear()
            clock.advance(60.0)

        engine._before_removal = drop
        engine._call_providers[session.call_id] = SimpleNamespace(
            _turn_start_time=clock(), _turn_first_audio_received=answered
        )
        clock.advance(6.0)
        waits = (await double.hang_up(session.call_id)).summary.unanswered
        double.attachment.detach()
        return waits

    assert asyncio.run(main(answered=False)) == pytest.approx((6.0,))
    assert asyncio.run(main(answered=True)) is None


def test_who_was_answered_or_hung_up_on_does_not_wait(
    today: ModuleType, attached: Any, clock: Any
) -> None:
    """An answer that began, a latency that was recorded, an agent that hung up: nobody waits."""

    async def main(number: int, **fields: Any) -> tuple[float, ...] | None:
        double = attached(today.Engine())
        double.keep_time_by(clock)
        session = await double.call(f"{number}.1", **fields)
        session.last_user_speech_end_ts = clock()
        clock.advance(1.0)
        if number == 1:
            await double.said("AgentAudio", session.call_id, **AUDIO)
        if number == 2:
            session.turn_latencies_ms.append(1_000.0)
            double.poll(session.call_id)
        clock.advance(9.0)
        waits = (await double.hang_up(session.call_id)).summary.unanswered
        double.attachment.detach()
        return waits

    assert asyncio.run(main(1)) is None
    assert asyncio.run(main(2)) is None
    assert asyncio.run(main(3, call_outcome="agent_hangup")) is None
    assert asyncio.run(main(4, cleanup_after_tts=True)) is None
    assert asyncio.run(main(5)) == pytest.approx((10.0,))


def test_a_pipelines_transcript_without_an_answer_is_a_wait(
    generation: ModuleType, attached: Any, clock: Any
) -> None:
    """Pipelines keep the time of the last transcript beside the session."""

    async def main() -> aeq.CallSummary:
        double = attached(generation.Engine())
        double.keep_time_by(clock)
        await double.call()
        double.engine._last_transcript_ts[CALL] = clock()
        clock.advance(5.5)
        return (await double.hang_up()).summary

    assert asyncio.run(main()).unanswered == pytest.approx((5.5,))


# Interruptions.


def test_an_interruption_is_counted_with_its_reaction(
    generation: ModuleType, attached: Any
) -> None:
    """The time that was put into the histogram just before, by whichever label it has."""

    async def main() -> aeq.CallSummary:
        double = attached(generation.Engine())
        await double.call()
        for reaction in (0.25, 0.4):
            await double.engine.interrupt(CALL, reaction)
        return (await double.hang_up()).summary

    summary = asyncio.run(main())
    assert (summary.barge_ins, summary.barge_in_reactions) == (2, (0.25, 0.4))


def test_a_reaction_belongs_to_the_step_that_timed_it(today: ModuleType, attached: Any) -> None:
    """What another task timed, or what was timed a step ago, is nobody's."""

    async def main() -> aeq.CallSummary:
        double = attached(today.Engine())
        await double.call()
        today._BARGE_REACTION_SECONDS.observe(0.9)  # by another engine's detector
        await asyncio.sleep(0)
        await double.engine.interrupt(CALL)
        today._BARGE_REACTION_SECONDS.observe(0.8)
        await asyncio.create_task(double.engine.interrupt(CALL))
        await asyncio.gather(double.engine.interrupt(CALL, 0.3), double.engine.interrupt(CALL))
        return (await double.hang_up()).summary

    summary = asyncio.run(main())
    assert (summary.barge_ins, summary.barge_in_reactions) == (4, (0.3,))
    today._BARGE_REACTION_SECONDS.observe(0.1)  # outside of any loop, after everything


def test_an_interruption_that_the_engine_ignores_is_none(today: ModuleType, attached: Any) -> None:
    """Before the caller's media flows, the engine doesn't act, and its own count stands still."""

    async def main() -> aeq.CallSummary:
        double = attached(today.Engine())
        session = await double.call(media_rx_confirmed=False)
        await double.engine.interrupt(CALL, 0.3)
        session.media_rx_confirmed = True
        await double.engine.interrupt(CALL)
        return (await double.hang_up()).summary

    summary = asyncio.run(main())
    assert (summary.barge_ins, summary.barge_in_reactions) == (1, None)


def test_without_the_histogram_interruptions_are_counted_untimed(
    today: ModuleType, attached: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The factor stays live, and its report says what is missing."""
    monkeypatch.setattr(today, "_BARGE_REACTION_SECONDS", None)

    async def main() -> tuple[aeq.CallSummary, str]:
        double = attached(today.Engine())
        await double.call()
        await double.engine._apply_barge_in_action(CALL, source="talkdetect", reason="talking")
        how = double.attachment.report()["barge_in"].how
        return (await double.hang_up()).summary, how

    summary, how = asyncio.run(main())
    assert summary.barge_ins == 1
    assert "_BARGE_REACTION_SECONDS" in how
