"""The reference engine: a stand-in for an AI voice engine that calls can be placed on."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from ai_engine_lab.basics.chance import chance
from ai_engine_lab.engine.call_server import CallerSide, CallServer
from ai_engine_lab.engine.caller import SimulatedCaller
from ai_engine_lab.engine.engine_metrics import NEWEST, EngineMetrics
from ai_engine_lab.engine.events import tell_all
from ai_engine_lab.engine.fault_routes import fault_routes
from ai_engine_lab.engine.faults import Conditions, FaultBoard
from ai_engine_lab.engine.inventory import Generation
from ai_engine_lab.engine.plans import DEFAULT_SEED, PlannedCall
from ai_engine_lab.engine.profiles import HEALTHY, Profile
from ai_engine_lab.engine.provider import Provider
from ai_engine_lab.engine.quality_reports import QualityReports
from ai_engine_lab.engine.server import MetricsServer
from ai_engine_lab.engine.session import CallSession
from ai_engine_lab.engine.settings import EngineSettings
from ai_engine_lab.engine.speech import SpeechLibrary, load_speech
from ai_engine_lab.engine.tally import CallTally, TallyKeeper
from ai_engine_lab.engine.transport import Loopback, Transport, TransportFactory

if TYPE_CHECKING:
    import ai_engine_quality as aeq

_log = logging.getLogger(__name__)

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
    the monitor. `profile` says how its providers do; `seed` makes calls reproducible; `generation`
    is the form of its metrics; with `hints` the monitor is told what audio the providers hand over,
    as by an adapter that sees it. Faults come and go on `faults`. Times are the loop's: see
    `EngineLoop`.
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
        generation: Generation = NEWEST,
        hints: bool = False,
    ) -> None:
        self.profile = profile
        self.seed = seed
        self.speech = speech or load_speech()
        self._quality = quality
        self._hints = hints
        self._settings = settings or EngineSettings()
        self.faults = FaultBoard(self._changed)
        self._metrics = EngineMetrics(registry, generation, self._settings)
        self._server = MetricsServer(
            registry,
            self.health,
            lambda: self._running,
            host,
            port,
            more_routes=fault_routes(self.faults),
        )
        self._answers = asyncio.Event()
        self._answers.set()
        self._switching: asyncio.Task[None] | None = None
        self._sessions: dict[str, CallSession] = {}
        self._call_server: CallServer | None = None
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
        self.faults.clear_all()
        if self._switching is not None:
            await self._switching
        self._running = False
        self._end_calls()
        if self._sessions:
            await self._idle.wait()
        if self._call_server is not None:
            await self._call_server.stop()
        await self._server.stop()
        self._metrics.close()

    def in_progress(self, call_id: str) -> bool:
        """Whether a call of this id is in progress."""
        return call_id in self._sessions

    async def take_calls_from(self, server: CallServer) -> None:
        """Start a server whose callers `answer` then has calls with, until `stop`.

        Call it when the loop runs at the speed of the callers: in virtual time nobody outside is
        fast enough.

        Raises:
            OSError: the server's port is taken.
            RuntimeError: another server takes calls already.
        """
        if self._call_server is not None:
            port = self._call_server.port
            raise RuntimeError(
                f"callers are listened for already, on {port}; stop the engine first"
            )
        await server.start()
        self._call_server = server

    async def answering(self) -> None:
        """Wait until the engine answers: at once, unless the fault `engine_stop` is on."""
        await self._answers.wait()

    def _end_calls(self) -> None:
        for session in self._sessions.values():
            session.hang_up("interrupted")

    def _changed(self, conditions: Conditions) -> None:
        """Faults came or went. What is not asked for frame by frame is done here."""
        if conditions.answering == self._answers.is_set():
            return
        if conditions.answering:
            self._answers.set()
        else:
            self._answers.clear()
            self._end_calls()
        if self._running:
            before, self._switching = self._switching, None
            self._switching = asyncio.create_task(self._switch_server(before))

    async def _switch_server(self, before: asyncio.Task[None] | None) -> None:
        """Serve, or stop serving, as the faults have it when the switch before is through."""
        if before is not None:
            await before
        servers = [server for server in (self._server, self._call_server) if server is not None]
        for server in servers:
            try:
                await (server.start() if self._answers.is_set() else server.stop())
            except OSError:
                _log.exception("the engine is back, but its port was taken meanwhile")

    def health(self) -> dict[str, object]:
        """What `/health` says."""
        return {
            "status": "healthy" if self._running else "stopped",
            "engine": "reference",
            "active_calls": self.active_calls,
            "profile": self.profile.name,
            "speech": self.speech.source,
            "audio_transport": "loopback",
            **self._call_server_health(),
        }

    def _call_server_health(self) -> dict[str, object]:
        """What `/health` says of the server that takes calls, once there is one."""
        server = self._call_server
        if server is None:
            return {}
        return {
            "audio_transport": server.audio_transport,
            server.audio_transport: {
                "port": server.port,
                "connections": server.connections,
                "endings": dict(server.endings),
            },
        }

    async def place(self, plan: PlannedCall, transport: TransportFactory = Loopback) -> CallResult:
        """Place a call of a simulated caller, and wait for its end."""
        line: CallSession | None = None

        def speak(frame: bytes) -> None:
            if line is not None:
                line.hear(frame)

        caller = SimulatedCaller(
            plan.scenario, plan.duration, self.speech.caller, self._chance(plan, "caller"), speak
        )

        async def talk(session: CallSession) -> None:
            nonlocal line
            line = session
            try:
                await caller.talk()
            finally:
                session.hang_up()

        return await self.answer(plan, transport(caller.hear), talk)

    async def answer(
        self, plan: PlannedCall, transport: Transport, caller: CallerSide
    ) -> CallResult:
        """Have a call with whoever is at the other end of `transport`, and wait for its end.

        `caller` runs beside the call's session: it lets the session hear the caller, and hangs up.
        """
        if plan.call_id in self._sessions:
            raise ValueError(f"call {plan.call_id} is in progress already")
        tally = TallyKeeper()
        reports = QualityReports(
            self._quality, plan, lambda: self._conditions().ends_told, hints=self._hints
        )
        session = CallSession(
            plan=plan,
            provider=self._provider(plan),
            transport=transport,
            observer=tell_all((reports, self._metrics.observe(plan), tally)),
            settings=self._settings,
            rng=self._chance(plan, "engine"),
            conditions=self._conditions,
        )
        await self._connect(plan.call_id, session, caller)
        return CallResult(plan, self.profile.name, tally.tally(), reports.score)

    async def _connect(self, call_id: str, session: CallSession, caller: CallerSide) -> None:
        """Let both ends run until one of them ends the call."""
        self._sessions[call_id] = session
        self._idle.clear()
        talk = asyncio.create_task(caller(session))
        try:
            await session.run()
        finally:
            talk.cancel()
            try:
                await asyncio.wait({talk})
            finally:  # also where this call is cancelled while it ends
                del self._sessions[call_id]
                if not self._sessions:
                    self._idle.set()

    def _provider(self, plan: PlannedCall) -> Provider:
        behaviour = self.profile.behaviour(plan, self._chance(plan, "behaviour"))
        rng = self._chance(plan, "provider")
        return Provider(plan.provider, behaviour, self.speech.agent, rng, self._conditions)

    def _conditions(self) -> Conditions:
        return self.faults.conditions

    def _chance(self, plan: PlannedCall, part: str) -> random.Random:
        """Chance for one part of one call, so that none disturbs another."""
        return chance(self.seed, plan.call_id, part)
