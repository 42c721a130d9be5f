"""Runs scenarios: one engine for each provider and transport, several calls at a time."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ai_engine_lab.real_calls import deepgram, openai_realtime, sound
from ai_engine_lab.real_calls.asterisk import Asterisk, Channel
from ai_engine_lab.real_calls.caller import CALLER_SPEED, Caller
from ai_engine_lab.real_calls.deepgram import DeepgramSession
from ai_engine_lab.real_calls.engine import (
    START_SECONDS,
    EngineError,
    EngineProcess,
    Places,
    configuration,
    free_ports,
)
from ai_engine_lab.real_calls.openai_realtime import OpenAISession
from ai_engine_lab.real_calls.providers import ProviderServer
from ai_engine_lab.real_calls.real_asterisk import RealAsterisk
from ai_engine_lab.real_calls.recording import CallRecording
from ai_engine_lab.real_calls.scenario import Provider, Scenario, Setting, Transport

AT_A_TIME: Final = 3
"""Calls at a time on one engine: what a machine of two cores carries with its loops on time."""

CONNECT_SECONDS: Final = 8.0
LONGEST_CALL: Final = 150.0
RECORD_SECONDS: Final = 2.0
"""How long the engine gets to clean a call up before it is told to end."""

RTP_PORTS: Final = 16

ATTEMPTS: Final = 3
"""Times that a call is placed, at most, if this machine is too busy for it."""

Progress = Callable[[Scenario, str], None]


@dataclass(slots=True)
class Run:
    """What one engine did."""

    provider: Provider
    transport: Transport
    setting: Setting = ""
    recordings: list[CallRecording] = field(default_factory=list)
    records: Path | None = None
    worst_loop_lag: float = 0.0
    """Seconds by which this process's own loop was late at worst."""
    cpu_seconds: float = 0.0
    """What the engine used from the first call's start to the last one's end."""
    waited: float = 0.0
    """Seconds for which the machine was too busy for the engine in that time."""
    unknown_requests: list[str] = field(default_factory=list)


class Rig:
    """An engine with the stand-ins around it."""

    def __init__(
        self,
        provider: Provider,
        transport: Transport,
        setting: Setting,
        *,
        process: EngineProcess,
        asterisk: Asterisk | RealAsterisk | None = None,
    ) -> None:
        self.process = process
        self.run = Run(provider, transport, setting, records=process.records)
        self.asterisk = asterisk or Asterisk()
        self._deepgram = ProviderServer(deepgram.PATH, DeepgramSession)
        self._openai = ProviderServer(openai_realtime.PATH, OpenAISession)
        self._entrance = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the stand-ins, then the engine, and wait until it takes calls.

        Raises:
            EngineError: it doesn't come up.
        """
        for server in (self.asterisk, self._deepgram, self._openai):
            await server.start()
        audiosocket, health, rtp = free_ports(3)
        rtp = min(rtp, 65_000)
        places = Places(
            ari=self.asterisk.port,
            deepgram_url=self._deepgram.url,
            openai_url=self._openai.url,
            audiosocket=audiosocket,
            health=health,
            rtp_first=rtp,
            rtp_last=rtp + RTP_PORTS - 1,
        )
        config = configuration(self.run.provider, self.run.transport, places, self.run.setting)
        await self.process.start(config, places)
        await self._until_ready()
        self._watch = asyncio.create_task(self._watch_loop())

    async def _until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.asterisk.ready.is_set():
            self.process.check()
            if time.monotonic() > deadline:
                raise EngineError(f"the engine never asked for events; see {self.process.log}")
            await asyncio.sleep(0.1)
        await asyncio.sleep(1.0)
        self.process.check()

    async def _watch_loop(self) -> None:
        while True:
            due = time.monotonic() + 0.02  # a frame
            await asyncio.sleep(due - time.monotonic())
            self.run.worst_loop_lag = max(self.run.worst_loop_lag, time.monotonic() - due)

    async def stop(self) -> None:
        """Let the engine clean up, then end everything."""
        await asyncio.sleep(RECORD_SECONDS)
        if self._watch is not None:
            self._watch.cancel()
        await self.process.stop()
        self.run.unknown_requests = self.asterisk.unknown
        for server in (self.asterisk, self._deepgram, self._openai):
            await server.stop()

    @property
    def _server(self) -> ProviderServer:
        return self._deepgram if self.run.provider == "deepgram" else self._openai

    async def call(self, scenario: Scenario, progress: Progress) -> CallRecording:
        """Place one call, and return what was recorded of it."""
        number = next(self._numbers)
        recording = CallRecording(
            f"{int(time.time())}.{number}",
            scenario.name,
            scenario.provider,
            scenario.transport,
            time.monotonic(),
        )
        caller = Caller(scenario, recording, seed=number)
        async with self._entrance:
            progress(scenario, "ringing")
            self._server.expect(caller)
            channel = await self.asterisk.place(caller)
            if not await self._server.connected(CONNECT_SECONDS):
                recording.note(time.monotonic(), "the engine never called the provider")
        progress(scenario, "talking")
        await self._talk(caller, channel)
        self.run.recordings.append(recording)
        progress(scenario, "done")
        return recording

    def disturbed(self, scenarios: Sequence[Scenario]) -> list[Scenario]:
        """Return the calls that this machine was too busy for; only the best attempt is kept."""
        best: dict[str, CallRecording] = {}
        for recording in self.run.recordings:
            known = best.setdefault(recording.scenario, recording)
            if recording.worst_send_lag < known.worst_send_lag:
                best[recording.scenario] = recording
        self.run.recordings = list(best.values())
        late = {name for name, one in best.items() if one.disturbed}
        return [scenario for scenario in scenarios if scenario.name in late]

    async def _talk(self, caller: Caller, channel: Channel) -> None:
        freezing = asyncio.create_task(self._freeze(caller))
        try:
            async with asyncio.timeout(LONGEST_CALL):
                await caller.converse()
        except TimeoutError:
            caller.recording.note(time.monotonic(), "the caller lost patience with the whole call")
        freezing.cancel()
        await self.asterisk.hang_up(channel, by="caller")

    async def _freeze(self, caller: Caller) -> None:
        fault, recording = caller.scenario.line, caller.recording
        if fault.freeze_at is None:
            return
        begun = recording.connected_at or time.monotonic()
        await asyncio.sleep(begun + fault.freeze_at - time.monotonic())
        recording.note(time.monotonic(), f"engine's process stopped for {fault.seconds:g} s")
        await self.process.freeze(fault.seconds)


def warm_up(scenario: Scenario) -> None:
    """Read every sound that a call needs, so that nobody waits for it while others talk."""
    for turn in scenario.turns:
        sound.speech(turn.prompts, scenario.caller_level, speed=CALLER_SPEED)
    for answer in (scenario.greeting, *(turn.answer for turn in scenario.turns)):
        if answer is not None:
            sound.speech(answer.prompts, answer.delivery.level)


async def run_scenarios(
    rig: Rig, scenarios: Sequence[Scenario], progress: Progress, attempts: int = ATTEMPTS
) -> Run:
    """Run scenarios on one engine: several at a time, and those that disturb others alone.

    A call in which this machine was too busy is placed again, since it says nothing of the engine.
    """
    for scenario in scenarios:
        warm_up(scenario)
    gc.collect()
    gc.disable()  # a collection over all recorded frames would hold every call up
    await rig.start()
    before, waited = rig.process.cpu_time(), rig.process.waited()
    try:
        slots = asyncio.Semaphore(AT_A_TIME)

        async def one(scenario: Scenario) -> None:
            async with slots:
                rig.process.check()
                await rig.call(scenario, progress)

        wanted = list(scenarios)
        for _ in range(attempts):
            await asyncio.gather(*(one(each) for each in wanted if not each.alone))
            for each in wanted:
                if each.alone:
                    await one(each)
            wanted = rig.disturbed(scenarios)
        rig.process.check()
        rig.run.waited = rig.process.waited() - waited
        rig.run.cpu_seconds = rig.process.cpu_time().total - before.total
    finally:
        gc.enable()
        await rig.stop()
    return rig.run
