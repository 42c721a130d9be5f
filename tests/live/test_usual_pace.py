"""What pace is usual for a provider's voice, and what becomes of a call at another one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from ai_engine_lab.engine.speech import synthesise_speech
from ai_engine_lab.evidence.distortions import KINDS
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

import ai_engine_quality as aeq
from ai_engine_quality.live.baseline import MAX_PROVIDERS, MIN_CALLS
from ai_engine_quality.live.usual_pace import CALLS, CHANGED_CALLS, UsualPaces

POLICY = aeq.DEFAULT_POLICY
VOICE = 10.0
"""Seconds in which the agent was heard."""

PACES = st.integers(13, 15).map(float)
"""Characters a second of one voice: all within a sixth of their median."""


def call(pace, provider="deepgram", **more):
    """Return a call whose agent spoke for ten seconds, at a pace, and in which all else is well."""
    return aeq.CallSummary(
        call_id="1.1",
        provider=provider,
        duration=60.0,
        turn_latencies=(0.4,) * 20,
        frames_sent=500,
        underflows=0,
        agent_characters=round(pace * VOICE),
        heard=aeq.HeardCall(agent_voice=VOICE),
        **more,
    )


def end(paces, pace, **more):
    """End a call beside what is usual, and return its score."""
    score = aeq.score(paces.beside(call(pace, **more)), POLICY)
    paces.remember(score)
    return score


def learned(pace=14.0, calls=MIN_CALLS, **more):
    """Return the paces after some calls at one pace."""
    paces = UsualPaces(POLICY)
    for _ in range(calls):
        end(paces, pace, **more)
    return paces


def wrong(score):
    """Return whether a call is held by a wrong speed."""
    return any(ceiling.rule == "wrong_speed" for ceiling in score.ceilings)


class TestWhatIsUsual:
    @given(st.lists(PACES, min_size=MIN_CALLS, max_size=CALLS + 30))
    def test_it_is_the_median_of_the_latest_calls(self, spoken):
        """From 20 calls on, the median of the last 100 is what counting gives."""
        paces = UsualPaces(POLICY)
        for pace in spoken:
            end(paces, pace)
        latest = sorted(spoken[-CALLS:])
        assert paces.beside(call(14.0)).usual_pace == latest[len(latest) // 2]

    @given(st.lists(PACES, min_size=MIN_CALLS, max_size=CALLS), st.randoms(use_true_random=False))
    def test_the_order_of_the_calls_does_not_matter(self, spoken, chance):
        """Up to 100 calls, in any order, have the same usual pace."""
        shuffled = list(spoken)
        chance.shuffle(shuffled)
        found = []
        for order in (spoken, shuffled):
            paces = UsualPaces(POLICY)
            for pace in order:
                end(paces, pace)
            found.append(paces.beside(call(14.0)).usual_pace)
        assert found[0] == found[1]

    def test_fewer_than_twenty_calls_have_none(self):
        """The first twenty calls of a provider have no usual pace; the next one has."""
        assert learned(calls=MIN_CALLS - 1).beside(call(14.0)).usual_pace is None
        assert learned().beside(call(14.0)).usual_pace == 14.0

    def test_it_is_of_one_provider_and_one_pipeline(self):
        """Each pair has a voice of its own; a call of an unknown provider has none."""
        paces = learned(pipeline="german")
        assert paces.beside(call(14.0, pipeline="german")).usual_pace == 14.0
        for other in (call(14.0), call(14.0, "openai_realtime"), call(14.0, None)):
            assert paces.beside(other).usual_pace is None

    def test_what_says_nothing_of_the_voice_is_left_out(self):
        """A short word, text that was told in part, and an interrupted answer enter nothing."""
        for facts in (
            {"heard": aeq.HeardCall(agent_voice=POLICY.sound.usual_seconds - 0.1)},
            {"agent_characters": 20},
            {"agent_characters": None},
            {"barge_ins": 1},
        ):
            paces = UsualPaces(POLICY)
            for _ in range(MIN_CALLS):
                paces.remember(aeq.score(replace(call(14.0), **facts), POLICY))
            assert paces.beside(call(14.0)).usual_pace is None, facts

    def test_memory_is_bounded(self):
        """Beyond 50 voices none is added, and none keeps more than 100 calls."""
        paces = UsualPaces(POLICY)
        for number in range(MAX_PROVIDERS + 5):
            for _ in range(CALLS + 5):
                end(paces, 14.0, provider=f"provider_{number}")
        assert len(paces._voices) == MAX_PROVIDERS
        assert {len(one._paces._sorted) for one in paces._voices.values()} == {CALLS}


class TestCallsAtAnotherPace:
    def test_one_and_a_half_times_the_usual_pace_is_wrong_within_the_free_zone(self):
        """21 characters a second, where 14 are usual: 20 at most, and it says so."""
        assert POLICY.sound.slow < 21 < POLICY.sound.fast
        score = end(learned(), 21.0)
        assert score.score == 20
        assert (
            "agent at one and a half times its speed: 21 characters a second, usual here 14"
            in score.explain()
        )

    def test_faulty_calls_don_t_become_usual(self):
        """A third of the calls are wrong for hours: each is found, and the usual stays."""
        paces = learned()
        for _ in range(60):
            assert wrong(end(paces, 21.0))
            assert not wrong(end(paces, 14.0))
            assert not wrong(end(paces, 14.2))
        assert paces.beside(call(14.0)).usual_pace == pytest.approx(14.0, abs=0.2)

    @pytest.mark.parametrize(("before", "after"), [(14.0, 20.5), (20.5, 14.0)])
    def test_a_voice_that_was_changed_for_good_is_learned_anew(self, before, after):
        """It is wrong for 20 calls, and usual from the 40th on: then the old one is wrong."""
        paces = learned(before)
        found = [wrong(end(paces, after)) for _ in range(100)]
        assert found == [True] * CHANGED_CALLS + [False] * (100 - CHANGED_CALLS)
        assert paces.beside(call(14.0)).usual_pace == after
        assert wrong(end(paces, before))

    def test_what_no_voice_does_never_becomes_usual(self):
        """A provider at double speed from its first call on is wrong at each."""
        paces = UsualPaces(POLICY)
        assert all(wrong(end(paces, 28.0)) for _ in range(100))
        assert paces.beside(call(14.0)).usual_pace is None

    def test_what_no_voice_does_changes_nothing_that_was_learned(self):
        """A fault at double speed that stays is no changed voice: it is wrong at each call."""
        paces = learned()
        assert all(wrong(end(paces, 28.0)) for _ in range(100))
        assert paces.beside(call(14.0)).usual_pace == 14.0

    def test_two_voices_of_one_provider_have_no_usual_pace(self):
        """One in four calls has a quick voice, from the first on: neither is wrong."""
        paces = UsualPaces(POLICY)
        assert not any(wrong(end(paces, 14.0 if n % 4 else 20.5)) for n in range(200))

    def test_a_policy_can_leave_it_out(self):
        """With 0 octaves what is usual doesn't count."""
        policy = POLICY.with_changes({"sound": {"usual_octaves": 0}})
        assert not wrong(aeq.score(call(21.0, usual_pace=14.0), policy))

    @pytest.mark.parametrize("version", ["v1", "v2"])
    def test_earlier_policies_don_t_know_it(self, version):
        """A call keeps the score that an earlier policy gave it."""
        policy = aeq.Policy.load(version)
        assert (
            aeq.score(call(21.0, usual_pace=14.0), policy).score
            == aeq.score(call(21.0), policy).score
        )


def played(call, samples):
    """Let the agent of a call say samples of 8 kHz, in frames of 20 ms."""
    data = np.clip(np.round(samples), -32_768, 32_767).astype("<i2").tobytes()
    for at in range(0, len(data) - 319, 320):
        call.audio("transport_out", data[at : at + 320], encoding="slin16", sample_rate=8_000)


def test_the_monitor_compares_a_call_with_the_calls_before_it(tmp_path):
    """24 calls of a voice, then one that is played 1.5 times too fast: it alone is wrong.

    Its record scores the same, with nothing else known.
    """
    path = tmp_path / "calls.jsonl"
    quality = aeq.QualityMonitor(registry=CollectorRegistry(), log=False, records=path)
    whole = b"".join(prompt.linear for prompt in synthesise_speech().agent)
    voice = np.resize(np.frombuffer(whole, dtype="<i2"), 80_000).astype(np.float64)
    quick = KINDS["rate"].distort(voice, 8_000, 1.5, np.random.default_rng(0))
    scores = []
    for number in range(25):
        quality.call_started(f"1.{number}", provider="deepgram")
        handle = quality.call(f"1.{number}")
        for _ in range(20):
            handle.turn_response(0.4)
        handle.frames_sent(400)
        handle.underflow(0)
        played(handle, voice if number < 24 else np.tile(quick, 2))
        handle.words_spoken(140 if number < 24 else 280)
        scores.append(handle.call_ended(duration=60.0))
    quality.close()
    assert [wrong(score) for score in scores] == [False] * 24 + [True]
    assert "usual here 1" in scores[-1].explain()
    seemed = scores[0].summary.audio["transport_out"].sound.speed
    assert scores[-1].summary.usual_speed == pytest.approx(seemed, abs=0.001)
    stored = json.loads(path.read_text().splitlines()[-1])
    again = aeq.score(aeq.CallSummary.from_dict(stored["summary"]), POLICY)
    assert (again.score, again.ceilings) == (scores[-1].score, scores[-1].ceilings)
