"""The highest score that a call can have by what its agent sounds like, from policy v3 on. Pure.

Each rule says its fault in the words of the explanation: what is heard, how often, and since when.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ai_engine_quality.core.agent_sound import AgentSound
from ai_engine_quality.core.observations import (
    FRAME_SECONDS,
    PROVIDER_OUT,
    TRANSPORT_OUT,
)
from ai_engine_quality.core.policy import Policy
from ai_engine_quality.core.result import Ceiling
from ai_engine_quality.core.summary import CallSummary, StageLevels, most_checked
from ai_engine_quality.core.wording import clock, percent, plural

MOSTLY_NOISE = 0.5
"""Share of the speech in windows of noise beyond which holes in words are not judged."""

TELEPHONE_RATE = 8_000.0
"""Samples a second that callers can hear."""

UNKNOWN_TIMES = 2.0
"""Of a track whose record doesn't say how many of its samples were held."""

TEST_SIGNAL = 0.8
"""Share of frames that are the one before, over which a track is no speech: a tone, a test."""


@dataclass(frozen=True, slots=True)
class HeardTrack:
    """An agent's track whose samples were seen."""

    levels: StageLevels
    sound: AgentSound

    @property
    def speech(self) -> float:
        """Seconds of speech."""
        return self.levels.speech_seconds

    def share_of_frames(self, frames: float) -> float:
        """Return a number of frames as a share of those with speech."""
        return min(1.0, frames / self.levels.active) if self.levels.active else 0.0

    @property
    def is_test_signal(self) -> bool:
        """Whether nearly all of it is one frame again and again: no speech, and not judged."""
        return self.share_of_frames(self.sound.repeated) > TEST_SIGNAL

    @property
    def cut(self) -> float:
        """Effective share of silent frames that cut into speech, as of fillers.

        Half of such holes fall where the speech is quiet, and are not noticed; so they count twice.
        """
        frames, runs = 2 * self.sound.silent, 2 * self.sound.holes
        return self.share_of_frames((frames + 2 * runs) / 3)

    @property
    def noisy_share(self) -> float:
        """Share of the speech that lies in windows of noise."""
        return min(1.0, self.sound.noisy_seconds / self.speech) if self.speech else 0.0

    @property
    def times_held(self) -> float | None:
        """How many times the telephone's rate is that of the samples which were not held."""
        fresh = self.sound.fresh
        return TELEPHONE_RATE / fresh if fresh else None

    @property
    def thinness(self) -> float | None:
        """How many dB less power lies at 125 to 375 Hz than in all."""
        low = self.sound.low
        return None if low is None else -10 * math.log10(max(low, 1e-10))

    @property
    def dullness(self) -> float | None:
        """How many dB less power lies over 2,300 Hz than in all."""
        upper = self.sound.upper
        return None if upper is None else -10 * math.log10(max(upper, 1e-10))


def heard_track(summary: CallSummary) -> HeardTrack | None:
    """Return the agent's track of which most was checked, at the stage nearest to the caller."""
    if not summary.audio:
        return None
    for place in (TRANSPORT_OUT, PROVIDER_OUT):
        stage = most_checked(summary.audio, place)
        levels = summary.audio[stage] if stage else None
        if levels is not None and levels.sound is not None and levels.sound.noise is not None:
            best = HeardTrack(levels, levels.sound)
            return None if best.is_test_signal else best
    return None


class Fault(NamedTuple):
    """A fault of the agent's sound: what it is called, and how to say it."""

    kind: str
    """The policy's rule."""
    ceiling: int
    words: str
    factor: str
    """The factor it belongs to."""


def sound_ceilings(summary: CallSummary, policy: Policy) -> Iterator[Ceiling]:
    """Yield the ceilings of what the agent sounds like."""
    for fault in faults(summary, policy):
        yield Ceiling(fault.kind, fault.ceiling, fault.words, fault.factor)


def faults(summary: CallSummary, policy: Policy) -> Iterator[Fault]:
    """Yield the faults of the agent's sound, where its samples or its pace were measured."""
    track = heard_track(summary)
    if track is not None:
        for rule in _RULES:
            value = rule.value(track, policy)
            reached = None if value is None else policy.ceiling(rule.kind, value)
            if reached:
                yield Fault(rule.kind, reached[1], rule.words(track), rule.factor)
    yield from _speed(summary, track, policy)


class _Rule(NamedTuple):
    """A rule with steps."""

    kind: str
    factor: str
    value: Callable[[HeardTrack, Policy], float | None]
    words: Callable[[HeardTrack], str]


def _lively(track: HeardTrack, policy: Policy) -> bool:
    """Return whether levels change as those of speech do: a tone has no pace and no width."""
    return (track.sound.lively or 0.0) >= policy.sound.lively


def _noise_level(track: HeardTrack, policy: Policy) -> float | None:
    rule, sound = policy.sound, track.sound
    steady = (sound.wavers or 0.0) <= rule.steady
    return sound.noise if steady or (sound.noise or 0.0) >= rule.loud_noise else None


def _noise_words(track: HeardTrack) -> str:
    below = -20 * math.log10(max(track.sound.noise or 0.0, 1e-6))
    return f"noise in the agent's speech, {below:.0f} dB below it"


def _noisy_seconds(track: HeardTrack, policy: Policy) -> float | None:
    enough = track.sound.noisy_seconds >= policy.sound.least_noisy_seconds
    return track.noisy_share if enough else None


def _noisy_words(track: HeardTrack) -> str:
    sound = track.sound
    began = "" if sound.noisy_from is None else f", first at {clock(sound.noisy_from)}"
    return (
        f"noise in {sound.noisy_seconds:.0f} of {track.speech:.0f} s of the agent's speech{began}"
    )


def _times_held(track: HeardTrack, policy: Policy) -> float | None:
    """Return how many times samples are held, where they are held throughout."""
    if (track.sound.held or 0.0) < policy.sound.held_share:
        return None
    return track.times_held or UNKNOWN_TIMES


def _held_words(track: HeardTrack) -> str:
    words = f"samples held in {percent(track.sound.held or 0)} of the agent's frames"
    fresh = track.sound.fresh
    return words if fresh is None else f"{words}, {fresh:,.0f} new ones a second"


def _edges_words(track: HeardTrack) -> str:
    share = track.sound.edges or 0.0
    return f"clicks where frames meet, each {FRAME_SECONDS / max(share, 0.02) * 1000:.0f} ms"


def _repeated_words(track: HeardTrack) -> str:
    share = track.share_of_frames(track.sound.repeated)
    return f"{_one_in(share)} frames repeated"


def _cut(track: HeardTrack, _: Policy) -> float | None:
    """Return the share of silence within words; where most is noise, no words end or begin."""
    return None if track.noisy_share > MOSTLY_NOISE else track.cut


def _cut_words(track: HeardTrack) -> str:
    holes = plural(track.sound.holes, "hole")
    return f"{holes} of digital silence that cut into the agent's words"


_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight"}


def _one_in(share: float) -> str:
    n = round(1 / share) if share else 0
    return f"one in {_NUMBERS.get(n, n)}" if 1 < n <= 50 else percent(share) + " of all"


_RULES = (
    _Rule("noise_level", "codec", _noise_level, _noise_words),
    _Rule("noisy_seconds", "codec", _noisy_seconds, _noisy_words),
    _Rule("held_samples", "codec", _times_held, _held_words),
    _Rule("edges", "codec", lambda track, _: track.sound.edges, _edges_words),
    _Rule(
        "clicks",
        "codec",
        lambda track, _: track.sound.clicks,
        lambda track: f"clicks in {percent(track.sound.clicks or 0)} of the agent's frames",
    ),
    _Rule(
        "repeated",
        "underflow",
        lambda track, _: track.share_of_frames(track.sound.repeated),
        _repeated_words,
    ),
    _Rule("cut_speech", "underflow", _cut, _cut_words),
    _Rule(
        "narrow",
        "codec",
        lambda track, policy: track.dullness if _lively(track, policy) else None,
        lambda track: (
            f"nothing over 2.3 kHz in the agent's speech ({-(track.dullness or 0):.0f} dB)"
        ),
    ),
    _Rule(
        "thin",
        "codec",
        lambda track, policy: track.thinness if _lively(track, policy) else None,
        lambda track: (
            f"a thin voice: little under 375 Hz in the agent's speech "
            f"({-(track.thinness or 0):.0f} dB)"
        ),
    ),
)

SOUND_RULES = (*(rule.kind for rule in _RULES), "wrong_speed", "seems_wrong_speed")
"""The policy's rules for what an agent sounds like."""


def corrupt_seconds(summary: CallSummary, rules: Iterable[str]) -> Mapping[str, float]:
    """Return how many seconds of the agent's audio have each fault that holds a call.

    Args:
        summary: The call.
        rules: The rules of the ceilings that apply to it; others than the sound's are passed over.
    """
    track = heard_track(summary)
    if track is None:
        return {}
    parts = {
        "noisy_seconds": track.sound.noisy_seconds,
        "repeated": track.sound.repeated * FRAME_SECONDS,
        "cut_speech": track.sound.silent * FRAME_SECONDS,
    }
    return {rule: parts.get(rule, track.speech) for rule in rules if rule in SOUND_RULES}


def pace(summary: CallSummary) -> float | None:
    """Return the characters of the agent's words for each second of its voice; None: unknown."""
    seconds_heard = _voice(summary)
    if not summary.agent_characters or not seconds_heard:
        return None
    return summary.agent_characters / seconds_heard


def _voice(summary: CallSummary) -> float | None:
    """Return the seconds in which the agent was heard, its short pauses included; no holes."""
    heard = summary.heard
    if heard is None or heard.agent_voice is None:
        return None
    return max(0.0, heard.agent_voice - (heard.hole_seconds or 0.0))


def comparable_pace(summary: CallSummary, policy: Policy) -> float | None:
    """Return the pace of a call that can be compared with others of its voice; None: it can't.

    So much of the voice must have been heard that its words are an average, and all of the text.
    """
    rule, told = policy.sound, pace(summary)
    if told is None or told < rule.text_missing or _text_was_cut(summary):
        return None
    return told if (_voice(summary) or 0.0) >= rule.usual_seconds else None


def seeming_speed(summary: CallSummary, policy: Policy) -> float | None:
    """Return how quick the agent seems by spectrum and rhythm, in octaves; None: unknown."""
    track = heard_track(summary)
    return None if track is None else _seeming_speed(track, policy)


def is_unusual(summary: CallSummary, policy: Policy) -> bool:
    """Return whether a call's pace is another than its provider's, within the free zone."""
    told = comparable_pace(summary, policy)
    if told is None or not policy.sound.slow <= told <= policy.sound.fast:
        return False
    return _beside_the_usual(summary, told, seeming_speed(summary, policy), policy)


def _speed(summary: CallSummary, track: HeardTrack | None, policy: Policy) -> Iterator[Fault]:
    """Yield a wrong speed: by the text, with the spectrum as a second witness, or by it alone."""
    rule, rules = policy.sound, policy.ceilings
    told, voice = pace(summary), _voice(summary) or 0.0
    seems = None if track is None else _seeming_speed(track, policy)
    known = told is not None and voice >= rule.pace_seconds and told >= rule.text_missing
    if known and told is not None and rules.wrong_speed is not None:
        words = _wrong_pace(summary, told, seems, policy)
        if words:
            yield Fault("wrong_speed", rules.wrong_speed, words, "codec")
        return
    if seems is None or rules.seems_wrong_speed is None:
        return
    if seems <= -rule.seems_slow or seems >= rule.seems_fast:
        which = "slow" if seems < 0 else "quick"
        words = f"speech that seems far too {which}: its spectrum and rhythm"
        yield Fault("seems_wrong_speed", rules.seems_wrong_speed, words, "codec")


def _wrong_pace(
    summary: CallSummary, told: float, seems: float | None, policy: Policy
) -> str | None:
    """Return how a pace is wrong, in words; None where it is not.

    First against what is usual for the provider, then against what nobody's voice does.
    """
    said, usual = f"{told:.0f} characters a second", summary.usual_pace
    if usual and _beside_the_usual(summary, told, seems, policy):
        return f"agent at {_how_fast(told, usual)}: {said}, usual here {usual:.0f}"
    beyond = _beyond_all_voices(told, seems, policy)
    if not beyond or (beyond > 0 and _text_was_cut(summary)):
        return None
    return f"agent at {_how_fast(told, policy.sound.usual)}: {said}"


def _beside_the_usual(
    summary: CallSummary, told: float, seems: float | None, policy: Policy
) -> bool:
    """Return whether the pace is too quick or too slow for the provider's voice.

    A wrong rate moves the voice's spectrum along with its pace. Another voice, a livelier answer
    and a text that was told in part do not, or less: so both witnesses decide together.
    """
    rule, usual = policy.sound, summary.usual_pace
    if not rule.usual_octaves or not usual or comparable_pace(summary, policy) is None:
        return False
    moved = math.log2(told / usual)
    if seems is None or summary.usual_speed is None:
        return abs(moved) >= rule.usual_alone
    way = 1 if moved > 0 else -1
    both = way * (moved + rule.usual_weight * (seems - summary.usual_speed))
    return abs(moved) >= rule.usual_least and both >= rule.usual_octaves


def _beyond_all_voices(told: float, seems: float | None, policy: Policy) -> int:
    """Return 1 where the pace is too quick for any voice, -1 too slow, 0 neither."""
    rule = policy.sound
    if told < rule.slow and (seems is None or seems < rule.not_slow):
        return -1
    if told > rule.fast and (seems is None or seems > -rule.not_fast):
        return 1
    return 0


def _text_was_cut(summary: CallSummary) -> bool:
    """Return whether not all of the told text was heard: interruptions, and audio that was lost."""
    heard = summary.heard
    cut = heard is not None and bool(heard.answers_cut or heard.lost or heard.thrown_away)
    return cut or bool(summary.barge_ins)


def _seeming_speed(track: HeardTrack, policy: Policy) -> float | None:
    """Return how quick the speech seems in octaves; None where noise or clicks would deceive."""
    rule, sound = policy.sound, track.sound
    offset = abs(track.levels.dc or 0.0)
    clear = (
        (sound.noise or 0.0) <= rule.clear_noise
        and offset <= rule.clear_offset
        and (sound.edges or 0.0) <= rule.clear_clicks
        and (sound.clicks or 0.0) <= rule.clear_clicks
        and track.levels.active_share <= rule.clear_activity
        and sound.noisy_seconds < rule.least_noisy_seconds
        and _lively(track, policy)
    )
    return sound.speed if clear else None


def _how_fast(told: float, usual: float) -> str:
    ratio = told / usual
    for name, value in _SPEEDS.items():
        if abs(math.log2(ratio / value)) < 0.2:
            return name
    return f"{ratio:.1f} times the usual speed"


_SPEEDS: Mapping[str, float] = {
    "a third of its speed": 1 / 3,
    "half speed": 0.5,
    "two thirds of its speed": 2 / 3,
    "one and a half times its speed": 1.5,
    "double speed": 2.0,
    "three times its speed": 3.0,
}
