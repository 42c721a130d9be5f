"""Calls over AudioSocket on TCP: real speech both ways, and a score like any other call's."""

import asyncio
import uuid

import pytest
from ai_engine_lab.audiosocket.client import AudioSocketClient, call_engine
from ai_engine_lab.audiosocket.connection import AudioSocketSettings, ConnectionEnding
from ai_engine_lab.audiosocket.protocol import Kind, Packet
from ai_engine_lab.audiosocket.server import take_calls
from ai_engine_lab.basics.audio_formats import rms
from ai_engine_lab.engine import VIRTUAL, EngineLoop, ReferenceEngine
from ai_engine_lab.engine.plans import BARGE_IN
from ai_engine_lab.engine.provider import OPENAI_REALTIME
from ai_engine_lab.engine.speech import ACTIVE_RMS
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq

HOST = "127.0.0.1"
CALL = uuid.UUID("40325ec2-5efd-4bd3-805f-53576e581d13")
OTHER = uuid.UUID("7f3b0d0e-6c35-4b4e-9d53-2f0e4d0a9a11")
SILENCE = bytes(320)


class Exchange:
    """An engine that listens for AudioSocket, with a real monitor; ``scores`` has what it said."""

    def __init__(self, loop, settings):
        self.registry = CollectorRegistry()
        self.scores = {}
        self.quality = aeq.QualityMonitor(
            registry=self.registry, clock=loop.time, wall_clock=loop.wall_time, log=False
        )
        self.quality.add_hook(lambda score: self.scores.update({score.call_id: score}))
        self.engine = ReferenceEngine(quality=self.quality, registry=self.registry, port=0)
        self.settings = settings

    def value(self, name):
        return self.registry.get_sample_value(f"ai_agent_audiosocket_{name}")

    def call(self, **options):
        return call_engine(HOST, self.server.port, **options)

    def connect(self, call_id=None, kind=Kind.SLIN8):
        return AudioSocketClient.connect(HOST, self.server.port, call_id, kind)

    async def quiet(self):
        """Wait until every connection has been seen to its end."""
        async with asyncio.timeout(60):
            while self.server.connections:  # noqa: ASYNC110 - the server has no event for this
                await asyncio.sleep(0.02)

    async def __aenter__(self):
        await self.engine.start()
        self.server = await take_calls(self.engine, self.settings)
        return self

    async def __aexit__(self, *_):
        await self.engine.stop()
        self.quality.close()


def run(main, speed=VIRTUAL, **settings):
    """Run ``main(exchange)`` beside an engine in the same loop; return the exchange."""
    # A busy machine makes a paced call last longer, and not worse.
    loop = EngineLoop(speed, epoch=1_761_532_800.0, longest_step=0.06)

    async def whole():
        async with Exchange(loop, AudioSocketSettings(**settings)) as exchange:
            exchange.result = await main(exchange)
            await exchange.quiet()
            exchange.counted = {
                name: exchange.value(name)
                for name in ("active_connections", "rx_bytes_total", "tx_bytes_total")
            }
            exchange.heard_bytes = exchange.registry.get_sample_value(
                "ai_agent_stream_rx_bytes_total"
            )
            return exchange

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(whole())


@pytest.mark.parametrize(("kind", "frame_bytes"), [(Kind.SLIN8, 320), (Kind.SLIN16, 640)])
@pytest.mark.parametrize("speed", [VIRTUAL, 12.0])
def test_a_call_over_tcp_is_scored_as_any_other(kind, frame_bytes, speed):
    """Speech goes both ways in the caller's kind of audio; turns, frames, levels are measured."""
    exchange = run(lambda exchange: exchange.call(call_id=CALL, kind=kind), speed)
    heard, score = exchange.result, exchange.scores[str(CALL)]
    assert heard.kinds == {kind}
    assert not heard.engine_hung_up
    assert heard.speech_frames > 100
    factors = {factor.name: factor for factor in score.factors}
    assert all(factors[name].observed for name in ("latency", "underflow", "rms"))
    summary = score.summary
    assert score.score is not None
    assert (summary.outcome, summary.failed) == ("caller_hangup", False)
    assert summary.turn_latencies
    if (
        speed == VIRTUAL
    ):  # at 12 times real time, frames that a busy machine delays are heard as holes
        assert heard.frames == summary.frames_sent + summary.underflows
    assert 2_000 < summary.audio["transport_in"].rms < 2_800
    assert 2_200 < summary.audio["transport_out"].rms < 3_000
    assert exchange.server.endings == {ConnectionEnding.CALLER: 1}
    assert exchange.counted["active_connections"] == 0
    assert exchange.counted["tx_bytes_total"] == heard.frames * frame_bytes
    assert exchange.counted["rx_bytes_total"] == exchange.heard_bytes * frame_bytes / 320 > 0


def test_in_virtual_time_a_call_over_tcp_is_a_very_good_one():
    """Nothing disturbs a healthy call: a score over 90, no filler, answers within a second."""
    summary = (score := run(lambda exchange: exchange.call(call_id=CALL)).scores[str(CALL)]).summary
    assert score.score > 90
    assert summary.underflows == 0
    assert len(summary.turn_latencies) >= 2
    assert max(summary.turn_latencies) < 1.0


def test_a_line_that_sends_no_silence_is_heard_as_silent(monkeypatch):
    """A channel that sends nothing while nobody speaks has its turns measured all the same.

    What is quiet of a word's end isn't sent either, and so counts as waiting.
    """
    say = AudioSocketClient.say

    def say_if_loud(client, frame):
        if rms(frame) >= ACTIVE_RMS:
            say(client, frame)

    monkeypatch.setattr(AudioSocketClient, "say", say_if_loud)
    summary = run(lambda exchange: exchange.call(call_id=CALL)).scores[str(CALL)].summary
    assert summary.is_heard("latency")
    assert max(summary.turn_latencies) < 1.2
    assert summary.audio["transport_in"].active > 20


def test_a_caller_interrupts_over_tcp():
    """Who talks over the agent stops it, and the reaction is measured."""
    exchange = run(
        lambda exchange: exchange.call(call_id=CALL, scenario=BARGE_IN),
        provider=OPENAI_REALTIME,
        scenario=BARGE_IN,
    )
    summary = exchange.scores[str(CALL)].summary
    assert summary.provider == "openai_realtime"
    assert summary.barge_ins >= 2
    assert max(summary.barge_in_reactions) < 0.6


def test_many_calls_at_once():
    """Twenty callers at a time each have a call and a score of their own."""

    async def main(exchange):
        heard = await asyncio.gather(*(exchange.call(duration=12.0) for _ in range(20)))
        assert exchange.engine.health()["audiosocket"]["port"] == exchange.server.port
        return heard

    exchange = run(main)
    assert len({call.call_id for call in exchange.result}) == 20
    assert set(exchange.scores) == {str(call.call_id) for call in exchange.result}
    assert all(call.speech_frames > 50 for call in exchange.result)


def test_the_call_id_may_be_another_than_the_uuid():
    """A mapping turns the UUID into the id that the rest of the system knows."""
    exchange = run(
        lambda exchange: exchange.call(call_id=CALL, duration=12.0),
        call_id=lambda number: f"pbx1-{number.int % 1_000}",
        pipeline="local_hybrid",
    )
    (score,) = exchange.scores.values()
    assert score.call_id == f"pbx1-{CALL.int % 1_000}"
    assert score.summary.pipeline == "local_hybrid"


def test_keys_are_noted(monkeypatch):
    """DTMF reaches the session, key by key, and disturbs nothing."""
    pressed = []
    monkeypatch.setattr(
        "ai_engine_lab.engine.session.CallSession.press",
        lambda _session, key: pressed.append(key),
    )

    async def main(exchange):
        async with await exchange.connect() as client:
            for key in "19*#":
                client.press(key)
                client.say(SILENCE)
            client.hang_up()
            await exchange.quiet()

    exchange = run(main)
    assert pressed == list("19*#")
    assert exchange.server.endings == {ConnectionEnding.CALLER: 1}


def test_a_closed_socket_is_a_hang_up():
    """Asterisk just closes when its channel is gone: that is the caller's hang-up, no failure."""

    async def main(exchange):
        client = await exchange.connect(CALL)
        client.say(SILENCE)
        await asyncio.sleep(1)
        assert exchange.value("active_connections") == 1
        await client.hear()
        await asyncio.sleep(8)  # the greeting is over, and all of it has been read
        while client._reader._buffer:
            await client.hear()
        await client.close()
        await exchange.quiet()

    exchange = run(main)
    summary = exchange.scores[str(CALL)].summary
    assert (summary.outcome, summary.failed) == ("caller_hangup", False)
    assert exchange.counted["active_connections"] == 0


@pytest.mark.parametrize("kind", [Kind.SLIN8, Kind.SLIN16])
def test_the_agent_can_hang_up(kind):
    """After the longest allowed time the engine says so, and the caller hears of it."""
    exchange = run(
        lambda exchange: exchange.call(call_id=CALL, kind=kind, duration=60.0),
        max_call_seconds=15.0,
    )
    assert exchange.result.engine_hung_up
    assert exchange.result.error is None
    assert exchange.result.seconds == pytest.approx(15.0, abs=0.2)
    assert exchange.result.kinds == {kind, Kind.HANG_UP}
    assert exchange.scores[str(CALL)].summary.outcome == "agent_hangup"
    assert exchange.server.endings == {ConnectionEnding.ENGINE: 1}


def test_a_stopping_engine_hangs_up():
    """`stop` ends the calls of the sockets as it does all others, and leaves no task."""

    async def main(exchange):
        call = asyncio.create_task(exchange.call(call_id=CALL, duration=60.0))
        await asyncio.sleep(10)
        await exchange.engine.stop()
        heard = await call
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return heard

    exchange = run(main)
    assert exchange.result.engine_hung_up
    assert exchange.scores[str(CALL)].summary.outcome == "interrupted"


def test_a_peers_error_fails_the_call():
    """An error of the telephone system's is no hang-up: the call has failed."""

    async def main(exchange):
        async with await exchange.connect(CALL) as client:
            client.send(Packet(Kind.ERROR, b"\x02"))
            await exchange.quiet()

    exchange = run(main)
    summary = exchange.scores[str(CALL)].summary
    assert (summary.outcome, summary.failed) == ("connection_lost", True)
    assert exchange.server.endings == {ConnectionEnding.PEER_ERROR: 1}


def test_a_port_in_use_is_said_so():
    """Listening on a taken port raises, and the engine goes on without."""

    async def main(exchange):
        with pytest.raises(RuntimeError, match="listened for already"):
            await take_calls(exchange.engine)
        other = ReferenceEngine(quality=exchange.quality, registry=CollectorRegistry(), port=0)
        with pytest.raises(OSError, match="in use"):
            await take_calls(other, AudioSocketSettings(port=exchange.server.port))
        await other.stop()

    run(main)
