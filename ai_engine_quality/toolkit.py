"""What tools beside the library build on: the lab, the dashboards, the handbook. Public.

Nothing here is needed to score calls; an engine uses ``ai_engine_quality`` itself.
"""

from ai_engine_quality import palette
from ai_engine_quality.core import reading
from ai_engine_quality.core.arithmetic import Knees, Steps
from ai_engine_quality.core.ceilings import ANSWERED_IN_NOISE
from ai_engine_quality.core.distribution import Distribution
from ai_engine_quality.core.durations import parse_duration, prometheus_seconds
from ai_engine_quality.core.ear import Ear, Heard
from ai_engine_quality.core.heard_track import HeardTrack, heard_track
from ai_engine_quality.core.observations import ACTIVE_RMS, CALLER_STAGES
from ai_engine_quality.core.observations import name as normalised_name
from ai_engine_quality.core.policy import FACTORS, versions
from ai_engine_quality.core.sound_ceilings import SOUND_RULES
from ai_engine_quality.core.wording import floor_percent, percent, plural, printable, seconds
from ai_engine_quality.doctor.prometheus_api import Prometheus, Unreachable
from ai_engine_quality.live.encodings import decode
from ai_engine_quality.live.fixes import FIXES

__all__ = [
    "ACTIVE_RMS",
    "ANSWERED_IN_NOISE",
    "CALLER_STAGES",
    "FACTORS",
    "FIXES",
    "SOUND_RULES",
    "Distribution",
    "Ear",
    "Heard",
    "HeardTrack",
    "Knees",
    "Prometheus",
    "Steps",
    "Unreachable",
    "decode",
    "floor_percent",
    "heard_track",
    "normalised_name",
    "palette",
    "parse_duration",
    "percent",
    "plural",
    "printable",
    "prometheus_seconds",
    "reading",
    "seconds",
    "versions",
]
