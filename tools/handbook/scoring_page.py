"""The tables of docs/Scoring.md, from a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain

from ai_engine_quality import DEFAULT_POLICY, Band, Policy
from ai_engine_quality.toolkit import Knees, Steps, percent, seconds, versions
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


def _ceilings(policy: Policy) -> str:
    tops = policy.ceilings
    nearly, ignored = policy.speech_level.nearly_never, policy.caller_ignored
    stepped: list[tuple[str, str, Steps, In]] = [
        ("latency", "slowest 5 % of the turns: {} or more", tops.latency, seconds),
        ("underflow", "effective ratio: {} or more", tops.underflow, percent),
        ("fallback", "{} fallbacks or more", tops.fallback, _count),
        ("barge_in", "slowest 5 % of the reactions: {} or more", tops.barge_in, seconds),
        ("unanswered", "a turn without a reply for {} or more", tops.unanswered, seconds),
    ]
    single = [
        ("rms_full_penalty", "the level costs all of its points", tops.rms_full_penalty),
        ("latency_unobserved", "no turn was measured", tops.latency_unobserved),
        ("underflow_unobserved", "nobody counted frames", tops.underflow_unobserved),
        (
            "caller_ignored",
            (
                f"the caller spoke for {ignored.speech_seconds:g} s in a call of "
                f"{ignored.call_seconds:g} s or more, and no turn was measured"
            ),
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
                f"under {percent(nearly)} of those measured were speech; no turn, no fallback"
            ),
            tops.never_heard,
        ),
    ]
    rows = chain(
        (
            (f"`{rule}`", text.format(write(at)), highest)
            for rule, text, steps, write in stepped
            for at, highest in steps
        ),
        ((f"`{rule}`", text, highest) for rule, text, highest in single),
    )
    return table(("rule", "applies when", "highest score"), rows)


def _not_scored(policy: Policy) -> str:
    rule = policy.not_scored
    rows = [
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
