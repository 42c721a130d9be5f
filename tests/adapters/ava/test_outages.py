"""Reported outages, as calls on the engine: each is called by its name, and a healthy one isn't."""

from __future__ import annotations

import asyncio
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from engine_doubles import CALL
from engine_line import FRAME, noise
from engine_sound import ENGINES, Engine2025, Engine2026

import ai_engine_quality as aeq

TOLERANCE = 0.06
"""Seconds: three frames."""


def ceilings(score: aeq.CallScore) -> set[str]:
    """Return the rules that hold a score down."""
    return {ceiling.rule for ceiling in score.ceilings}


def voice(seconds: float, rate: int = 8_000) -> bytes:
    """Return a clean voice: the harmonics of 140 Hz, as 16-bit samples."""
    at = np.arange(round(rate * seconds)) / rate
    sound = sum(np.sin(2 * np.pi * 140 * n * at) / n for n in range(1, 12))
    return (3_000 * np.asarray(sound)).astype("<i2").tobytes()


@pytest.fixture(params=ENGINES, ids=lambda each: f"{each[0].__name__}-{each[1]}")
def engine(request: pytest.FixtureRequest) -> Any:
    """Return an engine of each generation, with each of its transports."""
    make, transport = request.param
    return make(transport)


# "Hello? Hello?": two turns, then four times words that nobody answers, 6 s apart.

HELLOS = (20.0, 26.0, 32.0, 38.0)
"""When the last words end, of half a second each; the caller hangs up 1.2 s after the last."""


def test_who_says_hello_four_times_has_waited_since_the_first_as_heard(
    engine: Any, line: Any
) -> None:
    """By the ear: over 19 s, on every generation and transport."""
    made = line(engine)

    async def main() -> aeq.CallScore:
        await made.double.call()
        caller = ((3.0, 4.0), (9.0, 10.0), *((end - 0.5, end) for end in HELLOS))
        answers = {4.74: lambda: made.give(2.0), 10.74: lambda: made.give(2.0)}
        await made.run(39.2, caller, ((1.0, 2.0), (4.8, 6.8), (10.8, 12.8)), answers)
        return await made.double.hang_up()

    summary = asyncio.run(main()).summary
    assert summary.is_heard("latency")
    assert max(summary.unanswered) == pytest.approx(19.2, abs=TOLERANCE)


def test_who_says_hello_four_times_has_waited_since_the_first_as_told(
    generation: ModuleType, attached: Any, clock: Any
) -> None:
    """By transcripts, where nothing is heard: over 19 s, and poor."""

    async def main() -> aeq.CallScore:
        double = attached(generation.Engine())
        double.keep_time_by(clock)
        session = await double.call()
        info = double.stream(frames_sent=150, last_real_emit_ts=clock() + 2.0)
        start = clock()
        for said in (4.0, 10.0, *HELLOS):
            while clock() - start < said:
                clock.advance(0.2)
                double.poll()
            session.last_user_speech_end_ts = clock()
            double.poll()
            if said < HELLOS[0]:
                double.monitor.turn_response(CALL, 0.8)
                session.last_response_start_ts = clock() + 0.8
                info["last_real_emit_ts"] = clock() + 2.8
        clock.advance(1.2)
        return await double.hang_up()

    score = asyncio.run(main())
    assert score.summary.unanswered == pytest.approx((19.2,), abs=0.3)
    assert score.score <= 59


def test_words_into_an_answer_wait_for_nobody_where_others_follow(
    generation: ModuleType, attached: Any, clock: Any
) -> None:
    """The agent goes on speaking after "mhm"; the goodbye that comes later is none that waits."""

    async def main() -> aeq.CallSummary:
        double = attached(generation.Engine())
        double.keep_time_by(clock)
        session = await double.call()
        start = clock()
        info = double.stream(frames_sent=150)
        session.last_response_start_ts = start + 1.0
        for step in range(1, 151):
            clock.advance(0.2)
            if step * 0.2 < 10.0:
                info["last_real_emit_ts"] = clock()
            if step in (25, 145):  # at 5 s, into the answer; at 29 s, a goodbye
                session.last_user_speech_end_ts = clock()
            double.poll()
        return (await double.hang_up()).summary

    assert asyncio.run(main()).unanswered is None


# Answers that are cut off.


@pytest.mark.parametrize("caller_speaks", [True, False], ids=["echo", "unprovoked"])
def test_eight_answers_that_are_cut_off_are_fair_at_most(
    engine: Any, line: Any, caller_speaks: bool
) -> None:
    """Six seconds each, stopped after one and a half by ``ProviderBargeIn``: nobody understood."""
    made = line(engine)
    caller, agent, events = [], [], {}

    async def interrupt() -> None:
        await made.double.said("ProviderBargeIn", event="user_started_speaking")

    for answer in range(8):
        start = 3.0 + 5.0 * answer
        caller.append((start - 2.0, start - 1.0))
        agent.append((start, start + 1.5))
        events[start - 0.06] = lambda: made.give(6.0)
        events[start + 1.5] = interrupt
        if caller_speaks:
            caller.append((start + 1.3, start + 1.6))

    async def main() -> aeq.CallScore:
        await made.double.call()
        await made.run(45.0, tuple(caller), tuple(agent), events)
        return await made.double.hang_up()

    score = asyncio.run(main())
    assert score.score <= 74
    assert {"cut_answers", "lost_audio"} & ceilings(score)


# A greeting that the engine's own queue has dropped a part of.


@pytest.mark.parametrize("make", [Engine2025, Engine2026])
def test_audio_that_a_full_queue_drops_is_lost_and_charged(line: Any, make: Any) -> None:
    """22 s in chunks of 40 ms at five times real time, a fifth of which is never played."""
    made = line(make("audiosocket"))
    chunk = 0.04  # five of them come in the time of one

    async def main() -> aeq.CallScore:
        await made.double.call()
        given, waiting = 0.0, 0.0
        while made.at < 20.0:
            for _ in range(5):
                if made.at >= 1.0 and given < 22.0 and round(made.at / FRAME) % 2 == 0:
                    await made.give(chunk)
                    given += chunk
                    if round(given / chunk) % 5:  # each fifth finds the queue full
                        waiting += chunk
                    if given >= 22.0:
                        await made.double.said("AgentAudioDone")
            await made.receive(loud=False)
            if waiting > FRAME / 2:
                # Syllables: a level that never changes is no voice.
                made.loud[8_000] = noise(400 + 3_000 * abs(np.sin(9.0 * made.at)), 8_000)
                await made.send()
                waiting -= FRAME
            made.clock.advance(FRAME)
        answers = {22.74: lambda: made.give(2.0), 28.74: lambda: made.give(2.0)}
        caller, agent = ((21.0, 22.0), (27.0, 28.0)), ((22.8, 24.8), (28.8, 30.8))
        await made.run(31.5, caller, agent, answers)
        return await made.double.hang_up()

    score = asyncio.run(main())
    heard = score.summary.heard
    assert heard.given == pytest.approx(26.0, abs=0.1)
    assert heard.lost == pytest.approx(4.4, abs=0.2)
    assert "lost_audio" in ceilings(score)
    assert score.score <= 74
    assert "of the agent's audio lost" in score.explain(full=True)


# A transcript that comes late.


def test_a_transcript_that_comes_late_hides_no_wait(line: Any) -> None:
    """The engine counts 0.3 s from the transcript; the caller has waited for 5.3 s."""
    made = line(Engine2026("audiosocket"))

    async def main() -> aeq.CallScore:
        session = await made.double.call()

        async def answered() -> None:
            session.turn_latencies_ms.append(300.0)
            made.double.poll()
            await made.give(2.0)

        caller, agent = ((3.0, 4.0), (14.0, 15.0)), ((1.0, 2.0), (9.3, 11.3), (20.3, 22.3))
        events = {9.24: answered, 20.24: answered}
        await made.run(24.0, caller, agent, events)
        return await made.double.hang_up()

    score = asyncio.run(main())
    assert score.summary.turn_latencies == pytest.approx((5.3, 5.3), abs=TOLERANCE)
    assert "heard" in score.explain()


def test_a_latency_that_is_only_told_says_that_its_clock_starts_late(
    generation: ModuleType, attached: Any
) -> None:
    """Every provider's clock starts with a transcript, or with a silence that has passed."""

    async def main() -> aeq.CallScore:
        double = attached(generation.Engine())
        await double.call()
        double.stream(frames_sent=500)
        double.poll()
        double.monitor.turn_response(CALL, 0.3)
        return await double.hang_up()

    score = asyncio.run(main())
    assert score.summary.clock_starts_late
    assert "starts late" in score.explain(full=True)


# Formats that are bridged on purpose.


@pytest.mark.parametrize("make", [Engine2025, Engine2026])
def test_a_bridged_format_with_clean_frames_costs_nothing(line: Any, make: Any) -> None:
    """u-law from the provider, linear samples to Asterisk: a mismatch to the engine, no fault."""
    made = line(make("audiosocket"))
    made.loud = {rate: voice(FRAME, rate) for rate in (8_000, 16_000)}
    engine = made.engine

    async def main() -> aeq.CallScore:
        session = await made.double.call()
        session.provider_name = "deepgram"
        config = SimpleNamespace(target_encoding="mulaw", target_sample_rate_hz=8_000)
        engine.providers["deepgram"] = SimpleNamespace(config=config, _call_id=CALL)
        session.codec_alignment_ok = False
        made.double.stream(target_format="slin16", target_sample_rate=8_000)

        async def compare() -> None:
            engine._resolve_stream_targets(session, "deepgram")
            await made.give(2.0)

        async def look() -> None:
            waiting = engine.streaming_playback_manager.frame_remainders
            waiting[CALL] = bytearray(voice(FRAME))
            made.double.poll()

        caller, agent, events = [], [], {}
        for turn in range(4):
            start = 3.0 + 5.0 * turn
            caller.append((start - 1.5, start - 0.4))
            agent.append((start, start + 2.0))
            events[start - 0.06] = compare
            events |= {start + 0.05 + 0.2 * step: look for step in range(10)}
        await made.run(24.0, tuple(caller), tuple(agent), events)
        return await made.double.hang_up()

    score = asyncio.run(main())
    summary = score.summary
    assert (summary.codec_checks, summary.codec_misaligned) == (4, 4)
    (codec,) = [factor for factor in score.factors if factor.name == "codec"]
    assert codec.penalty == 0
    assert codec.evidence.startswith("bridged")
    assert summary.codec_details == {"mulaw@8000>slin@8000": 4}
    assert score.score >= 90


# A call whose end never comes.


def test_a_leaked_call_expires_without_a_score(
    generation: ModuleType, attached: Any, clock: Any, quality: aeq.QualityMonitor
) -> None:
    """However good it was, nobody knows how it ended, nor when."""

    async def main() -> list[aeq.CallScore]:
        double = attached(generation.Engine())
        double.keep_time_by(clock)
        await double.call()
        double.stream(frames_sent=500)
        double.poll()
        double.monitor.turn_response(CALL, 0.6)
        clock.advance(4 * 3_600.0)
        quality.expire_calls()
        double.poll()
        return double.scores

    (score,) = asyncio.run(main())
    assert (score.score, score.unscored_reason) == (None, "expired")
    assert score.summary.duration is None
