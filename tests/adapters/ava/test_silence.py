"""An agent that is never heard, files that are heard in its place, and calls that nobody judges."""

from __future__ import annotations

import asyncio
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from engine_doubles import CALL
from engine_sound import Engine2026

import ai_engine_quality as aeq

BRIDGE = "bridge-1"


def play(place: str, media: str, **more: str) -> tuple[str, str, dict[str, str]]:
    """Return the command that plays something, as either generation of the engine gives it."""
    return "POST", f"{place}/play", {"media": media, **more}


ANSWER = play(f"bridges/{BRIDGE}", "sound:ai-generated/response-1", playbackId="response-1")
PIPELINE = play(
    f"channels/{CALL}", "sound:ai-generated/pipeline-tts-1", playbackId="pipeline-tts-1"
)
GOODBYE = play(f"channels/{CALL}", "sound:goodbye")


async def silent_call(
    double: Any, clock: Any, seconds: float = 25.0, **fields: Any
) -> aeq.CallScore:
    """Let a call pass in which nothing happens by itself; return its score."""
    double.keep_time_by(clock)
    await double.call(bridge_id=BRIDGE, **fields)
    for _ in range(5):
        clock.advance(seconds / 5)
        double.poll()
    score: aeq.CallScore = await double.hang_up()
    return score


def is_never_heard(score: aeq.CallScore) -> bool:
    """Return whether the call has nothing because the agent was never heard."""
    return score.score == 0 and [each.rule for each in score.ceilings][:1] == ["never_heard"]


def test_silence_from_beginning_to_end_is_an_agent_that_was_never_heard(
    generation: ModuleType, attached: Any, clock: Any
) -> None:
    """No stream, no file, 25 s: the caller heard nothing, and the score is 0."""
    score = asyncio.run(silent_call(attached(generation.Engine()), clock))
    assert is_never_heard(score)
    assert "never heard" in score.explain()


def test_whoever_hangs_up_at_once_did_not_wait_for_the_agent(
    generation: ModuleType, attached: Any, clock: Any
) -> None:
    """A call that was given up in its first seconds says nothing of the agent."""
    score = asyncio.run(silent_call(attached(generation.Engine()), clock, seconds=6.0))
    assert (score.score, score.unscored_reason) == (None, "abandoned")


@pytest.mark.parametrize("command", [ANSWER, PIPELINE, GOODBYE], ids=["answer", "pipeline", "end"])
@pytest.mark.parametrize("by_name", [False, True])
def test_a_file_that_asterisk_plays_is_no_silence(
    generation: ModuleType, attached: Any, clock: Any, command: Any, by_name: bool
) -> None:
    """To the caller's channel or to the bridge, however the engine gives it: each counts once."""

    async def main() -> aeq.CallScore:
        engine = generation.Engine()
        double = attached(engine)
        double.keep_time_by(clock)
        await double.call(bridge_id=BRIDGE)
        if hasattr(engine, "_call_providers"):
            engine._call_providers[CALL] = SimpleNamespace()
        method, resource, data = command
        for _ in range(2):
            if by_name:
                await engine.ari_client.send_command(method=method, resource=resource, data=data)
            else:
                await engine.ari_client.send_command(method, resource, data)
        clock.advance(25.0)
        score: aeq.CallScore = await double.hang_up()
        return score

    score = asyncio.run(main())
    assert score.summary.files_played == 2
    assert score.summary.frames_sent is None
    assert score.score != 0


NOT_THE_AGENT = {
    "music on hold": ("POST", f"channels/{CALL}/moh", {"mohClass": "default"}),
    "its end": ("DELETE", f"channels/{CALL}/moh", None),
    "a hold tone": play(f"channels/{CALL}", "tone:ring"),
    "silence": play(f"bridges/{BRIDGE}", "sound:silence/1"),
    "connecting": play(f"channels/{CALL}", "sound:custom/wait", playbackId="connection-audio-9"),
    "another leg": play("channels/sales.1", "sound:ai-generated/briefing"),
    "another bridge": play("bridges/other", "sound:ai-generated/response-9"),
    "no file": ("POST", f"channels/{CALL}/answer", None),
}


@pytest.mark.parametrize("name", NOT_THE_AGENT)
def test_what_is_played_while_nobody_speaks_is_not_the_agent(
    generation: ModuleType, attached: Any, clock: Any, name: str
) -> None:
    """Music, tones, and what somebody else hears: the caller is as alone as without them."""

    async def main() -> aeq.CallScore:
        engine = generation.Engine()
        double = attached(engine)
        if hasattr(engine, "_call_providers"):
            engine._call_providers[CALL] = SimpleNamespace()
        double.keep_time_by(clock)
        await double.call(bridge_id=BRIDGE)
        await engine.ari_client.send_command(*NOT_THE_AGENT[name])
        clock.advance(25.0)
        score: aeq.CallScore = await double.hang_up()
        return score

    assert is_never_heard(asyncio.run(main()))


def test_a_file_that_could_not_be_played_is_none(
    generation: ModuleType, attached: Any, clock: Any
) -> None:
    """Asterisk says so: the channel is gone, or the file isn't there."""

    async def main() -> aeq.CallScore:
        engine = generation.Engine()
        engine.ari_client.fails = True
        double = attached(engine)
        double.keep_time_by(clock)
        await double.call(bridge_id=BRIDGE)
        await engine.ari_client.send_command(*ANSWER)
        clock.advance(25.0)
        score: aeq.CallScore = await double.hang_up()
        return score

    assert is_never_heard(asyncio.run(main()))


@pytest.mark.parametrize("serves", ["nobody", "a provider", "a pipeline"])
def test_a_prompt_to_hold_on_before_there_is_an_agent_is_not_the_agent(
    today: ModuleType, attached: Any, clock: Any, serves: str
) -> None:
    """Tools that run before the call has an agent ask the caller to wait, by a file."""

    async def main() -> aeq.CallScore:
        engine = today.Engine()
        double = attached(engine)
        double.keep_time_by(clock)
        await double.call(bridge_id=BRIDGE)
        if serves == "a provider":
            engine._call_providers[CALL] = SimpleNamespace()
        elif serves == "a pipeline":
            engine._pipeline_tasks[CALL] = SimpleNamespace()
        await engine.ari_client.send_command(*play(f"channels/{CALL}", "sound:custom/please-wait"))
        clock.advance(25.0)
        score: aeq.CallScore = await double.hang_up()
        return score

    score = asyncio.run(main())
    assert is_never_heard(score) is (serves == "nobody")


def test_what_was_sent_is_no_silence(generation: ModuleType, attached: Any, clock: Any) -> None:
    """A stream that was there, or a frame that was measured on its way out, says what it held."""

    async def main() -> aeq.CallSummary:
        double = attached(generation.Engine())
        double.keep_time_by(clock)
        await double.call()
        double.stream(frames_sent=300)
        double.poll()
        double.engine.streaming_playback_manager.active_streams.clear()
        clock.advance(25.0)
        summary: aeq.CallSummary = (await double.hang_up()).summary
        return summary

    assert asyncio.run(main()).frames_sent == 300


def test_a_frame_that_was_measured_is_no_silence(line: Any) -> None:
    """Where the track is seen, the track says whether the agent was heard."""
    made = line(Engine2026("audiosocket"))

    async def main() -> aeq.CallScore:
        await made.double.call()
        await made.run(25.0, (), ((1.0, 4.0),))
        return await made.double.hang_up()

    score = asyncio.run(main())
    assert score.summary.frames_sent is None
    assert not is_never_heard(score)


@pytest.mark.parametrize("part", ["ari_client", "streaming_playback_manager"])
def test_silence_is_not_told_where_something_may_be_played_unseen(
    generation: ModuleType, attached: Any, clock: Any, part: str
) -> None:
    """What isn't seen is unknown, never 0; and the report says what isn't."""
    engine = generation.Engine()
    setattr(engine, part, None)
    double = attached(engine)
    score = asyncio.run(silent_call(double, clock))
    assert score.summary.frames_sent is None
    assert not is_never_heard(score)
    unseen = "files that Asterisk plays aren't seen" in double.attachment.report()["calls"].how
    assert unseen is (part == "ari_client")


@pytest.mark.parametrize(
    "fields", [{"transfer_active": True}, {"transfer_destination": "sales"}], ids=["now", "done"]
)
def test_who_was_handed_on_before_the_agent_spoke_heard_somebody(
    today: ModuleType, attached: Any, clock: Any, fields: dict[str, Any]
) -> None:
    """The agent had nothing to say to a caller who was to be transferred."""

    async def main() -> aeq.CallScore:
        double = attached(today.Engine())
        double.keep_time_by(clock)
        session = await double.call(bridge_id=BRIDGE)
        vars(session).update(fields)
        for _ in range(5):
            clock.advance(5.0)
            double.poll()
        score: aeq.CallScore = await double.hang_up()
        return score

    score = asyncio.run(main())
    assert score.summary.frames_sent is None
    assert not is_never_heard(score)


@pytest.mark.parametrize(
    "greets",
    [
        ({"config": " "}, False, False),
        ({"config": " "}, True, True),
        ({"config": "Hello!"}, False, True),
        ({"provider": "Hello!", "config": ""}, False, True),
        ({"override": "Hello!", "config": ""}, False, True),
        ({"provider": "", "override": "", "config": ""}, False, False),
        ({}, False, True),
    ],
)
def test_an_agent_that_greets_nobody_and_is_told_nothing_may_be_silent(
    today: ModuleType, attached: Any, clock: Any, greets: tuple[dict[str, str], bool, bool]
) -> None:
    """It waits for the caller's words, where each of the engine's greetings is blank."""
    greetings, said, expected = greets

    async def main() -> aeq.CallScore:
        engine = today.Engine()
        if "config" in greetings:
            engine.config.llm = SimpleNamespace(initial_greeting=greetings["config"])
        if "provider" in greetings:
            config = SimpleNamespace(greeting=greetings["provider"])
            engine._call_providers[CALL] = SimpleNamespace(config=config)
        double = attached(engine)
        double.keep_time_by(clock)
        session = await double.call()
        session.provider_overrides = {"greeting": greetings.get("override")}
        clock.advance(20.0)
        if said:
            session.last_user_speech_end_ts = clock()
        clock.advance(5.0)
        score: aeq.CallScore = await double.hang_up()
        return score

    assert is_never_heard(asyncio.run(main())) is expected


# Calls that nobody judges.


@pytest.mark.parametrize("outcome", ["voicemail", "voicemail_dropped", "machine_detected"])
def test_a_mailbox_is_not_scored(
    today: ModuleType, attached: Any, clock: Any, outcome: str
) -> None:
    """The engine's word reaches the score, silent or not."""
    score = asyncio.run(silent_call(attached(today.Engine()), clock, call_outcome=outcome))
    assert (score.summary.outcome, score.score, score.unscored_reason) == (
        outcome,
        None,
        "voicemail",
    )
