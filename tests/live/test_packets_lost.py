"""What a caller's phone says by RTCP: a count of the call so far, however often it is told."""

from __future__ import annotations

from itertools import permutations

import pytest

import ai_engine_quality as aeq

REPORTS = ((0, 250), (12, 500), (12, 750))


@pytest.mark.parametrize("reports", list(permutations(REPORTS)))
def test_the_report_of_most_packets_holds(quality, reports):
    """RTCP counts from the call's start, so nothing is added up; a late report changes nothing."""
    quality.call_started("1.1")
    for lost, sent in reports:
        quality.packets_lost("1.1", lost, sent=sent)
    summary = quality.call_ended("1.1").summary
    assert (summary.packets_lost, summary.packets_sent) == (12, 750)
    assert summary.packet_loss == 12 / 750


def test_no_more_can_be_lost_than_were_sent(quality, dropped):
    """A count that can't be is dropped, and the call stays unknown in this."""
    quality.call_started("1.1")
    quality.packets_lost("1.1", 10, sent=9)
    score = quality.call_ended("1.1")
    assert dropped("out_of_range") == 1
    assert score.dropped == {"packet count:out_of_range": 1}
    assert score.summary.packets_sent is score.summary.packet_loss is None


def test_a_record_from_before_has_none():
    """A stored call without the fields is read, and stays unknown in this."""
    summary = aeq.CallSummary.from_dict({"call_id": "1.1", "duration": 30.0})
    assert summary.packets_sent is summary.packets_lost is summary.packet_loss is None
