"""Is a frame of speech? By its level alone, over a floor that adapts. Pure.

The floor follows the noise in two ways. *Minimum statistics* (R. Martin, "Spectral subtraction
based on minimum statistics", EUSIPCO 1994; here over the level of the whole band, not over bins):
speech pauses at least every few seconds, so the least smoothed level of the last seconds is noise.
It finds the floor again when the noise rises, without being told when nobody speaks. Between its
updates, a *recursive mean and deviation* of the frames without speech follow the noise closely, so
that a restless noise keeps a wider margin than a steady one.

What is far below the talker's own active level is no speech either, however silent the line: ITU-T
P.56 takes the line 15.9 dB below it. Talkspurt, hangover and pause are ITU-T P.59's terms.

Two levels find where words begin and end, as in L. R. Rabiner and M. R. Sambur, "An algorithm for
determining the endpoints of isolated utterances" (Bell Syst. Tech. J. 54, 1975): the upper one
finds speech, and from there the lower one is followed outwards. The lower one stands in a fixed
relation to the level of these words, so that they end where they do on the clean recording, loud or
quiet.
"""

from __future__ import annotations

import math
from array import array
from math import sqrt

UNDER_THE_TALKER = 0.195
"""Share of the talker's mean level from which a frame is speech: P.56's margin, as the mean level
of frames lies 2 to 3 dB under the active level."""

UNDER_THE_WORDS = 0.09
"""Share of the level of the words, weighted by energy, from which a frame still belongs to them:
20 dB under their active level, as that lies 1 dB lower. In the median the words of telephone
prompts end 0.03 s sooner at P.56's own 15.9 dB, and 0.02 s later at 22 dB."""

WORDS_SECONDS = 3.0
"""Time constant of that level."""

WORDS_BEFORE_SECONDS = 0.3
"""What was said before weighs as much in it as so much of what is said now."""

STEADY_MARGIN = 1.3
"""Times the mean noise that a frame of speech must exceed: 2.3 dB, five standard deviations of
white noise in frames of 20 ms at 8 kHz."""

DEVIATIONS = 4.5
"""And mean absolute deviations of the noise that it must lie above the mean."""

FADING_DEVIATIONS = 4.0
"""The same for words that have begun, whatever the mean: there are but a few frames to mistake."""

NOISY = 0.8
NOISY_RESTLESS = 0.6
"""Share that noise, or restless noise, has of the level at which words would end in silence, from
which it hides their end. Two frames together tell more then than one, in which voice and hum add up
or cancel out by chance."""

SHORT_SECONDS = 0.035
"""Longer frames hold as much by themselves."""

STEADY = 0.1
"""Share of its mean by which steady noise deviates at most, white noise by 0.05: by chance alone,
so that the mean of two frames deviates by less."""

CLEAR_OF_NOISE = 1.5
CLEAR_OF_DEVIATIONS = 10.0
"""Times the noise, and mean deviations of it, that a talker must have to be told from it: at 10 dB
in babble a talker does not, in white noise or hum one does (generated calls)."""

MOST_CLEAR = 1.6
"""More isn't counted: one clear word can't speak for others."""

MOST_MASKED_DB = 10.0

SUB_WINDOW_SECONDS = 0.4
SUB_WINDOWS = 8
"""Martin's window: the least level of the last 3.2 s, in pieces of 0.4 s."""

SMOOTHING_SECONDS = 0.04

NOISE_SECONDS = 0.5
TALKER_SECONDS = 1.5
"""Time constants of the recursive means, in seconds of noise and of speech."""

FORGET_TALKER_SECONDS = 40.0
"""A talker who isn't heard is forgotten at this time constant: the next may be quieter."""

DEVIATION_AT_START = 0.35
"""That of babble, as a share of its mean: at first a wide margin is better than false words."""

_LEVEL_AT_START = 20.0


class VoiceActivity:
    """Judges one track's frames, in the order in which they are heard.

    Args:
        quietest: 16-bit RMS under which nothing is speech.
        warm_up: Seconds in which the floor is only learned and nothing is called speech.
        most_noise: The highest threshold that noise may lead to, as a share of the talker's level.
    """

    __slots__ = (
        "_bar", "_deviation", "_frame", "_least", "_mean", "_minima", "_most_noise", "_noising",
        "_noisy", "_pair_tail", "_power", "_quietest", "_smooth", "_smoothing", "_sub_left",
        "_talked", "_talking", "_warm_up", "_words", "hidden", "noise", "tail", "talker",
        "threshold",
    )  # fmt: skip

    def __init__(self, quietest: float, warm_up: float, most_noise: float) -> None:
        self._quietest = quietest
        self._warm_up = warm_up
        self._most_noise = most_noise
        self.noise = _LEVEL_AT_START
        """Mean level of the frames without speech, 16-bit RMS."""
        self._deviation = 0.0
        self.talker = 0.0
        """Mean level of the frames with speech, 16-bit RMS; 0 where there was none yet."""
        self.tail = quietest
        """The level over which a frame still belongs to words that have begun, 16-bit RMS: they
        swell and fade, and what is over the noise and not yet faint is part of them."""
        self.threshold = quietest
        """The level over which a frame is speech, 16-bit RMS."""
        self.hidden = 0.0
        """Seconds that would have been speech, were they not as quiet as an echo."""
        self._noisy = False
        self._pair_tail = quietest
        self._talked = 0.0
        self._words = self._power = self._mean = self._bar = 0.0
        self._frame = self._smoothing = self._talking = self._noising = 0.0
        self._smooth = -1.0
        self._least = float("inf")
        self._minima = array("d")
        self._sub_left = SUB_WINDOW_SECONDS

    @property
    def clearness(self) -> float:
        """How far the talker stands out of the noise: under 1, speech can't be told from it."""
        if not self.noise or not self.talker:
            return MOST_CLEAR
        needed = self.noise * CLEAR_OF_NOISE + self._deviation * CLEAR_OF_DEVIATIONS
        return min(MOST_CLEAR, self.talker / needed)

    def hear(  # noqa: C901  # the hot path: calls would cost more than they explain
        self, level: float, seconds: float, echo: float, quiet: bool
    ) -> bool:
        """Take a frame, and return whether it is speech.

        Args:
            level: Its 16-bit RMS.
            seconds: How much audio it stands for.
            echo: What the other side may have left in it, 16-bit RMS; speech is louder.
            quiet: Whether nobody speaks, so that this frame tells about the noise.
        """
        if seconds != self._frame:
            self._weigh(seconds)
        smooth = self._smooth
        if smooth < 0:
            smooth = level
        self._smooth = smooth = smooth + (level - smooth) * self._smoothing
        if smooth < self._least:  # noqa: PLR1730  # twice as fast as min()
            self._least = smooth
        self._sub_left -= seconds
        if self._sub_left <= 0:
            self._end_sub_window()
        if self._warm_up > 0:
            self._learn(seconds)
            return False
        if level > self.threshold:
            if level <= echo:
                self.hidden += seconds
                return False
            power = level * level - self.noise * self.noise
            if power > 0:
                words = self._words + seconds
                if words > WORDS_SECONDS:  # noqa: PLR1730  # twice as fast as min()
                    words = WORDS_SECONDS
                self._words = words
                weight = seconds / words
                self._power += (power - self._power) * weight
                self._mean += (sqrt(power) - self._mean) * weight
            if self._talked < TALKER_SECONDS:
                self._meet(level, seconds)
            else:
                self.talker += (level - self.talker) * self._talking
            return True
        if quiet:
            weight = self._noising
            off = level - self.noise
            self.noise += off * weight
            self._deviation += ((off if off > 0 else -off) - self._deviation) * weight
        return False

    def masked(self) -> float:
        """Return how many dB more than in silence speech must have now to be told from noise.

        0 where the noise lets words be followed until they are faint.
        """
        tail = self._pair_tail if self._noisy else self.tail
        if tail <= self._bar:
            return 0.0
        noise = self.noise * self.noise
        needed = tail * tail - noise
        wanted = self._bar * self._bar - noise
        if needed <= wanted or wanted <= 0:
            return 0.0
        return min(MOST_MASKED_DB, 10 * math.log10(needed / wanted))

    def _weigh(self, seconds: float) -> None:
        """Set what one frame of a length weighs in the means."""
        self._frame = seconds
        self._smoothing = min(0.5, seconds / SMOOTHING_SECONDS)
        self._talking = min(1.0, seconds / TALKER_SECONDS)
        self._noising = min(0.2, seconds / NOISE_SECONDS)

    def nothing(self) -> None:
        """Take note that for a while nothing was there at all: the floor is at 0."""
        self._smooth = self._least = 0.0

    def sent_no_more(self) -> None:
        """Take note that after the last frames nothing came for a while.

        A phone that sends nothing in silence has sent its silence last: the floor is no higher. It
        may be the first that is heard of it, as the call's first frames were words then.
        """
        if 0 <= self._smooth < self.noise:
            self.noise = max(self._smooth, 1.0)
            self._deviation = min(self._deviation, self.noise * DEVIATION_AT_START)
            self._set_threshold()

    def words_begin(self) -> None:
        """Take note that somebody begins to speak, louder or quieter than before."""
        self._words = min(self._words, WORDS_BEFORE_SECONDS)

    def lasts(self, level: float, before: float) -> bool:
        """Return whether a quiet frame still belongs to words that have begun.

        Args:
            level: Its 16-bit RMS.
            before: That of the frame before.
        """
        if not self._noisy:
            return level > self.tail
        if before > self.threshold:  # that one was speech, and says nothing about this one
            before = level
        return level * level + before * before > 2 * self._pair_tail * self._pair_tail

    def words_fade(self) -> None:
        """Take note that words may be ending: from their level follows where they do."""
        self._set_threshold()

    def _meet(self, level: float, seconds: float) -> None:
        """Get to know the talker: at first the mean is over all frames."""
        self._talked += seconds
        self.talker += (level - self.talker) * (seconds / self._talked)
        self._set_threshold()

    def _learn(self, seconds: float) -> None:
        """Begin with the noise of the first frames."""
        self._warm_up -= seconds
        if self._warm_up <= 0:
            self._minima.append(self._least)
            self.noise = max(self._least, 1.0)
            self._deviation = self.noise * DEVIATION_AT_START
            self._set_threshold()

    def _end_sub_window(self) -> None:
        """Look at the least level of the window, as Martin does, and set the threshold anew."""
        minima = self._minima
        minima.append(self._least)
        if len(minima) > SUB_WINDOWS:
            del minima[0]
        self._least = self._smooth
        self._sub_left = SUB_WINDOW_SECONDS
        if len(minima) == SUB_WINDOWS:
            floor = min(minima)
            self.noise = max(self.noise, floor)
        self.talker -= self.talker * (SUB_WINDOW_SECONDS / FORGET_TALKER_SECONDS)
        self._set_threshold()

    def _set_threshold(self) -> None:
        noise = max(self.noise * STEADY_MARGIN, self.noise + self._deviation * DEVIATIONS)
        if self.talker and noise > self.talker * self._most_noise:
            noise = self.talker * self._most_noise
        talker = self.talker * UNDER_THE_TALKER
        self.threshold = max(self._quietest, noise, sqrt(talker * talker + self.noise * self.noise))
        faint = UNDER_THE_WORDS * self._power / self._mean if self._mean else 0.0
        self._bar = sqrt(faint * faint + self.noise * self.noise)
        fading = self.noise + self._deviation * FADING_DEVIATIONS
        self.tail = max(self._quietest, self._bar, min(noise, fading))
        steady = self._deviation <= STEADY * self.noise
        hides = self._bar * (NOISY if steady else NOISY_RESTLESS)
        self._noisy = self._frame <= SHORT_SECONDS and self.noise > hides
        if self._noisy:
            if steady:
                fading = self.noise + self._deviation * FADING_DEVIATIONS * sqrt(0.5)
            self._pair_tail = max(self._quietest, self._bar, min(noise, fading))
