"""What an engine holds of one call: observations without the call id, on the fast path.

Every method checks what it is given, drops and counts what it doesn't believe, and never raises.
The usual case of the frequent ones is written out in one expression; all else goes through
``CallHandle._take``.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from ai_engine_quality.core import observations
from ai_engine_quality.core.call import CallAccumulator, StageAccumulator
from ai_engine_quality.core.distribution import EXACT_LIMIT
from ai_engine_quality.core.observations import (
    FRAME_SECONDS,
    MAX_COUNT,
    MAX_INSTANT,
    MAX_RMS,
    MAX_SECONDS,
    DropReason,
    Rejected,
)
from ai_engine_quality.core.result import CallScore
from ai_engine_quality.core.summary import CallSummary
from ai_engine_quality.core.units import (
    SUSPECTS,
    UNITS,
    clock_words,
    dropped_words,
    gone_words,
    suspect_words,
)
from ai_engine_quality.live.audio import FrameBatch
from ai_engine_quality.live.encodings import check_frame
from ai_engine_quality.live.given_sound import only_piece, pieces_of
from ai_engine_quality.live.sections import SECTIONS

_ENDED = array("d", [0.0] * EXACT_LIMIT)
"""What the handle of an ended call has for turns: no room, so that none is taken."""


_NO_STAGES: dict[str, StageAccumulator] = {}
"""What it has for raw frames: no stage, so that each takes the slow path, which drops it."""

_USUAL_TURN = UNITS["turn"].suspect
"""Seconds: a longer turn is taken too, and asked about."""

_RAW_FRAME = "raw frame"


def _unobserved(_seconds: float) -> None:
    """Take a latency for no histogram: the handle is not a live call's."""


class CallOwner(Protocol):
    """What a handle asks of the monitor that made it."""

    frames: FrameBatch

    def drop(self, reason: DropReason, error: BaseException | None = None, words: str = "") -> None:
        """Count what was not taken."""

    def ask(self, what: str, words: str) -> None:
        """Ask about what was taken, and is unusual."""

    def count_turn_stage(self, provider: str | None, stage: str, seconds: float) -> None:
        """Let the histogram have what a stage of a turn took."""

    def update_names(self, handle: CallHandle, provider: object, pipeline: object) -> None:
        """Set a call's provider and pipeline."""

    def call_ended(
        self,
        call_id: str,
        *,
        provider: str | None,
        pipeline: str | None,
        outcome: str | None,
        failed: bool,
        duration: float | None,
    ) -> CallScore | None:
        """End a call."""


class CallHandle:
    """One call's observations. Made by ``QualityMonitor.call(call_id)``.

    After the call has ended, or for a call that is unknown, every observation is dropped and
    counted.
    """

    __slots__ = (
        "_call",
        "_counted_turns",
        "_gone",
        "_monitor",
        "_sound_waits",
        "_stages",
        "_turns",
        "band",
        "call_id",
        "observe_turn",
        "observed_at",
        "progress",
        "silences",
    )

    def __init__(
        self, monitor: CallOwner, call: CallAccumulator | None, call_id: str, gone: DropReason
    ) -> None:
        self._monitor = monitor
        self._call = call
        self._turns = _ENDED if call is None else call.turns.exact
        self._stages: dict[str, StageAccumulator] = _NO_STAGES
        """Those of a call of which raw frames, or given sound, may wait to be measured."""
        self._sound_waits = False
        self._gone = gone
        self.call_id = call_id
        self.band: str | None = None
        """Band that the call would have if it ended now; kept by the monitor."""
        self.progress: tuple[object, ...] | None = None
        """What had been observed when that band was made; kept by the monitor."""
        self.observed_at = 0.0 if call is None else call.started
        """Monotonic seconds of the last look at which something new was there; likewise."""
        self.silences = 0
        """How many of the thresholds of silence the call has passed; likewise."""
        self.observe_turn: Callable[[float], None] = _unobserved
        """Takes each turn's latency for the histogram; kept by the monitor."""
        self._counted_turns = 0
        """How many of its turns the histogram has."""

    @property
    def live(self) -> bool:
        """Whether the call is known and has not ended."""
        return self._call is not None

    @property
    def accumulator(self) -> CallAccumulator | None:
        """What was observed so far; None once the call has ended. For the monitor."""
        return self._call

    @property
    def gone(self) -> DropReason:
        """Why observations are dropped while there is no call."""
        return self._gone

    def still_there(self) -> None:
        """Take note that the call goes on, though nothing of it is observed in this process."""
        self.observed_at = self._monitor.frames.clock()

    def close(self, gone: DropReason) -> CallAccumulator | None:
        """Take the call's observations away; used by the monitor when the call ends."""
        call, self._call, self._gone = self._call, None, gone
        self._turns, self._stages = _ENDED, _NO_STAGES
        return call

    def turn_response(self, seconds: float) -> None:
        """Report a turn's latency: seconds from the end of the caller's turn to agent audio."""
        if type(seconds) is float and 0.0 <= seconds < _USUAL_TURN:
            turns = self._turns
            if len(turns) < EXACT_LIMIT:
                turns.append(seconds)
                if self._call.ear is None:  # type: ignore[union-attr]  # a live call: it has room
                    self.observe_turn(seconds)
                    self._counted_turns += 1
                return
        self._take("turn", self._slow_turn, seconds)

    def _slow_turn(self, call: CallAccumulator, seconds: object) -> None:
        checked = observations.seconds(seconds)
        call.turn_response(checked)
        if call.ear is None:
            self._count_turn(checked)

    def _count_turn(self, seconds: float) -> None:
        self.observe_turn(seconds)
        self._counted_turns += 1

    def count_heard_turns(self) -> None:
        """Let the histogram have the turns that were heard lately, while the call goes on."""
        call = self._call
        if call is None or call.ear is None:
            return
        for seconds in call.ear.take_latencies():
            self._count_turn(seconds)

    def count_last_turns(self, call: CallAccumulator, summary: CallSummary) -> None:
        """Let the histogram have the rest of an ended call's turns: as heard, else as told."""
        if call.ear is None:
            return
        turns: Iterable[float] = (summary.turn_latencies or ())[self._counted_turns :]
        if summary.binned.get("turn_latencies"):  # of so many turns the order is lost
            heard = summary.is_heard("latency")
            turns = call.ear.take_latencies() if heard else call.turns.freeze().all()
        for seconds in turns:
            self.observe_turn(seconds)

    def turn_stage(
        self, stage: str, seconds: float, provider: str | None = None, *, at: float | None = None
    ) -> None:
        """Report where some of a turn's time went.

        Args:
            stage: ``stt``, ``end_of_turn``, ``llm``, ``tool`` or ``tts``.
            seconds: How long that took.
            provider: Whose it is; None is the call's provider.
            at: When the turn's answer began, in monotonic seconds; None: now.
        """
        moment = self._monitor.frames.clock() if at is None else at
        self._take("turn stage", self._turn_stage, stage, seconds, provider, moment)

    def _turn_stage(
        self, call: CallAccumulator, stage: object, seconds: object, provider: object, at: object
    ) -> None:
        name, took = observations.turn_stage(stage), observations.seconds(seconds)
        whose = observations.name(provider)
        call.turn_stage(name, took, whose, observations.instant(at))
        self._monitor.count_turn_stage(whose or call.provider, name, took)

    def unanswered(self, waited: float) -> None:
        """Report a turn of the caller that never got a reply, and the seconds it waited."""
        self._take("unanswered turn", _unanswered, waited)

    def frames_sent(self, count: int) -> None:
        """Report 20 ms frames of agent speech that were played, fillers not included."""
        self._take("frame count", _frames_sent, count)

    def underflow(self, count: int = 1, episodes: int | None = None) -> None:
        """Report 20 ms fillers played because the buffer was empty, in how many episodes.

        Args:
            count: Filler frames; 0 is a report too.
            episodes: Fillers in a row are one; None: unknown, and each filler counts as one.
        """
        if episodes is None and type(count) is int and 0 <= count <= MAX_COUNT:
            try:
                self._call.underflows += count  # type: ignore[union-attr,operator]  # as below
                return
            except (AttributeError, TypeError):  # an ended call, or its first report
                pass
        self._take("filler count", _underflow, count, episodes)

    def fallback(self, reason: str = "") -> None:
        """Report a fall from streaming to playing a file, for a reason that a program chose."""
        self._take("fallback", _fallback, reason)

    def barge_in(self, reaction: float | None = None) -> None:
        """Report an interruption: seconds until the agent was silent, None where not timed."""
        self._take("barge-in", _barge_in, reaction)

    def codec_alignment(self, aligned: bool, detail: str = "") -> None:
        """Report a check of the formats on both sides; ``detail`` names them, as code words."""
        self._take("format check", _codec_alignment, aligned, detail)

    def audio_level(
        self, stage: str, rms: float, *, seconds: float = FRAME_SECONDS, at: float | None = None
    ) -> None:
        """Report a level that was measured elsewhere.

        Args:
            stage: ``provider_out``, ``transport_out``, ``transport_out:<kind>``, ``transport_in``
                or ``provider_in``.
            rms: 16-bit RMS of a frame.
            seconds: How much audio it stands for, where levels are sampled.
            at: When it crossed the engine's edge, in monotonic seconds; None: now.
        """
        frames = self._monitor.frames
        moment = frames.clock() if at is None else at
        if (
            type(stage) is str
            and type(rms) is type(seconds) is type(moment) is float
            and 0.0 <= rms <= MAX_RMS
            and 0.0 <= seconds <= MAX_SECONDS
            and -MAX_INSTANT <= moment <= MAX_INSTANT
            and self._usual_level(stage, rms, seconds, moment)
        ):
            return
        self._take("level", self._audio_level, stage, rms, seconds, moment)

    def _usual_level(self, stage: str, rms: float, seconds: float, at: float) -> bool:
        """Take a valid level of a stage that is known; return whether it is."""
        call, raw = self._call, self._stages
        try:
            if raw:  # then it has to wait with the raw frames
                found = raw.get(stage)
                if found is not None:
                    self._monitor.frames.take_level(found, rms, seconds, at)
                return found is not None
            if call is None or not call.stages or stage not in call.stages:
                return False
            with SECTIONS:
                call.stages[stage].add_level(rms, seconds, at)
        except Exception as error:  # of other calls' frames, measured with it
            self._monitor.drop(DropReason.INTERNAL_ERROR, error)
        return True

    def _audio_level(
        self, call: CallAccumulator, stage: object, rms: object, seconds: object, at: object
    ) -> None:
        level, length = observations.rms(rms), observations.seconds(seconds)
        moment = observations.instant(at)
        if not (type(stage) is str and call.stages and stage in call.stages):
            stage = observations.stage(stage)
        if self._stages or self._sound_waits:
            self._monitor.frames.take_level(call.stage(stage), level, length, moment)
            self._stages = call.stages or _NO_STAGES
        else:
            call.audio_level(stage, level, length, moment)

    def audio(
        self,
        stage: str,
        frame: bytes,
        *,
        encoding: str,
        sample_rate: int,
        at: float | None = None,
    ) -> None:
        """Report a raw frame. Of both directions, they are all that a score needs.

        Args:
            stage: As of ``audio_level``.
            frame: 10 to 60 ms of audio; 200 ms at most.
            encoding: ``ulaw``, ``alaw`` or ``slin16``: linear, 16 bits, little-endian, at any rate.
            sample_rate: 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100 or 48000 Hz.
            at: When it crossed the engine's edge, in monotonic seconds; None: now.
        """
        frames = self._monitor.frames
        if at is None:
            at = frames.clock()
        try:
            found = self._stages[stage]
            as_before = (
                type(frame) is bytes
                and len(frame) == found.length
                and encoding is found.encoding
                and sample_rate is found.sample_rate
                and type(at) is float
                and -MAX_INSTANT <= at <= MAX_INSTANT
            )
        except Exception:  # an ended call, a new stage, or no stage's name
            as_before = False
        if not as_before:
            self._take(_RAW_FRAME, self._audio, stage, frame, encoding, sample_rate, at)
            return
        try:
            if found.thinned:
                frames.take(found, frame, at)
                return
            waiting = frames.waiting
            waiting.append((found, frame, at, found.stands_for))  # as ``take`` does
            if len(waiting) >= frames.capacity:
                frames.measure_levels()
        except Exception as error:  # of other calls' frames, measured with it
            self._monitor.drop(DropReason.INTERNAL_ERROR, error)

    def _audio(
        self, call: CallAccumulator, stage: object, frame: object, encoding: object, *more: object
    ) -> None:
        rate, at = more
        data, form = check_frame(frame, encoding, rate)
        moment = observations.instant(at)
        found = call.stage(observations.stage(stage))
        found.encoding, found.sample_rate, found.length = encoding, rate, len(data)
        if found.format != form:
            self._monitor.frames.begin(found, form)
            self._ask_about_clock(moment)
        self._stages = call.stages or _NO_STAGES
        self._monitor.frames.take(found, data, moment)

    def _ask_about_clock(self, at: float) -> None:
        """Ask about a stage's first frame that is far from now: of another clock, it seems."""
        away = at - self._monitor.frames.clock()
        if abs(away) > MAX_SECONDS:
            self._monitor.ask("clock", clock_words(self.call_id, at, away))

    def audio_given(self, seconds: float, silent: float = 0.0, *, at: float | None = None) -> None:
        """Report agent audio that the provider handed over: what is missing of it is a hole.

        Args:
            seconds: How much, before any pacer and at its true rate.
            silent: How much of it is silence (RMS under 30).
            at: When, in monotonic seconds; None: now.
        """
        moment = self._monitor.frames.clock() if at is None else at
        self._take("audio length", self._audio_given, seconds, silent, moment)

    def _audio_given(
        self, call: CallAccumulator, seconds: object, silent: object, at: object
    ) -> None:
        given, quiet = observations.seconds(seconds), observations.seconds(silent)
        moment = observations.instant(at)
        if quiet > given:
            raise Rejected(DropReason.OUT_OF_RANGE)
        if given:
            self._tell(partial(call.audio_given, seconds=given, silent=quiet), moment)

    def sound_given(
        self, sound: bytes, *, encoding: str, sample_rate: int, at: float | None = None
    ) -> None:
        """Report agent audio that the provider handed over, as it is: ``audio_given``, measured.

        Args:
            sound: Of any length, up to five minutes, before any pacer.
            encoding: ``ulaw``, ``alaw`` or ``slin16`` (little-endian).
            sample_rate: As of ``audio``; its true one.
            at: When, in monotonic seconds; None: now.
        """
        frames = self._monitor.frames
        if at is None:
            at = frames.clock()
        call = self._call
        try:
            usual = call is not None and self._sound_waits and type(at) is float
            usual = usual and -MAX_INSTANT <= at <= MAX_INSTANT
            piece = only_piece(sound, encoding, sample_rate) if usual else None
        except Exception:  # values that can't be compared
            piece = None
        if piece is None or call is None:
            self._take("given sound", self._sound_given, sound, encoding, sample_rate, at)
            return
        try:
            frames.take_given(call, piece, at)
        except Exception as error:  # of other calls' frames, measured with it
            self._monitor.drop(DropReason.INTERNAL_ERROR, error)

    def _sound_given(
        self,
        call: CallAccumulator,
        sound: object,
        encoding: object,
        sample_rate: object,
        at: object,
    ) -> None:
        moment = observations.instant(at)
        for piece in pieces_of(sound, encoding, sample_rate):
            self._sound_waits = True
            self._stages = call.stages or _NO_STAGES
            self._monitor.frames.take_given(call, piece, moment)

    def answer_complete(self, *, at: float | None = None) -> None:
        """Report that the provider has handed over all of its answer: of each one, or of none.

        Args:
            at: When, in monotonic seconds; None: now.
        """
        self._hint(CallAccumulator.answer_complete, at)

    def answer_dropped(self) -> None:
        """Report that what the caller has not heard yet of the answers was thrown away.

        Rightly so, since the caller spoke: it is no lost audio.
        """
        self._hint(CallAccumulator.answer_dropped)

    def answer_held(self) -> None:
        """Report that playing is held back, to see whether the caller really speaks: no hole.

        ``answer_resumed`` or ``answer_dropped`` follows.
        """
        self._hint(CallAccumulator.answer_held)

    def answer_resumed(self) -> None:
        """Report that playing goes on where it was held back: it was no interruption."""
        self._hint(CallAccumulator.answer_resumed)

    def _hint(
        self, hint: Callable[[CallAccumulator, float], None], at: float | None = None
    ) -> None:
        """Hand over what happens to an answer, in order with the frames."""
        moment = self._monitor.frames.clock() if at is None else at

        def take(call: CallAccumulator) -> None:
            self._tell(partial(hint, call), observations.instant(moment))

        self._take("answer", take)

    def _tell(self, hint: Callable[[float], None], at: float) -> None:
        """Hand over a hint behind what waits of this call, and not behind what waits of others.

        Levels that were measured elsewhere wait for nobody, and must not overtake it.
        """
        frames = self._monitor.frames
        if not self._stages:
            frames.fetch()
        if self._stages or self._sound_waits:
            frames.take_hint(hint, at)
        else:
            hint(at)

    def words_spoken(self, characters: int) -> None:
        """Report how much text the agent's audio holds: a number of characters, never words.

        Args:
            characters: Letters, as long as they take to say: a digit counts for four, a sign of
                Chinese or kanji for three, of Hangul for two and a half, a kana for two.
        """
        self._take("character count", _words_spoken, characters)

    def call_updated(self, provider: str | None = None, pipeline: str | None = None) -> None:
        """Report the provider or the pipeline when they become known; None leaves it as it is."""
        self._take("name", self._update_names, provider, pipeline)

    def _update_names(self, _: CallAccumulator, provider: object, pipeline: object) -> None:
        self._monitor.update_names(self, provider, pipeline)

    def provider_lost(self) -> None:
        """Report that the provider is gone, in mid-call.

        The call has failed, unless a turn or ``audio_given`` follows, or ``provider_back``.
        """
        now = self._monitor.frames.clock()
        self._take("loss of the provider", lambda call: call.provider_lost(now))

    def provider_back(self) -> None:
        """Report that the provider, or another one, serves the call again."""
        self._take("return of the provider", lambda call: call.provider_back())

    def file_played(self) -> None:
        """Report a file that is played to the caller beside the agent's stream: no silence."""
        self._take("file", lambda call: call.file_played())

    def packets_lost(self, lost: int, *, sent: int) -> None:
        """Report how many packets of audio never reached the caller's phone, as its RTCP tells.

        Args:
            lost: Of the call so far, as RTCP counts: no report is added to another.
            sent: All that were sent to it so far.
        """
        self._take("packet count", _packets_lost, lost, sent)

    def clock_starts_late(self) -> None:
        """Report that the engine starts its clock of latencies late: it is said of told ones."""
        self._take("clock", _clock_starts_late)

    def call_ended(
        self,
        *,
        provider: str | None = None,
        pipeline: str | None = None,
        outcome: str | None = None,
        failed: bool = False,
        duration: float | None = None,
    ) -> CallScore | None:
        """End the call; see ``QualityMonitor.call_ended``."""
        if self._call is None:  # a new call may have the same id by now, and isn't this one
            self._monitor.drop(self._gone, words=gone_words("call_ended", self.call_id))
            return None
        return self._monitor.call_ended(
            self.call_id,
            provider=provider,
            pipeline=pipeline,
            outcome=outcome,
            failed=failed,
            duration=duration,
        )

    def _take(self, what: str, observe: Callable[..., None], *values: Any) -> None:
        """Hand values to the live call; drop and count them where that can't be.

        Args:
            what: What is observed, in words that take a plural's "s".
            observe: Takes the call and the values.
            values: As they were given.
        """
        call = self._call
        if call is None:
            self._monitor.drop(self._gone, words=gone_words(what, self.call_id))
            return
        try:
            with SECTIONS:  # an end that interrupts would find the call half changed
                observe(call, *values)
            if what in SUSPECTS and (words := suspect_words(what, self.call_id, values[0])):
                self._monitor.ask(what, words)
        except Rejected as rejected:
            self._reject(what, rejected, values)
        except Exception as error:
            self._monitor.drop(DropReason.INTERNAL_ERROR, error)

    def _reject(self, what: str, rejected: Rejected, values: tuple[Any, ...] = ()) -> None:
        """Count what is not believed, and let the call know."""
        words = dropped_words(what, self.call_id, values, rejected.reason)
        self._monitor.drop(rejected.reason, words=words)
        if self._call is not None:
            self._call.drop(what, rejected.reason)


# One observation each: checked, then taken.


def _unanswered(call: CallAccumulator, waited: object) -> None:
    call.unanswered(observations.seconds(waited))


def _frames_sent(call: CallAccumulator, count: object) -> None:
    call.add_frames_sent(observations.count(count))


def _words_spoken(call: CallAccumulator, characters: object) -> None:
    call.words_spoken(observations.count(characters))


def _packets_lost(call: CallAccumulator, lost: object, sent: object) -> None:
    call.packets_lost(observations.count(lost), observations.count(sent))


def _clock_starts_late(call: CallAccumulator) -> None:
    call.clock_starts_late = True


def _underflow(call: CallAccumulator, count: object, episodes: object) -> None:
    known = None if episodes is None else observations.count(episodes)
    call.underflow(observations.count(count), known)


def _fallback(call: CallAccumulator, reason: object) -> None:
    call.fallback(observations.code_word(reason))


def _barge_in(call: CallAccumulator, reaction: object) -> None:
    call.barge_in(None if reaction is None else observations.seconds(reaction))


def _codec_alignment(call: CallAccumulator, aligned: object, detail: object) -> None:
    call.codec_alignment(observations.flag(aligned), observations.detail(detail))
