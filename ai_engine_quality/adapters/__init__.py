"""Engines that are observed without editing them."""

from ai_engine_quality.adapters.ava import Attachment, attach
from ai_engine_quality.adapters.jobs import JobCollector
from ai_engine_quality.adapters.livekit import LiveKitAttachment, observe_livekit
from ai_engine_quality.adapters.pipecat import PipecatAttachment, observe_pipecat
from ai_engine_quality.adapters.report import FactorReport
from ai_engine_quality.adapters.shared_monitor import collect_jobs
from ai_engine_quality.adapters.wraps import RemainingWrap

__all__ = [
    "Attachment",
    "FactorReport",
    "JobCollector",
    "LiveKitAttachment",
    "PipecatAttachment",
    "RemainingWrap",
    "attach",
    "collect_jobs",
    "observe_livekit",
    "observe_pipecat",
]
