"""The whole engine with the library attached: start, a caller by AudioSocket, metrics, stop."""

from __future__ import annotations

import asyncio
import struct
from types import ModuleType
from typing import Any

import ai_engine_quality as aeq

UUID_MESSAGE, AUDIO_MESSAGE = 0x01, 0x10


def quiet_provider(real: ModuleType, engine: Any) -> Any:
    """Return a provider of the engine's own kind that connects to nothing."""

    class Quiet(real.AIProviderInterface, real.ProviderCapabilitiesMixin):
        supported_codecs = ("ulaw",)
        heard = 0

        async def start_session(self, call_id: str, *_args: Any, **_kwargs: Any) -> None:
            self.call_id = call_id

        async def send_audio(self, audio: bytes, *_args: Any, **_kwargs: Any) -> None:
            self.heard += len(audio)

        async def stop_session(self) -> None: ...

        def is_ready(self) -> bool:
            return True

    provider = Quiet(engine.on_provider_event)
    engine.providers["quiet"] = provider
    if real.TODAY:
        engine.provider_factories["quiet"] = lambda: provider
    return provider


class Telephone:
    """Asterisk's side of one call: it enters, connects by TCP, talks, hears and hangs up."""

    def __init__(self, line: Any, call_id: str, provider: str) -> None:
        self.line, self.call_id, self.provider = line, call_id, provider
        self.heard = bytearray()
        self.gone = False

    async def answer_ari(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Do what the engine asks of ARI."""
        if method == "POST" and path == "channels":
            return {"id": f"AudioSocket-{self.call_id}"}
        if (options.get("params") or {}).get("variable") == "AI_PROVIDER":
            return {"value": self.provider}
        return {}

    async def enter(self) -> None:
        """Enter Stasis, connect the AudioSocket, and let its channel enter too."""
        engine = self.line.engine
        engine.ari_client.send_command = self.answer_ari
        caller = {"id": self.call_id, "name": "PJSIP/100-1", "caller": {"number": "100"}}
        await engine._handle_stasis_start({"channel": caller})
        (uuid,) = (key for key, value in engine.uuidext_to_channel.items() if value == self.call_id)
        server = engine.audio_socket_server
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", server.port)
        self._send(UUID_MESSAGE, bytes.fromhex(uuid.replace("-", "")))
        self.listening = asyncio.ensure_future(self._listen())
        await asyncio.sleep(0.2)
        name = f"AudioSocket/127.0.0.1:{server.port}-{uuid}"
        channel = {"id": f"AudioSocket-{self.call_id}", "name": name}
        await engine._handle_stasis_start({"channel": channel})

    def _send(self, kind: int, payload: bytes) -> None:
        self.writer.write(struct.pack("!BH", kind, len(payload)) + payload)

    async def _listen(self) -> None:
        while True:
            try:
                kind, length = struct.unpack("!BH", await self.reader.readexactly(3))
                payload = await self.reader.readexactly(length)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            if kind == AUDIO_MESSAGE:
                self.heard += payload

    async def talk(self, pcm: bytes) -> None:
        """Speak, 20 ms at a time."""
        for start in range(0, len(pcm), 320):
            self._send(AUDIO_MESSAGE, pcm[start : start + 320])
            await asyncio.sleep(0.02)

    async def hang_up(self) -> None:
        """End the call: both of Asterisk's events, for each of its channels."""
        engine = self.line.engine
        for channel in (self.call_id, f"AudioSocket-{self.call_id}"):
            event = {"channel": {"id": channel, "name": "PJSIP/100-1"}}
            await asyncio.gather(
                engine._handle_stasis_end(event), engine._handle_channel_destroyed(event)
            )
        self.writer.close()
        await self.listening


async def until_stopped(*_args: Any, **_kwargs: Any) -> None:
    """Listen to an ARI that says nothing."""
    await asyncio.Event().wait()


def test_a_whole_call_by_audiosocket_is_observed_and_shown_on_the_engines_own_metrics(
    real: ModuleType, call_id: str
) -> None:
    """Started, called, answered and hung up as in production; two calls, one of which fails."""

    async def main() -> tuple[list[aeq.CallScore], bytes, list[str], bytes]:
        monitor = aeq.QualityMonitor(log=False)  # the registry that the engine itself shows
        line = real.Line(monitor)
        engine = line.engine
        engine.config.audiosocket.host, engine.config.audiosocket.port = "127.0.0.1", 0
        engine.ari_client.start_listening = until_stopped
        await engine.start()
        provider = quiet_provider(real, engine)
        caller = Telephone(line, call_id, "quiet")
        await caller.enter()
        for _ in range(2):
            await caller.talk(real.speech(1.0))
            if real.TODAY:
                await line.event(call_id, "transcript", text="Hello?")
            else:
                await engine.on_provider_event({"type": "UserStoppedSpeaking"})
            await asyncio.sleep(0.5)
            await line.answer(call_id, 1.5)
        await caller.hang_up()
        failing = Telephone(line, f"{call_id}0", "google_live" if real.TODAY else "deepgram")
        await failing.enter()
        await asyncio.sleep(0.5)
        await failing.hang_up()
        shown = (await engine._metrics_handler(None)).body
        await engine.stop()
        await asyncio.sleep(0.4)
        ours = [task.get_name() for task in asyncio.all_tasks() if "quality" in task.get_name()]
        line.attachment.detach()
        monitor.close()
        assert provider.heard
        return line.scores, shown, ours, bytes(caller.heard)

    scores, shown, ours, heard = asyncio.run(main())
    first, second = scores
    assert (first.call_id, second.call_id) == (call_id, f"{call_id}0")
    assert first.summary.provider == "quiet"
    assert len(first.summary.turn_latencies) == 2
    assert all(0.45 <= latency <= 0.7 for latency in first.summary.turn_latencies)
    assert first.summary.frames_sent >= 140
    assert len(heard) >= 140 * 320
    assert first.summary.audio["transport_in"].speech_seconds > 1.0
    assert second.summary.frames_sent is None
    if real.TODAY:
        assert (second.score, second.summary.failed, second.summary.outcome) == (0, True, "failed")
    for line_of_metrics in (
        'ai_agent_quality_hook_live{clock="heard",factor="latency"} 1.0',
        f'ai_agent_engine_info{{audio_transport="audiosocket",version="{_version(real)}"}} 1.0',
        "ai_agent_calls_active 0.0",
        "ai_agent_calls_active 0.0",
    ):
        assert line_of_metrics.encode() in shown
    assert ours == []


def _version(real: ModuleType) -> str:
    return "7.5.4" if real.TODAY else "fa29523e"
