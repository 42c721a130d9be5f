"""The numbers of a report: they agree with the calls, whatever the calls are."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from some_calls import START

import ai_engine_quality as aeq
from ai_engine_quality.report.digest import MOST_COLUMNS, digest
from ai_engine_quality.report.findings import faults, time_spent, waits
from ai_engine_quality.report.markdown import markdown
from ai_engine_quality.report.page import page


def call(at, **observed):
    return aeq.score(
        aeq.CallSummary(
            call_id=f"{at}", started_at=at, duration=60.0, frames_sent=1_000, **observed
        )
    )


@given(data=st.data())
def test_the_sums_are_those_of_the_calls(summaries, data):
    """Each call is counted once: by band or reason, by provider, over time; points add up."""
    calls = [aeq.score(s) for s in data.draw(st.lists(summaries, max_size=12))]
    found = digest(calls, 3)
    every = found.every
    assert every.calls == len(calls)
    assert every.scored + every.unscored.total() == len(calls)
    assert sum(sums.calls for sums in found.providers.values()) == len(calls)
    over_time = sum(column.bands.total() + column.unscored for column in found.columns)
    assert over_time == sum(c.summary.started_at is not None for c in calls)
    scores = sorted(c.score for c in calls if c.score is not None)
    assert [c.score for c in found.worst] == scores[:3]
    if scores:
        assert every.mean == pytest.approx(sum(scores) / len(scores))
        assert every.median == scores[(len(scores) - 1) // 2]
        assert sum(every.lost.values()) == pytest.approx(
            100 * len(scores) - sum(scores), abs=0.9 * len(scores)
        )
    found.to_dict()


@given(
    first=st.floats(0, 2e9),
    gaps=st.lists(st.floats(0, 3e8), max_size=5),
)
def test_columns_have_no_gap_and_are_few(first, gaps):
    """Whatever time the calls span, columns follow each other by one step, and fit on a page."""
    times = [first]
    for gap in gaps:
        times.append(times[-1] + gap)
    found = digest([call(at, turn_latencies=(0.5,)) for at in times], 0)
    starts = [column.start for column in found.columns]
    assert 1 <= len(starts) <= MOST_COLUMNS
    assert all(b - a == found.step for a, b in pairwise(starts))
    assert starts[0] <= found.first < starts[0] + found.step
    assert starts[-1] <= found.last < starts[-1] + found.step


@pytest.mark.parametrize(
    ("days", "step"),
    [(1, timedelta(hours=1)), (7, timedelta(hours=6)), (31, timedelta(days=1))],
)
def test_a_day_a_week_and_a_month(days, step):
    """A day is shown by hours, a week by quarters of a day, a month by days."""
    found = digest([call(START + day * 86_400, turn_latencies=(0.5,)) for day in (0, days)], 0)
    assert found.step == step
    assert found.first == datetime.fromtimestamp(START, UTC)


def test_a_time_beyond_the_calendar_is_no_time():
    """A record with an absurd start is counted, and stands at no time."""
    found = digest([call(1e18, turn_latencies=(0.5,))], 1)
    assert (found.every.calls, found.columns, found.first) == (1, (), None)


class TestACallsCourse:
    def test_turns_in_their_order_and_unanswered_ones_after_them(self):
        """Each measured turn has its number; where an unanswered one was isn't known."""
        found = waits(call(START, turn_latencies=(0.5, 2.5), unanswered=(9.0,)))
        assert [(w.turn, w.seconds, w.answered) for w in found] == [
            ("1", 0.5, True),
            ("2", 2.5, True),
            ("", 9.0, False),
        ]

    def test_of_very_many_turns_the_slowest(self):
        """Where turns are too many to be drawn, the slowest ones are, with their numbers."""
        found = waits(call(START, turn_latencies=(0.5,) * 400 + (4.0,) + (0.5,) * 400))
        assert len(found) == 20
        assert (found[0].turn, found[0].seconds) == ("401", 4.0)

    @given(data=st.data())
    def test_what_time_was_spent_on_is_never_negative(self, summaries, data):
        """Shares of a call's time are positive, of different names, and reach its duration."""
        found = aeq.score(data.draw(summaries))
        spent = time_spent(found)
        assert all(share.seconds > 0 for share in spent)
        assert len({share.name for share in spent}) == len(spent)
        if spent:
            assert sum(share.seconds for share in spent) >= found.summary.duration - 1e-6

    @given(data=st.data())
    def test_faults_of_every_kind_of_call(self, summaries, data):
        """What went wrong is said in a line each, and a failed call says that it failed."""
        found = aeq.score(data.draw(summaries))
        words = faults(found)
        assert all(word and "\n" not in word for word in words)
        assert ("the engine says that it failed" in words) == found.summary.failed


def test_calls_of_different_policies_are_said_to_be():
    """A mean over several policies is no number to compare; one policy is named without that."""
    call = aeq.CallSummary(call_id="c", started_at=1.76e9, turn_latencies=(0.9,) * 5, frames_sent=9)
    both = [aeq.score(call, aeq.Policy.load(version)) for version in ("v1", "v3")]
    said = "policies v1, v3, whose scores can't be compared"
    assert said in markdown(digest(both, 0), "t")
    assert said in html.unescape(page(digest(both, 0), "t"))
    assert "by policy v3." in markdown(digest(both[1:], 0), "t")
