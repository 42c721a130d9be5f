"""The ear on calls made by hand, whose truth can be read off the page."""

from __future__ import annotations

import gc
import math
import sys
import tracemalloc

import pytest

from ai_engine_quality.core.ear import Ear

FRAME = 0.02
LEVELS = (1500, 2200, 900, 1700, 60, 2000)
"""Speech varies, and falls almost silent between its sounds; a sound that doesn't is noise."""


def speech(place):
    """The level of a frame of speech: sounds of 0.06 s."""
    return LEVELS[place // 3 % len(LEVELS)]


def said(spans, at, place):
    """The level of a frame within spans of speech, which begin and end loud; None outside."""
    for start, end in spans:
        if start - 1e-9 <= at < end - 1e-9:
            return 1500 if at < start + 0.07 or at >= end - 0.07 else speech(place)
    return None


def within(spans, at):
    return any(start - 1e-9 <= at < end - 1e-9 for start, end in spans)


def answers(*given):
    """Hints: at some times the provider gives an answer of so many seconds, and completes it."""
    for at, seconds in given:
        yield at, lambda ear, at=at, seconds=seconds: ear.audio_given(at, seconds)
        yield at + 0.05, lambda ear, at=at: ear.answer_complete(at + 0.05)


def frames(ear, until, caller=(), agent=(), *, hints=(), missing=(), zeros=(), idle=0.0, line=8.0):
    """Let an ear hear both sides speak in the given spans (seconds), frame by frame."""
    waiting = list(hints)
    for place in range(round(until / FRAME)):
        at = place * FRAME
        while waiting and waiting[0][0] <= at:
            waiting.pop(0)[1](ear)
        ear.caller(at + FRAME, said(caller, at, place) or line, FRAME)
        if within(missing, at):
            continue
        speaks = within(agent, at) and not within(zeros, at)
        if speaks or within(zeros, at):
            ear.agent(at, said(agent, at, place) if speaks else 0.0, FRAME)
        elif idle is not None:
            ear.agent(at, idle(at, place) if callable(idle) else idle, FRAME)


def heard(until, caller=(), agent=(), **others):
    ear = Ear(0.0)
    frames(ear, until, caller, agent, **others)
    return ear.freeze(until)


def near(*values):
    return pytest.approx(values, abs=0.021)


def test_the_wait_runs_from_the_callers_last_word_to_the_agents_first_sound():
    """Each turn's latency is the silence between the two sides, to a frame."""
    found = heard(22, caller=[(5, 7), (12, 14)], agent=[(1, 4), (8, 11), (14.5, 18)])
    assert found.latencies.exact == near(1.0, 0.5)
    assert found.unanswered.n == found.reactions.n == found.talk_overs == 0
    assert found.answers == 3
    assert found.first_word == pytest.approx(1.0, abs=0.021)


@pytest.mark.parametrize(
    ("sounds", "wait"),
    [
        ([(7.90, 7.92)], 0.9),  # a breath of one frame, 0.1 s before the first word
        ([(7.86, 7.88), (7.94, 7.96)], 0.86),
        ([(7.50, 7.52)], 1.0),  # too long before it to belong to it
        ([(0.0, 8.0)], 1.0),  # a line that is never silent
    ],
)
def test_a_first_sound_that_is_no_speech_yet_begins_the_answer(sounds, wait):
    """A frame that the caller hears, a moment before the words, ends the wait."""

    def before(at, place):
        return 205.0 + place % 5 if within(sounds, at) else 0.0

    found = heard(14, caller=[(5, 7)], agent=[(1, 4), (8, 11)], idle=before)
    assert found.latencies.exact == near(wait)


def test_a_pause_of_the_callers_is_no_end_of_a_turn():
    """The wait begins at the last of the words, however often the caller paused before."""
    found = heard(14, caller=[(3, 4), (5, 5.6), (6.5, 7)], agent=[(0.5, 2), (7.8, 10)])
    assert found.latencies.exact == near(0.8)


def test_an_unanswered_turn_in_mid_call_waits_from_its_first_words():
    """Words, silence, "hello?", silence and an answer at last: the wait is that of the words."""
    found = heard(20, caller=[(3, 4), (9, 9.6)], agent=[(0.5, 2), (10.4, 13)])
    assert found.unanswered.exact == near(6.4)
    assert found.latencies.exact == near(0.8)


def test_a_turn_that_is_never_answered_waits_until_the_call_ends():
    """A caller who hangs up after 7 s of silence has waited 7 s."""
    found = heard(15, caller=[(6, 8)], agent=[(1, 4)])
    assert found.unanswered.exact == near(7.0)
    assert found.latencies.n == 0


def test_a_farewell_is_not_unanswered():
    """Who hangs up 2 s after the last word did not wait for an answer."""
    assert heard(10, caller=[(6, 8)], agent=[(1, 4)]).unanswered.n == 0


def test_a_barge_in_is_timed_until_the_agent_is_silent():
    """The reaction runs from the caller's first word over the agent to the agent's last sound."""
    found = heard(20, caller=[(6, 8)], agent=[(1, 6.6), (9, 12)])
    assert found.reactions.exact == near(0.6)
    assert found.latencies.exact == near(1.0)
    assert found.talk_overs == 0


@pytest.mark.parametrize(
    ("last", "stopped"),
    [
        ((), True),  # from full voice to nothing
        ((900, 600, 400, 220, 60), False),  # a last syllable that fades within five frames
        ((1000, 700, 450, 250, 100, 40), False),
    ],
)
def test_without_hints_words_that_fade_have_come_to_their_end(last, stopped):
    """An answer that the caller talks into stops where it breaks off; one that fades is over."""
    ear = Ear(0.0)
    place = 0

    def hear(caller, agent):
        nonlocal place
        ear.caller((place + 1) * FRAME, caller, FRAME)
        ear.agent(place * FRAME, agent, FRAME)
        place += 1

    for _ in range(50):
        hear(8.0, 0.0)
    for _ in range(150):
        hear(8.0, speech(place))
    for _ in range(30):
        hear(speech(place), speech(place))
    hear(speech(place), 1_500)
    for level in last:
        hear(speech(place), level)
    for _ in range(60):
        hear(speech(place), 0.0)
    for _ in range(100):
        hear(8.0, 0.0)
    assert ear.freeze(place * FRAME).reactions.n == stopped


def test_without_hints_a_sound_that_ends_before_the_agent_stops_nothing():
    """A noise of 1 s may fall on an answer's own end; who made the agent stop has more to say."""
    assert heard(20, caller=[(5.6, 6.6)], agent=[(1, 6.6), (9, 12)]).reactions.n == 0
    assert heard(20, caller=[(5.6, 6.8)], agent=[(1, 6.6), (9, 12)]).reactions.n == 1


def test_the_agents_last_word_lasts_until_it_is_faint():
    """An agent that fades for 0.16 s when it is interrupted is silent after that, not before."""

    def fades(at, place):
        return 240.0 + place % 3 if within([(5, 5.16)], at) else 0.0

    speaks, hints = [(1, 2.5), (2.9, 5)], answers((0.9, 9.0))
    found = heard(10, caller=[(4.6, 6.5)], agent=speaks, hints=hints, idle=fades)
    assert found.reactions.exact == near(0.56)


def test_an_agent_that_had_come_to_its_end_reacted_to_nothing():
    """Where all that was given had been played, its end is no reaction; else it is."""
    for given, reactions in ((5.6, 0), (9.0, 1)):
        hints = answers((0.9, given), (8.9, 3.0))
        found = heard(20, caller=[(6, 8)], agent=[(1, 6.6), (9, 12)], hints=hints)
        assert found.reactions.n == reactions


def test_a_back_channel_asks_for_nothing():
    """A short "mm-hm" over the agent is neither a barge-in nor a turn nor talk-over."""
    found = heard(14, caller=[(3, 3.4)], agent=[(1, 8)])
    assert found.reactions.n == found.latencies.n == found.unanswered.n == found.talk_overs == 0


def test_an_agent_that_does_not_stop_talks_over_the_caller():
    """4 s at once, and the agent goes on: one talk-over of 4 s, and no reaction."""
    found = heard(20, caller=[(5, 9)], agent=[(1, 14)])
    assert found.talk_overs == 1
    assert found.talk_over_seconds == pytest.approx(4.0, abs=0.05)
    assert found.reactions.n == 0


def test_frames_that_did_not_come_within_words_are_a_hole_without_any_hint():
    """0.4 s in which no frame came, speech before and after: one hole of 0.4 s."""
    found = heard(10, agent=[(1, 7)], missing=[(3.1, 3.5)], idle=None)
    assert (found.holes, found.holes_known) == (1, False)
    assert found.hole_seconds == pytest.approx(0.4, abs=0.001)
    assert found.longest_hole == pytest.approx(0.4, abs=0.001)


def test_silence_is_no_hole_where_nobody_says_what_was_given():
    """Frames of zeros in an answer may be the voice's own pause."""
    assert heard(10, agent=[(1, 7)], zeros=[(3.1, 3.7)]).holes == 0


@pytest.mark.parametrize(("silent", "holes", "seconds"), [(0.0, 1, 0.6), (0.6, 0, 0.0)])
def test_silence_is_a_hole_unless_it_was_given(silent, holes, seconds):
    """With hints a silence in an answer is a hole of its length, unless the provider gave it."""
    hints = [
        (0.9, lambda ear: ear.audio_given(0.9, 2.1)),
        (3.0, lambda ear: ear.audio_given(3.0, silent, silent) if silent else None),
        (3.68, lambda ear: ear.audio_given(3.68, 3.3)),
        (3.7, lambda ear: ear.answer_complete(3.7)),
    ]
    found = heard(10, agent=[(1, 7)], zeros=[(3.1, 3.7)], hints=hints)
    assert found.holes == holes
    assert found.hole_seconds == pytest.approx(seconds, abs=0.001)
    assert found.holes_known
    assert found.lost == 0


def test_a_pause_may_be_played_in_parts_of_the_chunk_it_was_given_in():
    """Two short silences are no holes where one chunk held as much silence as both."""
    hints = [
        (0.9, lambda ear: ear.audio_given(0.9, 2.0)),
        (1.0, lambda ear: ear.audio_given(1.0, 0.6, 0.14)),
        (1.1, lambda ear: ear.audio_given(1.1, 2.0)),
        (1.2, lambda ear: ear.answer_complete(1.2)),
    ]
    agent, zeros = [(1, 5.6)], [(3.0, 3.04), (3.3, 3.4)]
    assert heard(8, agent=agent, zeros=zeros, hints=hints).holes == 0


def test_a_pause_is_found_though_quiet_sounds_before_it_were_made_louder():
    """A pause given in two chunks is no hole, though 0.1 s of silence before it was played loud."""
    hints = [
        (0.9, lambda ear: ear.audio_given(0.9, 2.0)),
        (1.0, lambda ear: ear.audio_given(1.0, 0.1, 0.1)),  # the engine makes it audible
        (1.1, lambda ear: ear.audio_given(1.1, 1.0)),
        (1.2, lambda ear: ear.audio_given(1.2, 0.1, 0.04)),
        (1.3, lambda ear: ear.audio_given(1.3, 0.1, 0.1)),
        (1.4, lambda ear: ear.audio_given(1.4, 2.0)),
        (1.5, lambda ear: ear.answer_complete(1.5)),
    ]
    assert heard(8, agent=[(1, 6.3)], zeros=[(4.16, 4.3)], hints=hints).holes == 0


def test_short_frames_show_silences_that_no_longer_ones_do():
    """A pause has its place though the track is seen more finely than what was given.

    A silence of 0.01 s between two sounds was given as sound, in a frame of 0.02 s.
    """
    ear = Ear(0.0)
    given = {0: (5.0, 0.0), 490: (0.35, 0.3), 520: (1.0, 0.0)}
    for place in range(635):
        at = place * 0.01
        if place in given:
            ear.audio_given(at, *given[place])
        paused = 500 <= place < 530
        ear.agent(at, 0.0 if paused or place % 20 == 0 else 1500.0, 0.01)
    found = ear.freeze(6.4)
    assert (found.holes, found.dropped) == (0, 0)


@pytest.mark.parametrize(
    ("late", "seconds"), [((0.05,), 0.0), ((0.07,), 0.0), ((0.1,), 0.1), ((0.1, 0.03), 0.13)]
)
def test_frames_that_come_no_later_than_phones_hold_back_are_no_hole(late, seconds):
    """What comes 0.07 s late is played from the phone's buffer; once that is drained, 0.03 s isn't.

    ``late`` is how much later all frames come from 3 s on, and how much more from 4 s on.
    """
    ear = Ear(0.0)
    waiting = list(answers((0.9, 4.0)))
    for place in range(300):
        due = place * FRAME
        while waiting and waiting[0][0] <= due:
            waiting.pop(0)[1](ear)
        ear.caller(due + FRAME, 8.0, FRAME)
        at = due + sum(more for number, more in enumerate(late) if due >= 3 + number)
        if 50 <= place < 250:
            ear.agent(at, 1500.0 + place % 7, FRAME)
    found = ear.freeze(6)
    assert found.hole_seconds == pytest.approx(seconds, abs=0.005)
    assert found.clock_jumps == 0


def test_what_was_not_played_when_the_call_ended_is_lost_unless_it_was_being_said():
    """An agent that falls silent 1 s before the end loses the rest; in its own pause it doesn't."""
    for silent, lost in ((0.02, 4.98), (2.0, 0.0)):
        hints = [
            (0.9, lambda ear: ear.audio_given(0.9, 3.0)),
            (1.0, lambda ear, silent=silent: ear.audio_given(1.0, silent, silent)),
            (1.1, lambda ear, silent=silent: ear.audio_given(1.1, 5.0 - silent)),
            (1.2, lambda ear: ear.answer_complete(1.2)),
        ]
        found = heard(5, agent=[(1, 4)], hints=hints)
        assert found.lost == pytest.approx(lost, abs=0.05)


def test_a_callers_noise_between_two_chunks_costs_no_later_answers_account():
    """An answer that seems to be two for a cough as it begins has no holes, nor have the next."""
    hints = [
        (2.2, lambda ear: ear.audio_given(2.2, 0.2)),
        (2.5, lambda ear: ear.audio_given(2.5, 2.8)),
        (3.0, lambda ear: ear.answer_complete(3.0)),
        *answers((9.9, 3.0), (15.9, 3.0)),
    ]
    agent = [(2.44, 5.44), (10, 13), (16, 19)]
    found = heard(22, caller=[(2.3, 2.6), (8, 9), (14, 15)], agent=agent, hints=hints)
    assert found.holes == 0
    assert found.lost == 0


def test_time_between_answers_is_no_hole():
    """Two answers with 5 s between them, the caller silent: no hole, with hints or without."""
    for hints in (answers((0.9, 2.0), (7.9, 2.0)), ()):
        found = heard(12, agent=[(1, 3), (8, 10)], hints=hints)
        assert (found.holes, found.answers) == (0, 2)


@pytest.mark.parametrize("idle", [None, 0.0])
@pytest.mark.parametrize(("completed", "holes"), [((), 0), ((3.9,), 1), ((9.0,), 1)])
def test_who_tells_of_no_answers_end_has_no_hole_between_two(completed, holes, idle):
    """Two pieces 2.5 s apart, as "One moment" and an answer: a hole if they are known to be one.

    That may be known later than the silence, by the first answer whose end is told.
    """
    hints = [
        (0.9, lambda ear: ear.audio_given(0.9, 1.0)),
        (4.4, lambda ear: ear.audio_given(4.4, 2.0)),
        *((at + 0.6, lambda ear, at=at: ear.answer_complete(at + 0.6)) for at in completed),
    ]
    found = heard(10, agent=[(1, 2), (4.5, 6.5)], hints=hints, idle=idle)
    assert found.holes == holes
    assert found.hole_seconds == pytest.approx(2.5 * holes, abs=0.03)


@pytest.mark.parametrize(("given", "silent"), [((1.0, 2.0), 1.2), ((3.0, None), 2.5)])
def test_a_hole_is_one_though_no_answers_end_is_told(given, silent):
    """Too short to lie between two answers, or with all that follows given before it."""
    first, then = given
    again = 2 + silent
    hints = [(0.9, lambda ear: ear.audio_given(0.9, first))]
    if then:
        hints.append((again - 0.1, lambda ear: ear.audio_given(again - 0.1, then)))
    found = heard(10, agent=[(1, 2), (again, again + 2)], hints=hints)
    assert (found.holes, found.lost) == (1, 0)
    assert found.hole_seconds == pytest.approx(silent, abs=0.03)


def test_audio_that_was_given_and_never_played_is_lost():
    """Of 5 s given 3 s are heard: 2 s are lost, and the next answer's account is its own."""
    hints = answers((0.9, 5.0), (9.4, 2.0))
    found = heard(14, caller=[(6, 8)], agent=[(1, 4), (9.5, 11.5)], hints=hints)
    assert found.lost == pytest.approx(2.0, abs=0.03)
    assert found.given == pytest.approx(7.0)
    assert found.thrown_away == 0


def test_what_a_barge_in_throws_away_is_not_lost():
    """The caller speaks, the agent stops, and 5 s of its audio are rightly never played."""
    hints = answers((0.9, 9.0), (8.9, 3.0))
    found = heard(14, caller=[(4.6, 7.5)], agent=[(1, 5), (9, 12)], hints=hints)
    assert found.lost == 0
    assert found.thrown_away == pytest.approx(5.0, abs=0.03)
    assert (found.answers, found.answers_cut) == (2, 1)


def test_an_answer_that_begins_as_quietly_as_the_engines_silence_is_no_hole():
    """Nothing was sent since the last answer; this one's first frame is like comfort noise."""
    found = heard(
        14,
        caller=[(5.5, 7)],
        agent=[(1, 4), (4.8, 5), (8, 11)],
        hints=answers((0.9, 3.2), (7.9, 3.0)),
        missing=[(5, 7.97)],
        idle=40.0,
    )
    assert (found.holes, found.hole_seconds) == (0, 0.0)
    assert found.latencies.exact == near(1.0)


def as_given(*parts):
    """Hints: at a time, what was given then, in seconds of sound and of silence in turn."""
    for at, *lengths in parts:
        for place, seconds in enumerate(lengths):
            silent = seconds if place % 2 else 0.0
            yield (
                at,
                lambda ear, at=at, seconds=seconds, silent=silent: ear.audio_given(
                    at, seconds, silent
                ),
            )
        yield at + 0.05, lambda ear, at=at: ear.answer_complete(at + 0.05)


GOES_ON = {"agent": [(1, 3), (4, 8)], "hints": [*as_given((0.9, 2.0, 1.0, 4.0))]}
"""An agent that pauses for 1 s, as its voice was given."""


def test_a_back_channel_in_a_pause_of_the_voice_is_no_turn():
    """The agent goes on with the same answer after 1 s: nobody waited for it."""
    found = heard(10, caller=[(3.3, 3.65)], **GOES_ON)
    assert (found.latencies.n, found.unanswered.n, found.answers) == (0, 0, 1)


def test_who_speaks_through_a_pause_of_the_voice_has_not_made_it_stop():
    """Both speak for 3 s, and the agent's pause of 1 s is its voice's own."""
    found = heard(10, caller=[(2, 5)], **GOES_ON)
    assert (found.reactions.n, found.talk_overs, found.answers_cut) == (0, 1, 0)
    assert found.talk_over_seconds == pytest.approx(3.0, abs=0.021)


@pytest.mark.parametrize(
    ("begins", "lost", "thrown_away"),
    [(3.2, 0.0, 4.0), (3.8, 0.0, 4.0), (4.3, 4.0, 0.0)],
    ids=["at once", "later in its pause", "after its pause would have been over"],
)
def test_an_agent_stops_for_who_speaks_within_its_pause(begins, lost, thrown_away):
    """What is left of the answer is thrown away then; else it was lost, whoever speaks later."""
    found = heard(
        14,
        caller=[(begins, begins + 1.5)],
        agent=[(1, 3), (8, 10)],
        hints=as_given((0.9, 2.0, 1.0, 4.0), (7.9, 2.0)),
    )
    assert found.lost == pytest.approx(lost, abs=0.1)
    assert found.thrown_away == pytest.approx(thrown_away, abs=0.1)
    assert found.answers_cut == (1 if thrown_away else 0)


def test_audio_that_is_lost_is_not_excused_by_a_prompt_caller():
    """The answer's last second never sounds, and the caller speaks half a second later."""
    found = heard(
        12,
        caller=[(4.5, 6)],
        agent=[(1, 4), (7, 9)],
        hints=as_given((0.9, 1.0, 0.1, 2.9), (6.9, 2.0)),
    )
    assert found.lost == pytest.approx(0.9, abs=0.1)
    assert (found.thrown_away, found.answers_cut) == (0.0, 0)


ANSWERED = [(2, 3), (7, 8), (12, 13), (17, 18), (22, 23)]
"""Words of the caller's, each of which an answer follows."""


@pytest.mark.parametrize(("others", "can_hear"), [(0, True), (2, True), (3, False), (5, False)])
def test_other_voices_that_do_not_wait_for_answers_hide_the_callers(others, can_hear):
    """Where the line speaks on as most answers begin, no wait is known; once or twice it may."""
    begins = [(end, end + 1.5) for _, end in ANSWERED[:others]]
    agent = [(end + 1, end + 2.5) for _, end in ANSWERED]
    found = heard(27, caller=[*ANSWERED, *begins], agent=agent)
    assert (found.cannot_hear is None) is can_hear
    assert (found.latencies is None) is not can_hear
    assert found.answers == 5


def test_an_answer_after_one_that_was_thrown_away_is_another():
    """The first was never completed, and its caller was not heard: no hole lies between them."""
    hints = [
        (0.9, lambda ear: ear.audio_given(0.9, 4.0)),
        (3.0, lambda ear: ear.agent_flushed(3.0)),
        *answers((5.9, 2.0)),
    ]
    found = heard(9, agent=[(1, 3), (6, 8)], missing=[(3, 6)], hints=hints)
    assert (found.holes, found.hole_seconds) == (0, 0.0)
    assert (found.lost, found.thrown_away) == (0.0, pytest.approx(2.0, abs=0.03))


def test_a_phone_that_sends_nothing_in_silence_is_heard():
    """The line's first frames are words then: they may be lost for its noise, no later ones are."""
    ear = Ear(0.0)
    words = [(5, 7), (12, 14), (20, 22)]
    agent = [(1, 4), (8, 11), (14.5, 18), (23, 25)]
    for place in range(round(26 / FRAME)):
        at = place * FRAME
        if within([(start, end + 0.2) for start, end in words], at):
            ear.caller(at + FRAME, said(words, at, place) or 8.0, FRAME)
        ear.agent(at, said(agent, at, place) or 0.0, FRAME)
    found = ear.freeze(26)
    assert found.cannot_hear is None
    assert found.latencies.exact[-2:] == near(0.5, 1.0)


def test_a_barge_in_within_a_pause_throws_away_what_it_stops():
    """The caller begins as the agent pauses, which then never goes on: nothing is lost."""
    for cough in ([], [(2, 2.12)]):
        hints = answers((0.9, 9.0), (8.9, 3.0))
        caller = [*cough, (5.1, 7.5)]
        found = heard(14, caller=caller, agent=[(1, 5), (9, 12)], hints=hints)
        assert found.lost == 0
        assert found.thrown_away == pytest.approx(5.0, abs=0.03)


def test_an_answer_that_the_provider_never_finished_was_cut_off():
    """Its completion is told for others and not for it, and no caller spoke: cut, without lost."""
    hints = [*answers((0.9, 2.0)), (5.4, lambda ear: ear.audio_given(5.4, 2.0))]
    found = heard(14, caller=[(4, 5)], agent=[(1, 3), (5.5, 7.5)], hints=hints)
    assert found.answers_cut == 1
    assert found.reactions.n == 0


@pytest.mark.parametrize(("hung_up", "amid"), [(9.0, True), (10.06, True), (10.5, False)])
def test_a_call_that_ends_while_the_agent_speaks_ends_in_an_answer(hung_up, amid):
    """Not where its last words were over, be it for half a second; however late it is told."""
    for told_at in (hung_up, hung_up + 3.0):
        ear = Ear(0.0)
        frames(ear, hung_up, [(1.0, 2.0)], [(3.0, 10.0)])
        assert ear.finish(told_at).ended_in_answer is amid


def test_a_stall_of_the_callers_track_is_counted_and_timed():
    """1.5 s without a frame from the caller, then all at once: one stall, and the wait is true."""
    ear = Ear(0.0)
    for place in range(500):
        at = place * FRAME
        ear.agent(at, said([(0.5, 2), (7, 9)], at, place) or 0.0, FRAME)
        if 275 <= place < 350:  # what was said from 5.5 to 7.0 s comes at 7.0 s
            continue
        for late in range(275, 351) if place == 350 else (place,):
            loud = within([(4, 6)], late * FRAME)
            ear.caller(at + FRAME, speech(late) if loud else 8.0, FRAME)
    found = ear.freeze(10)
    assert found.stalls == 1
    assert found.longest_stall == pytest.approx(1.52, abs=0.03)
    assert found.latencies.exact == near(1.0)


def still_from_5_to_6_5(agent, *, given=0.0, held_up=75, sent=True):
    """Hear a line that stands still for 1.5 s, from which so many caller's frames then follow."""
    ear = Ear(0.0)
    if given:
        ear.audio_given(0.4, given)
    for place in range(500):
        at = place * FRAME
        still = 250 <= place < 325
        if sent or not still:
            ear.agent(at, said(agent, at, place) or 0.0, FRAME)
        if still:
            continue
        for _ in range(1 + held_up) if place == 325 else (place,):
            ear.caller(at + FRAME, 8.0, FRAME)
    return ear.freeze(10)


@pytest.mark.parametrize("given", [0.0, 7.5], ids=["blind", "hinted"])
def test_words_that_are_sent_while_the_line_stands_still_are_a_hole(given):
    """Nobody hears them then: the line serves both directions, and all comes 1.5 s late."""
    found = still_from_5_to_6_5([(0.5, 8)], given=given)
    assert (found.stalls, found.holes) == (1, 1)
    assert found.hole_seconds == found.longest_hole == pytest.approx(1.5, abs=0.021)
    assert found.course["hole"] == near(5.0, 6.5)


@pytest.mark.parametrize(
    ("agent", "others"),
    [
        ([(0.5, 8)], {"held_up": 0}),
        ([(0.5, 8)], {"held_up": 40}),
        ([(0.5, 4)], {}),
    ],
    ids=["a phone that sends nothing while its caller is silent", "frames lost", "nothing said"],
)
@pytest.mark.parametrize("given", [0.0, 7.5], ids=["blind", "hinted"])
def test_a_stall_that_nobody_hears_is_no_hole(agent, others, given):
    """What doesn't follow was lost or never sent, and what says nothing can't come late."""
    found = still_from_5_to_6_5(agent, given=given and agent[0][1] - 0.5, **others)
    assert (found.stalls, found.holes, found.hole_seconds) == (1, 0, 0.0)


@pytest.mark.parametrize("piece", [30, 50, 150])
def test_a_track_that_is_handed_over_in_pieces_has_no_holes(piece):
    """Some engines hand the caller's frames over a second at a time; nothing is late there."""
    ear = Ear(0.0)
    for place in range(1500):
        at = place * FRAME
        ear.agent(at, said([(0.5, 28)], at, place) or 0.0, FRAME)
        if place % piece == piece - 1:
            for _ in range(piece):
                ear.caller(at + FRAME, 8.0, FRAME)
    assert ear.freeze(30).holes == 0


def test_a_stall_of_the_engine_itself_is_one_hole():
    """It sends nothing while it stands still, which is a hole already."""
    found = still_from_5_to_6_5([(0.5, 8)], given=6.0, sent=False)
    assert (found.stalls, found.holes) == (1, 1)
    assert found.hole_seconds == pytest.approx(1.5, abs=0.021)


def test_a_dead_track_of_the_callers_is_said():
    """A caller's track of digital silence is dead; one with a line's noise is not."""
    assert heard(25, agent=[(1, 4)], line=0.0).caller_dead
    assert heard(25, agent=[(1, 4)], line=20.0).caller_dead is False


def test_an_agent_that_only_sends_silence_was_never_heard():
    """Frames without a voice are measured: the agent was not heard, and had no first word."""
    found = heard(15, caller=[(4, 6)])
    assert found.agent_heard is False
    assert found.first_word is None
    assert found.unanswered.exact == near(9.0)


def test_audio_that_was_given_and_never_sent_was_never_heard():
    """Where no frame of the agent's was sent at all, what the provider gave is lost."""
    found = heard(10, idle=None, hints=answers((1.0, 3.0)))
    assert found.agent_heard is False
    assert found.lost == pytest.approx(3.0)


def test_without_the_callers_track_nothing_is_said_of_the_caller():
    """A number that needs a track that wasn't seen is None, and the reason is said."""
    ear = Ear(0.0)
    for place in range(300):
        ear.agent(place * FRAME, speech(place), FRAME)
    found = ear.freeze(6)
    assert "was not seen" in found.cannot_hear
    of_the_caller = (
        found.latencies, found.unanswered, found.reactions, found.talk_overs,
        found.talk_over_seconds, found.caller_voice, found.stalls, found.longest_stall,
        found.caller_dead, found.answers_cut,
    )  # fmt: skip
    assert of_the_caller == (None,) * len(of_the_caller)
    assert found.agent_heard


def test_without_the_agents_track_nothing_is_said_of_the_agent():
    """Waits, holes, answers and the first word are unknown, not 0."""
    ear = Ear(0.0)
    for place in range(300):
        ear.caller(place * FRAME, speech(place) if place > 100 else 8.0, FRAME)
    found = ear.freeze(6)
    of_the_agent = (
        found.latencies, found.unanswered, found.reactions, found.talk_overs, found.holes,
        found.hole_seconds, found.longest_hole, found.answers, found.answers_cut,
        found.first_word, found.agent_voice, found.given, found.lost, found.agent_heard,
    )  # fmt: skip
    assert of_the_agent == (None,) * len(of_the_agent)
    assert found.caller_voice > 3


def test_an_ear_that_heard_nothing_knows_nothing():
    """Before the first frame every number is None."""
    found = Ear(5.0).freeze(9.0)
    assert found.cannot_hear
    assert found.resolution is found.latencies is found.holes is found.first_word is None
    assert (found.dropped, found.clock_jumps) == (0, 0)


def echoing(share, caller, agent, gain=1.0):
    """Hear a call in which the agent's voice comes back 0.1 s later."""
    ear = Ear(0.0)
    for place in range(800):
        at = place * FRAME
        back = said([(start + 0.1, end + 0.1) for start, end in agent], at, place - 5) or 0.0
        words = gain * (said(caller, at, place) or 0.0)
        ear.caller(at + FRAME, max(words, 8.0, share * back), FRAME)
        ear.agent(at, said(agent, at, place) or 0.0, FRAME)
    return ear.freeze(16)


@pytest.mark.parametrize("share", [0.1, 0.32, 0.4], ids=["-20 dB", "-10 dB", "-8 dB"])
def test_echo_of_the_agent_is_not_the_caller(share):
    """The agent's voice in the caller's track is nobody's words, once it is known for an echo."""
    found = echoing(share, [(7, 8)], [(1, 6), (9, 14)])
    assert found.latencies.exact == near(1.0)
    assert (found.talk_overs, found.reactions.n) == (0, 0)
    assert found.caller_voice == pytest.approx(1.0, abs=0.05)
    assert found.echo == (None if share == 0.1 else pytest.approx(share, rel=0.1))


@pytest.mark.parametrize("quieter_db", [12, 16, 20, 24])
@pytest.mark.parametrize("echo", [0.0, 0.01])
def test_a_caller_far_quieter_than_the_agent_interrupts_it(quieter_db, echo):
    """Where no echo has come back before, what comes in while the agent speaks is the caller's."""
    found = echoing(echo, [(11, 13)], [(1, 6), (9, 11.5)], 10 ** (-quieter_db / 20))
    assert found.reactions.exact == near(0.5)


def test_a_caller_interrupts_through_a_loud_echo():
    """Who is louder than the echo is heard, and how long the agent took to stop."""
    found = echoing(0.32, [(11, 13)], [(1, 6), (9, 11.5)])
    assert found.reactions.exact == near(0.5)


def test_what_is_sent_at_once_is_heard_one_after_the_other():
    """An answer of 6 s sent within 0.1 s is still being heard when the caller speaks over it."""
    ear = Ear(0.0)
    burst = [(2 + place / 3000, speech(place)) for place in range(300)]
    for place in range(700):
        at = place * FRAME
        while burst and burst[0][0] <= at:
            ear.agent(*burst.pop(0), FRAME)
        if place == 300:
            ear.agent_flushed(at)  # at 6.0 s, with 2 s still to be heard
        ear.caller(at + FRAME, said([(5.4, 7.4)], at, place) or 8.0, FRAME)
    found = ear.freeze(14)
    assert found.reactions.exact == near(0.6)
    assert found.agent_voice == pytest.approx(4.0, abs=0.05)


def test_what_was_thrown_away_leaves_no_echo():
    """A caller who interrupts loud audio that was sent ahead is heard to the last quiet word."""
    ear = Ear(0.0)
    burst = [(2 + place / 3000, 8.0 * speech(place)) for place in range(300)]
    for place in range(600):
        at = place * FRAME
        while burst and burst[0][0] <= at:
            ear.agent(*burst.pop(0), FRAME)
        if place == 250:
            ear.agent_flushed(at)  # at 5.0 s, with 3 s still to be heard
        caller = 6_000.0 if within([(4.6, 6.0)], at) else 2_000.0
        ear.caller(at + FRAME, caller if within([(4.6, 7.0)], at) else 8.0, FRAME)
        if place >= 450:
            ear.agent(at, 8.0 * (said([(9, 11)], at, place) or 0.0), FRAME)
    assert ear.freeze(12).latencies.exact == near(2.0)


def test_looks_now_and_then_hear_the_wait_less_exactly():
    """Looks every 0.19 s find the turns, and the resolution says how well."""
    ear = Ear(0.0)
    for look in range(1, 105):
        at = look * 0.19
        ear.caller(at, 1500 if within([(5, 7), (12, 14)], at) else 8.0, 0.19)
        ear.agent(at, 1500 if within([(1, 4), (8, 11), (15, 18)], at) else 0.0, 0.19)
    found = ear.freeze(20)
    assert found.latencies.exact == pytest.approx((1.0, 1.0), abs=0.19)
    assert found.resolution == pytest.approx(0.19)


@pytest.mark.parametrize("jump", [500.0, -500.0])
def test_a_clock_that_jumps_leaves_later_turns_true(jump):
    """The jump is counted, what it spans is left out, and the rest is as it was."""
    ear = Ear(0.0)
    spans = ([(5, 7), (12, 14)], [(1, 4), (8, 11), (14.5, 18)])
    for place in range(1100):
        at = place * FRAME
        shown = at + (jump if at > 9 else 0.0)
        ear.caller(shown + FRAME, said(spans[0], at, place) or 8.0, FRAME)
        ear.agent(shown, said(spans[1], at, place) or 0.0, FRAME)
    found = ear.freeze(22 + jump)
    assert found.clock_jumps == 1
    assert found.latencies.exact == near(1.0, 0.5)


def test_a_stray_time_changes_nothing():
    """A single frame of another day is dropped, and counted."""
    ear = Ear(0.0)
    frames(ear, 8, agent=[(1, 4)])
    ear.agent(9e5, 3000.0, FRAME)
    ear.agent(-9e5, 3000.0, FRAME)
    found = ear.freeze(8)
    assert found.dropped == 2
    assert found.agent_voice == pytest.approx(3.0, abs=0.05)


@pytest.mark.no_cover
def test_memory_stays_small():
    """A live call holds at most 16 kB after its first minute, and 100 kB after four hours."""

    def grow(ear, first, last):
        for place in range(round(first / FRAME), round(last / FRAME)):
            at = place * FRAME
            turn = at % 8
            ear.caller(at + FRAME, speech(place) if 1 < turn < 3 else 8.0, FRAME)
            ear.agent(at, speech(place) if 4 < turn < 7 else 0.0, FRAME)
            if place % 10 == 0 and 4 <= turn < 7:
                ear.audio_given(at, 0.2, 0.02)
            if 7.0 <= turn < 7.02:
                ear.answer_complete(at)

    warm = Ear(0.0)
    grow(warm, 0, 20)
    tracemalloc.start()
    try:
        ear = Ear(0.0)
        before = tracemalloc.get_traced_memory()[0]
        grow(ear, 0, 60)
        assert tracemalloc.get_traced_memory()[0] - before <= 16_000
    finally:
        tracemalloc.stop()
    grow(ear, 60, 3600)  # bounded by then: what grows are some values a turn
    for _ in range(4 * 3600 // 4):
        ear._turns.latencies.add(0.5 + ear._turns.latencies.n % 977 / 1000)
    assert held(ear) <= 100_000


def held(ear):
    """The bytes of an ear and of all that only it holds."""
    seen, waiting, total = set(), [ear], 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type) or callable(one):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        waiting.extend(gc.get_referents(one))
    return total


@pytest.mark.parametrize("after", [0.1, 0.16])
def test_a_single_frame_that_noise_makes_louder_is_no_part_of_the_words(after):
    """In step with a hum a far quieter voice makes one frame a twentieth louder: words are over."""
    ear, hum = Ear(0.0), 475.0
    for place in range(900):
        at = place * FRAME
        words = said([(5, 7), (13, 15)], at, place) or 0.0
        glint = near_to(at, 7 + after) or near_to(at, 15 + after)
        level = math.hypot(words, hum) * (1.06 if glint else 1.0)
        ear.caller(at + FRAME, level, FRAME)
        ear.agent(at, said([(1, 4), (8, 12), (16, 17.5)], at, place) or 0.0, FRAME)
    assert ear.freeze(18).latencies.exact == pytest.approx((1.0, 1.0), abs=0.05)


def near_to(at, moment):
    """Return whether a frame is the one that begins at a moment."""
    return abs(at - moment) < FRAME / 2
