"""The highest score that a call can have by what its agent sounds like, from policy v3 on. Pure.

Each rule says its fault in the words of the explanation: what is heard, how often, and since when.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from ai_engine_quality.core.agent_sound import BAND_EDGES_HZ
from ai_engine_quality.core.heard_track import HeardTrack, heard_track
from ai_engine_quality.core.observations import FRAME_SECONDS
from ai_engine_quality.core.policy import Policy
from ai_engine_quality.core.result import Ceiling
from ai_engine_quality.core.summary import CallSummary
from ai_engine_quality.core.wording import clock, percent, plural
from ai_engine_quality.core.wrong_speed import wrong_speed

MOSTLY_NOISE = 0.5
"""Share of the speech in windows of noise beyond which holes in words are not judged."""

UNKNOWN_TIMES = 2.0
"""Of a track whose record doesn't say how many of its samples were held."""


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
                yield Fault(rule.kind, reached[1], rule.words(track, policy), rule.factor)
        flat = _flat_tops(track, policy)
        reached = None if flat is None else policy.ceiling("clipping", flat)
        if reached:
            yield Fault("clipping", reached[1], _flat_words(flat or 0.0), "rms")
    wrong = wrong_speed(summary, track, policy)
    if wrong is not None:
        yield Fault(wrong.rule, wrong.ceiling, wrong.words, "codec")


class _Rule(NamedTuple):
    """A rule with steps."""

    kind: str
    factor: str
    value: Callable[[HeardTrack, Policy], float | None]
    words: Callable[[HeardTrack, Policy], str]


def _noise_level(track: HeardTrack, policy: Policy) -> float | None:
    """Return the noise in the speech's valleys, or that of one band, which is heard as less."""
    whole, band = _whole_noise(track, policy), _band_noise(track, policy)
    return band if band > (whole or 0.0) else whole


def _whole_noise(track: HeardTrack, policy: Policy) -> float | None:
    rule, sound = policy.sound, track.sound
    steady = (sound.wavers or 0.0) <= rule.steady
    return sound.noise if steady or (sound.noise or 0.0) >= rule.loud_noise else None


def _band_noise(track: HeardTrack, policy: Policy) -> float:
    """Return what one band's noise counts; of a thin voice, what was taken away is missing."""
    rule, noise = policy.sound, track.sound.band_noise or 0.0
    if noise < rule.band_noise or _is_thin(track, policy):
        return 0.0
    lowest = track.sound.band == BAND_EDGES_HZ[0]
    return (rule.low_band_weight if lowest else rule.band_weight) * noise


def _noise_words(track: HeardTrack, policy: Policy) -> str:
    sound = track.sound
    if sound.band and _band_noise(track, policy) > (_whole_noise(track, policy) or 0.0):
        ends = next(edge for edge in BAND_EDGES_HZ if edge > sound.band)
        where = f"at {sound.band:,.0f} to {ends:,.0f} Hz in"
        return f"noise {where} the agent's speech, {_below(sound.band_noise)} below it"
    return f"noise in the agent's speech, {_below(sound.noise)} below it"


def _below(share: float | None) -> str:
    return f"{-20 * math.log10(max(share or 0.0, 1e-6)):.0f} dB"


def _flat_tops(track: HeardTrack, policy: Policy) -> float | None:
    """Return the share of samples with which flat tops begin, where it is a clipped voice's."""
    flat = track.sound.flat or 0.0
    return flat if flat >= policy.sound.flat_tops and track.is_lively(policy) else None


def _flat_words(flat: float) -> str:
    return f"speech clipped, then made quieter: flat tops at {percent(flat)} of the samples"


def _noisy_seconds(track: HeardTrack, policy: Policy) -> float | None:
    """Return the share of seconds of noise; a thin voice is as flat without any.

    Noise of any kind has more power under 375 Hz, and what fills the valleys has a rule of its own.
    """
    enough = track.sound.noisy_seconds >= policy.sound.least_noisy_seconds
    return track.noisy_share if enough and not _is_thin(track, policy) else None


def _thinness(track: HeardTrack, policy: Policy) -> float | None:
    return track.thinness if track.is_lively(policy) else None


def _is_thin(track: HeardTrack, policy: Policy) -> bool:
    thinness = _thinness(track, policy)
    return thinness is not None and policy.ceiling("thin", thinness) is not None


def _noisy_words(track: HeardTrack, _: Policy) -> str:
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


def _held_words(track: HeardTrack, _: Policy) -> str:
    words = f"samples held in {percent(track.sound.held or 0)} of the agent's frames"
    fresh = track.sound.fresh
    return words if fresh is None else f"{words}, {fresh:,.0f} new ones a second"


def _edges_words(track: HeardTrack, _: Policy) -> str:
    share = track.sound.edges or 0.0
    frame = min(FRAME_SECONDS, track.frame_seconds)
    return f"clicks where frames meet, each {frame / max(share, 0.02) * 1000:.0f} ms"


def _repeated_words(track: HeardTrack, _: Policy) -> str:
    share = track.share_of_frames(track.sound.repeated)
    return f"{_one_in(share)} frames repeated"


def _cut(track: HeardTrack, _: Policy) -> float | None:
    """Return the share of silence within words; where most is noise, no words end or begin."""
    return None if track.noisy_share > MOSTLY_NOISE else track.cut


def _cut_words(track: HeardTrack, _: Policy) -> str:
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
        lambda track, _: f"clicks in {percent(track.sound.clicks or 0)} of the agent's frames",
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
        lambda track, policy: track.dullness if track.is_lively(policy) else None,
        lambda track, _: (
            f"nothing over 2.3 kHz in the agent's speech ({-(track.dullness or 0):.0f} dB)"
        ),
    ),
    _Rule(
        "thin",
        "codec",
        _thinness,
        lambda track, _: (
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
