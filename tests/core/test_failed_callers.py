"""Policy v3: calls that failed their caller, though the engine says nothing of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ai_engine_quality as aeq
from ai_engine_quality.core.summary import HeardCall

Levels = aeq.StageLevels
SPEECH = Levels(frames=300, active=280, rms=2_600.0, flatness=0.012)
CALLER = Levels(frames=1_500, active=400, rms=1_800.0)
BOTH_HEARD = HeardCall(factors=("latency", "barge_in", "underflow"), caller_voice=20.0)

HEALTHY = aeq.CallSummary(
    call_id="1761532874.2245",
    duration=60.0,
    turn_latencies=(0.4,) * 20,
    frames_sent=1_000,
    underflows=0,
    audio={"transport_out:stream": SPEECH, "transport_in": CALLER},
    heard=replace(BOTH_HEARD, answers=10, answers_cut=0, given=20.0, lost=0.0, first_word=0.5),
)
GREETING = replace(HEALTHY, turn_latencies=None, turn_count=None, heard=None)
"""The agent spoke, and no turn was measured."""


def scored(call=HEALTHY, policy=aeq.DEFAULT_POLICY, **changes):
    """Return the score of a call with some facts changed."""
    return aeq.score(replace(call, **changes), policy)


def heard(**facts):
    """Return the healthy call's ear with some facts changed."""
    return replace(HEALTHY.heard, **facts)


def rules(call):
    """Return the rules of the ceilings over a call."""
    return {ceiling.rule for ceiling in call.ceilings}


def test_a_healthy_call_has_no_ceiling():
    """Nothing holds a call in which both sides were heard and nothing was wrong."""
    assert (scored().score, scored().ceilings) == (100, ())


def test_holes_in_answers_are_no_slow_speech():
    """Half of the agent's voice was holes: its words came at the usual pace in between."""
    facts = heard(agent_voice=20.0, holes=9, hole_seconds=10.0)
    assert "wrong_speed" not in rules(scored(agent_characters=160, heard=facts))
    assert "wrong_speed" in rules(scored(agent_characters=160, heard=heard(agent_voice=20.0)))


class TestProvider:
    def test_a_provider_that_was_lost_fails_the_call(self):
        """Four good turns before it don't help: 0, and the explanation names it."""
        call = scored(provider_lost=True)
        assert (call.score, rules(call)) == (0, {"provider_lost"})
        assert "a provider that was lost in mid-call" in call.explain()

    def test_it_is_scored_however_short_the_call(self):
        """A ceiling of 0 comes before every reason not to score."""
        assert scored(GREETING, provider_lost=True, duration=6.0).score == 0


class TestUnheardCaller:
    @pytest.mark.parametrize(
        ("facts", "held"),
        [
            ({}, True),
            ({"duration": 19.9}, False),
            ({"duration": 20.0}, True),
            ({"heard": HeardCall(caller_dead=False)}, False),
            ({"heard": None}, False),
            ({"audio": {"transport_out:stream": SPEECH}}, False),
            ({"audio": {"transport_in": Levels(frames=49)}}, False),
            ({"audio": {"transport_in": Levels(frames=50)}}, True),
            ({"frames_sent": None, "audio": {"transport_in": Levels(frames=50)}}, False),
        ],
    )
    def test_each_of_its_conditions_counts(self, facts, held):
        """The agent spoke for 20 s to a measured track with nothing over digital silence."""
        dead = replace(
            GREETING,
            heard=HeardCall(caller_dead=True),
            audio={"transport_out:stream": SPEECH, "transport_in": Levels(frames=1_500)},
        )
        call = scored(dead, **facts)
        assert ("caller_unheard" in rules(call)) is held
        assert not held or (call.score, call.band) == (59, "poor")


class TestIgnoredCaller:
    @pytest.mark.parametrize("duration", [5.0, 25.0, 29.9, 30.0, 300.0])
    def test_a_caller_who_spoke_in_vain_is_ignored_at_any_length(self, duration):
        """Three seconds of words and nothing that answered: 59 at most, and never unscored."""
        call = scored(GREETING, duration=duration)
        assert (call.score, call.band) == (59, "poor")
        assert "caller_ignored" in rules(call)

    def test_it_is_scored_where_nothing_else_was_observed(self):
        """An outage that was seen is not left unscored for want of anything else."""
        call = scored(GREETING, frames_sent=None, underflows=None, audio={"transport_in": CALLER})
        assert (call.score, call.coverage) == (59, 0)

    def test_a_caller_who_hung_up_at_once_did_not_wait(self):
        """Both sides were heard, and no words waited: it was a hang-up in the greeting."""
        call = scored(GREETING, duration=12.0, heard=BOTH_HEARD)
        assert call.unscored_reason == "no_conversation"

    def test_a_noisy_line_is_no_caller_who_spoke(self):
        """A line that is loud all the time and has no words: a hang-up in the greeting."""
        noise = Levels(frames=600, active=600, rms=400.0)
        audio = {"transport_out:stream": SPEECH, "transport_in": noise}
        call = scored(GREETING, duration=12.0, audio=audio, heard=HeardCall(caller_voice=0.0))
        assert call.unscored_reason == "no_conversation"

    @pytest.mark.parametrize(
        ("version", "answers", "held"),
        [("v3", 3, False), ("v3", 2, True), ("v3", None, True), ("v2", 3, True), ("v1", 3, True)],
    )
    def test_who_is_answered_in_noise_is_not_ignored(self, version, answers, held):
        """The caller can't be told from the noise, so no turn was measured; the agent goes on."""
        heard = HeardCall(cannot_hear="the caller's voice can't be told", answers=answers)
        call = scored(GREETING, aeq.Policy.load(version), duration=60.0, heard=heard)
        assert ("caller_ignored" in rules(call)) is held
        assert call.score is not None
        assert call.score < 90

    def test_v1_and_v2_ask_for_30_seconds(self):
        """They give every stored call the number that it had."""
        for version in ("v1", "v2"):
            call = scored(GREETING, aeq.Policy.load(version), duration=25.0)
            assert call.unscored_reason == "no_conversation"


class TestLostAudio:
    @pytest.mark.parametrize(
        ("lost", "top"),
        [(0.0, 100), (0.99, 100), (1.0, 89), (2.99, 89), (3.0, 74), (5.99, 74), (6.0, 59)],
    )
    def test_its_share_of_what_was_given_has_ceilings(self, lost, top):
        """5, 15 and 30 % of 20 s that were given and never played: 89, 74 and 59."""
        assert scored(heard=heard(lost=lost)).score == top

    def test_nothing_is_known_where_nobody_says_what_was_given(self):
        """Without the provider's seconds nothing is lost."""
        assert scored(heard=heard(given=None, lost=None)).ceilings == ()

    def test_it_is_scored_in_a_call_of_a_greeting_alone(self):
        """A fifth of the greeting lost, and a hang-up: charged, not left unscored."""
        call = scored(GREETING, duration=24.0, heard=heard(lost=4.0))
        assert call.score == 74


class TestCutAnswers:
    @pytest.mark.parametrize(
        ("answers", "cut", "held"),
        [
            (8, 8, True),
            (6, 3, True),
            (7, 3, False),
            (4, 3, True),
            (4, 2, False),
            (3, 3, False),
            (3, 4, True),
            (None, None, False),
        ],
    )
    def test_half_of_at_least_four_and_three_of_them(self, answers, cut, held):
        """An agent that is cut off again and again is fair at most."""
        call = scored(heard=heard(answers=answers, answers_cut=cut))
        assert (rules(call) == {"cut_answers"}) is held
        assert call.score == (74 if held else 100)


class TestBargeIns:
    def test_what_was_counted_and_not_timed_is_said(self):
        """Never "not observed": the number stands in both explanations, and costs nothing."""
        call = scored(barge_ins=8)
        assert call.factor("barge_in").evidence == "8 barge-ins, none timed"
        assert (call.factor("barge_in").observed, call.score) == (False, 100)
        assert "8 barge-ins, none timed" in call.explain()
        assert "8 barge-ins, none timed" in call.explain(full=True)

    @pytest.mark.parametrize(
        ("barge_ins", "turns", "held"), [(30, 10, True), (20, 10, False), (9, 1, False)]
    )
    def test_more_of_them_than_a_conversation_has_is_not_excellent(self, barge_ins, turns, held):
        """Ten or more, over two for each turn, none timed: 89 at most."""
        call = scored(barge_ins=barge_ins, turn_latencies=(0.4,) * turns, turn_count=None)
        assert (call.score < 90) is held


class TestTalkOver:
    @pytest.mark.parametrize(("times", "score"), [(0, 100), (1, 100), (2, 89), (None, 100)])
    def test_speaking_at_once_again_is_not_excellent(self, times, score):
        """Once can happen; twice holds the call to 89."""
        assert scored(heard=heard(talk_overs=times)).score == score


class TestLateGreeting:
    @pytest.mark.parametrize(
        ("seconds", "score"), [(None, 100), (4.99, 100), (5.0, 89), (9.99, 89), (10.0, 74)]
    )
    def test_the_first_word_has_ceilings(self, seconds, score):
        """5 and 10 s until the agent was first heard: 89 and 74."""
        assert scored(heard=heard(first_word=seconds)).score == score

    def test_a_file_may_have_been_the_greeting(self):
        """Where a file was played the caller heard something before the stream."""
        assert scored(heard=heard(first_word=12.0), files_played=1).score == 100


class TestNeverHeard:
    def test_a_file_that_was_played_is_no_silence(self):
        """No frame was sent, but the caller heard a file."""
        silent = replace(GREETING, frames_sent=0, audio={})
        assert scored(silent).score == 0
        assert scored(silent, files_played=1).score != 0


FAILED = {"codec_checks": 20, "codec_misaligned": 20, "codec_details": {"mulaw>slin": 20}}


class TestBridgedFormats:
    def test_clean_speech_overrules_a_failed_check(self):
        """The caller hears clean speech: a bridge on purpose, which costs nothing."""
        call = scored(**FAILED)
        factor = call.factor("codec")
        assert (call.score, factor.penalty, factor.observed) == (100, 0, True)
        assert factor.evidence.startswith("bridged: 20 of 20 checks failed: mulaw>slin")

    def test_noise_is_no_bridge(self):
        """Where the agent was measured to be noise the checks were right."""
        noise = Levels(frames=300, active=280, rms=18_604.0, flatness=0.51)
        call = scored(audio={"transport_out:stream": noise}, **FAILED)
        assert (call.factor("codec").penalty, call.score) == (10, 20)

    def test_without_measured_frames_the_check_decides(self):
        """As in v1: levels alone don't tell noise from speech."""
        unchecked = replace(SPEECH, flatness=None)
        call = scored(audio={"transport_out:stream": unchecked}, **FAILED)
        assert call.factor("codec").penalty == 10


class TestNotScored:
    @pytest.mark.parametrize("outcome", ["voicemail", "machine_detected", "voicemail_dropped"])
    def test_a_mailbox_is_no_caller(self, outcome):
        """What it said to nobody is not judged: the agent did not even have to speak."""
        silent = replace(GREETING, frames_sent=0, audio={"transport_in": CALLER})
        call = scored(silent, outcome=outcome)
        assert (call.score, call.unscored_reason) == (None, "voicemail")

    def test_a_call_whose_end_never_came_has_no_score(self):
        """Whatever was observed of it, nobody knows how it went on."""
        call = scored(outcome="expired", duration=None)
        assert (call.score, call.unscored_reason) == (None, "expired")

    def test_a_failure_comes_first(self):
        """A mailbox that the engine failed at is a failed call."""
        assert scored(outcome="voicemail", failed=True).score == 0

    def test_v1_and_v2_score_them_as_before(self):
        """They give every stored call the number that it had."""
        for version in ("v1", "v2"):
            policy = aeq.Policy.load(version)
            assert scored(policy=policy, outcome="expired", duration=14_400.0).score == 100
            assert scored(policy=policy, outcome="voicemail").score == 100


class TestWords:
    def test_a_value_that_was_only_told_says_so_where_the_clock_starts_late(self):
        """Whoever reads a latency learns that the caller waited longer."""
        call = scored(heard=None, clock_starts_late=True)
        assert "told by a clock that starts late" in call.factor("latency").evidence
        assert "told by" not in scored(clock_starts_late=True).factor("latency").evidence

    def test_what_was_dropped_is_said_where_there_is_no_score(self):
        """A call whose values were all wrong says so, instead of only that there were none."""
        call = replace(
            aeq.score(aeq.CallSummary(call_id="1.1", duration=60.0)),
            dropped={"turn:out_of_range": 4, "frame count:negative": 1},
        )
        line = call.explain()
        assert "4 turns were reported and dropped: out_of_range" in line
        assert "1 frame count was reported and dropped: negative" in line
        assert aeq.CallScore.from_dict(call.to_dict()) == call

    def test_what_was_not_measured_is_named(self):
        """The full explanation ends with what nobody listened for in this call."""
        last = scored(GREETING, audio={}).explain(full=True).splitlines()[-1]
        for words in (
            "speed (no text, and too little of the agent's voice)",
            "caller's side",
            "noise (no raw frames",
        ):
            assert words in last
        told = {"agent_characters": 400, "packets_sent": 900, "packets_lost": 0}
        last = scored(**told).explain(full=True).splitlines()[-1]
        assert last == (
            "  not measured: clicks, held samples, repeated frames (too few of the agent's raw "
            "frames), lost beginnings and ends of sentences, low-rate codecs, mild aliasing"
        )

    def test_a_speed_that_the_voice_alone_tells_is_not_called_unmeasured(self):
        """Without text the pace of the words is what nobody knows: the voice was listened to."""
        voice = replace(SPEECH, sound=aeq.AgentSound(pitch=180.0))
        last = scored(audio={"transport_out": voice}).explain(full=True).splitlines()[-1]
        assert "the pace of the agent's words (no text; its voice alone was listened to)" in last
        assert "speed" not in last

    def test_barge_ins_that_nobody_could_time_are_named(self):
        """Without hints the ear can't time a barge-in; where the engine timed one, it is known."""
        words = "how soon the agent gives way (nobody said what the provider gave)"
        for heard, reactions, named in (
            (HeardCall(factors=("latency",)), None, True),
            (HeardCall(factors=("latency",)), (0.3,), False),
            (HeardCall(factors=("latency", "underflow", "barge_in")), None, False),
        ):
            call = scored(heard=heard, barge_in_reactions=reactions)
            assert (words in call.explain(full=True)) is named

    def test_one_fallback_is_no_plural(self):
        """A ceiling that one event sets says so."""
        held = {top.rule: top.reason for top in scored(fallbacks=1).ceilings}
        assert held["fallback"] == "1 fallback or more"

    def test_of_two_ceilings_as_low_the_one_of_a_fault_is_named(self):
        """What was found explains a call, rather than what was not observed."""
        call = scored(heard=HeardCall(talk_overs=3), frames_sent=None, underflows=None)
        assert [top.ceiling for top in call.ceilings] == [89, 89]
        assert call.deciding_ceiling.rule == "talk_over"
        assert "held to 89 by caller and agent speaking at once 3 times" in call.explain()


class TestPacketsLostOnTheWay:
    """What the caller's phone says of the line."""

    @pytest.mark.parametrize(
        ("lost", "most"), [(6, 100), (15, 89), (30, 84), (100, 74), (200, 64), (400, 54)]
    )
    def test_the_more_is_lost_the_less_a_call_can_have(self, lost, most):
        """Of 2,000 packets: where speech is heard as no better, and the reason has the share."""
        found = scored(packets_sent=2_000, packets_lost=lost)
        assert found.score == min(most, scored().score)
        if most < 100:
            assert "of the packets to the phone lost" in found.explain()

    def test_the_first_seconds_say_nothing(self):
        """Of 249 packets, under 5 s, no share is told from."""
        assert scored(packets_sent=249, packets_lost=80).score == scored().score
        assert scored(packets_sent=250, packets_lost=80).score == 54

    def test_a_policy_from_before_does_not_know_of_it(self):
        """v1 and v2 give such a call the number that they gave."""
        for version in ("v1", "v2"):
            policy = aeq.Policy.load(version)
            lossy = replace(HEALTHY, packets_sent=2_000, packets_lost=400)
            assert aeq.score(lossy, policy).score == aeq.score(HEALTHY, policy).score

    @given(st.integers(250, 10_000), st.data())
    def test_one_more_never_raises_the_score(self, sent, data):
        """Monotone: of as many packets, more lost ones never help."""
        lost = data.draw(st.integers(0, sent - 1))
        before = scored(packets_sent=sent, packets_lost=lost).score
        assert scored(packets_sent=sent, packets_lost=lost + 1).score <= before


@st.composite
def calls(draw):
    """Return a call with any facts that v3 looks at, as an ear and an engine may give them."""
    some = st.none() | st.integers(0, 12)
    seconds = st.none() | st.floats(0, 30)
    ear = HeardCall(
        factors=draw(st.sampled_from([(), ("latency",), BOTH_HEARD.factors])),
        caller_voice=draw(seconds),
        caller_dead=draw(st.none() | st.booleans()),
        answers=draw(some),
        answers_cut=draw(some),
        talk_overs=draw(some),
        given=draw(seconds),
        lost=draw(seconds),
        first_word=draw(seconds),
    )
    return replace(
        HEALTHY,
        duration=draw(st.none() | st.floats(0, 400)),
        turn_latencies=draw(st.none() | st.just((0.4, 0.9))),
        turn_count=None,
        unanswered=draw(st.none() | st.lists(st.floats(0, 60), max_size=3).map(tuple)),
        frames_sent=draw(st.none() | st.integers(0, 5_000)),
        files_played=draw(some),
        barge_ins=draw(st.none() | st.integers(0, 40)),
        provider_lost=draw(st.booleans()),
        outcome=draw(st.sampled_from([None, "completed", "voicemail", "expired"])),
        heard=draw(st.none() | st.just(ear)),
        audio=draw(st.sampled_from([{}, {"transport_in": CALLER}, HEALTHY.audio])),
        packets_sent=draw(st.none() | st.integers(0, 5_000)),
        packets_lost=draw(st.none() | st.integers(0, 900)),
    )


@given(calls())
def test_band_ceilings_and_score_agree(call):
    """No score is over its lowest ceiling, and an outage that was seen is never left unscored."""
    found = aeq.score(call)
    if found.score is None:
        assert found.unscored_reason
        assert found.unscored_reason in ("voicemail", "expired") or not (
            rules(found) & {"provider_lost", "caller_unheard", "caller_ignored", "lost_audio"}
        )
    else:
        assert found.score <= min((top.ceiling for top in found.ceilings), default=100)
        assert found.band is aeq.DEFAULT_POLICY.band(found.score)


@given(calls())
def test_a_stored_call_scores_the_same(call):
    """Through JSON and back, a call keeps its number by every policy."""
    stored = aeq.CallSummary.from_dict(call.to_dict())
    for version in ("v1", "v2", "v3"):
        policy = aeq.Policy.load(version)
        assert aeq.score(stored, policy) == aeq.score(call, policy)


@given(calls())
def test_v3_is_never_kinder_than_v2_to_a_call_that_both_score(call):
    """v3 adds ceilings; only a failed format check costs less, and there are none here."""
    old, new = (aeq.score(call, aeq.Policy.load(version)) for version in ("v2", "v3"))
    if old.score is not None and new.score is not None:
        assert new.score <= old.score or call.files_played
