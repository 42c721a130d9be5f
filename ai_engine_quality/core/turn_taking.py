"""Who spoke when, and what that meant: waits, unanswered turns, barge-ins, talk-over. Pure.

It takes the edges of talkspurts in the order in which they were heard. A short silence of the
agent's doesn't end what it says (P.59 has pauses of that kind), so its *spell* ends only where it
stays silent. From the end of the caller's words to the next spell is the wait for the response.
"""

from __future__ import annotations

from array import array
from enum import IntEnum

from ai_engine_quality.core.answer_audio import AnswerAudio
from ai_engine_quality.core.course import Course, Kind
from ai_engine_quality.core.distribution import EXACT_LIMIT, BoundedValues

RESUME_SECONDS = 0.7
"""An agent that resumes sooner has paused; the caller too, while both speak."""

LONGEST_PAUSE_SECONDS = 1.5
"""A longer one that the provider gave is no pause between sentences."""

PAUSE_TOLERANCE_SECONDS = 0.15
"""How much longer than it was given a pause may be played."""

MIN_WORDS_SECONDS = 0.25
"""A shorter sound of the caller's is a cough or a click, not a turn."""

MIN_SPURT_SECONDS = 0.1
"""A shorter sound after words is no part of them."""

UNANSWERED_SECONDS = 3.0
"""Words after which nothing comes for so long are unanswered, when the caller speaks again or the
call ends. Full marks for a turn end far below (EVA, arXiv 2605.13841: none are left at 3.5 s)."""

NEW_ANSWER_SECONDS = 1.5
"""An agent that speaks again after so long begins a new answer, though the caller said nothing."""

MIN_REPLY_SECONDS = 0.08
"""An agent that begins sooner after words does not answer them: nothing answers as fast."""

MIN_REACTION_SECONDS = 0.12
"""An agent that falls silent sooner had come to its end: nothing stops as fast."""

MIN_CUT_REACTION_SECONDS = 0.05
"""The same where it is known that it had not come to its end."""

MAX_BLIND_REACTION_SECONDS = 2.0
"""Where nobody says what was given, a later end is the answer's own."""

MIN_BARGE_IN_SECONDS = 0.45
"""Shorter words over the agent are a back-channel ("mm-hm"), which asks for nothing."""

MIN_BLIND_BARGE_IN_SECONDS = 0.8
"""The same where nobody says what was given: a noise may fall on the answer's own end."""

MIN_BLIND_REST_SECONDS = 0.1
"""And where a caller speaks on for so long once the agent is silent: who made it stop has more to
say, where a noise may fall on the answer's own end."""

GAVE_UP_SECONDS = 0.3
"""A caller who was silent for longer when the agent fell silent had not made it stop."""

GAVE_UP_CUT_SECONDS = 1.0
"""The same where it is known that the agent had not come to its end."""

TOLD_SECONDS = 0.5
"""How far a barge-in that was told may lie from the end of what it stopped."""

TALK_OVER_SECONDS = 2.0
"""Both speak at once for longer, and nothing stops: that is talk-over."""

FEWEST_AMID_WORDS = 3
"""Answers that begin amid words before those can be other voices': on generated calls without such
voices one does at most, with them at 15 dB two thirds."""

MAX_EDGES = 512
"""Edges that wait for their time; more than 60 s of speech ahead can hold."""


MAX_FRESH = 512
"""Latencies that wait to be taken; each scrape takes them."""


class Edge(IntEnum):
    """What happens at a moment of the call."""

    AGENT_ENDS = 0
    CALLER_ENDS = 1
    CALLER_STARTS = 2
    AGENT_STARTS = 3
    HOLE = 4
    JUMP = 5


class TurnTaking:
    """Puts the two sides' talkspurts together."""

    __slots__ = (
        "_agent_cut",
        "_agent_pause",
        "_agent_quiet_at",
        "_agent_since",
        "_amid_words",
        "_answers",
        "_caller_end",
        "_caller_since",
        "_caller_unheard",
        "_course",
        "_first_end",
        "_overlap_end",
        "_overlap_since",
        "_queue",
        "_sorted",
        "_spell_end",
        "_told_at",
        "_words",
        "_words_end",
        "agent_voice",
        "answered_at",
        "answers",
        "blind_hole_seconds",
        "blind_holes",
        "caller_voice",
        "first_word_at",
        "fresh",
        "latencies",
        "longest_blind_hole",
        "reactions",
        "talk_over_seconds",
        "talk_overs",
        "unanswered",
    )  # fmt: skip

    def __init__(self, answers: AnswerAudio, course: Course) -> None:
        self._answers = answers
        self._course = course
        self._queue: list[tuple[float, Edge, float, bool | None]] = []
        self._sorted = True
        self._agent_since: float | None = None
        self._agent_quiet_at: float | None = None
        self._agent_cut: bool | None = None
        self._agent_pause = 0.0
        """How long a pause was given where the agent fell silent; infinite where nobody tells."""
        self._spell_end = float("-inf")
        self._amid_words = 0
        self._caller_since: float | None = None
        self._caller_unheard = 0.0
        """So much earlier these words may have begun than they were heard."""
        self._caller_end = float("-inf")
        self._words = 0.0
        self._words_end = float("-inf")
        self._first_end: float | None = None
        self._overlap_since: float | None = None
        self._overlap_end: float | None = None
        self._told_at = float("-inf")
        self.latencies = BoundedValues()
        self.fresh = array("d")
        """The last of them, until somebody takes them: a histogram wants each one once."""
        self.answered_at = array("d")
        """When the answers to the first of them began."""
        self.unanswered = BoundedValues()
        self.reactions = BoundedValues()
        self.answers = 0
        self.talk_overs = 0
        self.talk_over_seconds = 0.0
        self.caller_voice = 0.0
        self.agent_voice = 0.0
        self.first_word_at: float | None = None
        self.blind_holes = 0
        self.blind_hole_seconds = self.longest_blind_hole = 0.0

    def link(self, answers: AnswerAudio, course: Course) -> None:
        """Work for these from now on: a twin does for a twin."""
        self._answers, self._course = answers, course

    def put(self, at: float, edge: Edge, seconds: float = 0.0, cut: bool | None = None) -> None:
        """Take an edge; its time comes when :meth:`settle` reaches it."""
        queue = self._queue
        if len(queue) >= MAX_EDGES:
            return
        if queue and at < queue[-1][0]:
            self._sorted = False
        queue.append((at, edge, seconds, cut))

    def never_silent(self) -> bool:
        """Return whether the caller seems to speak on when an answer begins, more often than not.

        No agent interrupts so often, and other voices beside the caller's do not wait for answers.
        """
        return self._amid_words >= max(FEWEST_AMID_WORDS, self.latencies.n)

    def told(self, at: float) -> None:
        """Take note that the engine says that the caller barged in."""
        self._told_at = at

    def flush(self, at: float) -> None:
        """Take note that what the agent has still to say is thrown away, as of ``at``."""
        agent = (Edge.AGENT_STARTS, Edge.AGENT_ENDS, Edge.HOLE)
        gone = [edge for edge in self._queue if edge[0] > at and edge[1] in agent]
        self._queue = [edge for edge in self._queue if edge not in gone]
        gone.sort()
        if gone and gone[0][1] is Edge.AGENT_ENDS:
            self.put(at, Edge.AGENT_ENDS, 0.0, cut=True)

    def settle(self, until: float) -> None:
        """Go through the edges up to a time until which all are known."""
        queue = self._queue
        if not self._sorted:
            queue.sort(key=lambda edge: edge[0])
            self._sorted = True
        done = 0
        for at, edge, seconds, cut in queue:
            if at > until:
                break
            done += 1
            self._take(at, edge, seconds, cut)
        if done:
            del queue[:done]
        if self._agent_quiet_at is not None and self._over(self._agent_quiet_at, until):
            self._end_spell()

    def _over(self, quiet_at: float, at: float) -> bool:
        """Return whether the agent has been silent for too long to have paused.

        Not for as long as the engine holds it back, to see whether the caller speaks.
        """
        silent = at - quiet_at
        if silent <= RESUME_SECONDS:
            return False
        pause = self._agent_pause if self._agent_pause <= LONGEST_PAUSE_SECONDS else 0.0
        patience = max(RESUME_SECONDS, pause + PAUSE_TOLERANCE_SECONDS)
        return silent - self._answers.held(quiet_at - RESUME_SECONDS, at) > patience

    def _take(self, at: float, edge: Edge, seconds: float, cut: bool | None) -> None:
        quiet_at = self._agent_quiet_at
        if quiet_at is not None and self._over(quiet_at, at):
            self._end_spell()
        if edge is Edge.CALLER_STARTS:
            self._caller_unheard = seconds
            self._caller_starts(at)
        elif edge is Edge.CALLER_ENDS:
            self._caller_ends(at)
        elif edge is Edge.AGENT_STARTS:
            self._agent_starts(at)
        elif edge is Edge.AGENT_ENDS:
            if self._agent_since is not None:
                self._agent_quiet_at, self._agent_cut, self._agent_pause = at, cut, seconds
        elif edge is Edge.HOLE:
            self._blind_hole(at, seconds)
        else:
            self._forget()

    def _caller_starts(self, at: float) -> None:
        self._caller_since = at
        if self._agent_since is not None:
            if self._agent_quiet_at is None or self._goes_on(at):
                self._begin_overlap(at)
        elif (
            self._words >= MIN_WORDS_SECONDS
            and self._first_end is None
            and at - self._words_end >= UNANSWERED_SECONDS
        ):
            self._first_end = self._words_end

    def _begin_overlap(self, at: float) -> None:
        if self._goes_on(at):
            self._overlap_end = None
            return
        if self._overlap_since is not None and self._overlap_end is not None:
            self._talk_over(self._overlap_since, self._overlap_end)
        self._overlap_since, self._overlap_end = at, None

    def _goes_on(self, at: float) -> bool:
        """Return whether a caller who starts again now has only paused while both spoke."""
        ended = self._overlap_end
        return ended is not None and at - ended <= RESUME_SECONDS

    def _caller_ends(self, at: float) -> None:
        if self._caller_since is None:
            return
        at = max(at, self._caller_since)
        length = at - self._caller_since
        self.caller_voice += length
        self._course.note(Kind.CALLER, self._caller_since, at)
        began, self._caller_since, self._caller_end = self._caller_since, None, at
        if self._overlap_since is not None and self._overlap_end is None:
            self._overlap_end = at
        if self._agent_since is not None and self._agent_quiet_at is None:
            return
        alone_since = self._spell_end if self._agent_quiet_at is None else self._agent_quiet_at
        alone = at - max(began, alone_since)
        least = MIN_SPURT_SECONDS if self._words >= MIN_WORDS_SECONDS else MIN_WORDS_SECONDS
        if length >= least and alone > 0:
            self._words += alone
            self._words_end = at

    def _agent_starts(self, at: float) -> None:
        if self._agent_since is not None:
            if self._agent_quiet_at is not None:  # it had only paused
                self._agent_quiet_at = None
                self._words = 0.0
                if self._caller_since is not None and self._overlap_since is None:
                    self._overlap_since, self._overlap_end = self._caller_since, None
            return
        if self._first_end is not None:
            self.unanswered.add(at - self._first_end)
            self._course.note(Kind.UNANSWERED, self._first_end, at)
        asked = self._words >= MIN_WORDS_SECONDS
        if asked and self._caller_since is None and at - self._words_end >= MIN_REPLY_SECONDS:
            self.latencies.add(at - self._words_end)
            self._course.note(Kind.WAIT, self._words_end, at)
            if len(self.answered_at) < EXACT_LIMIT:
                self.answered_at.append(at)
            if len(self.fresh) < MAX_FRESH:
                self.fresh.append(at - self._words_end)
        if self.first_word_at is None:
            self.first_word_at = at
        if asked or at - self._spell_end >= NEW_ANSWER_SECONDS:
            self.answers += 1
        self._agent_since = at
        self._words, self._first_end = 0.0, None
        self._overlap_since = at if self._caller_since is not None else None
        self._overlap_end = None
        self._amid_words += at - (self._caller_since or at) >= MIN_WORDS_SECONDS

    def _end_spell(self) -> None:
        """End what the agent says: did the caller make it stop?"""
        end, since = self._agent_quiet_at, self._agent_since
        if end is None or since is None:
            return
        self._agent_quiet_at = self._agent_since = None
        self._spell_end = max(end, since)
        self.agent_voice += max(0.0, end - since)
        self._course.note(Kind.AGENT, since, end)
        overlap, ended = self._overlap_since, self._overlap_end
        self._overlap_since = self._overlap_end = None
        if overlap is None:
            self._stop_in_a_pause(end)
            return
        patience = GAVE_UP_CUT_SECONDS if self._agent_cut else GAVE_UP_SECONDS
        if ended is not None and ended < end - patience:
            self._talk_over(overlap, ended)
            self._stop_in_a_pause(end)
            return
        length = end - overlap
        if (
            overlap > since
            and self._asked_to_stop(overlap, ended, end)
            and self._stopped(end, length)
        ):
            self.reactions.add(length)
            self._course.note(Kind.BARGE_IN, overlap, end)
            self._answers.barge_in(end)
            self._words = max(self._words, MIN_WORDS_SECONDS)
            if ended is not None:
                self._words_end = max(self._words_end, ended)
        else:
            self._talk_over(overlap, end)
            if self._agent_cut and self._caller_since is not None:
                self._answers.barge_in(end)

    def _stop_in_a_pause(self, end: float) -> None:
        """Take note of a barge-in that can't be timed: the caller began as the agent paused.

        An agent that had fallen silent before, and not for a pause of its voice, did so of itself.
        """
        since = self._caller_since
        if self._agent_cut and since is not None:
            if self._caller_end >= end - GAVE_UP_CUT_SECONDS:
                since = end
            self._answers.barge_in(end, since - self._agent_pause - self._caller_unheard)

    def _asked_to_stop(self, since: float, until: float | None, end: float) -> bool:
        """Return whether what the caller said over the agent was more than "mm-hm", or a noise."""
        if until is None:
            return True
        if self._agent_cut is not None or self._is_told(end, end - since):
            return until - since >= MIN_BARGE_IN_SECONDS
        return until - since >= MIN_BLIND_BARGE_IN_SECONDS and until >= end + MIN_BLIND_REST_SECONDS

    def _is_told(self, end: float, length: float) -> bool:
        """Return whether the engine says that the caller stopped what ended then."""
        return abs(self._told_at - end) <= TOLD_SECONDS + length

    def _stopped(self, end: float, length: float) -> bool:
        """Return whether the agent fell silent for the caller, not because it had said it all."""
        if length < (MIN_CUT_REACTION_SECONDS if self._agent_cut else MIN_REACTION_SECONDS):
            return False
        if self._is_told(end, length):
            return True
        if self._agent_cut is None:
            return length <= MAX_BLIND_REACTION_SECONDS
        return self._agent_cut

    def _talk_over(self, since: float, until: float) -> None:
        seconds = until - since
        if seconds >= TALK_OVER_SECONDS:
            self._course.note(Kind.TALK_OVER, since, until)
            self.talk_overs += 1
            self.talk_over_seconds += seconds

    def _blind_hole(self, at: float, seconds: float) -> None:
        """Count frames that did not come, unless the caller spoke: then it may be two answers."""
        if self._caller_since is None and self._caller_end < at - seconds - GAVE_UP_SECONDS:
            self._course.note(Kind.BLIND_HOLE, at - seconds, at)
            self.blind_holes += 1
            self.blind_hole_seconds += seconds
            self.longest_blind_hole = max(self.longest_blind_hole, seconds)

    def _forget(self) -> None:
        """Leave what was going on when the clock jumped: its lengths can't be known."""
        self._agent_since = self._agent_quiet_at = self._caller_since = None
        self._overlap_since = self._overlap_end = self._first_end = None
        self._words = 0.0

    def finish(self, end: float) -> None:
        """End the call: what waits for an answer won't get one."""
        self.settle(float("inf"))
        if self._agent_since is not None:
            self.agent_voice += max(0.0, end - self._agent_since)
            self._course.note(Kind.AGENT, self._agent_since, end)
            if self._overlap_since is not None:
                self._talk_over(self._overlap_since, self._overlap_end or end)
            return
        speaks = self._caller_since is not None
        if self._caller_since is not None:
            self.caller_voice += max(0.0, end - self._caller_since)
            self._course.note(Kind.CALLER, self._caller_since, end)
        since = self._first_end
        if since is None and self._words >= MIN_WORDS_SECONDS and not speaks:
            since = self._words_end
        if since is not None and end - since >= UNANSWERED_SECONDS:
            self.unanswered.add(end - since)
            self._course.note(Kind.UNANSWERED, since, end)
