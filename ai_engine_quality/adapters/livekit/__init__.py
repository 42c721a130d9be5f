"""LiveKit Agents, observed from outside: the only place that knows its names. Not imported here."""

from ai_engine_quality.adapters.livekit.attachment import (
    ENGINE,
    LiveKitAttachment,
    attach,
    observe_livekit,
)

__all__ = ["ENGINE", "LiveKitAttachment", "attach", "observe_livekit"]
