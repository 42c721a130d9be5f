"""The tables of docs/Scoring.md, from a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain

from ai_engine_quality import DEFAULT_POLICY, Band, Policy
from ai_engine_quality.toolkit import ANSWERED_IN_NOISE, Knees, Steps, percent, seconds, versions
from handbook.marks import table

In = Callable[[float], str]


def _count(value: float) -> str:
    return f"{value:g}"


def _decibels(value: float) -> str:
    return f"{value:g} dB"


_RAMPS: Mapping[str, tuple[str, In]] = {
    "latency": ("slowest 5 % of the turns", seconds),
    "underflow": ("effective ratio of fillers", percent),
    "fallback": ("number of fallbacks", _count),
    "barge_in": ("slowest 5 % of the reactions", seconds),
    "codec": ("share of failed checks", percent),
    "rms_level": ("outside the speech level", _decibels),
    "rms_spread": ("unsteadiness of the level", _decibels),
}
"""Each ramp's value in words, and how it is written."""


def parts(policy: Policy = DEFAULT_POLICY) -> dict[str, str]:
    """Return the page's generated parts, by their marks."""
    return {
        "version": _version(policy),
        "weights": _weights(policy),
        "ramps": _ramps(policy),
        "ceilings": _ceilings(policy),
        "bands": _bands(policy),
        "not-scored": _not_scored(policy),
        "constants": _constants(policy),
    }


def _version(policy: Policy) -> str:
    others = ", ".join(f"`{name}`" for name in versions() if name != policy.version)
    said = f"This page describes policy `{policy.version}`, the default."
    return f"{said} {others} can be chosen instead." if others else said


def _weights(policy: Policy) -> str:
    return table(
        ("factor", "at most"), [(f"`{name}`", f"-{w:g}") for name, w in policy.weights.items()]
    )


def _ramps(policy: Policy) -> str:
    rows = []
    for name, (what, write) in _RAMPS.items():
        knees: Knees = getattr(policy.knees, name)
        rows.append((f"`{name}`", what, ", ".join(f"{write(at)}: {cost:g}" for at, cost in knees)))
    return table(("ramp", "value", "points at each knee"), rows)


def _bands(policy: Policy) -> str:
    highest = 100
    rows = []
    for band in Band:
        rows.append((band.value, f"{policy.bands[band]} to {highest}"))
        highest = policy.bands[band] - 1
    return table(("band", "score"), rows)


_SOUND: tuple[tuple[str, str, In], ...] = (
    (
        "noise_level",
        "noise in the agent's speech, as a share of its level (of one band: half, or a quarter)",
        percent,
    ),
    ("noisy_seconds", "share of the agent's speech that lies in seconds of noise", percent),
    ("held_samples", "samples are held, each so many times (of 8,000 a second)", _count),
    ("edges", "share of the agent's frames to which there is a jump", percent),
    ("clicks", "share of the agent's loud frames with a click inside", percent),
    ("repeated", "share of the agent's frames that came in the ten before, too", percent),
    ("cut_speech", "effective share of silent frames that cut into words", percent),
    ("narrow", "power over 2.3 kHz is less than the whole by", _decibels),
    ("thin", "power at 125 to 375 Hz is less than the whole by", _decibels),
)
"""What the agent sounds like."""


def _wrong_speeds(policy: Policy) -> list[tuple[str, str, int]]:
    """Return the ceilings of speech at a wrong speed, where the policy has them."""
    rule, tops = policy.sound, policy.ceilings
    found = [
        (
            "wrong_speed",
            (
                f"the pace is {rule.fast_octaves:g} octaves over {rule.usual:g} characters for "
                f"each second of the agent's voice, with {rule.fast_weight:g} of those by which "
                f"it seems too fast, or {rule.slow_octaves:g} under it, with "
                f"{rule.slow_weight:g} of those by which it seems too slow; where the voice tells "
                f"nothing, under {rule.slow:g} or over {rule.fast:g}"
                f"{_beside_the_usual(rule.usual_octaves, rule.usual_weight, rule.usual_alone)}"
            ),
        ),
        (
            "seems_wrong_speed",
            (
                f"no text was told, and the voice seems {rule.seems_slow:g} octaves too slow or "
                f"{rule.seems_fast:g} too fast"
            ),
        ),
    ]
    return [
        (name, when, at_most)
        for name, when in found
        if (at_most := getattr(tops, name)) is not None
    ]


def _beside_the_usual(octaves: float, weight: float, alone: float) -> str:
    """Return when a pace differs from what is usual, where the policy compares them."""
    if not octaves:
        return ""
    return (
        f"; or the pace is {octaves:g} octaves from what is usual for the provider, with "
        f"{weight:g} of the octaves by spectrum and rhythm, or {alone:g} where these say nothing"
    )


_LOST = "that was given and never played, but for what a barge-in threw away"


def _ceilings(policy: Policy) -> str:
    tops = policy.ceilings
    nearly = policy.speech_level.nearly_never
    stepped: list[tuple[str, str, Steps, In]] = [
        ("latency", "slowest 5 % of the turns", tops.latency, seconds),
        ("underflow", "effective ratio", tops.underflow, percent),
        ("fallback", "number of fallbacks", tops.fallback, _count),
        ("barge_in", "slowest 5 % of the reactions", tops.barge_in, seconds),
        ("unanswered", "longest wait without a reply", tops.unanswered, seconds),
        (
            "clipping",
            "share of the agent's samples at full scale, or with which flat tops under it begin",
            tops.clipping,
            percent,
        ),
        ("lost_audio", f"share of the agent's audio {_LOST}", tops.lost_audio, percent),
        (
            "packet_loss",
            (
                f"share of {policy.underflow.least_packets} packets or more that never reached the "
                "caller's phone, as it reports"
            ),
            tops.packet_loss,
            percent,
        ),
        ("late_greeting", "time until the agent was first heard", tops.late_greeting, seconds),
        *((rule, words, getattr(tops, rule), write) for rule, words, write in _SOUND),
    ]
    single = [
        ("rms_full_penalty", "the level costs all of its points", tops.rms_full_penalty),
        ("latency_unobserved", "no turn was measured", tops.latency_unobserved),
        ("underflow_unobserved", "nobody counted frames", tops.underflow_unobserved),
        (
            "caller_ignored",
            _ignored(policy),
            tops.caller_ignored,
        ),
        (
            "noise",
            (
                f"the agent is noise: median flatness {policy.noise.flatness:g} or more, and level "
                f"{policy.noise.rms:g} or more"
            ),
            tops.noise,
        ),
        ("call_failed", "the engine reports that the call failed", tops.call_failed),
        (
            "never_heard",
            (
                f"in {policy.never_heard.call_seconds:g} s or more no agent frame was played, or "
                f"under {percent(nearly)} of those measured were speech; no turn, no fallback, no "
                "file"
            ),
            tops.never_heard,
        ),
        *_failed_callers(policy),
        *_wrong_speeds(policy),
    ]
    rows = chain(
        (
            (f"`{rule}`", f"{text}, from", ", ".join(f"{write(at)}: {top}" for at, top in steps))
            for rule, text, steps, write in stepped
            if steps
        ),
        ((f"`{rule}`", text, highest) for rule, text, highest in single),
    )
    return table(("rule", "applies when", "highest score"), rows)


def _ignored(policy: Policy) -> str:
    rule = policy.caller_ignored
    words = f"the caller spoke for {rule.speech_seconds:g} s or more, and no turn was measured"
    if not rule.at_any_length:
        return f"{words}, in a call of {rule.call_seconds:g} s or more"
    return (
        f"{words}. Not where noise hides the caller, and the agent was heard to speak "
        f"{ANSWERED_IN_NOISE} times or more. Nor in a call of under {rule.call_seconds:g} s in "
        "which the caller is known to have hardly waited"
    )


def _failed_callers(policy: Policy) -> list[tuple[str, str, int]]:
    """Return the ceilings of calls that failed their caller, where the policy has them."""
    rule, tops = policy.conversation, policy.ceilings
    found = [
        ("provider_lost", "the provider was lost in mid-call and never came back"),
        (
            "caller_unheard",
            (
                f"the agent spoke, the call lasted {rule.unheard_seconds:g} s or more, and of the "
                "caller's track nothing was over digital silence"
            ),
        ),
        (
            "cut_answers",
            (
                f"{rule.cut_answers} answers or more were cut off, and {percent(rule.cut_share)} "
                f"or more of at least {rule.cut_of_answers}"
            ),
        ),
        (
            "untimed_barge_ins",
            (
                f"{rule.untimed_barge_ins} barge-ins or more, over {rule.untimed_per_turn:g} for "
                "each turn, and none of them timed"
            ),
        ),
        (
            "talk_over",
            (
                f"caller and agent spoke at once for 2 s or more, and nothing stopped, at least "
                f"{rule.talk_overs} times"
            ),
        ),
    ]
    return [
        (name, when, at_most)
        for name, when in found
        if (at_most := getattr(tops, name)) is not None
    ]


def _not_scored(policy: Policy) -> str:
    rule = policy.not_scored
    rows = [
        *(
            (name, f"the engine calls the end {_listed(outcomes)}; and it did not fail")
            for name, outcomes in (("expired", rule.expired), ("voicemail", rule.voicemail))
            if outcomes
        ),
        ("abandoned", f"nothing was observed, and it lasted under {rule.abandoned_seconds:g} s"),
        (
            "no_conversation",
            (
                f"no turn was measured or unanswered, and it lasted under "
                f"{rule.no_conversation_seconds:g} s"
            ),
        ),
        (
            "too_little_evidence",
            f"what was observed carries less than {rule.min_weight:g} of the 100 points",
        ),
    ]
    return table(("reason", "when"), [(f"`{reason}`", when) for reason, when in rows])


def _listed(outcomes: tuple[str, ...]) -> str:
    return " or ".join(f"`{outcome}`" for outcome in outcomes)


def _constants(policy: Policy) -> str:
    level, fillers = policy.speech_level, policy.underflow
    rows = [
        ("percentile that is scored", f"{policy.percentile:g}"),
        ("speech level that costs nothing, 16-bit RMS", f"{level.low:g} to {level.high:g}"),
        ("measured frames below which a level isn't scored", level.min_frames),
        ("weight of an episode of fillers beside its frames", f"{fillers.episode_weight:g}"),
        ("frames below which a ratio is taken of as many", fillers.min_frames),
        ("agent's share of a call whose frames nobody counted", percent(fillers.assumed_share)),
        ("such a share in seconds", f"{fillers.assumed_min:g} to {fillers.assumed_max:g}"),
    ]
    return table(("number", "value"), rows)
