"""What a caller's phone tells Asterisk of the packets that it gets, and Asterisk whoever asks.

A phone counts what it loses, and reports it by RTCP every 5 s (RFC 3550); Asterisk keeps the last
report, and puts it into the channel's variable ``RTPAUDIOQOS`` when the call ends, in the form of
``ast_rtp_instance_get_quality`` in its ``main/rtp_engine.c``.
"""

from __future__ import annotations

from typing import Final

REPORT_SECONDS: Final = 5.0
"""From one report to the next."""

ROUND_TRIP: Final = 0.02


class Phone:
    """Counts the packets that were sent to a caller, and those that never came."""

    def __init__(self) -> None:
        self.sent = self.lost = 0
        self._reported: int | None = None
        self._next_report: float | None = None

    def count(self, at: float, *, lost: bool = False) -> None:
        """Count a packet that was sent to the phone.

        Args:
            at: When, in monotonic seconds.
            lost: Whether it never came.
        """
        if self._next_report is None:
            self._next_report = at + REPORT_SECONDS
        if at >= self._next_report:
            self._reported, self._next_report = self.lost, at + REPORT_SECONDS
        self.sent += 1
        self.lost += lost

    def quality(self) -> str:
        """Return what Asterisk's variable says; without a report there is no round trip."""
        trip = 0.0 if self._reported is None else ROUND_TRIP
        return (
            f"ssrc=1;themssrc=2;lp=0;rxjitter=0.000000;rxcount={self.sent};txjitter=0.000000;"
            f"txcount={self.sent};rlp={self._reported or 0};rtt={trip:f};rxmes=0.000000;"
            "txmes=0.000000"
        )
