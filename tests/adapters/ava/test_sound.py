"""The ear on the engine: both tracks frame by frame, and what the provider gave of the answers."""

from __future__ import annotations

import asyncio
import base64
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import engine_line
import engine_sound
import numpy as np
import pytest
from engine_doubles import CALL, Double
from engine_line import FRAME, SSRC, Line, noise
from engine_sound import ENGINES, Engine76, Engine2025, Engine2026
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_quality.adapters import attach, notes, wraps
from ai_engine_quality.adapters.ava.sound import SoundObserver

TOLERANCE = 0.06
"""Seconds: three frames."""

DOCUMENT = (Path(__file__).parents[3] / "docs" / "Integration.md").read_text()

CALLER = ((1.0, 2.5), (6.5, 7.5), (9.5, 11.0))
"""Words; a second turn; a barge-in, into the answer to that."""

AGENT = ((3.3, 4.3), (4.8, 5.8), (8.1, 9.8), (12.0, 13.0))
"""An answer after 0.8 s, with a hole of 0.5 s; one after 0.6 s, which stops 0.3 s after the
barge-in began; one after 1.0 s."""


async def scripted(line: Line) -> aeq.CallScore:
    """Drive a whole call with a full agent; return its score."""
    await line.double.call()
    line.double.stream()

    async def complete() -> None:
        await line.double.said("AgentAudioDone")

    await line.run(
        14.0,
        CALLER,
        AGENT,
        {
            3.24: lambda: line.give(1.0),
            4.76: lambda: line.give(1.0),
            4.78: complete,
            8.04: lambda: line.give(4.0),
            8.06: complete,
            11.94: lambda: line.give(1.0),
            11.96: complete,
        },
    )
    return await line.double.hang_up()


@pytest.fixture(params=ENGINES, ids=lambda each: f"{each[0].__name__}-{each[1]}")
def engine(request: pytest.FixtureRequest) -> Any:
    """Return an engine of each generation, with each of its transports."""
    make, transport = request.param
    return make(transport)


def test_a_call_is_scored_by_what_was_heard(engine: Any, line: Any) -> None:
    """Latencies, hole and reaction are those of the line, on every generation and transport."""
    made = line(engine)
    score = asyncio.run(scripted(made))
    summary = score.summary
    assert summary.turn_latencies == pytest.approx((0.8, 0.6, 1.0), abs=TOLERANCE)
    assert summary.barge_in_reactions == pytest.approx((0.3,), abs=TOLERANCE)
    assert summary.underflow_episodes == 1
    assert summary.underflows * FRAME == pytest.approx(0.5, abs=TOLERANCE)
    assert all(summary.is_heard(factor) for factor in ("latency", "underflow", "barge_in"))


def test_each_factor_says_whether_it_is_heard_or_told(engine: Any, line: Any) -> None:
    """What the ear serves is heard on every generation and transport; the rest stays told."""
    report = line(engine).double.attachment.report()
    assert {factor: entry.clock for factor, entry in report.items() if entry.live} == {
        "calls": "told",
        "latency": "heard",
        "underflow": "heard",
        "fallback": "told",
        "barge_in": "heard",
        "codec": "told",
        "rms": "told",
    }


# What can't be set, and what goes wrong.


def _other_arguments(self: Any, call: Any, sound: Any) -> None:
    """Stand for a method that has changed."""


LOST = [None, "not a method", _other_arguments]


@pytest.mark.parametrize("lost", LOST, ids=["missing", "no_method", "changed"])
def test_without_the_engines_measurement_factors_are_told(
    engine: Any, line: Any, lost: Any
) -> None:
    """Nothing can be heard then; the call is scored all the same, and nothing raises."""
    engine._update_audio_diagnostics = lost
    engine.streaming_playback_manager.audio_diag_callback = _ignored
    engine._audiosocket_handle_audio = _ignored
    made = line(engine)
    report = made.double.attachment.report()
    assert {entry.clock for entry in report.values()} == {"told"}
    score = asyncio.run(scripted(made))
    assert score.summary.heard is None or not score.summary.heard.factors


async def _ignored(*_sound: Any) -> None:
    """Take a frame that nobody measures."""


def test_looks_of_the_timer_are_levels_and_nothing_more(line: Any) -> None:
    """Where the frames can't be had, words would seem to begin with the next look at them."""
    engine = Engine2026("audiosocket")
    engine._update_audio_diagnostics = engine_sound.measure  # whose arguments have other names
    made = line(engine)

    async def poll() -> None:
        made.double.poll()

    async def main() -> aeq.CallSummary:
        await made.double.call()
        looks = {at / 5: poll for at in range(1, 25)}
        await made.run(5.0, ((1.0, 2.0),), ((2.5, 3.5),), {**looks, 2.41: lambda: made.give(1.0)})
        return (await made.double.hang_up()).summary

    assert made.double.attachment.report()["latency"].clock == "told"
    summary = asyncio.run(main())
    assert summary.turn_latencies is None or not summary.turn_latencies
    assert not summary.is_heard("latency")
    assert not summary.is_heard("underflow")
    assert summary.audio["transport_in"].frames == pytest.approx(24, abs=1)


def test_answers_that_are_played_from_files_are_told(line: Any) -> None:
    """No frame of them passes the engine; October 2025 has the setting and streams all the same."""
    clocks = []
    for make in (Engine2026, Engine2025):
        engine = make("audiosocket")
        engine.config.downstream_mode = "file"
        clocks.append(line(engine).double.attachment.report()["latency"].clock)
    assert clocks == ["told", "heard"]


def test_without_the_callers_frames_only_holes_are_heard(line: Any) -> None:
    """What is sent, and what was given of it, tell of holes; whose turn it is they don't tell."""
    made = line(Engine2026("websocket"))  # which hands over nothing that could be wrapped
    report = made.double.attachment.report()
    assert (report["latency"].clock, report["barge_in"].clock) == ("told", "told")
    assert report["underflow"].clock == "heard"

    async def main() -> aeq.CallScore:
        await made.double.call()
        await made.run(6.0, (), ((1.0, 2.0), (2.4, 3.4)), {0.9: lambda: made.give(2.0)})
        return await made.double.hang_up()

    made.receive = _receives_nothing
    summary = asyncio.run(main()).summary
    assert summary.underflows * FRAME == pytest.approx(0.4, abs=TOLERANCE)
    assert summary.is_heard("underflow")
    assert not summary.is_heard("latency")


async def _receives_nothing(*, loud: bool) -> None:
    """Take nothing from the caller."""


@pytest.mark.parametrize("name", ["measured", "received", "note_given", "answer_complete"])
def test_an_observer_that_raises_never_reaches_the_engine(
    engine: Any,
    line: Any,
    dropped: Callable[[str], float],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Each failure is counted, and the engine's own methods go on as if nobody listened."""

    def broken(*_arguments: Any) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(SoundObserver, name, broken)
    made = line(engine)

    async def main() -> None:
        await made.double.call()
        await made.give(0.1)
        await made.double.said("AgentAudioDone")
        await made.receive(loud=True)
        await made.send()
        assert engine.session_store.sessions[CALL].audio_diagnostics["transport_out:response"]
        await made.double.hang_up()

    asyncio.run(main())
    listens = name != "received" or engine.config.audio_transport != "audiosocket"
    assert (dropped("internal_error") > 0) is listens


def test_detach_takes_every_wrap_back(engine: Any, line: Any) -> None:
    """The engine and the call's provider have no attribute more than before."""
    before = set(vars(engine))
    provider = engine.paced(CALL)
    own = dict(vars(provider))
    made = line(engine)

    async def main() -> None:
        await made.double.call()
        made.double.poll()
        assert "_handle_output_audio" in vars(provider)
        assert "_update_audio_diagnostics" in vars(engine)
        assert made.double.attachment.detach() == ()

    asyncio.run(main())
    assert set(vars(engine)) == before
    assert vars(provider) == own


# When the agent isn't in the call any more.


def test_a_transferred_call_is_not_heard_any_further(line: Any) -> None:
    """What a person and the caller say to each other is nobody's latency, hole or barge-in."""
    made = line(Engine2026("audiosocket"))

    async def main() -> tuple[aeq.CallSummary, aeq.CallSummary]:
        session = await made.double.call()
        answer = ((2.5, 3.5),)
        await made.run(4.0, ((1.0, 2.0),), answer, {2.4: lambda: made.give(1.0)})
        session.transfer_destination = "sales"
        made.double.poll()
        frozen = made.double.so_far()
        later = {4.5: lambda: made.give(3.0), 4.6: lambda: made.double.said("AgentAudioDone")}
        await made.run(9.0, ((4.5, 5.0), (6.0, 8.0)), ((5.5, 7.0),), later)
        return frozen, (await made.double.hang_up()).summary

    before, after = asyncio.run(main())
    assert after.turn_latencies == pytest.approx((0.5,), abs=TOLERANCE)
    assert after.barge_ins is None or after.barge_ins == 0
    assert {name: stage.frames for name, stage in after.audio.items()} == {
        name: stage.frames for name, stage in before.audio.items()
    }


def test_what_came_before_the_hang_up_counts(line: Any) -> None:
    """Frames are noted, and taken a moment later: those before a call's end are not lost by it."""
    made = line(Engine2026("audiosocket"))

    async def main() -> aeq.CallSummary:
        await made.double.call()
        await made.run(1.0, ((0.5, 1.0),), ())
        made.clock.advance(FRAME)
        return (await made.double.hang_up()).summary

    assert asyncio.run(main()).audio["transport_in"].active == 25


@pytest.mark.parametrize("named", [False, True], ids=["by place", "named"])
def test_a_frame_within_the_engine_is_on_nobodys_track(line: Any, named: bool) -> None:
    """What the provider gives is no frame that the caller hears, however the stage is handed on."""
    made = line(Engine2026("audiosocket"))

    async def main() -> aeq.CallSummary:
        session = await made.double.call()
        measured = made.double.engine._update_audio_diagnostics
        sound = noise(2_000, 8_000), "slin16", 8_000
        for stage in ("provider_in", "provider_out"):
            if named:
                names = ("audio_bytes", "encoding", "sample_rate")
                measured(session, stage=stage, **dict(zip(names, sound, strict=True)))
            else:
                measured(session, stage, *sound)
        made.clock.advance(FRAME)
        return (await made.double.hang_up()).summary

    assert not asyncio.run(main()).audio


def spans(random: Random, until: float) -> tuple[tuple[float, float], ...]:
    """Return some stretches of speech."""
    edges = sorted(random.uniform(0.5, until) for _ in range(2 * random.randint(1, 4)))
    return tuple(zip(edges[::2], edges[1::2], strict=True))


async def anything(line: Line, random: Random) -> aeq.CallSummary:
    """Have a call in which everything happens at odd moments."""
    await line.double.call()
    line.double.stream()

    async def polled() -> None:
        line.double.poll()

    async def scraped() -> None:
        line.double.so_far()

    happens = [
        *[lambda: line.give(0.5), lambda: line.give(2.0), polled, scraped],
        lambda: line.double.said("AgentAudioDone"),
        lambda: line.double.said("ProviderDisconnected"),
    ]
    events = {random.uniform(0.2, 8.0): random.choice(happens) for _ in range(12)}
    await line.run(8.0, spans(random, 8.0), spans(random, 8.0), events)
    line.clock.advance(FRAME)
    return (await line.double.hang_up()).summary


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ENGINES, ids=lambda each: f"{each[0].__name__}-{each[1]}")
def test_a_call_is_the_same_however_many_notes_wait(
    monkeypatch: pytest.MonkeyPatch, clock: Any, kind: Any, seed: int
) -> None:
    """Taken one by one, or hundreds at once: what is seen of a call is the same."""
    make, transport = kind
    found, began = [], clock.now
    for most in (1, 256):
        monkeypatch.setattr(notes, "MOST_WAITING", most)
        monkeypatch.setattr(wraps, "MOST_WAITING", most)
        monkeypatch.setattr(engine_line, "RANDOM", np.random.default_rng(seed))
        clock.now = began
        monitor = aeq.QualityMonitor(
            registry=CollectorRegistry(), clock=clock, wall_clock=clock, log=False
        )
        engine = make(transport)
        if isinstance(engine, Engine2025):  # which learns of whom frames are by the first of them
            engine.ssrc_to_caller[SSRC] = CALL
        double = Double(engine, attach(engine, monitor))
        double.keep_time_by(clock)
        found.append(asyncio.run(anything(Line(double, clock), Random(seed))))  # noqa: S311
        double.attachment.detach()
        monitor.close()
    assert found[0] == found[1]
    assert found[0].audio["transport_in"].frames > 300


# What a provider with a pacer gives.


def encoded(seconds: float) -> str:
    """Return the agent's voice as OpenAI sends it: 24 kHz, 16 bits, base64."""
    return base64.b64encode(noise(2_500, 24_000, seconds)).decode()


@pytest.mark.parametrize("make", [Engine2025, Engine2026, Engine76])
def test_silence_of_a_pacer_is_not_taken_for_what_the_provider_gave(line: Any, make: Any) -> None:
    """A hole that the pacer fills with silence is heard as one, for given is read before it."""
    made = line(make("audiosocket"))
    provider = made.engine.paced(CALL)

    async def main() -> aeq.CallScore:
        await made.double.call()
        made.double.poll()
        times = np.arange(0.0, 5.0, FRAME)
        for at in times:
            if round(at, 2) in (1.0, 2.4):
                await provider._handle_output_audio(encoded(1.0))
            voiced = provider.waiting > 0
            await made.receive(loud=False)
            if 1.0 <= round(at, 2) < 3.4:
                await provider.pace(made.loud[8_000])
                sent = made.loud[8_000] if voiced else engine_sound.SILENCE
                manager = made.engine.streaming_playback_manager
                await manager._send_audio_chunk(CALL, "stream:0", sent, target_fmt="slin16")
            made.clock.advance(FRAME)
        return await made.double.hang_up()

    summary = asyncio.run(main()).summary
    assert summary.heard.given == pytest.approx(2.0, abs=0.01)
    assert summary.underflows * FRAME == pytest.approx(0.4, abs=TOLERANCE)


@pytest.mark.parametrize("make", [Engine2025, Engine2026])
@pytest.mark.parametrize("found", ["a pacer", "a loss"])
def test_what_is_found_amid_an_answer_holds_for_the_rest_of_it(
    line: Any, make: Any, found: str
) -> None:
    """More of an answer is but noted, until a poll finds a pacer, or the provider is lost."""
    made = line(make("audiosocket"))
    provider = made.engine.paced(CALL)
    provider._egress_pacer_enabled = False

    async def main() -> aeq.CallScore:
        await made.double.call()
        stream = made.double.stream()
        for _ in range(4):
            await made.give(0.5)
            await made.send()
            stream["frames_sent"] = stream.get("frames_sent", 0) + 25
            made.clock.advance(0.5)
        if found == "a pacer":
            provider._egress_pacer_enabled = True
            made.double.poll()
        else:
            await made.double.said("ProviderDisconnected", code=1011)
            made.clock.advance(0.1)
        await made.give(0.5)
        return await made.double.hang_up()

    score = asyncio.run(main())
    assert score.summary.heard.given == pytest.approx(2.0 if found == "a pacer" else 2.5)
    assert not score.summary.provider_lost


@pytest.mark.parametrize("make", [Engine2025, Engine2026])
def test_a_pacer_that_cannot_be_listened_to_leaves_unknown_what_was_given(
    line: Any, make: Any
) -> None:
    """Its silence would count as the provider's pauses, and hide every hole."""
    made = line(make("audiosocket"))
    provider = made.engine.paced(CALL)
    provider._handle_output_audio = None

    async def main() -> aeq.CallSummary:
        await made.double.call()
        await made.give(1.0)
        return made.double.so_far()

    assert asyncio.run(main()).heard is None


@pytest.mark.parametrize(
    ("attributes", "audio", "given"),
    [
        ({"_provider_output_format": "g711_ulaw"}, b"\x00" * 8_000, 1.0),
        ({"_provider_output_format": "g711"}, b"\x00" * 8_000, 1.0),
        ({"_provider_output_format": "g711_alaw"}, b"\x00" * 8_000, 1.0),
        ({"_active_output_sample_rate_hz": 16_000.0}, noise(900, 16_000, 1.0), 1.0),
        ({"_outfmt_acknowledged": False}, noise(900, 24_000, 1.0), 1.0),
        (
            {"_outfmt_acknowledged": False, "_inferred_provider_encoding": "ulaw"},
            b"\x00" * 8_000,
            1.0,
        ),
        ({"_provider_output_format": "opus"}, b"\x00" * 8_000, None),
        ({"_active_output_sample_rate_hz": 23_456.0}, noise(900, 24_000, 1.0), None),
    ],
)
def test_what_was_given_is_as_long_as_its_own_format_says(
    line: Any, attributes: dict[str, Any], audio: bytes, given: float | None
) -> None:
    """The provider's format before it converts anything; one that is unknown gives no number."""
    made = line(Engine2026("audiosocket"))
    provider = made.engine.paced(CALL)
    vars(provider).update(attributes)

    async def main() -> aeq.CallSummary:
        await made.double.call()
        made.double.poll()
        await made.send()
        await provider._handle_output_audio(base64.b64encode(audio).decode())
        return made.double.so_far()

    found = asyncio.run(main()).heard
    assert (found and found.given) == (given if given is None else pytest.approx(given))


def test_a_calls_provider_is_let_go_with_the_call(line: Any) -> None:
    """Each call of today's engine has a provider of its own, which nothing keeps alive."""
    made = line(Engine2026("audiosocket"))

    async def main() -> list[weakref.ref[Any]]:
        providers = []
        for call_id in ("first", "second"):
            provider = made.engine.paced(call_id)
            providers.append(weakref.ref(provider))
            await made.double.call(call_id)
            made.double.poll(call_id)
            await made.double.hang_up(call_id)
            assert "_handle_output_audio" not in vars(provider)
            made.engine._call_providers.clear()
        return providers

    providers = asyncio.run(main())
    gc.collect()
    assert [reference() for reference in providers] == [None, None]


def test_a_provider_that_serves_two_calls_is_listened_to_until_the_last_ends(line: Any) -> None:
    """In October 2025 one provider serves all calls."""
    made = line(Engine2025("audiosocket"))

    async def main() -> None:
        for call_id in ("first", "second"):
            provider = made.engine.paced(call_id)
            await made.double.call(call_id)
            made.double.poll(call_id)
        await made.double.hang_up("first")
        assert "_handle_output_audio" in vars(provider)
        await made.double.hang_up("second")
        assert "_handle_output_audio" not in vars(provider)

    asyncio.run(main())


def test_a_call_that_changes_to_a_provider_without_a_pacer_is_given_by_events(line: Any) -> None:
    """What the new provider's events hold is what it gave."""
    made = line(Engine2026("audiosocket"))
    made.engine.paced(CALL)

    async def main() -> aeq.CallSummary:
        await made.double.call()
        made.double.poll()
        made.engine._call_providers[CALL] = SimpleNamespace()
        await made.give(1.0)
        await made.send()
        return made.double.so_far()

    assert asyncio.run(main()).heard.given == pytest.approx(1.0)


# Fillers.


@pytest.mark.parametrize(
    ("make", "transport", "grace", "counted"),
    [
        (Engine2025, "audiosocket", 500, True),
        (Engine2025, "externalmedia", 500, True),
        (Engine2026, "audiosocket", 500, False),
        (Engine2026, "externalmedia", 500, False),
        (Engine2026, "audiosocket", 200, True),
        (Engine76, "websocket", 200, False),
    ],
)
def test_no_fillers_are_reported_only_where_they_are_counted(
    line: Any, make: Any, transport: str, grace: int, counted: bool
) -> None:
    """An engine that plays none, whatever is missing, has nothing to say about holes."""
    engine = make(transport)
    engine.streaming_playback_manager.provider_grace_ms = grace
    made = line(engine)

    async def main() -> aeq.CallSummary:
        await made.double.call()
        made.double.stream(frames_sent=100, underflow_events=0)
        await engine.streaming_playback_manager._cleanup_stream(CALL, "stream:0")
        return made.double.so_far()

    summary = asyncio.run(main())
    assert summary.frames_sent == 100
    assert summary.underflows == (0 if counted else None)


def test_an_engine_that_plays_no_fillers_and_is_not_heard_tells_nothing_of_holes(line: Any) -> None:
    """The report says so, rather than that all is well."""
    engine = Engine2026("audiosocket")
    engine._update_audio_diagnostics = None
    report = line(engine).double.attachment.report()["underflow"]
    assert not report.live
    assert report.why_not == "the engine plays no fillers where audio is missing"


# Odd values.


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"data": b"\x01" * 320, "encoding": "opus", "sample_rate": 8_000}, "unknown_encoding"),
        ({"data": b"\x01" * 320, "encoding": "ulaw", "sample_rate": 7}, "unknown_sample_rate"),
        ({"data": b"\x01" * 320, "encoding": 3, "sample_rate": 8_000}, "unknown_encoding"),
        ({"data": "text", "encoding": "ulaw", "sample_rate": 8_000}, "wrong_type"),
        ({"data": 10**12, "encoding": "ulaw", "sample_rate": 8_000}, "wrong_type"),
    ],
)
def test_given_audio_that_cannot_be_measured_is_counted(
    line: Any, dropped: Callable[[str], float], event: dict[str, Any], reason: str
) -> None:
    """Its length is unknown then, and not taken for 0."""
    made = line(Engine2026("audiosocket"))

    async def main() -> aeq.CallSummary:
        await made.double.call()
        await made.double.said("AgentAudio", **event)
        await made.send()
        return made.double.so_far()

    summary = asyncio.run(main())
    assert dropped(reason) == 1
    assert summary.heard.given is None


@pytest.mark.parametrize(
    ("event", "given"),
    [
        ({"data": b"\x01" * 1_600}, 0.2),
        ({"data": b"\x01" * 1_600, "encoding": None, "sample_rate": 0}, 0.2),
        ({"data": b"\x01" * 80, "encoding": "ulaw", "sample_rate": 8_000}, 0.01),
        ({"data": bytearray(b"\x01" * 320), "encoding": "slin", "sample_rate": 8_000}, 0.02),
    ],
)
def test_audio_without_a_format_is_the_telephones(
    line: Any, event: dict[str, Any], given: float
) -> None:
    """The local provider of October 2025 names none: it is u-law at 8 kHz."""
    made = line(Engine2025("audiosocket"))

    async def main() -> aeq.CallSummary:
        await made.double.call()
        await made.double.said("AgentAudio", **event)
        await made.send()
        return made.double.so_far()

    assert asyncio.run(main()).heard.given == pytest.approx(given)


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        ((b"\x01\x00" * 160, "slin16", 0), "unknown_sample_rate"),
        ((b"\x01\x00" * 160, None, None), "unknown_encoding"),
        ((b"\x01", "slin16", 8_000), "frame_odd_length"),
    ],
)
def test_a_frame_that_the_engine_could_not_measure_is_counted(
    line: Any, dropped: Callable[[str], float], sound: tuple[Any, ...], reason: str
) -> None:
    """The engine swallows it, and so do we."""
    made = line(Engine2026("audiosocket"))

    async def main() -> None:
        session = await made.double.call()
        made.engine._update_audio_diagnostics(session, "transport_in", *sound)
        made.double.so_far()

    asyncio.run(main())
    assert dropped(reason) == 1


def test_no_level_is_taken_of_a_frame_that_has_none(
    line: Any, dropped: Callable[[str], float]
) -> None:
    """Where the engine can't measure a frame, the one before stays: it isn't heard once more."""
    made = line(Engine2026("audiosocket"))

    async def main() -> aeq.CallSummary:
        session = await made.double.call()
        for audio in (b"\x00\x08" * 160, b"\x00", b"\x00\x08" * 160):
            made.engine._update_audio_diagnostics(session, "transport_in", audio, "slin16", 8_000)
        return made.double.so_far()

    assert asyncio.run(main()).audio["transport_in"].frames == 2
    assert dropped("frame_odd_length") == 1


def test_audio_that_is_too_long_for_a_frame_is_cut_into_frames(
    line: Any, dropped: Callable[[str], float]
) -> None:
    """Half a second at once is 25 frames, and nothing is dropped."""
    made = line(Engine2026("audiosocket"))

    async def main() -> aeq.CallSummary:
        session = await made.double.call()
        for seconds in (0.02, 0.5):
            audio = noise(2_000, 8_000, seconds)
            update = made.engine._update_audio_diagnostics
            update(session, "transport_out:greeting", audio, "slin16", 8_000)
        return made.double.so_far()

    stage = asyncio.run(main()).audio["transport_out:greeting"]
    assert (stage.frames, stage.active) == (26, 26)
    assert stage.rms == pytest.approx(2_000, rel=0.1)
    assert dropped("frame_oversized") == 0


def test_a_poll_that_comes_late_sets_no_wrap(line: Any) -> None:
    """The timer looks at a list of calls; one may have ended, or have been let go, since then."""
    made = line(Engine2026("audiosocket"))
    provider = made.engine.paced(CALL)

    async def main() -> None:
        await made.double.call()
        call = made.double.context.call(CALL)
        made.double.attachment.detach()
        made.double.observer.poll(call, 0.2)
        assert "_handle_output_audio" not in vars(provider)

    asyncio.run(main())


def test_an_empty_frame_is_no_time(line: Any) -> None:
    """Nothing was heard of it, neither voice nor silence."""
    made = line(Engine2026("audiosocket"))

    async def main() -> aeq.CallSummary:
        session = await made.double.call()
        made.engine._update_audio_diagnostics(session, "transport_in", b"", "slin16", 8_000)
        return made.double.so_far()

    assert asyncio.run(main()).turn_latencies in (None, ())


@pytest.mark.parametrize(
    ("audio", "rate", "reason"),
    [
        (b"", 16_000, "frame_empty"),
        (b"\x01", 16_000, "frame_odd_length"),
        (b"\x01\x00" * 160, 0, "unknown_sample_rate"),
        (b"\x01\x00" * 160, None, "unknown_sample_rate"),
        (None, 16_000, "wrong_type"),
    ],
)
def test_a_frame_that_is_none_is_counted(
    line: Any, dropped: Callable[[str], float], audio: Any, rate: Any, reason: str
) -> None:
    """What comes over RTP and WebSocket is checked as any raw frame is."""
    made = line(Engine76("websocket"))

    async def main() -> None:
        await made.double.call()
        await made.engine._on_transport_pcm(CALL, audio, rate, source="websocket")
        await made.engine._on_transport_pcm("nobody", audio, rate, source="websocket")
        made.double.so_far()

    asyncio.run(main())
    assert dropped(reason) == 1


# The table of the document.


def _stretch(line: Line, provider: Any) -> Callable[[], Any]:
    """Return what hands one second of the agent's audio over, by the kind of provider."""

    async def nothing() -> None:
        """Hand nothing over: a pipeline tells of no audio."""

    if provider == "full agent":
        return lambda: line.give(1.0)
    if provider == "pipeline":
        return nothing
    return lambda: provider._handle_output_audio(encoded(1.0))


async def _observed(line: Line, kind: str) -> aeq.CallSummary:
    """Drive a turn and a barge-in into its answer, and return what was observed of them."""
    provider = line.engine.paced(CALL) if kind == "full agent with pacer" else kind
    await line.double.call()
    line.double.stream(frames_sent=50, underflow_events=0)
    line.double.poll()
    caller = ((1.0, 2.0), (2.9, 4.0))
    await line.run(5.0, caller, ((2.5, 3.5),), {2.44: _stretch(line, provider)})
    await line.engine.streaming_playback_manager._cleanup_stream(CALL, "stream:0")
    return (await line.double.hang_up()).summary


def _said(summary: aeq.CallSummary, factor: str, value: object) -> str:
    if summary.is_heard(factor):
        return "heard"
    return "unknown" if value is None else "told"


GENERATIONS = {"October 2025": Engine2025, "August 2026": Engine2026, "7.6.2": Engine76}
TRANSPORTS = {"AudioSocket": "audiosocket", "RTP": "externalmedia", "WebSocket": "websocket"}
ROWS = [
    (cells[0], transport, *cells[2:])
    for cells in (
        [cell.strip() for cell in row.split("|")[1:-1]]
        for row in DOCUMENT.splitlines()
        if row.startswith(tuple(f"| {name} |" for name in GENERATIONS))
    )
    for transport in cells[1].split(", ")
]


def test_the_table_has_each_engine_by_each_of_its_transports() -> None:
    """Nobody looks for their engine in vain."""
    kinds = {"full agent", "full agent with pacer", "pipeline"}
    named = {(GENERATIONS[row[0]], TRANSPORTS[row[1]], row[2]) for row in ROWS}
    assert named >= {(*engine, kind) for engine in ENGINES for kind in kinds}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(row[:3]))
def test_the_table_says_what_comes_of_a_call(line: Any, row: tuple[str, ...]) -> None:
    """Heard, told or unknown: by a call for what may be heard, by the report for the rest."""
    generation, transport, kind, latency, underflow, barge_in, fallback, _codec, rms = row
    engine = GENERATIONS[generation](TRANSPORTS[transport])
    played_from_files = kind.endswith("files")
    if played_from_files:
        engine.config.downstream_mode = "file"
    made = line(engine)
    report = made.double.attachment.report()
    assert (report["fallback"].clock, report["rms"].clock) == (fallback, rms)
    assert report["latency"].clock == latency
    summary = asyncio.run(_observed(made, kind.split(",")[0]))
    assert summary.is_heard("latency") is (latency == "heard")
    assert summary.is_heard("barge_in") is (barge_in == "heard")
    assert _said(summary, "underflow", summary.underflows) == underflow
