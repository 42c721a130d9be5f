"""How much of the agent's voice comes back in the caller's track. Pure.

A frame of the caller's is the agent's echo where it is quieter than a share of what the agent
played a moment ago: D. L. Duttweiler's comparison, which he credits to A. A. Geigel ("A twelve-
channel digital echo canceler", IEEE Trans. Commun. 26, 1978). They take half, the least loss of a
hybrid; most lines lose far more, and callers may be quiet. So the share is learned here: whatever
the caller does, echo comes back whenever the agent speaks, and never much louder. Where nothing
comes back, a caller of any level is heard over the agent.
"""

from __future__ import annotations

from array import array

LEAST_SHARE = 0.2
"""Until more is known, the caller's voice is louder than this share of the agent's: -14 dB; echo is
mostly under -20."""

NO_SHARE = 0.01
"""Echo of less than this share, -40 dB, is as faint as the line's noise."""

FEWEST_KNOWN = 6
"""Blocks, 1.8 s of the agent's words, by which it is known that no more than a share comes back."""

OVER_THE_USUAL = 2.5
"""Echo is louder by no more than this factor than in half of the blocks before: on generated calls
with echo at -30 to -10 dB, 1 block in 100 exceeds 1.5."""

MOST_SHARE = 0.6
"""No line sends back more than half: what is louder is the caller's own."""

BLOCK_SECONDS = 0.3
"""Echo comes back within one to two of these."""

LOUD_RMS = 400.0
"""An agent that is quieter leaves no echo that tells from the line's noise."""

MOST_BLOCKS = 24
"""Blocks in which the agent speaks, by the last of which the share is known."""

ALIKE = 1.15
ALIKE_SHARE = 0.4
FEWEST_ALIKE = 5
"""An echo's loudest frame has about the same share of the agent's in half of the blocks, where a
caller's own words have that of chance: on generated calls with echo at -30 to -7 dB, 52 % lie
within this factor, of telephone prompts played at once 18 %."""

FAINT = 3.0
MOST_FAINT = 0.25
"""And in no more than so large a share of the blocks is what comes in fainter by this factor: 9 %
of those with an echo. A caller who begins to speak over the agent was silent before."""

MARGIN = 1.15
"""What is louder by so much than most of the blocks that are alike is no echo."""

CLEAR_OF_NOISE = 3.0
"""Times the line's noise: what is louder comes from the agent, and steady noise is alike too."""


class EchoPath:
    """Learns the share of one call."""

    __slots__ = (
        "_block", "_blocks", "_echo", "_echoing", "_loudest", "_played", "_shares", "found",
        "share",
    )  # fmt: skip

    def __init__(self) -> None:
        self._block: int | None = None
        self._loudest = 0.0
        self._played = self._echo = 0.0
        self._blocks = self._echoing = 0
        self._shares = array("d")
        self.share = LEAST_SHARE
        """What is quieter than this share of what the agent played may be its echo."""
        self.found = False
        """Whether an echo was found just now: what seemed to be words before may be some of it."""

    def hear(self, at: float, level: float, played: float) -> float:
        """Take a frame of the caller's; return how loud the echo in it may be, 16-bit RMS.

        Args:
            at: When it came, in monotonic seconds.
            level: Its 16-bit RMS.
            played: The highest level that the agent played a moment ago.
        """
        if played > LOUD_RMS:
            self._played = played
            self._compare(at, level / played)
        return self.share * played

    def _compare(self, at: float, share: float) -> None:
        block = int(at / BLOCK_SECONDS)
        if block != self._block:
            if self._block is not None:  # a line of digital silence tells, too
                self._learn(self._loudest)
            self._block, self._loudest = block, 0.0
        if share > self._loudest:  # noqa: PLR1730  # twice as fast as max()
            self._loudest = share

    def _learn(self, share: float) -> None:
        """Take the highest share of a block."""
        shares = self._shares
        shares.append(share)
        if len(shares) > MOST_BLOCKS:
            del shares[0]
        in_order = sorted(shares)
        self._echo = self._alike(in_order) or self._kept()
        before, self.share = self.share, max(self._most(in_order), MARGIN * self._echo)
        self.found = self.share > LEAST_SHARE >= before
        self._blocks += 1
        self._echoing += self.share > LEAST_SHARE

    def hides(self, level: float) -> bool:
        """Return whether words of a level would be taken for echo, were the agent to speak."""
        return level <= self.share * self._played

    def heard(self, noise: float) -> float | None:
        """Return how loud the echo is, as a share of the agent's level; None where there is none.

        Args:
            noise: Level of the caller's line where nobody speaks, 16-bit RMS.
        """
        if self.share <= LEAST_SHARE or 2 * self._echoing < self._blocks:
            return None
        return self._echo if self._echo * self._played > CLEAR_OF_NOISE * noise else None

    def _most(self, in_order: list[float]) -> float:
        """Return the share that an echo may have which is not alike from block to block."""
        if len(in_order) < FEWEST_KNOWN:
            return LEAST_SHARE
        usual = in_order[len(in_order) // 2]
        return min(LEAST_SHARE, max(NO_SHARE, OVER_THE_USUAL * usual))

    def _kept(self) -> float:
        """Return the share that was known: a caller who speaks through an echo hides none of it."""
        as_loud = sum(share * ALIKE >= self._echo for share in self._shares)
        return self._echo if as_loud >= ALIKE_SHARE * len(self._shares) else 0.0

    def _alike(self, in_order: list[float]) -> float:
        """Return the share of the blocks that are alike; 0 where too few are."""
        first, most, found = 0, 0, 0.0
        for number, share in enumerate(in_order):
            while in_order[first] * ALIKE < share:
                first += 1
            if number - first >= most:
                most, found = number - first + 1, share
        faint = sum(share * FAINT < found for share in in_order)
        enough = most >= max(FEWEST_ALIKE, ALIKE_SHARE * len(in_order))
        always = faint <= MOST_FAINT * len(in_order)
        return found if enough and always and found <= MOST_SHARE else 0.0
