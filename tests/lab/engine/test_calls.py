"""Whole calls, in virtual time: what happens follows from the mechanism, and is reported."""

import asyncio
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from ai_engine_lab.basics.audio_formats import AudioFormat, decode, rms
from ai_engine_lab.engine import (
    BargeInSettings,
    Delivery,
    EngineSettings,
    Loopback,
    TransportError,
    plan_calls,
    run_matrix,
    traffic,
)
from ai_engine_lab.engine.events import Outcome

from ai_engine_quality.core.observations import OUTCOMES

CALL = "1761532874.2245"


def spectral_flatness(frames):
    samples = np.array([np.frombuffer(frame, "<i2") for frame in frames], dtype=float)
    loud = samples[np.sqrt((samples**2).mean(axis=1)) >= 200]
    power = np.abs(np.fft.rfft(loud * np.hanning(160), axis=1)) ** 2 + 1e-9
    band = power[:, 4:77]
    return float(np.median(np.exp(np.log(band).mean(axis=1)) / band.mean(axis=1)))


def agent_frames(bench, stage="transport_out"):
    return [args[1] for args, _ in bench.monitor.of(CALL, "audio") if args[0] == stage]


def test_the_library_is_told_everything_that_happened(bench):
    """Every count of the mechanism reaches the monitor, in its own words and units."""
    tally = bench.call(bench.plan("barge_in", "openai_realtime", pipeline="default")).tally
    told = bench.monitor
    assert told.reports[CALL][0] == (
        "call_started",
        (),
        {"provider": "openai_realtime", "pipeline": "default"},
    )
    assert [args[0] for args, _ in told.of(CALL, "turn_response")] == list(tally.turn_latencies)
    assert sum(args[0] for args, _ in told.of(CALL, "frames_sent")) == tally.frames_sent
    assert [args[0] for args, _ in told.of(CALL, "underflow")] == [
        segment.fillers for segment in tally.segments
    ]
    assert [values["reaction"] for _, values in told.of(CALL, "barge_in")] == list(
        tally.barge_in_reactions
    )
    assert told.reports[CALL][-1] == (
        "call_ended",
        (),
        {
            "provider": "openai_realtime",
            "pipeline": "default",
            "outcome": "caller_hangup",
            "failed": False,
            "duration": pytest.approx(30.0, abs=0.05),
        },
    )
    stages = {args[0]: values for args, values in told.of(CALL, "audio")}
    assert stages == {
        "transport_in": {"encoding": "slin16", "sample_rate": 8_000},
        "provider_out": {"encoding": "slin16", "sample_rate": 24_000},
        "transport_out": {"encoding": "slin16", "sample_rate": 8_000},
    }
    assert len(agent_frames(bench)) == tally.frames_sent


def test_deepgram_speaks_ulaw(bench):
    """A provider's frames are reported in the provider's own format, 20 ms each."""
    bench.call()
    frames = [
        (args[1], values)
        for args, values in bench.monitor.of(CALL, "audio")
        if args[0] == "provider_out"
    ]
    assert {len(frame) for frame, _ in frames} == {160}
    assert frames[0][1] == {"encoding": "ulaw", "sample_rate": 8_000}


def test_a_healthy_call_has_no_fault(bench):
    """Every kind of call of the healthy profile answers fast, without fillers or fallbacks."""

    async def main():
        return await run_matrix(bench.engine(), plan_calls())

    results = bench.run(main)
    assert len(results) == 20
    for result in results:
        tally = result.tally
        assert result.profile == "healthy"
        assert (tally.fillers, tally.fallbacks, tally.unanswered) == (0, (), ())
        assert len(tally.turn_latencies) >= 2
        assert tally.duration == pytest.approx(result.plan.duration, abs=0.05)
        assert tally.codec_aligned
        if result.plan.scenario.name != "noisy_background":
            assert max(tally.turn_latencies) < 1.0


def test_the_same_seed_gives_the_same_calls(bench):
    """Everything counted is equal to the last digit; another seed gives other calls."""

    async def main(seed):
        results = await run_matrix(bench.engine(seed=seed), plan_calls()[::3])
        return [result.tally for result in results]

    first, again, other = (bench.run(lambda seed=seed: main(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_call_is_the_same_whoever_else_calls(bench):
    """What happens in a call depends on its own id and the seed, not on the calls beside it."""
    plan = replace(plan_calls()[15])

    async def alone():
        return (await bench.engine().place(plan)).tally

    async def in_a_crowd():
        results = await run_matrix(bench.engine(), plan_calls(), concurrent=20)
        return results[15].tally

    single, crowded = bench.run(alone), bench.run(in_a_crowd)
    assert single.turn_latencies == pytest.approx(crowded.turn_latencies)
    assert single.frames_sent == crowded.frames_sent


@pytest.mark.parametrize("latency", [0.3, 1.5, 4.0])
def test_latency_is_from_the_end_of_the_turn_to_the_first_frame(bench, latency):
    """A provider that thinks for so long is measured so, plus at most two frames of pacing."""
    tally = bench.call(profile=bench.fixed(latency=latency)).tally
    assert tally.turn_latencies
    for measured in tally.turn_latencies:
        assert latency - 1e-6 <= measured <= latency + 0.04 + 1e-6


def test_a_dead_provider_leaves_turns_unanswered(bench):
    """The caller asks again and again; each turn counts with the time that it waited."""
    tally = bench.call(profile=bench.fixed(latency=None)).tally
    assert tally.turn_latencies == ()
    assert len(tally.unanswered) >= 2
    assert 5.0 < max(tally.unanswered) < 10.0
    assert [values["waited"] for _, values in bench.monitor.of(CALL, "unanswered")] == list(
        tally.unanswered
    )


def test_a_provider_that_is_too_late_is_given_up(bench):
    """No answer within the timeout: the turn is unanswered, with the time that it waited."""
    settings = EngineSettings(answer_timeout_seconds=4.0)
    tally = bench.call(profile=bench.fixed(latency=4.5), settings=settings).tally
    assert tally.turn_latencies == ()
    assert tally.unanswered[0] == pytest.approx(4.0)


def test_starving_bursts_reach_the_caller_as_gaps(bench):
    """Audio at 65 % of its speed leaves about 35 % fillers on the wire, one episode a burst."""
    tally = bench.call(profile=bench.fixed(arrives=Delivery(pace=0.65))).tally
    assert tally.fillers / (tally.fillers + tally.frames_sent) == pytest.approx(0.35, abs=0.02)
    bursts = tally.frames_sent / 5
    assert 0.8 * bursts <= tally.filler_episodes <= bursts + len(tally.segments)
    assert max(tally.turn_latencies) < 0.6


def true_onset(heard, before):
    """When the caller began the words of `before`: the loud frame after the last real silence."""
    onset, silent_since = None, heard[0][0]
    for at, level in heard:
        if at > before:
            break
        if level < 450:
            silent_since = at if silent_since is None else silent_since
            continue
        if silent_since is not None and at - silent_since > 0.3:
            onset = at
        silent_since = None
    return onset


def test_barge_in_is_found_by_its_energy_and_timed_from_the_onset(bench):
    """The agent stops within the window after the caller's true onset, and the reaction says so."""
    tally = bench.call(bench.plan("barge_in", "openai_realtime")).tally
    assert len(tally.barge_in_reactions) >= 2
    heard = [
        (at, rms(args[1]))
        for at, args in bench.monitor.when(CALL, "audio")
        if args[0] == "transport_in"
    ]
    stops = [at for at, _ in bench.monitor.when(CALL, "barge_in")]
    for stop, reaction in zip(stops, tally.barge_in_reactions, strict=True):
        assert reaction == pytest.approx(stop - true_onset(heard, stop), abs=0.061)
        assert 0.24 < reaction < 0.5
    # The caller interrupts 1.8 s into an answer: so long, and a reaction, is what was heard of it.
    stopped = [segment for segment in tally.segments if segment.end_reason == "barge-in"]
    assert len(stopped) == len(stops)
    assert all(1.8 < segment.frames_sent * 0.02 < 2.6 for segment in stopped)


def test_a_slow_engine_reacts_late(bench):
    """Time that the engine takes to stop is part of the reaction."""
    quick = bench.call(bench.plan("barge_in")).tally
    slow = bench.call(
        bench.plan("barge_in"),
        settings=EngineSettings(barge_in=BargeInSettings(stop_seconds=0.6)),
    ).tally
    assert min(slow.barge_in_reactions) >= min(quick.barge_in_reactions) + 0.55


def test_a_quiet_line_disturbs_nothing(bench):
    """The caller's line is under 200 RMS while nobody speaks, and is never taken for a turn."""
    bench.call(profile=bench.fixed())
    heard = [args[1] for args, _ in bench.monitor.of(CALL, "audio") if args[0] == "transport_in"]
    levels = np.array([np.sqrt((np.frombuffer(f, "<i2").astype(float) ** 2).mean()) for f in heard])
    assert 10 < np.median(levels[:100]) < 180  # the greeting: the caller listens
    assert len(heard) == pytest.approx(1_500, abs=3)


def test_noise_delays_answers_but_breaks_no_call(bench):
    """Noise that is taken for speech holds answers back; the clock of the turn runs on."""
    latencies = []
    for seed in range(12):
        tally = bench.call(bench.plan("noisy_background"), profile=bench.fixed(), seed=seed).tally
        assert tally.outcome == "caller_hangup"
        latencies += tally.turn_latencies
    assert min(latencies) == pytest.approx(0.5, abs=0.05)
    assert 0.8 < max(latencies) < 2.0


def test_a_failed_write_becomes_a_fallback(bench):
    """One write that raises makes one fallback; the caller hears the rest from a file."""
    writes = []

    def fault():
        writes.append(None)
        if len(writes) == 200:
            raise TransportError("connection lost")

    tally = bench.call(
        profile=bench.fixed(), transport=lambda hear: Loopback(hear, write_fault=fault)
    ).tally
    assert tally.fallbacks == ("transport-failure",)
    assert bench.monitor.of(CALL, "fallback") == [((), {"reason": "transport-failure"})]
    assert [segment.end_reason for segment in tally.segments].count("transport-failure") == 1
    assert tally.outcome == "caller_hangup"
    assert len(tally.turn_latencies) >= 2


def test_a_transport_that_is_down_still_answers_by_file(bench):
    """With every write failing, every segment falls back, and turns are answered all the same."""

    def fault():
        raise TransportError("no connection")

    tally = bench.call(
        profile=bench.fixed(), transport=lambda hear: Loopback(hear, write_fault=fault)
    ).tally
    assert len(tally.fallbacks) == len(tally.segments) >= 3
    assert tally.frames_sent == 0
    assert max(tally.turn_latencies) < 0.6


def test_a_wrong_format_is_found_and_heard_as_noise(bench):
    """u-law read as linear audio fails the check, and is noise on the wire."""
    bench.call(bench.plan(provider="openai_realtime"), profile=bench.fixed())
    assert bench.monitor.of(CALL, "codec_alignment")[0][1]["aligned"] is True
    assert spectral_flatness(agent_frames(bench)) < 0.05
    wrong = AudioFormat("ulaw", 8_000)
    tally = bench.call(
        bench.plan(provider="openai_realtime"), profile=bench.fixed(audio_format=wrong)
    ).tally
    assert not tally.codec_aligned
    assert bench.monitor.of(CALL, "codec_alignment") == [
        ((), {"aligned": False, "detail": "ulaw@8000 declared, slin16@24000 expected"})
    ]
    assert spectral_flatness(agent_frames(bench)) > 0.1


def test_the_provider_stage_holds_the_same_speech(bench):
    """What the provider sent, decoded, is what went to the caller, as far as it was played."""
    bench.call(profile=bench.fixed())
    sent = b"".join(
        decode(f, AudioFormat("ulaw", 8_000)) for f in agent_frames(bench, "provider_out")
    )
    played = b"".join(agent_frames(bench))
    greeting = 40 * 320
    assert played[:greeting] == sent[:greeting]


def test_stopping_the_engine_ends_its_calls(bench):
    """Calls in progress end as stopped, are reported, and leave nothing running."""

    async def main():
        engine = bench.engine()
        await engine.start()
        call = asyncio.create_task(engine.place(bench.plan()))
        await asyncio.sleep(12)
        assert engine.active_calls == 1
        await engine.stop()
        result = await call
        assert len(asyncio.all_tasks()) == 1
        return result

    tally = bench.run(main).tally
    assert tally.outcome == "interrupted"
    assert tally.duration == pytest.approx(12.0, abs=0.05)


def test_outcomes_are_words_that_the_library_knows():
    """Any other would be warned of, where its call has not failed; of these, one is left."""
    assert set(get_args(Outcome)) - set(OUTCOMES) == {"connection_lost"}


def test_a_cancelled_call_is_still_reported(bench):
    """Whoever placed a call may lose interest: the library is told of its end, tasks are gone."""

    async def main():
        call = asyncio.create_task(bench.engine().place(bench.plan()))
        await asyncio.sleep(8)
        call.cancel()
        await asyncio.wait({call})
        assert len(asyncio.all_tasks()) == 1

    bench.run(main)
    (end,) = bench.monitor.of(CALL, "call_ended")
    assert end[1]["outcome"] == "interrupted"


def test_a_fault_in_the_engine_fails_that_call_only(bench, caplog):
    """An exception in one call's provider ends that call as failed, with a traceback in the log."""
    broken = bench.fixed()

    def explode():
        raise ZeroDivisionError("in the provider")

    broken.given.response_latency = explode
    result = bench.call(profile=broken)
    assert (result.tally.outcome, result.tally.failed) == ("failed", True)
    assert bench.monitor.of(CALL, "call_ended")[0][1]["failed"] is True
    assert "ZeroDivisionError" in caplog.text


def test_one_call_id_at_a_time(bench):
    """A call id that is in progress is refused."""

    async def main():
        engine = bench.engine()
        first = asyncio.create_task(engine.place(bench.plan()))
        await asyncio.sleep(1)
        with pytest.raises(ValueError, match="in progress"):
            await engine.place(bench.plan())
        await first

    bench.run(main)


def test_progress_is_told_call_by_call(bench):
    """Each ended call is told once, and the results come in the order of the plan."""
    told = []
    plans = plan_calls()[:6]

    async def main():
        return await run_matrix(bench.engine(), plans, told.append, concurrent=3)

    results = bench.run(main)
    assert [result.plan for result in results] == plans
    assert [progress.done for progress in told] == [1, 2, 3, 4, 5, 6]
    assert {progress.total for progress in told} == {6}


def test_traffic_keeps_calls_coming(bench):
    """Calls arrive at about the rate asked for, never more at once than allowed."""
    results, most = [], []

    async def main():
        engine = bench.engine()

        def note(result):
            results.append(result)
            most.append(engine.active_calls)

        plans = (bench.plan(call_id=f"1761532874.{n}", duration=20.0) for n in range(10_000))
        running = asyncio.create_task(
            traffic(engine, plans, note, calls_per_hour=720, concurrent=4)
        )
        await asyncio.sleep(400)
        running.cancel()
        await asyncio.wait({running})
        assert engine.active_calls == 0

    bench.run(main)
    assert 35 < len(results) < 90  # 80 at 720 an hour, less what had to wait
    assert max(most) <= 4
