"""What the caller's phone reports of the line, as Asterisk tells it when the call ends."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import pytest
from engine_doubles import CALL

import ai_engine_quality as aeq
from ai_engine_quality.adapters.ava.phone import packets

SAID = (
    "ssrc=1021;themssrc=77;lp={lp};rxjitter=0.000300;rxcount=2950;txjitter=0.000200;"
    "txcount={sent};rlp={lost};rtt={rtt};rxmes=86.9;txmes=86.8"
)
"""``RTPAUDIOQOS``, in the form that Asterisk 22 gives it (``ast_rtp_instance_get_quality``)."""


def quality(lost: int, sent: int, rtt: float = 0.021) -> str:
    """Return what Asterisk says of a phone that lost so many of the packets sent to it."""
    return SAID.format(lp=3, sent=sent, lost=lost, rtt=f"{rtt:.6f}")


def event(value: str, variable: str = "RTPAUDIOQOS", channel: str = CALL) -> dict[str, Any]:
    """Return ARI's event of a variable that was set."""
    return {
        "type": "ChannelVarset",
        "variable": variable,
        "value": value,
        "channel": {"id": channel, "name": "PJSIP/caller-00000001"},
    }


def told(generation: ModuleType, attached: Any, *events: dict[str, Any]) -> aeq.CallScore:
    """Return the score of a call about which Asterisk tells something before it ends."""

    async def main() -> aeq.CallScore:
        double = attached(generation.Engine())
        await double.call()
        for one in events:
            await double.asterisk_says(one)
        return await double.hang_up()

    return asyncio.run(main())


def test_what_the_phone_lost_is_known_and_said(generation: ModuleType, attached: Any) -> None:
    """Of either generation: the packets, their share, and the ceiling that it sets.

    What was sent after the phone's last report, 2.5 s on average, is no part of it.
    """
    score = told(generation, attached, event(quality(148, 2960 + 125)))
    assert (score.summary.packets_lost, score.summary.packets_sent) == (148, 2960)
    assert "lost on the way to the phone: 5 %, 148 of 2960 packets" in score.explain(full=True)
    assert "packet_loss" in [ceiling.rule for ceiling in score.ceilings]


def test_a_phone_that_lost_nothing_is_known_too(generation: ModuleType, attached: Any) -> None:
    """It reported, since Asterisk knows the round trip: nothing was lost, and that is said."""
    score = told(generation, attached, event(quality(0, 2960)))
    assert score.summary.packets_lost == 0
    assert "packet_loss" not in [ceiling.rule for ceiling in score.ceilings]
    assert "packets lost on the way" not in score.explain(full=True)


@pytest.mark.parametrize(
    "one",
    [
        event(quality(0, 2960, rtt=0.0)),
        event(quality(148, 2960), channel="somebody.else"),
        event(quality(148, 2960), variable="RTPAUDIOQOSBRIDGED"),
        event("148"),
        event(""),
        event("txcount=many;rlp=1;rtt=1"),
        event("txcount=100;rlp=101;rtt=1"),
        {"type": "ChannelVarset", "variable": "RTPAUDIOQOS"},
        {"type": "ChannelVarset", "variable": "RTPAUDIOQOS", "value": None, "channel": None},
    ],
    ids=[
        "a phone that reports nothing", "another channel", "another variable", "no counts",
        "nothing", "no number", "more than were sent", "no channel", "nothing at all",
    ],
)  # fmt: skip
def test_what_says_nothing_of_this_call_changes_nothing(
    today: ModuleType, attached: Any, one: dict[str, Any]
) -> None:
    """Unknown stays unknown, and nothing is counted as wrong."""
    score = told(today, attached, one)
    assert score.summary.packets_sent is None
    assert score.dropped == {}
    assert "packets lost on the way to the phone (nobody told" in score.explain(full=True)


def test_packets_that_came_twice_are_no_loss() -> None:
    """RTCP's count is of 24 bits with a sign: less than none lost is none lost."""
    assert packets(quality(0xFFFFFE, 500)) == (0, 375)


def test_never_more_are_lost_than_were_reported_on():
    """A line that lost nearly all is one that lost all."""
    assert packets(quality(120, 200)) == (120, 120)


def test_an_event_that_cannot_be_read_is_counted_and_the_engine_goes_on(
    today: ModuleType, attached: Any, dropped: Any
) -> None:
    """What is no event at all raises nothing in the engine's task."""

    async def main() -> None:
        double = attached(today.Engine())
        await double.observer.phone.variable_set(["no event"])

    asyncio.run(main())
    assert dropped("internal_error") == 1


def test_who_leaves_hears_nothing_more(generation: ModuleType, attached: Any) -> None:
    """Detached, nobody of ours is among those who have the events."""
    engine = generation.Engine()
    double = attached(engine)
    assert engine.ari_client.event_handlers["ChannelVarset"]
    double.attachment.detach()
    assert engine.ari_client.event_handlers == {"ChannelVarset": []}


@pytest.mark.parametrize("part", ["event_handlers", "add_event_handler"])
def test_an_engine_that_tells_no_events_says_so(
    today: ModuleType, attached: Any, part: str
) -> None:
    """The report names what can't be known; all else is as before."""
    engine = today.Engine()
    setattr(engine.ari_client, part, None)
    how = attached(engine).attachment.report()["underflow"].how
    assert "(packets lost on the way to the phone: the engine has no ari_client" in how
