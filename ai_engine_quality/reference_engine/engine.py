"""The reference engine: a stand-in for an AI voice engine that calls can be placed on."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from ai_engine_quality.reference_engine.caller import SimulatedCaller
from ai_engine_quality.reference_engine.chance import chance
from ai_engine_quality.reference_engine.engine_metrics import EngineMetrics
from ai_engine_quality.reference_engine.events import tell_all
from ai_engine_quality.reference_engine.matrix import DEFAULT_SEED, PlannedCall
from ai_engine_quality.reference_engine.profiles import HEALTHY, Profile
from ai_engine_quality.reference_engine.provider import Provider
from ai_engine_quality.reference_engine.quality_reports import QualityReports
from ai_engine_quality.reference_engine.server import MetricsServer
from ai_engine_quality.reference_engine.session import CallSession, EngineSettings
from ai_engine_quality.reference_engine.speech import SpeechLibrary, load_speech
from ai_engine_quality.reference_engine.tally import CallTally, TallyKeeper
from ai_engine_quality.reference_engine.transport import Loopback, TransportFactory

if TYPE_CHECKING:
    import ai_engine_quality as aeq

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 15_000


@dataclass(frozen=True)
class CallResult:
    """A call that has ended: what was planned, what happened, and its score."""

    plan: PlannedCall
    profile: str
    tally: CallTally
    score: aeq.CallScore | None

    @property
    def as_expected(self) -> bool:
        """Whether the score is over the expected one; true where nothing is expected."""
        if self.plan.expected_above is None:
            return True
        points = self.score.score if self.score is not None else None
        return points is not None and points > self.plan.expected_above


class ReferenceEngine:
    """Runs calls in the current loop and reports them to a `QualityMonitor`, as any engine would.

    The engine's own metrics go to `registry`, which `/metrics` serves; hand the same registry to
    the monitor. `profile` says how its providers do; `seed` makes calls reproducible. Times are the
    loop's: see `EngineLoop`.
    """

    def __init__(
        self,
        *,
        quality: aeq.QualityMonitor,
        registry: CollectorRegistry,
        profile: Profile = HEALTHY,
        seed: int = DEFAULT_SEED,
        settings: EngineSettings | None = None,
        speech: SpeechLibrary | None = None,
        host: str = DEFAULT_HOST,
        port: int = DEFAULT_PORT,
    ) -> None:
        self.profile = profile
        self.seed = seed
        self.speech = speech or load_speech()
        self._quality = quality
        self._settings = settings or EngineSettings()
        self._metrics = EngineMetrics(registry)
        self._server = MetricsServer(registry, self.health, lambda: self._running, host, port)
        self._sessions: dict[str, CallSession] = {}
        self._running = False
        self._idle = asyncio.Event()

    @property
    def url(self) -> str:
        """Where its HTTP side is, e.g. `http://127.0.0.1:15000`."""
        return self._server.url

    @property
    def port(self) -> int:
        """The port of its HTTP side; the one really taken, once started."""
        return self._server.port

    @property
    def active_calls(self) -> int:
        """Calls in progress."""
        return len(self._sessions)

    async def start(self) -> None:
        """Serve `/metrics` and take calls; raises `OSError` when the port is taken."""
        await self._server.start()
        self._running = True

    async def stop(self) -> None:
        """End the calls in progress, stop serving, take the metrics off the registry."""
        self._running = False
        for session in self._sessions.values():
            session.hang_up("engine_stopped")
        if self._sessions:
            await self._idle.wait()
        await self._server.stop()
        self._metrics.close()

    def health(self) -> dict[str, object]:
        """What `/health` says."""
        return {
            "status": "healthy" if self._running else "stopped",
            "engine": "reference",
            "active_calls": self.active_calls,
            "profile": self.profile.name,
            "speech": self.speech.source,
            "audio_transport": "loopback",
        }

    async def place(self, plan: PlannedCall, transport: TransportFactory = Loopback) -> CallResult:
        """Place a call and wait for its end."""
        if plan.call_id in self._sessions:
            raise ValueError(f"call {plan.call_id} is in progress already")
        tally, reports = TallyKeeper(), QualityReports(self._quality, plan)

        def speak(frame: bytes) -> None:
            session.hear(frame)

        caller = SimulatedCaller(
            plan.scenario,
            plan.duration,
            self.speech.caller,
            self._chance(plan, "caller"),
            speak,
        )
        session = CallSession(
            plan=plan,
            provider=self._provider(plan),
            transport=transport(caller.hear),
            observer=tell_all((reports, self._metrics.observe(plan), tally)),
            settings=self._settings,
            rng=self._chance(plan, "engine"),
        )
        await self._connect(plan.call_id, session, caller)
        return CallResult(plan, self.profile.name, tally.tally(), reports.score)

    async def _connect(self, call_id: str, session: CallSession, caller: SimulatedCaller) -> None:
        """Let both ends run until one of them ends the call."""
        self._sessions[call_id] = session
        self._idle.clear()
        talk = asyncio.create_task(_talk(caller, session))
        try:
            await session.run()
        finally:
            talk.cancel()
            await asyncio.wait({talk})
            del self._sessions[call_id]
            if not self._sessions:
                self._idle.set()

    def _provider(self, plan: PlannedCall) -> Provider:
        behaviour = self.profile.behaviour(plan, self._chance(plan, "behaviour"))
        return Provider(plan.provider, behaviour, self.speech.agent, self._chance(plan, "provider"))

    def _chance(self, plan: PlannedCall, part: str) -> random.Random:
        """Chance for one part of one call, so that none disturbs another."""
        return chance(self.seed, plan.call_id, part)


async def _talk(caller: SimulatedCaller, session: CallSession) -> None:
    try:
        await caller.talk()
    finally:
        session.hang_up()
