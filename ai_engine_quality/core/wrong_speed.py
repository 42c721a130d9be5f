"""Is the agent played too fast or too slowly? By its pace and by its voice. Pure.

The pace is how many characters of text it says in a second. What the voice itself tells are its
pitch, where its first formant lies, and how quickly its level changes: a wrong sample rate moves
all of them by its own factor, a lively talker only the pace.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from ai_engine_quality.core.heard_track import HeardTrack, heard_track
from ai_engine_quality.core.policy import Policy
from ai_engine_quality.core.summary import CallSummary


class WrongSpeed(NamedTuple):
    """A wrong speed: by which rule, and how to say it."""

    rule: str
    ceiling: int
    words: str


_NOT = -math.inf
"""Octaves by which a voice seems fast, or slow, that can't be so."""


class _Voice(NamedTuple):
    """How fast, and how slow, a voice seems by itself: octaves, about 0 for most voices."""

    fast: float
    slow: float


def wrong_speed(
    summary: CallSummary, track: HeardTrack | None, policy: Policy
) -> WrongSpeed | None:
    """Return at which wrong speed the agent was heard: by its text, or by its voice alone."""
    rule, rules = policy.sound, policy.ceilings
    told = _told_pace(summary, policy, rule.pace_seconds)
    if told is not None and rules.wrong_speed is not None:
        words = _by_its_text(summary, told, track, policy)
        return None if words is None else WrongSpeed("wrong_speed", rules.wrong_speed, words)
    voice = _voice(track, policy)
    if voice is None or track is None or rules.seems_wrong_speed is None:
        return None
    high = (track.sound.pitch or 0.0) > rule.seems_slow_pitch
    slow = voice.slow >= rule.seems_slow and not high
    if not slow and voice.fast < rule.seems_fast:
        return None
    which = "slow" if slow else "quick"
    words = f"speech that seems far too {which}: its pitch, spectrum and rhythm"
    return WrongSpeed("seems_wrong_speed", rules.seems_wrong_speed, words)


# The pace.


def pace(summary: CallSummary) -> float | None:
    """Return the characters of the agent's words for each second of its voice; None: unknown."""
    seconds_heard = _voice_seconds(summary)
    if not summary.agent_characters or not seconds_heard:
        return None
    return summary.agent_characters / seconds_heard


def _voice_seconds(summary: CallSummary) -> float:
    """Return the seconds in which the agent was heard, its short pauses included; no holes."""
    heard = summary.heard
    if heard is None or heard.agent_voice is None:
        return 0.0
    return max(0.0, heard.agent_voice - (heard.hole_seconds or 0.0))


def _told_pace(summary: CallSummary, policy: Policy, seconds: float) -> float | None:
    """Return the pace of a call with so much voice, unless most of its text was not told."""
    told = pace(summary)
    if told is None or told < policy.sound.text_missing or _voice_seconds(summary) < seconds:
        return None
    return told


def comparable_pace(summary: CallSummary, policy: Policy) -> float | None:
    """Return the pace of a call that can be compared with others of its voice; None: it can't.

    So much of the voice must have been heard that its words are an average, and all of the text.
    """
    if _text_was_cut(summary):
        return None
    return _told_pace(summary, policy, policy.sound.usual_seconds)


def is_unusual(summary: CallSummary, policy: Policy) -> bool:
    """Return whether a call's pace is another than its provider's, within the free zone."""
    told = comparable_pace(summary, policy)
    if told is None or not policy.sound.slow <= told <= policy.sound.fast:
        return False
    return _beside_the_usual(summary, told, seeming_speed(summary, policy), policy)


def _by_its_text(
    summary: CallSummary, told: float, track: HeardTrack | None, policy: Policy
) -> str | None:
    """Return how a pace is wrong, in words; None where it is not.

    First against what is usual for the provider, then against what nobody's voice does.
    """
    rule, usual = policy.sound, summary.usual_pace
    said = f"{told:.0f} characters a second"
    if usual and _beside_the_usual(summary, told, _rhythm(track, policy), policy):
        return f"agent at {_how_fast(told, usual)}: {said}, usual here {usual:.0f}"
    voice = _voice(track, policy)
    beyond = _beyond_all_voices(told, voice, policy)
    if beyond < 0 and _is_offset(track, policy):
        beyond = 0
    if beyond > 0 and _text_was_cut(summary):  # the voice must say it by itself
        beyond = int(voice is not None and voice.fast >= rule.seems_fast)
    if not beyond:
        return None
    return f"agent at {_how_fast(told, rule.usual)}: {said}"


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


def _beyond_all_voices(told: float, voice: _Voice | None, policy: Policy) -> int:
    """Return 1 where the pace is too quick for any voice, -1 too slow, 0 neither.

    A voice that seems too fast as well needs less of a pace for it, and one that seems slow more.
    """
    rule = policy.sound
    if voice is None:
        return (told > rule.fast) - (told < rule.slow)
    octaves = math.log2(told / rule.usual)
    if told >= rule.fast_from and voice.fast >= -rule.not_fast:
        return int(octaves + rule.fast_weight * voice.fast >= rule.fast_octaves)
    if told <= rule.slow_to and voice.slow >= rule.slow_least:
        return -int(-octaves + rule.slow_weight * voice.slow >= rule.slow_octaves)
    return 0


def _text_was_cut(summary: CallSummary) -> bool:
    """Return whether not all of the told text was heard: for want of time, or of audio."""
    heard = summary.heard
    if heard is None:
        return bool(summary.barge_ins)
    cut = heard.answers_cut or heard.lost or heard.thrown_away or heard.ended_in_answer
    return bool(cut or summary.barge_ins)


# The voice.


def seeming_speed(summary: CallSummary, policy: Policy) -> float | None:
    """Return how quick the agent seems by spectrum and rhythm, in octaves; None: unknown."""
    return _rhythm(heard_track(summary), policy)


def _rhythm(track: HeardTrack | None, policy: Policy) -> float | None:
    """Return how quick a voice seems by spectrum and rhythm; None where noise hides it."""
    return None if track is None or not _is_clear(track, policy) else track.sound.speed


def _voice(track: HeardTrack | None, policy: Policy) -> _Voice | None:
    """Return how fast a voice seems; None where noise hides it, and in earlier records."""
    rule, rhythm = policy.sound, _rhythm(track, policy)
    if track is None or rhythm is None:
        return None
    pitch, below, fall = track.sound.pitch, track.sound.below, track.sound.fall
    if not pitch or below is None or fall is None:
        return None
    if pitch <= rule.low_pitch and (track.thinness or 0.0) >= rule.clear_thin:
        return None
    octaves, less = math.log2(pitch / rule.pitch), rule.fall - fall
    fall_counts = rule.fast_fall + rule.fast_low_fall * _lowness(pitch, policy)
    fast = octaves + fall_counts * less + rule.fast_rhythm * rhythm
    fast -= rule.fast_below * max(below - rule.below, -rule.fast_below_most)
    slow = rule.slow_below * (below - rule.below) + rule.slow_fall * less
    slow -= octaves + rule.slow_rhythm * rhythm
    if rhythm < -rule.slow_rhythm_is_not_fast:
        fast = _NOT
    if rhythm > rule.quick_rhythm_is_not_slow:
        slow = _NOT
    return _Voice(fast, slow)


def _lowness(pitch: float, policy: Policy) -> float:
    """Return 1 for a low voice and 0 for a high one; what lies between, by octaves."""
    low, high = policy.sound.low_voice, policy.sound.high_voice
    if pitch <= low or pitch >= high:
        return float(pitch <= low)
    return math.log2(high / pitch) / math.log2(high / low)


def _is_clear(track: HeardTrack, policy: Policy) -> bool:
    """Return whether no noise, offset, click or clipping would deceive who hears a voice."""
    rule, sound = policy.sound, track.sound
    return (
        (sound.noise or 0.0) <= rule.clear_noise
        and (sound.band_noise or 0.0) <= max(rule.clear_noise, rule.band_noise)
        and (sound.flat or 0.0) <= rule.flat_tops
        and abs(track.levels.dc or 0.0) <= rule.clear_offset
        and (sound.edges or 0.0) <= rule.clear_clicks
        and (sound.clicks or 0.0) <= rule.clear_clicks
        and track.levels.active_share <= rule.clear_activity
        and sound.noisy_seconds < rule.least_noisy_seconds
        and track.is_lively(policy)
    )


def _is_offset(track: HeardTrack | None, policy: Policy) -> bool:
    """Return whether an agent's pauses sound as loud as an offset does, and so count as voice."""
    return track is not None and abs(track.levels.dc or 0.0) > policy.sound.clear_offset


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
