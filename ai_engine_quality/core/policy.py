"""The scoring policy: every number that turns a call into points, as versioned data.

Policies are TOML files in ``policies/``; ``Policy.load`` reads one by its version, so that an
old score can be made again. Nothing here knows how a call is scored.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from enum import StrEnum
from functools import partial
from importlib import resources
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Self, TypeVar

from ai_engine_quality.core import reading
from ai_engine_quality.core.arithmetic import Knees, Steps, ramp, step

MAX_NUMBER = 1e9
"""No number of a policy is larger: what exceeds it is a slip of the pen."""


class PolicyError(ValueError):
    """A policy that can't be used; the message names the key and the fix."""


class Band(StrEnum):
    """A score's band, best first."""

    EXCELLENT = "excellent"
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


_BEST_FIRST = tuple(Band)

FACTORS = ("latency", "underflow", "fallback", "barge_in", "codec", "rms")
"""Every factor that some policy knows, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class RampKnees:
    """Where each factor's points begin and end."""

    latency: Knees
    underflow: Knees
    fallback: Knees
    barge_in: Knees
    codec: Knees
    rms_level: Knees
    rms_spread: Knees


@dataclass(frozen=True, slots=True)
class SpeechLevel:
    """Where the level of active speech is right, in 16-bit RMS."""

    low: float
    high: float
    min_frames: int
    nearly_never: float


@dataclass(frozen=True, slots=True)
class Underflow:
    """How fillers become an effective ratio."""

    episode_weight: float
    min_frames: int
    assumed_share: float
    assumed_min: float
    assumed_max: float
    least_packets: int = 250
    """Sent to the caller's phone, from which on a share of lost ones says something."""


@dataclass(frozen=True, slots=True)
class Noise:
    """When the agent's audio is noise: median spectral flatness, and energy-mean RMS."""

    flatness: float
    rms: float
    overrules_checks: bool = False
    """Whether clean speech at the caller's ear overrules failed checks of formats (from v3 on)."""


@dataclass(frozen=True, slots=True)
class CeilingRules:
    """The highest score that a call can have, by the rule that applies to it."""

    latency: Steps
    underflow: Steps
    fallback: Steps
    barge_in: Steps
    unanswered: Steps
    rms_full_penalty: int
    latency_unobserved: int
    underflow_unobserved: int
    caller_ignored: int
    noise: int
    call_failed: int
    never_heard: int
    clipping: Steps = ()
    """By the share of the agent's samples at full scale; policies before v2 have none."""
    # Calls that failed their caller; policies before v3 have none of these.
    provider_lost: int | None = None
    caller_unheard: int | None = None
    cut_answers: int | None = None
    untimed_barge_ins: int | None = None
    talk_over: int | None = None
    lost_audio: Steps = ()
    """By the share of the agent's audio that was given and never played."""
    packet_loss: Steps = ()
    """By the share of the packets that never reached the caller's phone."""
    late_greeting: Steps = ()
    """By the seconds until the agent was first heard."""
    # What the agent sounds like; policies before v3 have none of these.
    noise_level: Steps = ()
    """By the level of the noise in the valleys of the speech's spectrum, as a share of its own."""
    noisy_seconds: Steps = ()
    """By the share of the agent's speech that lies in seconds of noise."""
    held_samples: Steps = ()
    """By how many times the telephone's rate is that of the samples which were not held."""
    edges: Steps = ()
    """By the share of active frames to which there is a jump from the frame before."""
    clicks: Steps = ()
    """By the share of loud frames with a click inside."""
    repeated: Steps = ()
    """By the share of active frames that came among the ten before, too."""
    cut_speech: Steps = ()
    """By the effective share of silent frames that cut into speech."""
    narrow: Steps = ()
    """By how many dB less power lies over 2,300 Hz than in all."""
    thin: Steps = ()
    """By how many dB less power lies at 125 to 375 Hz than in all."""
    wrong_speed: int | None = None
    """By the characters of the agent's words for each second of its voice."""
    seems_wrong_speed: int | None = None
    """By the spectrum and the rhythm alone."""


@dataclass(frozen=True, slots=True)
class CallerIgnored:
    """The caller spoke this many seconds, in a call this long, and no turn was measured."""

    speech_seconds: float
    call_seconds: float
    at_any_length: bool = False
    """Whether a shorter call counts too, unless the caller is known to have hardly waited."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """When the caller or the agent could not get a word in."""

    unheard_seconds: float = 20.0
    """Least length of a call in which a silent track of the caller's tells something."""
    unheard_frames: int = 50
    """And the measured frames of that track."""
    cut_answers: int = 3
    cut_of_answers: int = 4
    cut_share: float = 0.5
    """So many answers were cut off; and this share (0 to 1) of them, of at least so many."""
    talk_overs: int = 2
    untimed_barge_ins: int = 10
    untimed_per_turn: float = 2.0
    """So many interruptions, more than this number for each turn, and none of them timed."""


@dataclass(frozen=True, slots=True)
class Sound:
    """From when on an agent's sound is judged, and its pace (from v3 on)."""

    steady: float = 3.2
    """Noise is steady: so much, as a ratio of powers, its level may differ between frames."""
    loud_noise: float = 0.045
    """Share of the speech's level from which noise is noise however it wavers."""
    band_noise: float = 1.0
    band_weight: float = 0.0
    low_band_weight: float = 0.0
    """Share of the speech's level from which noise in one band is noise, and as how much of that
    in the whole width it counts, the lowest band by itself; 1 and 0: not at all."""
    flat_tops: float = 1.0
    """Share of samples with which flat tops begin from which speech was clipped and then made
    quieter; 1: never."""
    lively: float = 0.04
    """How much levels change from frame to frame, as a power of ten, where it is speech."""
    least_noisy_seconds: float = 0.8
    held_share: float = 0.45
    """Share of frames from which held samples are a fault."""
    usual: float = 16.0
    """Characters a second of the agent's voice."""
    slow: float = 12.5
    fast: float = 22.0
    """Beyond them no voice talks, where it tells nothing of its speed by itself."""
    text_missing: float = 3.0
    """Fewer characters a second than this: not all of the text was told."""
    pace_seconds: float = 3.0
    """Voice from which on there is a pace."""
    pitch: float = 170.0
    below: float = 5.0
    fall: float = 10.0
    """What is usual of voices, as ``AgentSound`` has it: Hz, dB and dB."""
    fast_fall: float = 0.1
    fast_rhythm: float = 0.25
    fast_below: float = 0.0
    fast_below_most: float = 0.0
    """A voice seems too fast by the octaves of its pitch over the usual one, so many octaves for
    each dB that ``fall`` is less, this share of ``speed``, and so many for each dB that ``below``
    is less: of these at most so many dB, since a filter takes as many as it likes."""
    fast_low_fall: float = 0.0
    low_voice: float = 120.0
    high_voice: float = 240.0
    """So many octaves more for each dB that ``fall`` is less, where the pitch is up to
    ``low_voice`` Hz, and fewer up to ``high_voice``, where a voice's harmonics lie further apart
    than the bands are wide by which ``fall`` is measured."""
    slow_below: float = 0.15
    slow_fall: float = 0.1
    slow_rhythm: float = 0.5
    """And too slow by those under it, so many for each dB that ``below`` is more and ``fall``
    less, and this share of ``speed``."""
    fast_octaves: float = 0.57
    fast_weight: float = 0.4
    """A pace is too fast by so many octaves over the usual, with this share of what it seems."""
    not_fast: float = 0.2
    """And never where the voice seems so many octaves less than fast; nor is one too slow that does
    not seem so by ``slow_least``."""
    slow_rhythm_is_not_fast: float = 0.25
    quick_rhythm_is_not_slow: float = 0.55
    """However its spectrum seems, a voice is not too fast whose ``speed`` is so far under 0, and
    not too slow whose ``speed`` is over that: a rate moves both."""
    slow_octaves: float = 0.58
    slow_weight: float = 0.3
    slow_least: float = 0.3
    fast_from: float = 17.5
    """With fewer characters a second none is too fast, with more than ``slow_to`` none too slow."""
    slow_to: float = 15.0
    usual_octaves: float = 0.0
    """So many octaves beside the provider's usual pace, with a share of those by spectrum and
    rhythm, are a wrong speed; 0: what is usual doesn't count."""
    usual_weight: float = 0.5
    """That share."""
    usual_least: float = 0.32
    """Octaves that the pace itself must differ."""
    usual_alone: float = 0.43
    """And where spectrum and rhythm say nothing."""
    usual_seconds: float = 4.0
    """Voice from which on a pace is compared with the provider's."""
    seems_slow: float = 1.4
    """From so many octaves on a voice seems too slow, or too fast, without any text."""
    seems_fast: float = 1.3
    seems_slow_pitch: float = 160.0
    """No voice with a higher pitch, Hz, seems too slow."""
    clear_noise: float = 0.02
    """More noise, a larger offset, or more clicks or less silence, deceive who judges a voice."""
    clear_offset: float = 700.0
    clear_clicks: float = 0.1
    clear_activity: float = 0.95
    clear_thin: float = 16.0
    """dB that power at 125 to 375 Hz is under the whole: a high-pass filter has taken it, where the
    pitch is up to ``low_pitch`` Hz, and such a voice seems too fast."""
    low_pitch: float = 250.0


@dataclass(frozen=True, slots=True)
class NeverHeard:
    """A call shorter than this many seconds may end before the agent speaks."""

    call_seconds: float


@dataclass(frozen=True, slots=True)
class NotScored:
    """When there is too little to score: seconds of call, and points of observed weight."""

    abandoned_seconds: float
    no_conversation_seconds: float
    min_weight: float
    voicemail: tuple[str, ...] = ()
    """Outcomes by which engines say that a mailbox answered (from v3 on)."""
    expired: tuple[str, ...] = ()
    """Outcomes of calls whose end never came (from v3 on)."""


@dataclass(frozen=True, slots=True, repr=False)
class Policy:
    """Every number that a score depends on. Load one by version, or read one from a mapping."""

    version: str
    percentile: float
    weights: Mapping[str, float]
    knees: RampKnees
    speech_level: SpeechLevel
    underflow: Underflow
    noise: Noise
    ceilings: CeilingRules
    caller_ignored: CallerIgnored
    never_heard: NeverHeard
    not_scored: NotScored
    bands: Mapping[Band, int]
    conversation: Conversation = Conversation()
    sound: Sound = Sound()

    def __post_init__(self) -> None:
        # A policy's version says what it holds: nobody may change that below it.
        for name in ("weights", "bands"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __repr__(self) -> str:
        """Name the policy: its 200 numbers would bury the signatures and messages that it is in."""
        return f"<Policy {self.version}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it be pickled and copied, which read-only mappings can't be."""
        values = (getattr(self, f.name) for f in fields(self))
        return type(self), tuple(dict(v) if isinstance(v, Mapping) else v for v in values)

    @classmethod
    def load(cls, version: str) -> Policy:
        """Return a policy that ships with the package, such as ``v1``.

        Raises:
            PolicyError: there is no such version.
        """
        known = versions()
        if version not in known:
            raise PolicyError(f"there is no policy {version!r}; choose one of {', '.join(known)}")
        text = (resources.files("ai_engine_quality") / "policies" / f"{version}.toml").read_text()
        return cls.from_dict(tomllib.loads(text))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a whole policy from plain types, as TOML gives them.

        Raises:
            PolicyError: a key is missing, unknown or of a wrong type; knees are out of order;
                weights do not add up to 100.
        """
        with reading.reported_as(PolicyError):
            sections = reading.fields(
                "", data, _SECTIONS, optional=("conversation", "sound"), what="a policy"
            )
        policy = cls(**sections)
        _check(policy)
        return policy

    def with_changes(self, changes: Mapping[str, Any]) -> Policy:
        """Return a policy in which ``changes`` (a nested mapping) replace single values.

        Its version tells that it differs: ``custom-`` and a digest, unless ``changes`` name one.

        Raises:
            PolicyError: as ``from_dict``, or the version is one that ships.
        """
        if not isinstance(changes, Mapping):
            raise PolicyError(f"a policy's changes must be a table, not {changes!r}")
        data = _overlaid(self.to_dict(), changes)
        if "version" not in changes:
            policy = Policy.from_dict({**data, "version": "custom"})
            digest = hashlib.sha256(json.dumps(policy.to_dict(), sort_keys=True).encode())
            return replace(policy, version=f"custom-{digest.hexdigest()[:8]}")
        if data["version"] in versions():
            raise PolicyError(
                f"version: {data['version']!r} ships with the package and can't be changed; "
                "choose another name or leave it out"
            )
        return Policy.from_dict(data)

    def to_dict(self) -> dict[str, Any]:
        """Return plain types; ``from_dict`` gives an equal policy back."""
        out: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Mapping):
                out[f.name] = {str(key): item for key, item in value.items()}
            elif hasattr(value, "__dataclass_fields__"):
                section = {
                    g.name: _plain(getattr(value, g.name))
                    for g in fields(value)
                    if getattr(value, g.name) != g.default
                }
                if section:
                    out[f.name] = section
            else:
                out[f.name] = value
        return out

    @property
    def factors(self) -> tuple[str, ...]:
        """The factors that it scores: a later policy may know one more."""
        return tuple(self.weights)

    def milestones(self) -> list[float]:
        """Return the lengths of a call, in seconds, at which its score can change by itself."""
        return sorted(
            {
                self.not_scored.abandoned_seconds,
                self.not_scored.no_conversation_seconds,
                self.never_heard.call_seconds,
                self.caller_ignored.call_seconds,
                self.conversation.unheard_seconds,
            }
        )

    def points(self, knees: str, value: float) -> float:
        """Return what a value costs.

        Args:
            knees: The ramp's name in ``RampKnees``: ``latency``, ``rms_level``.
            value: In that ramp's unit.
        """
        return ramp(getattr(self.knees, knees), value)

    def ceiling(self, rule: str, value: float) -> tuple[float, int] | None:
        """Return the last (threshold, ceiling) that a value reaches; None where it reaches none.

        Args:
            rule: A rule of ``CeilingRules`` that has steps: ``latency``, ``clipping``.
            value: In that rule's unit.
        """
        return step(getattr(self.ceilings, rule), value)

    def band(self, score: int) -> Band:
        """Return the band that an integer score lies in."""
        return next(band for band in _BEST_FIRST if score >= self.bands[band])


def versions() -> list[str]:
    """Return the versions that ship with the package, oldest first."""
    folder = resources.files("ai_engine_quality") / "policies"
    names = [entry.name for entry in folder.iterdir() if entry.name.endswith(".toml")]
    return sorted((name.removesuffix(".toml") for name in names), key=lambda v: int(v[1:]))


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _overlaid(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in changes.items():
        if isinstance(base.get(key), dict):
            if not isinstance(value, Mapping):
                raise PolicyError(f"{key} must be a table with keys, not {value!r}")
            out[key] = {**base[key], **value}
        else:
            out[key] = value
    return out


# Readers: each takes a key and a plain value, and returns what the policy holds.


def _number(key: str, value: object) -> float:
    return reading.number(key, value, f"a number from 0 to {MAX_NUMBER:g}", 0, MAX_NUMBER)


def _pairs(key: str, value: object, second: reading.Reader) -> tuple[tuple[float, Any], ...]:
    """Read pairs whose first values rise."""
    like = "[value, points]"
    pairs = reading.pairs(key, value, second, first=_number, like=like)
    if not pairs:
        raise reading.wrong(key, f"a list of {like} pairs", value)
    values = [first for first, _ in pairs]
    if any(after <= before for before, after in pairwise(values)):
        raise PolicyError(f"{key}: values must rise from pair to pair, not {values}; sort them")
    return pairs


def _knees(key: str, value: object) -> Knees:
    pairs = _pairs(key, value, _number)
    points = [pair[1] for pair in pairs]
    if points[0] != 0:
        raise PolicyError(f"{key}: the first pair must cost 0 points, not {points[0]}")
    if points != sorted(points):
        raise PolicyError(f"{key}: points must not fall from pair to pair: {points}; sort them")
    return pairs


def _steps(key: str, value: object) -> Steps:
    steps = _pairs(key, value, _ceiling)
    tops = [top for _, top in steps]
    if tops != sorted(tops, reverse=True):
        raise PolicyError(f"{key}: ceilings must not rise from pair to pair: {tops}; sort them")
    return steps


def _ceiling(key: str, value: object) -> int:
    """Read a ceiling, however it is written: 89.0 is 89."""
    written = isinstance(value, float) and value.is_integer()
    return reading.points(key, int(value) if written else value)  # type: ignore[call-overload]  # a float, as just checked


def _version(key: str, value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 32:
        raise reading.wrong(key, "a name of 1 to 32 characters", value)
    return value


def _weights(key: str, value: object) -> dict[str, float]:
    # One that was invented after the policy is simply not there.
    known = [name for name in FACTORS if isinstance(value, Mapping) and name in value]
    weights = _by_name(key, value, known or FACTORS, _number)
    if "latency" not in weights:
        raise PolicyError(f"{key} must have latency: without it a call's turns are not scored")
    if not math.isclose(total := sum(weights.values()), 100):
        raise PolicyError(f"{key} must add up to 100, not {total:g}; change one of {weights}")
    return weights


def _bands(key: str, value: object) -> dict[Band, int]:
    lowest = _by_name(key, value, [band.value for band in Band], reading.points)
    if list(lowest.values()) != sorted(set(lowest.values()), reverse=True) or lowest["poor"] != 0:
        raise PolicyError(f"{key} must fall from excellent to poor = 0, not {lowest}")
    return {Band(name): score for name, score in lowest.items()}


_T = TypeVar("_T")


def _by_name(key: str, value: object, names: Sequence[str], read: reading.Reader) -> dict[str, Any]:
    if not isinstance(value, Mapping) or set(value) != set(names):
        raise reading.wrong(key, f"a table with exactly {', '.join(names)}", value)
    return {name: read(f"{key}.{name}", value[name]) for name in names}


_READ_BY_TYPE: dict[str, reading.Reader] = {
    "float": _number,
    "int": reading.points,
    "int | None": reading.optional(_ceiling),
    "bool": reading.flag,
    "tuple[str, ...]": reading.many(reading.text),
    "Knees": _knees,
    "Steps": _steps,
}


def _section(kind: type[_T], key: str, value: object, *, counts: Sequence[str] = ()) -> _T:
    """Read one table into its dataclass; ``counts`` are whole numbers, not scores."""
    known = fields(kind)  # type: ignore[arg-type]  # a dataclass
    readers = {f.name: _READ_BY_TYPE[str(f.type)] for f in known}
    readers.update(dict.fromkeys(counts, reading.count))
    defaults = [f.name for f in known if f.default is not MISSING]
    return kind(**reading.fields(key, value, readers, optional=defaults))


_SECTIONS: dict[str, reading.Reader] = {
    "version": _version,
    "percentile": reading.percentage,
    "weights": _weights,
    "knees": partial(_section, RampKnees),
    "speech_level": partial(_section, SpeechLevel, counts=("min_frames",)),
    "underflow": partial(_section, Underflow, counts=("min_frames", "least_packets")),
    "noise": partial(_section, Noise),
    "ceilings": partial(_section, CeilingRules),
    "caller_ignored": partial(_section, CallerIgnored),
    "never_heard": partial(_section, NeverHeard),
    "not_scored": partial(_section, NotScored),
    "bands": _bands,
    "conversation": partial(
        _section,
        Conversation,
        counts=(
            "unheard_frames",
            "cut_answers",
            "cut_of_answers",
            "talk_overs",
            "untimed_barge_ins",
        ),
    ),
    "sound": partial(_section, Sound),
}


def _check(policy: Policy) -> None:
    """Check what no single key can tell: a factor's last knee is its weight."""
    for name in fields(RampKnees):
        knees: Knees = getattr(policy.knees, name.name)
        factor = "rms" if name.name.startswith("rms_") else name.name
        weight = policy.weights.get(factor)
        if weight is None:
            continue
        if not math.isclose(knees[-1][1], weight):
            raise PolicyError(
                f"knees.{name.name} ends at {knees[-1][1]:g} points, but weights.{factor} is "
                f"{weight:g}; make them equal"
            )
    if policy.speech_level.low >= policy.speech_level.high:
        raise PolicyError("speech_level.low must be less than speech_level.high")
    if policy.underflow.assumed_min > policy.underflow.assumed_max:
        raise PolicyError("underflow.assumed_min must not exceed underflow.assumed_max")


DEFAULT_POLICY = Policy.load("v3")
"""The policy that ships, and that a monitor uses unless told otherwise."""
