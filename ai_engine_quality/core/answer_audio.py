"""What the provider gave against what was played: holes in answers, and audio that was lost. Pure.

Audio is told apart by level into *sounding* and *silent*. Silence that the provider gave is a pause
of its voice, and belongs there; silence that it did not give is a hole. So each answer keeps where
in its sounding audio the pauses stand, and a silence played elsewhere is a hole. What was given to
sound and never did, though no barge-in threw it away, is lost.

Nothing can be told of silent frames where nobody says what was given: then only frames that did not
come, between two sounding ones, are holes.
"""

from __future__ import annotations

from typing import NamedTuple

from ai_engine_quality.core.course import Course, Kind
from ai_engine_quality.core.twins import twin

SILENT_RMS = 30.0
"""16-bit RMS (-61 dBov) under which a frame holds no sound, both given and played."""

STILL_SAID_SECONDS = 2.0
"""What was heard so shortly before the call's end was still being said, in a pause of the speaker's
that nobody told of."""

MIN_FILLED_SECONDS = 0.1
"""Less silence than was given is a difference of edges: frames fall otherwise on the audio."""

RECENT_SECONDS = 0.7
"""What stopped so long ago may be what a barge-in made stop."""

MAX_BLIND_HOLE_SECONDS = 1.5
"""Where nothing says that the answer went on, a longer gap may lie between two answers."""

PLACE_TOLERANCE_SECONDS = 0.06
"""How much earlier a pause may be played than it was given: frames fall otherwise on the audio."""

PLACE_SHARE = 0.01
"""And as a share of the sounding audio before it."""

MOST_SKIPPED_SECONDS = 3.0
"""Where audio is lost a pause comes earlier, by no more than this, and is known by its length."""

STARVING_SECONDS = 0.4
"""With less audio ahead an engine may have run out of it."""

CHUNK_SECONDS = 0.25
"""Pauses that lie closer may be one."""

LENGTH_TOLERANCE_SECONDS = 0.05

LEFT_OVER_SECONDS = 0.15
"""Sounding audio that was given and not played, from which it isn't a difference of edges."""

LEFT_OVER_SHARE = 0.02
"""And the same as a share of the answer: resampling and changes of level move edges."""

ASKED_AFTER_SECONDS = 0.1
"""Words ask for an answer where the agent has been silent for so long when they end."""

MAX_ANSWERS_AHEAD = 16
"""Answers that were given and are not played yet; what is given beyond joins the last."""

MAX_PAUSES = 64
"""Pauses given and not played yet, of one answer; what comes beyond joins the last."""


HELD_MARGIN_SECONDS = 0.25
"""What an engine has sent ahead is played, or thrown away, within this of its holding back."""

MAX_UNSURE = 64
"""Silences that may lie in an answer or between two, and are remembered until that is known."""

MAX_HELD = 32
"""Times at which playing was held back that are remembered; older ones have been accounted for."""


class AnswerTotals(NamedTuple):
    """What the answers of a call came to. Seconds."""

    given: float
    lost: float
    thrown_away: float
    cut: int
    holes: int
    hole_seconds: float
    longest_hole: float


class _Answer:
    """One answer as the provider gave it, and how much of it was played."""

    __slots__ = (
        "barged", "closed", "complete", "faint", "given", "given_since", "heard_from", "heard_to",
        "pauses", "played", "skipped",
    )  # fmt: skip

    def __init__(self, at: float) -> None:
        self.given_since = at
        self.given = 0.0
        """Sounding seconds."""
        self.played = 0.0
        """Sounding seconds."""
        self.skipped = 0.0
        """Sounding seconds before this that seem to be lost."""
        self.faint = 0.0
        """Seconds before this that were played without sound, and given as sound: in shorter frames
        words have silences that they don't have in longer ones."""
        self.heard_from = float("inf")
        self.heard_to = float("-inf")
        self.complete = False
        self.closed = False
        """Whether another has begun, though nobody said that this one is complete."""
        self.barged = False
        self.pauses: list[tuple[float, float, float]] = []
        """(from where and to where in the sounding audio, seconds of silence), not yet played."""

    @property
    def here(self) -> float:
        """How far into its sounding audio it was played."""
        return self.played + self.skipped + self.faint

    @property
    def left_over(self) -> float:
        """Sounding seconds that were given and not played; 0 within the tolerance."""
        left = self.given - self.played
        return left if left > LEFT_OVER_SECONDS + LEFT_OVER_SHARE * self.given else 0.0

    @property
    def over(self) -> bool:
        """Whether nothing of it is still to come."""
        return (self.complete or self.closed) and not self.left_over

    def heard_around(self, at: float) -> bool:
        """Return whether it was what the caller heard at a time, or shortly before."""
        return self.heard_from <= at and self.heard_to >= at - RECENT_SECONDS

    def still_said(self, at: float) -> bool:
        """Return whether it was being said at a time, were it in a pause of the speaker's."""
        here = self.here + PLACE_TOLERANCE_SECONDS
        pauses = sum(seconds for place, _, seconds in self.pauses if place <= here)
        return self.heard_to + pauses > at

    def pause_due(self) -> float:
        """Return how long a pause was given where it is now, before more that sounds."""
        if self.over:
            return 0.0
        here = self.here
        slack = self.played * PLACE_SHARE + PLACE_TOLERANCE_SECONDS
        return sum(
            pause for place, end, pause in self.pauses if place - slack <= here <= end + slack
        )

    def pause(self, seconds: float, sounding: float) -> None:
        """Take note of silence that is given somewhere in the next ``sounding`` seconds."""
        place = self.given
        end = place + sounding
        if self.pauses and (len(self.pauses) >= MAX_PAUSES or self.pauses[-1][0] >= place):
            place, _, before = self.pauses.pop()
            seconds += before
        self.pauses.append((place, end, seconds))

    def allowed(self, silent: float, ahead: float) -> float:
        """Return how much of a silence was given here, and take it from what is still due.

        ``ahead`` is what was given and not yet played when it began.
        """
        here = self.here
        slack = self.played * PLACE_SHARE + PLACE_TOLERANCE_SECONDS
        self._forget(here - slack)
        allowed = 0.0
        while self.pauses and self.pauses[0][0] <= here + slack and allowed < silent:
            place, end, pause = self.pauses.pop(0)
            taken = min(pause, silent - allowed)
            allowed += taken
            if pause - taken > 1e-9:
                self.pauses.insert(0, (place, end, pause - taken))
        if silent - allowed < MIN_FILLED_SECONDS - 1e-9 or ahead < STARVING_SECONDS:
            return allowed
        return max(allowed, self._after_a_skip(silent))

    def _forget(self, before: float) -> None:
        """Forget short pauses that should have been played: differences of edges, left over.

        Audio that is given in pieces may cut one pause in two, where a piece ends.
        """
        kept: list[tuple[float, float, float]] = []
        whole: list[tuple[float, float, float]] = []
        for pause in [*self.pauses, (float("inf"), 0.0, 0.0)]:
            if whole and pause[0] > whole[-1][1] + 1e-9:
                seconds = sum(part for _, _, part in whole)
                if seconds > 2 * LENGTH_TOLERANCE_SECONDS or whole[-1][1] >= before:
                    kept += whole
                whole = []
            whole.append(pause)
        self.pauses = kept

    def _after_a_skip(self, silent: float) -> float:
        """Return the same where audio before it may have been lost, part of a pause maybe.

        An engine that has audio left doesn't fall silent of itself.
        """
        longer = 0.0  # a pause may have been given in two pieces
        previous = float("-inf")
        for index, (place, _, pause) in enumerate(self.pauses):
            if place - self.played > MOST_SKIPPED_SECONDS:
                break
            longer = pause + (longer if place - previous <= CHUNK_SECONDS else 0.0)
            previous = place
            if longer >= silent - LENGTH_TOLERANCE_SECONDS:
                self.skipped, self.faint = place - self.played, 0.0
                del self.pauses[: index + 1]
                return silent
        return 0.0


class AnswerAudio:
    """Keeps the account of one call's answers."""

    __slots__ = (
        "_ahead", "_answers", "_asked_at", "_comfort", "_completed", "_course", "_cut", "_given",
        "_held", "_hole_seconds", "_holes", "_last", "_last_given_at", "_longest", "_lost",
        "_missing", "_pauses_told", "_resumed_at", "_run_answer", "_silent", "_sounded_at",
        "_thrown", "_unsure", "hinted",
    )  # fmt: skip

    def __init__(self, course: Course) -> None:
        self._course = course
        self.hinted = False
        """Whether somebody says what was given."""
        self._pauses_told = False
        self._answers: list[_Answer] = []
        self._given = self._lost = self._thrown = 0.0
        self._cut = self._holes = 0
        self._hole_seconds = self._longest = 0.0
        self._silent = self._missing = self._comfort = self._ahead = 0.0
        self._run_answer: _Answer | None = None
        self._last: _Answer | None = None
        self._completed = False
        self._resumed_at = float("-inf")
        """When audio last came after a while without any, in which all that there was had been
        played."""
        self._unsure: tuple[tuple[float, float], ...] = ()
        """(until when, seconds) of silences that lie in an answer, or between two."""
        self._last_given_at = float("-inf")
        self._asked_at = float("-inf")
        self._sounded_at = float("-inf")
        self._held: tuple[tuple[float, float], ...] = ()

    def copy(self, course: Course) -> AnswerAudio:
        """Return an equal one that changes for itself, and notes in another course."""
        new = twin(self)
        new.part(course)
        return new

    def part(self, course: Course) -> None:
        """Keep answers of its own: a twin begins with those of what it was made from."""
        self._course = course
        shared = self._answers
        self._answers = [twin(answer) for answer in shared]
        if self._run_answer in shared:
            self._run_answer = self._answers[shared.index(self._run_answer)]

    # What the provider gives.

    def give(self, at: float, seconds: float, silent: float) -> None:
        """Take note of audio that the provider handed over, ``silent`` seconds of it silence."""
        self.hinted = True
        silent = min(silent, seconds)
        self._given += seconds
        answer = self._receiving(at)
        if (
            self._idle_for(at) > MAX_BLIND_HOLE_SECONDS
            and answer.given - answer.played < STARVING_SECONDS
        ):
            self._resumed_at = at
        self._last_given_at = at
        if silent > 0:
            self._pauses_told = True
            answer.pause(silent, seconds - silent)
        answer.given += seconds - silent

    def begin(self, at: float) -> None:
        """Take note that a new answer begins: what is given from now on belongs to it."""
        if self._answers and (self._answers[-1].given or self._answers[-1].complete):
            self._answers[-1].complete = True
            self._open(at)

    def complete(self) -> None:
        """Take note that the provider has given all of its answer.

        Who tells it once tells it always: what was unsure so far lay within answers.
        """
        self._completed = True
        for at, seconds in self._unsure:
            self.hole(at, seconds)
        self._unsure = ()
        if self._answers:
            self._answers[-1].complete = True

    def barge_in(self, at: float, since: float = float("-inf")) -> None:
        """Take note that the answer that was heard then is thrown away, for the caller speaks.

        Args:
            at: When the agent fell silent.
            since: What held no sound any more by then had fallen silent before.
        """
        for answer in self._answers:
            if answer.heard_around(at) and answer.heard_to >= since:
                answer.barged = True
        last = self._last
        if (
            last is not None
            and last.heard_around(at)
            and last.heard_to >= since
            and not last.barged
        ):
            self._lost -= last.left_over
            self._thrown += last.left_over
            self._cut += not self._was_cut(last)
            self._last = None

    def flush(self, at: float, seconds: float) -> None:
        """Take note that ``seconds`` of what was sent will not be played, nor what is still due.

        A barge-in: an answer that nobody has heard of yet is thrown away with the one that plays.
        """
        if self._answers:
            self._answers[0].played = max(0.0, self._answers[0].played - seconds)
        if self._held and self._held[-1][1] > at:  # it was an interruption after all
            self._held = self._held[:-1]
        for answer in self._answers:
            if answer.left_over:
                answer.barged = True
        self.barge_in(at)

    def hold(self, at: float) -> None:
        """Take note that the engine holds back what it plays, to see whether the caller speaks."""
        if not self._held or self._held[-1][1] < at:
            self._held = (*self._held[1 - MAX_HELD :], (at, float("inf")))

    def resume(self, at: float) -> None:
        """Take note that it goes on: the caller had not meant to interrupt."""
        if self._held and self._held[-1][1] > at:
            self._held = (*self._held[:-1], (self._held[-1][0], at))

    def held(self, since: float, until: float) -> float:
        """Return for how many seconds of a stretch playing was held back."""
        return sum(max(0.0, min(until, end) - max(since, at)) for at, end in self._held)

    def asked(self, at: float, silent: float) -> None:
        """Take note that the caller has spoken: what is given from now on answers that.

        Not while the agent speaks, or did so less than ``silent`` seconds ago: what it is given
        then is still the same answer's.
        """
        if at - self._sounded_at >= silent:
            self._asked_at = at

    def _receiving(self, at: float) -> _Answer:
        """Return the answer that audio given now belongs to."""
        last = self._answers[-1] if self._answers else None
        if last is None or last.complete:
            return self._open(at)
        thrown_away = last.barged and self._idle_for(at) > MAX_BLIND_HOLE_SECONDS
        if thrown_away or self._asked_at > self._last_given_at:  # and its end was never told
            last.closed = True
            return self._open(at)
        return last

    def _idle_for(self, at: float) -> float:
        """Return for how long nothing was given, nor sounded."""
        return at - max(self._last_given_at, self._sounded_at)

    def _open(self, at: float) -> _Answer:
        while self._answers and self._answers[0].over and self._answers[0] is not self._run_answer:
            self._settle()
        if len(self._answers) >= MAX_ANSWERS_AHEAD:
            self._settle()
        answer = _Answer(at)
        self._answers.append(answer)
        return answer

    # What is played, in the order in which it is heard.

    def silence(self, seconds: float) -> None:
        """Take a frame without sound."""
        if not self._silent and not self._missing and not self._comfort:
            self._begin_run()
        self._silent += seconds

    def comfort(self, seconds: float) -> None:
        """Take a frame like the noise that the engine sends as silence, or like quiet speech."""
        if not self._silent and not self._missing and not self._comfort:
            self._begin_run()
        self._comfort += seconds

    def gap(self, seconds: float) -> None:
        """Take time in which no frame came."""
        if not self._silent and not self._missing and not self._comfort:
            self._begin_run()
        self._missing += seconds

    def sound(self, at: float, seconds: float) -> None:
        """Take a frame with sound, heard from ``at``."""
        if self._silent or self._missing or self._comfort:
            self._end_run(at)
        self._sounded_at = at + seconds
        if self._answers:
            answer = self._answers[0]
            if answer.closed and answer.played >= answer.given and len(self._answers) > 1:
                self._settle()  # a noise of the caller's had cut one answer in two
                answer = self._answers[0]
            answer.played += seconds
            answer.heard_to = at + seconds
            if at < answer.heard_from:  # noqa: PLR1730  # twice as fast as min()
                answer.heard_from = at

    def _begin_run(self) -> None:
        if self._answers:
            answer = self._run_answer = self._answers[0]
            self._ahead = answer.given - answer.played

    def _end_run(self, at: float) -> None:
        """End a silence: it was a pause, a hole, or the time between two answers."""
        silent, missing, comfort = self._silent, self._missing, self._comfort
        self._silent = self._missing = self._comfort = 0.0
        began = self._run_answer
        self._run_answer = None
        if not self._answers:
            return
        first = self._answers[0]
        begun = first.played > 0  # before this silence, which quiet speech may end
        if comfort:
            quiet = min(comfort, max(0.0, self._ahead - first.skipped))
            if quiet > RECENT_SECONDS:
                quiet = 0.0
            if comfort - quiet < MIN_FILLED_SECONDS - 1e-9 or comfort <= silent:
                quiet = comfort
            first.played += quiet
            silent += comfort - quiet
        self._move_on(at, silent + missing)
        answer = self._answers[0]
        if answer is not began or answer is not first or not begun or answer.over:
            return  # what sounds now begins an answer, or was not given: music on hold
        if self._held:
            held = self.held(at - silent - missing - HELD_MARGIN_SECONDS, at)
            missing, silent = max(0.0, missing - held), max(0.0, silent - max(0.0, held - missing))
        filled = silent - answer.allowed(silent, self._ahead)
        if filled < MIN_FILLED_SECONDS - 1e-9:
            answer.faint += filled
            filled = 0.0
        if filled or missing:
            self._hole_or_next(at, filled + missing)

    def _move_on(self, at: float, run: float) -> None:
        """Leave answers that are over, when the sound after a silence must be the next one's."""
        while len(self._answers) > 1:
            answer, following = self._answers[0], self._answers[1]
            silent_since = at - run
            if not (answer.over or answer.barged or following.given_since >= silent_since):
                return
            self._settle()

    def _hole_or_next(self, at: float, seconds: float) -> None:
        """Count a hole, unless what sounds now may be another answer.

        Somebody who never tells of an answer's end gives "One moment" and what follows it as one.
        """
        if self._completed or self._resumed_at <= at - seconds:
            self.hole(at, seconds)
        elif len(self._unsure) < MAX_UNSURE:
            self._unsure = (*self._unsure, (at, seconds))

    def hole(self, at: float, seconds: float) -> None:
        """Count a hole that ends at ``at``."""
        self._course.note(Kind.HOLE, at - seconds, at)
        self._holes += 1
        self._hole_seconds += seconds
        self._longest = max(self._longest, seconds)

    def _settle(self) -> None:
        """Close the account of the first answer."""
        answer = self._last = self._answers.pop(0)
        if answer.barged:
            self._thrown += answer.left_over
        else:
            self._lost += answer.left_over
        heard = answer.heard_to > float("-inf")
        self._cut += (answer.barged and heard) or self._was_cut(answer)

    def _was_cut(self, answer: _Answer) -> bool:
        """Return whether an answer ended before all of it had been said."""
        if not answer.played:
            return False
        return self._completed and not answer.complete

    # What others may ask.

    def unfinished(self) -> bool | None:
        """Whether the answer that is played was cut off, were it to end here; None: unknown."""
        if not self._answers:
            return None
        answer = self._answers[0]
        return not answer.complete or answer.left_over > 0

    def pause_due(self) -> float | None:
        """Return how long a pause the provider gave at this place of the answer that is played.

        None where nobody tells of pauses; 0 where none is due, or nothing follows it.
        """
        if not self._pauses_told:
            return None
        return self._answers[0].pause_due() if self._answers else 0.0

    def totals(self, end: float) -> AnswerTotals:
        """Return the totals of a call whose audio ended here. It changes them: copy it first.

        What is being said when the call ends is neither lost nor cut: somebody hung up.
        """
        patience = RECENT_SECONDS if self._pauses_told else STILL_SAID_SECONDS
        if self._answers and self._answers[0].still_said(end - patience):
            self._answers.clear()
        while self._answers:
            self._settle()
        return AnswerTotals(
            self._given, self._lost, self._thrown, self._cut,
            self._holes, self._hole_seconds, self._longest,
        )  # fmt: skip
