"""How much text the agent's audio holds: a number of characters, never a word of it.

The engine keeps what was said in the session's ``conversation_history``, whoever serves the call:
``ConversationText``, transcripts of the agent's, and the text that a pipeline's voice was given.
"""

from __future__ import annotations

from typing import Any

from ai_engine_quality.adapters.ava.calls import ObservedCall
from ai_engine_quality.adapters.spoken import spoken_characters

AGENT_ROLES = frozenset({"assistant", "agent"})


def report_words(call: ObservedCall) -> None:
    """Report, at the call's end, how many characters the session has of the agent's text.

    With fewer texts than the provider gave answers some text is missing, and what is there would
    read as slow speech: then nothing is known.
    """
    history = getattr(call.session, "conversation_history", None)
    if not isinstance(history, list):
        return
    said = [_said_by_agent(message) for message in history]
    texts = [characters for text in said if (characters := spoken_characters(text))]
    if texts and len(texts) >= call.answers_given:
        call.handle.words_spoken(sum(texts))


def _said_by_agent(message: Any) -> str:
    if not isinstance(message, dict) or message.get("role") not in AGENT_ROLES:
        return ""
    text = message.get("content") or message.get("text")
    return text if isinstance(text, str) and text != "..." else ""
