"""A line to the real engine: a call, the provider's audio, and Asterisk's end of the transport."""

from __future__ import annotations

import asyncio
import audioop
import logging
import math
import random
import struct
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import structlog
import yaml

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

import src.config as engine_config  # noqa: E402

if not hasattr(engine_config, "logger"):
    # The engine of October 2025 can't load the configuration it ships: this name is missing.
    engine_config.logger = structlog.get_logger()

from src import engine as engine_module  # noqa: E402
from src.core.models import CallSession  # noqa: E402
from src.pipelines.base import LLMComponent, STTComponent, TTSComponent  # noqa: E402
from src.providers.base import (  # noqa: E402, F401  # for tests that need a provider
    AIProviderInterface,
    ProviderCapabilitiesMixin,
)

import ai_engine_quality as aeq  # noqa: E402
from ai_engine_quality.adapters import Attachment, attach  # noqa: E402

TODAY = "turn_latencies_ms" in CallSession.__dataclass_fields__
"""Whether this is today's engine, and not the one of October 2025."""

ULAW = ("mulaw", 8000)

ANSWER = "From nine to five."


def speech(seconds: float, *, rms: float = 2_000.0, rate: int = 8_000) -> bytes:
    """Return 16-bit audio of a given level, as irregular as a voice: pitch, syllables, breath."""
    breath = random.Random(1)  # noqa: S311  # no secret: the same voice each time
    values, phase = [], 0.0
    for n in range(round(seconds * rate)):
        phase += 2 * math.pi * (140 + 25 * math.sin(2 * math.pi * 2.3 * n / rate)) / rate
        voice = sum(math.sin(k * phase) / k for k in range(1, 9))
        syllable = 1.0 + 0.6 * math.sin(2 * math.pi * 4 * n / rate)
        values.append(rms * syllable * (1.03 * voice + breath.gauss(0, 0.1)))
    return struct.pack(f"<{len(values)}h", *(max(-32_000, min(32_000, int(v))) for v in values))


def ulaw(seconds: float, **options: Any) -> bytes:
    """Return the same as mu-law."""
    return audioop.lin2ulaw(speech(seconds, **options), 2)


class Asterisk:
    """What the engine sees of the telephone side."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.sent_to: Counter[str] = Counter()
        """How many frames, by connection."""
        self.transport_works = True
        self.hung_up: list[str] = []
        self.commands: list[tuple[Any, ...]] = []

    async def send_audio(self, to: str, frame: bytes, **_form: Any) -> bool:
        """Take a frame of the agent's."""
        if self.transport_works:
            self.sent.append(frame)
            self.sent_to[to] += 1
        return self.transport_works

    def has_remote_endpoint(self, _call_id: str) -> bool:
        """Say that RTP flows."""
        return True

    async def disconnect(self, _connection: str) -> None:
        """Close an AudioSocket connection."""

    async def cleanup_session(self, _call_id: str) -> None:
        """Close an RTP session."""

    def take_over(self, ari: Any) -> None:
        """Answer whatever the engine asks by ARI."""

        async def answer(*_args: Any, **_kwargs: Any) -> dict[str, Any]:
            return {"id": "channel-1"}

        async def send_command(
            method: str,
            resource: str,
            data: dict[str, Any] | None = None,
            params: dict[str, Any] | None = None,
            **_more: Any,
        ) -> dict[str, Any]:
            self.commands.append((method, resource, params))
            return {"id": (data or {}).get("playbackId", "playback-1")}

        async def hang_up(channel: str, *_args: Any, **_kwargs: Any) -> bool:
            self.hung_up.append(channel)
            return True

        async def nothing(*_args: Any, **_kwargs: Any) -> dict[str, Any]:
            return {}

        async def yes(*_args: Any, **_kwargs: Any) -> bool:
            return True

        async def bridge(*_args: Any, **_kwargs: Any) -> str:
            return "bridge-1"

        for name, double in {
            "connect": nothing,
            "disconnect": nothing,
            "send_command": send_command,
            "hangup_channel": hang_up,
            "destroy_bridge": yes,
            "answer_channel": yes,
            "create_bridge": bridge,
            "add_channel_to_bridge": yes,
            "stop_playback": yes,
            "set_channel_var": yes,
            "originate_channel": answer,
        }.items():
            if hasattr(ari, name):
                setattr(ari, name, double)


def _golden_provider(name: str) -> dict[str, Any] | None:
    """Return a provider from the examples that the engine ships beside its configuration."""
    folder = Path(engine_config.__file__).parents[1] / "config"
    if not (folder / "ai-agent.yaml").is_file():
        folder = folder.parents[1] / "config"
    for example in sorted(folder.glob("ai-agent.golden-*.yaml")):
        found = (yaml.safe_load(example.read_text()).get("providers") or {}).get(name)
        if found is not None:
            return found
    return None


class Line:
    """A real engine with the library attached, and one call on it."""

    def __init__(
        self,
        monitor: aeq.QualityMonitor | None,
        *,
        transport: str = "audiosocket",
        providers: tuple[str, ...] = (),
    ) -> None:
        loaded = engine_config.load_config()
        loaded.audio_transport = transport
        for name in providers:
            block = loaded.providers.get(name) or _golden_provider(name)
            if block is not None:
                loaded.providers[name] = {**block, "enabled": True}
        self.engine = engine_module.Engine(loaded)
        self.engine.playback_manager.media_dir = tempfile.gettempdir()
        self.monitor = monitor
        self.asterisk = Asterisk()
        self.asterisk.take_over(self.engine.ari_client)
        self.attachment: Attachment | None = attach(self.engine, monitor) if monitor else None
        self.scores: list[aeq.CallScore] = []
        if monitor:
            monitor.add_hook(self.scores.append)
        manager = self.engine.streaming_playback_manager
        manager.audiosocket_server = manager.rtp_server = self.asterisk
        self.history: list[str] = []
        """What happened, frame by frame: ``audio``, ``done``, ``own``, ``filler``."""

    def watch_every_frame(self) -> None:
        """Keep the history, by a wrap of the frame path that the library does without."""
        manager = self.engine.streaming_playback_manager
        emit = manager._emit_frame

        async def watched(*args: Any, filler: bool) -> str:
            status = await emit(*args, filler=filler)
            if status == "sent":
                self.history.append("filler" if filler else "own")
            return status

        manager._emit_frame = watched

    def fillers_within_answers(self) -> int:
        """Return the fillers that came after an answer's first frame and before its end."""
        fillers, speaking, heard = 0, False, False
        for happened in self.history:
            if happened == "audio" and not speaking:
                speaking, heard = True, False
            elif happened == "own":
                heard = speaking
            elif happened == "done":
                speaking = heard = False
            elif happened == "filler":
                fillers += heard
        return fillers

    async def call(
        self, call_id: str = "1761532874.2245", provider: str | None = None, **session: Any
    ) -> CallSession:
        """Begin a call as the engine does."""
        engine = self.engine
        if not engine.providers:
            await engine._load_providers()
        new = CallSession(call_id=call_id, caller_channel_id=call_id, **session)
        new.provider_name = engine.config.default_provider
        new.bridge_id = "bridge-1"
        new.audiosocket_conn_id = f"connection-{call_id}"
        await engine._save_session(new, new=True)
        new.provider_name = provider or ("google_live" if TODAY else "deepgram")
        await engine._resolve_audio_profile(new, call_id)
        new.provider_name = provider or ("google_live" if TODAY else "deepgram")
        new.conversation_state = "listening"
        new.media_rx_confirmed = True
        return new

    def provider(self, name: str, call_id: str) -> Any:
        """Return a provider of the engine's for one call, as it makes them."""
        engine = self.engine
        if not TODAY:
            return engine.providers[name]  # one for all calls
        provider = engine._call_providers[call_id] = engine.provider_factories[name]()
        if hasattr(provider, "set_session_store"):
            provider.set_session_store(engine.session_store)
        else:
            provider._session_store = engine.session_store
        return provider

    async def pipeline(self, session: CallSession, *, think: float) -> None:
        """Run the engine's own pipeline runner on adapters that hear, think and speak at once."""
        engine = self.engine
        session.pipeline_name = "stub"
        orchestrator = engine.pipeline_orchestrator
        orchestrator._started = True
        if hasattr(orchestrator, "_enabled"):
            orchestrator._enabled = True
        orchestrator.get_pipeline = lambda *_args, **_kwargs: _Pipeline(think)
        await engine._ensure_pipeline_runner(session, forced=True)
        for _ in range(20):
            await engine._pipeline_queues[session.call_id].put(speech(0.02, rate=16_000))
            await asyncio.sleep(0.01)

    async def hears(self, session: CallSession, pcm: bytes) -> None:
        """Let the engine hear a frame of the caller's by RTP, whose detector works everywhere."""
        engine = self.engine
        if TODAY:
            await engine._on_rtp_audio(session.call_id, 77, pcm)
        else:
            engine.ssrc_to_caller[77] = session.call_id
            await engine._on_rtp_audio(77, pcm)

    async def event(self, call_id: str, kind: str, **fields: Any) -> None:
        """Let the provider tell the engine something."""
        said = {"AgentAudio": "audio", "AgentAudioDone": "done"}.get(kind)
        self.history += [said] if said else []
        await self.engine.on_provider_event({"type": kind, "call_id": call_id, **fields})

    async def caller_says(self, call_id: str, words: str = "What are your hours?") -> None:
        """Let the provider understand the caller, as the providers of this engine tell it."""
        if TODAY:
            await self.event(call_id, "transcript", text=words)
        else:
            provider = self.engine.providers["deepgram"]
            provider.call_id = call_id  # its own events name no call
            await self.engine.on_provider_event(
                {"type": "ConversationText", "role": "user", "content": words}
            )

    async def audio(
        self,
        call_id: str,
        audio: bytes,
        *,
        form: tuple[str, int] = ULAW,
        chunk: float = 0.1,
        pace: float = 0.5,
    ) -> None:
        """Deliver audio in chunks of so many seconds, at a pace of so much of real time."""
        encoding, rate = form
        size = round(chunk * rate) * (1 if encoding == "mulaw" else 2)
        for start in range(0, len(audio), size):
            await self.event(
                call_id,
                "AgentAudio",
                data=audio[start : start + size],
                encoding=encoding,
                sample_rate=rate,
            )
            await asyncio.sleep(chunk * pace)

    async def answer(self, call_id: str, seconds: float, **how: Any) -> None:
        """Let the agent say something, and wait until it has been played."""
        await self.audio(call_id, ulaw(seconds), **how)
        await self.event(call_id, "AgentAudioDone", streaming_done=True)
        await self.played(call_id)

    async def played(self, call_id: str) -> None:
        """Wait until nothing is left to play."""
        manager = self.engine.streaming_playback_manager
        until = time.monotonic() + 30
        while time.monotonic() < until:
            queue = manager.jitter_buffers.get(call_id)
            if (queue is None or queue.empty()) and not manager.frame_remainders.get(call_id):
                return
            await asyncio.sleep(0.02)
        raise TimeoutError("the engine doesn't play what it was given")

    async def hang_up(self, call_id: str) -> aeq.CallScore:
        """End the call as both of Asterisk's events do."""
        await self.engine._cleanup_call(call_id)
        await self.engine._cleanup_call(call_id)
        return self.scores[-1]


def stream(line: Line, call_id: str) -> dict[str, Any]:
    """Return the engine's own record of a call's stream."""
    return line.engine.streaming_playback_manager.active_streams[call_id]


class _Hearing(STTComponent):
    """Understands one question, once."""

    def __init__(self) -> None:
        self._heard = False

    async def transcribe(self, *_args: Any, **_kwargs: Any) -> str:
        heard, self._heard = self._heard, True
        return "" if heard else "what are your opening hours on a sunday"


class _Thought(LLMComponent):
    """Thinks for a while."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def generate(self, *_args: Any, **_kwargs: Any) -> str:
        await asyncio.sleep(self._seconds)
        return ANSWER


class _Voice(TTSComponent):
    """Speaks the answer, and no greeting."""

    async def synthesize(
        self, _call_id: str, text: str, *_args: Any, **_kwargs: Any
    ) -> AsyncIterator[bytes]:
        if text.strip() == ANSWER:
            yield ulaw(1.0)


class _Pipeline:
    """What the engine's orchestrator resolves a pipeline to."""

    pipeline_name = "stub"
    stt_key = llm_key = tts_key = "stub"
    primary_provider = None
    prepared = True

    def __init__(self, think: float) -> None:
        self.stt_adapter, self.llm_adapter = _Hearing(), _Thought(think)
        self.tts_adapter = _Voice()
        self.stt_options: dict[str, Any] = {}
        self.llm_options: dict[str, Any] = {"aggregation_timeout_sec": 0.1}
        self.tts_options: dict[str, Any] = {}

    def component_summary(self) -> dict[str, str]:
        return dict.fromkeys(("stt", "llm", "tts"), "stub")

    def options_summary(self) -> dict[str, Any]:
        return {}
