"""The stand-ins for the providers, asked by a real WebSocket client as an engine does."""

from __future__ import annotations

import asyncio
import base64
import time

import aiohttp
import numpy as np
import pytest
from ai_engine_lab.real_calls import deepgram, openai_realtime, scenario, sound
from ai_engine_lab.real_calls.caller import Caller
from ai_engine_lab.real_calls.providers import ProviderServer
from ai_engine_lab.real_calls.recording import CallRecording
from ai_engine_lab.real_calls.scenario import Answer, Delivery, Scenario, Turn

FAST = Delivery(pace=8.0, chunk=0.1)
SERVICES = {
    "deepgram": (deepgram.PATH, deepgram.DeepgramSession),
    "openai_realtime": (openai_realtime.PATH, openai_realtime.OpenAISession),
}


@pytest.fixture(autouse=True)
def _no_prompts(monkeypatch, make_voice):
    """Let every prompt be made sound of a second: nothing here is about words."""
    monkeypatch.setattr(sound, "prompt", lambda name: make_voice(1.0, len(name)))
    sound.speech.cache_clear()
    yield
    sound.speech.cache_clear()


class Engine:
    """An engine's side of the connection."""

    def __init__(self, socket, caller, provider):
        self.socket = socket
        self.caller = caller
        self.provider = provider
        self.audio = b""

    async def until(self, *kinds):
        """Return the next message of these kinds; audio on the way is collected."""
        while True:
            message = await self.socket.receive(timeout=5)
            if message.type is aiohttp.WSMsgType.BINARY:
                self.audio += message.data
                continue
            if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
                return {"type": "closed"}
            event = message.json()
            if event["type"] == "response.output_audio.delta":
                self.audio += base64.b64decode(event["delta"])
            if event["type"] in kinds:
                return event

    async def settle(self):
        """Do what an engine does first."""
        if self.provider == "deepgram":
            await self.socket.send_json({"type": "Settings"})
            await self.until("SettingsApplied")
            return
        await self.until("session.created")
        await self.socket.send_json({"type": "session.update", "session": {}})
        await self.until("session.updated")
        await self.socket.send_json({"type": "response.create"})

    async def speak(self, piece):
        """Send the caller's audio in real time, as the service takes it."""
        for start in range(0, len(piece), sound.FRAME):
            frame = piece[start : start + sound.FRAME]
            if self.provider == "deepgram":
                await self.socket.send_bytes(sound.to_ulaw(frame))
            else:
                wide = sound.resampled(frame, 8_000, 24_000)
                audio = base64.b64encode(sound.to_pcm(wide)).decode()
                await self.socket.send_json({"type": "input_audio_buffer.append", "audio": audio})
            await asyncio.sleep(0.02)

    def heard(self):
        """Return the collected audio at 8 kHz."""
        if self.provider == "deepgram":
            return sound.from_ulaw(self.audio)
        return sound.resampled(sound.from_pcm(self.audio), 24_000, 8_000)


def converse(provider, made, work):
    """Run a coroutine function with an engine that is connected to a provider's stand-in."""

    async def run():
        path, session_class = SERVICES[provider]
        server = ProviderServer(path, session_class)
        await server.start()
        try:
            caller = Caller(made, CallRecording("1.1", "made", provider, "audiosocket", 0.0), 1)
            server.expect(caller)
            async with aiohttp.ClientSession() as session, session.ws_connect(server.url) as socket:
                assert await server.connected(5)
                await work(Engine(socket, caller, provider))
        finally:
            await server.stop()

    asyncio.run(run())


both = pytest.mark.parametrize("provider", scenario.PROVIDERS)
STARTED = ("UserStartedSpeaking", "input_audio_buffer.speech_started")
ENDED = ("ConversationText", "input_audio_buffer.speech_stopped")
COMPLETE = ("AgentAudioDone", "response.output_audio.done")


def made(*turns, greeting=None):
    """Return a scenario of these turns."""
    return Scenario("made", "made", turns, greeting=greeting)


@both
def test_the_greeting_is_given_as_planned(provider):
    """The engine gets the whole greeting, which is recorded as given and complete."""

    async def work(engine):
        await engine.settle()
        await engine.until(*COMPLETE)
        given = engine.caller.recording.answers[0]
        assert given.turn == -1
        assert given.complete_at is not None
        assert given.seconds == pytest.approx(1.0, abs=0.01)
        assert len(engine.heard()) == pytest.approx(sound.RATE, abs=10)
        planned = given.planned[:8_000].astype(float)
        assert np.corrcoef(engine.heard()[:8_000], planned)[0, 1] > 0.95

    converse(provider, made(greeting=Answer(("x",), after=0.0, delivery=FAST)), work)


@both
def test_a_turn_is_heard_by_its_level_and_answered_in_time(provider, make_voice):
    """The caller is heard to begin and to end, and the answer comes as long after as scripted."""
    answer = Answer(("x",), after=0.8, delivery=FAST)

    async def work(engine):
        await engine.settle()
        engine.caller.turn = 0
        await engine.speak(make_voice(0.6, 3))
        last_word = time.monotonic()
        talking = asyncio.create_task(engine.speak(sound.silence(1.5)))
        await engine.until(*STARTED)
        await engine.until(*ENDED)
        await engine.until(*COMPLETE)
        first = engine.caller.recording.answers[0].chunks[0].at
        assert 0.6 < first - last_word < 1.2
        await talking

    converse(provider, made(Turn(("q",), answer)), work)


def test_deepgram_reports_the_stages_of_a_turn(make_voice):
    """What is left of the turn's time, past its end, recogniser and voice, is the model's."""
    answer = Answer(("x",), after=2.0, delivery=FAST)

    async def work(engine):
        await engine.settle()
        engine.caller.turn = 0
        await engine.speak(np.concatenate([make_voice(0.4, 3), sound.silence(1.0)]))
        report = await engine.until("LatencyReport")
        assert (report["stt_latency"], report["tts_latency"]) == (0.1, 0.1)
        assert report["ttt_text_latency"] == pytest.approx(1.4)
        assert report["total_latency"] == 2.0

    converse("deepgram", made(Turn(("q",), answer)), work)


@both
def test_an_unanswered_turn_gets_nothing(provider, make_voice):
    """A turn that is scripted to go unanswered is heard, and no audio follows."""

    async def work(engine):
        await engine.settle()
        engine.caller.turn = 0
        await engine.speak(np.concatenate([make_voice(0.4, 3), sound.silence(1.0)]))
        await engine.until(*ENDED)
        assert engine.caller.recording.answers == []
        assert any("unanswered" in what for _, what in engine.caller.recording.events)

    converse(provider, made(Turn(("q",), None)), work)


@both
def test_an_interrupted_answer_is_withdrawn_and_told(provider, make_voice):
    """A caller who speaks over the answer stops it; what was not given stays so."""
    slow = Answer(("x", "y"), after=0.0, delivery=Delivery(pace=1.0, chunk=0.02))

    async def work(engine):
        await engine.settle()
        await asyncio.sleep(0.4)
        await engine.speak(make_voice(0.3, 3))
        await engine.until(*STARTED)
        given = engine.caller.recording.answers[0]
        assert given.withdrawn_at is not None
        assert 0.3 < given.seconds < 1.2

    converse(provider, made(greeting=slow), work)


@both
def test_a_connection_is_closed_where_it_is_scripted(provider):
    """The provider hangs up after so many seconds of audio, and the recording says so."""
    closing = Answer(("x", "y"), after=0.0, delivery=Delivery(pace=8.0, chunk=0.1, close_after=0.5))

    async def work(engine):
        await engine.settle()
        assert (await engine.until(*COMPLETE))["type"] == "closed"
        given = engine.caller.recording.answers[0]
        assert given.lost_at is not None
        assert given.seconds == pytest.approx(0.5, abs=0.11)

    converse(provider, made(greeting=closing), work)


@both
@pytest.mark.parametrize(("speed", "seconds"), [(0.5, 2.0), (2.0, 0.5)])
def test_a_wrong_rate_changes_how_long_it_sounds(provider, speed, seconds):
    """Audio of a wrong rate lasts longer, or shorter, by the format that was agreed."""
    wrong = Answer(("x",), after=0.0, delivery=Delivery(pace=8.0, chunk=0.1, speed=speed))

    async def work(engine):
        await engine.settle()
        await engine.until(*COMPLETE)
        assert engine.caller.recording.answers[0].seconds == pytest.approx(seconds, abs=0.02)

    converse(provider, made(greeting=wrong), work)


@pytest.mark.parametrize(("starved", "least"), [((), 0.0), (((0.2, 0.5),), 0.5)])
def test_a_starving_provider_gives_nothing_for_a_while(starved, least):
    """A scripted gap delays what follows it; a busy machine delays what is before it, too."""
    delivery = Delivery(pace=8.0, chunk=0.1, starved=starved)

    async def work(engine):
        began = time.monotonic()
        await engine.settle()
        await engine.until(*COMPLETE)
        assert engine.caller.recording.answers[0].chunks[-1].at - began >= least

    converse("deepgram", made(greeting=Answer(("x",), after=0.0, delivery=delivery)), work)


def test_nobody_is_let_in_whose_call_is_not_expected():
    """A connection that belongs to no call is refused."""

    async def run():
        server = ProviderServer(deepgram.PATH, deepgram.DeepgramSession)
        await server.start()
        try:
            async with aiohttp.ClientSession() as session:
                with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
                    await session.ws_connect(server.url)
        finally:
            await server.stop()

    asyncio.run(run())
