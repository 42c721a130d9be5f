"""The truth of a call: what the caller heard and when, from the recorded frames alone.

Nothing of the library is used here. What the provider handed over is found again in what reached
the caller by normalised cross-correlation, so that a hole is told from a pause of the speaker, and
audio that was dropped is told from audio that was never given.

The conventions: words end when their last audible frame was spoken, an agent begins when its first
audible frame is played, and a frame is audible from an RMS of 200 (-44 dBov). The phone waits 60 ms
before it plays, so that jitter isn't heard, and holds 200 ms at most; every time is told without
those 60 ms. Up to three packets that are lost in a row it conceals, as G.711's Appendix I does:
what it plays then is taken for what was lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ai_engine_lab.basics.audio_formats import to_int16
from ai_engine_lab.real_calls import sound
from ai_engine_lab.real_calls.recording import CallRecording, GivenAnswer, TimedSound, Utterance
from ai_engine_lab.real_calls.sound import FRAME, RATE

PHONE_BUFFER: Final = 0.2
"""Seconds of audio that a phone holds back at most; Asterisk's fixed jitter buffer has 200 ms."""

PHONE_DELAY: Final = 0.06
"""Seconds that it waits with the first frame of a stretch, three frames: jitter up to that."""

CONCEALED: Final = 3
"""Packets in a row that a phone conceals: after 60 ms it falls silent."""

NEW_STRETCH: Final = 0.2
"""Seconds without a frame after which it waits anew."""

SHORTEST_GAP: Final = 0.005
"""Seconds between two frames; what is shorter is rounding."""

SHORTEST_JUMP: Final = 0.03
"""Seconds by which two pieces of an answer must be apart; less is a resampler's doing."""

SHORTEST_LOSS: Final = 0.04
"""Seconds of an answer that need not be found again: windows at its edges."""

ONE_HOLE: Final = 0.15
"""Seconds of sound between two gaps, up to which both are one hole."""

LATE_WITHDRAWAL: Final = 1.0
"""Seconds after an answer's last sound, up to which its withdrawal may have been what ended it."""

NOT_SILENT: Final = 10.0
"""RMS from which a frame is no digital silence, transcoded."""

CUT_OFF: Final = 0.3
"""Seconds at an answer's end whose absence is noticed."""

SHORTEST_STALL: Final = 0.25
"""Seconds in which not one frame comes, in the middle of an answer, from which a line stands."""

Signal = NDArray[np.float64]


# --- what was played ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Played:
    """What came out of the caller's phone: the samples in order, and when each was played."""

    samples: Signal
    times: Signal
    """When each frame began to play."""
    starts: NDArray[np.int64]
    """Index of each frame's first sample; one more at the end."""
    dropped: float
    """Seconds of audio that came in a burst, too much for the phone's buffer."""

    def time_of(self, sample: int) -> float:
        """Return when a sample was played; one past the end of a frame is the frame's end."""
        frame = int(np.searchsorted(self.starts, sample, side="right")) - 1
        frame = min(max(frame, 0), len(self.times) - 1)
        return float(self.times[frame]) + (sample - int(self.starts[frame])) / RATE

    def end_of(self, sample: int) -> float:
        """Return when everything before a sample had been played."""
        return self.time_of(sample - 1) + 1 / RATE


def concealed(heard: Sequence[TimedSound], missed: Sequence[TimedSound]) -> list[TimedSound]:
    """Return what a phone plays: frames that came, and what it puts in the place of lost ones."""
    came = [(one.at, True, one) for one in heard]
    lost = [(one.at, False, one) for one in missed]
    played, in_a_row = [], 0
    for _, arrived, one in sorted([*came, *lost], key=lambda each: each[0]):
        in_a_row = 0 if arrived else in_a_row + 1
        if in_a_row <= CONCEALED:
            played.append(one)
    return played


def play(heard: Sequence[TimedSound]) -> Played:
    """Play frames as a phone does."""
    kept: list[sound.Sound] = []
    times: list[float] = []
    dropped, cursor = 0.0, -np.inf
    for piece in heard:
        waits = PHONE_DELAY if piece.at - cursor > NEW_STRETCH else 0.0
        at = max(piece.at + waits, cursor)
        seconds = len(piece.sound) / RATE
        if at - piece.at > PHONE_BUFFER:
            dropped += seconds
            continue
        kept.append(piece.sound)
        times.append(at - PHONE_DELAY)
        cursor = at + seconds
    lengths = np.array([0, *(len(one) for one in kept)], dtype=np.int64)
    samples = np.concatenate(kept).astype(np.float64) if kept else np.zeros(0)
    return Played(samples, np.array(times), np.cumsum(lengths), dropped)


# --- an answer found again ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an answer that was played as it was given; all in samples."""

    given_from: int
    given_to: int
    played_from: int

    @property
    def played_to(self) -> int:
        """Where it ends among the played samples."""
        return self.played_from + self.given_to - self.given_from


_FAR_BLOCK: Final = round(0.2 * RATE)
_NEAR_BLOCK: Final = round(0.06 * RATE)
_NEAR: Final = round(0.25 * RATE)
_STEP: Final = round(0.01 * RATE)
_WINDOW: Final = round(0.02 * RATE)
_EDGE: Final = round(0.3 * RATE)
_SHIFT: Final = round(0.001 * RATE)
"""What a resampler may shift a sound by."""

_SHORTEST_PIECE: Final = round(0.1 * RATE)
"""A shorter one may be a vowel that is like another."""
_FAR_MATCH: Final = 0.9
_NEAR_MATCH: Final = 0.9
_STEP_MATCH: Final = 0.6
_QUIET: Final = 300.0
"""RMS up to which a pause of the speaker is played as a pause: the engine may amplify by 18 dB."""


@dataclass(frozen=True, slots=True)
class _Search:
    """What is looked for, and where."""

    given: Signal
    played: Signal
    end: int
    level: float
    """RMS of what was given."""


def find(given: Signal, played: Signal, begin: int, end: int) -> list[Piece]:
    """Find what was given among what was played.

    Args:
        given: An answer's samples.
        played: The samples that were played.
        begin: Where to begin to look.
        end: Where to stop.
    """
    search = _Search(given, played, end, _rms(given))
    pieces: list[Piece] = []
    at, floor = 0, begin
    while at + _NEAR_BLOCK <= len(given):
        found = _locate(search, at, floor, pieces)
        if found is None:
            at += _STEP
            continue
        back = _backwards(search, at, found, (pieces[-1].given_to if pieces else 0, floor))
        piece = _forward(search, Piece(at - back, at, found - back))
        if piece.given_to - piece.given_from < _SHORTEST_PIECE:
            at += _STEP
            continue
        pieces.append(piece)
        at, floor = max(piece.given_to, at + _STEP), piece.played_to
    return _bridged(pieces, len(given), begin, end)


def _bridged(pieces: list[Piece], given: int, begin: int, end: int) -> list[Piece]:
    """Return the pieces with what lies between them, where as much was given as was played.

    A hissing sound is changed by an engine's filters so much that it isn't found by its waveform.
    """
    if not pieces:
        return []
    joined = [pieces[0]]
    for piece in pieces[1:]:
        last = joined[-1]
        skipped = piece.given_from - last.given_to
        if abs(piece.played_from - last.played_to - skipped) <= _SHIFT:
            joined[-1] = Piece(last.given_from, piece.given_to, last.played_from)
        else:
            joined.append(piece)
    first, last = joined[0], joined[-1]
    before = first.given_from
    if before <= _EDGE and first.played_from - begin >= before - _WINDOW:
        back = min(before, first.played_from - begin)
        joined[0] = Piece(before - back, first.given_to, first.played_from - back)
    after = given - last.given_to
    if after <= _EDGE and end - last.played_to >= after:
        joined[-1] = Piece(joined[-1].given_from, given, joined[-1].played_from)
    return joined


def _rms(signal: Signal) -> float:
    return float(np.sqrt(np.mean(signal**2))) if signal.size else 0.0


def _locate(search: _Search, at: int, floor: int, pieces: list[Piece]) -> int | None:
    """Return where the block that begins at ``at`` is played: nearby if so, else anywhere later."""
    near = search.given[at : at + _NEAR_BLOCK]
    if _rms(near) < search.level / 3:
        return None
    if pieces:
        expected = pieces[-1].played_from + at - pieces[-1].given_from
        begin = max(floor, expected - _NEAR)
        end = min(search.end, expected + _NEAR + _NEAR_BLOCK)
        found = _best(near, search.played, begin, end, match=_NEAR_MATCH)
        if found is not None:
            return found
    far = search.given[at : at + _FAR_BLOCK]
    if len(far) < _FAR_BLOCK:
        return None
    return _best(far, search.played, floor, search.end, match=_FAR_MATCH)


def _best(block: Signal, played: Signal, begin: int, end: int, *, match: float) -> int | None:
    """Return where a block correlates best, if well enough."""
    area = played[begin:end]
    places = len(area) - len(block) + 1
    if places <= 0:
        return None
    size = 1 << (len(area) + len(block) - 1).bit_length()
    spectrum = np.fft.rfft(area, size) * np.conj(np.fft.rfft(block, size))
    products = np.fft.irfft(spectrum, size)[:places]
    energy = np.concatenate([[0.0], np.cumsum(area**2)])
    norms = np.sqrt(np.maximum(energy[len(block) :] - energy[: -len(block)], 1.0))
    correlation = products / (norms[:places] * max(float(np.linalg.norm(block)), 1.0))
    best = int(np.argmax(correlation))
    return begin + best if correlation[best] >= match else None


def _backwards(search: _Search, at: int, found: int, floors: tuple[int, int]) -> int:
    """Return for how many samples before a found block both still agree."""
    given_floor, played_floor = floors
    back = 0
    while at - back - _STEP >= given_floor and found - back - _STEP >= played_floor:
        if not _agree(search, at - back - _STEP, found - back - _STEP):
            break
        back += _STEP
    return back


def _forward(search: _Search, piece: Piece) -> Piece:
    """Return the piece extended forwards, as far as both agree; at least by one step."""
    most = min(len(search.given), piece.given_from + search.end - piece.played_from)
    to = piece.given_to
    while to < most:
        at_played = piece.played_from + to - piece.given_from
        if to > piece.given_to and not _agree(search, to, at_played):
            break
        to = min(to + _STEP, most)
    return Piece(piece.given_from, to, piece.played_from)


def _agree(search: _Search, at: int, at_played: int) -> bool:
    """Return whether a window of both sounds alike: the same waveform, or quiet in both."""
    first = search.given[at : at + _WINDOW]
    second = search.played[at_played : at_played + _WINDOW]
    length = min(len(first), len(second))
    if length < _STEP // 2:
        return False
    first, second = first[:length], second[:length]
    if _rms(first) < _QUIET / 8:
        return _rms(second) < _QUIET
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    return norm > 0 and float(first @ second) / norm >= _STEP_MATCH


# --- the facts ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hole:
    """A silence in the middle of an answer that its speaker didn't make."""

    at: float
    seconds: float
    gaps: int = 1
    """How many silences it is made of: they follow closely, and are one hole to look at."""


@dataclass(frozen=True, slots=True)
class HeardAnswer:
    """What was heard of an answer; times in seconds of the recording's clock."""

    turn: int
    given_at: float
    given: float
    """Seconds of audio that were handed over."""
    began: float | None
    ended: float | None
    played: float
    """Seconds of it that were played."""
    lost: float
    """Seconds of it that were never played, though nobody interrupted."""
    holes: tuple[Hole, ...]
    withdrawn: bool
    """Whether the provider stopped it."""
    unheard_end: float
    """Seconds at its end that were given and not played."""
    cut_off: bool
    """Whether it stopped before its end, and not because of the caller."""
    speed: float
    garbled: bool


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """The caller's words, and how long the answer took."""

    turn: int
    began: float
    ended: float
    latency: float | None
    """Seconds from the last word to the agent's first; None: no answer was heard."""
    waited: float
    """Seconds until the agent spoke, the caller did again, or the call ended."""


@dataclass(frozen=True, slots=True)
class BargeIn:
    """The caller speaks while the agent does, and means it to stop."""

    at: float
    reaction: float | None
    """Seconds until the agent was silent; None: it spoke to its end."""
    talked_over: float
    """Seconds in which both spoke."""


@dataclass(frozen=True, slots=True)
class Level:
    """Levels of a track's audible frames."""

    frames: int = 0
    active: int = 0
    rms: float | None = None
    clipped: float = 0.0
    flatness: float | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """All of it. Times within are seconds from the caller's first frame."""

    duration: float
    first_word: float | None
    """Seconds from the caller's first frame to the agent's first sound."""
    turns: tuple[HeardTurn, ...] = ()
    answers: tuple[HeardAnswer, ...] = ()
    barge_ins: tuple[BargeIn, ...] = ()
    stalls: tuple[Hole, ...] = ()
    """Stretches in an answer in which not one frame came."""
    agent: Level = field(default=Level())
    caller: Level = field(default=Level())
    dropped_by_phone: float = 0.0

    @property
    def latencies(self) -> tuple[float, ...]:
        """Seconds that each answered turn waited."""
        return tuple(turn.latency for turn in self.turns if turn.latency is not None)

    @property
    def unanswered(self) -> tuple[float, ...]:
        """Seconds waited in each turn that got no answer."""
        return tuple(turn.waited for turn in self.turns if turn.latency is None)

    @property
    def holes(self) -> tuple[Hole, ...]:
        """Those of all answers."""
        return tuple(hole for answer in self.answers for hole in answer.holes)

    @property
    def gaps(self) -> int:
        """Silences that they are made of."""
        return sum(hole.gaps for hole in self.holes)

    @property
    def hole_seconds(self) -> float:
        """Their sum."""
        return sum(hole.seconds for hole in self.holes)

    @property
    def lost(self) -> float:
        """Seconds of the agent's audio that never reached the caller."""
        return sum(answer.lost for answer in self.answers)

    @property
    def given(self) -> float:
        """Seconds of audio that the provider handed over."""
        return sum(answer.given for answer in self.answers)

    @property
    def reactions(self) -> tuple[float, ...]:
        """Seconds that the agent took to stop, where it did."""
        return tuple(each.reaction for each in self.barge_ins if each.reaction is not None)

    @property
    def talked_over(self) -> float:
        """Seconds in which both spoke, after the caller had begun to."""
        return sum(each.talked_over for each in self.barge_ins)

    @property
    def garbled(self) -> bool:
        """Whether the agent's audio is noise."""
        return any(answer.garbled and answer.began is not None for answer in self.answers)

    @property
    def speed(self) -> float:
        """How many times too fast the agent sounds, at worst."""
        return max((answer.speed for answer in self.answers), key=lambda s: abs(s - 1), default=1.0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, with the sums."""
        sums = {
            "latencies": list(self.latencies),
            "unanswered": list(self.unanswered),
            "hole_seconds": self.hole_seconds,
            "holes": len(self.holes),
            "lost": self.lost,
            "given": self.given,
            "reactions": list(self.reactions),
            "talked_over": self.talked_over,
            "garbled": self.garbled,
            "speed": self.speed,
        }
        return {**asdict(self), **sums}


def measure(recording: CallRecording) -> Truth:
    """Work out what the caller heard."""
    zero = recording.connected_at or recording.placed_at
    played = play(concealed(recording.heard, recording.missed))
    answers, stalls = _heard_answers(recording, played)
    caller = _level([piece.sound for piece in recording.sent])
    spoken = recording.utterances if caller.active else []
    words = [one for one in map(_words, spoken) if one is not None]
    turns = tuple(_turn(index, words, answers, recording) for index in range(len(words)))
    barge_ins = tuple(
        barge_in
        for spoken in words
        if spoken.utterance.kind == "interruption"
        and (barge_in := _barge_in(spoken, answers)) is not None
    )
    audible = _first_audible(played)
    return _from_zero(
        Truth(
            duration=recording.duration,
            first_word=audible,
            turns=tuple(turn for turn in turns if turn is not None),
            answers=tuple(answers),
            barge_ins=barge_ins,
            stalls=tuple(stalls),
            agent=_level([piece.sound for piece in recording.heard]),
            caller=caller,
            dropped_by_phone=played.dropped,
        ),
        zero,
    )


@dataclass(frozen=True, slots=True)
class _Words:
    utterance: Utterance
    began: float
    ended: float


def _words(utterance: Utterance) -> _Words | None:
    """Return when an utterance's first and last audible frames were spoken; None: not one was."""
    levels = sound.frame_levels(utterance.sound)[: len(utterance.frame_times)]
    audible = np.flatnonzero(levels >= sound.AUDIBLE)
    if not audible.size:
        return None
    times = utterance.frame_times
    return _Words(utterance, times[audible[0]], times[audible[-1]])


def _first_audible(played: Played) -> float | None:
    for index, begin in enumerate(played.times):
        frame = played.samples[played.starts[index] : played.starts[index + 1]]
        if sound.rms(frame) >= sound.AUDIBLE:
            return float(begin)
    return None


def _heard_answers(
    recording: CallRecording, played: Played
) -> tuple[list[HeardAnswer], list[Hole]]:
    heard: list[HeardAnswer] = []
    stalls: list[Hole] = []
    floor = 0
    answers = [answer for answer in recording.answers if answer.chunks]
    for index, answer in enumerate(answers):
        begin = max(floor, _sample_at(played, answer.chunks[0].at))
        following = answers[index + 1].chunks[0].at if index + 1 < len(answers) else np.inf
        end = _sample_at(played, following)
        given = np.concatenate([chunk.sound for chunk in answer.chunks]).astype(np.float64)
        if answer.garbled:
            pieces = _as_a_whole(len(given), begin, end)
        else:
            pieces = find(given, played.samples, begin, end)
        if pieces:
            floor = pieces[-1].played_to
            stalls += _stalls(pieces, played)
        window = slice(begin, end)
        heard.append(_heard_answer(answer, given, pieces, played, window, recording))
    return heard, stalls


def _as_a_whole(given: int, begin: int, end: int) -> list[Piece]:
    """Return garbled audio as one piece: filtered noise is not found again by its waveform."""
    return [Piece(0, min(given, end - begin), begin)] if end > begin else []


def _sample_at(played: Played, at: float) -> int:
    """Return the first sample that was played at a moment or later."""
    frame = int(np.searchsorted(played.times, at, side="left"))
    return int(played.starts[min(frame, len(played.starts) - 1)])


@dataclass(frozen=True, slots=True)
class _Extent:
    """How much of an answer was played, in seconds."""

    ended: float | None
    """When its last sound was played."""
    missing: float
    """What was not played."""
    tail: float
    """How much of that was at its end."""


def _extent(given: Signal, pieces: list[Piece], played: Played, window: slice) -> _Extent:
    """Return how much of an answer was played.

    That is what was found again, and what else sounded in the time until the next answer: audio
    that was chopped finer than what can be found was heard all the same.
    """
    seconds = len(given) / RATE
    if not pieces:
        return _Extent(None, seconds, seconds)
    found = sum(piece.given_to - piece.given_from for piece in pieces) / RATE
    levels = sound.frame_levels(to_int16(played.samples[window]))
    loud = levels >= max(float(levels.max(initial=0.0)) / 20, 20.0)
    other = levels >= NOT_SILENT
    for piece in pieces:
        first, last = piece.played_from - window.start, piece.played_to - window.start
        other[max(0, first // FRAME) : -(-last // FRAME)] = False
    missing = max(0.0, seconds - found - float(other.sum()) * FRAME / RATE)
    tail = min(seconds - pieces[-1].given_to / RATE, missing)
    end = window.start + (int(np.flatnonzero(loud)[-1]) + 1) * FRAME if loud.any() else 0
    return _Extent(played.end_of(max(pieces[-1].played_to, end)), missing, tail)


def _heard_answer(  # noqa: PLR0917  # one fact from each
    answer: GivenAnswer,
    given: Signal,
    pieces: list[Piece],
    played: Played,
    window: slice,
    recording: CallRecording,
) -> HeardAnswer:
    extent = _extent(given, pieces, played, window)
    ended, seconds = extent.ended, len(given) / RATE
    withdrawn = answer.withdrawn_at is not None and (
        ended is None or answer.withdrawn_at <= ended + LATE_WITHDRAWAL
    )
    excused = (
        withdrawn or _hung_up_in(answer, ended, recording) or _spoken_over(answer, ended, recording)
    )
    lost = extent.missing - (extent.tail if excused else 0.0)
    return HeardAnswer(
        turn=answer.turn,
        given_at=answer.chunks[0].at,
        given=seconds,
        began=played.time_of(pieces[0].played_from) if pieces else None,
        ended=ended,
        played=seconds - extent.missing,
        lost=lost if lost >= SHORTEST_LOSS else 0.0,
        holes=_holes(pieces, played),
        withdrawn=withdrawn,
        unheard_end=extent.tail,
        cut_off=answer.lost_at is not None or (extent.tail > CUT_OFF and not excused),
        speed=answer.speed,
        garbled=answer.garbled,
    )


def _hung_up_in(answer: GivenAnswer, ended: float | None, recording: CallRecording) -> bool:
    """Return whether the call ended while the answer was still being played, or was about to be."""
    if recording.ended_at is None:
        return False
    due = answer.chunks[0].at + answer.seconds if ended is None else ended
    return due > recording.ended_at - 0.25  # a quarter of a second: it just began


def _spoken_over(answer: GivenAnswer, ended: float | None, recording: CallRecording) -> bool:
    """Return whether the caller meant to stop the answer, before its sound ended."""
    interruptions = (one for one in recording.utterances if one.kind == "interruption")
    begun = (words.began for one in interruptions if (words := _words(one)) is not None)
    first = answer.chunks[0].at
    return ended is not None and any(first <= began <= ended for began in begun)


def _holes(pieces: list[Piece], played: Played) -> tuple[Hole, ...]:
    """Return the silences within an answer: no frame came, or frames that hold nothing of it."""
    holes: list[Hole] = []
    for index, piece in enumerate(pieces):
        holes += _gaps(piece.played_from, piece.played_to, played)
        if index + 1 < len(pieces):
            until = pieces[index + 1]
            begin, end = played.end_of(piece.played_to), played.time_of(until.played_from)
            between = to_int16(played.samples[piece.played_to : until.played_from])
            heard = int((sound.frame_levels(between) >= NOT_SILENT).sum()) * FRAME / RATE
            if end - begin - heard >= SHORTEST_JUMP:
                holes.append(Hole(begin, end - begin - heard))
    return _joined(holes)


def _joined(gaps: list[Hole]) -> tuple[Hole, ...]:
    """Return gaps that follow closely as one hole each, as long as they are together."""
    holes: list[Hole] = []
    last = -np.inf
    for gap in sorted(gaps, key=lambda one: one.at):
        if holes and gap.at - last <= ONE_HOLE:
            before = holes[-1]
            holes[-1] = Hole(before.at, before.seconds + gap.seconds, before.gaps + gap.gaps)
        else:
            holes.append(gap)
        last = gap.at + gap.seconds
    return tuple(holes)


def _gaps(begin: int, end: int, played: Played) -> list[Hole]:
    """Return the gaps between the frames of a stretch."""
    first = int(np.searchsorted(played.starts, begin, side="right")) - 1
    last = min(
        int(np.searchsorted(played.starts, end - 1, side="right")) - 1, len(played.times) - 1
    )
    found = []
    for frame in range(first, last):
        ends = played.end_of(int(played.starts[frame + 1]))
        gap = float(played.times[frame + 1]) - ends
        if gap >= SHORTEST_GAP:
            found.append(Hole(ends, gap))
    return found


def _stalls(pieces: list[Piece], played: Played) -> list[Hole]:
    gaps = _gaps(pieces[0].played_from, pieces[-1].played_to, played)
    return [gap for gap in gaps if gap.seconds >= SHORTEST_STALL]


def _turn(
    index: int, words: list[_Words], answers: list[HeardAnswer], recording: CallRecording
) -> HeardTurn | None:
    """Return how long the caller waited; None where the words were no question."""
    spoken = words[index]
    turn = spoken.utterance.turn
    answer = next((one for one in answers if one.turn == turn and one.began is not None), None)
    if answer is None and spoken.utterance.kind == "interruption":
        # Who is talked over asked nothing that could be answered; who silenced the agent did.
        barge_in = _barge_in(spoken, answers)
        if barge_in is not None and barge_in.reaction is None:
            return None
    if answer is not None and answer.began is not None:
        latency = answer.began - spoken.ended
        return HeardTurn(turn, spoken.began, spoken.ended, max(0.0, latency), max(0.0, latency))
    following = words[index + 1].began if index + 1 < len(words) else recording.ended_at
    waited = (following or spoken.ended) - spoken.ended
    return HeardTurn(turn, spoken.began, spoken.ended, None, max(0.0, waited))


def _barge_in(spoken: _Words, answers: list[HeardAnswer]) -> BargeIn | None:
    """Return how the agent took an interruption; None where it wasn't speaking."""
    for answer in answers:
        if answer.began is None or answer.ended is None or answer.turn >= spoken.utterance.turn:
            continue
        if answer.began <= spoken.began < answer.ended:
            stopped = answer.withdrawn or answer.unheard_end > CUT_OFF
            over = min(answer.ended, spoken.ended) - spoken.began
            reaction = answer.ended - spoken.began if stopped else None
            return BargeIn(spoken.began, reaction, max(0.0, over))
    return None


def _level(frames: Sequence[sound.Sound]) -> Level:
    """Return a track's levels, frame by frame of 20 ms."""
    if not frames:
        return Level()
    samples = np.concatenate(frames)
    levels = sound.frame_levels(samples)
    active = levels >= sound.AUDIBLE
    if not active.any():
        return Level(len(levels))
    loud = samples[: len(levels) * FRAME].reshape(-1, FRAME)[active]
    return Level(
        frames=len(levels),
        active=int(active.sum()),
        rms=float(np.sqrt(np.mean(levels[active] ** 2))),
        clipped=float(np.mean(np.abs(loud.astype(np.int32)) >= CLIPPED)),
        flatness=_flatness(loud),
    )


CLIPPED: Final = 32_000
"""u-law's largest value is 32124."""


def _flatness(frames: sound.Sound) -> float:
    """Return the median spectral flatness (0 to 1) of frames: noise is flat."""
    power = np.abs(np.fft.rfft(frames.astype(np.float64) * np.hanning(FRAME), axis=1)) ** 2 + 1.0
    flatness = np.exp(np.mean(np.log(power), axis=1)) / np.mean(power, axis=1)
    return float(np.median(flatness))


def _from_zero(truth: Truth, zero: float) -> Truth:
    """Return it with times that count from the caller's first frame."""

    def holes(of: Sequence[Hole]) -> tuple[Hole, ...]:
        return tuple(replace(hole, at=hole.at - zero) for hole in of)

    def shifted(at: float | None) -> float | None:
        return None if at is None else at - zero

    return Truth(
        duration=truth.duration,
        first_word=shifted(truth.first_word),
        turns=tuple(
            HeardTurn(one.turn, one.began - zero, one.ended - zero, one.latency, one.waited)
            for one in truth.turns
        ),
        answers=tuple(
            replace(
                one, given_at=one.given_at - zero, began=shifted(one.began),
                ended=shifted(one.ended), holes=holes(one.holes),
            )
            for one in truth.answers
        ),
        barge_ins=tuple(
            BargeIn(one.at - zero, one.reaction, one.talked_over) for one in truth.barge_ins
        ),
        stalls=holes(truth.stalls),
        agent=truth.agent,
        caller=truth.caller,
        dropped_by_phone=truth.dropped_by_phone,
    )  # fmt: skip
