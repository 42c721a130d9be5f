"""The two tracks of a call: when each frame was heard, and where each talkspurt begins and ends.

Frames cross the engine's edge at one time and are heard at another. The caller's were spoken before
they arrived, and may have been held up on the way; the agent's are played after those before them,
so that what is sent early is heard later. Each track turns its frames into the edges of talkspurts
(ITU-T P.59), at the times at which they were heard, for :mod:`turn_taking` to put together.
"""

from __future__ import annotations

from ai_engine_quality.core.answer_audio import (
    ASKED_AFTER_SECONDS,
    MAX_BLIND_HOLE_SECONDS,
    MIN_FILLED_SECONDS,
    SILENT_RMS,
    AnswerAudio,
)
from ai_engine_quality.core.course import Course, Kind
from ai_engine_quality.core.echo_path import BLOCK_SECONDS, EchoPath
from ai_engine_quality.core.turn_taking import (
    MIN_WORDS_SECONDS,
    RESUME_SECONDS,
    Edge,
    TurnTaking,
)
from ai_engine_quality.core.twins import twin
from ai_engine_quality.core.voice_activity import VoiceActivity

ONSET_SECONDS = 0.055
"""Speech must last this long to be a talkspurt, three frames of 20 ms: clicks are shorter."""

HANGOVER_SECONDS = 0.2
"""A shorter silence is part of a talkspurt: P.59's least pause."""

SPARSE_SECONDS = 0.1
"""Frames that stand for more are looks at a track now and then."""

ABRUPT = 0.3
"""Share of the level of the frame before, under which words break off: 10 dB."""

WARM_UP_SECONDS = 0.3
"""The caller's line is listened to for its noise so long before anything on it is speech."""

AUDIBLE_RMS = 180.0
"""-45 dBov: from here on a frame of the agent's is heard by itself, be it ever so short."""

PRELUDE_SECONDS = 0.15
"""What is audible so shortly before an agent's words is their beginning, as a breath is."""

QUIETEST_CALLER_RMS = 36.0
"""-59 dBov: lines idle at 7 and more, and callers may be quiet."""

QUIETEST_AGENT_RMS = 120.0
"""-49 dBov: louder than comfort noise, which may be there from the first frame."""

MOST_CALLER_NOISE = 0.7
MOST_AGENT_NOISE = 0.25
"""Share of the talker's level that noise may ask for: an engine sends little noise."""

FALL_SECONDS = 0.01
"""Speech falls by a dB in so many seconds where words end: so much longer they last than noise lets
hear. From 8 to 20 dB under their level, 0.012 in the mean of Debian's English prompts, 0.003 to
0.009 in that of its Spanish and French ones and of espeak's voices."""

UNHEARD_SECONDS = 0.05
HIDDEN_SECONDS = 0.7
"""So much later than words began they may be heard: if they began softly; and if the talker is so
much quieter than the agent that they were taken for its echo."""

CLUMPED = 0.5
"""A frame that comes this share of its length after the last, or sooner, had been held up."""

LEAST_CLEAR = 1.03
"""The caller must stand out of the noise by so much, in the mean of the talkspurts."""

LOST_AFTER_FRAMES = 5
"""Where so many come late at their usual pace, the missing ones are lost."""

STALL_SECONDS = 0.5
"""A caller's track from which nothing comes for longer stood still."""

HELD_UP_SHARE = 0.9
"""A line had stood still where so much of what had not come follows at once. It does so in both
directions: what was sent to the caller meanwhile came as late. Where nothing follows, frames were
lost, or a phone sends none while its caller is silent."""

STEADY_SECONDS = 2.0
STEADY_TIMES = 1.5
"""Seconds, and times the stall's length, that the track must have come steadily before: else an
engine hands it over in large pieces."""

_NEVER = float("inf")

MAX_AHEAD_SECONDS = 60.0
"""No far end buffers more than this."""

COMFORT_AFTER_SECONDS = 0.6
"""An agent that is silent for longer does not pause: what the engine sends now is its silence."""

COMFORT_WEIGHT = 0.1
"""Of one frame in the mean level of that silence."""

COMFORT_SPREAD = 0.25
"""Frames of that silence lie so close to its mean; a frame of noise deviates by 0.05 to 0.1."""

JITTER_SECONDS = 0.075
"""Time that frames may come late, in sum, before it is a hole: phones hold back three frames, and
what is shorter than a frame beyond those 0.06 s nobody hears."""

DRAINED_SECONDS = 0.02
"""The same once it had come to a hole: until the agent falls silent a phone holds back less."""

IDLE_SLEW = 0.05
SLEW = 0.002
"""Share of its length by which a frame shortens what the far end is thought to hold: a sender whose
clock is a little fast isn't ahead. More between answers, where nothing sounds."""

DEAD_LINE_RMS = 9.0
"""Digital silence: A-law's smallest code is 8."""


FASTEST = 1.25
FASTEST_SECONDS = 2.0
"""A caller's track longer than the time in which it came, times the first and more the second, was
handed over at once, and the times of its frames say nothing."""


class _Track:
    """What both tracks know of their frames."""

    __slots__ = ("_last_pace", "_level", "_onset", "_speaking", "last_at", "resolution")

    def __init__(self, last_pace: float) -> None:
        self._last_pace = last_pace
        self._level = -1.0
        self._onset = 0.0
        self._speaking = False
        self.last_at = float("-inf")
        self.resolution = 0.0

    def _pace(self, seconds: float) -> None:
        """Follow how much a frame stands for."""
        known = self.resolution or seconds
        self.resolution = known + 0.02 * (seconds - known)

    def _doubled(self, pace: float, seconds: float) -> bool:
        """Return whether a frame of the last one's level is that frame again, not one of many."""
        if pace >= seconds * CLUMPED or self._last_pace < seconds * CLUMPED:
            return False
        self._last_pace = 0.0
        return True


class CallerTrack(_Track):
    """What came from the caller."""

    __slots__ = (
        "_agent", "_answers", "_base", "_behind", "_candidate_media", "_candidate_offset",
        "_clearness", "_course", "_echo_path", "_end_media", "_end_offset", "_hang", "_media",
        "_sent_in_stall", "_spurts", "_started", "_steady_from", "_to_follow", "_turns", "_voice",
        "first_at", "longest_stall", "loudest", "stalls",
    )  # fmt: skip

    def __init__(
        self, turns: TurnTaking, agent: AgentTrack, answers: AnswerAudio, course: Course
    ) -> None:
        super().__init__(float("inf"))
        self._course = course
        self._turns = turns
        self._agent = agent
        self._answers = answers
        self._base = float("inf")
        self._behind = 0
        self._sent_in_stall = self._steady_from = 0.0
        self._to_follow = 0.0
        """Seconds that must still come at once for a stall to be the line's; 0: none is asked."""
        self._started = 0.0
        self._spurts = 0
        self._clearness = 0.0
        self._voice = VoiceActivity(QUIETEST_CALLER_RMS, WARM_UP_SECONDS, MOST_CALLER_NOISE)
        self._echo_path = EchoPath()
        self._media = self._hang = 0.0
        self._candidate_media = self._candidate_offset = 0.0
        self._end_media = self._end_offset = 0.0
        self.first_at: float | None = None
        self.loudest = 0.0
        self.stalls = 0
        self.longest_stall = 0.0

    def hear(  # noqa: C901, PLR0912, PLR0915  # the hot path: calls would cost more than they explain
        self, at: float, level: float, seconds: float
    ) -> None:
        """Take a frame that arrived at ``at``.

        What is held up on the way arrives in a burst; then its frames were spoken earlier than they
        came. So an edge lies at its place in the audio, plus the least delay of the frames from it
        until it is decided.
        """
        pace = at - self.last_at
        before = self._level
        if level == before and level > SILENT_RMS and self._doubled(pace, seconds):
            return
        if pace > STALL_SECONDS:
            self._after_a_stall(at, pace, seconds)
        self._last_pace = pace
        self.last_at = at
        self._level = level
        if seconds != self.resolution:
            self._pace(seconds)
        media = self._media
        self._media = media + seconds
        offset = at - self._media
        late = offset - self._base
        if late <= JITTER_SECONDS:
            self._base += late if late < 0 else 0.01 * late
            self._behind = 0
        elif pace < seconds * CLUMPED:
            offset = self._base  # it was held up on the way
            if self._to_follow:
                self._follow(at, seconds)
        else:
            self._fall_behind(late)
        if level > self.loudest:  # noqa: PLR1730  # twice as fast as max()
            self.loudest = level
        agent = self._agent
        agent.sounded = 0.0
        played = agent.loudest_near(at) if at < agent.echoes_until else 0.0
        echo = self._echo_path.hear(at, level, played) if played else 0.0
        if self._echo_path.found and level <= echo:
            self._was_echo()
        quiet = played < 100.0 and not self._speaking
        if self._voice.hear(level, seconds, echo, quiet):
            if not self._onset:
                self._candidate_media, self._candidate_offset = media, offset
            elif offset < self._candidate_offset:
                self._candidate_offset = offset
            self._onset += seconds
            if self._speaking or self._onset >= ONSET_SECONDS:
                self._end_media, self._end_offset, self._hang = self._media, offset, 0.0
                if not self._speaking:
                    self._start(seconds)
            return
        self._onset = 0.0
        if self._speaking:
            if not self._hang:
                self._voice.words_fade()
            if level > echo and self._voice.lasts(level, before):
                self._end_media, self._end_offset, self._hang = self._media, offset, 0.0
                return
            self._end_offset = min(self._end_offset, offset)
            self._hang += seconds
            if self._hang >= HANGOVER_SECONDS and self._hang >= 1.5 * seconds:
                self.end(seconds)

    @property
    def seen(self) -> bool:
        """Whether anything came at all."""
        return self.first_at is not None

    def _after_a_stall(self, at: float, pace: float, seconds: float) -> None:
        """Begin with the first frame, or take note of one before which nothing came for long."""
        if self.first_at is None:
            self.first_at = self._media = self._steady_from = at - seconds
            self._base = 0.0
        elif pace > 3 * seconds:
            self._voice.sent_no_more()
            self._stall(at, pace)

    def _stall(self, at: float, seconds: float) -> None:
        """Take note that nothing had come for so long."""
        self._course.note(Kind.STALL, at - seconds, at)
        self.stalls += 1
        self.longest_stall = max(self.longest_stall, seconds)
        steady = self._media - self._steady_from
        self._steady_from = self._media
        self._sent_in_stall = self._agent.sounded
        if steady >= max(STEADY_SECONDS, STEADY_TIMES * seconds):
            self._to_follow = seconds * HELD_UP_SHARE

    def _follow(self, at: float, seconds: float) -> None:
        """Take a frame that comes at once after others that were held up.

        Once there are enough of them, the agent's words that were sent in the stall came late, too.
        """
        self._to_follow = max(0.0, self._to_follow - seconds)
        if self._to_follow or self._sent_in_stall < MIN_FILLED_SECONDS:
            return
        if self._answers.hinted:
            self._answers.hole(at, self._sent_in_stall)
        else:
            self._turns.put(at, Edge.HOLE, self._sent_in_stall)

    def _fall_behind(self, late: float) -> None:
        """Take note of a frame that comes later than its place in the audio tells.

        It is late, and others will catch up; or some were lost, and none will.
        """
        self._behind += 1
        if self._behind >= LOST_AFTER_FRAMES:
            self._base += late
            self._to_follow = 0.0

    def _start(self, seconds: float) -> None:
        self._speaking = True
        self._voice.words_begin()
        self._started = self._candidate_media + self._candidate_offset + _half(seconds)
        hidden = self._voice.hidden >= ONSET_SECONDS or self._echo_path.hides(self._voice.talker)
        self._voice.hidden = 0.0
        unheard = HIDDEN_SECONDS if hidden else UNHEARD_SECONDS
        self._turns.put(self._started, Edge.CALLER_STARTS, unheard)
        self._answers.asked(self._started, RESUME_SECONDS)

    def _was_echo(self) -> None:
        """Take a talkspurt back that was the agent's echo, before that was known for one."""
        self._echo_path.found = False
        if self._speaking:
            self._speaking = False
            self._onset = 0.0
            self._turns.put(self._started, Edge.CALLER_ENDS)

    def end(self, seconds: float = 0.0) -> None:
        """End the talkspurt, if there is one, where its last frame with speech ended."""
        if self._speaking:
            self._speaking = False
            self._onset = 0.0
            ends = self._end_media + self._end_offset + _half(seconds)
            ends += self._voice.masked() * FALL_SECONDS
            self._turns.put(ends, Edge.CALLER_ENDS)
            self._spurts += 1
            self._clearness += self._voice.clearness
            if ends - self._started >= MIN_WORDS_SECONDS:
                self._answers.asked(ends, ASKED_AFTER_SECONDS)

    def settled(self, now: float) -> float:
        """Return until when no more edges can be found."""
        if self._speaking:
            return min(now, self._end_media + self._end_offset)
        if self._onset:
            return min(now, self._candidate_media + self._candidate_offset)
        return now - 2 * self.resolution

    def link(
        self, turns: TurnTaking, agent: AgentTrack, answers: AnswerAudio, course: Course
    ) -> None:
        """Work for these from now on, with a floor of its own: a twin does for twins."""
        self._turns, self._agent, self._answers = turns, agent, answers
        self._course = course
        self._voice = twin(self._voice)
        self._echo_path = twin(self._echo_path)

    def end_of_track(self, now: float) -> None:
        """Take note that the call ends."""
        behind = self._agent.last_at - self.last_at
        if self.seen and behind > STALL_SECONDS and behind > 3 * self.resolution:
            self._stall(self._agent.last_at, behind)
        if self._hang or now - self.last_at > HANGOVER_SECONDS:
            self.end(self.resolution)

    def echo(self) -> float | None:
        """Return how loud the agent's echo is, as a share of its level; None where none is."""
        return self._echo_path.heard(self._voice.noise)

    def cannot_hear(self) -> str | None:
        """Return why the caller's voice can't be told; None where it can."""
        if self.first_at is None:
            return "the caller's track was not seen"
        came = self.last_at - self.first_at
        if self._media - self.first_at > FASTEST * came + FASTEST_SECONDS:
            return "the caller's frames came faster than they last"
        if self._clearness < LEAST_CLEAR * self._spurts or self._turns.never_silent():
            return "the caller's voice can't be told from the noise"
        return None

    def idle(self, now: float) -> None:
        """Take note that nothing came until ``now``."""
        if self._speaking and now - self.last_at > STALL_SECONDS + 3 * self.resolution:
            self.end(self.resolution)


class AgentTrack(_Track):
    """What was sent to the caller, and when it was played."""

    __slots__ = (
        "_abrupt", "_answers", "_blocks", "_candidate", "_comfort", "_comfort_high", "_comfort_low",
        "_cut_by_gap", "_end", "_fading", "_held_back", "_last_voiced_end", "_level_before",
        "_loud_before", "_prelude", "_prelude_end", "_quiet_for", "_rise", "_slip", "_turns",
        "_voice", "echoes_until", "ever_voiced", "sounded",
    )  # fmt: skip

    def __init__(self, turns: TurnTaking, answers: AnswerAudio) -> None:
        super().__init__(0.0)
        self._turns = turns
        self._answers = answers
        self._voice = VoiceActivity(QUIETEST_AGENT_RMS, 0.0, MOST_AGENT_NOISE)
        self._blocks: dict[int, float] = {}
        self.echoes_until = float("-inf")
        """From here on nothing can be the agent's echo."""
        self._end = float("-inf")
        self._candidate = self._last_voiced_end = 0.0
        self._quiet_for = 0.0
        self._comfort = 0.0
        self._comfort_low = self._comfort_high = 0.0
        self._slip = 0.0
        self._rise = _NEVER
        self._prelude = self._prelude_end = float("-inf")
        self._loud_before = False
        self._cut_by_gap = 0.0
        self._fading = False
        self._abrupt = True
        self._level_before = 0.0
        self._held_back = JITTER_SECONDS
        self.ever_voiced = False
        self.sounded = 0.0
        """Seconds with sound that were sent since the caller's last frame."""

    def loudest_near(self, at: float) -> float:
        """Return the highest level that was played in the last 0.3 to 0.6 s, 16-bit RMS."""
        block = int(at / BLOCK_SECONDS)
        blocks = self._blocks
        now, before = blocks.get(block, 0.0), blocks.get(block - 1, 0.0)
        return now if now > before else before  # noqa: FURB136  # twice as fast as max()

    def hear(  # noqa: C901, PLR0912, PLR0915  # the hot path: calls would cost more than they explain
        self, at: float, level: float, seconds: float
    ) -> None:
        """Take a frame that was sent at ``at``: it is heard then, or after those before it."""
        pace, before = at - self.last_at, self._level
        if level == before and level > SILENT_RMS and self._doubled(pace, seconds):
            return
        self._last_pace = pace
        self.last_at = at
        self._level = level
        if seconds != self.resolution:
            self._pace(seconds)
        start = self._end
        if at > start:
            self._late(at, seconds)
            start = at
        elif start - at > MAX_AHEAD_SECONDS:
            return
        sounding = level >= SILENT_RMS
        plays_for = seconds
        if start - at > 0.02:
            plays_for *= 1.0 - (SLEW if self._speaking or sounding else IDLE_SLEW)
        self._end = start + plays_for
        if not sounding:
            self._answers.silence(seconds)
        elif self._comfort_low < level < self._comfort_high:
            self._answers.comfort(seconds)
        else:
            self._answers.sound(start, seconds)
            self.sounded += seconds
            block = int(start / BLOCK_SECONDS)
            loudest = self._blocks.get(block)
            if loudest is None:
                self._new_block(block, at, level)
            elif level > loudest:
                self._blocks[block] = level
        if self._voice.hear(level, seconds, 0.0, not self._speaking):
            self._fading = True
            self._level_before = before
            if self._speaking and self._onset and not self._cut_by_gap:
                self._last_voiced_end = start + seconds
            else:
                self._voiced(start, seconds)
        else:
            self._onset = 0.0
            if level <= self._voice.tail:
                self._rise = _NEVER
            elif self._rise == _NEVER:
                self._rise = start
            self._loud_before = False
            self._quiet_for += seconds
            if self._speaking:
                self._fade(before, level, start + seconds, seconds)
                return
            if level >= AUDIBLE_RMS:
                self._hear_prelude(start, seconds)
            if self._quiet_for > COMFORT_AFTER_SECONDS and (level or self._comfort):
                self._hear_comfort(level)

    def _fade(self, before: float, level: float, ends: float, seconds: float) -> None:
        """Take a quiet frame after words, which end where they are faint."""
        if self._quiet_for == seconds:  # the first one
            loud = max(before, self._level_before)
            self._abrupt = seconds > SPARSE_SECONDS or level < ABRUPT * loud
        self._fading = self._fading and level > self._voice.tail
        if self._fading:
            self._last_voiced_end = ends
        elif ends - self._last_voiced_end >= HANGOVER_SECONDS:
            self.end(seconds)

    @property
    def seen(self) -> bool:
        """Whether anything was sent at all."""
        return self.resolution > 0

    def _voiced(self, start: float, seconds: float) -> None:
        if not self._onset:
            self._candidate = min(start, self._rise)
            if self._candidate - self._prelude <= PRELUDE_SECONDS:
                self._candidate = min(self._candidate, self._prelude)
            self._rise = _NEVER
        if self._cut_by_gap:
            self._turns.put(start, Edge.HOLE, self._cut_by_gap)
        self._cut_by_gap = 0.0
        self._loud_before = self._abrupt = True
        self._quiet_for = 0.0
        self._onset += seconds
        if not self._speaking and self._onset >= ONSET_SECONDS:
            self._speaking = self.ever_voiced = True
            self._turns.put(self._candidate - _half(seconds), Edge.AGENT_STARTS)
        if self._speaking:
            self._last_voiced_end = start + seconds

    def _hear_prelude(self, start: float, seconds: float) -> None:
        """Take an audible frame without speech: words that follow soon begin with it.

        A line that is audible all the time, of noise or music, has no such beginning.
        """
        if start - self._prelude_end > PRELUDE_SECONDS:
            self._prelude = start
        self._prelude_end = start + seconds

    def _hear_comfort(self, level: float) -> None:
        """Follow the level of what is sent as silence."""
        known = self._comfort or level
        self._comfort = known + (level - known) * COMFORT_WEIGHT
        self._comfort_low = self._comfort * (1 - COMFORT_SPREAD)
        self._comfort_high = self._comfort * (1 + COMFORT_SPREAD)

    def _late(self, at: float, seconds: float) -> None:
        """Take note that this frame came after all before it had been played."""
        gap = at - self._end
        missing = 0.0
        if seconds > SPARSE_SECONDS:
            pass
        elif gap > JITTER_SECONDS:
            missing, self._slip = gap, 0.0
            self._voice.nothing()
            self._quiet_for = 0.0
        else:
            slip = self._slip - 0.005 * seconds
            self._slip = slip + gap if slip > 0.0 else gap
            if self._slip > self._held_back:
                missing, self._slip = self._slip, 0.0
        if missing:
            self._held_back = DRAINED_SECONDS if self._speaking else JITTER_SECONDS
            if self._answers.hinted:
                self._answers.gap(missing)
            elif self._loud_before and missing <= MAX_BLIND_HOLE_SECONDS:
                self._cut_by_gap = missing
        if self._speaking and at - self._last_voiced_end >= max(HANGOVER_SECONDS, 1.5 * seconds):
            self.end(seconds)
        if gap > JITTER_SECONDS:
            self._onset = 0.0
            self._rise = _NEVER

    def _new_block(self, block: int, at: float, level: float) -> None:
        if len(self._blocks) > 8:
            oldest = int(at / BLOCK_SECONDS) - 2
            for known in [known for known in self._blocks if known < oldest]:
                del self._blocks[known]
        self._blocks[block] = level
        self.echoes_until = max(self.echoes_until, (block + 3) * BLOCK_SECONDS)

    def end(self, seconds: float = 0.0) -> None:
        """End the talkspurt, if there is one, where its last frame with speech ended."""
        if self._speaking:
            self._speaking = False
            self._onset = 0.0
            self._held_back = JITTER_SECONDS
            blind = None if self._abrupt else False
            unfinished = self._answers.unfinished() if self._answers.hinted else blind
            ended = self._last_voiced_end - _half(seconds)
            pause = self._answers.pause_due()
            self._turns.put(ended, Edge.AGENT_ENDS, _NEVER if pause is None else pause, unfinished)

    def flush(self, at: float) -> None:
        """Take note that the far end throws away what it hasn't played yet."""
        self._answers.flush(at, max(0.0, self._end - at))
        self._end = min(self._end, at)
        now = int(at / BLOCK_SECONDS)
        self._blocks = {block: level for block, level in self._blocks.items() if block <= now}
        self.echoes_until = min(self.echoes_until, (now + 3) * BLOCK_SECONDS)
        if self._speaking:
            self._last_voiced_end = min(self._last_voiced_end, at)
            self.end()
        self._turns.flush(at)

    def spoke_at(self, at: float) -> bool:
        """Return whether the agent's words lasted until then, but for a pause."""
        return self.ever_voiced and self._last_voiced_end >= at - self._hangover()

    def settled(self, now: float) -> float:
        """Return until when no more edges can be found."""
        if self._speaking:
            return min(now, self._last_voiced_end)
        return min(now, self._candidate) if self._onset else now

    def link(self, turns: TurnTaking, answers: AnswerAudio) -> None:
        """Work for these from now on, with a floor of its own: a twin does for twins."""
        self._turns, self._answers = turns, answers
        self._voice = twin(self._voice)

    def end_of_track(self) -> None:
        """Take note that the call ends."""
        self.end(self.resolution)

    def idle(self, now: float) -> None:
        """Take note that nothing came until ``now``."""
        if self._speaking and now - max(self._end, self._last_voiced_end) >= self._hangover():
            self.end(self.resolution)

    def _hangover(self) -> float:
        """Return how long a silence must be to be none of its words, as finely as frames tell."""
        return max(HANGOVER_SECONDS, 1.5 * self.resolution)


def _half(seconds: float) -> float:
    """Return how far an edge may lie within a look; frames are short enough to say 0."""
    return seconds / 2 if seconds > SPARSE_SECONDS else 0.0
