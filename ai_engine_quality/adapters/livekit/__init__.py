"""LiveKit Agents, observed from outside: the only place that knows its names. Not imported here."""

from ai_engine_quality.adapters.jobs import parent_socket
from ai_engine_quality.adapters.livekit.attachment import (
    ENGINE,
    LiveKitAttachment,
    attach,
    observe_livekit,
)
from ai_engine_quality.adapters.shared_monitor import collect_jobs

__all__ = ["ENGINE", "LiveKitAttachment", "attach", "observe_livekit", "prepare"]


def prepare() -> None:
    """Let the process that starts the jobs tell what they score; ``run`` asks for it at once."""
    if parent_socket() is None:
        collect_jobs()
