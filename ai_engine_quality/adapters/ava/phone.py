"""What the caller's phone reports of the line: the packets that it lost on the way to it.

Asterisk keeps what a phone says by RTCP, and puts it into the caller's channel when the call ends,
as the variable ``RTPAUDIOQOS``, by SIP and PJSIP. ARI tells of every variable that is set, and the
engine of either generation asks for all events. Nothing but that tells of packets lost between
Asterisk and the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai_engine_quality.adapters.ava.context import EngineContext
from ai_engine_quality.adapters.wraps import CannotWrap

VARIABLE_SET = "ChannelVarset"
QUALITY = "RTPAUDIOQOS"

NEGATIVE = 1 << 23
"""RTCP counts losses in 24 bits with a sign: what came twice can make them less than none."""

UNREPORTED = 125
"""Packets of 20 ms that a phone's last report doesn't know of yet, on average: it reports every 5 s
(RFC 3550), and what Asterisk has sent is counted to the end."""


class PhoneObserver:
    """Reports what callers' phones have lost, when Asterisk tells it."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._handlers: list[Any] | None = None

    def listen(self) -> None:
        """Have Asterisk's events, beside the engine.

        Raises:
            CannotWrap: the engine's client of ARI has no list of handlers to be one of.
        """
        client = getattr(self._context.engine, "ari_client", None)
        handlers = getattr(client, "event_handlers", None)
        add = getattr(client, "add_event_handler", None)
        if not isinstance(handlers, dict) or not callable(add):
            raise CannotWrap("the engine has no ari_client.add_event_handler")
        add(VARIABLE_SET, self.variable_set)
        self._handlers = handlers.get(VARIABLE_SET)

    def leave(self) -> None:
        """Have them no more."""
        handlers, self._handlers = self._handlers, None
        if handlers is not None and self.variable_set in handlers:
            handlers.remove(self.variable_set)

    async def variable_set(self, event: Any) -> None:
        """Take an event of Asterisk's: each channel of it, and each variable, comes here."""
        try:
            if event.get("variable") == QUALITY:
                call = self._context.call((event.get("channel") or {}).get("id"))
                counts = packets(str(event.get("value")))
                if call is not None and counts is not None:
                    lost, sent = counts
                    call.handle.packets_lost(lost, sent=sent)
        except Exception as error:
            self._context.failed(error)


def packets(quality: str) -> tuple[int, int] | None:
    """Return how many packets a phone lost, and of about how many it reported.

    Args:
        quality: What Asterisk says: ``ssrc=1;themssrc=2;lp=0;...;txcount=2960;rlp=31;rtt=0.02``.

    Returns:
        None where the phone has reported nothing: then there is no round trip either.
    """
    said = dict(part.strip().partition("=")[::2] for part in quality.split(";"))
    lost, sent = _whole(said, "rlp"), _whole(said, "txcount")
    if lost is None or sent is None:
        return None
    lost = 0 if lost >= NEGATIVE else lost
    if lost > sent or not (lost or float(said.get("rtt") or 0.0)):
        return None
    return lost, max(lost, sent - UNREPORTED)


def _whole(said: Mapping[str, str], name: str) -> int | None:
    value = said.get(name, "")
    return int(value) if value.isascii() and value.isdigit() else None
