"""The AVA engine, observed from outside: the only place that knows its private names."""

from ai_engine_quality.adapters.ava.attachment import Attachment, attach
from ai_engine_quality.adapters.ava.engine_facts import ENGINE

__all__ = ["ENGINE", "Attachment", "attach"]
