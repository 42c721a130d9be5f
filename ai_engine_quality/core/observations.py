"""What can be observed of a call, and which values are believed.

Every value that enters the library passes one of the checks below. A check returns the value in
the one form that the rest of the library uses, or raises ``Rejected`` with a short reason,
which becomes the label of ``ai_agent_quality_dropped_total``. Pure: no clock, no logging.
"""

from __future__ import annotations

import math
import operator
import re
import unicodedata
from enum import StrEnum
from functools import lru_cache

FRAME_SECONDS = 0.02
"""Seconds in one telephone frame: Asterisk, RTP and AudioSocket all send 20 ms at a time."""

MAX_SECONDS = 300.0
"""A latency, reaction or wait beyond this is a broken clock, not a slow agent."""

MAX_CALL_SECONDS = 7 * 86_400.0
"""A call longer than a week is a broken clock."""

MAX_INSTANT = 1e12
"""Seconds: no monotonic clock has run for 30,000 years."""

MAX_COUNT = 1_000_000_000
"""One report never holds more: 1e9 frames are eight months of speech."""

MAX_RMS = 32_768.0
"""Full scale of 16-bit audio; no RMS can exceed it."""

MAX_CALL_ID_LENGTH = 256
MAX_NAME_LENGTH = 64

ACTIVE_RMS = 200.0
"""A frame below this RMS (-44 dBov) is silence; the engine's idle line reads 7 to 180."""

TRANSPORT_IN = "transport_in"
PROVIDER_IN = "provider_in"
CALLER_STAGES = frozenset({TRANSPORT_IN, PROVIDER_IN})
"""Where the caller's audio passes. Reported without points: the microphone isn't the agent's."""

PROVIDER_OUT = "provider_out"
TRANSPORT_OUT = "transport_out"


TURN_STAGES = ("stt", "end_of_turn", "llm", "tool", "tts")
"""Where the time of a turn goes: until the words are known, until the caller is taken to have said
all, until the first words of an answer, in tools meanwhile, and until its first audio."""


class DropReason(StrEnum):
    """Why an observation, or a call, was not taken: the ``reason`` label, all of them bounded."""

    WRONG_TYPE = "wrong_type"
    NOT_FINITE = "not_finite"
    NEGATIVE = "negative"
    OUT_OF_RANGE = "out_of_range"
    BAD_CALL_ID = "bad_call_id"
    UNKNOWN_CALL = "unknown_call"
    CALL_ENDED = "call_ended"
    ALREADY_STARTED = "already_started"
    TOO_MANY_CALLS = "too_many_calls"
    UNKNOWN_STAGE = "unknown_stage"
    TOO_MANY_STAGES = "too_many_stages"
    UNKNOWN_ENCODING = "unknown_encoding"
    UNKNOWN_SAMPLE_RATE = "unknown_sample_rate"
    FRAME_EMPTY = "frame_empty"
    FRAME_ODD_LENGTH = "frame_odd_length"
    FRAME_OVERSIZED = "frame_oversized"
    EXPIRED_CALL = "expired_call"
    COUNTED_AS_OTHER = "counted_as_other"
    NOT_ENDED_IN_TIME = "not_ended_in_time"
    SAMPLE_EVICTED = "sample_evicted"
    RECORD_NOT_WRITTEN = "record_not_written"
    LOG_NOT_WRITTEN = "log_not_written"
    INTERNAL_ERROR = "internal_error"


class Rejected(Exception):  # noqa: N818  # not an error: the usual way of a wrong value
    """An observation that isn't believed; ``reason`` says why."""

    def __init__(self, reason: DropReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def seconds(value: object, limit: float = MAX_SECONDS) -> float:
    """Return a duration in seconds: finite, not negative, at most ``limit``."""
    return _number(value, limit)


def instant(value: object) -> float:
    """Return a moment of a monotonic clock, in seconds: any finite number."""
    if type(value) is float and -MAX_INSTANT <= value <= MAX_INSTANT:
        return value
    if isinstance(value, (int, float)) and type(value) is not bool and -MAX_INSTANT <= value < 0:
        return float(value)
    return _number(value, MAX_INSTANT)


def turn_stage(value: object) -> str:
    """Return a stage of a turn."""
    if not isinstance(value, str):
        raise Rejected(DropReason.WRONG_TYPE)
    if value not in TURN_STAGES:
        raise Rejected(DropReason.UNKNOWN_STAGE)
    return str(value)


def rms(value: object) -> float:
    """Return a 16-bit RMS level: finite, 0 to 32,768."""
    return _number(value, MAX_RMS)


def _number(value: object, limit: float) -> float:
    if type(value) is float and 0.0 <= value <= limit:  # the usual case; NaN isn't in there
        return value
    if isinstance(value, (bool, str, bytes, bytearray)):
        raise Rejected(DropReason.WRONG_TYPE)
    try:
        number = float(value)  # type: ignore[arg-type]  # anything may come: TypeError is the check
    except OverflowError:
        raise Rejected(DropReason.OUT_OF_RANGE) from None
    except Exception:  # a foreign __float__ can raise anything
        raise Rejected(DropReason.WRONG_TYPE) from None
    if not math.isfinite(number):
        raise Rejected(DropReason.NOT_FINITE)
    if number < 0:
        raise Rejected(DropReason.NEGATIVE)
    if number > limit:
        raise Rejected(DropReason.OUT_OF_RANGE)
    return number


def count(value: object) -> int:
    """Return a number of frames or events: a whole number from 0 to 1e9."""
    if type(value) is int and 0 <= value <= MAX_COUNT:
        return value
    if isinstance(value, bool):
        raise Rejected(DropReason.WRONG_TYPE)
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # TypeError is the check
    except Exception:  # a foreign __index__ can raise anything
        raise Rejected(DropReason.WRONG_TYPE) from None
    if number < 0:
        raise Rejected(DropReason.NEGATIVE)
    if number > MAX_COUNT:
        raise Rejected(DropReason.OUT_OF_RANGE)
    return number


def flag(value: object) -> bool:
    """Return a truth value; only a bool is one (numpy's included), since ``"false"`` is true."""
    if isinstance(value, bool):
        return value
    if type(value).__name__ in ("bool", "bool_") and type(value).__module__ == "numpy":
        return bool(value)
    raise Rejected(DropReason.WRONG_TYPE)


def plain(value: str) -> str:
    """Return text as Python's own: an ``(str, Enum)`` has another ``str()`` than its value."""
    return value if type(value) is str else str.__str__(value)


def call_id(value: object) -> str:
    """Return an opaque call id: 1 to 256 printable characters.

    Control characters and lone surrogates are refused here, once, so that no later label, log
    line or terminal has to fear them.
    """
    if not isinstance(value, str):
        raise Rejected(DropReason.WRONG_TYPE)
    if not 0 < len(value) <= MAX_CALL_ID_LENGTH or not value.isprintable():
        raise Rejected(DropReason.BAD_CALL_ID)
    return plain(value)


OTHER = "other"
"""What a name or a reason is called that may be a caller's, and so is not kept."""

_DATE = re.compile(
    r"(?<!\d)(?:20\d\d[-_. ]?(?:0[1-9]|1[0-2])(?:[-_. ]?(?:[0-2]\d|3[01]))?"
    r"|(?:0[1-9]|1[0-2])[-_. ]20\d\d)(?!\d)"
)
"""Models are named after days and months: ``gpt-4o-realtime-preview-2024-12-17``."""

MAX_NAME_DIGITS = 6
"""In a provider's or pipeline's name, dates and sample rates aside; a telephone has seven."""

_AT = re.compile(r"@|%40|&#x?(?:64|40);|[(\[{<]\s*at\s*[)\]}>]", re.IGNORECASE)
"""The ``@`` of an address, also encoded, or written out."""

_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")


def name(value: object) -> str | None:
    """Return a provider's or pipeline's normalised name, or None where it has none.

    ``OpenAI Realtime``, ``openai-realtime`` and ``openai_realtime`` are one provider. What holds an
    e-mail address, however its ``@`` is written, or digits enough for a telephone number, is
    ``other``.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise Rejected(DropReason.WRONG_TYPE)
    return _normalised(plain(value)[: 4 * MAX_NAME_LENGTH]) or None


@lru_cache(256)  # an engine has few names, and its calls can share them
def _normalised(value: str) -> str:
    digits = sum(char.isdigit() for char in _SAMPLE_RATE.sub("", _DATE.sub("", value)))
    if _AT.search(unicodedata.normalize("NFKC", value)) or digits > MAX_NAME_DIGITS:
        return OTHER
    return _NOT_IN_NAME.sub("_", value.lower()).strip("_")[:MAX_NAME_LENGTH]


def outcome(value: object) -> str | None:
    """Return what the engine calls a call's end, as a code word in lower case, or None."""
    if value is None:
        return None
    return code_word(plain(value).lower() if isinstance(value, str) else value)


_STAGE = re.compile(r"transport_out(:[a-z0-9_-]{1,32})?|provider_out|transport_in|provider_in")


def stage(value: object) -> str:
    """Return a stage of the audio's way: where in the engine a frame was seen.

    A kind that may be a telephone's number is ``other``: records and dashboards name stages.
    """
    if not isinstance(value, str):
        raise Rejected(DropReason.WRONG_TYPE)
    text = plain(value)
    found = _STAGE.fullmatch(text)
    if not found:
        raise Rejected(DropReason.UNKNOWN_STAGE)
    kind = found[1]
    return f"{TRANSPORT_OUT}:{OTHER}" if kind and _may_be_a_number(kind) else text


def is_agent_stage(stage_name: str) -> bool:
    """Return whether the agent's own audio passes this stage."""
    return stage_name not in CALLER_STAGES


_CODE_WORD = re.compile(r"[a-z][a-z0-9]*(?:[-_@:/>.=!]+[a-z0-9]+)*")
_RATE = r"(?:8|11025|12|16|22050|24|32|44100|48)(?:000)?"
_SAMPLE_RATE = re.compile(rf"(?<!\d){_RATE}(?!\d)")
_ADDRESS = re.compile(rf"@(?!{_RATE}(?:k|hz|khz)?(?![a-z0-9.]))")
"""What stands before and after it is a person's address, unless that is a sample rate."""

MAX_DIGITS = 3
MAX_CODE_WORD_LENGTH = 48


def code_word(value: object) -> str:
    """Return a reason that a program chose (``transport-failure``), or ``other``.

    Free text may hold a caller's words, digits that are no sample rate their telephone's number,
    and what has an ``@`` that is before no sample rate is an address, so none is kept.
    """
    if not isinstance(value, str):
        raise Rejected(DropReason.WRONG_TYPE)
    text = plain(value)
    if len(text) > MAX_CODE_WORD_LENGTH or not _CODE_WORD.fullmatch(text) or _ADDRESS.search(text):
        return OTHER
    return OTHER if _may_be_a_number(text) else text


def _may_be_a_number(text: str) -> bool:
    """Return whether text has more digits, sample rates aside, than a program's own words do."""
    return sum(char.isdigit() for char in _SAMPLE_RATE.sub("", text)) > MAX_DIGITS


OUTCOMES = (
    "completed",
    "failed",
    "expired",
    "interrupted",
    "agent_hangup",
    "caller_hangup",
    "no_input_timeout",
    "transferred",
)
"""What a call's end is usually called; another code word serves too, and is told once."""


def detail(value: object) -> str:
    """Return what a check of formats found, as a code word; empty where nothing is told."""
    # Not by its truth: an array has none, and anything may come.
    if value is None or (isinstance(value, str) and not value):
        return ""
    return code_word(value)
