"""A wrong speed: by the text against all voices, and against what is usual for the provider."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import ai_engine_quality as aeq

RULE = aeq.DEFAULT_POLICY.sound
STAGE = "transport_out"


def call(pace, seems=0.0, *, voice=20.0, pitch=None, below=5.0, fall=10.0, low=0.3, **facts):
    """Return a call in which all is well but for the pace and the seeming speed of its agent."""
    sound = aeq.AgentSound(
        checked=100,
        noise=0.001,
        wavers=9.0,
        speed=seems,
        lively=0.16,
        pitch=pitch,
        below=below if pitch else None,
        fall=fall if pitch else None,
        low=low,
    )
    levels = aeq.StageLevels(frames=1_000, active=700, rms=2_600.0, sound=sound)
    return replace(
        aeq.CallSummary(
            call_id="1.1",
            duration=60.0,
            turn_latencies=(0.4,) * 20,
            frames_sent=1_000,
            underflows=0,
            agent_characters=round(pace * voice),
            heard=aeq.HeardCall(agent_voice=voice),
            audio={STAGE: levels},
        ),
        **facts,
    )


def wrong(summary):
    """Return whether a call is held by a wrong speed."""
    return any(ceiling.rule == "wrong_speed" for ceiling in aeq.score(summary).ceilings)


PACES = st.floats(3.5, 60)
FREE = st.floats(RULE.slow + 0.1, RULE.fast - 0.1)
"""Within the zone that is free for all voices."""

SEEMS = st.floats(-2, 2)
USUAL = {"usual_pace": st.floats(5, 40), "usual_speed": st.none() | SEEMS}


@pytest.mark.parametrize(
    ("pace", "seems", "held"),
    [
        (14.0, 0.0, False),
        (21.0, 0.59, True),  # played 1.5 times too fast: both witnesses moved
        (21.0, 0.1, False),  # a livelier answer: its spectrum stayed
        (21.0, -0.6, False),
        (21.0, None, True),  # nothing but the pace is known
        (18.5, None, False),
        (17.0, 0.9, False),  # the pace itself hardly moved
        (13.0, -0.6, False),
    ],
)
def test_both_witnesses_decide_beside_the_usual(pace, seems, held):
    """Where 14 characters a second are usual, each within the zone that is free for all."""
    summary = call(pace, seems, usual_pace=14.0, usual_speed=0.0)
    assert RULE.slow < pace < RULE.fast
    assert wrong(summary) is held
    assert not wrong(replace(summary, usual_pace=None))


def test_a_slow_call_of_a_quick_voice_is_wrong():
    """13 characters a second, where 20 are usual: two thirds of its speed, and it says so."""
    summary = call(13.3, -0.6, usual_pace=20.0, usual_speed=0.0)
    words = "agent at two thirds of its speed: 13 characters a second, usual here 20"
    assert words in aeq.score(summary).explain()


def test_a_pace_that_is_usual_here_is_wrong_where_no_voice_has_it():
    """A provider at double speed from its first call on is not excused by its own past."""
    score = aeq.score(call(29.0, 1.0, usual_pace=29.0, usual_speed=1.0))
    assert wrong(score.summary)
    assert "usual here" not in score.explain()


@pytest.mark.parametrize(
    "facts",
    [
        {"barge_ins": 2},
        {"heard": aeq.HeardCall(agent_voice=20.0, answers_cut=1)},
        {"heard": aeq.HeardCall(agent_voice=20.0, lost=1.0)},
        {"heard": aeq.HeardCall(agent_voice=None)},
        {"heard": None},
        {"agent_characters": None},
        {"agent_characters": 0},
    ],
)
def test_where_the_pace_is_not_known_nothing_is_compared(facts):
    """An interrupted or lost answer has more text than sound; without text there is no pace."""
    summary = call(21.0, 0.6, usual_pace=14.0, usual_speed=0.0)
    assert wrong(summary)
    assert not wrong(replace(summary, **facts))


def test_too_little_voice_is_not_compared():
    """A pace of under 4 s of voice is no average."""
    for voice, held in ((RULE.usual_seconds, True), (RULE.usual_seconds - 0.1, False)):
        assert wrong(call(21.0, 0.6, voice=voice, usual_pace=14.0, usual_speed=0.0)) is held


@given(FREE, FREE, SEEMS | st.none(), st.fixed_dictionaries(USUAL))
def test_further_from_the_usual_is_never_better(one, other, seems, usual):
    """Of two paces on the same side of the usual one, the further never scores higher."""
    near, far = sorted((one, other), key=lambda pace: abs(pace - usual["usual_pace"]))
    assume((near - usual["usual_pace"]) * (far - usual["usual_pace"]) > 0)
    assert aeq.score(call(far, seems, **usual)).score <= aeq.score(call(near, seems, **usual)).score


@given(st.floats(14, 60), SEEMS, st.floats(0, 2), st.fixed_dictionaries(USUAL))
def test_a_quick_call_that_seems_quicker_is_never_better(pace, seems, more, usual):
    """Over the usual pace, a spectrum that moved up further never helps."""
    usual["usual_pace"] = min(usual["usual_pace"], pace)
    quick, quicker = (call(pace, speed, **usual) for speed in (seems, seems + more))
    assert aeq.score(quicker).score <= aeq.score(quick).score


@given(PACES, SEEMS | st.none(), st.fixed_dictionaries(USUAL))
def test_knowing_what_is_usual_excuses_nothing(pace, seems, usual):
    """What is wrong for all voices stays so, whatever is usual here."""
    known, unknown = call(pace, seems, **usual), call(pace, seems)
    assert aeq.score(known).score <= aeq.score(unknown).score


@given(PACES, SEEMS | st.none(), st.fixed_dictionaries(USUAL))
def test_a_stored_call_scores_the_same(pace, seems, usual):
    """Through JSON and back, with what was usual when it ended: the same score and words."""
    summary = call(pace, seems, **usual)
    again = aeq.CallSummary.from_dict(json.loads(json.dumps(summary.to_dict())))
    assert again == summary
    assert aeq.score(again) == aeq.score(summary)


def test_a_record_of_an_earlier_version_has_no_usual_pace():
    """A stored call without the fields is read, and judged by its pace alone."""
    stored = call(21.0, 0.6).to_dict()
    del stored["usual_pace"], stored["usual_speed"]
    assert aeq.CallSummary.from_dict(stored) == call(21.0, 0.6)


@pytest.mark.parametrize("version", ["v1", "v2"])
@given(PACES, SEEMS | st.none(), st.fixed_dictionaries(USUAL))
def test_earlier_policies_don_t_look_at_it(version, pace, seems, usual):
    """By v1 and v2 a call has the score that it always had."""
    policy = aeq.Policy.load(version)
    scored = [aeq.score(call(pace, seems, **more), policy) for more in (usual, {})]
    assert scored[0].score == scored[1].score == aeq.score(call(16.0), policy).score


USUAL_VOICE = {"pitch": RULE.pitch, "below": RULE.below, "fall": RULE.fall}
FAST_VOICE = {"pitch": 260.0, "below": 1.0, "fall": 7.0}
SLOW_VOICE = {"pitch": 110.0, "below": 7.5, "fall": 8.0}
"""Higher, and lower, than nearly all voices are."""

FILTERED = {"pitch": 200.0, "below": -11.0, "fall": 0.0}
"""As what a high-pass filter leaves of a voice."""

VOICES = st.fixed_dictionaries(
    {"pitch": st.floats(110, 500), "below": st.floats(-5, 15), "fall": st.floats(-5, 20)}
)


@pytest.mark.parametrize(
    ("pace", "voice", "held"),
    [
        (20.0, FAST_VOICE, False),
        (21.5, USUAL_VOICE, False),
        (21.5, FAST_VOICE, True),  # some voices reach it, but this one sounds too fast as well
        (17.0, FAST_VOICE, False),  # a high voice that talks as others do
        (27.0, USUAL_VOICE, True),
        (27.0, SLOW_VOICE, False),  # more text was told than it said
        (12.0, USUAL_VOICE, False),
        (12.0, SLOW_VOICE, True),
        (14.5, SLOW_VOICE, False),
        (8.0, USUAL_VOICE, False),  # half of the text was told
        (8.0, FAST_VOICE, False),
        (8.0, SLOW_VOICE, True),
        (22.1, {}, True),  # the voice tells nothing: the limits for all voices
        (21.9, {}, False),
        (12.4, {}, True),
    ],
)
def test_pace_and_voice_decide_together(pace, voice, held):
    """A wrong rate moves both; a lively talker, or a text that was told in part, only the pace."""
    assert wrong(call(pace, **voice)) is held


def test_too_little_voice_has_no_pace():
    """Of under 3 s of voice the text says nothing."""
    assert wrong(call(40.0, voice=RULE.pace_seconds + 0.1))
    assert not wrong(call(40.0, voice=RULE.pace_seconds - 0.1))


def test_a_voice_that_seems_slower_needs_less_of_a_pace():
    """12.8 characters a second are too few for one that is low, and enough for a usual one."""
    a_little = {"pitch": 140.0, "below": 6.0, "fall": 9.0}
    assert wrong(call(12.8, **SLOW_VOICE))
    assert not wrong(call(12.8, **a_little))
    assert wrong(call(11.0, **a_little))


def test_a_slow_pace_is_told_by_a_text_of_which_part_was_not_heard():
    """More text than sound seems quick; what is slow all the same is slower yet."""
    assert wrong(call(8.0, **SLOW_VOICE, barge_ins=2))
    assert wrong(call(8.0, barge_ins=2))


def test_a_voice_that_always_seems_quick_has_not_moved():
    """What spectrum and rhythm say counts beside what they usually say of this voice."""
    assert wrong(call(21.0, 0.6, usual_pace=14.0, usual_speed=0.3))
    assert not wrong(call(21.0, 0.6, usual_pace=14.0, usual_speed=0.5))


@pytest.mark.parametrize(("pitch", "held"), [(210.0, False), (400.0, True)])
def test_a_call_that_ends_in_an_answer_has_more_text_than_voice(pitch, held):
    """24 characters a second are too many; where the caller hung up amid them, voice decides."""
    voice = {**FAST_VOICE, "pitch": pitch}
    assert wrong(call(24.0, 0.9, **voice))
    heard = aeq.HeardCall(agent_voice=20.0, ended_in_answer=True)
    assert wrong(call(24.0, 0.9, **voice, heard=heard)) is held


@pytest.mark.parametrize(
    ("voice", "rhythm", "words"),
    [
        (USUAL_VOICE, 0.0, None),
        ({**USUAL_VOICE, "pitch": 255.0}, 0.0, None),  # a child's
        ({**FAST_VOICE, "pitch": 400.0}, 0.5, "speech that seems far too quick: its pitch, spec"),
        (SLOW_VOICE, -0.7, "speech that seems far too slow: its pitch, spectrum"),
        ({**FILTERED, "low": 0.008}, 0.9, None),  # nothing is left where its pitch lies
        ({**FILTERED, "low": 0.3}, 0.9, "speech that seems far too quick"),
        ({}, 0.0, None),
    ],
)
def test_without_text_a_voice_that_seems_far_off_is_held(voice, rhythm, words):
    """Two witnesses less: only what no fitted voice comes to is wrong, and it is said how."""
    score = aeq.score(call(16.0, rhythm, **voice, agent_characters=None))
    assert ("seems_wrong_speed" in {ceiling.rule for ceiling in score.ceilings}) == bool(words)
    assert (words or "") in score.explain()


@pytest.mark.parametrize(
    ("pitch", "below", "fall", "rhythm", "held"),
    [
        (326.0, 10.4, 1.2, 0.5, False),  # neural voices at their own speed
        (282.0, 8.0, 2.7, 0.4, False),
        (345.0, 8.5, 5.3, 1.0, False),  # a high voice of espeak-ng's
        (196.0, 8.4, 1.3, 0.7, False),
        (214.0, -2.2, 1.2, 1.7, True),  # a man's at double speed
        (207.0, -11.0, 2.0, 1.8, True),
        (400.0, 1.5, 2.0, 1.5, True),  # a woman's
    ],
)
def test_a_high_voice_is_not_fast_where_its_rhythm_is_a_voice_s_own(
    pitch, below, fall, rhythm, held
):
    """A child's voice is an octave higher than a woman's, and no quicker: measured samples."""
    voice = {"pitch": pitch, "below": below, "fall": fall}
    score = aeq.score(call(16.0, rhythm, **voice, agent_characters=None))
    assert ("seems_wrong_speed" in {ceiling.rule for ceiling in score.ceilings}) is held


@pytest.mark.parametrize(
    ("pace", "pitch", "below", "fall", "rhythm"),
    [(19.5, 230.0, 3.1, 5.6, 0.68), (19.1, 208.0, 4.0, 6.0, 0.53), (18.8, 326.0, 10.4, 1.2, 0.5)],
)
def test_a_lively_woman_who_talks_quickly_is_healthy(pace, pitch, below, fall, rhythm):
    """Neural voices talk at 18 to 20 characters a second, high ones too: measured samples."""
    assert not wrong(call(pace, rhythm, pitch=pitch, below=below, fall=fall))
    assert wrong(call(1.5 * pace, rhythm + 0.6, pitch=1.5 * pitch, below=below - 4, fall=fall - 4))


@pytest.mark.parametrize(
    ("pace", "pitch", "below", "fall", "rhythm"),
    [(23.4, 166.4, 5.8, 6.3, 0.42), (24.7, 169.8, 6.0, 7.1, 0.28), (19.7, 159.8, 1.5, 6.0, 1.1)],
)
def test_a_man_who_is_played_too_fast_has_a_child_s_formants(pace, pitch, below, fall, rhythm):
    """At 1.5 times the rate: measured samples, of which the pitch is that of a low woman."""
    voice = {"pitch": pitch, "below": below}
    assert wrong(call(pace, rhythm, **voice, fall=fall))
    assert not wrong(call(pace, rhythm, **voice, fall=10.5))  # a man's formants: he talks quickly


@given(PACES | st.none(), SEEMS, VOICES, st.floats(1, 2), st.floats(0, 5))
def test_a_fast_voice_that_moves_up_further_is_never_better(pace, seems, voice, times, less):
    """With a higher pitch and a later fall, a call that is too fast stays so."""
    moved = {**voice, "pitch": voice["pitch"] * times, "fall": voice["fall"] - less}
    text = {} if pace else {"agent_characters": None}
    scored = aeq.score(call(pace or 16.0, seems, **voice, **text))
    assume(scored.ceilings and "slow" not in scored.explain() and (pace or 17.0) > RULE.usual)
    assert aeq.score(call(pace or 16.0, seems, **moved, **text)).score <= scored.score


@given(PACES, SEEMS, VOICES)
def test_a_record_from_before_the_voice_was_measured_is_read(pace, seems, voice):
    """Its pace alone is judged, by the limits for all voices."""
    stored = call(pace, seems, **voice).to_dict()
    for name in voice:
        del stored["audio"][STAGE]["sound"][name]
    again = aeq.CallSummary.from_dict(stored)
    assert aeq.score(again).score == aeq.score(call(pace, seems)).score


@given(PACES, SEEMS, VOICES)
def test_noise_in_the_speech_leaves_the_pace_alone(pace, seems, voice):
    """Noise has no pitch: nothing is said of a voice that it hides."""
    summary = call(pace, seems, **voice)
    levels = summary.audio[STAGE]
    noisy = replace(levels, sound=replace(levels.sound, noise=2 * RULE.clear_noise))
    told = summary.agent_characters / 20.0
    found = wrong(replace(summary, audio={STAGE: noisy}))
    assert found == (not RULE.slow <= told <= RULE.fast)


@pytest.mark.parametrize(
    ("pace", "voice", "rhythm", "held"),
    [
        (12.0, SLOW_VOICE, 0.5, True),
        (12.0, {**SLOW_VOICE, "below": 14.0}, 0.6, False),  # low and dull, and it talks quickly
        (20.0, {**FAST_VOICE, "pitch": 400.0}, -0.2, True),
        (20.0, {**FAST_VOICE, "pitch": 400.0}, -0.3, False),  # high, and it talks slowly
    ],
)
def test_a_spectrum_that_the_rhythm_contradicts_is_the_voice_s_own(pace, voice, rhythm, held):
    """A wrong rate moves rhythm and spectrum together."""
    assert wrong(call(pace, rhythm, **voice)) is held


@pytest.mark.parametrize(("pitch", "held"), [(155.0, True), (167.0, False)])
def test_without_text_no_voice_with_a_usual_pitch_is_too_slow(pitch, held):
    """A voice with much power under 400 Hz seems slow; at half its rate it would be low as well."""
    voice = {"pitch": pitch, "below": 13.0, "fall": 7.0}
    score = aeq.score(call(16.0, -0.5, **voice, agent_characters=None))
    assert ("seems_wrong_speed" in {ceiling.rule for ceiling in score.ceilings}) is held


@pytest.mark.parametrize(("dc", "held"), [(0.0, True), (4_000.0, False)])
def test_where_pauses_sound_as_loud_as_an_offset_they_are_no_slow_speech(dc, held):
    """It makes voice of an agent's pauses: its words fill less of that."""
    slow = call(10.0)
    assert wrong(replace(slow, audio={STAGE: replace(slow.audio[STAGE], dc=dc)})) is held
