"""For ``PIPECAT_SETUP_FILES``: Pipecat runs it for each pipeline's worker, so nothing is edited."""

from __future__ import annotations

from typing import Any

from ai_engine_quality.adapters.pipecat import observe_pipecat


async def setup_pipeline_worker(worker: Any) -> None:
    """Observe a worker; Pipecat logs what this raises, and goes on."""
    observe_pipecat(worker)
