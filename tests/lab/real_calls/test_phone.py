"""What a phone reports of the packets that it lost."""

from __future__ import annotations

from ai_engine_lab.real_calls.phone import Phone

from ai_engine_quality.adapters.ava.phone import packets


def told(phone):
    """Return what the library reads from it: lost and sent."""
    return packets(phone.quality())


def test_it_reports_every_five_seconds():
    """The last report holds; what was sent after it, 125 packets on average, is no part of it."""
    phone = Phone()
    for number in range(600):
        phone.count(number * 0.02, lost=number % 10 == 0)
        assert told(phone) is None or number * 0.02 >= 5.0
    assert told(phone) == (50, 475)
    assert (phone.lost, phone.sent) == (60, 600)


def test_a_call_of_a_few_seconds_has_no_report():
    """Asterisk knows no round trip then, so that none lost is no knowledge."""
    phone = Phone()
    for number in range(200):
        phone.count(number * 0.02, lost=True)
    assert told(phone) is None


def test_a_phone_that_lost_nothing_says_so():
    """A report of none is one."""
    phone = Phone()
    for number in range(300):
        phone.count(number * 0.02)
    assert told(phone) == (0, 175)
