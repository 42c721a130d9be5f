"""A pytest plugin that runs the engine's own tests with the library attached to whatever they make.

In a checkout of the engine, with this folder on the path::

    export PYTHONPATH=.:<this folder> AI_ENGINE_QUALITY_PER_CALL_SERIES=false
    python -m pytest -p attach_everywhere

It attaches to each engine after its construction, and to each part that a test makes alone.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY
from src import engine as engine_module
from src.core.conversation_coordinator import ConversationCoordinator
from src.core.session_store import SessionStore
from src.core.streaming_playback_manager import StreamingPlaybackManager

from ai_engine_quality.adapters import Attachment, attach

COUNTED = (
    "ai_agent_calls_ended_total",
    "ai_agent_quality_dropped_total",
    "ai_agent_calls_active",
    "ai_agent_calls_unscored_total",
    "ai_agent_calls_scored_total",
)

attachments: list[Attachment] = []
_making_an_engine = 0


def _attach_after(cls: type, found: Any) -> None:
    """Attach to what ``found`` makes of each new object of a class."""
    construct = cls.__init__

    @functools.wraps(construct)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        global _making_an_engine  # noqa: PLW0603  # an engine makes its parts itself
        _making_an_engine += cls is engine_module.Engine
        try:
            construct(self, *args, **kwargs)
        finally:
            _making_an_engine -= cls is engine_module.Engine
        if not _making_an_engine:
            attachments.append(attach(found(self)))
            _begin_with_the_session(attachments[-1])

    cls.__init__ = made


def _begin_with_the_session(attachment: Attachment) -> None:
    """Begin calls where their session is stored: few of the tests register a call as engines do."""
    store = getattr(attachment.engine, "session_store", None)
    if not isinstance(store, SessionStore):
        return
    upsert = store.upsert_call

    @functools.wraps(upsert)
    async def upsert_call(session: Any) -> None:
        await upsert(session)
        if not attachment.monitor._live.ended_lately(session.call_id):
            attachment._observer.lifecycle.call_started(session)

    store.upsert_call = upsert_call


def pytest_configure(config: pytest.Config) -> None:
    """Watch the constructors before any test runs."""
    del config
    _attach_after(engine_module.Engine, lambda engine: engine)
    _attach_after(
        StreamingPlaybackManager,
        lambda manager: SimpleNamespace(
            streaming_playback_manager=manager,
            session_store=manager.session_store,
            conversation_coordinator=manager.conversation_coordinator,
        ),
    )
    _attach_after(SessionStore, lambda store: SimpleNamespace(session_store=store))
    _attach_after(
        ConversationCoordinator,
        lambda coordinator: SimpleNamespace(
            conversation_coordinator=coordinator, session_store=coordinator._session_store
        ),
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how much of the suite was observed, so that its count means something."""
    live = [attachment for attachment in attachments if attachment.report()["calls"].live]
    terminalreporter.write_line(
        f"attached {len(attachments)} times; {len(live)} times with every call's start and end"
    )
    for family in REGISTRY.collect():
        for sample in family.samples:
            if sample.name in COUNTED and sample.value:
                labels = ", ".join(sample.labels.values())
                terminalreporter.write_line(f"{sample.name} {labels}: {sample.value:g}")
