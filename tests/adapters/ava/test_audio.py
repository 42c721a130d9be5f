"""Frames, fillers, levels, noise and formats: read from what the engine has recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from engine_doubles import AUDIO

import ai_engine_quality as aeq
from ai_engine_quality.adapters.ava.noise import NoiseChecks, Sound
from ai_engine_quality.live.encodings import frame_bytes


def test_the_engines_frames_include_its_fillers_and_ours_do_not(
    generation: ModuleType, attached: Any
) -> None:
    """Each frame is reported once, however often the timer and the clean-up ask."""

    async def main() -> aeq.CallScore:
        double = attached(generation.Engine())
        session = await double.call()
        info = double.stream(frames_sent=100, underflow_events=4)
        double.poll()
        info.update(frames_sent=150, underflow_events=6)
        double.poll()
        double.poll()
        manager = double.engine.streaming_playback_manager
        await asyncio.gather(
            *(manager._cleanup_stream(session.call_id, info["stream_id"]) for _ in range(3))
        )
        double.poll()
        return await double.hang_up()

    summary = asyncio.run(main()).summary
    assert (summary.frames_sent, summary.underflows) == (144, 6)
    assert summary.underflow_episodes is None


def test_the_last_frames_of_a_stream_count_although_it_is_gone(
    generation: ModuleType, attached: Any
) -> None:
    """What the engine sends while it cleans up, and a stream that only the timer saw, count."""

    async def main() -> aeq.CallScore:
        double = attached(generation.Engine())
        session = await double.call()
        first = double.stream(frames_sent=50)
        double.poll()
        first["frames_sent"] = 60
        double.stream(stream_id="stream:second", frames_sent=20)
        double.poll()
        manager = double.engine.streaming_playback_manager
        last = manager.active_streams[session.call_id]
        ending = asyncio.ensure_future(manager._cleanup_stream(session.call_id, "stream:second"))
        await asyncio.sleep(0)
        last["frames_sent"] = 25
        await ending
        return await double.hang_up()

    assert asyncio.run(main()).summary.frames_sent == 85


def test_a_stream_that_outlives_its_call_is_not_counted_late(
    generation: ModuleType, attached: Any, dropped: Callable[[str], float]
) -> None:
    """A call that ends while its stream is cleaned up has been counted by then."""

    async def main() -> aeq.CallScore:
        double = attached(generation.Engine())
        session = await double.call()
        info = double.stream(frames_sent=40)
        manager = double.engine.streaming_playback_manager
        ending = manager._cleanup_stream(session.call_id, info["stream_id"])
        ending.send(None)  # it waits for the last audio to be played
        score = await double.hang_up()
        with pytest.raises(StopIteration):
            ending.send(None)
        return score

    assert asyncio.run(main()).summary.frames_sent == 40
    assert dropped("call_ended") == 0


def test_a_cleanup_of_another_stream_counts_nothing_twice(
    generation: ModuleType, attached: Any
) -> None:
    """An old producer that cleans up late gives another stream's id; counts stay as they are."""

    async def main() -> aeq.CallScore:
        double = attached(generation.Engine())
        session = await double.call()
        double.stream(stream_id="stream:new", frames_sent=30)
        manager = double.engine.streaming_playback_manager
        await manager._cleanup_stream(session.call_id, "stream:old")
        return await double.hang_up()

    assert asyncio.run(main()).summary.frames_sent == 30


def test_fillers_between_answers_are_idle_and_those_within_are_not(
    generation: ModuleType, attached: Any
) -> None:
    """From an answer's end to the first frame of the next, a continuous stream fills for nobody."""

    async def main() -> tuple[aeq.CallScore, list[int]]:
        double = attached(generation.Engine())
        await double.call()
        seen = []

        def progress(own: int, fillers: int) -> None:
            info["frames_sent"] += own + fillers
            info["underflow_events"] += fillers
            double.poll()
            seen.append(double.so_far().underflows or 0)

        await double.said("AgentAudio", **AUDIO)
        info = double.stream()
        progress(own=40, fillers=0)
        progress(own=0, fillers=2)  # starved
        await double.said("AgentAudio", **AUDIO)
        progress(own=10, fillers=0)
        await double.said("AgentAudioDone")
        progress(own=0, fillers=7)  # idle
        await double.said("AgentAudio", **AUDIO)
        progress(own=0, fillers=1)  # still idle: nothing of this answer was played yet
        progress(own=20, fillers=0)
        progress(own=0, fillers=3)  # starved again
        await double.said("AgentAudioDone")
        progress(own=0, fillers=9)
        return await double.hang_up(), seen

    score, seen = asyncio.run(main())
    assert seen == [0, 2, 2, 2, 2, 2, 5, 5]
    assert (score.summary.frames_sent, score.summary.underflows) == (70, 5)


def test_an_answer_given_at_once_is_seen_to_begin_between_two_looks(
    generation: ModuleType, attached: Any
) -> None:
    """Its next chunk finds the first frame played: what is filled from then on is a hole's."""

    async def main() -> tuple[int, int]:
        double = attached(generation.Engine())
        await double.call()
        await double.said("AgentAudio", **AUDIO)
        info = double.stream()
        info["frames_sent"] = 40
        await double.said("AgentAudioDone")
        for played, fillers in ((0, 0), (0, 2), (0, 3), (1, 3), (5, 3), (5, 7)):
            info["frames_sent"] = 40 + played + fillers
            info["underflow_events"] = fillers
            await double.said("AgentAudio", **AUDIO)
        double.poll()
        known = double.so_far()
        return known.frames_sent or 0, known.underflows or 0

    assert asyncio.run(main()) == (45, 4)


def test_a_pipelines_fillers_all_count(generation: ModuleType, attached: Any) -> None:
    """Its stream holds one answer, and no provider tells where it begins or ends."""

    async def main() -> aeq.CallScore:
        double = attached(generation.Engine())
        await double.call()
        double.stream(playback_type="pipeline-tts", frames_sent=90, underflow_events=5)
        return await double.hang_up()

    assert asyncio.run(main()).summary.underflows == 5


def test_a_stream_that_sent_nothing_is_a_count_of_nothing(
    generation: ModuleType, attached: Any
) -> None:
    """Frames that were counted and are 0 differ from frames that nobody counted."""

    async def main(streams: int) -> aeq.CallScore:
        double = attached(generation.Engine())
        session = await double.call(f"{streams}.1")
        if streams:
            info = double.stream(session.call_id)
            manager = double.engine.streaming_playback_manager
            await manager._cleanup_stream(session.call_id, info["stream_id"])
        score = await double.hang_up(session.call_id)
        double.attachment.detach()
        return score

    assert asyncio.run(main(1)).summary.frames_sent == 0
    assert asyncio.run(main(0)).summary.frames_sent is None


def test_each_segment_is_logged_with_its_kind(
    generation: ModuleType, attached: Any, logged: list[Any]
) -> None:
    """A greeting is told from an answer, so that one can see which of them starved."""

    async def main() -> None:
        double = attached(generation.Engine())
        session = await double.call()
        manager = double.engine.streaming_playback_manager
        for kind, fillers in (("greeting", 0), ("streaming-response", 3)):
            info = double.stream(playback_type=kind, frames_sent=50, underflow_events=fillers)
            await manager._cleanup_stream(session.call_id, info["stream_id"])

    asyncio.run(main())
    segments = [
        (entry["kind"], entry["frames"], entry["fillers"])
        for entry in logged
        if entry["event"] == "quality_segment_ended"
    ]
    assert segments == [("greeting", 50, 0), ("streaming-response", 47, 3)]


def test_a_fallback_is_counted_by_reason(generation: ModuleType, attached: Any) -> None:
    """Reasons that a program chose are kept."""

    async def main() -> aeq.CallScore:
        double = attached(generation.Engine())
        session = await double.call()
        for reason in ("transport-failure", "timeout>8.0s", "transport-failure"):
            await double.engine.streaming_playback_manager._record_fallback(session.call_id, reason)
        return await double.hang_up()

    summary = asyncio.run(main()).summary
    assert summary.fallback_reasons == {"transport-failure": 2, "timeout>8.0s": 1}


def test_a_level_is_taken_once_and_stands_for_the_time_between_polls(
    generation: ModuleType, attached: Any, dropped: Callable[[str], float]
) -> None:
    """What the engine measured anew counts; what stands there since isn't heard again."""

    async def main() -> aeq.CallSummary:
        double = attached(generation.Engine())
        session = await double.call()
        for rms in (1_800, 2_200, None, None):
            if rms is not None:
                for stage in ("transport_out:streaming-response", "transport_in", "nowhere"):
                    session.audio_diagnostics[stage] = {"rms": rms, "updated": 0.0}
            session.audio_diagnostics["transport_in_first_sample_logged"] = True
            double.poll(seconds=0.2)
        return double.so_far()

    audio = asyncio.run(main()).audio
    assert set(audio) == {"transport_out:streaming-response", "transport_in"}
    caller = audio["transport_in"]
    assert (caller.frames, caller.active) == (2, 2)
    assert caller.speech_seconds == pytest.approx(0.4)
    assert caller.rms == pytest.approx(np.sqrt((1_800**2 + 2_200**2) / 2))
    assert dropped("unknown_stage") == 0


def hiss(seconds: float, rms: float = 9_000.0) -> bytes:
    """Return white noise as 16-bit audio at 8 kHz."""
    samples = np.random.default_rng(1).normal(0, rms, round(seconds * 8_000))
    return np.clip(samples, -32_000, 32_000).astype("<i2").tobytes()


def test_audio_that_waits_to_be_played_is_checked_for_noise(
    generation: ModuleType, attached: Any
) -> None:
    """A frame at each poll, in the format that is sent; the level stays the engine's own."""

    async def main() -> aeq.CallSummary:
        double = attached(generation.Engine())
        session = await double.call()
        info = double.stream(target_format="slin", target_sample_rate=8000)
        waiting = double.engine.streaming_playback_manager.frame_remainders
        for number in range(40):
            stage = f"transport_out:{info['playback_type']}"
            session.audio_diagnostics[stage] = {"rms": 2_000}
            waiting[session.call_id] = hiss(0.04) if number % 2 else waiting.get(session.call_id)
            double.poll()
        return (await double.hang_up()).summary

    levels = asyncio.run(main()).audio["transport_out:streaming-response"]
    assert (levels.frames, levels.rms) == (40, 2_000)
    assert levels.flatness > 0.3
    assert levels.noise_rms > 6_000


def test_where_nothing_waits_the_providers_audio_is_checked(
    generation: ModuleType, attached: Any
) -> None:
    """A chunk between two polls at most; one of unknown format is passed over."""

    async def main() -> aeq.CallSummary:
        double = attached(generation.Engine())
        session = await double.call()
        double.stream(frames_sent=1)
        for number in range(50):
            session.audio_diagnostics["provider_out"] = {"rms": 2_000}
            double.poll()
            form = "opus" if number % 2 else "linear16"
            for _ in range(5):
                await double.said("AgentAudio", data=hiss(0.02), encoding=form, sample_rate=8000)
        return (await double.hang_up()).summary

    levels = asyncio.run(main()).audio["provider_out"]
    assert levels.flatness > 0.3
    assert levels.frames == 50


ENGINE_ENCODINGS = (
    "ulaw",
    "mulaw",
    "mu-law",
    "g711_ulaw",
    "g711ulaw",
    "pcmu",
    "alaw",
    "a-law",
    "g711_alaw",
    "g711alaw",
    "pcma",
    "slin",
    "slin16",
    "linear16",
    "pcm16",
)
"""Names in the engine's source of encodings whose rate stands beside them."""


@pytest.mark.parametrize("encoding", ENGINE_ENCODINGS)
def test_each_name_of_an_encoding_is_read_the_same_both_ways(
    quality: aeq.QualityMonitor, encoding: str
) -> None:
    """What the adapter measures of a frame is what the library measures of it as a raw frame."""
    noise, checks = hiss(0.02), NoiseChecks()
    for call_id in ("raw", "adapter"):
        quality.call_started(call_id)
    raw, adapter = quality.call("raw"), quality.call("adapter")
    for _ in range(400):  # of which the library checks 40 for noise
        frame = noise[: frame_bytes(encoding, 8000, 0.02)]
        raw.audio("provider_out", frame, encoding=encoding, sample_rate=8000)
    for _ in range(40):
        adapter.audio_level("provider_out", 2_000)
        assert checks.take(adapter, "provider_out", Sound(noise, encoding, 8000))
    checks.measure()
    quality.frames.measure()
    first, second = (
        call.accumulator.freeze(duration=None).audio["provider_out"] for call in (raw, adapter)
    )
    assert first.flatness > 0.3
    for name in ("flatness", "clipped", "dc", "noise_rms"):
        assert getattr(first, name) == pytest.approx(getattr(second, name)), name


def test_a_verdict_on_formats_is_a_check_and_names_what_differs(
    generation: ModuleType, attached: Any
) -> None:
    """Aligned by default means not checked: only the engine's own check counts."""

    async def main() -> tuple[aeq.CallSummary, aeq.CallSummary]:
        double = attached(generation.Engine())
        session = await double.call()
        engine = double.engine
        unchecked = double.so_far()
        engine._resolve_stream_targets(session, "deepgram")
        session.codec_alignment_ok = False
        config = SimpleNamespace(target_encoding="mulaw", target_sample_rate_hz=8000)
        engine.providers["deepgram"] = SimpleNamespace(config=config)
        engine._resolve_stream_targets(session, "deepgram")
        engine._resolve_stream_targets(session, "another")
        return unchecked, (await double.hang_up()).summary

    unchecked, summary = asyncio.run(main())
    assert unchecked.codec_checks is None
    assert (summary.codec_checks, summary.codec_misaligned) == (3, 2)
    assert summary.codec_details == {"mulaw@8000>slin@8000": 1, "misaligned": 1}
