"""A call on the real engine, from start to end, factor by factor."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import pytest

import ai_engine_quality as aeq
from ai_engine_quality.live.encodings import ENCODINGS


def test_report_says_that_every_factor_is_live(
    real: ModuleType, monitor: aeq.QualityMonitor
) -> None:
    """Every hook can be set on this engine, and the report says where each factor is read."""

    async def main() -> dict[str, object]:
        return real.Line(monitor).attachment.report()

    report = asyncio.run(main())
    assert {name: entry.why_not for name, entry in report.items()} == dict.fromkeys(
        ("calls", "latency", "underflow", "fallback", "barge_in", "codec", "rms"), ""
    )


def test_an_encodings_name_means_the_same_to_the_engine(real: ModuleType) -> None:
    """Of the names that the engine has an own word for, none is another encoding here."""
    manager = type(real.Line(None).engine.streaming_playback_manager)
    words = {name: manager._canonicalize_encoding(name) for name in ENCODINGS}
    known = {name: word for name, word in words.items() if word != name}
    assert set(known) >= {"mulaw", "mu-law", "g711_ulaw", "linear16", "pcm16"}
    assert {name: ENCODINGS[word] for name, word in known.items()} == {
        name: ENCODINGS[name] for name in known
    }


def test_a_healthy_stream_has_no_underflow_though_the_engine_sent_idle_fillers(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """Fillers between two answers are no fault: the engine counts them, and the score doesn't."""

    async def main() -> tuple[aeq.CallScore, int, int]:
        line = real.Line(monitor)
        await line.call(call_id)
        for _ in range(2):
            await line.answer(call_id, 2.0)
            await asyncio.sleep(1.5)
        info = real.stream(line, call_id)
        return await line.hang_up(call_id), info["underflow_events"], info["frames_sent"]

    score, engine_fillers, engine_frames = asyncio.run(main())
    assert engine_fillers >= 2
    assert score.summary.underflows * 0.02 <= 0.1  # of 3 s that were idle; a busy machine stumbles
    assert score.summary.frames_sent == pytest.approx(engine_frames - engine_fillers, abs=3)
    assert 195 <= score.summary.frames_sent <= 205


def test_starvation_within_an_answer_is_an_underflow(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """Two holes of half a second and of two, as heard; the engine's fillers tell of hardly any."""

    async def main() -> tuple[aeq.CallScore, Any]:
        line = real.Line(monitor)
        line.watch_every_frame()
        await line.call(call_id)
        for gap in (0.0, 0.5, 2.0):
            await line.audio(call_id, real.ulaw(0.6), pace=1.0)
            await asyncio.sleep(gap)
            await line.answer(call_id, 0.6)
            await asyncio.sleep(1.2)
        return await line.hang_up(call_id), line

    score, line = asyncio.run(main())
    assert line.history.count("filler") > line.fillers_within_answers() >= 1
    summary = score.summary
    assert summary.is_heard("underflow")
    assert summary.underflows * 0.02 == pytest.approx(2.5, abs=0.35)
    assert summary.underflows > 3 * line.fillers_within_answers()
    assert 2 <= summary.underflow_episodes <= 6


def test_a_transport_that_fails_is_a_fallback(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """When no frame can be sent, the engine falls back to a file, and that is counted by reason."""

    async def main() -> aeq.CallScore:
        line = real.Line(monitor)
        await line.call(call_id)
        line.asterisk.transport_works = False
        await line.audio(call_id, real.ulaw(0.4))
        await asyncio.sleep(1.0)
        return await line.hang_up(call_id)

    score = asyncio.run(main())
    assert score.summary.fallbacks == 1
    assert score.summary.fallback_reasons == {"transport-failure": 1}


def test_a_file_that_asterisk_plays_is_seen(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """An answer as a file, by the engine's own player; the silence that makes RTP flow is none."""

    async def main() -> aeq.CallScore:
        line = real.Line(monitor)
        await line.call(call_id)
        if real.TODAY:
            line.engine._call_providers[call_id] = object()
            await line.engine._kick_rtp_flow("bridge-1", call_id)
        await line.engine.playback_manager.play_audio(call_id, real.ulaw(0.4), "response")
        return await line.hang_up(call_id)

    assert asyncio.run(main()).summary.files_played == 1


def test_what_the_phone_lost_is_told_by_the_engines_own_client(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """The engine's client of ARI hands the variable on, as it hands all events to who listens."""

    async def main() -> aeq.CallScore:
        line = real.Line(monitor)
        await line.call(call_id)
        event = {
            "type": "ChannelVarset",
            "variable": "RTPAUDIOQOS",
            "value": "lp=0;rxcount=900;txcount=1025;rlp=45;rtt=0.02",
            "channel": {"id": call_id},
        }
        for handler in line.engine.ari_client.event_handlers["ChannelVarset"]:
            await handler(event)
        return await line.hang_up(call_id)

    summary = asyncio.run(main()).summary
    assert (summary.packets_lost, summary.packets_sent) == (45, 900)


def test_a_provider_that_disconnects_is_a_failed_call(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """The engine hangs up at once, and calls it the caller's hang-up."""

    async def main() -> tuple[aeq.CallScore, list[str]]:
        line = real.Line(monitor)
        await line.call(call_id)
        await line.answer(call_id, 1.0)
        await line.caller_says(call_id)
        await line.answer(call_id, 1.0)
        await line.event(call_id, "ProviderDisconnected", code=1007, reason="invalid payload")
        return await line.hang_up(call_id), line.asterisk.hung_up

    score, hung_up = asyncio.run(main())
    assert score.score == 0
    assert "provider_lost" in [ceiling.rule for ceiling in score.ceilings]
    assert not score.summary.failed
    if real.TODAY:
        assert call_id in hung_up


def test_levels_and_formats_are_those_that_the_engine_found(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """Each frame's level at the edge, looks at the provider's, and a check for each verdict."""

    async def main() -> tuple[aeq.CallScore, bool]:
        line = real.Line(monitor)
        session = await line.call(call_id)
        await line.answer(call_id, 4.0)
        return await line.hang_up(call_id), session.codec_alignment_ok

    score, aligned = asyncio.run(main())
    summary = score.summary
    assert summary.codec_checks == 1
    assert summary.codec_misaligned == (0 if aligned else 1)
    out = summary.audio["transport_out:streaming-response"]
    assert 195 <= out.active <= out.frames <= 205
    assert out.rms == pytest.approx(2_000, rel=0.25)
    assert summary.audio["provider_out"].rms == pytest.approx(2_000, rel=0.25)


def test_noise_that_the_caller_hears_is_told_from_speech(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """By RTP the engine sends audio of a wrong format as it is; nothing that it counts tells so."""
    as_ulaw = (real.speech(8.0), {"form": ("linear16", 8000), "pace": 0.9})
    as_slin = (real.ulaw(14.0), {"form": real.ULAW, "pace": 0.45})
    audio, how = as_ulaw if real.TODAY else as_slin

    async def main() -> aeq.CallScore:
        line = real.Line(monitor, transport="externalmedia")
        await line.call(call_id)
        await line.caller_says(call_id)
        await line.audio(call_id, audio, chunk=0.4, **how)
        await line.event(call_id, "AgentAudioDone", streaming_done=True)
        return await line.hang_up(call_id)

    score = asyncio.run(main())
    assert score.score <= 20
    assert "noise" in [ceiling.rule for ceiling in score.ceilings]


def test_a_call_is_scored_once_however_often_it_is_cleaned_up(
    real: ModuleType, monitor: aeq.QualityMonitor, call_id: str
) -> None:
    """Repeated and concurrent clean-ups end the call once; what comes later changes nothing."""

    async def main() -> list[aeq.CallScore]:
        line = real.Line(monitor)
        session = await line.call(call_id)
        await line.answer(call_id, 1.0)
        await asyncio.gather(*(line.engine._cleanup_call(call_id) for _ in range(3)))
        await line.engine.session_store.upsert_call(session)
        await line.engine._cleanup_call(call_id)
        await line.engine.session_store.remove_call(call_id)
        await asyncio.sleep(0.3)
        return line.scores

    scores = asyncio.run(main())
    assert [score.call_id for score in scores] == [call_id]


def test_detach_restores_the_engine_exactly(real: ModuleType, monitor: aeq.QualityMonitor) -> None:
    """No object of the engine has an attribute more or another one than before."""

    def attributes(engine: object) -> dict[str, dict[str, object]]:
        parts = (
            engine,
            engine.session_store,
            engine.conversation_coordinator,
            engine.streaming_playback_manager,
            real.engine_module._BARGE_REACTION_SECONDS,
            real.engine_module._TURN_RESPONSE_SECONDS,
        )
        return {f"{type(part).__name__}{n}": dict(vars(part)) for n, part in enumerate(parts)}

    async def main() -> tuple[object, object, object]:
        line = real.Line(None)
        before = attributes(line.engine)
        attachment = real.attach(line.engine, monitor)
        during = attributes(line.engine)
        left = attachment.detach()
        return before, during, (attributes(line.engine), left)

    before, during, (after, left) = asyncio.run(main())
    assert before != during
    assert after == before
    assert left == ()
