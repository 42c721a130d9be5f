"""Levels and the noise check of raw telephone frames.

Frames of all calls are measured together, a few hundred at a time (``FrameBatch``): numpy's
cost per call is then shared, and a frame costs less than ``audioop.rms`` would.
"""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from threading import RLock
from typing import Any, NamedTuple, Protocol

import numpy as np

from ai_engine_quality.core.agent_sound import DEAD_RMS, SoundAccumulator
from ai_engine_quality.core.call import CallAccumulator, FrameFormat, StageAccumulator
from ai_engine_quality.core.ear import AGENT, CALLER, pack
from ai_engine_quality.core.observations import ACTIVE_RMS, FRAME_SECONDS
from ai_engine_quality.live import frame_checks
from ai_engine_quality.live.encodings import Samples, decode, frame_rms, table
from ai_engine_quality.live.facts import Sampling
from ai_engine_quality.live.frame_checks import EDGE_SAMPLES, MIN_SPECTRUM_SECONDS
from ai_engine_quality.live.given_sound import GivenSound, silent_seconds
from ai_engine_quality.live.sections import SECTIONS

BATCH_FRAMES = 256
"""Frames that are measured at once."""

STILL_FRAMES = 3
"""After so many frames of digital silence another one tells nothing new but how long it lasts."""

CHECK_FRAMES = 128
"""Frames that are looked into at once: numpy's cost for each call is then shared."""


class _Step(NamedTuple):
    """One measured frame in the sampler's pattern."""

    level: bool
    check: bool
    """Whether it is looked into."""
    noise_check: bool
    """Whether it is one of those by which a whole track is told from noise."""
    skip: int
    """Frames that pass before the next one."""
    next: int


NEARLY = 0.001
"""Seconds by which a frame's length may differ from the usual one."""


def _check_every(sampling: Sampling, form: FrameFormat) -> int:
    """Return of how many frames one is looked into: twice as often as for noise alone.

    That is each tenth of a second, as usually sampled, in frames of any length.
    """
    every = max(1, sampling.noise_every // 2)
    return every if _is_usual(form) else max(1, round(every * FRAME_SECONDS / form.seconds))


def _is_usual(form: FrameFormat) -> bool:
    """Return whether frames have the length by which every threshold of a check was chosen."""
    return abs(form.seconds - FRAME_SECONDS) < NEARLY


def _piece_form(form: FrameFormat, *, seen: bool) -> FrameFormat:
    """Return the format of what is looked into for a frame's sound: 20 ms, whatever its length.

    Args:
        form: The frame's own.
        seen: Whether the frame before each one is seen, which completes one that is too short.
    """
    if _is_usual(form) or (form.seconds < FRAME_SECONDS and not seen):
        return form
    return form._replace(length=round(FRAME_SECONDS * form.sample_rate) * form.sample_bytes)


def _piece(form: FrameFormat, wanted: FrameFormat, before: bytes, frame: bytes) -> bytes:
    """Return so much of a frame as is looked into; nothing where there isn't enough.

    Of a longer frame not its middle: an engine may have put it together from frames of 20 ms, and
    what clicks there lies within the piece then. A shorter one is completed by the one before it.
    """
    spare = form.samples - wanted.samples
    if spare >= 0:
        start = spare // 4 * form.sample_bytes
        return frame[start : start + wanted.length]
    joined = before + frame
    return joined[-wanted.length :] if len(joined) >= wanted.length else b""


def _pattern(sampling: Sampling, check_every: int, *, agent: bool) -> tuple[_Step, ...]:
    """Return which frames of a stage are measured, until it begins anew."""
    level_every, noise_every = sampling.level_every, sampling.noise_every
    length = math.lcm(level_every, noise_every, check_every) if agent else level_every
    taken = [
        number
        for number in range(length)
        if number % level_every == 0
        or (agent and (number % noise_every == 0 or number % check_every == 0))
    ]
    return tuple(
        _Step(
            level=number % level_every == 0,
            check=agent and (number % check_every == 0 or number % noise_every == 0),
            noise_check=agent and number % noise_every == 0,
            skip=following - number - 1,
            next=(place + 1) % len(taken),
        )
        for place, (number, following) in enumerate(pairwise([*taken, length]))
    )


_Hint = Callable[[float], object]
"""What happened between frames: it is told when."""

_Waiting = tuple[StageAccumulator | None, Any, float, float]
"""What waits: its stage, the frame (or a level that was measured elsewhere), when it crossed the
engine's edge, and for how many seconds of audio its level counts. What is no frame has no stage."""


class _Given(NamedTuple):
    """What a provider gave, and whose it is."""

    piece: GivenSound
    call: CallAccumulator


class Source(Protocol):
    """Holds an adapter's frames back for a moment."""

    def flush(self) -> None:
        """Hand over what it holds."""

    def begin_anew(self) -> None:
        """Hold nothing: this is a forked child, and what was held is the parent's."""


class FrameBatch:
    """Samples the frames of all calls and measures them together; each result goes to its stage.

    Frames of several formats wait together, since a call's two sides may differ, and so do levels
    that were measured elsewhere and hints: all go to their stages in the order in which they came.
    """

    def __init__(
        self,
        sampling: Sampling | None = None,
        capacity: int = BATCH_FRAMES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Let no frame wait yet.

        Args:
            sampling: Which frames are measured; None is the usual sampling.
            capacity: Frames that are measured at once.
            clock: Monotonic seconds.

        Raises:
            TypeError: the sampling is none.
        """
        chosen = Sampling() if sampling is None else sampling
        if not isinstance(chosen, Sampling):
            raise TypeError(f"sampling must be a Sampling(...), not {sampling!r}")
        self.clock = clock
        self._sampling, self._level_every = chosen, chosen.level_every
        self._patterns: dict[tuple[bool, int], tuple[_Step, ...]] = {}
        self.capacity = capacity
        self.waiting: list[_Waiting] = []
        """What is to be measured, in the order in which it came; always the same list. Who appends
        to it has it measured once it is ``capacity`` long."""
        self._format: FrameFormat | None = None
        """The first frame's."""
        self._several = False
        """Whether any frame had another one."""
        self._sources: list[weakref.ref[Source]] = []
        self._chosen: dict[FrameFormat, list[_Chosen]] = {}
        """Frames that wait to be looked into, fewer than ``CHECK_FRAMES`` in all."""
        self._whole: dict[FrameFormat, list[_Chosen]] = {}
        """Frames of other lengths than the usual that wait for the noise check alone."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a forked child: the lock may be held by a thread that isn't there."""
        self._measuring = RLock()  # a scrape may end an overdue call in a thread of its own
        for source in self._sources:
            if (found := source()) is not None:
                found.begin_anew()

    def begin(self, stage: StageAccumulator, form: FrameFormat) -> None:
        """Let a stage's frames have a format from now on; those before are measured first."""
        if stage.format is not None:
            self.measure_levels()
        stage.format, stage.last = form, b""  # frames of two formats don't meet
        self._format = self._format or form
        self._several = self._several or form != self._format
        stage.stands_for = form.seconds * self._level_every
        stage.thinned = self._level_every > 1
        check_every = _check_every(self._sampling, form)
        stage.pattern = self._pattern_of(stage, check_every)
        stage.taken %= len(stage.pattern)
        stage.step %= len(stage.pattern)
        if stage.agent:
            stage.piece = _piece_form(form, seen=not stage.thinned)
            stage.check_stands_for = form.seconds * check_every
            if stage.sound is None:
                stage.sound = SoundAccumulator()
            stage.sound.frames_of(form.seconds)

    def _pattern_of(self, stage: StageAccumulator, check_every: int) -> tuple[_Step, ...]:
        """Return which of a stage's frames are measured; there are few such patterns."""
        key = stage.agent, check_every
        found = self._patterns.get(key)
        if found is None:
            found = _pattern(self._sampling, check_every, agent=stage.agent)
            self._patterns[key] = found
        return found

    def take(self, stage: StageAccumulator, frame: bytes, at: float | None = None) -> None:
        """Take a frame, of the format with which its stage has begun, if it is its turn.

        Args:
            stage: Where it was seen.
            frame: Its bytes.
            at: When it crossed the engine's edge, in monotonic seconds; None: now.
        """
        seconds = stage.stands_for
        if stage.skip:
            stage.skip -= 1
            return
        if stage.thinned:
            step = stage.pattern[stage.taken]
            stage.taken, stage.skip = step.next, step.skip
            seconds = seconds if step.level else 0.0
        self._wait(stage, frame, self.clock() if at is None else at, seconds)

    def take_level(self, stage: StageAccumulator, rms: float, seconds: float, at: float) -> None:
        """Take a level of a call that has raw frames too: it must not overtake those that wait.

        Args:
            stage: Where it was measured.
            rms: 16-bit RMS.
            seconds: How much audio it stands for.
            at: When it crossed the engine's edge, in monotonic seconds.
        """
        self._wait(stage, rms, at, seconds)

    def take_hint(self, hint: _Hint, at: float) -> None:
        """Take what happened between frames: it must not overtake those that wait either.

        Args:
            hint: Takes the moment, once the frames before it were measured.
            at: The moment, in monotonic seconds.
        """
        self.fetch()
        if self.waiting:
            self._wait(None, hint, at, 0.0)
        else:
            hint(at)

    def take_given(self, call: CallAccumulator, piece: GivenSound, at: float) -> None:
        """Take audio that a provider gave: how much of it is silent is measured with the frames.

        Args:
            call: Whose it is.
            piece: It.
            at: When it was given, in monotonic seconds.
        """
        self._wait(None, _Given(piece, call), at, piece.seconds)

    def fetch_from(self, source: Source) -> None:
        """Let an adapter hold frames back: it is asked for them before it is too late.

        Args:
            source: What holds them; it isn't kept alive by this.
        """
        self._sources = [known for known in self._sources if known() is not None]
        self._sources.append(weakref.ref(source))

    def fetch(self) -> None:
        """Have what adapters hold, before something that must not overtake it."""
        for source in self._sources:
            if (found := source()) is not None:
                found.flush()

    def _wait(self, stage: StageAccumulator | None, what: Any, at: float, seconds: float) -> None:
        self.waiting.append((stage, what, at, seconds))
        if len(self.waiting) >= self.capacity:
            self.measure_levels()

    @property
    def waiting_bytes(self) -> int:
        """How many bytes of audio wait to be measured: bounded, however many calls there are."""
        waiting = sum(_bytes_of(what) for _, what, _, _ in self.waiting)
        lists = (*self._chosen.values(), *self._whole.values())
        return waiting + sum(len(one.frame) for each in lists for one in each)

    def measure(self) -> None:
        """Measure every frame that waits, so that the stages are complete."""
        self.fetch()
        if not (self.waiting or self._chosen or self._whole):
            return
        with SECTIONS, self._measuring:
            self.measure_levels()
            self._look()

    def measure_levels(self) -> None:
        """Measure the levels of all frames that wait, and choose those that are looked into."""
        with SECTIONS, self._measuring:
            batch = self.waiting.copy()
            del self.waiting[: len(batch)]  # another thread may have added one meanwhile
            if batch:
                before = _frames_before(batch)
                self._hand_over(batch, self._levels_of(batch, before), before)
            chosen = sum(map(len, self._chosen.values())) + sum(map(len, self._whole.values()))
            if chosen >= CHECK_FRAMES:
                self._look()

    def _levels_of(self, batch: list[_Waiting], before: list[bytes]) -> list[float]:
        """Return the RMS of each frame; the levels that were measured elsewhere are among them.

        Of what a provider gave: how many seconds of it are silent.
        """
        levels = [what for _, what, _, _ in batch]
        if not self._several and self._format and set(map(type, levels)) == {bytes}:
            return _measured(self._format, batch, range(len(batch)), before)
        groups: dict[int, tuple[FrameFormat, list[int]]] = {}
        given: list[int] = []
        for place, (stage, what, _, _) in enumerate(batch):
            if stage is not None and stage.format is not None and type(what) is bytes:
                form = stage.format
                group = groups.get(id(form))  # half of what the hash of three values takes
                if group is None:
                    group = groups[id(form)] = form, []
                group[1].append(place)
            elif type(what) is _Given:
                given.append(place)
        silent = silent_seconds([levels[place].piece for place in given])
        for place, seconds in zip(given, silent, strict=True):
            levels[place] = seconds
        for form, places in groups.values():
            found = _measured(form, batch, places, before)
            for place, level in zip(places, found, strict=True):
                levels[place] = level
        return levels

    def _hand_over(self, batch: list[_Waiting], levels: list[float], before: list[bytes]) -> None:
        """Let each stage have its levels, in the order in which they came.

        The hot path, 100,000 frames a second at 1,000 calls: what is done for every one of them is
        written out here, and what is done for some is called.
        """
        for (stage, frame, at, seconds), level, last in zip(batch, levels, before, strict=True):
            if stage is None:
                _tell(frame, at, seconds, level)
                continue
            if type(frame) is not bytes:
                stage.add_level(level, seconds, at)
                continue
            if seconds:  # else it is taken only to be looked into
                stage.frames += 1
                ear = stage.ear
                if ear is not None:
                    pending = ear.pending
                    pending.frombytes(pack(at, AGENT if stage.agent else CALLER, level, seconds))
                    if len(pending) >= ear.limit:
                        ear.work()
                if level >= ACTIVE_RMS:
                    stage.add_active(level, seconds)
            if not stage.agent:
                continue
            if stage.still and level <= DEAD_RMS:  # nothing new but how long it lasts
                stage.still_frames += 1
            else:
                self._hear_agent(stage, frame, last, level, at)

    def _hear_agent(
        self, stage: StageAccumulator, frame: bytes, before: bytes, level: float, at: float
    ) -> None:
        """Take what an agent's frame is, beside the one before it; choose it where it is its turn.

        Args:
            stage: The frame's.
            frame: Its bytes.
            before: Those of the frame before it; empty where that wasn't seen.
            level: Its RMS.
            at: When it crossed the engine's edge, in monotonic seconds.
        """
        sound, form = stage.sound, stage.format
        if sound is None or form is None:
            return
        pattern = stage.pattern
        if stage.still_frames:
            sound.run += stage.still_frames
            for _ in range(stage.still_frames):  # as one by one, to the last digit
                stage.played += stage.stands_for
            stage.step = (stage.step + stage.still_frames) % len(pattern)
            stage.still_frames = 0
        _, check, for_noise, _, stage.step = pattern[stage.step]
        stage.played += stage.stands_for
        if not stage.thinned:
            _hear_edges(stage, form, before, frame, level)
        if level < ACTIVE_RMS:
            return
        if check and form.seconds >= MIN_SPECTRUM_SECONDS:
            # Frames that are handed over faster than they sound are heard one after the other.
            moment = max(at - stage.started, stage.played)
            chosen = _Chosen(stage, frame, level, moment, for_noise)
            if stage.piece == form:
                self._chosen.setdefault(form, []).append(chosen)
            else:
                self._choose_piece(chosen, form, before)
        if not stage.thinned and sound.comes_again(frame):
            _hear_again(sound, form, before, frame)

    def _choose_piece(self, chosen: _Chosen, form: FrameFormat, before: bytes) -> None:
        """Have a piece looked into of a frame that is longer or shorter than usual.

        By the noise check a frame is judged as a whole, of whatever length.
        """
        if chosen.for_noise:
            self._whole.setdefault(form, []).append(chosen)
        wanted = chosen.stage.piece or form
        piece = _piece(form, wanted, before, chosen.frame)
        if piece:
            part = chosen._replace(frame=piece, level=None, for_noise=False)
            self._chosen.setdefault(wanted, []).append(part)

    def _look(self) -> None:
        """Look into every frame that was chosen."""
        formats, self._chosen = self._chosen, {}
        for form, chosen in formats.items():
            samples = _samples([one.frame for one in chosen], form)
            checks = frame_checks.check(samples, form.sample_rate)
            for place, (one, found) in enumerate(zip(chosen, checks, strict=True)):
                level = float(frame_rms(samples[place])) if one.level is None else one.level
                if level >= ACTIVE_RMS:
                    one.stage.add_check(level, found, one.at, for_noise=one.for_noise)
        whole, self._whole = self._whole, {}
        for form, chosen in whole.items():
            samples = _samples([one.frame for one in chosen], form)
            noise = frame_checks.noise(samples, form.sample_rate)
            for one, measured in zip(chosen, noise, strict=True):
                one.stage.add_noise_check(one.level or 0.0, *measured)


class _Chosen(NamedTuple):
    """A frame that is looked into, or a piece of one."""

    stage: StageAccumulator
    frame: bytes
    level: float | None
    """A frame's; None: a piece's, which is still to be measured."""
    at: float
    """Seconds from the start of the call."""
    for_noise: bool
    """Whether it is one of those by which a whole track is told from noise."""


def _tell(what: _Given | _Hint, at: float, seconds: float, silent: float) -> None:
    """Let somebody know what happened between frames."""
    if isinstance(what, _Given):
        what.call.audio_given(at, seconds, silent)
    else:
        what(at)


def _bytes_of(what: object) -> int:
    """Return how many bytes of audio something holds that waits."""
    data = what.piece.data if isinstance(what, _Given) else what
    return len(data) if isinstance(data, bytes) else 0


def _samples(frames: Sequence[bytes], form: FrameFormat) -> Samples:
    """Return one row of samples for each frame of a format."""
    return decode(b"".join(frames), form.encoding).reshape(len(frames), form.samples)


def _frames_before(batch: list[_Waiting]) -> list[bytes]:
    """Return the frame before each of the agents', where each is seen; else nothing."""
    found = []
    for stage, frame, _, _ in batch:
        before = b""
        if stage is not None and stage.agent and type(frame) is bytes and not stage.thinned:
            before, stage.last = stage.last, frame
        found.append(before)
    return found


def _measured(
    form: FrameFormat, batch: list[_Waiting], places: Sequence[int], before: list[bytes]
) -> list[float]:
    """Return the RMS of each frame of a format, and hear what jumps into agents' frames.

    Args:
        form: Its format.
        batch: What waited.
        places: Where in it the frames are.
        before: The frame before each of what waited; empty where that wasn't seen.
    """
    samples = _samples([batch[place][1] for place in places], form)
    measured = frame_rms(samples)
    levels: list[float] = measured.tolist()
    known = [
        (row, place)
        for row, place in enumerate(places)
        if before[place] and levels[row] >= ACTIVE_RMS
    ]
    if not known or form.samples <= 2 * EDGE_SAMPLES:
        return levels
    rows = np.array([row for row, _ in known], dtype=np.intp)
    ends = _ends([before[place] for _, place in known], form)
    for number in frame_checks.jumps(samples, form.sample_rate, measured, rows, ends):
        row, place = known[number]
        stage = batch[place][0]
        if stage is not None and not _is_dead(before[place], form):  # holes are measured themselves
            stage.hear_jump(levels[row])
    return levels


def _is_dead(frame: bytes, form: FrameFormat) -> bool:
    """Return whether a frame holds digital silence."""
    return float(np.abs(decode(frame, form.encoding)).max()) <= DEAD_RMS


def _ends(frames: list[bytes], form: FrameFormat) -> Samples:
    """Return the last samples of each frame, as a (frames, ``EDGE_SAMPLES``) array."""
    data = b"".join(frames)
    if form.encoding == "slin16":
        values = np.frombuffer(data, dtype="<i2").reshape(-1, form.samples)
        return values[:, -EDGE_SAMPLES:].astype(np.float32)
    codes = np.frombuffer(data, dtype=np.uint8).reshape(-1, form.samples)
    return table(form.encoding).take(codes[:, -EDGE_SAMPLES:])


def _hear_edges(
    stage: StageAccumulator, form: FrameFormat, before: bytes, frame: bytes, level: float
) -> None:
    """Take how an agent's frame, of which each is seen, follows the one before it."""
    sound = stage.sound
    if sound is None:
        return
    sound.level(level)
    if level > DEAD_RMS:
        stage.still = False
        if sound.run:
            first = _size(frame[: form.sample_bytes], form.encoding)
            after = level if _is_usual(form) else _level(frame[: _beside(form)], form)
            sound.sounds_again(first, after, stage.level_so_far)
        return
    if not sound.run:
        last = _size(before[-form.sample_bytes :], form.encoding)
        known = _is_usual(form) and before
        loud = sound.level_before if known else _level(before[-_beside(form) :], form)
        sound.silence_begins(last, loud, stage.level_so_far)
    sound.run += 1
    stage.still = sound.run >= STILL_FRAMES


def _hear_again(sound: SoundAccumulator, form: FrameFormat, before: bytes, frame: bytes) -> None:
    """Take a loud frame that has come before: just before, or in the last ones."""
    if form.samples <= 2 * EDGE_SAMPLES:
        return
    samples = _samples([frame], form)[0]
    if frame == before:
        sound.repeats(frame_checks.seam(samples))
    elif not frame_checks.is_tones(samples, form.sample_rate):
        sound.repeats_piece()


def _size(samples: bytes, encoding: str) -> float:
    """Return how far from 0 a sample lies; 0 where there is none."""
    return abs(float(decode(samples, encoding).sum()))


def _level(beside: bytes, form: FrameFormat) -> float:
    """Return the RMS of samples; 0 where there are none."""
    return float(frame_rms(decode(beside, form.encoding))) if beside else 0.0


def _beside(form: FrameFormat) -> int:
    """Return how many bytes of a frame lie beside a silence: 20 ms, or all that there are."""
    return round(FRAME_SECONDS * form.sample_rate) * form.sample_bytes


def check_noise(
    form: FrameFormat,
    samples: Samples,
    levels: list[float],
    stages: Mapping[int, StageAccumulator],
) -> None:
    """Look for faults in single frames, and hand what is found to each frame's stage.

    Quiet frames, and those that are too short for a spectrum, are passed over.

    Args:
        form: The format of all frames.
        samples: One row for each frame.
        levels: The 16-bit RMS of each row.
        stages: The stage of each row that is to be checked.
    """
    rows = [row for row in stages if levels[row] >= ACTIVE_RMS]
    if not rows or form.seconds < MIN_SPECTRUM_SECONDS:
        return
    checks = frame_checks.check(samples[rows], form.sample_rate)
    for row, found in zip(rows, checks, strict=True):
        stages[row].add_check(levels[row], found)
