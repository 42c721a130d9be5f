"""What holds of the ear whatever it is told."""

from __future__ import annotations

import math
from dataclasses import asdict

from hypothesis import given, settings
from hypothesis import strategies as st

from ai_engine_quality.core.ear import Ear

FRAME = 0.02
SOUNDS = (1500, 2200, 900, 1700, 60, 2000)

anything = st.floats(allow_nan=True, allow_infinity=True)
times = st.one_of(st.floats(0, 120), st.floats(-1e6, 1e6), anything)
told = st.one_of(
    st.tuples(
        st.sampled_from(["caller", "agent"]),
        times,
        st.one_of(st.floats(0, 32768), anything),
        st.one_of(st.sampled_from([0.01, 0.02, 0.06, 0.187]), anything),
    ),
    st.tuples(st.just("audio_given"), times, anything, anything),
    st.tuples(
        st.sampled_from(["answer_began", "answer_complete", "barge_in", "agent_flushed"]), times
    ),
)


def tell(ear, observations):
    for what, *values in observations:
        getattr(ear, what)(*values)


def level(place):
    return SOUNDS[place // 3 % len(SOUNDS)]


def listen(wait, *, words=1.0, noise=8.0):
    """Let an ear hear words, a wait and an answer; the words begin at 3 s."""
    ear = Ear(0.0)
    end = 3 + words
    begins = round((end + wait) / FRAME)
    for place in range(round((end + wait + 0.5) / FRAME)):
        at = place * FRAME
        caller = 1500 if 3 <= at + 1e-9 < end else noise
        agent = level(place - begins) if 0.5 <= at < 2 or place >= begins else 0.0
        ear.caller(at + FRAME, caller, FRAME)
        ear.agent(at, agent, FRAME)
    return ear.freeze(end + wait + 0.5)


@given(st.lists(told, max_size=120), anything)
@settings(max_examples=150, deadline=None)
def test_it_never_raises_and_never_tells_nonsense(observations, now):
    """Whatever it is told, each number is finite and not negative, or None."""
    ear = Ear(0.0)
    tell(ear, observations)
    found = asdict(ear.freeze(now if math.isfinite(now) else 0.0))
    for name, value in found.items():
        if isinstance(value, float | int):
            assert math.isfinite(value), name
            assert value >= 0, name


@given(st.lists(told, max_size=120))
@settings(max_examples=80, deadline=None)
def test_looking_changes_nothing(observations):
    """Frozen twice it is the same, and frozen on the way it ends the same."""
    ear, other = Ear(0.0), Ear(0.0)
    tell(ear, observations)
    for one in observations:
        tell(other, [one])
        other.freeze(50.0)
    assert ear.freeze(60.0) == ear.freeze(60.0) == other.freeze(60.0)


@given(st.lists(st.tuples(st.booleans(), told), max_size=120))
@settings(max_examples=80, deadline=None)
def test_calls_do_not_influence_each_other(observations):
    """Two calls told in turns are heard as each of them alone."""
    both = Ear(0.0), Ear(0.0)
    for second, one in observations:
        tell(both[second], [one])
    for second, ear in enumerate(both):
        alone = Ear(0.0)
        tell(alone, [one for which, one in observations if which == second])
        assert alone.freeze(60.0) == ear.freeze(60.0)


@given(st.integers(10, 140), st.integers(1, 60), st.floats(0, 100))
@settings(max_examples=25, deadline=None)
def test_more_silence_before_an_answer_never_shortens_the_wait(wait, more, noise):
    """A later answer is heard as late, by as much as it is."""
    first, second = (listen(frames * FRAME, noise=noise) for frames in (wait, wait + more))
    (short,), (long,) = first.latencies.exact, second.latencies.exact
    assert abs(long - short - more * FRAME) < 1e-6


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 20000), st.sampled_from([0.01, 0.02, 0.06]))),
    st.integers(1, 400),
)
@settings(max_examples=30, deadline=None)
def test_memory_is_bounded_however_much_comes_at_once(frames, times_over):
    """What is kept back to be put in order, and what is still to be heard, has a bound."""
    ear = Ear(0.0)
    for _ in range(times_over):
        for agent, loud, seconds in frames:
            (ear.agent if agent else ear.caller)(1.0, loud, seconds)
        ear.audio_given(1.0, 0.2, 0.1)
        ear.answer_began(1.0)
    assert len(ear.pending) <= 4 * 2_000
    assert len(ear._turns._queue) <= 512
    assert len(ear._answers._answers) <= 17
    assert len(ear._agent._blocks) <= 256


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 9000)), max_size=200), st.booleans())
@settings(max_examples=50, deadline=None)
def test_nothing_is_told_of_two_sides_where_one_was_seen(frames, agent):
    """Without one track what needs both is None, never 0."""
    ear = Ear(0.0)
    for at, loud in sorted(frames):
        (ear.agent if agent else ear.caller)(at, loud, FRAME)
    found = ear.freeze(60.0)
    assert found.latencies is found.unanswered is found.reactions is found.talk_overs is None
    if agent or not frames:
        assert found.caller_voice is found.stalls is found.caller_dead is None
    if not agent or not frames:
        assert found.holes is found.answers is found.first_word is found.agent_heard is None
