"""What must hold for every call, over generated calls, tiny and huge ones included."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import ai_engine_quality as aeq
from ai_engine_quality.core.call import CallAccumulator

SIZES = [0, 1, 2, 19, 20, 21, 511, 512, 513, 514, 5_000, 20_000]
LOWEST = {"excellent": 90, "good": 75, "fair": 60, "poor": 0}


def verdict(call):
    """Return everything of a score that is no words, and so must not depend on any order."""
    numbers = [(f.name, f.penalty, f.value, f.n, f.observed) for f in call.factors]
    tops = sorted((ceiling.rule, ceiling.ceiling) for ceiling in call.ceilings)
    return call.score, call.raw, call.band, numbers, tops, call.coverage, call.turns


def points(call):
    """Return a score as a number; a call that isn't scored has none to compare."""
    assume(call.score is not None)
    return call.score


class TestAgreement:
    @given(data=st.data())
    def test_bounded(self, summaries, data):
        """Every score is None or a whole number from 0 to 100, every penalty within its weight."""
        call = aeq.score(data.draw(summaries))
        assert call.score is None or (type(call.score) is int and 0 <= call.score <= 100)
        assert all(0 <= factor.penalty <= factor.weight for factor in call.factors)
        assert all(factor.observed or not factor.penalty for factor in call.factors)
        assert 0 <= call.coverage <= 1

    @given(data=st.data())
    def test_band_ceilings_and_score_agree(self, summaries, data):
        """The score is the lowest of raw and ceilings, rounded half up, and its band holds it."""
        call = aeq.score(data.draw(summaries))
        assert call.raw == pytest.approx(100 - sum(f.penalty for f in call.factors), abs=1e-6)
        assert (call.score is None) == (call.band is None) == (call.unscored_reason is not None)
        if call.score is None:
            return
        lowest = min([call.raw, *(ceiling.ceiling for ceiling in call.ceilings)])
        assert call.score == max(0, math.floor(lowest + 0.5))
        assert call.band == next(band for band, low in LOWEST.items() if call.score >= low)

    @given(data=st.data())
    def test_ceilings_come_lowest_first(self, summaries, data):
        """The first ceiling is the lowest, and is what the call scores where it decided."""
        call = aeq.score(data.draw(summaries))
        tops = [ceiling.ceiling for ceiling in call.ceilings]
        assert tops == sorted(tops)
        if call.deciding_ceiling is not None:
            assert call.score in {call.deciding_ceiling.ceiling, None}

    @given(data=st.data())
    def test_unknown_never_helps(self, summaries, data):
        """Unobserved factors lower the coverage; without latency or underflow none reaches 90."""
        call = aeq.score(data.draw(summaries))
        observed = {factor.name: factor.weight for factor in call.factors if factor.observed}
        assert call.coverage == pytest.approx(sum(observed.values()) / 100)
        if "latency" not in observed or "underflow" not in observed:
            assert call.score is None or call.score <= 89

    @given(data=st.data())
    def test_forgetting_an_observation_never_makes_a_call_excellent(self, summaries, data):
        """A call below 90 whose latency or fillers nobody had reported would not reach it."""
        summary = data.draw(summaries)
        for forgotten in (
            {"turn_latencies": None, "turn_count": None, "unanswered": None},
            {"frames_sent": None, "underflows": None, "underflow_episodes": None},
        ):
            call = aeq.score(replace(summary, **forgotten))
            assert call.score is None or call.score < 90

    @given(data=st.data())
    def test_a_stored_summary_scores_the_same(self, summaries, data):
        """JSON and back changes neither a summary nor its score."""
        summary = data.draw(summaries)
        stored = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
        again = aeq.CallSummary.from_dict(stored)
        assert (again, aeq.score(again)) == (summary, aeq.score(summary))
        json.dumps(aeq.score(summary).to_dict(), allow_nan=False)


def observed_call(observations, order):
    """Return the summary of a call whose observations came in an order."""
    live = CallAccumulator("1.1")
    for index in order:
        name, values = observations[index]
        getattr(live, name)(*values)
    return live.freeze(duration=120.0)


_SECONDS = st.floats(0, 8)
_OBSERVATION = st.one_of(
    st.tuples(st.just("turn_response"), st.tuples(_SECONDS)),
    st.tuples(st.just("unanswered"), st.tuples(_SECONDS)),
    st.tuples(st.just("add_frames_sent"), st.tuples(st.integers(0, 500))),
    st.tuples(st.just("underflow"), st.tuples(st.integers(5, 9), st.none() | st.integers(0, 5))),
    st.tuples(st.just("fallback"), st.tuples(st.sampled_from(["timeout", "stall"]))),
    st.tuples(st.just("barge_in"), st.tuples(st.none() | _SECONDS)),
    st.tuples(
        st.just("codec_alignment"), st.tuples(st.booleans(), st.sampled_from(["", "ulaw", "alaw"]))
    ),
)


class TestOrder:
    @given(data=st.data())
    def test_shuffled_observations_change_nothing(self, data):
        """The order in which a call's observations came changes no number of its score."""
        observations = data.draw(st.lists(_OBSERVATION, min_size=1, max_size=60))
        straight = list(range(len(observations)))
        shuffled = data.draw(st.permutations(straight))
        one, other = (observed_call(observations, order) for order in (straight, shuffled))
        assert verdict(aeq.score(one)) == verdict(aeq.score(other))

    @given(data=st.data())
    def test_the_order_of_stages_changes_nothing(self, summaries, data):
        """Which stage was heard first changes no number of the score."""
        summary = data.draw(summaries)
        stages = data.draw(st.permutations(sorted(summary.audio)))
        shuffled = replace(summary, audio={stage: summary.audio[stage] for stage in stages})
        assert verdict(aeq.score(shuffled)) == verdict(aeq.score(summary))

    @given(data=st.data())
    def test_the_order_of_kinds_of_playback_changes_nothing(self, data):
        """Which of three kinds of playback was heard first changes no number of the score."""
        audio = {
            f"transport_out:{kind}": aeq.StageLevels(
                frames=100,
                active=data.draw(st.sampled_from([0, 1, 50, 99, 100])),
                rms=data.draw(st.floats(200, 20_000)),
                spread_db=data.draw(st.none() | st.floats(0, 20)),
                flatness=data.draw(st.sampled_from([None, 0.01, 0.3, 0.6])),
            )
            for kind in ("stream", "file", "moh")
        }
        stages = data.draw(st.permutations(sorted(audio)))
        one, other = (
            aeq.CallSummary(
                call_id="1.1", duration=60.0, frames_sent=900, audio={s: audio[s] for s in order}
            )
            for order in (audio, stages)
        )
        assert verdict(aeq.score(one)) == verdict(aeq.score(other))

    @pytest.mark.parametrize("turns", [100, 513, 20_000])
    def test_a_long_call_backwards_is_the_same_call(self, turns):
        """However long a call is, its turns in the opposite order give the same numbers."""
        latencies = np.random.default_rng(turns).lognormal(0, 0.6, turns)
        observations = [("turn_response", (min(300.0, float(value)),)) for value in latencies]
        one = observed_call(observations, range(turns))
        other = observed_call(observations, range(turns - 1, -1, -1))
        assert verdict(aeq.score(one)) == verdict(aeq.score(other))


@st.composite
def _whole_calls(draw):
    """Return calls of which latency, underflow, fallback, barge-in and codec are observed."""
    fillers = draw(st.integers(0, 40))
    reactions = draw(st.lists(_SECONDS, min_size=1, max_size=6))
    checks = draw(st.integers(1, 10))
    track = aeq.StageLevels(frames=400, active=300, rms=draw(st.floats(200, 20_000)))
    return aeq.CallSummary(
        call_id="1.1",
        duration=draw(st.floats(30, 2_000)),
        turn_latencies=draw(st.lists(_SECONDS, min_size=1, max_size=25)),
        unanswered=draw(st.none() | st.lists(_SECONDS, min_size=1, max_size=2)),
        frames_sent=draw(st.integers(1, 3_000)),
        underflows=fillers,
        underflow_episodes=draw(st.none() | st.integers(0, fillers)),
        fallbacks=draw(st.none() | st.integers(1, 6)),
        barge_ins=len(reactions),
        barge_in_reactions=reactions,
        codec_checks=checks,
        codec_misaligned=draw(st.integers(0, checks)),
        audio={"provider_out": track},
    )


def appended(values, value):
    """Return values with one more."""
    return (*(values or ()), value)


def worsened(values, draw):
    """Return values of which one is greater."""
    index = draw(st.integers(0, len(values) - 1))
    worse = values[index] + draw(st.floats(0, 5))
    return (*values[:index], worse, *values[index + 1 :])


class TestMonotone:
    @given(data=st.data())
    def test_one_more_turn_at_or_over_the_p95_never_raises_the_score(self, data):
        """A turn as slow as the present p95, or slower, never makes a call better."""
        summary = data.draw(_whole_calls())
        call = aeq.score(summary)
        slow = call.factor("latency").value + data.draw(st.sampled_from([0.0, 0.01, 1.0, 9.0]))
        turns = appended(summary.turn_latencies, slow)
        more = aeq.score(replace(summary, turn_latencies=turns, turn_count=len(turns)))
        assert points(more) <= points(call)

    @given(data=st.data())
    def test_one_more_unanswered_turn_at_or_over_the_p95_never_raises_the_score(self, data):
        """A turn left unanswered for as long as the present p95 never makes a call better."""
        summary = data.draw(_whole_calls())
        call = aeq.score(summary)
        waited = call.factor("latency").value + data.draw(st.sampled_from([0.0, 0.01, 1.0, 9.0]))
        more = aeq.score(replace(summary, unanswered=appended(summary.unanswered, waited)))
        assert points(more) <= points(call)

    @given(data=st.data())
    def test_a_slower_turn_never_raises_the_score(self, data):
        """A turn, or a wait, that was slower than it was never makes a call better."""
        summary = data.draw(_whole_calls())
        slower = worsened(summary.turn_latencies, data.draw)
        changed = replace(summary, turn_latencies=slower)
        if summary.unanswered:
            changed = replace(changed, unanswered=worsened(summary.unanswered, data.draw))
        assert points(aeq.score(changed)) <= points(aeq.score(summary))

    @given(data=st.data())
    def test_more_fillers_never_raise_the_score(self, data):
        """More fillers, in whatever episodes, known or not, never make a call better."""
        summary = data.draw(_whole_calls())
        more = data.draw(st.integers(1, 30))
        known = summary.underflow_episodes
        if known is not None:
            episodes = data.draw(st.integers(0, more) | st.just(more))
            known = known + max(episodes, 0 if summary.underflows else 1)
        worse = replace(summary, underflows=summary.underflows + more, underflow_episodes=known)
        assert points(aeq.score(worse)) <= points(aeq.score(summary))

    @given(data=st.data())
    def test_more_fillers_to_estimated_frames_never_raise_the_score(self, data):
        """Where the agent's frames are estimated, more fillers never make a call better."""
        summary = replace(data.draw(_whole_calls()), frames_sent=None)
        worse = replace(summary, underflows=summary.underflows + data.draw(st.integers(1, 30)))
        if worse.underflow_episodes is not None:
            worse = replace(worse, underflow_episodes=worse.underflow_episodes + 1)
        assert points(aeq.score(worse)) <= points(aeq.score(summary))

    @given(data=st.data())
    def test_the_same_fillers_in_more_runs_never_raise_the_score(self, data):
        """Fillers that are scattered more never make a call better."""
        summary = data.draw(_whole_calls())
        assume(summary.underflow_episodes is not None)
        assume(summary.underflow_episodes < summary.underflows)
        worse = replace(summary, underflow_episodes=summary.underflow_episodes + 1)
        assert points(aeq.score(worse)) <= points(aeq.score(summary))

    @given(data=st.data())
    def test_one_more_fallback_never_raises_the_score(self, data):
        """A fallback never makes a call better."""
        summary = data.draw(_whole_calls())
        worse = replace(summary, fallbacks=(summary.fallbacks or 0) + 1)
        assert points(aeq.score(worse)) <= points(aeq.score(summary))

    @given(data=st.data())
    def test_slower_reactions_never_raise_the_score(self, data):
        """A reaction that was slower, or one more at or over the p95, never helps."""
        summary = data.draw(_whole_calls())
        call = aeq.score(summary)
        slower = worsened(summary.barge_in_reactions, data.draw)
        assert points(aeq.score(replace(summary, barge_in_reactions=slower))) <= points(call)
        slow = call.factor("barge_in").value + data.draw(st.sampled_from([0.0, 0.1, 2.0]))
        more = appended(summary.barge_in_reactions, slow)
        worse = replace(summary, barge_ins=len(more), barge_in_reactions=more)
        assert points(aeq.score(worse)) <= points(call)

    @given(data=st.data())
    def test_failed_checks_never_raise_the_score(self, data):
        """One more check that failed, or one that passed and should not have, never helps."""
        summary = data.draw(_whole_calls())
        call = aeq.score(summary)
        failed = summary.codec_misaligned + 1
        more = replace(summary, codec_checks=summary.codec_checks + 1, codec_misaligned=failed)
        assert points(aeq.score(more)) <= points(call)
        if failed <= summary.codec_checks:
            assert points(aeq.score(replace(summary, codec_misaligned=failed))) <= points(call)

    @pytest.mark.parametrize("turns", [1, 511, 512, 513, 5_000, 11_000, 20_000])
    def test_one_more_slow_turn_never_makes_a_long_call_better(self, turns):
        """However long a call is, turns at or over its p95 never lower the value scored."""
        latencies = np.random.default_rng(turns).lognormal(0, 0.6, turns)
        live = CallAccumulator("1.1")
        for seconds in latencies:
            live.turn_response(min(300.0, float(seconds)))
        before = aeq.score(live.freeze(duration=60.0))
        for more in (0.0, 0.01, 5.0):
            live.turn_response(before.factor("latency").value + more)
            after = aeq.score(live.freeze(duration=60.0))
            assert after.factor("latency").value >= before.factor("latency").value * (1 - 1e-12)
            assert after.score <= before.score
            before = after


def smooth(draw, n, low, high):
    """Return n values that rise evenly, or ever faster, between two bounds."""
    first, last = sorted((draw(st.floats(low, high)), draw(st.floats(low, high))))
    curve = draw(st.sampled_from([1.0, 1.5]))
    return tuple(first + (last - first) * ((i + 0.5) / n) ** curve for i in range(n))


@st.composite
def _long_calls(draw):
    """Return calls of 100 turns or more whose values have no gaps."""
    n = draw(st.integers(100, 300))
    reactions = draw(st.sampled_from([0, n]))
    frames = draw(st.integers(50, 9_000))
    fillers = draw(st.integers(0, frames // 10))
    checks = draw(st.integers(0, 20))
    return aeq.CallSummary(
        call_id="1.1",
        duration=600.0,
        turn_latencies=smooth(draw, n, 0.1, 3.5),
        frames_sent=frames,
        underflows=fillers,
        underflow_episodes=draw(st.none() | st.integers(0, fillers)),
        barge_in_reactions=smooth(draw, reactions, 0.1, 1.5) or None,
        codec_checks=checks or None,
        codec_misaligned=draw(st.integers(0, checks)) if checks else None,
        audio={"provider_out": aeq.StageLevels(frames=300, active=280, rms=2_600.0)},
    )


def twice(call):
    """Return the same call twice over; the episodes where none is known stay unknown."""
    episodes, checks = call.underflow_episodes, call.codec_checks
    return replace(
        call,
        duration=2 * call.duration,
        turn_latencies=call.turn_latencies * 2,
        turn_count=2 * len(call.turn_latencies),
        frames_sent=2 * call.frames_sent,
        underflows=2 * call.underflows,
        underflow_episodes=None if episodes is None else 2 * episodes,
        barge_in_reactions=call.barge_in_reactions and call.barge_in_reactions * 2,
        codec_checks=checks and 2 * checks,
        codec_misaligned=checks and 2 * call.codec_misaligned,
    )


class TestLength:
    @given(_long_calls())
    def test_a_call_twice_over_differs_by_at_most_a_point(self, summary):
        """From 100 turns and 50 frames on length is neutral, but at a ceiling's own threshold."""
        once, doubled = aeq.score(summary), aeq.score(twice(summary))
        assume([g.ceiling for g in once.ceilings] == [g.ceiling for g in doubled.ceilings])
        assert abs(once.score - doubled.score) <= 1
        assert once.raw == pytest.approx(doubled.raw, abs=1)
        assert once.coverage == doubled.coverage


class TestSizes:
    @pytest.mark.parametrize("turns", SIZES)
    def test_a_call_of_any_size_is_scored_and_stored(self, turns):
        """From no turn to 20,000 a call has a bounded score that survives JSON unchanged."""
        latencies = np.random.default_rng(turns + 1).lognormal(-0.3, 0.7, turns)
        live = CallAccumulator("1.1")
        live.add_frames_sent(30 * turns)
        for seconds in latencies:
            live.turn_response(min(300.0, float(seconds)))
        summary = live.freeze(duration=60.0)
        call = aeq.score(summary)
        stored = json.dumps(summary.to_dict())
        assert 0 <= call.score <= 100
        assert aeq.score(aeq.CallSummary.from_dict(json.loads(stored))) == call
        assert len(stored) < 40_000
        assert call.turns == turns

    @pytest.mark.parametrize("turns", SIZES[1:])
    @pytest.mark.parametrize("kind", ["uniform", "lognormal", "bimodal", "constant", "tiny"])
    def test_the_value_scored_is_numpys_percentile(self, kind, turns):
        """Up to 512 turns the p95 is numpy's; beyond it is at most 1 % above, never below."""
        chance = np.random.default_rng(turns)
        latencies = {
            "uniform": chance.uniform(0.2, 5, turns),
            "lognormal": np.minimum(300, chance.lognormal(0, 0.8, turns)),
            "bimodal": np.where(chance.random(turns) < 0.94, 0.8, 9.0),
            "constant": np.full(turns, 0.9),
            "tiny": chance.uniform(0.0002, 0.002, turns),
        }[kind]
        live = CallAccumulator("1.1")
        for seconds in latencies:
            live.turn_response(float(seconds))
        value = aeq.score(live.freeze(duration=60.0)).factor("latency").value
        expected = float(np.percentile(latencies, 95))
        if turns <= 512:
            assert value == pytest.approx(expected, rel=1e-12)
        assert expected * (1 - 1e-12) <= value <= expected * 1.01 * (1 + 1e-12)
