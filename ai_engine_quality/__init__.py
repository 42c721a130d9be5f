"""A quality score from 0 to 100 for every call of a voice agent, in the engine's own process.

An import registers and starts nothing. It reads the default policy, a file of the package's::

    import ai_engine_quality as aeq

    quality = aeq.QualityMonitor()
    quality.call_started(call_id, provider="deepgram", pipeline="default")
    quality.turn_response(call_id, 0.82)
    score = quality.call_ended(call_id)
"""

from ai_engine_quality._version import __version__
from ai_engine_quality.adapters import (
    Attachment,
    FactorReport,
    JobCollector,
    LiveKitAttachment,
    PipecatAttachment,
    attach,
    collect_jobs,
    observe_livekit,
    observe_pipecat,
)
from ai_engine_quality.core.agent_sound import AgentSound
from ai_engine_quality.core.observations import DropReason
from ai_engine_quality.core.policy import DEFAULT_POLICY, Band, Policy, PolicyError
from ai_engine_quality.core.reading import SummaryError
from ai_engine_quality.core.result import CallScore, Ceiling, FactorScore, Standing
from ai_engine_quality.core.scoring import score
from ai_engine_quality.core.summary import (
    CallSummary,
    HeardCall,
    HeardSilence,
    LateClock,
    StageLevels,
    Stretch,
    TurnStage,
)
from ai_engine_quality.history.certainty import Certainty, how_certain
from ai_engine_quality.history.records import Unreadable, read_records
from ai_engine_quality.live.facts import CallCost, Retention, Sampling
from ai_engine_quality.live.handle import CallHandle
from ai_engine_quality.live.hooks import CallEndHook
from ai_engine_quality.monitor import QualityMonitor
from ai_engine_quality.settings import Settings, SettingsError, load_settings
from ai_engine_quality.sinks.records import RecordFile

__all__ = [
    "DEFAULT_POLICY",
    "AgentSound",
    "Attachment",
    "Band",
    "CallCost",
    "CallEndHook",
    "CallHandle",
    "CallScore",
    "CallSummary",
    "Ceiling",
    "Certainty",
    "DropReason",
    "FactorReport",
    "FactorScore",
    "HeardCall",
    "HeardSilence",
    "JobCollector",
    "LateClock",
    "LiveKitAttachment",
    "PipecatAttachment",
    "Policy",
    "PolicyError",
    "QualityMonitor",
    "RecordFile",
    "Retention",
    "Sampling",
    "Settings",
    "SettingsError",
    "StageLevels",
    "Standing",
    "Stretch",
    "SummaryError",
    "TurnStage",
    "Unreadable",
    "__version__",
    "attach",
    "collect_jobs",
    "how_certain",
    "load_settings",
    "observe_livekit",
    "observe_pipecat",
    "read_records",
    "score",
]
