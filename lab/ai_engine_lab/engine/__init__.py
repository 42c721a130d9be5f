"""A stand-in for an AI voice engine, to see the quality library at work and to test against.

It serves `/metrics`, `/health`, `/ready` and `/live`, and runs calls with real speech in real,
faster or virtual time. What happens in a call follows from a mechanism (bursts, a jitter buffer, a
pacer, energy detectors), not from drawn scores, and it uses the library through its public API
only, as any engine would::

    loop = EngineLoop(VIRTUAL)
    registry = CollectorRegistry()
    quality = aeq.QualityMonitor(registry=registry, clock=loop.time, wall_clock=loop.wall_time)

    async def main() -> list[CallResult]:
        engine = ReferenceEngine(quality=quality, registry=registry)
        await engine.start()
        results = await run_matrix(engine, plan_calls())
        await engine.stop()
        return results

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        results = runner.run(main())
"""

try:
    import aiohttp  # noqa: F401
except ImportError as error:
    raise ImportError(
        "the reference engine needs aiohttp; from a checkout: pip install . ./lab", name="aiohttp"
    ) from error

from ai_engine_lab.basics.audio_formats import AudioFormat
from ai_engine_lab.engine.detection import BargeInSettings, TurnSettings
from ai_engine_lab.engine.events import SegmentEnded
from ai_engine_lab.engine.faults import (
    FAULTS,
    FAULTS_OF_A_CALL,
    Conditions,
    Fault,
    FaultBoard,
    FaultError,
    PlannedFault,
)
from ai_engine_lab.engine.inventory import GENERATIONS, Generation
from ai_engine_lab.engine.load import Load, parse_speed
from ai_engine_lab.engine.plans import (
    DEFAULT_SEED,
    SCENARIOS,
    TEST_MATRIX,
    TRAFFIC_MIX,
    MatrixRow,
    PlannedCall,
    Scenario,
    call_ids,
    endless_calls,
    plan_calls,
)
from ai_engine_lab.engine.playback import PlaybackSettings
from ai_engine_lab.engine.profiles import HEALTHY, MEASURED, PROFILES, Profile
from ai_engine_lab.engine.provider import PROVIDERS, Behaviour, Delivery, ProviderModel
from ai_engine_lab.engine.reference import CallResult, ReferenceEngine
from ai_engine_lab.engine.runs import Progress, offer, run_matrix, traffic
from ai_engine_lab.engine.settings import EngineSettings
from ai_engine_lab.engine.speech import SpeechLibrary, load_speech, synthesise_speech
from ai_engine_lab.engine.tally import CallTally
from ai_engine_lab.engine.time_loop import REAL, VIRTUAL, EngineLoop
from ai_engine_lab.engine.transport import Loopback, Transport, TransportError
from ai_engine_quality.toolkit import parse_duration

__all__ = [
    "DEFAULT_SEED",
    "FAULTS",
    "FAULTS_OF_A_CALL",
    "GENERATIONS",
    "HEALTHY",
    "MEASURED",
    "PROFILES",
    "PROVIDERS",
    "REAL",
    "SCENARIOS",
    "TEST_MATRIX",
    "TRAFFIC_MIX",
    "VIRTUAL",
    "AudioFormat",
    "BargeInSettings",
    "Behaviour",
    "CallResult",
    "CallTally",
    "Conditions",
    "Delivery",
    "EngineLoop",
    "EngineSettings",
    "Fault",
    "FaultBoard",
    "FaultError",
    "Generation",
    "Load",
    "Loopback",
    "MatrixRow",
    "PlannedCall",
    "PlannedFault",
    "PlaybackSettings",
    "Profile",
    "Progress",
    "ProviderModel",
    "ReferenceEngine",
    "Scenario",
    "SegmentEnded",
    "SpeechLibrary",
    "Transport",
    "TransportError",
    "TurnSettings",
    "call_ids",
    "endless_calls",
    "load_speech",
    "offer",
    "parse_duration",
    "parse_speed",
    "plan_calls",
    "run_matrix",
    "synthesise_speech",
    "traffic",
]
