"""Pipecat, observed from outside: the only place that knows its names. It is not imported here."""

from ai_engine_quality.adapters.pipecat.attachment import (
    ENGINE,
    PipecatAttachment,
    attach,
    observe_pipecat,
)

__all__ = ["ENGINE", "PipecatAttachment", "attach", "observe_pipecat"]
