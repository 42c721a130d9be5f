"""What the engine's session says of a call: who answers it, and how it ended."""

from __future__ import annotations

from typing import Any, NamedTuple


class Names(NamedTuple):
    """Who answers a call, as far as is known. Both are final only at its end."""

    provider: str | None
    pipeline: str | None


class Ending(NamedTuple):
    """What the engine's session says at the end."""

    names: Names
    outcome: str
    """The engine's word, ``failed`` where it reports an error, ``completed`` where it says none."""
    failed: bool


PLACEHOLDER = "pipeline"
"""What the engine calls the provider while a pipeline's answer is played."""

AGENT_ENDED = frozenset({"agent_hangup", "no_input_timeout"})
"""Outcomes after which nobody can say that the caller waited: the agent hung up."""


def names(session: Any) -> Names:
    """Return who answers a call."""
    provider = _name(session, "provider_name")
    return Names(None if provider == PLACEHOLDER else provider, _name(session, "pipeline_name"))


def ending(session: Any) -> Ending:
    """Return how a call has ended."""
    failed = bool(getattr(session, "error_message", None))
    return Ending(
        names=names(session),
        outcome="failed" if failed else _outcome(session),
        failed=failed,
    )


def _outcome(session: Any) -> str:
    outcome = getattr(session, "call_outcome", None)
    known = outcome if isinstance(outcome, str) and outcome else "completed"
    return "transferred" if transferred(session) and known == "completed" else known


def _name(session: Any, attribute: str) -> str | None:
    value = getattr(session, attribute, None)
    return value if isinstance(value, str) else None


def transferred(session: Any) -> bool:
    """Return whether the caller was handed to a person: what follows isn't the agent's doing."""
    return any(
        getattr(session, attribute, None)
        for attribute in ("transfer_active", "transfer_state", "transfer_destination")
    )


def agent_ended(session: Any) -> bool:
    """Return whether the agent, or the engine for it, chose to hang up."""
    return (
        getattr(session, "call_outcome", None) in AGENT_ENDED
        or getattr(session, "cleanup_after_tts", False) is True
    )
