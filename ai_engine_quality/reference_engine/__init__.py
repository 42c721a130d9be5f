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
        "the reference engine needs aiohttp: pip install 'ai_engine_quality[demo]'", name="aiohttp"
    ) from error

from ai_engine_quality.reference_engine.audio_formats import AudioFormat
from ai_engine_quality.reference_engine.engine import CallResult, ReferenceEngine
from ai_engine_quality.reference_engine.events import SegmentEnded
from ai_engine_quality.reference_engine.listening import BargeInSettings, TurnSettings
from ai_engine_quality.reference_engine.matrix import (
    DEFAULT_SEED,
    SCENARIOS,
    TEST_MATRIX,
    MatrixRow,
    PlannedCall,
    Scenario,
    call_ids,
    endless_calls,
    plan_calls,
)
from ai_engine_quality.reference_engine.playback import PlaybackSettings
from ai_engine_quality.reference_engine.profiles import HEALTHY, MEASURED, PROFILES, Profile
from ai_engine_quality.reference_engine.provider import (
    PROVIDERS,
    Behaviour,
    Delivery,
    ProviderModel,
)
from ai_engine_quality.reference_engine.runs import Progress, run_matrix, traffic
from ai_engine_quality.reference_engine.session import EngineSettings
from ai_engine_quality.reference_engine.speech import SpeechLibrary, load_speech, synthesise_speech
from ai_engine_quality.reference_engine.tally import CallTally
from ai_engine_quality.reference_engine.time_loop import REAL, VIRTUAL, EngineLoop
from ai_engine_quality.reference_engine.transport import Loopback, Transport, TransportError

__all__ = [
    "DEFAULT_SEED",
    "HEALTHY",
    "MEASURED",
    "PROFILES",
    "PROVIDERS",
    "REAL",
    "SCENARIOS",
    "TEST_MATRIX",
    "VIRTUAL",
    "AudioFormat",
    "BargeInSettings",
    "Behaviour",
    "CallResult",
    "CallTally",
    "Delivery",
    "EngineLoop",
    "EngineSettings",
    "Loopback",
    "MatrixRow",
    "PlannedCall",
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
    "plan_calls",
    "run_matrix",
    "synthesise_speech",
    "traffic",
]
