"""Talkspurts: when each side spoke, and how long the caller waited in silence for each answer."""

from __future__ import annotations

from bisect import bisect

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ai_engine_quality as aeq
from ai_engine_quality.core.call import StageAccumulator
from ai_engine_quality.core.talkspurts import MAX_TALKSPURTS, Talkspurts, silences

STEP = 0.08
"""Seconds between measured frames by default: every fourth of 20 ms."""


def track(*spoken, length=60.0, step=STEP, offset=0.0):
    """Return the talkspurts of someone who speaks in these (from, to) seconds, ascending."""
    starts = [start for start, _ in spoken]
    stage = StageAccumulator(agent=True)
    stage.speech = Talkspurts()
    for number in range(int(length / step)):
        at = offset + number * step
        place = bisect(starts, at)
        speaks = place > 0 and at < spoken[place - 1][1]
        stage.add_level(2_600.0 if speaks else 20.0, step, at)
    return stage.speech


def waits(caller, agent):
    found = silences(caller, [agent])
    return None if found is None else found[0]


def test_a_pause_between_words_ends_no_talkspurt():
    """Pauses up to 0.4 s belong to the speech around them; a longer silence parts two spurts."""
    spans = track((1, 2), (2.3, 3), (4, 5)).all()
    assert [(round(span.start), round(span.end)) for span in spans] == [(1, 3), (4, 5)]


@pytest.mark.parametrize(("pause", "spurts"), [(0.4, 1), (0.401, 2)])
def test_a_pause_of_400_ms_is_the_longest(pause, spurts):
    """Speech goes on after exactly 0.4 s of silence, and begins anew after more."""
    stage = StageAccumulator(agent=True)
    stage.speech = Talkspurts()
    for at in (0.0, pause):
        stage.add_level(2_600.0, STEP, at)
    assert len(stage.speech.all()) == spurts


def test_the_wait_is_from_the_last_word_to_the_answer():
    """Each answer's wait is the silence since the caller's last word, not since their first."""
    heard = waits(track((2, 4), (5, 6), (20, 22)), track((0, 1), (8, 12), (27, 30)))
    assert heard == pytest.approx([2.0, 5.0], abs=STEP)


@given(end=st.floats(3, 10), wait=st.floats(0.2, 20), offset=st.floats(0, STEP))
def test_a_wait_is_known_to_the_sampling_step(end, wait, offset):
    """However the sampled frames lie, the wait heard is the true one to within a step."""
    caller = track((1, end))
    agent = track((end + wait, end + wait + 3), offset=offset)
    assert waits(caller, agent) == pytest.approx([wait], abs=STEP + 1e-6)


@pytest.mark.parametrize(
    ("caller", "agent"),
    [
        ([(2, 4)], [(3, 6)]),
        ([(2, 2.1)], [(5, 8)]),
        ([], [(1, 3), (5, 8)]),
        ([(0, 60)], [(5, 8), (12, 15)]),
        ([(1, 3)], []),
    ],
    ids=["over the caller", "a click", "no caller", "noise on the line", "no answer"],
)
def test_where_there_was_no_silence_there_is_no_wait(caller, agent):
    """An answer over the caller, after a click, or that never came isn't measured."""
    assert not waits(track(*caller), track(*agent))


def test_the_agents_own_pauses_are_not_answers():
    """Sentences with a pause between them are one answer, where the caller said nothing between."""
    assert len(waits(track((1, 3)), track((5, 7), (9, 10), (12, 14)))) == 1


def test_words_over_the_agent_are_answered_too():
    """Who interrupts and goes on speaking is answered, and waits from their own last word."""
    heard = waits(track((1, 2), (5, 8)), track((3, 5.3), (11, 13)))
    assert heard == pytest.approx([1.0, 3.0], abs=STEP)


def test_frames_too_far_apart_tell_nothing():
    """Where frames are measured more than 0.25 s apart, nothing is concluded."""
    assert waits(track((1, 3)), track((6, 9), step=0.4)) is None
    assert waits(track((1, 3), step=0.4), track((6, 9))) is None


def test_several_ways_to_the_caller_are_one_agent():
    """Speech streamed and speech played from a file are heard as one agent's."""
    found = silences(track((1, 3), (12, 14)), [track((5, 8)), track((15, 18))])
    assert found is not None
    assert found[0] == pytest.approx([2.0, 1.0], abs=STEP)


def test_memory_is_bounded_and_what_is_not_known_is_not_guessed():
    """Of a call with thousands of talkspurts the first 512 count, of both sides alike."""
    many = [(4 * n, 4 * n + 1) for n in range(1_000)]
    caller = track(*many, length=4_000)
    agent = track(*[(start + 2, end + 2) for start, end in many], length=4_000)
    assert len(caller.all()) == MAX_TALKSPURTS
    heard = waits(caller, agent)
    assert MAX_TALKSPURTS - 2 <= len(heard) <= MAX_TALKSPURTS
    assert max(heard) < 1.2


# The clock of the engine against what was heard.


def call(heard, *reported, turns=None):
    """Return a call's summary with a median of silence heard and reported latencies."""
    found = aeq.HeardSilence(heard, turns or len(reported), 0.08)
    return aeq.CallSummary(call_id="1.1", turn_latencies=reported, silence_heard=found)


def test_a_clock_that_starts_late_is_flagged():
    """Where the caller waited 4.9 s and 0.8 s was reported, the explanation says so."""
    summary = call(4.9, 0.7, 0.8, 0.8, 0.8, 0.9, 1.0)
    assert summary.late_clock() == (4.9, 0.8, 6)
    words = "the clock starts late: heard 4.9 s, reported 0.8 s (median of 6 turns)"
    score = aeq.score(summary)
    assert words in score.explain(full=True)
    assert words.capitalize() in score.explain()


@pytest.mark.parametrize(
    "summary",
    [
        call(1.3, 0.8, 0.8, 0.8),
        call(5.0, 4.0, 4.0, 4.0),
        call(4.9, 0.8, 0.8),
        call(4.9, 0.8, 0.8, 0.8, turns=7),
        aeq.CallSummary(call_id="1.1", turn_latencies=(0.8, 0.8, 0.8)),
    ],
    ids=["end of turn", "slow throughout", "two turns", "unlike numbers", "not heard"],
)
def test_a_clock_is_not_flagged_without_good_reason(summary):
    """The silence that ends a turn, a slow agent, or too few turns are no late clock."""
    assert summary.late_clock() is None
    assert "starts late" not in aeq.score(summary).explain(full=True)


@given(heard=st.floats(0, 300))
def test_it_never_changes_the_score(heard):
    """A late clock is a fact beside the score: the points are those of what was reported."""
    late, plain = call(heard, 0.7, 0.8, 0.9), call(0.8, 0.7, 0.8, 0.9)
    assert aeq.score(late).score == aeq.score(plain).score
    assert aeq.score(late).factors == aeq.score(plain).factors


def test_it_is_stored_with_the_call():
    """What was heard goes through JSON and back, and a call without it reads as before."""
    summary = call(4.9, 0.8, 0.8, 0.8)
    assert aeq.CallSummary.from_dict(summary.to_dict()) == summary
    with pytest.raises(aeq.SummaryError, match=r"silence_heard\.median must be 0 or more"):
        aeq.CallSummary.from_dict(
            {**summary.to_dict(), "silence_heard": {"median": -1, "turns": 3, "resolution": 0.1}}
        )
