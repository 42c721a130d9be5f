"""What the agent sounds like: from checks of single frames to what is wrong with a track. Pure.

The checks themselves are numpy's (``live.frame_checks``); here they are counted, in bounded memory.
Of most measurements only loud frames count, which are less than 12 dB under the speech so far: in
them speech stands far over noise, its spectrum has deep valleys, and its waveform has no corners.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from ai_engine_quality.core.distribution import BoundedValues, Distribution
from ai_engine_quality.core.observations import ACTIVE_RMS, FRAME_SECONDS

LOUD_SHARE = 0.25
"""Of the level of speech so far: -12 dB. Louder frames are checked for noise, clicks and jumps."""

MIN_LOUD_FRAMES = 12
"""Checked loud frames below which nothing is said of a track."""

LEAST_FOUND = 3
"""Clicks, held frames or holes with soft edges of which fewer are chance."""

LEAST_JUMPS = 8
"""The same of jumps, for which each frame is looked at."""

VALLEY_PERCENTILE = 8
"""Of the loud frames' valleys: one in twelve is as clear as the speech lets it be."""

STEADY_PERCENTILES = (15, 50)
"""Noise fills the valleys of all frames alike; what speech leaves in them is of its own."""

BAND_EDGES_HZ = (200.0, 900.0, 2_000.0, 3_800.0)
"""Between them lie the bands whose noise is looked for one by one, too."""

BANDS = len(BAND_EDGES_HZ) - 1
MOST_BANDS = 64
"""Frames whose bands are kept, some 8 s of speech: of a longer track each second one is, or each
fourth."""

STEADY_BAND = 4.0
"""So much, as a ratio of powers, the valleys of a band may differ between frames and be noise: in
clean speech mostly 5 and more. What is steadier in it lies at least 35 dB under its level."""

HELD_RMS = 400.0
"""Quieter samples are too coarse in G.711: equal neighbours are no fault there."""

HELD_SHARE = 0.35
NOT_HELD_SHARE = 0.95
"""Shares of equal neighbours between which a frame's samples were held: in clean speech 0.09, and
in a frame that has but one value, 1."""

FLAT = 0.08
"""Spectral flatness of a frame from which it may be noise: in loud frames of speech 0.03."""

WINDOW_SECONDS = 1.0
"""A passage is judged in windows of this length."""

LOUD_IN_WINDOW = 0.6
"""Seconds of loud frames below which a window says nothing: hissing sounds are shorter."""

FLAT_IN_WINDOW = 0.9
"""Share of a window's loud frames that are flat where it is noise."""

DEAD_RMS = 9.0
"""A frame as quiet holds digital silence."""

MOST_HOLE_FRAMES = 10
"""A longer silence is a pause."""

CUT_BEFORE = 0.2
CUT_AFTER = 0.1
"""A hole cuts into speech: the samples beside it are so large, as a share of the speech's level."""

LOUD_BESIDE = 0.7
MOST_FADED_SECONDS = 0.1
"""Or the 20 ms on either side of it are so loud, and it is no longer: a hole with soft edges. Who
fills a gap may let the sound fade into it and out of it; a voice is silent of itself only between
softer sounds."""

TONE_SEAM = 0.3
"""A tone whose period fits in a frame comes again byte for byte, and its end meets its beginning
without a corner."""

RECENT = 10
"""Frames among which one that comes again is looked for: pieces of up to 0.2 s are sent twice by
who plays on from where a buffer was read before."""

QUIETEST = 30.0
"""16-bit RMS under which changes of the level say nothing."""

LOWEST_PITCH = 110.0
PITCHED_SHARE = 0.6
"""Hz, and the share of loud frames whose pitch is found. Under 115 Hz it is in 0.2 to 0.6 of them,
over it in 0.6 and more (25 voices at their own and at wrong rates)."""

NEARLY_WHOLE = 0.05
"""Share of 20 ms by which a frame may be shorter or longer, and still be taken for one of 20 ms."""

CHANGES_A_SECOND = 25.0
MOST_CHANGES = 0.35
"""Octaves by which levels change more from one longer frame to the next, for each second that it
is longer, and at most: on the voices that thresholds were chosen by 0.26 at 30 ms, 0.35 at 40, 0.37
at 50 and 0.33 at 60, where what changes has begun to even out."""

MIN_PACE_SECONDS = 2.5
"""Speech below which its spectrum says nothing of its speed."""


class FrameCheck(NamedTuple):
    """What numpy measured of one frame."""

    flatness: float
    """Spectral flatness, 0 to 1, of 200 to 3,800 Hz."""
    clipped: float
    """Share of samples at full scale."""
    dc: float
    valley: float
    """Power, as of 16-bit samples, that the quietest seventh of its spectrum would have in all."""
    held: float
    """Share of samples that equal the one before, or lie on a line between others."""
    fresh: float
    """The others, a second."""
    click: bool
    """Whether its sharpest corner is 8 times as sharp as its corners are in the mean."""
    low: float
    """Power of 125 to 375 Hz."""
    power: float
    """Power of 125 to 4,000 Hz."""
    octaves: float
    """The same power, times the base-2 logarithm of its frequency in Hz."""
    above: float
    """Power over 3,400 Hz."""
    upper: float
    """Power of 2,300 to 4,000 Hz."""
    pitch: float | None
    """Hz; 0: it has none, or a lower one than 100 Hz; None: it is too short to tell."""
    below: float
    """Level at 250 to 400 Hz, in dB beside that at 400 to 600, where the first formant lies."""
    fall: float
    """How many dB lower than that it is at 800 to 1,000 Hz."""
    bands: Sequence[float]
    """As ``valley``, of each part of the spectrum between ``BAND_EDGES_HZ``, by itself."""
    flat: float
    """Share of samples with which a flat top begins: its wave is cut off under full scale."""


@dataclass(frozen=True, slots=True)
class AgentSound:
    """What was heard in the samples of an agent's track. What was not measured is None."""

    checked: int = 0
    """Loud frames that were looked at."""
    noise: float | None = None
    """Level of the noise that fills the valleys of the speech's spectrum, as a share of it."""
    wavers: float | None = None
    """How much deeper some valleys are than others, as a ratio of powers: steady noise 1.3 to 3."""
    held: float | None = None
    """Share (0 to 1) of frames whose samples were held, or lie on lines between each second to
    fourth."""
    fresh: float | None = None
    """Of those frames: samples a second that were neither."""
    clicks: float | None = None
    """Share of loud frames with a click inside."""
    edges: float | None = None
    """Share of active frames to which there is a jump from the frame before; of longer frames than
    20 ms it is the share of all 20 ms, since clicks are heard by how many come in a second."""
    repeated: int = 0
    """Frames that came among the ten before, byte for byte, and were no tone."""
    silent: int = 0
    """Frames of digital silence that cut into speech."""
    holes: int = 0
    """In how many runs they came."""
    noisy_seconds: float = 0.0
    """Seconds of speech in windows that are noise."""
    noisy_from: float | None = None
    """When the first of them began, in seconds from the start of the call."""
    speed: float | None = None
    """How quick the speech seems to be by its spectrum and its changes of level: 0 is usual, in
    octaves, with an error of about half of one."""
    lively: float | None = None
    """How much the level changes from frame to frame, as a power of ten: speech 0.08 to 0.3."""
    above: float | None = None
    """Share of its power that lies over 3,400 Hz."""
    upper: float | None = None
    """Share of its power that lies over 2,300 Hz, and under 4,000."""
    low: float | None = None
    """Share of its power that lies at 125 to 375 Hz."""
    pitch: float | None = None
    """The median of the voice's pitch, Hz; 110 also where it is lower."""
    below: float | None = None
    """Mean level of loud frames at 250 to 400 Hz, in dB beside that at 400 to 600."""
    fall: float | None = None
    """How many dB lower than that it is at 800 to 1,000 Hz."""
    band_noise: float | None = None
    """As ``noise``, of the band that has the loudest steady noise by itself; 0: none has any."""
    band: float | None = None
    """Where that band begins, in Hz: 200, 900 or 2,000."""
    flat: float | None = None
    """Share of samples with which flat tops begin, of waves that were cut off under full scale."""


@dataclass(slots=True, eq=False, repr=False)
class SoundAccumulator:
    """Counts what was measured of one track of the agent's."""

    _loud: int = 0
    _valleys: BoundedValues = field(default_factory=lambda: BoundedValues(64))
    _bands: array[float] = field(default_factory=lambda: array("f"))
    """Valleys of every band, of one loud frame after the other."""
    _bands_every: int = 1
    """1: of each loud frame; 2: of each second one."""
    _flat: float = 0.0
    _held_of: int = 0
    _held: int = 0
    _fresh: float = 0.0
    _clicks: int = 0
    jumps: int = 0
    """Steps from frame to frame that are jumps."""
    repeated: int = 0
    _recent: array[int] = field(default_factory=lambda: array("q"))
    """Hashes of the last loud frames, in a ring."""
    _recent_at: int = 0
    silent: int = 0
    holes: int = 0
    run: int = 0
    """Frames of digital silence since the last sound; 0 while it sounds."""
    _cut: bool = False
    _soft: bool = False
    soft_silent: int = 0
    soft_holes: int = 0
    """The same of holes with soft edges."""
    _e1: float = 0.0
    _e2: float = 0.0
    _e3: float = 0.0
    _changes: float = 0.0
    _changes_of: int = 0
    _level_seconds: float = FRAME_SECONDS
    """Seconds for which one level counts in them."""
    _joined: int = 1
    """Frames that make one level."""
    _parts: int = 0
    _part_energy: float = 0.0
    _energy: float = 0.0
    _low: float = 0.0
    _power: float = 0.0
    _octaves: float = 0.0
    _above: float = 0.0
    _upper: float = 0.0
    _voices: int = 0
    _pitches: BoundedValues = field(default_factory=lambda: BoundedValues(64))
    _below: float = 0.0
    _fall: float = 0.0
    _window_ends: float = 0.0
    _window_loud: int = 0
    _window_flat: int = 0
    _window_from: float = 0.0
    noisy_seconds: float = 0.0
    noisy_from: float | None = None

    def frames_of(self, seconds: float) -> None:
        """Let frames have a length from now on, in seconds: those under 20 ms are joined."""
        self._joined = max(1, math.ceil(FRAME_SECONDS / seconds - NEARLY_WHOLE))
        self._level_seconds = self._joined * seconds
        self._parts, self._part_energy = 0, 0.0

    def _join(self, rms: float) -> float | None:
        """Return the level of frames that are joined, with the last one of them; else None."""
        self._parts += 1
        self._part_energy += rms * rms
        if self._parts < self._joined:
            return None
        whole = math.sqrt(self._part_energy / self._parts)
        self._parts, self._part_energy = 0, 0.0
        return whole

    def level(self, rms: float) -> None:
        """Take the level of the next frame, for how quickly levels change."""
        if self._joined > 1:
            whole = self._join(rms)
            if whole is None:
                return
            rms = whole
        now = math.log10(rms) if rms > QUIETEST else 1.477
        if rms >= ACTIVE_RMS:
            self._changes += abs(now + self._e1 - self._e2 - self._e3)
            self._changes_of += 1
        self._e3, self._e2, self._e1 = self._e2, self._e1, now

    @property
    def level_before(self) -> float:
        """The level of the frame before the latest one, which counts as 30 where it was less."""
        return float(10.0**self._e2)

    def silence_begins(self, last: float, before: float, level: float) -> None:
        """Take the first frame of a digital silence.

        Args:
            last: The size of the sample before it.
            before: The level of the 20 ms before it.
            level: The speech's level so far.
        """
        self._cut = last > CUT_BEFORE * level > 0.0
        self._soft = before > LOUD_BESIDE * level > 0.0

    def sounds_again(self, first: float, after: float, level: float) -> None:
        """Take the first sample of the frame after a silence, and the level of its first 20 ms."""
        if self._cut and self.run <= MOST_HOLE_FRAMES and first > CUT_AFTER * level:
            self.silent += self.run
            self.holes += 1
        elif self._soft and after > LOUD_BESIDE * level and self._is_short():
            self.soft_silent += self.run
            self.soft_holes += 1
        self.run = 0

    def _is_short(self) -> bool:
        """Return whether the silence is no longer than a hole with soft edges."""
        seconds = self.run * self._level_seconds / self._joined
        return seconds <= MOST_FADED_SECONDS + NEARLY_WHOLE * FRAME_SECONDS

    def comes_again(self, frame: bytes) -> bool:
        """Take a loud frame; return whether one of those before was the same, byte for byte."""
        recent, number = self._recent, hash(frame)
        found = number in recent
        if len(recent) < RECENT:
            recent.append(number)
        else:
            recent[self._recent_at] = number
        self._recent_at = (self._recent_at + 1) % RECENT
        return found

    def repeats(self, wraps: float) -> None:
        """Take a loud frame that is the one before again; ``wraps``: how sharp its own seam is."""
        if wraps >= TONE_SEAM:
            self.repeated += 1

    def repeats_piece(self) -> None:
        """Take a loud frame, of no tones, that came before in these 0.2 s."""
        self.repeated += 1

    def check(
        self, found: FrameCheck, rms: float, level: float, at: float, stands_for: float
    ) -> None:
        """Take the check of an active frame.

        Args:
            found: What was measured.
            rms: Its level.
            level: The speech's level so far.
            at: Its time in seconds from the start of the call.
            stands_for: Seconds of audio that one check stands for.
        """
        if rms >= HELD_RMS:
            self._held_of += 1
            if HELD_SHARE < found.held < NOT_HELD_SHARE:
                self._held += 1
                self._fresh += found.fresh
        self._energy += rms * rms
        self._low += found.low
        self._power += found.power
        self._octaves += found.octaves
        self._above += found.above
        self._upper += found.upper
        if rms < LOUD_SHARE * level:
            return
        self._loud += 1
        self._valleys.add(found.valley)
        if self._loud % self._bands_every == 0:
            self._take_bands(found.bands)
        self._clicks += found.click
        self._flat += found.flat
        if found.pitch is not None:
            self._voices += 1
            self._below += found.below
            self._fall += found.fall
            if found.pitch:
                self._pitches.add(found.pitch)
        self._listen(found.flatness >= FLAT, at, stands_for)

    def _take_bands(self, valleys: Sequence[float]) -> None:
        """Keep the valleys of a frame's bands; once there are many, only half of all."""
        kept = self._bands
        kept.extend(valleys)
        if len(kept) >= MOST_BANDS * BANDS:
            frames = range(BANDS, len(kept), 2 * BANDS)
            self._bands = array("f", chain.from_iterable(kept[at : at + BANDS] for at in frames))
            self._bands_every *= 2

    def _listen(self, flat: bool, at: float, stands_for: float) -> None:
        """Take note of a loud frame, in its window.

        Noise that begins in the midst of a window begins a new one, so that a second of it counts.
        """
        began = flat and self._window_flat < FLAT_IN_WINDOW * self._window_loud
        if at >= self._window_ends or began:
            self._close_window(stands_for)
            self._window_from = at
            self._window_ends = at + WINDOW_SECONDS
        self._window_loud += 1
        self._window_flat += flat

    def _close_window(self, stands_for: float) -> None:
        seconds = self._noisy(stands_for)
        if seconds:
            self.noisy_seconds += seconds
            if self.noisy_from is None:
                self.noisy_from = self._window_from
        self._window_loud = self._window_flat = 0

    def _noisy(self, stands_for: float) -> float:
        """Return the seconds of noise in the present window."""
        loud, flat = self._window_loud, self._window_flat
        if loud * stands_for < LOUD_IN_WINDOW or flat < FLAT_IN_WINDOW * loud:
            return 0.0
        return min(WINDOW_SECONDS, flat * stands_for)

    def freeze(self, level: float, stands_for: float) -> AgentSound | None:
        """Return what was measured so far; None where nothing was looked at."""
        soft = self.soft_holes >= LEAST_FOUND
        holes = self.holes + soft * self.soft_holes
        if not self._loud and not self.repeated and not holes:
            return None
        enough = self._loud >= MIN_LOUD_FRAMES and level > 0
        tells = enough and self._voices >= MIN_LOUD_FRAMES
        band_noise, band = self._band_noise(level) if enough else (None, None)
        last = self._noisy(stands_for)
        began = self._window_from if last and self.noisy_from is None else self.noisy_from
        return AgentSound(
            checked=self._loud,
            noise=self._noise(level) if enough else None,
            wavers=self._wavers() if enough else None,
            held=_share(self._held, self._held_of),
            fresh=round(self._fresh / self._held, 1) if self._held >= LEAST_FOUND else None,
            clicks=_share(self._clicks, self._loud),
            edges=_share(self.jumps, self._frames(), LEAST_JUMPS),
            repeated=self.repeated,
            silent=self.silent + soft * self.soft_silent,
            holes=holes,
            noisy_seconds=round(self.noisy_seconds + last, 3),
            noisy_from=None if began is None else round(began, 3),
            speed=self._speed(),
            lively=self._lively(),
            above=self._part(self._above) if enough else None,
            upper=self._part(self._upper) if enough else None,
            low=self._part(self._low) if enough else None,
            pitch=self._pitch() if tells else None,
            below=round(self._below / self._voices, 2) if tells else None,
            fall=round(self._fall / self._voices, 2) if tells else None,
            band_noise=band_noise,
            band=band,
            flat=round(self._flat / self._loud, 6) if enough else None,
        )

    def _pitch(self) -> float:
        """Return the median pitch; a voice whose pitch is mostly not found has a low one."""
        if self._pitches.n < PITCHED_SHARE * self._voices:
            return LOWEST_PITCH
        return round(max(LOWEST_PITCH, self._pitches.freeze().percentile(50)), 1)

    def _part(self, power: float) -> float | None:
        """Return the share of the power that a part of the spectrum has."""
        if self._power <= LEAST_IN_BAND * self._energy:
            return None
        return float(f"{min(1.0, power / self._power):.3g}")

    def _noise(self, level: float) -> float:
        return _noise_in(self._valleys.freeze(), level)

    def _wavers(self) -> float:
        return _wavers_of(self._valleys.freeze())

    def _band_noise(self, level: float) -> tuple[float, float | None]:
        """Return the loudest steady noise of one band, and where the band begins."""
        loudest, begins = 0.0, None
        for number, start in enumerate(BAND_EDGES_HZ[:-1]):
            valleys = Distribution(tuple(self._bands[number::BANDS]))
            noise = _noise_in(valleys, level)
            if noise > loudest and _wavers_of(valleys) <= STEADY_BAND:
                loudest, begins = noise, start
        return loudest, begins

    def _lively(self) -> float | None:
        if not self._changes_of:
            return None
        return round(self._changes / self._changes_of / 4 / 2 ** self._longer(), 4)

    def _frames(self) -> int:
        """Return how many active frames there were; longer ones count as several of 20 ms."""
        if self._joined > 1:
            return self._changes_of * self._joined
        return round(self._changes_of * max(1.0, self._level_seconds / FRAME_SECONDS))

    def _longer(self) -> float:
        """Return by how many octaves more levels of longer frames differ than those of 20 ms."""
        over = max(0.0, self._level_seconds - FRAME_SECONDS - NEARLY_WHOLE * FRAME_SECONDS)
        return min(MOST_CHANGES, CHANGES_A_SECOND * over)

    def _speed(self) -> float | None:
        """Return how quick the speech seems, in octaves from the usual.

        Played twice as fast, levels change twice as quickly and the spectrum moves up by an octave.
        The sum's zero and its weights were set by hand on clean voices (docs/Evidence.md).
        """
        if self._changes_of * self._level_seconds < MIN_PACE_SECONDS or not self._power:
            return None
        changes = math.log2(max(1e-6, self._changes / self._changes_of / 4)) - self._longer()
        low, middle = self._low / self._power, self._octaves / self._power
        if low < LEAST_LOW:
            return None
        return round(changes + 0.5 * middle - low - USUAL_SPEED, 3)


def _noise_in(valleys: Distribution, level: float) -> float:
    """Return the level of the noise that fills valleys, as a share of the speech's level."""
    valley = valleys.percentile(VALLEY_PERCENTILE)
    return round(min(1.0, math.sqrt(valley) / level), 6)


def _wavers_of(valleys: Distribution) -> float:
    """Return how much deeper some valleys are than others, as a ratio of powers."""
    low, middle = (valleys.percentile(percent) for percent in STEADY_PERCENTILES)
    return round(min(1e6, middle / max(low, 1e-9)), 2)


LEAST_IN_BAND = 0.05
"""Share of the energy within 125 to 4,000 Hz: with less it is an offset, and no speech."""

LEAST_LOW = 0.004
"""Share of the power at 125 to 375 Hz: less has been filtered away, and seems quick."""

USUAL_SPEED = 1.16
"""What the sum comes to in clean speech."""


def _share(part: int, whole: int, least: int = LEAST_FOUND) -> float | None:
    """Return a share; 0 where so few are no evidence, None where too little was looked at."""
    if whole < MIN_LOUD_FRAMES:
        return None
    return round(part / whole, 6) if part >= least else 0.0
