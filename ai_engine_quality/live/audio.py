"""Levels and the noise check of raw telephone frames. numpy only: ``audioop`` left Python in 3.13.

Frames of all calls are measured together, a few hundred at a time (``FrameBatch``): numpy's
cost per call is then shared, and a frame costs less than ``audioop.rms`` would.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from itertools import pairwise
from threading import RLock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ai_engine_quality.core.agent_sound import DEAD_RMS, SoundAccumulator
from ai_engine_quality.core.call import FrameFormat, StageAccumulator
from ai_engine_quality.core.observations import ACTIVE_RMS, DropReason, Rejected
from ai_engine_quality.live import frame_checks
from ai_engine_quality.live.facts import Sampling
from ai_engine_quality.live.frame_checks import EDGE_SAMPLES, MIN_SPECTRUM_SECONDS
from ai_engine_quality.live.sections import SECTIONS

Samples = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

SAMPLE_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Hz: what telephones, providers and browsers use."""

MAX_FRAME_SECONDS = 0.2
"""Longer than this isn't a frame but a recording."""

BATCH_FRAMES = 256
"""Frames that are measured at once."""

CHECK_FRAMES = 128
"""Frames that are looked into at once: numpy's cost for each call is then shared."""

_ALIASES = {
    "ulaw": ("ulaw", "mulaw", "mu-law", "pcmu", "g711_ulaw", "g711ulaw"),
    "alaw": ("alaw", "a-law", "pcma", "g711_alaw", "g711alaw"),
    "slin16": ("slin16", "slin", "linear16", "pcm16"),
}

ENCODINGS = {alias: encoding for encoding, aliases in _ALIASES.items() for alias in aliases}
"""Names that engines and providers use, and the encoding that they mean."""


def frame_bytes(encoding: object, sample_rate: object, seconds: float) -> int | None:
    """Return how many bytes so much audio has; None where the encoding or rate is unknown."""
    known = ENCODINGS.get(encoding) if isinstance(encoding, str) else None
    if known is None or not isinstance(sample_rate, int) or sample_rate not in SAMPLE_RATES:
        return None
    return round(sample_rate * seconds) * (2 if known == "slin16" else 1)


@lru_cache(maxsize=256)  # bounded: lengths come from outside
def frame_format(encoding: str, sample_rate: int, length: int) -> FrameFormat:
    """Return the format of a frame of so many bytes.

    Raises:
        Rejected: the encoding or rate is unknown, or no frame of it has such a length.
    """
    known = ENCODINGS.get(encoding)
    if known is None:
        raise Rejected(DropReason.UNKNOWN_ENCODING)
    if sample_rate not in SAMPLE_RATES:
        raise Rejected(DropReason.UNKNOWN_SAMPLE_RATE)
    if length == 0:
        raise Rejected(DropReason.FRAME_EMPTY)
    if known == "slin16" and length % 2:
        raise Rejected(DropReason.FRAME_ODD_LENGTH)
    found = FrameFormat(known, sample_rate, length)
    if found.seconds > MAX_FRAME_SECONDS:
        raise Rejected(DropReason.FRAME_OVERSIZED)
    return found


def check_frame(frame: object, encoding: object, sample_rate: object) -> tuple[bytes, FrameFormat]:
    """Return a frame's bytes, which nobody else can change, and its format.

    Raises:
        Rejected: it isn't a frame of telephone audio; the reason says why.
    """
    if not isinstance(frame, (bytes, bytearray, memoryview)):
        raise Rejected(DropReason.WRONG_TYPE)
    if not isinstance(encoding, str):
        raise Rejected(DropReason.UNKNOWN_ENCODING)
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, int):
        raise Rejected(DropReason.UNKNOWN_SAMPLE_RATE)
    if len(frame) > 2 * SAMPLE_RATES[-1]:
        raise Rejected(DropReason.FRAME_OVERSIZED)
    data = bytes(frame)
    if encoding not in ENCODINGS:  # before the cache, which a stranger's names must not fill
        raise Rejected(DropReason.UNKNOWN_ENCODING)
    if sample_rate not in SAMPLE_RATES:
        raise Rejected(DropReason.UNKNOWN_SAMPLE_RATE)
    return data, frame_format(encoding, sample_rate, len(data))


def decode(data: bytes, encoding: str) -> Samples:
    """Return 16-bit sample values, as float32, of bytes in ``ulaw``, ``alaw`` or ``slin16``."""
    if encoding == "slin16":
        return np.frombuffer(data, dtype="<i2").astype(np.float32)
    return _table(encoding).take(np.frombuffer(data, dtype=np.uint8))


@cache
def _table(encoding: str) -> Samples:
    """Return the value of each of the 256 codes of ITU-T G.711."""
    code = np.arange(256, dtype=np.int32)
    return (_ulaw(code) if encoding == "ulaw" else _alaw(code)).astype(np.float32)


def _ulaw(code: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    inverted = ~code & 0xFF
    magnitude = (((inverted & 0x0F) << 3) + 0x84 << ((inverted & 0x70) >> 4)) - 0x84
    return np.where(inverted & 0x80, -magnitude, magnitude)


def _alaw(code: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    toggled = code ^ 0x55
    exponent = (toggled & 0x70) >> 4
    mantissa = (toggled & 0x0F) << 4
    magnitude = np.where(
        exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0)
    )
    return np.where(toggled & 0x80, magnitude, -magnitude)


def frame_rms(samples: Samples) -> Values:
    """Return the RMS of each row of a (frames, samples) array."""
    energy: Values = np.vecdot(samples, samples).astype(np.float64)
    levels: Values = np.sqrt(energy / samples.shape[-1])
    return levels


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


def _check_every(sampling: Sampling) -> int:
    """Return of how many frames one is looked into: twice as often as for noise alone."""
    return max(1, sampling.noise_every // 2)


def _pattern(sampling: Sampling, *, agent: bool) -> tuple[_Step, ...]:
    """Return which frames of a stage are measured, until it begins anew."""
    level_every, noise_every = sampling.level_every, sampling.noise_every
    check_every = _check_every(sampling)
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


class _Group:
    """Frames of one format that wait to be measured."""

    __slots__ = (
        "before", "firsts", "form", "frames", "has_agents", "lasts", "levels", "repeats", "rows",
        "seconds", "stages", "stands_for", "to_check",
    )  # fmt: skip

    def __init__(self, seconds: float, every: int = 1, form: FrameFormat | None = None) -> None:
        self.form = form
        """None once they are measured: no frame may join them any more."""
        self.frames: list[bytes] = []
        self.has_agents = False
        """Whether any of them is an agent's."""
        self.seconds = seconds
        """How long a frame is."""
        self.stands_for = seconds * every
        """Seconds of audio for which each level counts."""
        self.to_check: list[tuple[StageAccumulator, int, bool, float]] = []
        """Of each frame that is looked into: its stage and place, whether it tells a whole track
        from noise, and when it is heard."""
        self.rows: list[int] = []
        """Places of the agents' frames of which the one before is known."""
        self.before: list[bytes] = []
        """That frame of each of them."""
        self.stages: list[StageAccumulator] = []
        """And their stages."""
        self.repeats: list[tuple[StageAccumulator, int]] = []
        """Stages and places of the frames that are the one before again."""
        self.levels: list[float] = []
        """Each frame's RMS, once they are measured."""
        self.firsts: list[float] = []
        """The size of each frame's first sample, likewise; and of its last one."""
        self.lasts: list[float] = []


_Hint = tuple[Callable[[float], object], float]
"""What happened between frames, and when."""


class FrameBatch:
    """Samples the frames of all calls and measures them together; each result goes to its stage.

    Frames of several formats wait together, since a call's two sides may differ: their levels go
    to their stages in the order in which the frames came.
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
        self._level_every, self._check_every = chosen.level_every, _check_every(chosen)
        self._patterns = {agent: _pattern(chosen, agent=agent) for agent in (False, True)}
        self._capacity = capacity
        self._groups: dict[FrameFormat, _Group] = {}
        self._group = _Group(0.0)
        """The last frame's: most often the next one's too."""
        self._chosen: dict[FrameFormat, list[_Chosen]] = {}
        """Frames that wait to be looked into, fewer than ``CHECK_FRAMES`` in all."""
        self._levels: dict[float, _Group] = {}
        """Levels that were measured elsewhere and wait with the frames, by how long each lasts."""
        self._waiting: list[tuple[StageAccumulator, _Group, int, float] | _Hint] = []
        """Frames whose level counts, in the order in which they came: each one's stage, group,
        place there, and when it crossed the engine's edge."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a forked child: the lock may be held by a thread that isn't there."""
        self._measuring = RLock()  # a scrape may end an overdue call in a thread of its own

    def take(self, stage: StageAccumulator, frame: bytes, at: float | None = None) -> None:
        """Take a frame of the stage's format whose turn it is; measure when enough of them wait.

        Args:
            stage: Where it was seen.
            frame: Its bytes.
            at: When it crossed the engine's edge, in monotonic seconds; None: now.
        """
        form = stage.format
        if form is None:
            return
        if at is None:
            at = self.clock()
        group = self._group
        if form is not group.form:
            group = self._group = self._group_of(form)
        step = self._patterns[stage.agent][stage.step]
        stage.step, stage.skip = step.next, step.skip
        place = len(group.frames)
        # First of all: what measures in between, as a call's end within a signal handler does, then
        # finds nothing told of a frame that isn't there.
        group.frames.append(frame)
        if stage.agent:
            self._compare(stage, group, step, place, at)
        waiting = self._waiting
        if step.level:
            waiting.append((stage, group, place, at))
        if len(waiting) >= self._capacity or place + 1 >= self._capacity:
            with SECTIONS, self._measuring:
                self._measure_levels()

    def _group_of(self, form: FrameFormat) -> _Group:
        """Return the frames of a format that wait."""
        found = self._groups.get(form)
        if found is None:
            found = self._groups[form] = _Group(form.seconds, self._level_every, form)
        return found

    def _compare(
        self,
        stage: StageAccumulator,
        group: _Group,
        step: _Step,
        place: int,
        at: float,
    ) -> None:
        """Take note of what an agent's frame is, beside the one before it."""
        if stage.sound is None:
            stage.sound = SoundAccumulator()
            stage.check_stands_for = group.seconds * self._check_every
        stage.played += group.stands_for
        group.has_agents = True
        before = stage.last if self._level_every == 1 else b""
        frame = group.frames[place]
        if step.check:
            # Frames that are handed over faster than they sound are heard one after the other.
            moment = max(at - stage.started, stage.played)
            group.to_check.append((stage, place, step.noise_check, moment))
        if before:
            group.rows.append(place)
            group.before.append(before)
            group.stages.append(stage)
            if frame == before:
                group.repeats.append((stage, place))
        stage.last = frame

    def take_level(self, stage: StageAccumulator, rms: float, seconds: float, at: float) -> None:
        """Take a level of a call that has raw frames too: it must not overtake those that wait.

        Args:
            stage: Where it was measured.
            rms: 16-bit RMS.
            seconds: How much audio it stands for.
            at: When it crossed the engine's edge, in monotonic seconds.
        """
        group = self._levels.get(seconds)
        if group is None:
            group = self._levels[seconds] = _Group(seconds)
        self._waiting.append((stage, group, len(group.levels), at))
        group.levels.append(rms)
        if len(self._waiting) >= self._capacity:
            with SECTIONS, self._measuring:
                self._measure_levels()

    def take_hint(self, hint: Callable[[float], object], at: float) -> None:
        """Take what happened between frames: it must not overtake those that wait either.

        Args:
            hint: Takes the moment, once the frames before it were measured.
            at: The moment, in monotonic seconds.
        """
        if self._waiting:
            self._waiting.append((hint, at))
        else:
            hint(at)

    @property
    def waiting_bytes(self) -> int:
        """How many bytes of audio wait to be measured: bounded, however many calls there are."""
        waiting = sum(len(frame) for group in self._groups.values() for frame in group.frames)
        chosen = sum(len(one.frame) for each in self._chosen.values() for one in each)
        return waiting + chosen

    def measure(self) -> None:
        """Measure every frame that waits, so that the stages are complete."""
        if not self._waiting and not self._groups and not self._chosen:
            return
        with SECTIONS, self._measuring:
            self._measure_levels()
            self._look()

    def _measure_levels(self) -> None:
        """Measure the levels of all frames that wait, and choose those that are looked into."""
        groups, self._groups = self._groups, {}
        for group in groups.values():
            group.form = None
        self._group, self._levels = _Group(0.0), {}
        waiting, self._waiting = self._waiting, []
        for form, group in groups.items():
            _measure(form, group)
        every_frame = self._level_every == 1
        for one in waiting:
            if len(one) == 2:
                hint, at = one
                hint(at)
                continue
            stage, group, place, at = one
            if place >= len(group.levels):  # it came while its group was being measured
                continue
            level = group.levels[place]
            stage.add_level(level, group.stands_for, at)
            if stage.sound is not None and every_frame and group.lasts:
                stage.hear_edges(level, group.firsts[place], group.lasts[place])
        for form, group in groups.items():
            if group.to_check and form.seconds >= MIN_SPECTRUM_SECONDS:
                self._choose(form, group)

    def _choose(self, form: FrameFormat, group: _Group) -> None:
        """Let frames with sound wait to be looked into, until there are enough of them."""
        levels = group.levels  # fewer than frames where one came while they were measured
        chosen = [
            _Chosen(stage, group.frames[place], levels[place], at, for_noise)
            for stage, place, for_noise, at in group.to_check
            if place < len(levels) and levels[place] >= ACTIVE_RMS
        ]
        if chosen:
            self._chosen.setdefault(form, []).extend(chosen)
        if sum(map(len, self._chosen.values())) >= CHECK_FRAMES:
            self._look()

    def _look(self) -> None:
        """Look into every frame that was chosen."""
        formats, self._chosen = self._chosen, {}
        for form, chosen in formats.items():
            samples = decode(b"".join(one.frame for one in chosen), form.encoding)
            samples = samples.reshape(len(chosen), form.samples)
            checks = frame_checks.check(samples, form.sample_rate)
            for one, found in zip(chosen, checks, strict=True):
                one.stage.add_check(one.level, found, one.at, for_noise=one.for_noise)


class _Chosen(NamedTuple):
    """A frame that is looked into."""

    stage: StageAccumulator
    frame: bytes
    level: float
    at: float
    """Seconds from the start of the call."""
    for_noise: bool


def _measure(form: FrameFormat, group: _Group) -> None:
    """Measure a group's levels, and of agents' frames what their bytes and edges tell."""
    frames = group.frames.copy()  # another thread may add one
    samples = decode(b"".join(frames), form.encoding)
    samples = samples.reshape(len(frames), form.samples)
    measured = frame_rms(samples)
    levels = group.levels = measured.tolist()
    if not group.has_agents:
        return
    group.firsts = np.abs(samples[:, 0]).tolist()
    group.lasts = np.abs(samples[:, -1]).tolist()
    if form.samples <= 2 * EDGE_SAMPLES:
        return
    for stage, row in group.repeats:
        if row < len(levels) and levels[row] >= ACTIVE_RMS and stage.sound is not None:
            stage.sound.repeats(frame_checks.seam(samples[row]))
    rows = np.array(group.rows, dtype=np.intp)
    rows = rows[rows < len(levels)]
    ends = _ends(group.before[: len(rows)], form)
    for place in frame_checks.jumps(samples, form.sample_rate, measured, rows, ends):
        if not _is_dead(group.before[place], form):  # a hole has a measurement of its own
            group.stages[place].hear_jump(levels[rows[place]])


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
    return _table(form.encoding).take(codes[:, -EDGE_SAMPLES:])


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
